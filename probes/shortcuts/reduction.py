"""How little of a text keeps the answer?

Three ways to take the meaning away. Words are deleted one by one, the least important first, while the answer
holds: `remaining_share` is the share of the words that are left, `reduced_confidence` the probability of the
answer on them. The words are shuffled, singly and in blocks of 2 and 3: `shuffled_kept_rate` is the share of
answers that stay. And texts that say nothing (marks, random words of the test texts) are asked:
`trivial_confidence` is the mean probability of whatever is answered, which without any content should be near
one by the number of labels. The slice `informed` leaves out texts whose answer is the one that the empty text
gets, since deleting everything keeps that. All but `trivial_confidence` is shown for the reader and is not
good or bad in itself: a review may rightly hang on one word.
Why it matters: a model that is as sure of the one word "the" as of the whole text, or of noise, does not know
what it does not know, and its confidence cannot be used to send cases to a person.
Not covered: which words it hangs on and whether they are reasons (shortcuts.artifacts); texts longer than the
limit; whether a person would still see the answer in what is left.
Source: Feng et al. 2018 (arXiv:1804.07781) on input reduction. Unlike them: words and not tokens; by the
probability without them and not by gradients; a few candidates a step and not a beam; a word that was needed
once stays. So lengths are upper bounds and not comparable with theirs. Of a pair, the second text is reduced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from audit import stats
from audit.errors import ConfigError, shown
from audit.schema import (
    Classifier,
    Data,
    Demand,
    Example,
    Facts,
    Finding,
    Item,
    Skip,
    Subject,
    Text,
    content_hash,
)
from audit.seeds import Seeds
from probes import text, variants
from probes.shortcuts import deletion, nonsense, remains
from probes.variants import Answers

KINDS = ("punctuation", "random words")
LENGTHS = ("remaining_share", "reduced_confidence")


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """Parameters.

    Edge rules: copies of a text count once. Texts of one word, or of more than `longest`, are not reduced.
    Neither reductions nor shuffles of a model that gives one answer to everything are measured.
    """

    id: ClassVar[str] = "shortcuts.reduction"
    needs: ClassVar[frozenset[str]] = frozenset()

    items: int = 200
    """Texts whose words are shuffled, chosen by id."""
    blocks: tuple[int, ...] = (1, 2, 3)
    """Words that stay together in a shuffle."""
    reduced_items: int = 40
    """Of these, texts that are reduced."""
    longest: int = 40
    """Words that a text to be reduced may have; each costs 1 + `candidates` questions."""
    candidates: int = 3
    """Deletions tried in each step."""
    trivial: int = 50
    """Inputs without meaning, half marks and half random words; the empty text is asked beside them."""
    cases: int = 5

    def __post_init__(self) -> None:
        least = {"items": 2, "reduced_items": 2, "longest": 2, "candidates": 1, "trivial": 4, "cases": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ConfigError(f"{self.id}: {name}: cannot be {getattr(self, name)}; give at least {low}")
        if min(self.blocks, default=0) < 1 or len(set(self.blocks)) < len(self.blocks):
            raise ConfigError(
                f"{self.id}: blocks: cannot be {shown(self.blocks)}; give sizes of at least 1, each once"
            )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Shuffles, the most that deletions can cost, and the trivial inputs."""
        sizes = [len(deletion.countable(example.input)) for example in data.test]
        longest = max((size for size in sizes if size <= self.longest), default=0)
        items = min(self.items, len(data.test))
        reduced = min(self.reduced_items, items) * longest * (1 + self.candidates)
        return Demand(texts=items * (1 + len(self.blocks)) + reduced + self.trivial + 1)

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask originals and shuffles in one call, delete words step by step, then ask what says nothing."""
        model = subject.classifier
        if model is None or not data.test:
            lacking = "a classifier" if model is None else "test examples"
            yield Skip(probe=self.id, reason=f"there are no answers without {lacking}: see model.yaml")
            return
        different = {one.input: one for one in sorted(data.test, key=lambda one: one.id, reverse=True)}
        chosen = seeds.pick(list(different.values()), self.items, lambda one: one.id, self.id)
        chosen.sort(key=lambda one: one.id)
        edited = {_name(size): [self._shuffled(one, size, seeds) for one in chosen] for size in self.blocks}
        answers = variants.ask(model, chosen, edited)
        yield from variants.items(answers, self.id)
        yield from self._shuffles(answers, seeds)
        empty = "" if isinstance(chosen[0].input, str) else ("", "")
        nothing = int(model.score([empty]).predicted[0])
        yield from self._reductions(model, answers, nothing, seeds)
        yield from self._trivial(model, chosen, model.labels[nothing], seeds)

    # --- shuffles -------------------------------------------------------------------------

    def _shuffled(self, example: Example, size: int, seeds: Seeds) -> Text:
        names = (self.id, content_hash(example.input), str(size))

        def apply(part: str, rng: np.random.Generator) -> str:
            return nonsense.shuffled(part, rng, size)

        return text.on_both(apply, example.input, seeds.rng(*names), seeds.rng(*names, "pair"))

    def _shuffles(self, answers: Answers, seeds: Seeds) -> Iterator[Finding | Skip]:
        for v, size in enumerate(self.blocks, 1):
            changed = answers.changed[v]
            idle = "" if changed.any() else "no text has two such blocks, so nothing was shuffled"
            if why := answers.constant or idle:
                yield self._skip("shuffled_kept_rate", why, _name(size), applicable=not idle)
                continue
            kept = changed & ~answers.flipped[v]
            label, times = answers.commonest
            picked = seeds.pick(
                np.flatnonzero(kept).tolist(), self.cases, lambda i: answers.examples[i].id, self.id, "cases"
            )
            yield Finding(
                probe=self.id,
                metric="shuffled_kept_rate",
                slice=_name(size),
                estimate=stats.share(int(kept.sum()), int(changed.sum())),
                unit="share",
                better="neither",
                note=f"of {changed.sum()} texts that changed; {times} of {len(answers.examples)} originals "
                f"are answered {label!r}",
                cases=tuple(variants.case(answers, v, i, "shuffled") for i in picked),
            )

    # --- deletions ------------------------------------------------------------------------

    def _reductions(
        self, model: Classifier, answers: Answers, nothing: int, seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        fit = [
            i
            for i, example in enumerate(answers.examples)
            if 2 <= len(deletion.countable(example.input)) <= self.longest
        ]
        few = f"fewer than 2 texts have between 2 and {self.longest} words: set `longest` higher"
        if why := answers.constant or ("" if len(fit) > 1 else few):
            for metric in LENGTHS:
                yield self._skip(metric, why)
            return
        places = seeds.pick(fit, self.reduced_items, lambda i: answers.examples[i].id, self.id, "reduced")
        rows = answers.probabilities[places]  # (r, k); originals come first
        texts = [answers.texts[0][i] for i in places]
        reduced = deletion.reduce(model, texts, rows, candidates=self.candidates)
        for i, one in zip(places, reduced, strict=True):
            yield remains.item(self.id, answers, i, one)
        before = rows.max(axis=1)
        said = f"{len(fit)} of {len(answers.examples)} texts have 2 to {self.longest} words"
        least = remains.cases(answers, places, reduced, self.cases)
        yield from remains.lengths(self.id, "all", reduced, before, said, least)
        label = answers.labels[nothing]
        informed = [j for j, i in enumerate(places) if answers.predicted[0, i] != nothing]
        if len(informed) < 2:
            why = f"all but {len(informed)} texts are answered {label!r}, as the empty text is"
            for metric in LENGTHS:
                yield self._skip(metric, why, "informed")
            return
        said = f"texts that are not answered {label!r}, as the empty text is"
        kept = [reduced[j] for j in informed]
        yield from remains.lengths(self.id, "informed", kept, before[informed], said, ())

    # --- trivial inputs -------------------------------------------------------------------

    def _trivial(
        self, model: Classifier, chosen: Sequence[Example], nothing: str, seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        parts = [part for one in chosen for part in (one.text, one.pair or "")]
        vocabulary = sorted({word.lower() for part in parts for word in part.split()})
        sizes = [len(one.text.split()) for one in chosen]
        lengths = sorted(min(size, self.longest) for size in sizes if size)
        paired = chosen[0].pair is not None

        def drawn(kind: str, i: int, part: str) -> str:
            rng = seeds.rng(self.id, kind, str(i), part)
            if kind == "punctuation":
                return nonsense.marks(1 + i, rng)
            return nonsense.random_words(vocabulary, lengths[i * len(lengths) // count], rng)

        count = self.trivial // 2
        for kind in KINDS:
            if kind == "random words" and not lengths:
                yield self._skip("trivial_confidence", "the test texts have no words to draw from", kind)
                continue
            texts: list[Text] = [
                (drawn(kind, i, "first"), drawn(kind, i, "second")) if paired else drawn(kind, i, "first")
                for i in range(count)
            ]
            scores = model.score(texts)
            for i, one in enumerate(texts):
                yield Item(
                    example=f"{kind} {i}",
                    content=content_hash(one),
                    probe=self.id,
                    variant="trivial",
                    label=None,
                    predicted=model.labels[scores.predicted[i]],
                    probabilities=tuple(scores.probabilities[i].tolist()),
                    outcome="unlabelled",
                )
            told = np.bincount(scores.predicted, minlength=len(model.labels))
            answered = ", ".join(f"{label} {n}" for label, n in zip(model.labels, told, strict=True))
            yield Finding(
                probe=self.id,
                metric="trivial_confidence",
                slice=kind,
                estimate=stats.mean(scores.confidence.clip(0.0, 1.0), low=0.0, high=1.0),
                unit="share",
                better="lower",
                note=f"an even answer is at {1 / len(model.labels):.3f}; answered {answered}; the empty text "
                f"is answered {nothing!r}",
            )

    def _skip(self, metric: str, reason: str, slice: str | None = None, *, applicable: bool = True) -> Skip:
        return Skip(probe=self.id, metric=metric, slice=slice, reason=reason, applicable=applicable)


def _name(size: int) -> str:
    return "1 word" if size == 1 else f"{size} words"
