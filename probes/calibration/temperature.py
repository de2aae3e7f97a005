"""One temperature for all answers, fitted by likelihood: pure functions of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from audit.schema import Estimate
from probes.calibration.ece import Floats, Places

COLDEST, HOTTEST = 0.05, 20.0
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Fitted:
    """A temperature with the interval that its fit leaves."""

    estimate: Estimate
    on_edge: bool
    """The search ended at its border: the likelihood wants a colder or hotter one still."""


def split(contents: Sequence[str], share: float, *, key: Callable[[str], int]) -> NDArray[np.bool_]:
    """Return (n,) True for the examples that fit, about `share` of the distinct contents, the lowest keys.

    Equal contents stay on one side, so that no text judges what it has fitted; order changes nothing.
    """
    ranked = sorted(set(contents), key=lambda content: (key(content), content))
    chosen = set(ranked[: round(share * len(ranked))])
    return np.array([content in chosen for content in contents], dtype=np.bool_)


def log_odds(probabilities: Floats, logits: Floats | None) -> Floats:
    """Return (n, k) numbers whose softmax is the probabilities.

    The logits where they say the same (they keep what underflow loses), else the log-probabilities cut at
    1e-12: after a correction of the prompt's bias the logits are no longer those of the answer.
    """
    if logits is not None and np.allclose(tempered(logits, 1.0), probabilities, atol=1e-4):
        return logits
    return np.log(np.maximum(probabilities, TINY))


def tempered(odds: Floats, temperature: float) -> Floats:
    """Return softmax(odds / temperature), (n, k); the order of the classes stays."""
    scaled = (odds - odds.max(axis=1, keepdims=True)) / temperature
    raised = np.exp(scaled)
    rows: Floats = raised / raised.sum(axis=1, keepdims=True)
    return rows


def fit(odds: Floats, truth: Places, *, contents: Sequence[str] | None = None, level: float = 0.95) -> Fitted:
    """Return the temperature in [0.05, 20] with the smallest negative log-likelihood.

    The likelihood is convex in 1 / T, so its slope has one zero. The interval is on the log scale with the
    sandwich standard error, which does not suppose that one temperature mends the model.

    Args:
        odds: (n, k) logits or log-probabilities.
        truth: (n,) place of the right class.
        contents: (n,) what was asked; equal ones are one unit. None where all differ.

    Raises:
        ValueError: every row is even over the classes, so that no temperature changes anything.

    Source: Guo et al. 2017, section 4.2; White 1982 for the sandwich.
    """
    from scipy.optimize import brentq

    if np.ptp(odds, axis=1).max() < TINY:
        raise ValueError("every answer is even over the classes")

    def slope(inverse: float) -> float:
        return float(_slopes(odds, truth, inverse)[0].mean())

    coldest, hottest = 1 / COLDEST, 1 / HOTTEST
    if slope(coldest) <= 0:
        inverse, on_edge = coldest, True
    elif slope(hottest) >= 0:
        inverse, on_edge = hottest, True
    else:
        inverse, on_edge = float(brentq(slope, hottest, coldest, xtol=1e-12, rtol=1e-12)), False
    unit = np.arange(len(truth)) if contents is None else np.unique(contents, return_inverse=True)[1]
    half = _half_width(odds, truth, inverse, level, unit)
    value = min(max(1 / inverse, COLDEST), HOTTEST)
    low, high = max(COLDEST, value / half), min(HOTTEST, value * half)
    method = "sandwich standard error on the log scale"
    estimate = Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        n=int(unit.max()) + 1,
        level=level,
        method=method,
    )
    return Fitted(estimate, on_edge)


def _slopes(odds: Floats, truth: Places, inverse: float) -> tuple[Floats, Floats]:
    """Return the (n,) slopes and (n,) curvatures of the negative log-likelihood in 1 / T."""
    centred = odds - odds.max(axis=1, keepdims=True)
    p = tempered(odds, 1 / inverse)  # (n, k)
    mean = (p * centred).sum(axis=1)
    right = centred[np.arange(len(truth)), truth]
    return mean - right, (p * (centred - mean[:, None]) ** 2).sum(axis=1)


def _half_width(odds: Floats, truth: Places, inverse: float, level: float, unit: Places) -> float:
    """Return the factor by which the ends of the interval lie from the temperature, at least 1.

    Slopes of one unit (n,) are summed before they are squared.
    """
    slopes, curvatures = _slopes(odds, truth, inverse)
    bread = float(curvatures.sum()) * inverse
    if bread < TINY:
        return HOTTEST / COLDEST
    spread = (
        NormalDist().inv_cdf(0.5 + level / 2)
        * float(np.linalg.norm(np.bincount(unit, weights=slopes)))
        / bread
    )
    return float(np.exp(min(spread, np.log(HOTTEST / COLDEST))))
