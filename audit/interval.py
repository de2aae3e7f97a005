"""Intervals of shares and of their differences, and the parts that every interval is made of.

Thin over statsmodels and scipy, which are imported where used: both are slow to load. Read through
`audit.stats`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audit.schema import Estimate

Floats = NDArray[np.float64]

WILSON = "Wilson"
"""`method` of a plain Wilson interval, which `needed_n` solves exactly."""


def share(k: int, n: int, *, level: float = 0.95, method: Literal["wilson", "exact"] = "wilson") -> Estimate:
    """Return k / n with its interval, a share in [0, 1]; never a point, also for 0 or n hits.

    Args:
        method: `wilson` (score interval), or `exact` (Clopper-Pearson) where a guarantee is needed.

    Raises:
        ValueError: n below 1, or k outside of [0, n].

    Source: Wilson 1927; Clopper and Pearson 1934; statsmodels `proportion_confint`.

    >>> round(share(8, 10).low, 4), round(share(8, 10).high, 4)
    (0.4902, 0.9433)
    """
    _check_count(k, n)
    if method == "wilson":
        low, high = wilson(k / n, n, level=level)
        return fitted(k / n, low, high, n=n, level=level, method=WILSON)
    from statsmodels.stats.proportion import proportion_confint

    low, high = (float(x) for x in proportion_confint(k, n, alpha=1 - level, method="beta"))
    return fitted(k / n, low, high, n=n, level=level, method="Clopper-Pearson")


def share_difference(k1: int, n1: int, k2: int, n2: int, *, level: float = 0.95) -> Estimate:
    """Return k1 / n1 - k2 / n2 of two unpaired groups, in [-1, 1]; `n` is the smaller group.

    Raises:
        ValueError: an n below 1, or a k outside of [0, n].

    Source: Newcombe 1998 (Stat. Med. 17:873-890), method 10; statsmodels `confint_proportions_2indep`.
    """
    _check_count(k1, n1)
    _check_count(k2, n2)
    from statsmodels.stats.proportion import confint_proportions_2indep

    low, high = confint_proportions_2indep(
        k1, n1, k2, n2, method="newcomb", compare="diff", alpha=1 - level, correction=False
    )
    value = k1 / n1 - k2 / n2
    method = "Newcombe, unpaired, n is the smaller group"
    return fitted(value, float(low), float(high), n=min(n1, n2), level=level, method=method)


def paired_difference(
    both: int, only_first: int, only_second: int, neither: int, *, level: float = 0.95
) -> Estimate:
    """Return p1 - p2 of two answers to the same items, in [-1, 1]; `n` counts items.

    Args:
        both: items that are hits in both.
        only_first: items that are hits in the first only.
        only_second: items that are hits in the second only.
        neither: items that are hits in neither.

    Raises:
        ValueError: a negative count, or no items.

    Source: Newcombe 1998 (Stat. Med. 17:2635-2650), method 10: Wilson's limits of each share, squared
    and added with the correlation phi, its numerator corrected by n / 2 where positive.
    """
    a, b, c, d = both, only_first, only_second, neither
    n = a + b + c + d
    if min(a, b, c, d) < 0 or n < 1:
        raise ValueError(f"counts of pairs are at least 0 and not all 0, got {a}, {b}, {c}, {d}")
    p1, p2 = (a + b) / n, (a + c) / n
    low1, high1 = wilson(p1, n, level=level)
    low2, high2 = wilson(p2, n, level=level)
    margins = float(a + b) * (c + d) * (a + c) * (b + d)
    product = float(a * d - b * c)
    if product > 0:
        product = max(product - n / 2, 0.0)
    phi = product / margins**0.5 if margins > 0 else 0.0
    down = (p1 - low1) ** 2 - 2 * phi * (p1 - low1) * (high2 - p2) + (high2 - p2) ** 2
    up = (high1 - p1) ** 2 - 2 * phi * (high1 - p1) * (p2 - low2) + (p2 - low2) ** 2
    value = (b - c) / n
    low, high = value - max(down, 0.0) ** 0.5, value + max(up, 0.0) ** 0.5
    return fitted(value, low, high, n=n, level=level, method="Newcombe, paired", floor=-1.0, ceiling=1.0)


def independent_difference(first: Estimate, second: Estimate) -> Estimate:
    """Return first minus second of two estimates taken as independent; `n` is the smaller one.

    The distances of value and ends are squared and added, which holds also for intervals that are not
    symmetric. Of two shares with Wilson's intervals it is `share_difference`. Where both stand on the same
    items the interval is too wide rather than too narrow, as such numbers go together.

    Source: Zou and Donner 2008 (Stat. Med. 27:1693-1702), MOVER.
    """
    value = first.value - second.value
    down = np.hypot(first.value - first.low, second.high - second.value)
    up = np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(
        value=value,
        low=value - float(down),
        high=value + float(up),
        n=min(first.n, second.n),
        level=min(first.level, second.level),
        method="two intervals combined (MOVER), n is the smaller side",
    )


# --- parts --------------------------------------------------------------------------------


def fitted(
    value: float,
    low: float,
    high: float,
    *,
    n: int,
    level: float,
    method: str,
    floor: float | None = None,
    ceiling: float | None = None,
) -> Estimate:
    """Return an Estimate whose interval is clipped to the range and widened where it misses the value."""
    floor = -np.inf if floor is None else floor
    ceiling = np.inf if ceiling is None else ceiling
    value, low, high = (float(min(max(x, floor), ceiling)) for x in (value, low, high))
    miss = max(low - value, value - high)
    if miss > 1e-9 * max(1.0, abs(value)):  # less is rounding
        method += "; widened to hold the value"
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n, level=level, method=method)


def flat(value: float, *, n: int, level: float, low: float | None, high: float | None) -> Estimate:
    """Return the interval of a value without spread: Wilson's on the place of the value in its range.

    Raises:
        ValueError: without a range nothing is known of the width, and a point would be a false green.
    """
    if low is None or high is None or not high > low:
        raise ValueError(f"no spread in {n} values and no range known: give low and high, or skip")
    below, above = wilson((value - low) / (high - low), n, level=level)
    scale = high - low
    method = "no spread: Wilson on the rescaled value"
    return fitted(
        value,
        low + scale * below,
        low + scale * above,
        n=n,
        level=level,
        method=method,
        floor=low,
        ceiling=high,
    )


def wilson(p: float, n: float, *, level: float) -> tuple[float, float]:
    """Return Wilson's limits for the share p of n, which may be fractional (an effective size)."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(min(max(p, 0.0), 1.0) * n, n, alpha=1 - level, method="wilson")
    return min(max(float(low), 0.0), p), max(min(float(high), 1.0), p)


def t_quantile(df: int, level: float) -> float:
    """Return the two-sided critical value of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + level / 2))


def _check_count(k: int, n: int) -> None:
    if n < 1 or not 0 <= k <= n or k != int(k) or n != int(n):
        raise ValueError(f"a share needs whole numbers 0 ≤ k ≤ n and n ≥ 1, got k={k}, n={n}")
