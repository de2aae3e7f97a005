"""A record without what differs between two equal runs: times, and all that was measured with a clock."""

from __future__ import annotations

from dataclasses import replace

from audit.schema import ChecklistItem, Record, Times, Usage, Verdict

CLOCKED = "efficiency."
"""Beginning of the ids of the probes that may use a clock; all others give the same numbers again."""


def timeless(record: Record) -> Record:
    """Return the record without its times, and without what came of probes that use a clock.

    Their rules and parameters stay: other limits are another promise.
    """
    return replace(
        record,
        times=Times(started="", seconds=0.0, probes={}, usage=Usage()),
        outcomes=tuple(one for one in record.outcomes if not one.probe.startswith(CLOCKED)),
        verdicts=tuple(map(_verdict, record.verdicts)),
        checklist=tuple(map(_item, record.checklist)),
    )


def _verdict(verdict: Verdict) -> Verdict:
    if not verdict.rule.probe.startswith(CLOCKED):
        return verdict
    return Verdict(rule=verdict.rule, status="NOT MEASURED", reason="")


def _item(item: ChecklistItem) -> ChecklistItem:
    """Each sentence of evidence starts with the id of its finding."""
    if not any(sentence.startswith(CLOCKED) for sentence in item.evidence):
        return item
    return replace(item, status="NOT MEASURED", evidence=(), action="")
