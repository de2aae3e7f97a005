from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from audit.interval import fitted, flat, paired_difference, share, share_difference

COUNT = st.integers(0, 80)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0, 0.2775),
        (0, 100, 0, 0.0370),
        (0, 300, 0, 0.0126),
        (5, 100, 0.0215, 0.1118),
        (50, 100, 0.4038, 0.5962),
        (180, 200, 0.8506, 0.9343),
        (950, 1000, 0.9347, 0.9619),
    ],
)
def test_share_gives_the_reference_wilson_intervals(k: int, n: int, low: float, high: float) -> None:
    found = share(k, n)
    assert (k / n, n, "Wilson") == (found.value, found.n, found.method)
    assert (low, high) == pytest.approx((found.low, found.high), abs=5.1e-5)


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0.5, 0.999))
@settings(max_examples=80, deadline=None)
def test_share_agrees_with_scipy_for_both_methods(k: int, rest: int, level: float) -> None:
    n = k + rest + 1
    test = binomtest(k, n)
    wilson, exact = test.proportion_ci(level, "wilson"), test.proportion_ci(level, "exact")
    ours, guaranteed = share(k, n, level=level), share(k, n, level=level, method="exact")
    assert (wilson.low, wilson.high) == pytest.approx((ours.low, ours.high), abs=1e-9)
    assert (exact.low, exact.high) == pytest.approx((guaranteed.low, guaranteed.high), abs=1e-9)


@pytest.mark.parametrize("method", ["wilson", "exact"])
@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_no_hit_and_all_hits_never_collapse_to_a_point(n: int, method: str) -> None:
    none, everything = share(0, n, method=method), share(n, n, method=method)  # type: ignore[arg-type]  # parametrised
    assert (0.0, 0.0, 1.0, 1.0) == (none.value, none.low, everything.value, everything.high)
    assert none.high > 0.5 / n
    assert everything.low < 1 - 0.5 / n


@given(st.integers(0, 100), st.integers(1, 100))
@settings(max_examples=50, deadline=None)
def test_share_of_misses_mirrors_share_of_hits(k: int, more: int) -> None:
    hits, misses = share(k, k + more), share(more, k + more)
    assert (hits.low, hits.high) == pytest.approx((1 - misses.high, 1 - misses.low), abs=1e-12)


@given(st.integers(0, 30), st.integers(1, 30))
@settings(max_examples=50, deadline=None)
def test_share_interval_shrinks_with_n(k: int, more: int) -> None:
    small, large = share(k, k + more), share(4 * k, 4 * (k + more))
    assert large.high - large.low < small.high - small.low


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5), (0.5, 5)])
def test_share_refuses_counts_that_are_none(k: float, n: int) -> None:
    with pytest.raises(ValueError, match=f"k={k}, n={n}"):
        share(k, n)  # type: ignore[arg-type]  # a fraction is the point


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # Newcombe 1998, Stat. Med. 17:873-890, table II, method 10
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_share_difference_gives_newcombes_table(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = share_difference(*counts)
    assert (low, high) == pytest.approx((found.low, found.high), abs=5.1e-5)
    assert min(counts[1], counts[3]) == found.n


@given(COUNT, COUNT, COUNT, COUNT)
@settings(max_examples=60, deadline=None)
def test_swapping_the_groups_swaps_the_sign(k1: int, more1: int, k2: int, more2: int) -> None:
    n1, n2 = k1 + more1 + 1, k2 + more2 + 1
    one, other = share_difference(k1, n1, k2, n2), share_difference(k2, n2, k1, n1)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-12)
    assert -1 <= one.low < one.high <= 1


def test_share_difference_refuses_an_empty_group() -> None:
    with pytest.raises(ValueError, match="n=0"):
        share_difference(1, 2, 0, 0)


@pytest.mark.parametrize(
    ("counts", "low", "high", "digits"),
    [
        # Fagerland, Lydersen and Laake 2014, Stat. Med. 33:2850-2875: airway and complete response
        ((1, 1, 7, 12), -0.507, -0.026, 5e-4),
        ((59, 6, 16, 80), -0.119, -0.005, 5e-4),
        # Altman et al. 2000, Statistics with Confidence, table 6.2
        ((14, 5, 0, 22), 0.011, 0.226, 5.1e-4),
        # Newcombe 1998, Stat. Med. 17:2635-2650, table II, method 10
        ((36, 12, 2, 0), 0.0569, 0.3404, 5.1e-5),
    ],
)
def test_paired_difference_gives_the_published_examples(
    counts: tuple[int, int, int, int], low: float, high: float, digits: float
) -> None:
    found = paired_difference(*counts)
    assert (low, high) == pytest.approx((found.low, found.high), abs=digits)
    assert (counts[1] - counts[2]) / sum(counts) == found.value
    assert sum(counts) == found.n


def test_paired_difference_without_overlap_is_the_square_root_of_summed_squares() -> None:
    # no pair agrees on a hit and none on a miss: one margin is empty, phi is 0, Wilson's arms add
    found, arm = paired_difference(0, 10, 0, 0), 1 - share(10, 10).low
    assert (1.0, 1.0) == (found.value, found.high)
    assert 1 - math.sqrt(2) * arm == pytest.approx(found.low)


@given(COUNT, COUNT, COUNT, COUNT)
@settings(max_examples=80, deadline=None)
def test_paired_difference_changes_sign_with_the_models_and_with_hit_and_miss(
    a: int, b: int, c: int, d: int
) -> None:
    one = paired_difference(a + 1, b, c, d)
    models, labels = paired_difference(a + 1, c, b, d), paired_difference(d, c, b, a + 1)
    assert (one.value, one.low, one.high) == pytest.approx(
        (-models.value, -models.high, -models.low), abs=1e-12
    )
    assert (one.value, one.low, one.high) == pytest.approx(
        (-labels.value, -labels.high, -labels.low), abs=1e-9
    )


@given(COUNT, COUNT, COUNT, COUNT)
@settings(max_examples=60, deadline=None)
def test_paired_difference_keeps_a_width_inside_its_range(a: int, b: int, c: int, d: int) -> None:
    found = paired_difference(a, b, c, d + 1)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0


def test_two_models_that_never_differ_are_not_known_to_be_equal() -> None:
    found = paired_difference(90, 0, 0, 10)
    assert found.value == 0
    assert found.low < 0 < found.high


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (3, -1, 2, 2)])
def test_paired_difference_refuses_no_pairs_and_negative_counts(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="counts of pairs"):
        paired_difference(*counts)


def test_an_interval_that_misses_its_value_is_widened_and_says_so() -> None:
    found = fitted(0.1, 0.2, 0.3, n=9, level=0.95, method="m")
    assert (0.1, 0.3, "m; widened to hold the value") == (found.low, found.high, found.method)


def test_rounding_is_not_called_widening() -> None:
    assert fitted(0.1, 0.1 + 1e-16, 0.3, n=9, level=0.95, method="m").method == "m"


def test_value_and_interval_are_clipped_to_the_range() -> None:
    found = fitted(-0.1, -0.3, 1.4, n=9, level=0.95, method="m", floor=0.0, ceiling=1.0)
    assert (0.0, 0.0, 1.0) == (found.value, found.low, found.high)


def test_a_value_without_spread_gets_wilsons_width_on_its_scale() -> None:
    found, unit = flat(-1.0, n=50, level=0.95, low=-1.0, high=1.0), share(0, 50)
    assert (-1.0, 2 * unit.high - 1) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize(("low", "high"), [(None, None), (0.0, None), (None, 1.0), (1.0, 1.0)])
def test_a_value_without_spread_and_without_range_is_refused(low: float | None, high: float | None) -> None:
    with pytest.raises(ValueError, match="give low and high"):
        flat(1.0, n=50, level=0.95, low=low, high=high)
