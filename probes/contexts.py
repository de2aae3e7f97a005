"""Demonstration sets and test items, and a prompted model's answers to all of them.

A context is a list of demonstrations in an order. Which examples are drawn depends on their ids and texts and
on the seed, never on their order in the data, and every context is asked about the same items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit.errors import ConfigError, shown
from audit.schema import Data, Example, Facts, Finding, Item, PromptedClassifier, Skip, content_hash
from audit.seeds import Seeds

Bools = NDArray[np.bool_]
Places = NDArray[np.intp]

FEWEST = 5
"""Demonstration sets below which nothing can be said of sets that were not drawn."""
SHOTS = 4
"""Demonstrations of a recipe whose prompt shows none."""
STREAM = "contexts"
"""Name of the random stream; all probes draw from the same one, so that they ask the same questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Demonstrations in their order."""

    name: str
    """The variant in items.jsonl."""
    set: int = 0
    """Number of the demonstration set."""
    demonstrations: tuple[Example, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels shown, in their order."""
        return tuple(str(one.label) for one in self.demonstrations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A prompted model's answers to n items under c contexts."""

    contexts: tuple[Context, ...]
    items: tuple[Example, ...]
    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    """(c, n, k)"""
    truncated: int
    """Of the c n texts, how many were cut to the model's length."""

    @property
    def predicted(self) -> Places:
        """(c, n) place of the label that was answered; the first of equals."""
        best: Places = self.probabilities.argmax(axis=2)
        return best

    @property
    def right(self) -> Bools:
        """(c, n) whether that is the item's label."""
        truth = np.array([self.labels.index(str(item.label)) for item in self.items])
        hits: Bools = self.predicted == truth
        return hits

    @property
    def constant(self) -> str:
        """Why a bias of zero means nothing here, empty where it means something."""
        counts = np.bincount(self.predicted.ravel(), minlength=len(self.labels))
        if counts.max() < self.predicted.size:
            return ""
        return (
            f"the model gave one answer, {self.labels[int(counts.argmax())]!r}, to all {len(self.items)} "
            f"items under all {len(self.contexts)} contexts, so an unchanged answer says nothing of its "
            "bias: see its accuracy, and use a prompt under which it tells texts apart"
        )

    @property
    def cut(self) -> str:
        """How many texts were cut, as the end of a note; empty where none was."""
        return f"; {self.truncated} texts were cut to the model's length" if self.truncated else ""

    def shown_labels(self) -> Places:
        """Return (c, shots) places of the labels of the demonstrations; contexts must be equally long."""
        return np.array([[self.labels.index(one) for one in each.labels] for each in self.contexts])

    def records(self, probe: str) -> Iterator[Item]:
        """Yield one item for each example and context, example by example."""
        predicted, right = self.predicted, self.right
        for i, item in enumerate(self.items):
            for c, context in enumerate(self.contexts):
                yield Item(
                    example=item.id,
                    content=content_hash(item.input),
                    probe=probe,
                    variant=context.name,
                    label=item.label,
                    predicted=self.labels[predicted[c, i]],
                    probabilities=tuple(self.probabilities[c, i].tolist()),
                    outcome="right" if right[c, i] else "wrong",
                )


def ask(prompted: PromptedClassifier, contexts: Sequence[Context], items: Sequence[Example]) -> Answers:
    """Ask every item under every context: the user's prompt with other demonstrations.

    Args:
        prompted: the model; its own demonstrations are replaced.
        contexts: at least one.
        items: at least one, each with a label.

    Raises:
        ModelError: demonstrations that leave no room for a text.
    """
    texts = [item.input for item in items]
    prompts = [replace(prompted.prompt, demonstrations=each.demonstrations) for each in contexts]
    scores = prompted.score_prompts(prompts, texts)
    return Answers(
        contexts=tuple(contexts),
        items=tuple(items),
        labels=prompted.labels,
        probabilities=np.stack([each.probabilities for each in scores]),
        truncated=sum(int(each.truncated.sum()) for each in scores),
    )


def no_recipe(prompted: PromptedClassifier, shots: int | None) -> str:
    """Say why sets of demonstrations say nothing of a prompt that shows none; empty where they do.

    Args:
        shots: what the config asks for by name, None for nothing.
    """
    return "" if prompted.prompt.demonstrations or shots is not None else "the prompt shows no demonstrations"


def remarked(results: Iterator[Finding | Skip | Item], facts: Facts) -> Iterator[Finding | Skip | Item]:
    """Say of each finding that a correction in force was not asked: it belongs to one prompt alone."""
    for result in results:
        if isinstance(result, Finding) and facts.correction:
            note = f"{result.note}; asked without the correction in force ({facts.correction}), which "
            yield replace(result, note=f"{note}belongs to the prompt in use alone")
        else:
            yield result


# --- demonstrations ---------------------------------------------------------------------------


def balanced_shots(shots: int | None, prompted: PromptedClassifier) -> int:
    """Return how many demonstrations a recipe has: a multiple of the labels, at least as many as asked.

    Args:
        shots: None for as many as the prompt in use shows, 4 where it shows none.
    """
    wanted = len(prompted.prompt.demonstrations) or SHOTS if shots is None else shots
    return made_even(wanted, len(prompted.labels))


def made_even(shots: int, labels: int) -> int:
    """Return the next multiple of the labels.

    >>> made_even(4, 2), made_even(4, 3)
    (4, 6)
    """
    return -(-shots // labels) * labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What probes of one budget ask alike."""

    sets: tuple[tuple[Example, ...], ...]
    """Demonstration sets, each label by label."""
    used: tuple[Example, ...]
    """Examples that no item may be: those of the sets and of the prompt in use."""
    items: tuple[Example, ...]
    """Test items, balanced over labels."""
    why: str
    """Why the sets are too few for a statement about others; empty if they suffice."""


def draw(
    prompted: PromptedClassifier, data: Data, seeds: Seeds, *, sets: int, shots: int | None, items: int
) -> Drawn:
    """Draw label-balanced demonstration sets and test items for the prompt in use.

    Args:
        shots: as for `balanced_shots`.
    """
    labels = prompted.labels
    each = balanced_shots(shots, prompted) // len(labels)
    found = draw_sets(data.train, labels, each=each, count=sets, seeds=seeds)
    shown_sets = tuple(tuple(one for label in labels for one in one_set[label]) for one_set in found)
    used = (*prompted.prompt.demonstrations, *(one for shown_set in shown_sets for one in shown_set))
    return Drawn(
        sets=shown_sets,
        used=used,
        items=balanced_items(data.test, labels, items, seeds, without=used),
        why=too_few(data.train, labels, each=each, asked=sets, found=len(found)),
    )


def no_items(probe: str) -> Skip:
    """Return the Skip of a probe that has fewer than two items to ask."""
    why = "data.test has fewer than 2 labelled texts that are not demonstrations"
    return Skip(probe=probe, reason=why)


def draw_sets(
    train: Sequence[Example], labels: Sequence[str], *, each: int, count: int, seeds: Seeds
) -> tuple[Mapping[str, tuple[Example, ...]], ...]:
    """Draw disjoint demonstration sets with `each` examples of every label; fewer where `train` has too few.

    No text stands in two sets, nor twice in one: of equal texts one is kept.
    """
    pools: dict[str, list[Example]] = {label: [] for label in labels}
    seen: set[str] = set()
    for one in sorted(train, key=lambda one: (seeds.number(STREAM, "demonstrations", one.id), one.id)):
        content = content_hash(one.input)
        if one.label in pools and content not in seen:
            pools[one.label].append(one)
            seen.add(content)
    possible = min(len(pool) // each for pool in pools.values())
    return tuple(
        {label: tuple(pool[s * each : (s + 1) * each]) for label, pool in pools.items()}
        for s in range(min(count, possible))
    )


def too_few(train: Sequence[Example], labels: Sequence[str], *, each: int, asked: int, found: int) -> str:
    """Say why the sets are too few for a statement about sets that were not drawn; empty if they suffice."""
    if found >= FEWEST:
        return ""
    if asked < FEWEST:
        return f"{asked} demonstration sets say nothing of others: set `sets` to {FEWEST} or more"
    counts = Counter(label for _, label in {(content_hash(one.input), one.label) for one in train})
    rarest = min(labels, key=lambda label: counts[label])
    return (
        f"data.train has {counts[rarest]} different texts of the label {rarest!r}, enough for {found} "
        f"demonstration sets with {each} of each label, and {FEWEST} are needed: give more training data, "
        "or fewer shots"
    )


# --- items and parameters ---------------------------------------------------------------------


def balanced_items(
    test: Sequence[Example], labels: Sequence[str], count: int, seeds: Seeds, *, without: Iterable[Example]
) -> tuple[Example, ...]:
    """Return up to `count` items, equally many of each label that `test` has, in the order of their ids.

    At least one of each such label, and none whose text is among `without`.
    """
    shown_texts = {content_hash(one.input) for one in without}
    free = [one for one in test if one.label in labels and content_hash(one.input) not in shown_texts]
    sizes = Counter(one.label for one in free)
    each = min([max(1, count // len(labels)), *sizes.values()])
    chosen = [
        one
        for label in sizes
        for one in seeds.pick([x for x in free if x.label == label], each, _key, STREAM, "items")
    ]
    return tuple(sorted(chosen, key=_key))


def most_items(data_items: int, labels: int, count: int) -> int:
    """Return a bound of `balanced_items` for the plan."""
    return min(data_items, max(labels, count))


def check_least(probe: str, **least: tuple[int | None, int]) -> None:
    """Check parameters: name → (value, the least it may be); None is fine.

    Raises:
        ConfigError: one is below its least.
    """
    for name, (value, bound) in least.items():
        if value is not None and value < bound:
            raise ConfigError(f"{probe}: {name}: cannot be {shown(value)}; give at least {bound}")


def _key(example: Example) -> str:
    return example.id
