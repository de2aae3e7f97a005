"""Prompts that begin alike, as a forest: what is common to several stands once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

Segments = tuple[tuple[int, ...], ...]
"""A beginning in token ids: what stands before the demonstrations, then one segment for each of them."""


@dataclass(frozen=True, slots=True)
class Node:
    """One segment, or several in a row, after what stands before."""

    ids: tuple[int, ...]
    parent: int
    """Place of the node before it, -1 for none; a parent stands before its children."""
    depth: int
    """0 for a root."""
    start: int
    """Tokens of all nodes before this one: where its first token lies in a pool."""


@dataclass(frozen=True, slots=True)
class Trie:
    """Nodes of several beginnings."""

    nodes: tuple[Node, ...]
    leaves: tuple[int, ...]
    """Node at which each beginning ends, -1 for an empty one."""

    @property
    def tokens(self) -> int:
        """Tokens of all nodes."""
        return self.nodes[-1].start + len(self.nodes[-1].ids) if self.nodes else 0

    def levels(self) -> list[list[int]]:
        """Return the nodes by depth; each level needs only those before it."""
        found: list[list[int]] = [[] for _ in range(1 + max((node.depth for node in self.nodes), default=-1))]
        for place, node in enumerate(self.nodes):
            found[node.depth].append(place)
        return found

    def behind(self, place: int) -> tuple[int, ...]:
        """Return the places in a pool of all tokens up to the end of a node, first token first."""
        ways: list[range] = []
        while place >= 0:
            node = self.nodes[place]
            ways.append(range(node.start, node.start + len(node.ids)))
            place = node.parent
        return tuple(token for way in reversed(ways) for token in way)


def grow(beginnings: Sequence[Segments]) -> Trie:
    """Join beginnings; segments that only ever stand together become one node, which runs in one go.

    >>> trie = grow([((1, 2), (3,)), ((1, 2), (4, 5), (6,))])
    >>> trie.tokens, trie.leaves, trie.behind(2)
    (6, (1, 2), (0, 1, 3, 4, 5))
    """
    known: dict[Segments, int] = {(): -1}
    nodes: list[Node] = []
    start = 0
    for beginning in beginnings:
        for end in range(1, len(beginning) + 1):
            if beginning[:end] not in known:
                known[beginning[:end]] = len(nodes)
                nodes.append(Node(beginning[end - 1], known[beginning[: end - 1]], end - 1, start))
                start += len(beginning[end - 1])
    return _joined(nodes, [known[beginning] for beginning in beginnings])


def _joined(nodes: Sequence[Node], leaves: Sequence[int]) -> Trie:
    """Join each only child with its parent where no beginning ends there; their tokens lie side by side."""
    children = Counter(node.parent for node in nodes)
    ends = set(leaves)
    place: dict[int, int] = {-1: -1}
    found: list[Node] = []
    for i, node in enumerate(nodes):
        parent = place[node.parent]
        if node.parent >= 0 and children[node.parent] == 1 and node.parent not in ends:
            found[parent] = replace(found[parent], ids=found[parent].ids + node.ids)
            place[i] = parent
        else:
            place[i] = len(found)
            found.append(replace(node, parent=parent, depth=found[parent].depth + 1 if parent >= 0 else 0))
    return Trie(tuple(found), tuple(place[leaf] for leaf in leaves))


def gather(beginnings: Sequence[Segments], *, most: int) -> list[list[int]]:
    """Return groups of places in `beginnings` whose tries hold at most `most` tokens; those alike together.

    A beginning that is longer by itself is a group of its own.

    >>> gather([((1,), (2,)), ((7,),), ((1,), (3,))], most=3)
    [[0, 2], [1]]
    """
    groups: list[list[int]] = []
    known: set[Segments] = set()
    size = 0
    for place in sorted(range(len(beginnings)), key=lambda i: beginnings[i]):
        one = beginnings[place]
        fresh = [one[:end] for end in range(1, len(one) + 1) if one[:end] not in known]
        more = sum(len(part[-1]) for part in fresh)
        if not groups or size + more > most:
            groups.append([])
            known, size = set(), 0
            fresh = [one[:end] for end in range(1, len(one) + 1)]
            more = sum(map(len, one))
        groups[-1].append(place)
        known.update(fresh)
        size += more
    return groups
