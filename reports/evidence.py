"""The checklist's evidence, with its numbers as the rest of the report writes them."""

from __future__ import annotations

from dataclasses import dataclass

from audit.schema import Finding, Record, Verdict
from reports import wording
from reports.digits import count, interval


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence: the id of what it rests on, and what is said of it."""

    id: str
    """Of a rule, a finding or a probe; empty where the sentence starts with none."""
    rest: str

    @property
    def probe(self) -> str:
        """The probe that the id belongs to."""
        return self.id.partition("/")[0]


def read(record: Record, sentence: str) -> Evidence:
    """Return a sentence of the checklist, with the numbers of the one rule or finding that it names.

    The record's sentence stands as it is where nothing or more than one thing bears the name.
    """
    head, rest = _split(record, sentence)
    if not head:
        first, space, rest = sentence.partition(" ")
        known = first in record.probes
        return Evidence(first, rest) if known and space else Evidence("", sentence)
    judged = [v for v in record.verdicts if v.rule.id == head and rest.startswith(v.status)]
    # A metric that is best at zero has two limits.
    meant = judged if len(judged) < 2 else [v for v in judged if rest.endswith(f", wanted {v.rule.limit}")]
    found = [o for o in record.outcomes if o.kind == "finding" and _name(o) == head]
    if len(meant) == 1 and meant[0].estimate is not None:
        return Evidence(head, _judged(record, meant[0]))
    if not judged and len(found) == 1:
        return Evidence(head, _found(found[0]))
    return Evidence(head, rest)


def _split(record: Record, sentence: str) -> tuple[str, str]:
    """Return the id that a sentence starts with and the rest; slices may hold spaces and colons."""
    names = {v.rule.id for v in record.verdicts} | {_name(o) for o in record.outcomes if o.kind == "finding"}
    own = max((name for name in names if sentence.startswith(f"{name}: ")), key=len, default="")
    if own:
        return own, sentence[len(own) + 2 :]
    head, colon, rest = sentence.partition(": ")
    return (head, rest) if colon and " " not in head else ("", sentence)


def _judged(record: Record, verdict: Verdict) -> str:
    rule, estimate, waiver = verdict.rule, verdict.estimate, verdict.waiver
    assert estimate is not None, "only measured rules come here"
    unit = wording.unit_of(record, rule.probe, rule.metric)
    value = interval(estimate, unit, limit=wording.limit_of(rule))
    waived = f", waived by {waiver.owner} until {waiver.expires}" if waiver else ""
    where = f" in {verdict.slice}" if verdict.slice else ""
    limit = wording.limit(rule, unit)
    return f"{verdict.status}{waived}: {value}, n = {count(estimate.n)}{where}, wanted {limit}"


def _found(finding: Finding) -> str:
    value = interval(finding.estimate, finding.unit, signed=finding.better == "zero")
    return f"{value}, n = {count(finding.estimate.n)}"


def _name(finding: Finding) -> str:
    where = "" if finding.slice == "all" else f"@{finding.slice}"
    return f"{finding.probe}/{finding.metric}{where}"
