"""Variance of accuracy over contexts, and the worst of them: known truths inside honest intervals."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtri

from probes.context import components

KINDS = ["a", "b"] * 30


def drawn(
    sets: float, orders: float, seed: int, *, twins: bool = False, g: int = 5, r: int = 8
) -> NDArray[np.bool_]:
    """(g, r, 60) answers; accuracy 0.75, its standard deviation over sets, and over orders of a set."""
    rng = np.random.default_rng(seed)
    order = rng.normal(size=(g, r // 2 if twins else r, 1)) * orders
    accuracy = 0.75 + rng.normal(size=(g, 1, 1)) * sets + np.repeat(order, 2 if twins else 1, axis=1)
    hard, luck = rng.normal(size=60), rng.normal(size=(g, r, 60))  # items differ, contexts share them
    right: NDArray[np.bool_] = 0.7 * hard + 0.51**0.5 * luck < ndtri(np.clip(accuracy, 1e-6, 1 - 1e-6))
    return right


def test_the_variance_is_half_the_squared_difference_between_sets_less_the_luck_of_items() -> None:
    right = drawn(0.1, 0.1, 0)
    found = sum(one.weight * one.value for one in components.squares(right, KINDS))

    parts = []
    for s in range(5):
        for t in range(s):
            for a in right[s].astype(float):
                for b in right[t].astype(float):
                    d = a - b
                    luck = np.mean([d[np.array(KINDS) == kind].var(ddof=1) for kind in "ab"]) / 60
                    parts.append((d.mean() ** 2 - luck) / 2)
    assert np.mean(parts) == pytest.approx(found, abs=1e-12)


def test_contexts_that_agree_on_every_item_are_at_zero_with_a_width() -> None:
    right = np.tile(np.arange(60) % 3 == 0, (5, 8, 1))

    estimate = components.accuracy_sd(right, KINDS)

    assert (0.0, 0.0) == (estimate.value, estimate.low)
    assert 0.0301 == pytest.approx(estimate.high, abs=1e-4)
    assert 5 == estimate.n


def test_a_known_standard_deviation_without_luck_is_found_to_the_digit() -> None:
    right = np.zeros((5, 1, 60), dtype=np.bool_)
    for s, hits in enumerate((30, 36, 42, 48, 54)):
        right[s, 0, :hits] = True
    shares = np.array((30, 36, 42, 48, 54)) / 60

    luck = 0.5 * np.mean(
        [
            np.mean([(right[s, 0, k::2].astype(float) - right[t, 0, k::2]).var(ddof=1) for k in (0, 1)]) / 60
            for s in range(5)
            for t in range(5)
            if s != t
        ]
    )
    value = components.accuracy_sd(right, KINDS).value

    assert float((shares.var(ddof=1) - luck) ** 0.5) == pytest.approx(value)


def test_a_prior_that_contexts_move_is_no_luck_of_the_items() -> None:
    # Each context repeats one label: accuracy is one half in all, and other balanced items would not move it.
    right = np.array([[[kind == "ab"[(s + o) % 2] for kind in KINDS] for o in range(2)] for s in range(5)])

    found = components.squares(right, KINDS)

    assert [0.0] * 4 == pytest.approx([one.value for one in found])


def test_too_few_sets_or_items_are_no_interval() -> None:
    with pytest.raises(ValueError, match="got 5 sets and 2 items"):
        components.accuracy_sd(np.ones((5, 2, 2), dtype=np.bool_), ["a", "b"])
    with pytest.raises(ValueError, match="got 1 sets"):
        components.accuracy_sd(np.ones((1, 2, 60), dtype=np.bool_), KINDS)


def test_two_orders_of_a_set_have_an_interval() -> None:
    estimate = components.accuracy_sd(drawn(0.1, 0.1, 1, r=2), KINDS)

    assert 0 < estimate.value < estimate.high < 0.5


# --- the worst ------------------------------------------------------------------------------


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_worst_context_is_compared_with_the_base() -> None:
    right = np.ones((3, 60), dtype=np.bool_)
    right[1, 24:] = False

    estimate = components.worst_gain(right, 0.5, rng(), draws=500)

    assert -0.1 == pytest.approx(estimate.value)
    assert -0.3 < estimate.low < -0.2
    assert 0.0 < estimate.high < 0.1


def test_contexts_without_an_error_are_not_certain() -> None:
    estimate = components.worst_gain(np.ones((4, 60), dtype=np.bool_), 0.5, rng(), draws=200)

    assert 0.5 == estimate.value == estimate.high
    assert 0.4398 == pytest.approx(estimate.low, abs=1e-4)


def test_the_order_of_items_changes_nothing() -> None:
    right = drawn(0.1, 0.1, 0).reshape(40, 60)

    one, other = (components.worst_gain(table, 0.5, rng(), draws=200) for table in (right, right[:, ::-1]))

    assert one == other


# --- coverage -------------------------------------------------------------------------------


def held(sets: float, orders: float, *, twins: bool) -> float:
    """Share of 400 intervals that hold the truth; the values must be right on average."""
    truth = (sets**2 + orders**2) ** 0.5
    found = [components.accuracy_sd(drawn(sets, orders, i, twins=twins), KINDS) for i in range(400)]
    assert truth == pytest.approx(np.mean([one.value**2 for one in found]) ** 0.5, rel=0.1)
    return float(np.mean([one.low <= truth <= one.high for one in found]))


@pytest.mark.slow
@pytest.mark.parametrize(("sets", "orders"), [(0.1, 0.0), (0.0, 0.1), (0.05, 0.05), (0.08, 0.03)])
def test_intervals_hold_the_true_standard_deviation_where_an_order_and_its_reverse_do_alike(
    sets: float, orders: float
) -> None:
    assert 0.91 <= held(sets, orders, twins=True) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize(("sets", "orders"), [(0.0, 0.1), (0.05, 0.05)])
def test_intervals_are_too_wide_where_each_order_is_by_itself(sets: float, orders: float) -> None:
    assert held(sets, orders, twins=False) >= 0.93


@pytest.mark.slow
def test_where_contexts_do_not_differ_the_lower_end_is_zero() -> None:
    found = [components.accuracy_sd(drawn(0.0, 0.0, i), KINDS) for i in range(400)]

    assert 0.95 <= np.mean([one.low == 0 for one in found])
    assert np.median([one.high for one in found]) < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_intervals_hold_the_accuracy_of_the_truly_worst_context_at_least_as_often_as_they_say(
    spread: float,
) -> None:
    accuracy = np.linspace(0.6, 0.6 + spread, 40)[:, None]
    draw = rng(1)
    inside = []
    for i in range(300):
        right = 0.7 * draw.normal(size=60) + 0.51**0.5 * draw.normal(size=(40, 60)) < ndtri(accuracy)
        found = components.worst_gain(right, 0.5, rng(i), draws=300)
        inside.append(found.low <= 0.1 <= found.high)

    assert np.mean(inside) >= 0.93
