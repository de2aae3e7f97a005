"""Examples, edited versions of them, and a model's answers to both: what invariance probes share.

A variant is one edit of every example. Originals and variants are asked in one call, so that the scorer can
plan them together; a variant whose tokens are those of its original is not asked again, it has the
original's answer and counts as unchanged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Case, Classifier, Estimate, Example, Finding, Item, Point, Series, Text, content_hash

Bools = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A classifier's answers to n examples and v variants of each; row 0 is the original's."""

    examples: tuple[Example, ...]
    variants: tuple[str, ...]
    texts: tuple[tuple[Text, ...], ...]
    """(v + 1, n) what the variants are."""
    changed: Bools
    """(v + 1, n) whether the model sees another text than the original; row 0 is False."""
    rows: Places
    """(v + 1, n) place of the answer in `probabilities`."""
    probabilities: NDArray[np.float64]
    """(answers, k)"""
    predicted: Places
    """(v + 1, n) place of the label that was answered."""
    right: Bools
    """(v + 1, n) whether that is the example's label; False where it has none."""
    labelled: Bools
    """(n,) whether the example has a label."""
    labels: tuple[str, ...]

    @property
    def flipped(self) -> Bools:
        """(v + 1, n) whether the answer differs from the original's; only where `changed`."""
        flipped: Bools = self.predicted != self.predicted[0]
        return flipped

    @property
    def commonest(self) -> tuple[str, int]:
        """The label that most originals were answered, the first of equals, and how often it was."""
        counts = np.bincount(self.predicted[0], minlength=len(self.labels))
        return self.labels[int(counts.argmax())], int(counts.max())

    @property
    def constant(self) -> str:
        """Why flips and drops mean nothing here, empty where they mean something.

        A model that gives one answer to whatever it reads never flips; it must not look robust.
        """
        label, times = self.commonest
        if times < len(self.examples):
            return ""
        return (
            f"the model gave one answer, {label!r}, to all {times} originals, so an unchanged answer says "
            "nothing of robustness: see its accuracy, and test on examples that it tells apart"
        )

    @property
    def labelled_texts(self) -> list[Text]:
        """The originals that have a label, in their order."""
        return [text for text, known in zip(self.texts[0], self.labelled, strict=True) if known]

    @property
    def unlabelled(self) -> str:
        """Why there is no accuracy, empty where some example has a label."""
        return (
            "" if self.labelled.any() else "the examples have no labels, so no accuracy is known: give labels"
        )


def ask(classifier: Classifier, examples: Sequence[Example], edited: Mapping[str, Sequence[Text]]) -> Answers:
    """Ask the originals and every variant that the model can tell from its original, in one call.

    Args:
        examples: at least one.
        edited: variant → (n,) texts in the order of the examples.
    """
    texts = (tuple(example.input for example in examples), *map(tuple, edited.values()))
    n, wide = len(examples), len(texts)
    marks = classifier.fingerprint([text for row in texts for text in row])
    changed = np.array([marks[i] != marks[i % n] for i in range(n * wide)], dtype=np.bool_).reshape(wide, n)
    places = np.argwhere(changed)  # (changed texts, 2)
    scores = classifier.score([*texts[0], *(texts[v][i] for v, i in places)])
    rows = np.tile(np.arange(n), (wide, 1))
    rows[changed] = n + np.arange(len(places))
    predicted = scores.predicted[rows]
    names = {label: i for i, label in enumerate(classifier.labels)}
    truth = np.array([names.get(example.label or "", -1) for example in examples])
    return Answers(
        examples=tuple(examples),
        variants=("original", *edited),
        texts=texts,
        changed=changed,
        rows=rows,
        probabilities=scores.probabilities,
        predicted=predicted,
        right=predicted == truth,
        labelled=np.array([example.label is not None for example in examples], dtype=np.bool_),
        labels=classifier.labels,
    )


# --- numbers ------------------------------------------------------------------------------


def share(hits: Bools, counted: Bools, texts: Sequence[Text] | None = None) -> Estimate:
    """Return the share of hits among the counted, in [0, 1]; at least one must be counted.

    Args:
        hits: (r, n) for r draws of the same edit.
        counted: (r, n)
        texts: (n,) the originals, by which copies of a text are known; None where all differ.

    Wilson's interval; clustered by text where a text is counted more than once, in several draws or in
    copies. A single text is one unit, and its first counted draw is its value: draws of one text are no
    sample of texts.
    """
    units, found = _units(counted, texts), hits[counted]
    if len(set(units)) == found.size:
        return stats.share(int(found.sum()), found.size)
    if len(set(units)) == 1:
        return stats.share(int(found[0]), 1)
    return stats.clustered_share(found, units)


def drop(before: Bools, after: Bools, counted: Bools, texts: Sequence[Text] | None = None) -> Estimate:
    """Return the share right before minus the share right after, on the counted, in [-1, 1].

    Args:
        before: (r, n) for r draws of the same edit.
        after: (r, n)
        counted: (r, n), at least one of them.
        texts: (n,) the originals, as in `share`.

    Newcombe's paired interval; the clustered interval of the mean difference where a text is counted more
    than once. A single text counts by its first counted draw, as in `share`.
    """
    units, old, new = _units(counted, texts), before[counted], after[counted]
    if len(set(units)) == 1:
        old, new = old[:1], new[:1]
    elif len(set(units)) < len(units):
        return stats.mean(old.astype(float) - new, clusters=units, low=-1.0, high=1.0)
    return stats.paired_difference(
        int((old & new).sum()), int((old & ~new).sum()), int((~old & new).sum()), int((~old & ~new).sum())
    )


def _units(counted: Bools, texts: Sequence[Text] | None) -> Sequence[Hashable]:
    """Return what each counted answer is an answer to: its text, else the number of its example."""
    examples = np.nonzero(counted)[1].tolist()
    return examples if texts is None else [texts[i] for i in examples]


def drop_p(before: Bools, after: Bools, counted: Bools, rng: np.random.Generator) -> float:
    """Return the p of no difference: McNemar's, or over several draws of sign flips by example."""
    if len(before) == 1:
        lost, won = counted & before & ~after, counted & ~before & after
        return stats.mcnemar(int(lost.sum()), int(won.sum())).p
    gaps = np.where(counted, before.astype(float) - after, 0.0).sum(axis=0)  # (n,)
    return stats.sign_flip_p(gaps[counted.any(axis=0)], rng=rng)


def most_frequent(examples: Sequence[Example]) -> tuple[str, float]:
    """Return the label that most labelled examples have, and its share: what always saying it would reach."""
    counts = Counter(example.label for example in examples if example.label is not None)
    label, times = max(counts.items(), key=lambda item: (item[1], item[0]))
    return label, times / counts.total()


# --- what a reader can see and check --------------------------------------------------------------


def pictured(flips: Sequence[Finding], *, bearer: str, title: str, x: str) -> Iterator[Finding]:
    """Yield flip rates, one slice each; one of them carries the picture of all.

    Args:
        flips: in the order of the picture.
        bearer: the slice that carries it; where it is missing the highest rate does, the first of equals.
        title: of the picture.
        x: what the slices are.
    """
    if not flips:
        return
    highest = max(flips, key=lambda flip: flip.estimate.value)
    chosen = next((flip for flip in flips if flip.slice == bearer), highest)
    for flip in flips:
        yield replace(flip, series=_dots(flips, title, x)) if flip is chosen else flip


def _dots(findings: Sequence[Finding], title: str, x: str) -> Series:
    return Series(
        kind="dots",
        title=title,
        x=x,
        y="flip rate (share of changed texts)",
        points=tuple(
            Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=finding.slice)
            for i, finding in enumerate(findings)
            for e in [finding.estimate]
        ),
        reading="Each dot is the share of changed texts whose answer flipped, with its 95 % interval. "
        "What changed nothing is not shown.",
    )


def case(answers: Answers, variant: int, i: int, note: str) -> Case:
    """Return what the model said of example i before and after the edit."""
    return Case(
        example=answers.examples[i].id,
        text=_shown(answers.texts[0][i]),
        changed=_shown(answers.texts[variant][i]),
        label=answers.examples[i].label,
        before=answers.labels[answers.predicted[0, i]],
        after=answers.labels[answers.predicted[variant, i]],
        note=note,
    )


def items(answers: Answers, probe: str) -> Iterator[Item]:
    """Yield one item for each example and variant, example by example, the original first.

    Outcomes: `right`, `wrong` or `unlabelled` for the original; `unchanged`, `flipped` or `kept` after.
    """
    flipped = answers.flipped
    for i, example in enumerate(answers.examples):
        for v, variant in enumerate(answers.variants):
            if v == 0:
                outcome = "right" if answers.right[0, i] else "wrong"
                outcome = outcome if example.label is not None else "unlabelled"
            else:
                outcome = "flipped" if flipped[v, i] else "kept"
                outcome = outcome if answers.changed[v, i] else "unchanged"
            yield Item(
                example=example.id,
                content=content_hash(answers.texts[v][i]),
                probe=probe,
                variant=variant,
                label=example.label,
                predicted=answers.labels[answers.predicted[v, i]],
                probabilities=tuple(answers.probabilities[answers.rows[v, i]].tolist()),
                outcome=outcome,
            )


def _shown(text: Text) -> str:
    return text if isinstance(text, str) else "\n".join(text)
