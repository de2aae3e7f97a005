"""Percentiles bound what they say they bound, from the number of requests on that can."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from probes.efficiency.percentiles import fewest, percentile

SHARES = (0.5, 0.9, 0.95, 0.99)


def test_p95_takes_59_values_and_p99_takes_299() -> None:
    assert [6, 29, 59, 299] == [fewest(share) for share in SHARES]


@pytest.mark.parametrize("share", SHARES)
def test_one_value_fewer_gives_no_interval(share: float) -> None:
    least = fewest(share)

    assert least == percentile(range(least), share).n
    with pytest.raises(ValueError, match=rf"needs {least} values, and there are {least - 1}"):
        percentile(range(least - 1), share)


def test_the_least_number_bounds_p95_by_its_largest_value() -> None:
    estimate = percentile(range(1, 60), 0.95)

    assert (57, 59) == (estimate.value, estimate.high)
    assert 1 - 0.95**59 >= 0.95


@pytest.mark.parametrize(
    ("share", "n"),
    [(share, n) for share in SHARES for n in (6, 29, 59, 72, 100, 299, 368, 1000) if n >= fewest(share)],
)
def test_ranks_hold_the_percentile_with_the_probability_they_claim(share: float, n: int) -> None:
    estimate = percentile(range(1, n + 1), share)
    low, high = int(estimate.low), int(estimate.high)
    # At least `low` values and fewer than `high` are at most the percentile.
    held = binom.cdf(high - 1, n, share) - binom.cdf(low - 1, n, share)

    assert held >= 0.95 - 1e-12
    assert f"probability {held:.3f}" in estimate.method


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_each_end_alone_misses_in_at_most_half_of_the_misses(share: float) -> None:
    estimate = percentile(range(1, 201), share)

    assert binom.cdf(int(estimate.low) - 1, 200, share) <= 0.025
    assert binom.sf(int(estimate.high) - 1, 200, share) <= 0.025


@pytest.mark.parametrize("share", SHARES)
def test_the_value_is_a_time_that_was_measured(share: float) -> None:
    times = np.random.default_rng(1).lognormal(size=400)
    estimate = percentile(times, share)

    assert np.quantile(times, share, method="inverted_cdf") == estimate.value


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=59, max_size=90))
def test_the_order_of_times_changes_nothing(times: list[float]) -> None:
    estimate = percentile(times, 0.95)

    assert estimate == percentile(times[::-1], 0.95)
    assert min(times) <= estimate.low <= estimate.value <= estimate.high <= max(times)


def test_equal_times_are_their_own_percentile() -> None:
    estimate = percentile([0.5] * 60, 0.95)

    assert (0.5, 0.5, 0.5) == (estimate.low, estimate.value, estimate.high)


def test_a_time_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 59 values are not finite"):
        percentile([*range(58), math.nan], 0.95)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 2.0])
def test_a_share_outside_of_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="lie in"):
        fewest(share)


@pytest.mark.slow
@pytest.mark.parametrize(("share", "n"), [(0.5, 50), (0.9, 60), (0.95, 59), (0.95, 150), (0.99, 299)])
def test_intervals_hold_the_truth_in_at_least_95_of_100_samples(share: float, n: int) -> None:
    rng = np.random.default_rng(3)
    truth = float(np.exp(0.5 * norm.ppf(share)))
    held = []
    for _ in range(1000):
        estimate = percentile(rng.lognormal(0.0, 0.5, size=n), share)
        held.append(estimate.low <= truth <= estimate.high)

    # Ranks are steps, so an interval may hold the truth more often than asked, never less but for chance.
    assert 0.935 <= np.mean(held) <= 0.985
