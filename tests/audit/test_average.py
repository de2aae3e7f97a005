from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from audit.average import clustered_se, clustered_share, mean, two_way_mean
from audit.interval import share

NUMBERS = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=3, max_size=30)
THREE = [1, 1, 1, 0, 0, 0, 1, 0, 1]
CLUSTERS = "aaabbbccc"


def test_clustered_standard_error_gives_the_reference_vector() -> None:
    assert np.mean(THREE) == pytest.approx(0.5556, abs=5e-5)
    assert clustered_se(THREE, list(range(9)), correct=False) == pytest.approx(
        np.std(THREE) / 3
    )  # one item each: the plain standard error
    assert np.std(THREE, ddof=1) / 3 == pytest.approx(0.17568, abs=5e-6)
    assert clustered_se(THREE, CLUSTERS, correct=False) == pytest.approx(0.24003, abs=5.1e-6)
    assert clustered_se(THREE, CLUSTERS) == pytest.approx(0.29397, abs=5e-6)


def test_clustered_standard_error_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 12, 90)
    x = rng.normal(size=12)[codes] + rng.normal(size=90)
    covariance = {"groups": codes, "use_correction": False}
    fit = sm.OLS(x, np.ones(90)).fit(cov_type="cluster", cov_kwds=covariance)
    assert fit.bse[0] == pytest.approx(clustered_se(x, codes.tolist(), correct=False))


@given(NUMBERS.filter(lambda x: len(set(x)) > 1), st.floats(0.5, 0.99))
@settings(max_examples=50, deadline=None)
def test_mean_is_scipys_t_interval(x: list[float], level: float) -> None:
    reference = scipy_stats.ttest_1samp(x, 0).confidence_interval(level)
    found = mean(x, level=level)
    assert (reference.low, reference.high) == pytest.approx((found.low, found.high), rel=1e-6, abs=1e-6)
    assert (len(x), "t") == (found.n, found.method)


def test_clustered_mean_takes_t_of_clusters_less_one_and_counts_clusters() -> None:
    found = mean(THREE, clusters=CLUSTERS)
    half = scipy_stats.t.ppf(0.975, 2) * clustered_se(THREE, CLUSTERS)
    assert (5 / 9 - half, 5 / 9 + half) == pytest.approx((found.low, found.high))
    assert (3, "t, clustered") == (found.n, found.method)


def test_one_item_in_each_cluster_is_the_plain_t_interval() -> None:
    plain, clustered = mean([1, 2, 4, 8]), mean([1, 2, 4, 8], clusters=[4, 3, 2, 1])
    assert (plain.low, plain.high) == pytest.approx((clustered.low, clustered.high))


def test_duplicating_the_items_of_clusters_adds_no_certainty() -> None:
    once, thrice = mean(THREE, clusters=CLUSTERS), mean(THREE * 3, clusters=CLUSTERS * 3)
    assert (once.low, once.high) == pytest.approx((thrice.low, thrice.high))


@given(NUMBERS.filter(lambda x: len(set(x)) > 1))
@settings(max_examples=40, deadline=None)
def test_order_and_names_of_clusters_do_not_matter(x: list[float]) -> None:
    names = [i % 3 for i in range(len(x))]
    order = sorted(range(len(x)), key=lambda i: (i * 7919) % 31)
    one = mean(x, clusters=names, low=-1e3, high=1e3)
    other = mean([x[i] for i in order], clusters=["zyx"[names[i]] for i in order], low=-1e3, high=1e3)
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-6)


def test_the_interval_is_clipped_to_the_known_range() -> None:
    found = mean([0, 0, 0, 1], low=0, high=1)
    assert (0.0, 0.25) == (found.low, found.value)
    assert mean([0, 0, 0, 1]).low < 0


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_equal_scores_do_not_collapse_to_a_point(value: float) -> None:
    found = mean([value] * 40, low=0, high=1)
    assert (value, "no spread: Wilson on the rescaled value") == (found.value, found.method)
    assert found.high - found.low >= share(0, 40).high - 1e-12


def test_equal_cluster_means_do_not_collapse_to_a_point() -> None:
    found = mean([0, 1, 1, 0, 0, 1], clusters="aabbcc", low=0, high=1)
    assert (share(1, 2).value, 3) == (found.value, found.n)
    assert found.high - found.low > 0.5


def test_equal_scores_on_a_scale_without_ends_are_refused() -> None:
    with pytest.raises(ValueError, match="no spread in 3 values"):
        mean([0.1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        ([], None, "shape"),
        ([1.0], None, "2 values, got 1"),
        ([0.0, 1.0], ["a", "a"], "2 clusters, got 1"),
        ([0.0, 1.0], ["a"], "1 names for 2 values"),
        ([1.0, float("nan")], None, "1 of 2 values are not finite"),
        ([[1.0, 2.0]], None, "shape"),
        ([0.5, 1.5], None, "leave the range"),
        ([0.5, -0.5], None, "leave the range"),
    ],
)
def test_mean_refuses_what_has_no_interval(
    values: list[float], clusters: list[str] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        mean(values, clusters=clusters, low=0, high=1)


def test_clustered_share_of_single_items_is_nearly_wilson() -> None:
    hits = [1] * 30 + [0] * 370
    found, plain = clustered_share(hits, list(range(400))), share(30, 400)
    assert (plain.low, plain.high) == pytest.approx((found.low, found.high), abs=5e-4)
    assert found.high - found.low > plain.high - plain.low


def test_clustered_share_of_whole_clusters_knows_only_the_clusters() -> None:
    hits, names = np.repeat([1] * 12 + [0] * 28, 10), np.repeat(np.arange(40), 10).tolist()
    found, plain = clustered_share(hits, names), share(12, 40)
    assert 40 == found.n
    assert plain.high - plain.low < found.high - found.low < 1.1 * (plain.high - plain.low)


@pytest.mark.parametrize("hit", [0, 1])
def test_clustered_share_without_a_hit_has_the_width_of_its_clusters(hit: int) -> None:
    found, plain = clustered_share([hit] * 60, [i // 3 for i in range(60)]), share(20 * hit, 20)
    assert (plain.low, plain.high) == pytest.approx((found.low, found.high))


def test_clustered_share_never_claims_more_than_its_items() -> None:
    # each cluster holds one hit and one miss: the clustered standard error is 0
    found, plain = clustered_share([0, 1] * 10, [i // 2 for i in range(20)]), share(10, 20)
    assert found.low < plain.low < plain.high < found.high


@pytest.mark.parametrize(
    ("hits", "clusters", "message"),
    [([0.5, 1], "ab", "0 or 1"), ([1, 0], "aa", "2 clusters"), ([], "", "shape"), ([1, 0], "a", "1 names")],
)
def test_clustered_share_refuses_what_has_no_interval(hits: list[float], clusters: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clustered_share(hits, clusters)


def test_two_way_mean_is_the_analysis_of_variance_by_hand() -> None:
    # rows 0, 2, 4, 6, 8 and columns 0, 1 added, plus nothing: mean squares 20, 2.5 and 0
    table = np.add.outer([0.0, 2.0, 4.0, 6.0, 8.0], [0.0, 1.0])
    found = two_way_mean(table)
    half = scipy_stats.t.ppf(0.975, 4) * np.sqrt((20.0 + 2.5 - 0.0) / 10)
    assert (4.5 - half, 4.5, 4.5 + half, 5) == pytest.approx((found.low, found.value, found.high, found.n))


def test_two_way_mean_with_equal_items_is_the_t_interval_of_contexts() -> None:
    contexts = [0.1, 0.4, 0.2, 0.9, 0.5]
    found, plain = two_way_mean(np.repeat(contexts, 7).reshape(5, 7)), mean(contexts)
    assert (plain.low, plain.value, plain.high) == pytest.approx((found.low, found.value, found.high))


def test_two_way_mean_does_not_shrink_with_items_when_contexts_differ() -> None:
    rng = np.random.default_rng(8)
    shift = rng.normal(size=(6, 1))
    few, many = shift + 0.1 * rng.normal(size=(6, 20)), shift + 0.1 * rng.normal(size=(6, 2000))
    narrow, wide = two_way_mean(many), two_way_mean(few)
    assert 1.0 == pytest.approx((narrow.high - narrow.low) / (wide.high - wide.low), abs=0.1)


def test_two_way_mean_does_not_care_for_the_order_of_contexts_and_items() -> None:
    rng = np.random.default_rng(9)
    table = rng.normal(size=(5, 8))
    one, other = two_way_mean(table), two_way_mean(table[::-1][:, rng.permutation(8)])
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_two_way_mean_of_equal_cells_has_the_width_of_its_contexts() -> None:
    found, plain = two_way_mean(np.zeros((5, 60)), low=0, high=1), share(0, 5)
    assert (0.0, plain.high, 5) == (found.low, pytest.approx(found.high), found.n)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((4, 9)), "at least 5 contexts"),
        (np.zeros((5, 1)), "2 items"),
        (np.zeros(9), "shape"),
        (np.full((5, 3), np.nan), "15 of 15 values are not finite"),
        (np.full((5, 3), 2.0), "leave the range"),
    ],
)
def test_two_way_mean_refuses_what_has_no_interval(table: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        two_way_mean(table, low=0, high=1)
