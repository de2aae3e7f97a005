"""Do 95 % intervals hold the truth in 93 to 97 % of a thousand simulated data sets?

Where an interval is built to err on the wide side only the lower end is asked, and the test says why.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from audit.schema import Estimate
from audit.stats import (
    bootstrap,
    bootstrap_two_way,
    bootstrap_unbiased,
    clustered_share,
    mean,
    paired_difference,
    share,
    share_difference,
    two_way_mean,
)

pytestmark = pytest.mark.slow

Rng = np.random.Generator


def held(simulate: Callable[[Rng], Estimate], truth: float, seed: int, runs: int = 1000) -> float:
    """Return the share of runs whose interval holds the truth."""
    rng = np.random.default_rng(seed)
    found = [simulate(rng) for _ in range(runs)]
    return float(np.mean([e.low <= truth <= e.high for e in found]))


@pytest.mark.parametrize(("p", "n"), [(0.5, 60), (0.1, 200), (0.03, 500)])
def test_share_holds_the_truth(p: float, n: int) -> None:
    assert 0.93 <= held(lambda rng: share(int(rng.binomial(n, p)), n), p, seed=1) <= 0.97


def test_exact_share_holds_the_truth_at_least_as_often_as_it_says() -> None:
    assert held(lambda rng: share(int(rng.binomial(80, 0.05)), 80, method="exact"), 0.05, seed=2) >= 0.95


@pytest.mark.parametrize("n", [10, 100])
def test_mean_holds_the_truth(n: int) -> None:
    assert 0.93 <= held(lambda rng: mean(rng.normal(2, 1, n)), 2, seed=3) <= 0.97


def test_mean_of_skewed_values_holds_the_truth() -> None:
    assert 0.93 <= held(lambda rng: mean(rng.beta(1, 4, 150), low=0, high=1), 0.2, seed=4) <= 0.97


@pytest.mark.parametrize("clusters", [20, 60])
def test_clustered_mean_holds_the_truth_where_the_plain_one_does_not(clusters: int) -> None:
    names = np.repeat(np.arange(clusters), np.resize([2, 3, 4, 7], clusters))

    def values(rng: Rng) -> np.ndarray:
        return rng.normal(size=clusters)[names] + rng.normal(size=names.size)

    assert 0.93 <= held(lambda rng: mean(values(rng), clusters=names.tolist()), 0, seed=5) <= 0.97
    assert held(lambda rng: mean(values(rng)), 0, seed=5) < 0.85


@pytest.mark.parametrize(("p", "clusters"), [(0.3, 25), (0.05, 80)])
def test_clustered_share_holds_the_truth(p: float, clusters: int) -> None:
    names = np.repeat(np.arange(clusters), 5)

    def simulate(rng: Rng) -> Estimate:
        rate = rng.beta(4 * p, 4 * (1 - p), clusters)  # correlation of 0.2 within a cluster
        return clustered_share(rng.random(names.size) < rate[names], names.tolist())

    assert 0.93 <= held(simulate, p, seed=6) <= 0.975


@pytest.mark.parametrize("cells", [(0.75, 0.12, 0.08, 0.05), (0.4, 0.1, 0.1, 0.4), (0.88, 0.06, 0.03, 0.03)])
def test_paired_difference_holds_the_truth(cells: tuple[float, float, float, float]) -> None:
    truth = cells[1] - cells[2]
    assert (
        0.93
        <= held(lambda rng: paired_difference(*map(int, rng.multinomial(200, cells))), truth, seed=7)
        <= 0.97
    )


def test_share_difference_holds_the_truth() -> None:
    def simulate(rng: Rng) -> Estimate:
        return share_difference(int(rng.binomial(120, 0.85)), 120, int(rng.binomial(60, 0.75)), 60)

    assert 0.93 <= held(simulate, 0.10, seed=8) <= 0.97


@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_two_way_mean_with_five_contexts_holds_the_truth(spread: float) -> None:
    def simulate(rng: Rng) -> Estimate:
        contexts, items = spread * rng.normal(size=(5, 1)), rng.normal(size=(1, 60))
        return two_way_mean(contexts + items + rng.normal(size=(5, 60)))

    assert 0.93 <= held(simulate, 0, seed=9) <= 0.97


def test_two_way_mean_errs_on_the_wide_side_where_contexts_hardly_matter() -> None:
    def simulate(rng: Rng) -> Estimate:
        return two_way_mean(rng.normal(size=(1, 60)) + 0.1 * rng.normal(size=(5, 60)))

    assert held(simulate, 0, seed=10) > 0.95


def test_bootstrap_of_a_ratio_holds_the_truth() -> None:
    def simulate(rng: Rng) -> Estimate:
        x = rng.gamma(4, 1, 100)
        return bootstrap(lambda a, b: a.sum() / b.sum(), x * rng.gamma(9, 2 / 9, 100), x, rng=rng, draws=400)

    assert 0.93 <= held(simulate, 2.0, seed=11) <= 0.97


def test_bootstrap_of_clusters_holds_the_truth() -> None:
    names = np.repeat(np.arange(40), 3)

    def simulate(rng: Rng) -> Estimate:
        x = rng.normal(size=40)[names] + rng.normal(size=120)
        return bootstrap(np.mean, x, rng=rng, clusters=names.tolist(), draws=300)

    assert 0.93 <= held(simulate, 0, seed=12) <= 0.97


def test_bootstrap_of_eight_clusters_holds_the_truth() -> None:
    names = np.repeat(np.arange(8), 5)

    def simulate(rng: Rng) -> Estimate:
        x = rng.normal(size=8)[names] + rng.normal(size=40)
        return bootstrap(np.mean, x, rng=rng, clusters=names.tolist(), draws=200)

    assert 0.93 <= held(simulate, 0, seed=13) <= 0.97


def test_two_way_bootstrap_with_six_contexts_holds_the_truth() -> None:
    def simulate(rng: Rng) -> Estimate:
        table = rng.normal(size=(6, 1)) + rng.normal(size=(1, 40)) + rng.normal(size=(6, 40))
        return bootstrap_two_way(np.mean, table, rng=rng, draws=150)

    assert 0.93 <= held(simulate, 0, seed=14) <= 0.98


def test_unbiased_bootstrap_holds_a_planted_calibration_error() -> None:
    gap, n = 0.05, 300

    def error(confidence: np.ndarray, correct: np.ndarray) -> float:
        place = np.minimum((confidence * 15).astype(int), 14)
        return float(np.abs(np.bincount(place, weights=confidence - correct)).sum() / n)

    def simulate(rng: Rng) -> Estimate:
        confidence = rng.uniform(0.5 + gap, 1, n)
        correct = (rng.random(n) < confidence - gap).astype(float)
        return bootstrap_unbiased(error, confidence, correct, rng=rng, draws=300, low=0, high=1)

    assert 0.93 <= held(simulate, gap, seed=15, runs=300) <= 0.98


def test_a_calibrated_model_seldom_has_a_lower_bound_above_a_limit_of_five_points() -> None:
    def error(confidence: np.ndarray, correct: np.ndarray) -> float:
        place = np.minimum((confidence * 15).astype(int), 14)
        return float(np.abs(np.bincount(place, weights=confidence - correct)).sum() / 500)

    def simulate(rng: Rng) -> Estimate:
        confidence = rng.uniform(0.5, 1, 500)
        correct = (rng.random(500) < confidence).astype(float)
        return bootstrap_unbiased(error, confidence, correct, rng=rng, draws=200, low=0, high=1)

    rng = np.random.default_rng(16)
    assert np.mean([simulate(rng).low > 0.05 for _ in range(100)]) <= 0.05
