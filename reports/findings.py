"""What a probe found, made ready for the page: its prose, its numbers, its pictures and its examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from audit.schema import Case, Crash, Finding, Point, Record, Series, Skip, Status
from reports import categories, diff, figures, prose, wording
from reports.digits import count, interval, p_value, reading

_MOST_CASES = 600
"""Examples on one page, shared out among the findings that have some."""
_LETTERS = 250_000
"""Characters of examples on one page, shared out among the examples shown."""
_SHORTEST, _LONGEST = 160, 1_200
_MOST_POINTS = 120
"""Marks of a picture that are listed beneath it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """One example: the text, the changed text, and what the model said of each."""

    case: Case
    before: diff.Shown
    after: diff.Shown | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture with its words and its numbers."""

    title: str
    drawing: Markup
    reading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """One row of a probe's table, and what hangs on it."""

    finding: Finding
    metric: str
    value: str
    direction: str
    p: str
    statuses: tuple[Status, ...]
    """Of the rules that this finding decided."""
    cases: tuple[CaseView, ...]
    cases_left_out: str
    is_open: bool
    """True where its examples stand open: a rule failed or is unsure on it."""
    figure: Figure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeView:
    """One probe's section."""

    id: str
    question: str
    about: Sequence[prose.Block]
    findings: tuple[FindingView, ...]
    skips: tuple[Skip, ...]
    gaps: Sequence[tuple[str, Skip]]
    """What was skipped, metrics with the same reason together."""
    crashes: tuple[Crash, ...]

    @property
    def figures(self) -> list[Figure]:
        """The pictures of its findings, in their order."""
        return [found.figure for found in self.findings if found.figure is not None]

    @property
    def state(self) -> str:
        """What became of the probe, in one word or two."""
        if self.crashes:
            return "crashed"
        if self.findings:
            return "ran, with gaps" if self.skips else "ran"
        if not self.skips:
            return "gave nothing"
        return "skipped" if any(skip.applicable for skip in self.skips) else "not applicable"


def probes(record: Record) -> list[ProbeView]:
    """Return every probe that the record names, in the order of the record."""
    ids = dict.fromkeys([*record.probes, *(outcome.probe for outcome in record.outcomes)])
    with_cases = sum(1 for o in record.outcomes if o.kind == "finding" and o.cases)
    most = max(1, _MOST_CASES // max(1, with_cases))
    total = sum(min(most, len(o.cases)) for o in record.outcomes if o.kind == "finding")
    letters = min(_LONGEST, max(_SHORTEST, _LETTERS // max(1, 2 * total)))
    return [_probe(record, probe, most, letters) for probe in ids]


def _probe(record: Record, probe: str, most: int, letters: int) -> ProbeView:
    mine = [outcome for outcome in record.outcomes if outcome.probe == probe]
    about = record.about.get(probe, "")
    statuses = _statuses(record, probe)
    found = [outcome for outcome in mine if outcome.kind == "finding"]
    skips = tuple(outcome for outcome in mine if outcome.kind == "skip")
    return ProbeView(
        id=probe,
        question=prose.question(about) or probe,
        about=prose.blocks(about),
        findings=tuple(
            _finding(f, statuses.get((f.metric, f.slice), ()), f"{probe}-{i}", most, letters)
            for i, f in enumerate(found)
        ),
        skips=skips,
        gaps=wording.gaps(skips),
        crashes=tuple(outcome for outcome in mine if outcome.kind == "crash"),
    )


def _statuses(record: Record, probe: str) -> Mapping[tuple[str, str], tuple[Status, ...]]:
    found: dict[tuple[str, str], tuple[Status, ...]] = {}
    for verdict in record.verdicts:
        if verdict.rule.probe == probe and verdict.estimate is not None:
            key = (verdict.rule.metric, verdict.slice or verdict.rule.slice)
            found[key] = (*found.get(key, ()), verdict.status)
    return found


def _finding(
    finding: Finding, statuses: tuple[Status, ...], key: str, most: int, letters: int
) -> FindingView:
    left_out = len(finding.cases) - most
    return FindingView(
        finding=finding,
        metric=wording.capital(wording.metric(finding.metric)),
        value=interval(finding.estimate, finding.unit, signed=finding.better == "zero"),
        direction=wording.DIRECTIONS[finding.better],
        p=p_value(finding.p),
        statuses=statuses,
        cases=tuple(_case(case, letters) for case in finding.cases[:most]),
        cases_left_out=f"{count(left_out)} more stand in record.json" if left_out > 0 else "",
        is_open=any(status in ("FAIL", "UNSURE") for status in statuses),
        figure=None if finding.series is None or not finding.series.points else _figure(finding.series, key),
    )


def _case(case: Case, letters: int) -> CaseView:
    if case.changed is None:
        return CaseView(case=case, before=diff.whole(case.text, letters), after=None)
    before, after = diff.changed(case.text, case.changed, letters)
    return CaseView(case=case, before=before, after=after)


def _figure(series: Series, key: str) -> Figure:
    is_x = series.kind == "reliability" or categories.is_share(series.x, [p.x for p in series.points])
    is_y = series.kind == "reliability" or categories.is_share(series.y, [p.y for p in series.points])
    listed = series.points[:_MOST_POINTS]
    left_out = len(series.points) - len(listed)
    if series.kind == "matrix":
        columns: tuple[str, ...] = (series.y, series.x, "n")
        rows: tuple[tuple[str, ...], ...] = tuple(
            (p.group or reading(p.y, percent=False), p.label or reading(p.x, percent=False), count(p.n))
            for p in listed
        )
    else:
        columns = ("group", series.x, series.y, "low", "high", "n")
        rows = tuple(_row(point, is_x=is_x, is_y=is_y) for point in listed)
    return Figure(
        title=series.title,
        drawing=figures.draw(series, key=key),
        reading=series.reading or figures.READING[series.kind],
        columns=columns,
        rows=rows,
        left_out=f"{count(left_out)} more stand in record.json" if left_out else "",
    )


def _row(point: Point, *, is_x: bool, is_y: bool) -> tuple[str, ...]:
    ends = ("" if end is None else reading(end, percent=is_y) for end in (point.low, point.high))
    return (
        point.group,
        point.label or reading(point.x, percent=is_x),
        reading(point.y, percent=is_y),
        *ends,
        count(point.n) if point.n else "",
    )
