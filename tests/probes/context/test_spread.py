"""The spread of accuracy over contexts: an interval that knows it is a maximum."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from probes.context import spread


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_contexts_that_agree_on_every_item_are_at_zero_with_a_width() -> None:
    right = np.tile(np.arange(40) % 2 == 0, (6, 1))

    estimate = spread.estimate(right, rng(), draws=200)

    assert (0.0, 0.0) == (estimate.value, estimate.low)
    assert 0.0876 == pytest.approx(estimate.high, abs=1e-4)
    assert 1.0 == spread.p(right, rng(), draws=200)


def test_the_best_and_the_worst_are_found() -> None:
    right = np.zeros((3, 50), dtype=np.bool_)
    right[1, :30] = True
    right[2, :40] = True

    estimate = spread.estimate(right, rng(), draws=500)

    assert 0.8 == estimate.value
    assert 0.5 < estimate.low < 0.8 < estimate.high <= 1
    assert spread.p(right, rng(), draws=500) < 0.01


def test_the_order_of_the_items_changes_nothing() -> None:
    right = rng(1).random((5, 60)) < 0.7

    turned = right[:, ::-1]

    assert spread.estimate(right, rng(), draws=200) == spread.estimate(turned, rng(), draws=200)
    assert spread.p(right, rng(), draws=200) == spread.p(turned, rng(), draws=200)


@pytest.mark.slow
@pytest.mark.parametrize("truth", [0.0, 0.2, 0.5])
def test_the_interval_holds_the_true_spread_at_least_as_often_as_it_says(truth: float) -> None:
    limits = np.array([[NormalDist().inv_cdf(0.9 - truth * i / 7)] for i in range(8)])  # (c, 1)
    draw = rng(2)
    held = []
    for i in range(300):
        hard, luck = draw.normal(size=60), draw.normal(size=(8, 60))  # items differ, contexts share them
        right = (hard + luck) / 2**0.5 < limits
        found = spread.estimate(right, rng(i), draws=200)
        held.append(found.low <= truth <= found.high)

    assert np.mean(held) >= 0.93


@pytest.mark.slow
def test_equal_orders_are_told_apart_in_one_run_of_twenty() -> None:
    draw = rng(3)

    small = [spread.p(draw.random((8, 60)) < 0.7, rng(i), draws=200) <= 0.05 for i in range(300)]

    assert 0.02 <= np.mean(small) <= 0.08
