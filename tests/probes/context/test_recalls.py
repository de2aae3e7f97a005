"""The spread of recalls: noise alone is no spread, and a known one is found."""

from __future__ import annotations

import numpy as np
import pytest

from probes.context import recalls


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def worlds(
    recall: list[float], count: int, n: int = 60
) -> list[np.ndarray[tuple[int, int], np.dtype[np.bool_]]]:
    """Right or wrong at each letter, questions differing in how hard they are."""
    draw, found = rng(5), []
    limits = np.array(recall)[:, None]
    for _ in range(count):
        shared = draw.random((1, n))  # half of the luck is the question's
        own = draw.random((len(recall), n))
        found.append(np.where(draw.random((len(recall), n)) < 0.5, shared, own) < limits)
    return found


def test_recalls_that_differ_are_found() -> None:
    right = np.zeros((4, 100), dtype=np.bool_)
    right[0, :80] = right[1, 20:70] = right[2, 50:90] = right[3, 10:40] = True

    estimate = recalls.estimate(right, rng(), draws=500)

    true = float(np.std([0.8, 0.5, 0.4, 0.3]))
    assert true == pytest.approx(estimate.value, abs=0.015)
    assert estimate.value < true
    assert 0.1 < estimate.low < true < estimate.high < 0.3
    assert recalls.p(right, rng(), draws=200) < 0.01


def test_the_value_is_between_its_ends_where_noise_is_all() -> None:
    for right in worlds([0.5, 0.5, 0.5], 30):
        estimate = recalls.estimate(right, rng(), draws=200)
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= recalls.largest(3)
        assert estimate.high > 0.02


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6])
def test_no_shares_spread_further_than_the_largest(k: int) -> None:
    extremes = np.array([[j < ones for j in range(k)] for ones in range(k + 1)], dtype=np.float64)

    assert recalls.largest(k) == pytest.approx(recalls.deviation(extremes).max())


def test_answers_without_spread_have_a_width() -> None:
    always_first = np.zeros((4, 60), dtype=np.bool_)
    always_first[0] = True

    worst = recalls.estimate(always_first, rng(), draws=200)
    best = recalls.estimate(np.ones((4, 60), dtype=np.bool_), rng(), draws=200)

    assert 3**0.5 / 4 == pytest.approx(worst.value)
    assert 0.35 < worst.low < worst.value < worst.high <= 0.5
    assert (0.0, 0.0) == (best.value, best.low)
    assert 0.5 * 0.0602 == pytest.approx(best.high, abs=1e-4)
    assert 1.0 == recalls.p(np.ones((4, 60), dtype=np.bool_), rng(), draws=200)


def test_equal_sums_by_luck_do_not_look_certain() -> None:
    right = np.zeros((2, 40), dtype=np.bool_)
    right[0, :20] = right[1, 20:] = True

    estimate = recalls.estimate(right, rng(), draws=500)

    assert 0.0 == estimate.value
    assert estimate.high > 0.04


def test_the_order_of_the_questions_changes_nothing() -> None:
    (right,) = worlds([0.7, 0.5, 0.4, 0.4], 1)

    assert recalls.estimate(right, rng(), draws=200) == recalls.estimate(right[:, ::-1], rng(), draws=200)
    assert recalls.p(right, rng(), draws=200) == recalls.p(right[:, ::-1], rng(), draws=200)


@pytest.mark.slow
@pytest.mark.parametrize(
    "recall", [[0.5] * 4, [0.55, 0.5, 0.5, 0.45], [0.7, 0.5, 0.5, 0.3], [0.9, 0.3, 0.2, 0.2]]
)
def test_intervals_hold_the_true_spread(recall: list[float]) -> None:
    true = float(np.std(recall))

    held = []
    for s, right in enumerate(worlds(recall, 200)):
        one = recalls.estimate(right, rng(s), draws=400)
        held.append(one.low - 1e-9 <= true <= one.high)

    assert 0.91 <= np.mean(held) <= 0.98


@pytest.mark.slow
def test_equal_letters_are_told_apart_in_one_run_of_twenty() -> None:
    small = [recalls.p(right, rng(s), draws=200) <= 0.05 for s, right in enumerate(worlds([0.6] * 4, 300))]

    assert 0.02 <= np.mean(small) <= 0.08
