"""Orders and mixes of demonstrations: which label stands where, and how often each is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, permutations
from math import factorial, prod

import numpy as np

_WHOLE = 6
"""Up to this many demonstrations all orders are listed; beyond, they are drawn."""


def orders(
    labels: Sequence[str], budget: int, rng: np.random.Generator, *, ends_differ: bool = False
) -> list[tuple[int, ...]]:
    """Return up to `budget` distinct orders of places 0 … k - 1, the given one first, each with its reverse.

    All of them if they fit, else a sample. With its reverse, so that each label stands as often at the first
    place as at the last, and a model that likes one label does not look as if it liked a place.

    Args:
        labels: (k,) label at each place.
        budget: at least 2.
        ends_differ: keep only orders whose first and last labels differ.

    >>> orders("NP", 8, np.random.default_rng(0))
    [(0, 1), (1, 0)]
    """
    found: dict[tuple[int, ...], None] = {}
    for order in chain([tuple(range(len(labels)))], _shuffles(len(labels), rng)):
        if order in found or not order or (ends_differ and labels[order[0]] == labels[order[-1]]):
            continue
        if len(found) + 2 > budget:
            break
        found |= {order: None, order[::-1]: None}
    return list(found)


def _shuffles(k: int, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    if k <= _WHOLE:
        listed = list(permutations(range(k)))
        yield from (listed[i] for i in rng.permutation(len(listed)))
        return
    for _ in range(10_000):  # a bound, where few orders differ at their ends
        yield tuple(rng.permutation(k).tolist())


def label_orders(counts: Mapping[str, int], budget: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Return up to `budget` distinct orders of labels: all if they fit, else some with all their rotations.

    Rotations put each label equally often at each place, so that what a model makes of places cancels.

    Args:
        counts: label → how often it stands in each order; at least 1 in all.
        budget: at least 1; where it is below the places, the rotations are not whole.

    >>> label_orders({"N": 1, "P": 2}, 4, np.random.default_rng(0))
    [('N', 'P', 'P'), ('P', 'N', 'P'), ('P', 'P', 'N')]
    """
    bag = [label for label, times in counts.items() for _ in range(times)]
    if how_many(counts.values()) <= budget:
        return list(_arrangements(dict(counts)))
    found: dict[tuple[str, ...], None] = {}
    while True:
        drawn = tuple(bag[i] for i in rng.permutation(len(bag)))
        turned = {drawn[i:] + drawn[:i]: None for i in range(len(drawn))}
        if found and len(found | turned) > budget:
            return list(found)
        found = dict.fromkeys(list(found | turned)[:budget])


def how_many(counts: Iterable[int]) -> int:
    """Return the number of distinct orders of labels that stand so often.

    >>> how_many([2, 2])
    6
    """
    times = list(counts)
    return factorial(sum(times)) // prod(map(factorial, times))


def _arrangements(left: dict[str, int]) -> Iterator[tuple[str, ...]]:
    if not any(left.values()):
        yield ()
    for label, times in left.items():
        if times:
            yield from ((label, *rest) for rest in _arrangements(left | {label: times - 1}))


@dataclass(frozen=True, slots=True)
class Mix:
    """How often each label is shown."""

    counts: tuple[int, ...]
    """In the order of the labels."""

    @property
    def majority(self) -> int | None:
        """Place of the label that is shown most, None where two are."""
        most = max(self.counts)
        return self.counts.index(most) if self.counts.count(most) == 1 else None

    @property
    def name(self) -> str:
        """The counts, `3:1`."""
        return ":".join(map(str, self.counts))


def mixes(labels: int, shots: int, majorities: Iterable[int]) -> tuple[Mix, ...]:
    """Return the mixes of a number of shots: every one for two labels, else the even one and majorities.

    With more than two labels a majority takes half the shots (rounded up) of each other label.

    Args:
        labels: how many there are, at least 2.
        shots: a multiple of `labels`.
        majorities: places of the labels to be in the majority; for two labels both are.

    >>> [mix.name for mix in mixes(2, 4, ())], [mix.name for mix in mixes(3, 6, [0])]
    (['4:0', '3:1', '2:2', '1:3', '0:4'], ['2:2:2', '4:1:1'])
    """
    if labels == 2:
        return tuple(Mix((shots - second, second)) for second in range(shots + 1))
    each = shots // labels
    most = shots - (labels - 1) * (each // 2)
    lopsided = (
        Mix(tuple(most if place == major else each // 2 for place in range(labels))) for major in majorities
    )
    return (Mix((each,) * labels), *lopsided)


def letters(labels: Sequence[str]) -> dict[str, str]:
    """Return a short name for each label: its first letter where these differ, else its number from 1.

    >>> letters(["negative", "positive"]), letters(["abc", "abd"])
    ({'negative': 'N', 'positive': 'P'}, {'abc': '1', 'abd': '2'})
    """
    initials = [label[:1].upper() for label in labels]
    plain = len(set(initials)) == len(labels) and all(one.isalpha() for one in initials)
    names = initials if plain else [str(i) for i in range(1, len(labels) + 1)]
    return dict(zip(labels, names, strict=True))
