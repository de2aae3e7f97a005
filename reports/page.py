"""The page that the person who signs reads: one HTML file, no network, no script.

The top answers in words; below it every number goes down to single examples. All text of the record is
escaped by the templates and cleaned by `plain.clean`; a content policy in the page forbids scripts and
requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from audit.schema import Json, Record, Source, Verdict
from reports import evidence, findings, forest, wording
from reports.digits import amount, count, date, duration, interval, plural
from reports.findings import ProbeView
from reports.plain import clean
from reports.wording import Decision

_MOST_REASONS = 3
_MOST_CONFIG = 100_000
_MOST_TRACEBACK = 20_000
_MOST_VALUE = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """One row of the table of rules."""

    anchor: str
    verdict: Verdict
    question: str
    limit: str
    value: str
    n: str
    bar: Markup
    needed: str
    decidable: str
    is_linked: bool
    """True where the page has a section of the rule's probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One line under the decision."""

    status: str
    anchor: str
    question: str
    value: str
    text: str


def render(
    record: Record, *, decision: Decision, exit_code: int, command: str = "audit run model.yaml"
) -> str:
    """Return the page.

    Args:
        record: all that the run learned; nothing else is read.
        decision: the gate's word for the run; shown, never worked out here.
        exit_code: what the command ended with.
        command: how to run the same audit again.
    """
    probes = findings.probes(record)
    rules = [_rule(record, i, verdict, probes) for i, verdict in enumerate(record.verdicts, start=1)]
    reasons = _reasons(record, rules)
    text = (
        _environment()
        .get_template("page.html")
        .render(
            record=record,
            decision=decision,
            sentence=wording.decision(record, decision),
            exit_code=exit_code,
            command=command,
            reasons=reasons[:_MOST_REASONS],
            more_reasons=max(0, len(reasons) - _MOST_REASONS),
            tally=_tally(record),
            test=next((source for source in record.data if source.name == "test"), None),
            rules=rules,
            checklist=[
                (item, [evidence.read(record, sentence) for sentence in item.evidence])
                for item in record.checklist
            ],
            probes=probes,
            ids={probe.id for probe in probes},
            usage=record.times.usage,
        )
    )
    return clean(text)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        amount=amount,
        counted=count,
        plural=plural,
        day=date,
        duration=duration,
        metric=wording.metric,
        capital=wording.capital,
        sentence=wording.sentence,
        plainly=_plainly,
        ticked=_ticked,
        labels=_labels,
        words=lambda status: status.lower().replace(" ", "-"),
        config=lambda text: _cut(text, _MOST_CONFIG),
        traceback=lambda text: _cut(text, _MOST_TRACEBACK),
    )
    environment.globals.update(marks=wording.MARKS, speed=wording.speed)
    return environment


def _rule(record: Record, place: int, verdict: Verdict, probes: Sequence[ProbeView]) -> RuleView:
    rule, estimate = verdict.rule, verdict.estimate
    unit = wording.unit_of(record, rule.probe, rule.metric)
    limit = wording.limit(rule, unit)
    value = "" if estimate is None else interval(estimate, unit, limit=wording.limit_of(rule))
    anchor = f"rule-{place}"
    about = f"Limit {limit}; {value or 'nothing measured'}; {verdict.status}."
    return RuleView(
        anchor=anchor,
        verdict=verdict,
        question=wording.question(rule, unit),
        limit=limit,
        value=value,
        n="" if estimate is None else count(estimate.n),
        bar=forest.draw(rule, estimate, verdict.status, key=anchor, about=about),
        needed=wording.needed(verdict.needed_n, None if estimate is None else estimate.n),
        decidable=wording.decidable(verdict.decidable, unit),
        is_linked=any(probe.id == rule.probe for probe in probes),
    )


def _reasons(record: Record, rules: Sequence[RuleView]) -> list[Reason]:
    """Return what speaks against promotion, the gravest first, each kind in the order of the rules."""
    crashed = [
        Reason(status="CRASHED", anchor=outcome.probe, question=outcome.probe, value="", text=outcome.error)
        for outcome in record.outcomes
        if outcome.kind == "crash"
    ]
    by_rule = {
        status: [
            Reason(
                status=status,
                anchor=row.anchor,
                question=row.question,
                value=row.value,
                text=row.verdict.reason,
            )
            for row in rules
            if row.verdict.status == status and row.verdict.waiver is None
        ]
        for status in ("FAIL", "NOT MEASURED", "UNSURE")
    }
    return [*by_rule["FAIL"], *crashed, *by_rule["UNSURE"], *by_rule["NOT MEASURED"]]


def _tally(record: Record) -> list[tuple[str, int, int]]:
    """Return (status, verdicts, of these waived), in the order in which statuses are explained."""
    all_ = Counter(verdict.status for verdict in record.verdicts)
    waived = Counter(verdict.status for verdict in record.verdicts if verdict.waiver is not None)
    return [(status, all_[status], waived[status]) for status in wording.STATUSES if all_[status]]


def _labels(source: Source) -> str:
    return ", ".join(f"{count(n)} {label}" for label, n in source.counts.items())


def _plainly(value: Json) -> str:
    return _cut(wording.plainly(value), _MOST_VALUE)


def _ticked(text: str) -> Markup:
    """Return prose with what stands between backticks set as code."""
    parts = (
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part)  # odd parts stood between backticks
        for i, part in enumerate(text.split("`"))
    )
    return Markup().join(parts) if text.count("`") % 2 == 0 else escape(text)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]} … {count(len(text) - most)} of {count(len(text))} characters are not shown"
