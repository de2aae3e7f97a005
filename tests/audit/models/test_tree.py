"""Trees lie in rows: each once, none over another, one prefix in a row, and little left empty."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audit.models import tree
from audit.models.tree import Tree, lay_rows, pack

LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=60)


def chain(length: int, behind: tuple[int, ...] = ()) -> Tree:
    return Tree((7,) * length, tuple(range(-1, length - 1)), (), behind)


def cells(trees: list[Tree]) -> int:
    rows = lay_rows(trees)
    return len(rows) * max(start + len(trees[i].ids) for row in rows for i, start in row)


@given(LENGTHS, st.integers(1, 200))
def test_each_is_packed_once_and_none_lies_over_another(lengths: list[int], width: int) -> None:
    rows = pack(lengths, width=width)

    assert sorted(place for row in rows for place, _ in row) == list(range(len(lengths)))
    for row in rows:
        ends = [start + lengths[place] for place, start in row]
        assert [start for _, start in row] == [0, *ends[:-1]]
        assert ends[-1] <= max(width, *lengths)


@given(LENGTHS, st.integers(1, 200))
def test_a_row_is_begun_only_where_no_other_has_room(lengths: list[int], width: int) -> None:
    rows = pack(lengths, width=width)
    filled = [sum(lengths[place] for place, _ in row) for row in rows]

    for later, row in enumerate(rows):
        first = lengths[row[0][0]]
        assert all(first > max(width, *lengths) - filled[before] for before in range(later))


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3)), min_size=1, max_size=40))
def test_a_row_has_one_prefix(given_: list[tuple[int, int]]) -> None:
    trees = [chain(length, tuple(range(prefix))) for length, prefix in given_]
    rows = lay_rows(trees)

    assert sorted(i for row in rows for i, _ in row) == list(range(len(trees)))
    assert all(len({trees[i].behind for i, _ in row}) == 1 for row in rows)


def test_the_width_follows_the_texts() -> None:
    """Under each of six prompts 100 tokens: in rows of 128 a fifth would be empty."""
    trees = [chain(length, (prefix,)) for prefix in range(6) for length in (40, 35, 25)]

    assert cells(trees) == 600


def test_a_batch_of_many_texts_leaves_little_empty() -> None:
    lengths = [10 + 7 * i % 41 for i in range(75)]

    assert cells([chain(length) for length in lengths]) < 1.05 * sum(lengths)


def test_a_tree_wider_than_all_widths_has_its_own() -> None:
    assert max(tree.WIDTHS) < 700
    assert lay_rows([chain(700), chain(3)]) == [[(0, 0)], [(1, 0)]]
