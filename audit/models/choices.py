"""Continuations of contexts, as trees: what several begin with (a question, examples before it) runs once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.errors import ModelError, shown
from audit.models.causal import Causal
from audit.models.joining import common
from audit.models.tree import Tree

SMALL = 128
"""Tokens of a tree whose chains have little in common."""
WIDE = 512
"""Tokens of the widest tree: each of its tokens looks at all of them, masked or not."""
LONG = 32
"""Tokens that are worth a run of their own, before what follows them,"""
MANY = 4
"""where so many trees follow."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One context and continuation as token ids."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]
    truncated: bool

    @property
    def ids(self) -> tuple[int, ...]:
        """What goes through the model: the last token of the continuation is only read."""
        return (*self.context, *self.continuation[:-1])


@dataclass(frozen=True, slots=True)
class Group:
    """Chains that begin alike, as a tree."""

    members: tuple[int, ...]
    """Places of the chains, in the order of the reads."""
    tree: Tree
    lengths: tuple[int, ...]
    """Tokens of each member's continuation."""

    def split(self, read: NDArray[np.float64]) -> list[tuple[int, NDArray[np.float64]]]:
        """Return (place of the chain, its log-probabilities)."""
        parts = np.split(read, np.cumsum(self.lengths)[:-1])
        return list(zip(self.members, parts, strict=True))


@dataclass(frozen=True, slots=True)
class Bundle:
    """Groups after one beginning."""

    prefix: tuple[int, ...]
    """What all of them begin with, run once; empty where that is not worth a run of its own."""
    groups: tuple[Group, ...]


def chains(causal: Causal, pairs: Sequence[tuple[str, str]]) -> list[Chain]:
    """Tokenise each (context, continuation) as two pieces.

    Raises:
        ModelError: a continuation alone is longer than the model can take.
    """
    cut = [context.rstrip(" ") for context, _ in pairs]
    ends = [context[len(kept) :] + end for (context, end), kept in zip(pairs, cut, strict=True)]
    # Spaces alone are no continuation: an empty one stays empty.
    ends = [end if pair[1] else "" for end, pair in zip(ends, pairs, strict=True)]
    after = causal.pieces.follow(ends)
    return [
        _chain(causal, causal.pieces.start(kept), ids, end)
        for kept, ids, end in zip(cut, after, ends, strict=True)
    ]


def _chain(causal: Causal, context: tuple[int, ...], continuation: tuple[int, ...], end: str) -> Chain:
    context = context or causal.ground
    room = None if causal.context is None else causal.context + 1 - len(continuation)
    if room is not None and room < 1:
        raise ModelError(
            f"{causal.name}: a continuation is longer than the model can take: {shown(end)} has "
            f"{len(continuation)} tokens, the model takes {causal.context}; cut it"
        )
    if room is None or len(context) <= room:
        return Chain(context, continuation, truncated=False)
    lead = causal.pieces.empty if room > len(causal.pieces.empty) else ()
    return Chain((*lead, *context[len(context) - room + len(lead) :]), continuation, truncated=True)


def bundles(cut: Sequence[Chain], *, limit: int) -> list[Bundle]:
    """Part chains by how they begin; the order of the chains changes nothing but the places.

    A long beginning that many groups have in common (the examples before each question of a benchmark) is
    the prefix of a bundle; all that is left is one bundle without a prefix.

    Args:
        limit: tokens of a batch.
    """
    order = sorted(range(len(cut)), key=lambda i: cut[i].ids)
    runs: list[list[int]] = []
    for place, before in zip(order, [None, *order], strict=False):
        if before is None or common(cut[before].ids, cut[place].ids) < LONG:
            runs.append([])
        runs[-1].append(place)
    found: list[Bundle] = []
    loose: list[int] = []
    for run in runs:
        # The first read of a chain is off its context's last token, which so stays behind the prefix.
        least = min(len(cut[place].context) for place in run) - 1
        skip = min(common(cut[run[0]].ids, cut[run[-1]].ids), least)
        if skip >= LONG and len(_parted(cut, run, skip=0, limit=limit)) >= MANY:
            found.append(_bundle(cut, run, skip=skip, limit=limit))
        else:
            loose += run
    return [*found, _bundle(cut, loose, skip=0, limit=limit)]


def _bundle(cut: Sequence[Chain], order: Sequence[int], *, skip: int, limit: int) -> Bundle:
    parts = _parted(cut, order, skip=skip, limit=limit)
    prefix = cut[order[0]].ids[:skip] if skip else ()
    return Bundle(prefix, tuple(_group(members, cut, skip) for members in parts))


def _parted(cut: Sequence[Chain], order: Sequence[int], *, skip: int, limit: int) -> list[list[int]]:
    """Return which chains, sorted by their tokens, make a tree together.

    A tree takes the next chain up to SMALL tokens where both begin alike at all, and up to WIDE where at
    least half of the chain's tokens are there already.

    Args:
        skip: tokens of the prefix, which no tree holds.
    """
    groups: list[list[int]] = []
    size = 0
    for place in order:
        ids = cut[place].ids
        shared = common(cut[groups[-1][-1]].ids, ids) - skip if groups else 0
        fresh = len(ids) - skip - shared
        if shared <= 0 or size + fresh > min(limit, WIDE if shared >= fresh else SMALL):
            groups.append([])
            size, fresh = 0, len(ids) - skip
        groups[-1].append(place)
        size += fresh
    return groups


def _group(members: Sequence[int], cut: Sequence[Chain], skip: int) -> Group:
    ids: list[int] = []
    parents: list[int] = []
    reads: list[tuple[int, int]] = []
    way: list[int] = []  # places in the tree of the tokens of the chain before
    for before, place in zip([None, *members], members, strict=False):
        chain = cut[place]
        way = way[: 0 if before is None else common(cut[before].ids, chain.ids) - skip]
        for token in chain.ids[skip + len(way) :]:
            parents.append(way[-1] if way else -1)
            way.append(len(ids))
            ids.append(token)
        ends = way[len(way) - len(chain.continuation) :] if chain.continuation else []
        reads += zip(ends, chain.continuation, strict=True)
    tree = Tree(tuple(ids), tuple(parents), tuple(reads))
    return Group(tuple(members), tree, tuple(len(cut[place].continuation) for place in members))
