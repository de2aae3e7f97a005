"""Texts that begin alike stand together, and what they begin with goes through the model once.

Variants of one text (typos, exchanged names, the candidates of an attack) are alike up to where they differ.
Sorted by their tokens they stand side by side; such a family becomes one tree, as far as trees stay small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # a run that is wholly in the cache imports no torch
    from audit.models.tree import Tree

LEAST = 4
"""Tokens in common for which two texts become one tree; a larger tree fits less well beside others."""

WIDE = 256
"""Tokens of a joint tree: each of them looks at all of them, masked or not. Long texts may have more."""

LONG = 128
"""Tokens from which on texts are sorted by length: short ones would lie in rows as wide as they are."""

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Joint:
    """Trees that begin alike, as one."""

    members: tuple[int, ...]
    """Places of the trees, in the order of the reads."""
    tree: Tree
    reads: tuple[int, ...]
    """Of each member."""


@dataclass(slots=True)
class _Family:
    """What a tree holds so far."""

    last: Ids = ()
    size: int = 0
    room: int = 0

    def adds(self, ids: Ids) -> int:
        """Return the tokens that a text adds; all of its own where it begins another tree."""
        shared = common(self.last, ids)
        fresh = len(ids) - shared
        return fresh if shared >= LEAST and self.size + fresh <= self.room else len(ids)

    def take(self, ids: Ids, adds: int) -> None:
        """Add a text."""
        if adds == len(ids):
            self.size, self.room = 0, max(WIDE, 3 * len(ids))
        self.size += adds
        self.last = ids


def batches(prompts: Sequence[Sequence[Ids]], *, batch_tokens: int) -> list[list[tuple[int, int]]]:
    """Return (prompt, place among its texts) in batches of at most `batch_tokens`, or of one that is longer.

    Prompt after prompt, long texts first, then families; what a text has in common with the one before it
    counts once. Where a text stands depends on nothing but the texts.
    """
    found: list[list[tuple[int, int]]] = []
    left = 0
    for prompt, texts in enumerate(prompts):
        family = _Family()
        for place in _line(texts):
            adds = family.adds(texts[place])
            if adds > left or not found:
                found.append([])
                left, family, adds = batch_tokens, _Family(), len(texts[place])
            family.take(texts[place], adds)
            found[-1].append((prompt, place))
            left -= adds
    return found


def cost(texts: Sequence[Ids]) -> int:
    """Return the tokens that go through the model for a batch of texts after one prompt."""
    family, total = _Family(), 0
    for place in _line(texts):
        adds = family.adds(texts[place])
        family.take(texts[place], adds)
        total += adds
    return total


def join(trees: Sequence[Tree], texts: Sequence[Ids]) -> list[Joint]:
    """Return the trees of a batch, joined where their texts begin alike.

    Args:
        trees: of one prompt; each begins with its text.
        texts: the tokens of the texts.
    """
    families: list[list[int]] = []
    family = _Family()
    for place in _line(texts):
        adds = family.adds(texts[place])
        family.take(texts[place], adds)
        if adds == len(texts[place]):
            families.append([])
        families[-1].append(place)
    return [_joint(members, trees) for members in families]


def split(joints: Sequence[Joint], reads: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Return what was read off each of the trees that were joined, in their order."""
    parts: dict[int, NDArray[np.float64]] = {}
    for joint, read in zip(joints, reads, strict=True):
        cut = np.split(read, np.cumsum(joint.reads)[:-1])
        parts.update(zip(joint.members, cut, strict=True))
    return [parts[place] for place in range(len(parts))]


def common(one: Ids, other: Ids) -> int:
    """Return how many tokens both begin with."""
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(map(len, (one, other)))
    )


def _line(texts: Sequence[Ids]) -> list[int]:
    return sorted(range(len(texts)), key=lambda i: (min(-len(texts[i]), -LONG), texts[i]))


def _joint(members: Sequence[int], trees: Sequence[Tree]) -> Joint:
    ids: list[int] = []
    parents: list[int] = []
    reads: list[tuple[int, int]] = []
    known: dict[tuple[int, int], int] = {}  # (place of the parent, token): place
    for member in members:
        tree = trees[member]
        places = {-1: -1}
        for own, (token, parent) in enumerate(zip(tree.ids, tree.parents, strict=True)):
            way = (places[parent], token)
            if way not in known:
                known[way] = len(ids)
                ids.append(token)
                parents.append(way[0])
            places[own] = known[way]
        reads += [(places[place], token) for place, token in tree.reads]
    joint = replace(trees[members[0]], ids=tuple(ids), parents=tuple(parents), reads=tuple(reads))
    return Joint(tuple(members), joint, tuple(len(trees[member].reads) for member in members))
