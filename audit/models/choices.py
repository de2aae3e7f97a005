"""Continuations of contexts, as trees: choices after one question run the question once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.errors import ModelError, shown
from audit.models.causal import Causal
from audit.models.tree import Tree


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
    """Chains with one context, as a tree."""

    members: tuple[int, ...]
    """Places of the chains, in the order of the reads."""
    tree: Tree
    lengths: tuple[int, ...]
    """Tokens of each member's continuation."""

    def split(self, read: NDArray[np.float64]) -> list[tuple[int, NDArray[np.float64]]]:
        """Return (place of the chain, its log-probabilities)."""
        parts = np.split(read, np.cumsum(self.lengths)[:-1])
        return list(zip(self.members, parts, strict=True))


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


def join(cut: Sequence[Chain], *, limit: int) -> list[Group]:
    """Group chains by context, a group has at most `limit` tokens, or one member."""
    open_groups: dict[tuple[int, ...], list[int]] = {}
    sizes: dict[tuple[int, ...], int] = {}
    done: list[list[int]] = []
    for place, chain in enumerate(cut):
        size = len(chain.continuation)
        if chain.context in open_groups and sizes[chain.context] + size > limit:
            done.append(open_groups.pop(chain.context))
        if chain.context not in open_groups:
            open_groups[chain.context], sizes[chain.context] = [], len(chain.context)
        open_groups[chain.context].append(place)
        sizes[chain.context] += size
    return [_group(members, cut) for members in [*done, *open_groups.values()]]


def _group(members: Sequence[int], cut: Sequence[Chain]) -> Group:
    ids = list(cut[members[0]].context)
    parents = list(range(-1, len(ids) - 1))
    root = len(ids) - 1
    reads: list[tuple[int, int]] = []
    for place in members:
        at = root
        for i, token in enumerate(cut[place].continuation):
            reads.append((at, token))
            if i < len(cut[place].continuation) - 1:
                parents.append(at)
                at = len(ids)
                ids.append(token)
    tree = Tree(tuple(ids), tuple(parents), tuple(reads))
    return Group(tuple(members), tree, tuple(len(cut[place].continuation) for place in members))
