"""Shares of groups, the gap between them, what chance makes of it, and an interval that knows the maximum.

A rate is a share of hits among those counted: accuracy counts everybody, a true positive rate those whose
label is the positive one. Letters: n examples, r rates, g groups. The rates of two groups are independent,
since no example is in two groups of a slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Estimate

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of each group."""

    name: str
    hits: Bools
    """(n,)"""
    counted: Bools
    """(n,)"""

    def counts(self, codes: Places, groups: int) -> tuple[Floats, Floats]:
        """Return (g,) hits and (g,) counted of each group."""
        inside = codes[self.counted]
        hits = np.bincount(inside, weights=self.hits[self.counted], minlength=groups)
        return hits.astype(np.float64), np.bincount(inside, minlength=groups).astype(np.float64)

    def large(self, codes: Places, groups: int, least: int) -> Bools:
        """Return (g,) which groups count at least so many."""
        enough: Bools = self.counts(codes, groups)[1] >= least
        return enough


def rates_of(truth: Places, predicted: Places, positive: int, name: str = "") -> tuple[Rate, Rate]:
    """Return the true and the false positive rate of one class against all others."""
    more = f" of {name}" if name else ""
    said, is_it = predicted == positive, truth == positive
    return (
        Rate(name=f"true positive rate{more}", hits=said, counted=is_it),
        Rate(name=f"false positive rate{more}", hits=said, counted=~is_it),
    )


# --- gaps -----------------------------------------------------------------------------------


def fairlearn_gap(rate: Rate, codes: Places, kept: Bools) -> float:
    """Return the largest minus the smallest rate over the (g,) kept groups, as fairlearn computes it.

    Only groups that count somebody may be kept: fairlearn gives 0 to a rate of nobody.
    """
    from fairlearn.metrics import MetricFrame, selection_rate

    rows = rate.counted & kept[codes]
    hits = rate.hits[rows].astype(int)
    frame = MetricFrame(metrics=selection_rate, y_true=hits, y_pred=hits, sensitive_features=codes[rows])
    return float(frame.difference(method="between_groups"))


def gap(rate: Rate, codes: Places, kept: Bools) -> float:
    """Return the same from counts; fast, for draws."""
    hits, n = rate.counts(codes, len(kept))
    return float(np.ptp(hits[kept] / n[kept]))


def gap_estimate(rates: Sequence[Rate], codes: Places, kept: Sequence[Bools]) -> Estimate:
    """Return the largest gap of all rates, in [0, 1], with an interval for the true largest gap.

    Newcombe's interval of every pair of groups and every rate, Bonferroni over all of them, so that all hold
    at once: the true maximum lies between the largest lower and the largest upper end. Two groups and one
    rate give Newcombe's interval. `n` is the smallest count of a group behind it.

    Args:
        rates: at least one.
        codes: (n,) group of each example.
        kept: for each rate the (g,) groups to compare, at least two, each of which counts somebody.
    """
    pairs = [
        (rate.counts(codes, len(here)), a, b)
        for rate, here in zip(rates, kept, strict=True)
        for a, b in combinations(np.flatnonzero(here).tolist(), 2)
    ]
    level = 1 - 0.05 / len(pairs)
    low, high, least = 0.0, 0.0, np.inf
    for (hits, n), a, b in pairs:
        one = stats.share_difference(int(hits[a]), int(n[a]), int(hits[b]), int(n[b]), level=level)
        low, high = max(low, one.low, -one.high), max(high, one.high, -one.low)
        least = min(least, one.n)
    value = max(fairlearn_gap(rate, codes, here) for rate, here in zip(rates, kept, strict=True))
    return held(value, low, high, n=int(least), method=_method("Newcombe", len(pairs)))


def worst_estimate(rate: Rate, codes: Places, kept: Bools) -> Estimate:
    """Return the rate of all minus that of the worst kept group, in [0, 1], with an interval of the true one.

    All minus a group is the share of the others times the others minus the group: Newcombe's interval of
    that, Bonferroni over groups as in `gap_estimate`. Of two groups that are all there are one is the mirror
    of the other, so they count as one comparison.
    """
    hits, n = rate.counts(codes, len(kept))
    places = np.flatnonzero(kept).tolist()
    count = 1 if len(kept) == 2 else len(places)
    low, high = 0.0, 0.0
    for g in places:
        others = float(n.sum() - n[g])
        one = stats.share_difference(
            int(hits.sum() - hits[g]), int(others), int(hits[g]), int(n[g]), level=1 - 0.05 / count
        )
        low, high = max(low, one.low * others / n.sum()), max(high, one.high * others / n.sum())
    value = worst(rate, codes, kept)
    return held(value, low, high, n=int(n[kept].min()), method=_method("Newcombe", count))


def worst(rate: Rate, codes: Places, kept: Bools) -> float:
    """Return the rate of all minus the smallest of the (g,) kept groups, cut at 0."""
    hits, n = rate.counts(codes, len(kept))
    return max(0.0, float(hits.sum() / n.sum() - (hits[kept] / n[kept]).min()))


def mean_gap_estimate(values: Floats, codes: Places, kept: Bools) -> Estimate:
    """Return the largest minus the smallest mean over groups of (n,) values in [-1, 1], with its interval.

    For each pair the t intervals of both means are joined (MOVER: by the squares of their halves), Bonferroni
    over pairs.

    Source: Zou and Donner 2008 (Stat. Med. 27:1693-1702) for MOVER.
    """
    pairs = list(combinations(np.flatnonzero(kept).tolist(), 2))
    level = 1 - 0.05 / len(pairs)
    mean = {
        g: stats.mean(np.sort(values[codes == g]), low=-1.0, high=1.0, level=level)
        for g in np.flatnonzero(kept).tolist()
    }
    low, high = 0.0, 0.0
    for a, b in [*pairs, *((b, a) for a, b in pairs)]:
        apart = mean[a].value - mean[b].value
        down = ((mean[a].value - mean[a].low) ** 2 + (mean[b].high - mean[b].value) ** 2) ** 0.5
        up = ((mean[a].high - mean[a].value) ** 2 + (mean[b].value - mean[b].low) ** 2) ** 0.5
        low, high = max(low, apart - down), max(high, apart + up)
    value = mean_gap(values, codes, kept)
    n = min(one.n for one in mean.values())
    return held(value, low, min(high, 2.0), n=n, method=_method("t intervals joined (MOVER)", len(pairs)))


def mean_gap(values: Floats, codes: Places, kept: Bools) -> float:
    """Return the largest minus the smallest mean over the (g,) kept groups."""
    sums = np.bincount(codes, weights=values, minlength=len(kept))
    n = np.bincount(codes, minlength=len(kept))
    return float(np.ptp(sums[kept] / n[kept]))


def held(value: float, low: float, high: float, *, n: int, method: str) -> Estimate:
    """Return an Estimate whose interval is widened, by rounding at most, to hold its value."""
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n, method=method)


def _method(name: str, comparisons: int) -> str:
    more = f", Bonferroni over {comparisons} comparisons" if comparisons > 1 else ""
    return f"{name}{more}, n is the smallest group"


# --- chance ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """What a gap is where groups mean nothing."""

    mean: float
    p: float
    """(1 + draws that reach the observed gap) / (draws + 1), in (0, 1]."""

    @property
    def words(self) -> str:
        """For a note."""
        return f"groups that mean nothing would lie {self.mean:.3f} apart on average, p {self.p:.3g}"


def null(
    statistic: Callable[[Places], float],
    codes: Places,
    truth: Places,
    rng: np.random.Generator,
    *,
    draws: int,
) -> Null:
    """Permute groups among examples of equal label: the base rates of the groups stay as they are.

    Args:
        statistic: of (n,) codes; large values speak against the null hypothesis.
        codes: (n,) group of each example, in an order that does not depend on the data's.
        truth: (n,) place of the label.

    Source: as `audit.stats.permutation_p`, with the mean of the draws besides.
    """
    alike = [np.flatnonzero(truth == label) for label in np.unique(truth)]
    found = np.empty(draws)
    mixed = codes.copy()
    for i in range(draws):
        for members in alike:
            mixed[members] = codes[rng.permutation(members)]
        found[i] = statistic(mixed)
    reached = int((found >= statistic(codes) - 1e-12).sum())
    return Null(mean=float(found.mean()), p=(1 + reached) / (draws + 1))
