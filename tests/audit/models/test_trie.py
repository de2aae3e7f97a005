"""Beginnings joined to tries: each token stands once, and the way to each beginning is the beginning."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audit.models.trie import Segments, gather, grow

SEGMENT = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
BEGINNINGS = st.lists(st.lists(SEGMENT, max_size=4).map(tuple), min_size=1, max_size=12)


def tokens(beginning: Segments) -> list[int]:
    return [token for segment in beginning for token in segment]


@given(BEGINNINGS)
def test_the_way_to_a_leaf_spells_its_beginning(beginnings: list[Segments]) -> None:
    trie = grow(beginnings)
    laid = [token for node in trie.nodes for token in node.ids]

    assert len(laid) == trie.tokens
    for beginning, leaf in zip(beginnings, trie.leaves, strict=True):
        assert tokens(beginning) == [laid[place] for place in trie.behind(leaf)]


@given(BEGINNINGS)
def test_what_a_level_needs_lies_in_the_levels_before(beginnings: list[Segments]) -> None:
    trie = grow(beginnings)
    known: set[int] = {-1}
    for level in trie.levels():
        assert {trie.nodes[place].parent for place in level} <= known
        known |= set(level)
    assert len(trie.nodes) + 1 == len(known)


@given(BEGINNINGS)
def test_segments_that_only_stand_together_are_one_node(beginnings: list[Segments]) -> None:
    trie = grow(beginnings)
    children = [node.parent for node in trie.nodes]

    for node in trie.nodes:
        assert node.parent < 0 or children.count(node.parent) > 1 or node.parent in trie.leaves


@given(BEGINNINGS, st.integers(1, 20))
def test_groups_hold_every_beginning_once_and_fit(beginnings: list[Segments], most: int) -> None:
    groups = gather(beginnings, most=most)

    assert list(range(len(beginnings))) == sorted(place for group in groups for place in group)
    for group in groups:
        kinds = {beginnings[place] for place in group}
        assert len(kinds) == 1 or grow([beginnings[place] for place in group]).tokens <= most


@given(BEGINNINGS)
def test_equal_segments_after_equal_segments_stand_once(beginnings: list[Segments]) -> None:
    starts = {one[:end] for one in beginnings for end in range(1, len(one) + 1)}

    assert sum(len(start[-1]) for start in starts) == grow(beginnings).tokens


def test_orders_of_one_set_share_their_first_demonstrations() -> None:
    a, b, c = (1, 2), (3,), (4, 5, 6)

    assert 2 + 1 + 3 + 3 + 1 == grow([(a, b, c), (a, c, b)]).tokens
