"""Two runs of one audit have one digest, whatever the clock said; what the clock did not say counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit import record
from audit.schema import (
    ChecklistItem,
    Crash,
    Estimate,
    Facts,
    Finding,
    Outcome,
    Record,
    Rule,
    Skip,
    Times,
    Usage,
    Verdict,
)
from audit.timeless import timeless


def finding(probe: str, value: float) -> Finding:
    estimate = Estimate(value=value, low=value - 1, high=value + 1, n=9, method="m")
    return Finding(probe=probe, metric="x", estimate=estimate, unit="milliseconds", better="lower")


def a_record(probe: str, value: float, limit: float = 5.0) -> Record:
    """A run whose one number, verdict and item of the checklist are of a probe."""
    measured = finding(probe, value)
    return Record(
        name="n",
        config="",
        profile="quick",
        seed=7,
        model=Facts(kind="fine-tuned", source="x"),
        labels=("a", "b"),
        data=(),
        versions={},
        probes={probe: {"requests": 9}},
        about={},
        outcomes=(measured,),
        rules="default",
        verdicts=(
            Verdict(
                rule=Rule(probe=probe, metric="x", max=limit),
                status="PASS" if value < limit else "FAIL",
                reason=f"it is {value}",
                estimate=measured.estimate,
            ),
        ),
        checklist=(
            ChecklistItem(
                id="8.1a", clause="c", question="q", status="PASS", evidence=(f"{probe}/x: PASS: {value}",)
            ),
        ),
        times=Times(started="", seconds=0.0, probes={}, usage=Usage()),
    )


@pytest.mark.parametrize("probe", ["efficiency.latency", "efficiency.cost", "efficiency.footprint"])
def test_another_time_and_its_verdict_leave_the_digest_alone(probe: str) -> None:
    assert record.digest(a_record(probe, 3.0)) == record.digest(a_record(probe, 8.0))


def test_another_number_of_any_other_probe_changes_the_digest() -> None:
    assert record.digest(a_record("robustness.noise", 3.0)) != record.digest(
        a_record("robustness.noise", 4.0)
    )


def test_another_limit_on_a_time_changes_the_digest() -> None:
    slow, fast = (
        a_record("efficiency.latency", 3.0, limit=6.0),
        a_record("efficiency.latency", 3.0, limit=5.0),
    )

    assert record.digest(slow) != record.digest(fast)


@pytest.mark.parametrize(
    "outcome",
    [
        Skip(probe="efficiency.latency", metric="p99_latency", reason="too few"),
        Crash(probe="efficiency.latency", error="e", traceback="t"),
    ],
)
def test_whether_a_time_could_be_taken_leaves_the_digest_alone(outcome: Outcome) -> None:
    before = a_record("efficiency.latency", 3.0)

    assert record.digest(before) == record.digest(replace(before, outcomes=(outcome,)))


def test_what_no_clock_measured_stays_as_it_is() -> None:
    before = a_record("robustness.noise", 3.0)

    assert before == timeless(before)


def test_the_times_are_kept_in_the_record_itself() -> None:
    before = a_record("efficiency.latency", 3.0)

    assert before == record.loads(record.dumps(before))
