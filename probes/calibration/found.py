"""How this probe's numbers become findings."""

from __future__ import annotations

from audit.schema import Better, Case, Correction, Estimate, Finding, Series
from probes.calibration.inversion import Truth

ID = "calibration.confidence"


def finding(
    metric: str,
    estimate: Estimate,
    *,
    unit: str = "share",
    better: Better = "lower",
    p: float | None = None,
    note: str = "",
    cases: tuple[Case, ...] = (),
    series: Series | None = None,
    correction: Correction | None = None,
) -> Finding:
    """Return a finding over all examples, by default a share of which less is better."""
    return Finding(
        probe=ID,
        metric=metric,
        estimate=estimate,
        unit=unit,
        better=better,
        p=p,
        note=note,
        cases=cases,
        series=series,
        correction=correction,
    )


def true_error(
    metric: str,
    truth: Truth,
    value: float,
    *,
    p: float | None = None,
    note: str = "",
    series: Series | None = None,
) -> Finding:
    """Return a measured calibration error with the interval of the true one."""
    estimate = widened(value, truth.low, truth.high, n=truth.n, method=f"test inversion, {truth.draws} draws")
    return finding(metric, estimate, p=p, note=note, series=series)


def widened(value: float, low: float, high: float, *, n: int, method: str) -> Estimate:
    """Return an Estimate; where the interval misses the value it is widened to it, and `method` says so."""
    if not low - 1e-9 <= value <= high + 1e-9:
        method += "; widened to hold the value"
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n, method=method)
