"""Bins of confidence, and what is measured on them: pure functions of arrays.

Letters: n examples, b bins, r draws. A gap is right answers minus confidence, so negative means
overconfident. Bins are closed on the left, and 1.0 lies in the last. Statistics take (…, b) arrays and
reduce the last axis, so that one call measures the data or all draws of a simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Statistic = Callable[[Floats, Floats], Floats]
"""Counts (…, b) and summed gaps (…, b) to a number for each leading index."""

CELLS = 4_000_000
"""Numbers that a simulation holds in memory at once."""


@dataclass(frozen=True, slots=True)
class Bins:
    """What the occupied bins hold; empty ones are left out."""

    number: Places
    """(b,) which bin of the edges this is."""
    n: Floats
    """(b,) examples, at least 1."""
    confidence: Floats
    """(b,) mean confidence."""
    right: Floats
    """(b,) right answers."""

    @property
    def gap(self) -> Floats:
        """(b,) accuracy minus mean confidence."""
        return self.right / self.n - self.confidence

    def measure(self, statistic: Statistic) -> float:
        """Return the statistic of these bins."""
        return float(statistic(self.n, self.right - self.n * self.confidence))

    def weighed(self, weight: float) -> Bins:
        """Return bins in which each example counts for `weight`: below 1 where texts are copies of others."""
        return Bins(self.number, self.n * weight, self.confidence, self.right * weight)

    def keep(self, least: int) -> Bins:
        """Return the bins that hold at least so many examples."""
        kept = self.n >= least
        return Bins(self.number[kept], self.n[kept], self.confidence[kept], self.right[kept])


def width_edges(bins: int) -> Floats:
    """Return the (bins + 1,) edges of bins of equal width on [0, 1], as netcal's."""
    return np.linspace(0.0, 1.0, bins + 1)


def mass_edges(confidence: Floats, bins: int) -> Floats:
    """Return edges of bins that hold about equally many of the (n,) confidences, at most `bins`.

    Each inner edge is the midpoint between the last of a part and the first of the next; equal edges are
    merged, so equal confidences are never parted and heavy ties give fewer bins.

    Source: Kumar, Liang and Ma 2019, package `uncertainty-calibration`; its bins are closed on the right,
    ours on the left, which differs only where an edge is a confidence (a tie across a cut).
    """
    ranked = np.sort(confidence)
    sizes = [len(part) for part in np.array_split(ranked, min(bins, len(ranked)))]
    cuts = np.cumsum(sizes)[:-1]
    inner = np.unique((ranked[cuts - 1] + ranked[cuts]) / 2)
    return np.concatenate([[0.0], inner[(inner > 0) & (inner < 1)], [1.0]])


def places(confidence: Floats, edges: Floats) -> Places:
    """Return the (n,) number of the bin that each confidence lies in.

    >>> places(np.array([0.0, 0.49, 0.5, 1.0]), np.array([0.0, 0.5, 1.0])).tolist()
    [0, 0, 1, 1]
    """
    return np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, len(edges) - 2)


def bin_up(confidence: Floats, correct: Floats, edges: Floats) -> Bins:
    """Return the occupied bins of (n,) confidences and (n,) correctness, 0 or 1."""
    place = places(confidence, edges)
    count = np.bincount(place, minlength=len(edges) - 1)
    number = np.flatnonzero(count)
    n = count[number].astype(np.float64)
    total = np.bincount(place, weights=confidence, minlength=len(edges) - 1)[number]
    right = np.bincount(place, weights=correct, minlength=len(edges) - 1)[number]
    return Bins(number, n, np.asarray(total / n), np.asarray(right, dtype=np.float64))


def ece(n: Floats, gaps: Floats) -> Floats:
    """Return the expected calibration error Σ (n_b / n) |acc_b - conf_b| (Guo et al. 2017, equation 3)."""
    return np.asarray(np.abs(gaps).sum(axis=-1) / n.sum(axis=-1))


def rmsce(n: Floats, gaps: Floats) -> Floats:
    """Return the root of Σ (n_b / n) (acc_b - conf_b)²; empty bins count nothing."""
    squares = (gaps**2 / np.maximum(n, 1)).sum(axis=-1)
    return np.asarray(np.sqrt(squares / n.sum(axis=-1)))


def ace(n: Floats, gaps: Floats) -> Floats:
    """Return the plain mean of |acc_b - conf_b| over the occupied bins (Neumann et al. 2018)."""
    occupied = (n > 0).sum(axis=-1)
    return np.asarray((np.abs(gaps) / np.maximum(n, 1)).sum(axis=-1) / occupied)


def mce(n: Floats, gaps: Floats) -> Floats:
    """Return the largest |acc_b - conf_b|; empty bins count nothing."""
    return np.asarray((np.abs(gaps) / np.maximum(n, 1)).max(axis=-1))


def kumar_squared(bins: Bins) -> float:
    """Return the unbiased estimate of the mean squared gap; below 0 where the gaps are less than noise.

    Σ (n_b / n) [(conf_b - acc_b)² - acc_b (1 - acc_b) / (n_b - 1)], over bins with at least 2 examples.

    Source: Kumar, Liang and Ma 2019 (arXiv:1909.10155), definition 5.1; bins of one example, where the
    formula divides by zero, are left out.

    Raises:
        ValueError: no bin holds 2 examples.
    """
    full = bins.keep(2)
    if not full.n.size:
        raise ValueError("no bin holds 2 examples")
    accuracy = full.right / full.n
    noise = accuracy * (1 - accuracy) / (full.n - 1)
    return float((full.n * (full.gap**2 - noise)).sum() / full.n.sum())


def consistent(confidence: Floats, edges: Floats, rng: np.random.Generator, *, draws: int) -> Floats:
    """Return the (draws,) ECE of data whose every answer is right with exactly its confidence.

    Consistency resampling: the null distribution of the ECE of these confidences under perfect
    calibration, whatever the bins. `edges` must not depend on correctness.

    Source: Bröcker and Smith 2007; Vaicenavicius et al. 2019 (arXiv:1902.06977), section 4.
    """
    ranked = np.sort(confidence)  # (n,)
    place = places(ranked, edges)
    starts = np.flatnonzero(np.diff(place, prepend=-1))  # (b,)
    expected = np.add.reduceat(ranked, starts)
    n = len(ranked)
    found = np.empty(draws)
    rows = max(1, CELLS // n)
    for first in range(0, draws, rows):
        size = min(rows, draws - first)
        right = rng.random((size, n)) < ranked
        gaps = np.add.reduceat(right, starts, axis=1, dtype=np.int64) - expected  # (r, b)
        found[first : first + size] = np.abs(gaps).sum(axis=1) / n
    return found


def consistency_p(observed: float, null: Floats) -> float:
    """Return (1 + number of null draws that reach `observed`) / (draws + 1), in (0, 1]."""
    return float((1 + (null >= observed - 1e-12).sum()) / (len(null) + 1))


def netcal_error(
    name: Literal["ECE", "ACE", "MCE"], confidence: Floats, correct: Floats, *, bins: int, least: int = 1
) -> float:
    """Return netcal's error of equal-width bins that hold at least `least` examples; lower is better.

    netcal is given (n,) confidences and (n,) correctness, never labels: with labels of two values it
    would measure the second class and not the answer, and with two labels of three it fails.

    Source: netcal 1.4 `netcal.metrics`; slow to import, hence here.
    """
    from netcal.metrics import ACE, ECE, MCE

    kind = {"ECE": ECE, "ACE": ACE, "MCE": MCE}[name]
    return float(kind(bins=bins, sample_threshold=least).measure(confidence, correct))


def classwise_places(probabilities: Floats, bins: int) -> Places:
    """Return the (n, k) bin of each probability, numbered on over the classes: class · bins + bin."""
    k = probabilities.shape[1]
    return places(probabilities, width_edges(bins)) + bins * np.arange(k)


def classwise(place: Places, gaps: Floats) -> float:
    """Return the mean over classes of the ECE of "it is this class" in bins of equal width.

    Args:
        place: (n, k) from `classwise_places`.
        gaps: (n, k), 1 for the true class and 0 for the others, minus the probability.

    Source: Kull et al. 2019 (arXiv:1910.12656), equation 4, bins as netcal's.
    """
    return float(np.abs(np.bincount(place.ravel(), weights=gaps.ravel())).sum() / gaps.size)
