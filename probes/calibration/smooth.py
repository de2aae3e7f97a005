"""Calibration without bins: relplot's smooth error, its true value, and the curve of the diagram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audit.schema import Point
from probes.calibration.ece import Bins, Floats, bin_up, places, width_edges
from probes.calibration.inversion import Truth, invert, profiles

CELLS = 4
"""Cells to a bin, for simulating; with 15 bins a cell is 1/60 wide, less than the usual kernel."""
MESH = 51
NEAR = 5
"""A mark of the curve needs so many examples within two bandwidths; elsewhere the curve would be a guess."""


@dataclass(frozen=True, slots=True)
class Smooth:
    """The smooth calibration error and the bandwidth it chose for itself."""

    error: float
    """In [0, 1]; lower is better."""
    bandwidth: float
    """Standard deviation of the kernel, in units of confidence; in (0, 1]."""


def smooth_ece(confidence: Floats, correct: Floats) -> Smooth:
    """Return relplot's smECE of (n,) confidences and (n,) correctness.

    Source: Błasiok and Nakkiran 2023 (arXiv:2309.12236); reflected Gaussian kernel, 10 bisections.
    """
    from relplot.metrics import smECE

    error, bandwidth = smECE(confidence, correct, return_width=True)
    return Smooth(float(error), float(bandwidth))


def true_smooth_ece(
    confidence: Floats,
    correct: Floats,
    bandwidth: float,
    *,
    bins: int,
    seed: int,
    draws: int = 500,
    weight: float = 1.0,
) -> Truth:
    """Return the true smooth error by inversion, the bandwidth held where the data put it.

    relplot's own interval is an unseeded bootstrap, which adds the noise once more. The profiles of gaps
    are those of the bins; the examples are simulated in cells of a quarter of a bin, between which the
    kernel smooths. Each example counts for `weight`, as in `Bins.weighed`.
    """
    coarse = bin_up(confidence, correct, width_edges(bins)).weighed(weight)
    fine = bin_up(confidence, correct, width_edges(bins * CELLS)).weighed(weight)
    home = np.searchsorted(coarse.number, places(fine.confidence, width_edges(bins)))
    even, sparse = profiles(coarse)
    kernel = _kernel(fine, bandwidth)  # (b, m)

    def statistic(n: Floats, gaps: Floats) -> Floats:
        return np.asarray(np.abs(gaps @ kernel).sum(axis=-1) / n.sum(axis=-1))

    return invert(fine, statistic, seed=seed, draws=draws, shapes=(even[home], sparse[home]))


def curve(
    confidence: Floats, correct: Floats, bandwidth: float, *, rng: np.random.Generator, draws: int = 200
) -> tuple[Point, ...]:
    """Return the kernel-smoothed accuracy over confidence with a 95 % bootstrap band, where there are data.

    Smoothed are the gaps, to which the confidence is added again, so that a calibrated model's curve is
    the diagonal also at the ends of the data (relplot's `CenteredRegressor`).
    """
    mesh = np.linspace(0, 1, MESH)
    near = (np.abs(mesh[:, None] - confidence) <= 2 * bandwidth).sum(axis=1)  # (m,)
    inside = (mesh >= confidence.min() - 1e-9) & (mesh <= confidence.max() + 1e-9)
    shown = np.flatnonzero((near >= NEAR) & inside)
    if not shown.size:
        return ()
    middle = _smoothed(confidence, correct, mesh, bandwidth)
    n = len(confidence)
    drawn = []
    for _ in range(draws):
        pick = rng.integers(0, n, n)
        drawn.append(_smoothed(confidence[pick], correct[pick], mesh, bandwidth))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return tuple(
        Point(
            x=float(mesh[i]),
            y=float(middle[i]),
            low=float(min(low[i], middle[i])),
            high=float(max(high[i], middle[i])),
            n=int(near[i]),
            group="smooth",
        )
        for i in shown
    )


def _smoothed(confidence: Floats, correct: Floats, mesh: Floats, bandwidth: float) -> Floats:
    from relplot.kernels import ReflectedGaussianKernel

    gap, _ = ReflectedGaussianKernel(bandwidth).smooth(confidence, correct - confidence, mesh)
    return np.asarray(np.clip(mesh + gap, 0.0, 1.0))


def _kernel(cells: Bins, bandwidth: float) -> Floats:
    """Return the (b, m) weights with which each cell's gap spreads over a mesh; rows sum to one."""
    mesh = (np.arange(60) + 0.5) / 60
    centres = cells.confidence[:, None]
    weights = sum(
        np.exp(-(((mesh - image) / bandwidth) ** 2) / 2) for image in (centres, -centres, 2 - centres)
    )
    spread = np.asarray(weights).sum(axis=1, keepdims=True)
    return np.asarray(weights / np.maximum(spread, 1e-300))
