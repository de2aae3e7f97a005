"""How far a mean answer lies from what it should be, in total variation, with an interval that holds at 0.

Total variation is half the sum of absolute differences, or the most that any set of labels has too much: 0
is none, 1 - 1 / k is all answers one label where the k labels should be even. Measured, it lies above 0 by
chance alone, so the lower end is what tells a clean model: there it is 0.

The lower end is the value minus the reach, the 95 % quantile of the total variation between a mean answer
and its truth, drawn with Gaussian weights on the deviations of the rows from their mean: as value and truth
differ by no more than that, it holds also where the truth is 0. The upper end is that of the share of
answers in the labels that are answered too often, taken as fixed: the truth is at least the excess of those
labels. For two labels this is close to the usual two-sided interval; for more it is too wide rather than too
narrow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Estimate

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def total_variation(p: Floats, q: Floats) -> float:
    """Return half the sum of the absolute differences of two distributions (k,), in [0, 1].

    >>> round(total_variation(np.array([0.618, 0.382]), np.array([0.5, 0.5])), 3)
    0.118
    """
    return float(np.abs(p - q).sum()) / 2


def of_probabilities(rows: Floats, rng: np.random.Generator, *, draws: int) -> Estimate:
    """Return the total variation between the mean of rows (m, k) and even shares; `n` counts rows.

    Rows that are all equal say nothing of the width: Wilson's interval of the share above takes its place.

    Args:
        rows: probabilities, at least 2 rows, drawn independently.

    Raises:
        ValueError: one row.

    Source: Chernozhukov, Chetverikov and Kato 2013 (Ann. Stat. 41) for the draws with Gaussian weights.
    """
    even = np.full(rows.shape[1], 1 / rows.shape[1])
    over = _over(rows.mean(axis=0), even)
    share = stats.mean(rows[:, over].sum(axis=1).clip(0.0, 1.0), low=0.0, high=1.0)
    return _estimate(rows, np.zeros(len(rows), dtype=np.intp), even, (share.low, share.high), rng, draws)


def of_answers(
    predicted: Places, truth: Places, labels: int, rng: np.random.Generator, *, draws: int
) -> Estimate:
    """Return the total variation between the shares of answers and of true labels; `n` counts items.

    Items are taken as drawn within each true label. The interval of the share above is Wilson's of each true
    label, squared and added. Where a label has one item, labels are taken together.

    Args:
        predicted: (n,) places of the labels that were answered.
        truth: (n,) places of the labels of the items.
        labels: k

    Source: as in `of_probabilities`; Newcombe 1998 (Stat. Med. 17:2635-2650) for squaring and adding.
    """
    rows = np.eye(labels)[predicted]  # (n, k)
    reference = np.bincount(truth, minlength=labels) / truth.size
    strata = strata_of(truth)
    over = _over(rows.mean(axis=0), reference)
    hits = over[predicted]  # (n,)
    down = up = 0.0
    for stratum in range(int(strata.max()) + 1):
        here = hits[strata == stratum]
        held, weight = stats.share(int(here.sum()), here.size), here.size / hits.size
        down += (weight * (held.value - held.low)) ** 2
        up += (weight * (held.high - held.value)) ** 2
    value = float(hits.mean())
    return _estimate(rows, strata, reference, (value - down**0.5, value + up**0.5), rng, draws)


def _over(mean: Floats, reference: Floats) -> NDArray[np.bool_]:
    """Return (k,) which labels are answered too often; at least one, and none by rounding alone."""
    excess = np.round(mean - reference, 12)
    over = np.zeros(excess.size, dtype=np.bool_)
    over[excess > 0] = True
    over[excess.argmax()] = True
    return over


def _estimate(
    rows: Floats,
    strata: Places,
    reference: Floats,
    share: tuple[float, float],
    rng: np.random.Generator,
    draws: int,
    level: float = 0.95,
) -> Estimate:
    """Return the estimate, given the interval of the share of the labels that are answered too often."""
    n, mean = len(rows), rows.mean(axis=0)
    value = total_variation(mean, reference)
    excess_of = float(reference[_over(mean, reference)].sum())
    errors = np.abs(noise(rows, strata, rng, draws)).sum(axis=1) / 2  # (d,)
    reach = float(np.quantile(errors, level))
    low, high = min(value - reach, share[0] - excess_of), share[1] - excess_of
    return Estimate(
        value=value,
        low=min(value, max(0.0, low)),
        high=max(value, min(high, 1 - float(reference.min()))),
        n=n,
        level=level,
        method=f"total variation, simultaneous over labels, {draws} draws of Gaussian weights",
    )


def noise(rows: Floats, strata: Places, rng: np.random.Generator, draws: int) -> Floats:
    """Return (draws, k) differences between a mean row and its truth, drawn with Gaussian weights.

    Args:
        rows: (n, k)
        strata: (n,) numbers from 0; rows are taken as drawn within each, of at least 2.
    """
    sizes = np.bincount(strata)  # (h,)
    means = np.stack([rows[strata == stratum].mean(axis=0) for stratum in range(sizes.size)])  # (h, k)
    scale = np.sqrt(sizes / (sizes - 1))[strata, None] / len(rows)
    drawn: Floats = rng.standard_normal((draws, len(rows))) @ ((rows - means[strata]) * scale)
    freedom = len(rows) - sizes.size
    drawn /= np.sqrt(rng.chisquare(freedom, (draws, 1)) / freedom)  # tails of t, for few rows
    return drawn


def strata_of(truth: Places) -> Places:
    """Return (n,) numbers of the true labels that items were drawn within; one where a label has one item."""
    strata: Places = np.unique(truth, return_inverse=True)[1].ravel()
    return strata if np.bincount(strata).min() > 1 else np.zeros_like(strata)
