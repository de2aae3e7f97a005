"""The line of effective robustness against an oracle, and its interval."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from audit import stats
from audit.schema import Estimate
from probes.robustness.effective import above_line, expit, logit

HOME = np.array([0.62, 0.7, 0.78, 0.83, 0.9, 0.94])


def on_line(a: float, b: float) -> list[tuple[float, float]]:
    return [(float(x), float(expit(a + b * logit(np.array(x))))) for x in HOME]


def test_a_model_on_the_line_has_none() -> None:
    home, away = stats.share(800, 1000), stats.share(0, 1)
    expected = float(expit(-0.5 + 0.9 * logit(np.array(0.8))))
    away = Estimate(value=expected, low=expected - 0.02, high=expected + 0.02, n=1000, method="x")
    found = above_line(home, away, on_line(-0.5, 0.9))

    assert 0.0 == pytest.approx(found.value)
    assert found.low < -0.02
    assert found.high > 0.02
    assert 1000 == found.n


def test_the_line_and_its_band_are_those_of_statsmodels() -> None:
    noise = np.array([0.2, -0.1, 0.15, -0.3, 0.1, -0.05])
    y = 0.3 + 0.8 * logit(HOME) + noise
    fit = sm.OLS(y, sm.add_constant(logit(HOME))).fit()
    at = float(logit(np.array(0.8)))
    band = fit.get_prediction([[1.0, at]]).summary_frame(alpha=0.05)
    sure = Estimate(value=0.8, low=0.8, high=0.8, n=10**6, method="x")  # no error but the line's

    found = above_line(sure, sure, zip(HOME.tolist(), expit(y).tolist(), strict=True))

    assert 0.8 - float(expit(band["mean"].to_numpy())[0]) == pytest.approx(found.value)
    assert 0.8 - float(expit(band["mean_ci_upper"].to_numpy())[0]) == pytest.approx(found.low)
    assert 0.8 - float(expit(band["mean_ci_lower"].to_numpy())[0]) == pytest.approx(found.high)


def test_the_error_of_both_accuracies_is_in_the_interval() -> None:
    known = on_line(0.0, 1.0)
    large = above_line(stats.share(800, 1000), stats.share(800, 1000), known)
    small = above_line(stats.share(80, 100), stats.share(80, 100), known)

    assert 0.0 == pytest.approx(small.value)
    assert small.high - small.low > 2.5 * (large.high - large.low)
    # on the line y = x it is Newcombe's interval of a difference
    newcombe = stats.share_difference(80, 100, 80, 100)
    assert (newcombe.low, newcombe.high) == pytest.approx((small.low, small.high), abs=1e-6)


@pytest.mark.parametrize("k", [0, 200])
def test_an_accuracy_of_nothing_or_all_has_a_number(k: int) -> None:
    found = above_line(stats.share(k, 200), stats.share(k, 200), on_line(0.0, 1.0))

    assert -1 <= found.low < found.value < found.high <= 1


@pytest.mark.parametrize("known", [on_line(0, 1)[:4], [(0.8, 0.5 + i / 20) for i in range(6)], []])
def test_fewer_than_five_models_or_one_accuracy_are_no_line(known: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="a line needs 5 models of different accuracies"):
        above_line(stats.share(8, 10), stats.share(8, 10), known)
