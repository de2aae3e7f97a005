from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from audit.average import mean, two_way_mean
from audit.interval import share
from audit.resample import bootstrap, bootstrap_two_way, bootstrap_unbiased
from audit.schema import Estimate

Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(20240)


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def ece(confidence: np.ndarray, correct: np.ndarray) -> float:
    place = np.minimum((confidence * 15).astype(int), 14)
    return float(np.abs(np.bincount(place, weights=confidence - correct, minlength=15)).sum() / len(place))


def expanded(n: int) -> float:
    """Hesterberg 2015: the level at which plain percentiles have the width of t."""
    return float(1 - 2 * scipy_stats.norm.cdf(-np.sqrt(n / (n - 1)) * scipy_stats.t.ppf(0.975, n - 1)))


def ends(estimate: Estimate) -> tuple[float, float]:
    return estimate.low, estimate.high


@pytest.mark.parametrize(("ours", "theirs"), [("bca", "BCa"), ("percentile", "percentile")])
def test_on_the_same_draws_the_interval_is_scipys(rng: Rng, ours: str, theirs: str) -> None:
    x = np.sort(rng.exponential(size=60))
    reference = scipy_stats.bootstrap(
        (x,),
        np.mean,
        n_resamples=999,
        confidence_level=expanded(60),
        method=theirs,
        batch=1,
        rng=np.random.default_rng(3),
    ).confidence_interval
    found = bootstrap(np.mean, x, rng=np.random.default_rng(3), draws=999, method=ours)  # type: ignore[arg-type]  # parametrised
    assert (reference.low, reference.high) == pytest.approx(ends(found), rel=1e-9)
    assert 60 == found.n


def test_on_the_same_draws_the_interval_of_pairs_is_scipys(rng: Rng) -> None:
    x = np.sort(rng.exponential(size=60))
    y = x + rng.normal(size=60)
    reference = scipy_stats.bootstrap(
        (x, y),
        correlation,
        paired=True,
        vectorized=False,
        confidence_level=expanded(60),
        n_resamples=999,
        batch=1,
        rng=np.random.default_rng(3),
    ).confidence_interval
    found = bootstrap(correlation, x, y, rng=np.random.default_rng(3), draws=999)
    assert (reference.low, reference.high) == pytest.approx(ends(found), rel=1e-9)
    assert correlation(x, y) == pytest.approx(found.value)
    assert "BCa bootstrap, 999 draws of rows" == found.method


def test_strata_are_the_samples_of_scipys_unpaired_bootstrap(rng: Rng) -> None:
    x, y = np.sort(rng.exponential(size=40)), np.sort(rng.exponential(size=30)) + 1
    reference = scipy_stats.bootstrap(
        (x, y),
        lambda a, b: a.mean() - b.mean(),
        vectorized=False,
        n_resamples=4000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    found = bootstrap(
        lambda v, g: v[g == "x"].mean() - v[g == "y"].mean(),
        np.r_[x, y],
        np.repeat(["x", "y"], [40, 30]),
        rng=rng,
        strata=["x"] * 40 + ["y"] * 30,
        draws=4000,
    )
    assert (reference.low, reference.high) == pytest.approx(ends(found), abs=0.04)


def test_strata_keep_their_size_in_every_draw(rng: Rng) -> None:
    labels = np.repeat(["a", "b"], [25, 5])
    seen: set[int] = set()

    def counting(x: np.ndarray, label: np.ndarray) -> float:
        seen.add(int((label == "b").sum()))
        return float(x.mean())

    bootstrap(
        counting, rng.normal(size=30), labels, rng=rng, strata=labels.tolist(), method="percentile", draws=50
    )
    assert {5} == seen


def test_clusters_are_drawn_whole(rng: Rng) -> None:
    names = np.repeat(np.arange(30), 4)
    broken: list[int] = []

    def checking(x: np.ndarray, name: np.ndarray) -> float:
        broken.append(int((np.unique(name, return_counts=True)[1] % 4).sum()))
        return float(x.mean())

    found = bootstrap(checking, rng.normal(size=120), names, rng=rng, clusters=names.tolist(), draws=100)
    assert 0 == sum(broken)
    assert 30 == found.n
    assert "BCa bootstrap, 100 draws of clusters" == found.method


def test_clustered_bootstrap_is_near_the_clustered_t_interval(rng: Rng) -> None:
    names = np.repeat(np.arange(60), [3, 5] * 30)
    x = rng.normal(size=60)[names] + rng.normal(size=240)
    reference = mean(x, clusters=names.tolist())
    found = bootstrap(np.mean, x, rng=rng, clusters=names.tolist())
    assert ends(reference) == pytest.approx(ends(found), abs=0.05)
    assert found.high - found.low > 1.5 * (mean(x).high - mean(x).low)


def test_the_order_of_the_rows_changes_nothing(rng: Rng) -> None:
    confidence, correct = rng.uniform(0.5, 1, 90), rng.integers(0, 2, 90)
    names = [f"source {i // 3}" for i in range(90)]
    order = rng.permutation(90)
    for_both = {"draws": 200, "low": 0.0, "high": 1.0}
    one = bootstrap(ece, confidence, correct, rng=np.random.default_rng(1), clusters=names, **for_both)  # type: ignore[arg-type]  # plain numbers
    other = bootstrap(
        ece,
        confidence[order],
        correct[order],
        rng=np.random.default_rng(1),
        clusters=[names[i] for i in order],
        **for_both,  # type: ignore[arg-type]  # plain numbers
    )
    assert one == other


@given(st.lists(st.integers(-5, 5), min_size=20, max_size=40), st.sampled_from(["bca", "percentile"]))
@settings(max_examples=25, deadline=None)
def test_the_interval_holds_the_value_and_has_a_width(x: list[int], method: str) -> None:
    median = lambda v: float(np.median(v))  # noqa: E731  # a statistic full of ties
    found = bootstrap(
        median,
        x,
        rng=np.random.default_rng(0),
        draws=100,
        low=-5,
        high=5,
        method=method,  # type: ignore[arg-type]  # sampled
    )
    assert -5 <= found.low <= found.value <= found.high <= 5
    assert found.high > found.low
    assert median(np.array(x)) == found.value


def test_the_interval_shrinks_with_n(rng: Rng) -> None:
    x = rng.normal(size=1600)
    small, large = bootstrap(np.mean, x[:100], rng=rng), bootstrap(np.mean, x, rng=rng)
    assert 0.25 == pytest.approx((large.high - large.low) / (small.high - small.low), abs=0.08)


def test_many_rows_use_the_grouped_jackknife_and_still_skew_the_interval(rng: Rng) -> None:
    x = rng.exponential(size=2500) ** 3
    calls = [0]

    def counted(v: np.ndarray) -> float:
        calls[0] += 1
        return float(v.mean())

    found = bootstrap(counted, x, rng=rng, draws=400)
    assert 1 + 400 + 500 == calls[0]
    assert found.high - found.value > 1.05 * (found.value - found.low)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_no_failure_in_n_is_not_a_point(rng: Rng, method: str) -> None:
    found = bootstrap(np.mean, np.zeros(100), rng=rng, low=0, high=1, method=method, draws=50)  # type: ignore[arg-type]  # parametrised
    assert (0.0, pytest.approx(share(0, 100).high)) == ends(found)
    assert "no spread: Wilson on the rescaled value" == found.method


def test_draws_that_are_nearly_all_ties_are_not_a_point(rng: Rng) -> None:
    x = np.array([0.2] * 60 + [0.9])
    found = bootstrap(lambda v: float(np.median(v)), x, rng=rng, low=0, high=1, draws=200)
    assert found.low < 0.2 < found.high


def test_no_spread_without_a_range_is_refused(rng: Rng) -> None:
    with pytest.raises(ValueError, match="give low and high"):
        bootstrap(np.mean, np.zeros(100), rng=rng, draws=50)


def test_a_jackknife_without_spread_falls_back_to_percentiles_and_says_so(rng: Rng) -> None:
    x = np.repeat([0.0, 1.0, 2.0], [45, 2, 45])  # leaving out one row never moves the median
    found = bootstrap(lambda v: float(np.median(v)), x, rng=rng, draws=300)
    assert "percentile bootstrap (BCa failed), 300 draws of rows" == found.method


def test_a_skew_too_large_for_bca_falls_back_to_percentiles_and_says_so(rng: Rng) -> None:
    found = bootstrap(np.mean, np.repeat([0.0, 1.0], [29, 1]), rng=rng, level=1 - 1e-9, draws=200)
    assert "percentile bootstrap (BCa failed), 200 draws of rows" == found.method


def test_a_stratum_of_one_row_adds_no_spread(rng: Rng) -> None:
    x = np.r_[rng.normal(size=40), 100.0]
    found = bootstrap(np.mean, x, rng=rng, strata=["many"] * 40 + ["one"])
    plain = bootstrap(np.mean, x[:40], rng=rng)
    assert 40 / 41 == pytest.approx((found.high - found.low) / (plain.high - plain.low), rel=0.08)


def test_an_interval_that_misses_the_value_is_widened_and_says_so(rng: Rng) -> None:
    x = np.arange(40.0)
    distinct = lambda v: float(len(np.unique(v)))  # noqa: E731  # every draw has fewer
    found = bootstrap(distinct, x, rng=rng, draws=200, method="percentile")
    assert (40.0, 40.0) == (found.value, found.high)
    assert found.method.endswith("; widened to hold the value")


def test_fewer_than_twenty_clusters_take_t_and_no_percentiles(rng: Rng) -> None:
    names = np.repeat(np.arange(6), 20)
    x = rng.normal(size=6)[names] + rng.normal(size=120)
    found, reference = (
        bootstrap(np.mean, x, rng=rng, clusters=names.tolist()),
        mean(x, clusters=names.tolist()),
    )
    assert found.method.startswith("t with bootstrap SE, 2000 draws of clusters")
    assert reference.high - reference.low == pytest.approx(found.high - found.low, rel=0.1)


def test_undefined_draws_are_counted_and_too_many_are_refused(rng: Rng) -> None:
    def variation(x: np.ndarray) -> float:
        return float(x.std() / x.mean()) if x.any() else float("nan")

    rare, common = np.repeat([0.0, 1.0], [27, 3]), np.repeat([0.0, 1.0], [29, 1])
    assert ", 2000 draws of rows, " in bootstrap(variation, rare, rng=rng).method
    assert bootstrap(variation, rare, rng=rng).method.endswith("undefined and left out")
    with pytest.raises(ValueError, match="too few data"):
        bootstrap(variation, common, rng=rng)


@pytest.mark.parametrize("interval", [bootstrap, bootstrap_unbiased])
@pytest.mark.parametrize(
    ("arrays", "extra", "message"),
    [
        (([],), {}, "at least 1"),
        ((3.0,), {}, "at least 1"),
        (([1, 2], [1, 2, 3]), {}, r"\[2, 3\]"),
        (([1.0],), {}, "got 1"),
        (([1, 2, 3],), {"clusters": ["a"] * 3}, "got 1"),
        (([1, 2, 3],), {"clusters": ["a"]}, "1 names for 3"),
        (([1, 2, 3],), {"clusters": [0, 0, 1], "strata": [0, 1, 1]}, "more than one stratum"),
        (([1, 2, float("nan")],), {}, "statistic of the data is nan"),
    ],
)
def test_what_cannot_be_resampled_is_refused(
    rng: Rng,
    interval: Callable[..., Estimate],
    arrays: tuple[object, ...],
    extra: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        interval(lambda *rows: float(rows[0].mean()), *arrays, rng=rng, draws=20, **extra)


def test_a_bias_that_is_known_is_taken_away(rng: Rng) -> None:
    # the plug-in variance is (n - 1) / n of the truth; one correction leaves (1 - 1 / n²)
    x = rng.normal(size=30)
    found = bootstrap_unbiased(np.var, x, rng=rng, draws=20_000)
    assert np.var(x) * (1 + 1 / 30) == pytest.approx(found.value, rel=0.005)


def test_without_a_bias_the_corrected_interval_is_the_plain_one(rng: Rng) -> None:
    x = rng.normal(size=200)
    found, plain = bootstrap_unbiased(np.mean, x, rng=rng), mean(x)
    assert (plain.value, *ends(plain)) == pytest.approx((found.value, *ends(found)), abs=0.03)
    assert found.method.startswith("bias-corrected, t with double bootstrap SE, 2000 draws of rows")


def test_correction_lowers_the_calibration_error_of_a_calibrated_model(rng: Rng) -> None:
    confidence = rng.uniform(0.5, 1, 500)
    correct = (rng.random(500) < confidence).astype(float)
    found = bootstrap_unbiased(ece, confidence, correct, rng=rng, low=0, high=1)
    assert 0 <= found.low <= found.value < ece(confidence, correct)


def test_a_corrected_value_below_the_range_is_clipped_to_it(rng: Rng) -> None:
    confidence = np.repeat([0.55, 0.75], 40)
    correct = np.r_[np.arange(40) < 22, np.arange(40) < 30].astype(float)  # as good as can be
    found = bootstrap_unbiased(ece, confidence, correct, rng=rng, low=0, high=1)
    assert (0.0, 0.0) == (found.value, found.low)
    assert found.high > 0.01


def test_a_corrected_value_without_spread_is_not_a_point(rng: Rng) -> None:
    found = bootstrap_unbiased(ece, np.ones(50), np.ones(50), rng=rng, low=0, high=1, draws=50)
    assert (0.0, pytest.approx(share(0, 50).high)) == ends(found)


def test_a_corrected_statistic_undefined_on_some_draws_keeps_its_interval(rng: Rng) -> None:
    x = np.repeat([0.0, 1.0], [27, 3])
    rate = lambda v: float(v.mean()) if v.any() else float("nan")  # noqa: E731
    found = bootstrap_unbiased(rate, x, rng=rng)
    assert found.method.endswith("undefined and left out")
    assert found.low < 0.1 < found.high


@pytest.mark.parametrize("contexts", [5, 25])
def test_two_way_bootstrap_is_near_the_analysis_of_variance(rng: Rng, contexts: int) -> None:
    table = rng.normal(size=(contexts, 1)) + rng.normal(size=(1, 80)) + 0.2 * rng.normal(size=(contexts, 80))
    found, reference = bootstrap_two_way(np.mean, table, rng=rng), two_way_mean(table)
    assert reference.value == pytest.approx(found.value)
    assert reference.high - reference.low == pytest.approx(found.high - found.low, rel=0.15)
    assert contexts == found.n


def test_two_way_bootstrap_does_not_care_for_the_order_of_items(rng: Rng) -> None:
    table = rng.integers(0, 2, (6, 30)).astype(float)
    one = bootstrap_two_way(np.std, table, rng=np.random.default_rng(1), draws=100)
    other = bootstrap_two_way(np.std, table[:, rng.permutation(30)], rng=np.random.default_rng(1), draws=100)
    assert one == other


def test_two_way_bootstrap_of_equal_cells_is_not_a_point(rng: Rng) -> None:
    found = bootstrap_two_way(np.mean, np.ones((5, 9)), rng=rng, draws=20, low=0, high=1)
    assert (pytest.approx(share(5, 5).low), 1.0) == ends(found)


def test_two_way_bootstrap_needs_five_contexts(rng: Rng) -> None:
    with pytest.raises(ValueError, match="at least 5 contexts"):
        bootstrap_two_way(np.mean, np.ones((4, 9)), rng=rng)
