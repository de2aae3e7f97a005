"""From a measured calibration error to the true one: an interval by test inversion.

Binning noise alone makes a measured calibration error positive, and each bootstrap draw adds the same noise
once more: for a calibrated model the corrected basic bootstrap (2 · value - mean) misses the true 0 in about
two of five data sets, the percentile bootstrap in all. So the question is turned round. For a profile of
true gaps over the bins, scaled by λ ≥ 0, answers are simulated and the error is measured as on the data. The
interval holds every λ whose simulated errors make the measured one likely. Its lower end is above 0 only
where a consistency test would reject perfect calibration (λ = 0) at half the interval's error rate.

What the noise adds depends on how the true gaps spread over the bins, which nobody knows. Two profiles
bound it: `even`, the gaps shrunk to their mean (many small gaps hide in the noise, so the true error may be
high), and `sparse`, only the gaps that stand out of their noise (the rest of the measured error is noise, so
the true error may be low). The interval spans both; the value is the median-unbiased one of `even`. A
measured error below what even a perfect model would show five times in six is luck, and the upper end does
not profit from it (power-constrained limits, Cowan et al. 2011, arXiv:1105.3166): without that it could
shrink to nothing.

Held by simulation in `tests/probes/calibration/test_inversion.py`; the weakest case found is an error that
sits in a fifth of the examples and nowhere else, whose 95 % interval holds the truth nine times in ten at
n = 500.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from probes.calibration.ece import Bins, Floats, Statistic

ROUNDING = 1e-12
"""Simulated errors this near to the measured one count as equal."""
HALVINGS = 10
LUCK = 0.16
"""The upper end takes no measured error for less than this quantile of perfect calibration's."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What the true calibration error may be; low ≤ value ≤ high."""

    value: float
    low: float
    high: float
    n: int
    """Examples that each simulation draws."""
    draws: int
    """Simulations behind each end."""


def invert(
    bins: Bins,
    statistic: Statistic,
    *,
    seed: int,
    draws: int,
    level: float = 0.95,
    shapes: tuple[Floats, Floats] | None = None,
) -> Truth:
    """Return the true error behind the measured `bins.measure(statistic)`.

    Draws resample the examples over the bins and their answers within: Binomial(n_b, conf_b + λ gap_b),
    clipped to [0, 1]. Equal seeds for every λ keep the simulated errors comparable.

    Args:
        shapes: the profiles (even, sparse), each (b,); by default those of the bins.
    """
    even, sparse = profiles(bins) if shapes is None else shapes
    tail = (1 - level) / 2
    measured = bins.measure(statistic)
    broad = _Family(bins, statistic, even, seed, draws)
    lucky = max(measured, float(np.quantile(broad.errors(0.0), LUCK)))

    def centred(errors: Floats) -> bool:
        return _reach(errors, measured) + _pass(errors, measured) >= 1

    value = broad.error(broad.first(centred))
    ends = [value]
    for family in (broad, _Family(bins, statistic, sparse, seed, draws)):
        ends.append(family.error(family.first(lambda errors: _reach(errors, measured) >= tail)))
        ends.append(family.error(family.first(lambda errors: _pass(errors, lucky) > 1 - tail)))
    return Truth(value, min(ends), max(ends), broad.size, draws)


def profiles(bins: Bins) -> tuple[Floats, Floats]:
    """Return the (b,) gaps shrunk to their mean, and the (b,) gaps shrunk to zero one by one.

    `even`: James-Stein, one factor for all bins, estimated from how far the gaps spread beyond their noise.
    `sparse`: the non-negative garrote gap · max(0, 1 - noise / gap²) (Breiman 1995).
    Where all gaps are zero any direction is as good: overconfidence.
    """
    accuracy = (bins.right + 1) / (bins.n + 2)  # Laplace's, so that no bin claims to be without noise
    noise = accuracy * (1 - accuracy) / bins.n
    weight = bins.n / bins.n.sum()
    gap = bins.gap
    centre = float((weight * gap).sum())
    spread = float((weight * (gap - centre) ** 2).sum())
    expected = float((weight * noise).sum()) * (1 - 1 / len(gap))
    factor = max(0.0, 1 - expected / spread) if spread > 0 else 0.0
    even = centre + factor * (gap - centre)
    sparse = gap * np.clip(1 - noise / np.maximum(gap**2, 1e-300), 0, None)
    usable = [shape for shape in (sparse, gap, -np.ones_like(gap)) if np.abs(shape).max() > 1e-9]
    return even if np.abs(even).max() > 1e-9 else usable[-1], usable[0]


class _Family:
    """Worlds whose true gaps are λ times a profile."""

    def __init__(self, bins: Bins, statistic: Statistic, shape: Floats, seed: int, draws: int) -> None:
        self._bins, self._statistic, self._shape, self._seed = bins, statistic, shape, seed
        rng = np.random.default_rng(seed)
        self.size = max(1, round(float(bins.n.sum())))
        drawn = rng.multinomial(self.size, bins.n / bins.n.sum(), size=draws)
        self._n = drawn.astype(np.float64)  # (r, b)
        room = np.where(shape > 0, 1 - bins.confidence, bins.confidence)
        moving = np.abs(shape) > 1e-12
        self._most = float(
            (room[moving] / np.abs(shape[moving])).max()
        )  # here every bin is all right or all wrong
        self._seen: dict[float, Floats] = {}

    def error(self, scale: float) -> float:
        """Return the true error at this λ."""
        return float(self._statistic(self._bins.n, self._bins.n * (self._p(scale) - self._bins.confidence)))

    def errors(self, scale: float) -> Floats:
        """Return the (draws,) simulated errors at this λ."""
        if scale not in self._seen:
            rng = np.random.default_rng(self._seed + 1)
            right = rng.binomial(self._n.astype(np.int64), self._p(scale))  # (r, b)
            self._seen[scale] = self._statistic(self._n, right - self._n * self._bins.confidence)
        return self._seen[scale]

    def first(self, holds: Callable[[Floats], bool]) -> float:
        """Return the smallest λ at which `holds` of the simulated errors, the largest λ if at none."""
        if holds(self.errors(0.0)):
            return 0.0
        low, high = 0.0, self._start()
        while not holds(self.errors(high)):
            if high >= self._most:
                return self._most
            low, high = high, min(2 * high, self._most)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if holds(self.errors(middle)) else (middle, high)
        return high

    def _start(self) -> float:
        """Return a λ whose true error is about the measured one."""
        unit = float(self._statistic(self._bins.n, self._bins.n * self._shape))
        return min(max(self._bins.measure(self._statistic), 1e-3) / max(unit, 1e-12), self._most)

    def _p(self, scale: float) -> Floats:
        return np.clip(self._bins.confidence + scale * self._shape, 0, 1)


def _reach(errors: Floats, measured: float) -> float:
    """Return the share of simulated errors that are at least the measured one."""
    return float((errors >= measured - ROUNDING).mean())


def _pass(errors: Floats, measured: float) -> float:
    """Return the share of simulated errors that are larger than the measured one."""
    return float((errors > measured + ROUNDING).mean())
