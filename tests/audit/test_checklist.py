"""The checklist gathers the worst of what is known and says what nobody measured."""

from __future__ import annotations

from datetime import date

from audit import checklist, gate
from audit.schema import ChecklistItem, Crash, Estimate, Facts, Finding, Json, Outcome, Rule, Skip

TUNED = Facts(kind="fine-tuned", source="x")
PROMPTED = Facts(kind="in-context", source="x")
IDS = [
    "8.1a", "8.1b", "8.1c", "8.1d", "8.2a", "8.2b", "8.2c", "8.2d", "8.2e",
    "8.3a", "8.3b", "8.3c", "8.3d", "8.3e", "T1", "T2", "T3", "T4",
]  # fmt: skip


def finding(low: float, high: float, metric: str = "flip_rate", probe: str = "robustness.noise") -> Finding:
    middle = Estimate(value=(low + high) / 2, low=low, high=high, n=1000, method="test")
    return Finding(probe=probe, metric=metric, estimate=middle, unit="share", better="lower")


def items(
    outcomes: list[Outcome], rules: list[Rule], facts: Facts = TUNED, declared: dict[str, Json] | None = None
) -> dict[str, ChecklistItem]:
    verdicts = gate.judge(rules, outcomes, today=date(2026, 11, 23))
    return {item.id: item for item in checklist.gather(outcomes, verdicts, facts, declared or {})}


FLIP = Rule(probe="robustness.noise", metric="flip_rate", max=0.1)
DROP = Rule(probe="robustness.noise", metric="accuracy_drop", max=0.1)


def test_every_clause_is_there_whatever_was_measured() -> None:
    assert list(items([], [])) == IDS


def test_nothing_measured_is_nowhere_green() -> None:
    statuses = {item.status for item in items([], [], PROMPTED).values()}

    assert statuses == {"NOT MEASURED"}


def test_the_worst_verdict_of_its_rules_is_the_status() -> None:
    found = items([finding(0.01, 0.05), finding(0.2, 0.3, "accuracy_drop")], [FLIP, DROP])

    assert found["T1"].status == "FAIL"
    assert len(found["T1"].evidence) == 2
    assert found["T1"].action


def test_one_rule_not_measured_keeps_an_item_from_passing() -> None:
    assert items([finding(0.01, 0.05)], [FLIP, DROP])["T1"].status == "NOT MEASURED"


def test_a_pass_needs_no_action() -> None:
    passed = items([finding(0.01, 0.05)], [FLIP])["T1"]

    assert ("PASS", "") == (passed.status, passed.action)
    assert "n = 1,000" in passed.evidence[0]


def test_findings_without_a_rule_are_measured_not_passed() -> None:
    assert items([finding(0.0, 0.01, "ece", "calibration.confidence")], [])["T2"].status == "MEASURED"


def test_what_needs_demonstrations_does_not_apply_to_a_tuned_model() -> None:
    found = items([], [])

    assert {found[id].status for id in ("8.2b", "8.2c", "8.2d", "8.2e")} == {"NOT APPLICABLE"}


def test_a_classifier_that_generates_nothing_is_not_applicable_with_the_reason() -> None:
    skip = Skip(probe="safety.harmful", reason="does not generate", applicable=False)

    item = items([skip], [])["8.3a"]

    assert item.status == "NOT APPLICABLE"
    assert "does not generate" in item.evidence[0]


def test_a_skip_and_a_crash_are_told_as_such() -> None:
    crash = Crash(probe="robustness.noise", error="ValueError: x", traceback="t")
    skip = Skip(probe="robustness.shift", reason="needs data.shifts")
    found = items([crash, skip], [])

    assert ("NOT MEASURED", "NOT MEASURED") == (found["T1"].status, found["T3"].status)
    assert "crashed" in found["T1"].evidence[0]
    assert "needs data.shifts" in found["T3"].evidence[0]


def test_what_is_declared_is_shown_as_declared() -> None:
    item = items([], [], declared={"human_feedback": {"used": True, "evidence": "model card"}})["8.3e"]

    assert item.status == "DECLARED"
    assert "declared, not measured" in item.evidence[0]
    assert "model card" in item.evidence[0]
