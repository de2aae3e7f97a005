"""Effective robustness: is the accuracy away more than the accuracy at home would let one expect?

The line logit(away) = a + b · logit(home) is fitted to models whose accuracies on both are known. What this
model has above the line is its effective robustness.
Source: Taori et al. 2020 (arXiv:2007.00644), section 2; Miller et al. 2021 (arXiv:2107.04649). Unlike them
the interval holds the error of both accuracies and of the line.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from audit.schema import Estimate

Floats = NDArray[np.float64]
LEAST = 5
"""Models below which there is no line."""


def above_line(home: Estimate, away: Estimate, known: Iterable[tuple[float, float]]) -> Estimate:
    """Return the accuracy away minus the one that the line gives, in [-1, 1]; higher is better.

    The distances of three intervals are squared and added (MOVER): of the accuracy away, of the accuracy at
    home taken along the line, and of the line itself at this place, with t(models - 2).

    Args:
        home: accuracy on the test set, a share with a 95 % interval.
        away: accuracy in the other domain.
        known: (accuracy at home, accuracy away) of other models, within (0, 1).

    Raises:
        ValueError: fewer than 5 models, or all with one accuracy at home.
    """
    points = logit(np.array(list(known), dtype=np.float64).reshape(-1, 2))  # (m, 2)
    x, y = points.T
    if len(x) < LEAST or np.ptp(x) == 0:
        raise ValueError(f"a line needs {LEAST} models of different accuracies, got {len(x)}")
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    rest = y - y.mean() - slope * (x - x.mean())
    edge = 1 / (2 * home.n)  # no logit of 0 or 1
    own = logit(np.clip([home.value, home.low, home.high], edge, 1 - edge))
    line = y.mean() + slope * (own - x.mean())  # at the value and at both ends
    deviation = np.sqrt(
        (rest**2).sum() / (len(x) - 2) * (1 / len(x) + (own[0] - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    )
    half = _t(len(x) - 2, home.level) * float(deviation)
    expected, low, high = expit(np.array([line[0], line[1:].min(), line[1:].max()]))
    below, above = expit(np.array([line[0] - half, line[0] + half]))
    value = float(away.value - expected)
    down = np.sqrt((away.value - away.low) ** 2 + (high - expected) ** 2 + (above - expected) ** 2)
    up = np.sqrt((away.high - away.value) ** 2 + (expected - low) ** 2 + (expected - below) ** 2)
    return Estimate(
        value=value,
        low=max(-1.0, value - float(down)),
        high=min(1.0, value + float(up)),
        n=min(home.n, away.n),
        method=f"three intervals combined (MOVER), line over {len(x)} models, n is the smaller side",
    )


def logit(share: Floats) -> Floats:
    """Return log(p / (1 - p))."""
    odds: Floats = np.log(share / (1 - share))
    return odds


def expit(odds: Floats) -> Floats:
    """Return 1 / (1 + exp(-z))."""
    share: Floats = 1 / (1 + np.exp(-odds))
    return share


def _t(df: int, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + level / 2))
