"""The difference of a number between two runs, by its intervals, and on which side of zero it lies."""

from __future__ import annotations

from audit import stats
from audit.schema import Finding, Record, Skip
from audit.spoken import spoken


def difference(
    base: Record, candidate: Record, probe: str, metric: str, slice: str, *, name: str, as_slice: str = "all"
) -> Finding | Skip:
    """Return candidate minus base of a number that both runs have, or a Skip that says who lacks it.

    Args:
        name: `probe/metric` of the difference, of `compare`.
        as_slice: its slice.
    """
    own, other = find(base, probe, metric, slice), find(candidate, probe, metric, slice)
    to_probe, _, to_metric = name.partition("/")
    if own is None or other is None:
        lacking = [which for which, one in (("base", own), ("candidate", other)) if one is None]
        return Skip(
            probe=to_probe,
            metric=to_metric,
            slice=as_slice,
            reason=f"{probe}/{metric}@{slice} was not measured for the {' and the '.join(lacking)}",
        )
    return Finding(
        probe=to_probe,
        metric=to_metric,
        slice=as_slice,
        estimate=stats.independent_difference(other.estimate, own.estimate),
        unit="points of share" if own.unit == "share" else own.unit,
        better=own.better,
        note=f"{probe}/{metric}@{slice}: candidate {spoken(other.estimate)}, base {spoken(own.estimate)}; "
        "taken as independent",
    )


def find(record: Record, probe: str, metric: str, slice: str) -> Finding | None:
    """Return a finding of a record, None where it has none."""
    for one in record.outcomes:
        if isinstance(one, Finding) and (one.probe, one.metric, one.slice) == (probe, metric, slice):
            return one
    return None


def standing(one: Finding) -> str:
    """Return better, worse, or `not to be told`, by the whole interval of a difference."""
    e = one.estimate
    if e.low <= 0 <= e.high or one.better not in ("lower", "higher"):
        return "not to be told"
    return "better" if (e.value > 0) == (one.better == "higher") else "worse"
