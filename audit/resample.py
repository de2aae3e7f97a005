"""Bootstrap intervals: of any statistic over rows, clusters or strata, and over contexts by items.

Rows are put in an order of their own first (by cluster, then by content), so the order of the data
changes nothing. Read through `audit.stats`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.average import contexts_by_items, several
from audit.interval import Floats, fitted, flat, t_quantile
from audit.schema import Estimate
from audit.units import Strata, Units, sorted_units

FEW = 20
"""Below this many units the draws give a standard error only, not percentiles."""
WHOLE_JACKKNIFE = 2000
"""Up to this many units the jackknife leaves out each one."""
BLOCKS = 500
"""Parts that it leaves out in turn where there are more."""
OUTER, INNER = 100, 20
"""Draws, and draws of each, that measure how much a bias-corrected value varies."""

Statistic = Callable[..., float]


def bootstrap(
    statistic: Statistic,
    *arrays: ArrayLike,
    rng: np.random.Generator,
    clusters: Sequence[Hashable] | None = None,
    strata: Sequence[Hashable] | None = None,
    draws: int = 2000,
    level: float = 0.95,
    method: Literal["bca", "percentile"] = "bca",
    low: float | None = None,
    high: float | None = None,
) -> Estimate:
    """Return statistic(*arrays) with a bootstrap interval; `n` counts rows, or clusters.

    The tails are those of t(n - 1), not of the normal: plain percentiles and BCa are too short for few
    units. Percentile where the jackknife of BCa fails (no spread, not finite, all draws on one side),
    named in `method`. With fewer than 20 rows or clusters: value ± t(n - 1) times the bootstrap
    standard error times sqrt(n / (n - 1)). Draws without spread: Wilson's interval on the value's place
    in its range. Draws on which the statistic is not finite are left out and counted in `method`.

    Args:
        statistic: takes the arrays, resampled together, gives one number; must not depend on row order.
        arrays: each (n, …), sharing the first axis.
        clusters: (n,) rows of one cluster are drawn together.
        strata: (n,) rows (clusters) are drawn within their stratum; a cluster lies in one stratum.
        low: smallest possible value; the interval is clipped there.
        high: largest possible value; the interval is clipped there.

    Raises:
        ValueError: no rows, lengths that differ, one row or cluster, a value that is not finite, a
            statistic that is not finite on more than a tenth of the draws, no spread and no range.

    Source: Efron 1987 for BCa, its jackknife grouped above 2,000 units; Hesterberg 2015 (Am. Stat. 69),
    section 5.3 for the tails; Cameron, Gelbach and Miller 2008 on few clusters.
    """
    units, rows = sorted_units(arrays, clusters, strata)
    value = _value(statistic, rows)
    sample, lost = _kept(_draws(statistic, rows, units, units.strata, rng, draws))
    tails = _tails(units.count, level)
    places = None
    if units.count < FEW:
        ends, how = _t_ends(value, float(sample.std(ddof=1)), units.count, level), "t with bootstrap SE"
    else:
        if method == "bca":
            places = _bca_places(statistic, rows, units, value, sample, tails, rng)
        ends = np.quantile(sample, [tails, 1 - tails] if places is None else places)
        how = "BCa bootstrap" if places is not None else "percentile bootstrap"
        how += " (BCa failed)" if places is None and method == "bca" else ""
    if ends[0] == ends[1]:  # all draws, or most of them, are ties: a point would be a false green
        return flat(value, n=units.count, level=level, low=low, high=high)
    name = "rows" if clusters is None else "clusters"
    how = f"{how}, {draws} draws of {name}{_left_out(lost)}"
    return fitted(value, ends[0], ends[1], n=units.count, level=level, method=how, floor=low, ceiling=high)


def bootstrap_unbiased(
    statistic: Statistic,
    *arrays: ArrayLike,
    rng: np.random.Generator,
    clusters: Sequence[Hashable] | None = None,
    strata: Sequence[Hashable] | None = None,
    draws: int = 2000,
    level: float = 0.95,
    low: float | None = None,
    high: float | None = None,
) -> Estimate:
    """Return 2 · statistic - mean(draws) ± t(n - 1) · SE, for what noise pushes up, such as an ECE.

    The spread of the draws is that of the raw statistic; the corrected one varies more, so basic and
    percentile intervals are too short by a fifth (an upper end that is too low is a false PASS). The
    standard error is therefore that of the corrected value, by a second level of draws. Value and
    interval are clipped to the range. The correction removes the first order of the bias: an ECE whose
    truth is 0 stays above 0 by about half of what it was.

    Args and errors: as in `bootstrap`.

    Source: Efron and Tibshirani 1993, section 10.6 and, on the second level, Davison and Hinkley 1997,
    section 3.9; Kumar, Liang and Ma 2019 for the same correction of an ECE.
    """
    units, rows = sorted_units(arrays, clusters, strata)
    raw = _value(statistic, rows)
    sample, lost = _kept(_draws(statistic, rows, units, units.strata, rng, draws))
    if np.ptp(sample) == 0:
        return flat(raw, n=units.count, level=level, low=low, high=high)
    corrected, noise = np.empty(OUTER), np.empty(OUTER)
    for i in range(OUTER):
        picked = _picked(units.strata, rng)
        inner = _draws(statistic, rows, units, picked, rng, INNER)
        corrected[i] = 2 * _asked(statistic, rows, units, picked) - inner.mean()
        noise[i] = inner.var(ddof=1) / INNER
    known = np.isfinite(corrected)
    variance = float(sample.var(ddof=1))
    if known.sum() >= OUTER / 2:
        variance = max(variance, float(corrected[known].var(ddof=1) - noise[known].mean()))
    value = 2 * raw - float(sample.mean())
    ends = _t_ends(value, variance**0.5, units.count, level)
    name = "rows" if clusters is None else "clusters"
    how = f"bias-corrected, t with double bootstrap SE, {draws} draws of {name}{_left_out(lost)}"
    return fitted(value, ends[0], ends[1], n=units.count, level=level, method=how, floor=low, ceiling=high)


def bootstrap_two_way(
    statistic: Callable[[Floats], float],
    table: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.95,
    low: float | None = None,
    high: float | None = None,
) -> Estimate:
    """Return statistic(table) with an interval that draws contexts and items; `n` counts contexts.

    Both axes are resampled at once. Percentiles from 20 contexts on; below, value ± t(g - 1) times the
    bootstrap standard error times sqrt(g / (g - 1)). The variance is somewhat too large, never too small.

    Args:
        table: (g, n) one row for each context, one column for each item.
        low: smallest possible value, as in `bootstrap`.
        high: largest possible value, as in `bootstrap`.

    Raises:
        ValueError: fewer than 5 contexts, fewer than 2 items, or as in `bootstrap`.

    Source: Owen 2007 (Ann. Appl. Stat. 1:386-411), the pigeonhole bootstrap.
    """
    x = contexts_by_items(table)
    x = x[:, np.lexsort(x)]  # items in an order of their own
    g, n = x.shape
    value = _value(statistic, [x])
    found = [statistic(x[np.ix_(rng.integers(0, g, g), rng.integers(0, n, n))]) for _ in range(draws)]
    sample, lost = _kept(np.array(found, dtype=np.float64))
    if g < FEW:
        ends, how = _t_ends(value, float(sample.std(ddof=1)), g, level), "t with two-way bootstrap SE"
    else:
        tails = _tails(g, level)
        ends, how = np.quantile(sample, [tails, 1 - tails]), "two-way percentile bootstrap"
    if ends[0] == ends[1]:
        return flat(value, n=g, level=level, low=low, high=high)
    how = f"{how}, {draws} draws of contexts and items{_left_out(lost)}"
    return fitted(value, ends[0], ends[1], n=g, level=level, method=how, floor=low, ceiling=high)


# --- draws --------------------------------------------------------------------------------


def _value(statistic: Statistic, rows: Sequence[NDArray[Any]]) -> float:
    value = float(statistic(*rows))
    if not np.isfinite(value):
        raise ValueError(f"the statistic of the data is {value}")
    return value


def _picked(strata: Strata, rng: np.random.Generator) -> Strata:
    return [members[rng.integers(0, members.size, members.size)] for members in strata]


def _asked(statistic: Statistic, rows: Sequence[NDArray[Any]], units: Units, picked: Strata) -> float:
    place = units.rows(picked[0] if len(picked) == 1 else np.concatenate(picked))
    return float(statistic(*(array[place] for array in rows)))


def _draws(
    statistic: Statistic,
    rows: Sequence[NDArray[Any]],
    units: Units,
    strata: Strata,
    rng: np.random.Generator,
    draws: int,
) -> Floats:
    several(units.count, "row or cluster")
    return np.array([_asked(statistic, rows, units, _picked(strata, rng)) for _ in range(draws)])


def _kept(found: Floats) -> tuple[Floats, int]:
    """Return the finite draws, and how many were not."""
    sample = found[np.isfinite(found)]
    lost = found.size - sample.size
    if sample.size < 2 or lost > found.size / 10:
        raise ValueError(f"the statistic is not finite on {lost} of {found.size} draws: too few data")
    return sample, lost


def _left_out(lost: int) -> str:
    return f", {lost} undefined and left out" if lost else ""


def _tails(n: int, level: float) -> float:
    """Return the share of draws to leave at each end; near (1 - level) / 2 where n is large."""
    return NormalDist().cdf(-t_quantile(n - 1, level) * (n / (n - 1)) ** 0.5)


def _t_ends(value: float, deviation: float, n: int, level: float) -> Floats:
    # the plug-in variance of n units is (n - 1) / n of the unbiased one
    half = t_quantile(n - 1, level) * deviation * (n / (n - 1)) ** 0.5
    return np.array([value - half, value + half])


# --- BCa ----------------------------------------------------------------------------------


def _bca_places(
    statistic: Statistic,
    rows: Sequence[NDArray[Any]],
    units: Units,
    value: float,
    sample: Floats,
    tails: float,
    rng: np.random.Generator,
) -> Floats | None:
    """Return the two quantiles of the draws that BCa takes, None where it is undefined."""
    from scipy.special import ndtr, ndtri

    below = float((sample < value).mean() + (sample <= value).mean()) / 2  # ties count half
    skew = _acceleration(statistic, rows, units, rng)
    if not 0 < below < 1 or skew is None:
        return None
    shift = ndtri(below) + ndtri(tails) * np.array([1.0, -1.0])  # (2,)
    scale = 1 - skew * shift
    if (scale <= 0).any():
        return None
    places: Floats = ndtr(ndtri(below) + shift / scale)
    return places


def _acceleration(
    statistic: Statistic, rows: Sequence[NDArray[Any]], units: Units, rng: np.random.Generator
) -> float | None:
    """Return the acceleration constant from leaving out units, or blocks of them where they are many."""
    kept = np.ones(units.count, dtype=bool)
    cubes = squares = 0.0
    for members in units.strata:
        if members.size < 2:
            continue
        blocks = [members[i : i + 1] for i in range(members.size)]
        if units.count > WHOLE_JACKKNIFE:
            count = max(2, BLOCKS * members.size // units.count)
            blocks = np.array_split(rng.permutation(members), min(count, members.size))
        without = np.empty(len(blocks))
        for i, block in enumerate(blocks):
            kept[block] = False
            without[i] = _asked(statistic, rows, units, [np.flatnonzero(kept)])
            kept[block] = True
        influence = (len(blocks) - 1) * (without.mean() - without) / len(blocks)
        cubes += float((influence**3).sum())
        squares += float((influence**2).sum())
    if not np.isfinite(cubes) or squares <= 0:
        return None
    return float(cubes / (6 * squares**1.5))
