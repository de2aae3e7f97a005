from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from audit import stats

COUNTS = st.integers(0, 60)


@pytest.mark.parametrize(
    ("b", "c", "exact", "mid", "chi2", "corrected"),
    [
        (10, 2, 0.03857, 0.02246, 5.333, 4.083),
        (15, 5, 0.04139, 0.02660, 5.0, 4.05),
        (25, 10, 0.01667, 0.01133, 6.429, 5.6),
        (6, 0, 0.03125, 0.01562, 6.0, 4.167),
    ],
)
def test_mcnemar_gives_the_reference_vectors(
    b: int, c: int, exact: float, mid: float, chi2: float, corrected: float
) -> None:
    found = stats.mcnemar(b, c)
    assert exact == pytest.approx(found.exact, abs=5e-6)
    assert mid == pytest.approx(found.mid, abs=5.1e-6)
    assert chi2 == pytest.approx(found.chi2, abs=5e-4)
    assert corrected == pytest.approx(found.chi2_corrected, abs=5e-4)


def test_five_discordant_pairs_are_never_significant() -> None:
    assert stats.mcnemar(5, 0).exact == 0.0625
    assert stats.mcnemar(5, 0).p > 0.05


@given(COUNTS, COUNTS)
@settings(max_examples=60, deadline=None)
def test_mcnemar_exact_is_that_of_statsmodels(b: int, c: int) -> None:
    reference = statsmodels_mcnemar([[3, b], [c, 4]], exact=True).pvalue if b + c else 1.0
    assert reference == pytest.approx(stats.mcnemar(b, c).exact, abs=1e-12)


@given(COUNTS, COUNTS)
@settings(max_examples=60, deadline=None)
def test_mid_p_is_exact_p_less_half_of_the_observed_outcomes(b: int, c: int) -> None:
    k, n = min(b, c), b + c
    assert 2 * binom.cdf(k, n, 0.5) - binom.pmf(k, n, 0.5) == pytest.approx(
        stats.mcnemar(b, c).mid, abs=1e-12
    )


@given(st.integers(1, 60), COUNTS)
@settings(max_examples=40, deadline=None)
def test_mcnemar_chi2_is_that_of_statsmodels(b: int, c: int) -> None:
    reference = statsmodels_mcnemar([[3, b], [c, 4]], exact=False, correction=False).statistic
    assert reference == pytest.approx(stats.mcnemar(b, c).chi2)


@given(COUNTS, COUNTS)
def test_mcnemar_does_not_care_which_model_is_first(b: int, c: int) -> None:
    one, other = stats.mcnemar(b, c), stats.mcnemar(c, b)
    assert (one.exact, one.mid, one.chi2, one.chi2_corrected, one.p) == (
        other.exact,
        other.mid,
        other.chi2,
        other.chi2_corrected,
        other.p,
    )


def test_mcnemar_reports_exact_p_below_25_pairs_and_mid_p_from_there() -> None:
    assert stats.mcnemar(16, 8).p == stats.mcnemar(16, 8).exact
    assert stats.mcnemar(16, 9).p == stats.mcnemar(16, 9).mid


def test_mcnemar_without_discordant_pairs_shows_nothing() -> None:
    found = stats.mcnemar(0, 0)
    assert (1.0, 1.0, 1.0, 0.0, 0.0) == (found.p, found.exact, found.mid, found.chi2, found.chi2_corrected)


def test_mcnemar_of_equal_counts_has_p_of_one_and_no_corrected_chi2() -> None:
    found = stats.mcnemar(7, 7)
    assert (1.0, 0.0, 0.0) == (pytest.approx(found.mid), found.chi2, found.chi2_corrected)
    assert found.mid <= 1.0


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="b=-1"):
        stats.mcnemar(-1, 3)


@pytest.mark.parametrize(("n", "percent"), [(100, 2.95), (200, 1.49), (300, 0.99), (1000, 0.30)])
def test_no_hit_in_n_leaves_the_rule_of_three(n: int, percent: float) -> None:
    assert percent == pytest.approx(100 * stats.zero_hits_bound(n), abs=0.005)


def test_no_hit_bound_is_the_one_sided_exact_interval() -> None:
    assert stats.share(0, 40, level=0.9, method="exact").high == pytest.approx(stats.zero_hits_bound(40))


@pytest.mark.parametrize(("n", "alpha"), [(0, 0.05), (10, 0.0), (10, 1.0)])
def test_no_hit_bound_refuses_no_trials_and_alpha_at_the_ends(n: int, alpha: float) -> None:
    with pytest.raises(ValueError, match="needs n"):
        stats.zero_hits_bound(n, alpha=alpha)


def test_bh_and_holm_give_the_reference_vectors() -> None:
    p = [0.001, 0.008, 0.012, 0.041, 0.2]
    np.testing.assert_allclose(stats.bh(p), [0.005, 0.02, 0.02, 0.05125, 0.2])
    np.testing.assert_allclose(stats.holm(p), [0.005, 0.032, 0.036, 0.082, 0.2])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=20, deadline=None)
def test_adjusted_p_follow_their_p_wherever_these_stand(p: list[float]) -> None:
    order = np.random.default_rng(len(p)).permutation(len(p))
    shuffled = np.array(p)[order]
    np.testing.assert_allclose(stats.holm(p)[order], stats.holm(shuffled))
    np.testing.assert_allclose(stats.bh(p)[order], stats.bh(shuffled))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=20, deadline=None)
def test_adjusting_raises_p_and_holm_more_than_bh(p: list[float]) -> None:
    assert (np.array(p) <= stats.bh(p) + 1e-12).all()
    assert (stats.bh(p) <= stats.holm(p) + 1e-12).all()
    assert (stats.holm(p) <= 1).all()


def test_adjusting_nothing_gives_nothing() -> None:
    assert stats.holm([]).size == stats.bh([]).size == 0


@pytest.mark.parametrize("p", [[0.2, 1.1], [-0.1], [float("nan")]])
def test_adjusting_refuses_what_is_no_p(p: list[float]) -> None:
    with pytest.raises(ValueError, match=r"a p lies in|not finite"):
        stats.holm(p)


def test_all_that_the_face_names_is_there() -> None:
    assert [] == [name for name in stats.__all__ if not callable(getattr(stats, name))]


def test_importing_statistics_does_not_load_scipy_or_statsmodels() -> None:
    code = "import sys, audit.stats; print(sorted({'scipy', 'statsmodels', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
