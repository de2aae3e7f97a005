"""Gaps of groups against fairlearn and scikit-learn, their chance, and intervals that know the maximum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import stats
from probes.fairness import group_ranks, group_rates
from probes.fairness.group_rates import Places, Rate


def draw(n: int, groups: int, seed: int = 0) -> tuple[Places, Places, Places]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, n), rng.integers(0, 2, n), rng.integers(0, groups, n)


def all_of(groups: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(groups, dtype=np.bool_)


def rate(hits: list[int], n: list[int]) -> tuple[Rate, Places]:
    """A rate of which each group has so many hits among so many."""
    codes = np.repeat(np.arange(len(n)), n)
    said = np.concatenate([np.arange(m) < k for k, m in zip(hits, n, strict=True)])
    return Rate(name="", hits=said, counted=np.ones(len(said), dtype=np.bool_)), codes


# --- oracles ------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [2, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_equalized_odds_and_parity_are_fairlearns(groups: int, seed: int) -> None:
    from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

    truth, said, codes = draw(300, groups, seed)
    rates = group_rates.rates_of(truth, said, 1)
    chosen = Rate(name="", hits=said == 1, counted=np.ones(300, dtype=np.bool_))
    kept = all_of(groups)

    odds = equalized_odds_difference(truth, said, sensitive_features=codes)
    parity = demographic_parity_difference(truth, said, sensitive_features=codes)
    assert pytest.approx(odds) == group_rates.gap_estimate(rates, codes, [kept, kept]).value
    assert pytest.approx(odds) == max(group_rates.gap(one, codes, kept) for one in rates)
    assert pytest.approx(parity) == group_rates.gap_estimate([chosen], codes, [kept]).value


def test_the_accuracy_of_a_group_is_scikit_learns() -> None:
    from sklearn.metrics import accuracy_score

    truth, said, codes = draw(200, 3)
    hits, n = Rate(name="", hits=truth == said, counted=np.ones(200, dtype=np.bool_)).counts(codes, 3)

    theirs = [accuracy_score(truth[codes == g], said[codes == g]) for g in range(3)]
    assert pytest.approx(theirs) == (hits / n).tolist()


def test_fairlearn_gives_zero_to_a_rate_of_nobody_and_we_do_not_count_it() -> None:
    from fairlearn.metrics import true_positive_rate

    truth, said = np.array([0] * 20 + [1] * 40), np.ones(60, dtype=np.intp)
    codes = np.array([0] * 20 + [1] * 20 + [2] * 20)
    rising = group_rates.rates_of(truth, said, 1)[0]

    assert 0.0 == true_positive_rate(truth[:20], said[:20])
    assert [False, True, True] == rising.large(codes, 3, 2).tolist()


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=20), st.lists(st.integers(0, 4), min_size=1, max_size=20)
)
@settings(deadline=None)
def test_the_area_under_the_curve_is_scikit_learns(above: list[int], below: list[int]) -> None:
    from sklearn.metrics import roc_auc_score

    truth = [1] * len(above) + [0] * len(below)
    mine = group_ranks.auc(np.array(above, dtype=float), np.array(below, dtype=float))

    assert pytest.approx(roc_auc_score(truth, above + below)) == mine


@pytest.mark.parametrize(
    ("kind", "side"), [("subgroup", (True, True)), ("bpsn", (False, True)), ("bnsp", (True, False))]
)
def test_areas_across_groups_take_positives_and_negatives_from_the_side_they_name(
    kind: group_ranks.Kind, side: tuple[bool, bool]
) -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    score, positive, inside = rng.random(200), rng.random(200) < 0.5, rng.random(200) < 0.3
    rows = np.where(positive, inside == side[0], inside == side[1])
    theirs = roc_auc_score(positive, score) - roc_auc_score(positive[rows], score[rows])

    assert pytest.approx(theirs) == group_ranks.lack(kind, score, positive, inside)


def test_an_area_without_pairs_is_no_number() -> None:
    assert np.isnan(group_ranks.auc(np.array([]), np.array([0.5])))


def test_two_groups_and_one_rate_give_newcombes_interval() -> None:
    one, codes = rate([90, 70], [100, 100])
    theirs = stats.share_difference(90, 100, 70, 100)
    mine = group_rates.gap_estimate([one], codes, [all_of(2)])

    assert pytest.approx((theirs.value, theirs.low, theirs.high)) == (mine.value, mine.low, mine.high)
    assert 100 == mine.n


def test_the_worst_of_two_lies_half_the_gap_below_all() -> None:
    one, codes = rate([90, 70], [100, 100])
    theirs = stats.share_difference(90, 100, 70, 100)
    mine = group_rates.worst_estimate(one, codes, all_of(2))

    assert pytest.approx((0.1, theirs.low / 2, theirs.high / 2)) == (mine.value, mine.low, mine.high)


def test_the_gap_of_two_means_is_nearly_welchs() -> None:
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(3)
    values, codes = rng.uniform(-0.5, 0.5, 160), np.repeat([0, 1], [60, 100])
    values[codes == 1] += 0.2
    welch = ttest_ind(values[codes == 1], values[codes == 0], equal_var=False).confidence_interval()
    mine = group_rates.mean_gap_estimate(values, codes, all_of(2))

    assert pytest.approx((welch.low, welch.high), abs=0.005) == (mine.low, mine.high)


# --- intervals ----------------------------------------------------------------------------


def test_no_error_in_any_group_is_no_certainty() -> None:
    one, codes = rate([50, 50], [50, 50])

    assert 0.05 < group_rates.gap_estimate([one], codes, [all_of(2)]).high
    assert 0.02 < group_rates.worst_estimate(one, codes, all_of(2)).high


def test_more_groups_widen_the_interval() -> None:
    two = rate([90, 80], [100] * 2)
    six = rate([90, 80, 85, 85, 85, 85], [100] * 6)
    narrow, wide = (
        group_rates.gap_estimate([one], codes, [all_of(int(codes.max()) + 1)]) for one, codes in (two, six)
    )

    assert narrow.value == wide.value
    assert wide.high > narrow.high + 0.02
    assert wide.low < narrow.low


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(2, 30)), min_size=2, max_size=5).map(
        lambda pairs: [(min(k, n), n) for k, n in pairs]
    )
)
@settings(deadline=None, max_examples=40)
def test_gaps_and_their_intervals_lie_in_range_and_groups_have_no_order(pairs: list[tuple[int, int]]) -> None:
    here, codes = rate([k for k, _ in pairs], [n for _, n in pairs])
    there, turned = rate([k for k, _ in pairs[::-1]], [n for _, n in pairs[::-1]])
    kept = all_of(len(pairs))
    gap, worst = (
        group_rates.gap_estimate([here], codes, [kept]),
        group_rates.worst_estimate(here, codes, kept),
    )
    other = group_rates.gap_estimate([there], turned, [kept])

    assert 0 <= worst.value <= gap.value <= 1
    assert 0 <= gap.low <= gap.value <= gap.high <= 1
    assert 0 <= worst.low <= worst.value <= worst.high <= 1
    assert pytest.approx((gap.value, gap.low, gap.high)) == (other.value, other.low, other.high)


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(0.9, 0.9, 0.9, 0.9), (0.9, 0.8), (0.95, 0.9, 0.85, 0.7)])
def test_intervals_of_maxima_hold_the_truth_in_95_of_100_data_sets(shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(5)
    apart, below = max(shares) - min(shares), float(np.mean(shares)) - min(shares)
    held = []
    for _ in range(200):
        one, codes = rate([int(rng.binomial(120, p)) for p in shares], [120] * len(shares))
        kept = all_of(len(shares))
        gap, worst = (
            group_rates.gap_estimate([one], codes, [kept]),
            group_rates.worst_estimate(one, codes, kept),
        )
        held.append((gap.low <= apart <= gap.high, worst.low <= below <= worst.high))

    # Bonferroni and a maximum make them wider than 95 %, never narrower: three standard errors of 200
    assert (np.mean(held, axis=0) >= 0.91).all()


# --- chance -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "n", "mean"), [(2, 100, 0.034), (2, 300, 0.020), (4, 100, 0.061), (8, 100, 0.085)]
)
def test_the_mean_gap_under_chance_is_that_of_the_table(groups: int, n: int, mean: float) -> None:
    # METHODS 7.3: largest minus smallest accuracy of groups that mean nothing, accuracy 0.9
    one, _ = rate([9 * n // 10 * groups], [n * groups])
    codes = np.repeat(np.arange(groups), n)
    truth = np.zeros(n * groups, dtype=np.intp)
    found = group_rates.null(
        lambda c: group_rates.gap(one, c, all_of(groups)), codes, truth, np.random.default_rng(1), draws=1500
    )

    assert pytest.approx(mean, abs=0.0035) == found.mean


def test_p_under_chance_is_the_houses_permutation_p() -> None:
    truth, said, codes = draw(150, 3, 4)
    one = Rate(name="", hits=said == truth, counted=np.ones(150, dtype=np.bool_))
    mine = group_rates.null(
        lambda c: group_rates.gap(one, c, all_of(3)), codes, truth, np.random.default_rng(0), draws=2000
    )
    theirs = stats.permutation_p(
        lambda right, groups: float(np.ptp([right[groups == g].mean() for g in range(3)])),
        said == truth,
        codes,
        rng=np.random.default_rng(9),
        draws=2000,
        within=truth.tolist(),
    )

    assert pytest.approx(theirs, abs=0.05) == mine.p


def test_permuted_groups_keep_their_base_rates() -> None:
    truth = np.array([1] * 90 + [0] * 10 + [1] * 10 + [0] * 90)
    codes = np.repeat([0, 1], 100)
    said = Rate(name="", hits=truth == 1, counted=np.ones(200, dtype=np.bool_))  # makes no error
    found = group_rates.null(
        lambda c: group_rates.gap(said, c, all_of(2)), codes, truth, np.random.default_rng(0), draws=100
    )

    assert pytest.approx(0.8) == found.mean
    assert 1.0 == found.p
