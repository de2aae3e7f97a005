"""The checklist's evidence in the words of the rest of the report."""

from __future__ import annotations

from dataclasses import replace

from audit.checklist import gather
from audit.schema import Record, Rule, Status, Verdict
from reports import evidence
from tests.reports import sample


def said(record: Record, *verdicts: Verdict) -> list[str]:
    """What the report says of a rule's verdicts, in their order."""
    item = next(item for item in gather((), verdicts, record.model, {}) if item.id == "T1")
    whole = replace(record, verdicts=verdicts)
    return [evidence.read(whole, sentence).rest.replace("\u00a0", " ") for sentence in item.evidence]


def verdict(value: float, rule: Rule, status: Status = "FAIL") -> Verdict:
    estimate = sample.share(value, value - 0.01, value + 0.01, 60)
    return Verdict(rule=rule, status=status, reason="of the worst", estimate=estimate)


def test_two_limits_of_one_metric_that_end_alike_keep_their_own_numbers(record: Record) -> None:
    above = Rule(probe="robustness.noise", metric="accuracy_drop", max=0.02)
    below = Rule(probe="robustness.noise", metric="accuracy_drop", min=-0.02)

    first, second = said(record, verdict(0.042, above), verdict(-0.032, below))

    assert "FAIL: 4.2 points (3.2 to 5.2), n = 60, wanted at most 2 points" == first
    assert "FAIL: −3.2 points (−4.2 to −2.2), n = 60, wanted at least −2 points" == second


def test_two_limits_that_measured_nothing_say_why(record: Record) -> None:
    rules = [
        Rule(probe="robustness.noise", metric="accuracy_drop", max=0.02),
        Rule(probe="robustness.noise", metric="accuracy_drop", min=-0.02),
    ]
    nothing = [replace(verdict(0.0, rule, "NOT MEASURED"), estimate=None) for rule in rules]

    assert ["NOT MEASURED: of the worst"] * 2 == said(record, *nothing)
