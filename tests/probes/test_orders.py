"""Orders come with their reverse or their rotations, mixes are what the literature uses."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from probes.orders import how_many, label_orders, letters, mixes, orders


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_all_orders_are_listed_where_they_fit() -> None:
    found = orders("NNPP", 24, rng())

    assert 24 == len(set(found))
    assert (0, 1, 2, 3) == found[0]


@pytest.mark.parametrize("labels", ["NNPP", "NNPPNNPP", "ABCABC"])
def test_each_order_is_followed_by_its_reverse(labels: str) -> None:
    found = orders(labels, 8, rng())

    assert 8 == len(set(found))
    assert [order[::-1] for order in found[::2]] == found[1::2]


def test_orders_whose_ends_agree_can_be_left_out() -> None:
    found = orders("NNPP", 24, rng(), ends_differ=True)

    assert 16 == len(found)
    assert all({"N", "P"} == {"NNPP"[order[0]], "NNPP"[order[-1]]} for order in found)


@pytest.mark.parametrize("labels", ["NNNN", "NNNNNNNN"])
def test_demonstrations_of_one_label_have_no_order_with_other_ends(labels: str) -> None:
    assert [] == orders(labels, 8, rng(), ends_differ=True)


def test_an_odd_budget_is_not_exceeded() -> None:
    assert 6 == len(orders("NNPP", 7, rng()))


@pytest.mark.parametrize(("labels", "count"), [("", 0), ("N", 1), ("NP", 2)])
def test_few_demonstrations_have_few_orders(labels: str, count: int) -> None:
    assert count == len(orders(labels, 24, rng()))


def test_the_first_order_is_the_one_in_use_also_where_orders_are_drawn() -> None:
    assert tuple(range(16)) == orders("NP" * 8, 24, rng())[0]


def test_label_orders_are_all_listed_where_they_fit() -> None:
    assert {"NNPP", "NPNP", "NPPN", "PNNP", "PNPN", "PPNN"} == {
        "".join(order) for order in label_orders({"N": 2, "P": 2}, 6, rng())
    }


def test_a_mix_of_one_label_has_one_order() -> None:
    assert [("P", "P", "P", "P")] == label_orders({"N": 0, "P": 4}, 8, rng())


@pytest.mark.parametrize("seed", range(5))
def test_drawn_label_orders_show_each_label_equally_often_at_each_place(seed: int) -> None:
    found = label_orders({"A": 2, "B": 2, "C": 2}, 13, rng(seed))

    assert len(set(found)) == len(found) <= 13
    assert [1 / 3] * 18 == [
        pytest.approx(Counter(order[place] for order in found)[label] / len(found))
        for place in range(6)
        for label in "ABC"
    ]


def test_a_budget_below_the_places_is_kept() -> None:
    assert 3 == len(set(label_orders({"N": 4, "P": 4}, 3, rng())))


def test_orders_are_counted_as_they_are_listed() -> None:
    assert how_many([3, 2, 1]) == len(label_orders({"A": 3, "B": 2, "C": 1}, 60, rng())) == 60


def test_two_labels_have_every_mix() -> None:
    assert ["4:0", "3:1", "2:2", "1:3", "0:4"] == [mix.name for mix in mixes(2, 4, ())]
    assert [0, 0, None, 1, 1] == [mix.majority for mix in mixes(2, 4, ())]


@pytest.mark.parametrize(
    ("shots", "expected"),
    [(3, ["1:1:1", "3:0:0", "0:0:3"]), (6, ["2:2:2", "4:1:1", "1:1:4"]), (12, ["4:4:4", "8:2:2", "2:2:8"])],
)
def test_with_more_labels_a_majority_takes_half_of_the_others(shots: int, expected: list[str]) -> None:
    found = mixes(3, shots, [0, 2])

    assert expected == [mix.name for mix in found]
    assert [None, 0, 2] == [mix.majority for mix in found]


def test_labels_that_begin_alike_are_numbered() -> None:
    assert {"sci": "1", "sport": "2"} == letters(["sci", "sport"])
    assert {"0": "1", "1": "2"} == letters(["0", "1"])
