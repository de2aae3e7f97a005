"""Means with intervals: of values, of values in clusters, of contexts by items.

Read through `audit.stats`. A ValueError means that nothing was measured (no values, one cluster, no
spread and no known range): the probe turns it into a Skip.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.interval import Floats, fitted, flat, t_quantile, wilson
from audit.schema import Estimate

Places = NDArray[np.intp]


def mean(
    values: ArrayLike,
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    low: float | None = None,
    high: float | None = None,
) -> Estimate:
    """Return the mean with its t interval, in the unit of the values.

    With clusters: the CR standard error times sqrt(C / (C - 1)), t with C - 1 degrees of freedom, and
    `n` counts clusters. Values (or cluster sums) without spread say nothing of the width: with a range
    the interval is Wilson's on the rescaled mean, which is too wide rather than too narrow because no
    variable in [0, 1] varies more than a coin of the same mean. Of paired differences it is the paired
    comparison (never subtract two intervals). For hits, 0 and 1, use `share` or `clustered_share`: t is
    too short where hits are rare.

    Args:
        values: (n,) numbers.
        clusters: (n,) the source that each value came from (template, passage, original text).
        low: smallest value that the quantity can have; the interval is clipped there.
        high: largest value that the quantity can have; the interval is clipped there.

    Raises:
        ValueError: no values, one value, one cluster, a value that is not finite or outside of the
            range, or no spread where no range is given.

    Source: Miller 2024 (arXiv:2411.00640), section 2.2; the factor sqrt(C / (C - 1)) as in inspect_ai.
    """
    x = finite(values)
    check_range(float(x.min()), float(x.max()), low, high)
    if clusters is None:
        n = several(x.size, "value")
        se = float(x.std(ddof=1)) / np.sqrt(n)
        method = "t"
    else:
        n = several(int(cluster_codes(clusters, x.size).max()) + 1, "cluster")
        se = clustered_se(x, clusters)
        method = "t, clustered"
    value = float(x[0]) if np.ptp(x) == 0 else float(x.mean())
    if se <= 1e-12 * float(np.abs(x).max()):
        return flat(value, n=n, level=level, low=low, high=high)
    half = t_quantile(n - 1, level) * float(se)
    return fitted(value, value - half, value + half, n=n, level=level, method=method, floor=low, ceiling=high)


def clustered_se(values: ArrayLike, clusters: Sequence[Hashable], *, correct: bool = True) -> float:
    """Return the standard error of a mean of clustered values: sqrt(Σ_c (Σ_{i in c} (s_i - s̄))²) / n.

    Args:
        values: (n,) numbers.
        clusters: (n,) cluster of each value.
        correct: times sqrt(C / (C - 1)), for few clusters. Miller's paper has no such factor.

    Raises:
        ValueError: no values, lengths that differ, or one cluster where `correct`.

    >>> round(clustered_se([1, 1, 1, 0, 0, 0, 1, 0, 1], "aaabbbccc"), 5)
    0.29397
    """
    x = finite(values)
    codes = cluster_codes(clusters, x.size)
    sums = np.bincount(codes, weights=x - x.mean())  # (c,)
    se = float(np.sqrt((sums**2).sum())) / x.size
    if not correct:
        return se
    count = several(sums.size, "cluster")
    return se * float(np.sqrt(count / (count - 1)))


def clustered_share(hits: ArrayLike, clusters: Sequence[Hashable], *, level: float = 0.95) -> Estimate:
    """Return the share of hits among items that come in clusters; `n` counts clusters.

    Wilson's interval on the effective sample size p(1 - p) / se², with the clustered standard error,
    shrunk by (z / t)² for C - 1 degrees of freedom and at most the number of items. Unlike `mean` it
    stays inside [0, 1] and keeps a width for rare hits; with no hit or nothing but hits the effective
    size is the number of clusters.

    Args:
        hits: (n,) of 0 and 1, or booleans.
        clusters: (n,) the source that each item came from.

    Raises:
        ValueError: no items, values other than 0 and 1, lengths that differ, or one cluster.

    Source: Korn and Graubard 1998; Dean and Pagano 2015 (J. Surv. Stat. Methodol. 3) for Wilson's form.
    """
    x = finite(hits)
    if not np.isin(x, (0.0, 1.0)).all():
        raise ValueError("hits are 0 or 1")
    codes = cluster_codes(clusters, x.size)
    count = several(int(codes.max()) + 1, "cluster")
    p = float(x.mean())
    se = clustered_se(x, clusters)
    size = float(count)
    if 0 < p < 1:
        shrink = (NormalDist().inv_cdf(0.5 + level / 2) / t_quantile(count - 1, level)) ** 2
        size = shrink * min(float(x.size), p * (1 - p) / se**2 if se > 0 else float("inf"))
    low, high = wilson(p, size, level=level)
    return fitted(p, low, high, n=count, level=level, method="Wilson on the effective n, clustered")


def two_way_mean(
    table: ArrayLike, *, level: float = 0.95, low: float | None = None, high: float | None = None
) -> Estimate:
    """Return the mean over contexts x items, both taken as drawn at random; `n` counts contexts.

    The squared standard error is (MS_contexts + MS_items - MS_rest) / (g n), negative components set
    to zero, with t of g - 1 degrees of freedom: too wide rather than too narrow where items, not
    contexts, vary most. Differs from Cameron, Gelbach and Miller in the subtracted term, which there
    holds the main effects too and costs up to 1 / g of the variance of items.

    Args:
        table: (g, n) one row for each context (demonstrations x order x format), one column for each item.
        low: smallest possible value, as in `mean`.
        high: largest possible value, as in `mean`.

    Raises:
        ValueError: fewer than 5 contexts, fewer than 2 items, values that are not finite or outside of
            the range, or no spread where no range is given.

    Source: Searle, Casella and McCulloch 1992, section 4.3; Cameron, Gelbach and Miller 2011.
    """
    x = contexts_by_items(table)
    check_range(float(x.min()), float(x.max()), low, high)
    g, n = x.shape
    value = float(x.flat[0]) if np.ptp(x) == 0 else float(x.mean())
    rows, columns = x.mean(axis=1), x.mean(axis=0)  # (g,), (n,)
    rest = x - rows[:, None] - columns[None, :] + value
    by_context = n * float(rows.var(ddof=1))
    by_item = g * float(columns.var(ddof=1))
    by_rest = float((rest**2).sum()) / ((g - 1) * (n - 1))
    se = float(np.sqrt(max(by_context + by_item - by_rest, by_context, by_item) / (g * n)))
    if se <= 1e-12 * float(np.abs(x).max()):
        return flat(value, n=g, level=level, low=low, high=high)
    half = t_quantile(g - 1, level) * se
    method = "t, two-way clustered, n counts contexts"
    return fitted(value, value - half, value + half, n=g, level=level, method=method, floor=low, ceiling=high)


# --- what may come in ---------------------------------------------------------------------


def finite(values: ArrayLike) -> Floats:
    """Return (n,) floats; ValueError for none, for another shape, and for NaN or infinity."""
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"expected (n,) values, n of at least 1, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} of {x.size} values are not finite")
    return x


def contexts_by_items(table: ArrayLike) -> Floats:
    """Return the (g, n) table; ValueError below 5 contexts or 2 items, and for NaN or infinity."""
    x = np.asarray(table, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] < 5 or x.shape[1] < 2:
        raise ValueError(f"expected (g, n), at least 5 contexts by 2 items, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} of {x.size} values are not finite")
    return x


def cluster_codes(names: Sequence[Hashable], n: int) -> Places:
    """Return (n,) numbers from 0 for names of any kind, numbered by name and not by place."""
    listed = list(names)
    if len(listed) != n:
        raise ValueError(f"{len(listed)} names for {n} values")
    numbers = {name: i for i, name in enumerate(sorted(dict.fromkeys(listed), key=repr))}
    return np.fromiter((numbers[name] for name in listed), dtype=np.intp, count=n)


def several(count: int, what: str) -> int:
    """Return the count; ValueError below 2, which gives no standard error."""
    if count < 2:
        raise ValueError(f"an interval needs at least 2 {what}s, got {count}")
    return count


def check_range(smallest: float, largest: float, low: float | None, high: float | None) -> None:
    """ValueError where a value lies outside of the range that the caller stated."""
    if (low is not None and smallest < low - 1e-9) or (high is not None and largest > high + 1e-9):
        raise ValueError(f"values from {smallest} to {largest} leave the range {low} to {high}")
