from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower

from audit.average import mean
from audit.interval import share, wilson
from audit.power import (
    decidable_margin,
    examples_needed,
    group_needed,
    needed_n,
    pairs_needed,
    questions_needed,
    smallest_drop,
    smallest_margin,
)
from audit.schema import Estimate

# METHODS 11.3 rounds to the nearest whole number; we round up, so ours may be one more.


@pytest.mark.parametrize(
    ("discordance", "drop", "table"),
    [
        (0.05, 0.03, 434),
        (0.05, 0.02, 979),
        (0.10, 0.05, 312),
        (0.10, 0.03, 870),
        (0.10, 0.02, 1960),
        (0.20, 0.10, 155),
        (0.20, 0.05, 626),
        (0.20, 0.03, 1742),
        (0.20, 0.02, 3922),
        (0.30, 0.10, 233),
        (0.30, 0.05, 940),
        (0.30, 0.03, 2614),
        (0.30, 0.02, 5884),
    ],
)
def test_pairs_needed_gives_the_table(discordance: float, drop: float, table: int) -> None:
    assert 0 <= pairs_needed(drop, discordance) - table <= 1
    assert drop == pytest.approx(smallest_drop(table, discordance), rel=2e-3)


@pytest.mark.parametrize(("drop", "discordance"), [(0.05, 0.05), (0.10, 0.05), (0.0, 0.1), (0.1, 1.1)])
def test_pairs_needed_refuses_a_drop_that_the_discordance_cannot_hold(
    drop: float, discordance: float
) -> None:
    with pytest.raises(ValueError, match="drop < discordance"):
        pairs_needed(drop, discordance)


@given(st.floats(0.02, 1), st.floats(0.05, 0.95))
@settings(max_examples=60)
def test_smallest_drop_inverts_pairs_needed(discordance: float, part: float) -> None:
    drop = discordance * part
    assert smallest_drop(pairs_needed(drop, discordance), discordance) <= drop + 1e-9


def test_a_tiny_sample_shows_only_a_drop_larger_than_the_assumed_discordance() -> None:
    assert 0.05 < smallest_drop(20, 0.05) < 1
    assert smallest_drop(1, 0.05) == 1.0


@given(st.integers(1, 5000), st.floats(0.01, 1))
@settings(max_examples=60)
def test_smallest_drop_falls_with_n(n: int, discordance: float) -> None:
    assert 0 < smallest_drop(4 * n, discordance) <= smallest_drop(n, discordance) <= 1


@pytest.mark.parametrize(
    ("p", "margin", "table"),
    [
        (0.9, 0.10, 56),
        (0.9, 0.05, 223),
        (0.9, 0.03, 618),
        (0.9, 0.02, 1391),
        (0.8, 0.10, 99),
        (0.8, 0.05, 396),
        (0.8, 0.03, 1099),
        (0.8, 0.02, 2473),
        (0.5, 0.10, 155),
        (0.5, 0.05, 618),
        (0.5, 0.03, 1717),
        (0.5, 0.02, 3864),
    ],
)
def test_examples_needed_gives_the_table(p: float, margin: float, table: int) -> None:
    assert 0 <= examples_needed(margin, p) - table <= 1
    assert margin == pytest.approx(smallest_margin(table, p), rel=5e-3)


@pytest.mark.parametrize(("second", "table"), [(0.80, 199), (0.85, 686), (0.87, 1774)])
def test_group_needed_gives_the_table(second: float, table: int) -> None:
    assert table == group_needed(0.9, second)


def test_group_needed_is_near_the_arcsine_answer_of_statsmodels() -> None:
    effect = 2 * math.asin(math.sqrt(0.9)) - 2 * math.asin(math.sqrt(0.8))
    assert NormalIndPower().solve_power(effect, power=0.8, alpha=0.05) == pytest.approx(
        group_needed(0.9, 0.8), rel=0.03
    )


@pytest.mark.parametrize(
    ("samples", "needed", "table"),
    [(1, 3876, 3876), (2, 2423, 2422), (5, 1551, 1550), (10, 1260, 1260), (math.inf, 969, 969)],
)
def test_questions_needed_gives_millers_example(samples: float, needed: int, table: int) -> None:
    found = questions_needed(0.03, between=1 / 9, within=(1 / 6, 1 / 6), samples=(samples, samples))
    assert needed == found
    assert 0 <= found - table <= 1  # the table rounds to the nearest


@pytest.mark.parametrize("call", [
    lambda: smallest_drop(0, 0.1),
    lambda: smallest_drop(10, 0.0),
    lambda: examples_needed(0.0, 0.5),
    lambda: examples_needed(0.1, 1.0),
    lambda: smallest_margin(0, 0.5),
    lambda: smallest_margin(10, 0.0),
    lambda: group_needed(0.5, 0.5),
    lambda: group_needed(0.5, 1.5),
    lambda: questions_needed(0.0, between=0.1, within=(0.1, 0.1)),
    lambda: questions_needed(0.1, between=-0.1, within=(0.1, 0.1)),
    lambda: questions_needed(0.1, between=0.1, within=(0.1, 0.1), samples=(0, 1)),
])  # fmt: skip
def test_sizes_refuse_what_has_no_answer(call: object) -> None:
    with pytest.raises(ValueError, match="needs"):
        call()  # type: ignore[operator]  # a parameter


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.01, 0.99))
@settings(max_examples=80, deadline=None)
def test_needed_n_of_a_wilson_interval_is_the_first_that_decides(k: int, more: int, limit: float) -> None:
    estimate = share(k, k + more + 1)
    gap = abs(estimate.value - limit)
    n = needed_n(estimate, limit) if gap > 1e-3 else None
    at, before = _reach(estimate, limit, n or 1), _reach(estimate, limit, max((n or 1) - 1, 0.5))
    assert n is None or at <= gap + 1e-9
    assert n is None or n == 1 or before > gap - 1e-9


def _reach(estimate: Estimate, limit: float, n: float) -> float:
    low, high = wilson(estimate.value, n, level=estimate.level)
    return high - estimate.value if limit > estimate.value else estimate.value - low


def test_needed_n_shrinks_the_side_that_faces_the_limit_with_the_root_of_n() -> None:
    estimate = Estimate(value=0.5, low=0.3, high=0.6, n=100, method="t")
    assert 400 == needed_n(estimate, 0.55)
    assert 1600 == needed_n(estimate, 0.45)


def test_needed_n_counts_the_units_of_the_estimate() -> None:
    estimate = mean([0, 1] * 20, clusters=[i // 4 for i in range(39)] + ["last"], low=0, high=1)
    assert 11 == estimate.n
    assert 11 < (needed_n(estimate, estimate.high - 1e-3) or 0) < 13


def test_no_n_decides_a_value_on_the_limit() -> None:
    assert needed_n(share(5, 10), 0.5) is None
    assert needed_n(share(0, 10), 0.0) is None


def test_a_limit_too_near_for_any_countable_n_is_decided_by_none() -> None:
    assert needed_n(Estimate(value=0.0, low=-1.0, high=1.0, n=10, method="t"), 5e-324) is None


@pytest.mark.parametrize("limit", [-0.5, 1.5])
def test_a_limit_outside_of_all_shares_is_decided_at_once(limit: float) -> None:
    assert (needed_n(share(5, 10), limit) or 0) <= 10


def test_decidable_margin_is_what_the_sample_size_formula_says() -> None:
    # one side of the two-sided 95 % interval is alpha 0.025
    assert smallest_margin(2000, 0.9, alpha=0.025) == pytest.approx(
        decidable_margin(share(1800, 2000)), rel=5e-3
    )


def test_more_power_asks_for_a_larger_margin() -> None:
    estimate = share(180, 200)
    assert decidable_margin(estimate, power=0.9) > decidable_margin(estimate)
