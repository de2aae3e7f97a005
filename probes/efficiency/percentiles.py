"""Percentiles of times, with intervals from their own ranks: no shape of the distribution is assumed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from audit.schema import Estimate

LEVEL = 0.95
"""Of the intervals, as everywhere."""


def fewest(share: float, *, level: float = LEVEL) -> int:
    """Return the number of values below which a percentile has no interval.

    The largest of n values lies below the percentile with probability share^n, the smallest above it with
    (1 - share)^n; both together must be at most 1 - level.

    Raises:
        ValueError: a share or a level outside of (0, 1).

    >>> [fewest(share) for share in (0.5, 0.9, 0.95, 0.99)]
    [6, 29, 59, 299]
    """
    if not (0 < share < 1 and 0 < level < 1):
        raise ValueError(f"a share and a level lie in (0, 1), got {share} and {level}")
    n = 1
    while share**n + (1 - share) ** n > 1 - level:
        n += 1
    return n


def percentile(values: ArrayLike, share: float, *, level: float = LEVEL) -> Estimate:
    """Return the value that `share` of all values are at most, with an interval between two of them.

    The value is the one at rank ⌈n · share⌉: a time that was measured, not one between two. Each end of the
    interval is the nearest value that misses the percentile with at most half of 1 - level. Where n is too
    small for that, the end is the last value there, and the other end is left what remains of 1 - level. So
    the largest of 59 values bounds p95, as of a one-sided interval, and the lower end lies far off.

    Args:
        values: (n,) independent numbers; equal ones only make the interval hold the truth more often.
        share: in (0, 1); 0.95 for p95.

    Raises:
        ValueError: fewer than `fewest` values, or one that is not finite.

    Source: David and Nagaraja 2003, section 7.1; the value is definition 1 of Hyndman and Fan 1996.

    >>> found = percentile(range(1, 101), 0.95)
    >>> found.value, found.low, found.high
    (95.0, 90.0, 100.0)
    """
    x = np.sort(np.asarray(values, dtype=np.float64).ravel())  # (n,)
    n, least = x.size, fewest(share, level=level)
    if n < least:
        raise ValueError(f"an interval of p{100 * share:g} needs {least} values, and there are {n}")
    if not np.isfinite(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} of {n} values are not finite")
    low, high, held = _ranks(n, share, level)
    place = max(1, math.ceil(n * share - 1e-9))  # less is rounding
    return Estimate(
        value=float(x[place - 1]),
        low=float(x[min(low, place) - 1]),
        high=float(x[max(high, place) - 1]),
        n=n,
        level=level,
        method=f"order statistics, ranks {low} and {high} of {n}, which hold it with probability {held:.3f}",
    )


def _ranks(n: int, share: float, level: float) -> tuple[int, int, float]:
    """Return ranks, from 1, of the ends, and the probability that the percentile lies between their values.

    B, the number of values at most the percentile, is binomial: the value of rank j misses it as a lower end
    when B < j, that of rank k as an upper end when B ≥ k.
    """
    from scipy.special import bdtr

    upto = bdtr(np.arange(n), n, share)  # (n,) P(B ≤ 0) … P(B ≤ n - 1)
    missed_below, missed_above = upto, 1 - upto  # (n,) by the value of rank 1 … n as lower, as upper end
    spare = 1 - level
    least, most = float(missed_below[0]), float(missed_above[-1])
    for_below, for_above = spare - max(spare / 2, most), spare - max(spare / 2, least)
    low = int(np.flatnonzero(missed_below <= max(for_below, least))[-1]) + 1
    high = int(np.flatnonzero(missed_above <= max(for_above, most))[0]) + 1
    return low, high, float(1 - missed_below[low - 1] - missed_above[high - 1])
