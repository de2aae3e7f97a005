"""The interval of the true calibration error: simulated, and at its edges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from probes.calibration import ece, smooth
from probes.calibration.ece import Floats
from probes.calibration.inversion import Truth, invert, profiles

EDGES = ece.width_edges(15)


def uniform(rng: np.random.Generator, n: int) -> Floats:
    return rng.uniform(0.5, 1, n)


def sure(rng: np.random.Generator, n: int) -> Floats:
    """Most answers near 1, as fine-tuned models give them."""
    return np.asarray(1 - 0.5 * rng.beta(0.6, 3, n))


def even(size: float) -> Callable[[Floats], Floats]:
    return lambda c: np.maximum(c - size, 0) - c


def growing(size: float) -> Callable[[Floats], Floats]:
    return lambda c: -4 * size * (c - 0.5)


def alternating(size: float) -> Callable[[Floats], Floats]:
    # turns on an edge of the bins: an error that changes sign inside a bin cancels, as in any binned error
    return lambda c: np.where(c >= 12 / 15, -size, np.minimum(size, 1 - c))


def spiked(size: float) -> Callable[[Floats], Floats]:
    return lambda c: np.where(c >= 14 / 15, -size, 0.0)


def world(
    seed: int, n: int, draw: Callable[..., Floats], gap: Callable[[Floats], Floats]
) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    confidence = draw(rng, n)
    return confidence, (rng.random(n) < confidence + gap(confidence)).astype(float)


def truths(n: int, draw: Callable[..., Floats], gap: Callable[[Floats], Floats], sets: int) -> list[Truth]:
    found = []
    for seed in range(sets):
        bins = ece.bin_up(*world(seed, n, draw, gap), EDGES)
        found.append(invert(bins, ece.ece, seed=seed, draws=300))
    return found


def true_error(draw: Callable[..., Floats], gap: Callable[[Floats], Floats]) -> float:
    return float(np.abs(gap(draw(np.random.default_rng(99), 400_000))).mean())


PLANTED = [
    (500, uniform, even(0.0)),
    (500, uniform, even(0.05)),
    (500, uniform, even(0.10)),
    (500, uniform, growing(0.05)),
    (500, uniform, alternating(0.05)),
    (500, sure, even(0.05)),
    (500, sure, growing(0.05)),
    (500, sure, alternating(0.05)),
    (500, sure, spiked(0.05)),
    (2000, uniform, even(0.05)),
    (2000, uniform, alternating(0.05)),
    (2000, sure, growing(0.05)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "draw", "gap"), PLANTED)
def test_interval_holds_the_true_error(
    n: int, draw: Callable[..., Floats], gap: Callable[[Floats], Floats]
) -> None:
    truth = true_error(draw, gap)
    found = truths(n, draw, gap, 150)
    # 0.95 less three standard errors of 150 simulations
    assert np.mean([t.low <= truth + 1e-9 and truth - 1e-9 <= t.high for t in found]) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("n", [500, 1000])
def test_interval_of_an_error_in_a_fifth_of_the_examples_is_right_nine_times_in_ten(n: int) -> None:
    truth = true_error(uniform, spiked(0.35))
    found = truths(n, uniform, spiked(0.35), 150)
    assert np.mean([t.low <= truth <= t.high for t in found]) > 0.84  # the weakest case known


@pytest.mark.slow
@pytest.mark.parametrize("draw", [uniform, sure])
def test_calibrated_model_fails_a_limit_of_5_points_in_at_most_5_in_100(draw: Callable[..., Floats]) -> None:
    found = truths(500, draw, even(0.0), 200)
    assert np.mean([t.low > 0.05 for t in found]) <= 0.05
    assert np.mean([t.low > 0 for t in found]) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("draw", [uniform, sure])
def test_error_on_the_limit_fails_and_passes_rarely(draw: Callable[..., Floats]) -> None:
    found = truths(500, draw, even(0.05), 200)
    assert np.mean([t.low > 0.05 for t in found]) <= 0.05
    assert np.mean([t.high <= 0.05 for t in found]) <= 0.07


@pytest.mark.slow
def test_great_overconfidence_is_found() -> None:
    found = truths(1000, uniform, even(0.12), 100)
    assert np.mean([t.low > 0.05 for t in found]) >= 0.8
    assert np.mean([t.value for t in found]) == pytest.approx(0.12, abs=0.01)


def test_value_is_nearer_to_the_truth_than_the_measured_error_is() -> None:
    found = truths(500, uniform, even(0.0), 30)
    raw = [ece.bin_up(*world(s, 500, uniform, even(0.0)), EDGES).measure(ece.ece) for s in range(30)]
    assert np.mean([t.value for t in found]) < 0.6 * np.mean(raw)


def test_all_right_at_one_confidence_gives_the_exact_bounds() -> None:
    bins = ece.bin_up(np.full(100, 0.9), np.ones(100), EDGES)
    truth = invert(bins, ece.ece, seed=1, draws=4000)
    # Clopper-Pearson: 100 of 100 leave at least 0.025 ** (1 / 100) = 0.9638
    assert truth.low == pytest.approx(0.0638, abs=0.004)
    assert truth.high == pytest.approx(0.1)


def test_all_wrong_at_one_confidence_gives_the_exact_bounds() -> None:
    bins = ece.bin_up(np.full(100, 0.9), np.zeros(100), EDGES)
    truth = invert(bins, ece.ece, seed=1, draws=4000)
    assert truth.low == pytest.approx(0.9 - 0.0362, abs=0.004)
    assert truth.high == pytest.approx(0.9)


@pytest.mark.parametrize("right", [45, 50])
def test_interval_keeps_its_width_where_the_measured_error_is_nothing(right: int) -> None:
    correct = np.zeros(100)
    correct[:right] = 1
    truth = invert(ece.bin_up(np.full(100, right / 100), correct, EDGES), ece.ece, seed=1, draws=1000)
    assert truth.low == truth.value == 0
    assert 0.08 < truth.high < 0.13  # the standard error is 0.05


def test_certainty_that_is_right_has_no_other_truth_above() -> None:
    truth = invert(ece.bin_up(np.ones(50), np.ones(50), EDGES), ece.ece, seed=1, draws=400)
    assert truth.low == truth.value == 0
    assert 0 < truth.high < 0.12  # 0 of 50 wrong leave 0.071


def test_one_example_gives_an_interval() -> None:
    truth = invert(ece.bin_up(np.array([0.9]), np.array([0.0]), EDGES), ece.ece, seed=1, draws=400)
    assert 0 <= truth.low <= truth.value <= truth.high <= 1


def test_same_seed_same_interval() -> None:
    bins = ece.bin_up(*world(3, 200, uniform, even(0.05)), EDGES)
    assert invert(bins, ece.ece, seed=5, draws=200) == invert(bins, ece.ece, seed=5, draws=200)


def test_interval_shrinks_with_n() -> None:
    small, large = (truths(n, uniform, even(0.08), 8) for n in (250, 4000))
    assert np.mean([t.high - t.low for t in large]) < 0.4 * np.mean([t.high - t.low for t in small])


def test_even_profile_of_equal_gaps_is_even_and_sparse_profile_leaves_noise_out() -> None:
    n, confidence = np.full(4, 400.0), np.array([0.55, 0.65, 0.75, 0.85])
    equal = ece.Bins(np.arange(4), n, confidence, n * (confidence - 0.1))
    assert profiles(equal)[0] == pytest.approx(np.full(4, -0.1))
    spike = ece.Bins(np.arange(4), n, confidence, n * (confidence - np.array([0, 0.001, 0, 0.3])))
    assert profiles(spike)[1][:3].tolist() == [0, 0, 0]
    assert profiles(spike)[1][3] == pytest.approx(-0.3, abs=0.01)


def test_cells_measure_what_relplot_measures() -> None:
    confidence, correct = world(1, 1000, uniform, growing(0.1))
    measured = smooth.smooth_ece(confidence, correct)
    cells = ece.bin_up(confidence, correct, ece.width_edges(60))
    ours = np.abs((cells.n * cells.gap) @ smooth._kernel(cells, measured.bandwidth)).sum() / cells.n.sum()
    assert ours == pytest.approx(measured.error, abs=0.003)


def test_true_smooth_error_of_planted_overconfidence_is_in_its_interval() -> None:
    confidence, correct = world(2, 1500, uniform, even(0.1))
    measured = smooth.smooth_ece(confidence, correct)
    truth = smooth.true_smooth_ece(confidence, correct, measured.bandwidth, bins=15, seed=1, draws=300)
    assert 0.05 < truth.low <= 0.1 <= truth.high < 0.15


def test_curve_is_drawn_only_where_there_are_examples() -> None:
    confidence, correct = world(3, 300, uniform, even(0.1))
    points = smooth.curve(confidence, correct, 0.05, rng=np.random.default_rng(0), draws=50)
    assert min(p.x for p in points) >= 0.5
    assert all(p.n >= smooth.NEAR and p.low <= p.y <= p.high for p in points)  # type: ignore[operator]  # set


def test_curve_of_planted_overconfidence_lies_below_the_diagonal_by_as_much() -> None:
    confidence, correct = world(4, 20_000, uniform, even(0.1))
    points = smooth.curve(confidence, correct, 0.05, rng=np.random.default_rng(0), draws=20)
    assert np.mean([p.x - p.y for p in points]) == pytest.approx(0.1, abs=0.015)


def test_curve_of_three_scattered_examples_is_not_drawn() -> None:
    points = smooth.curve(np.array([0.5, 0.7, 0.9]), np.ones(3), 0.01, rng=np.random.default_rng(0), draws=5)
    assert points == ()
