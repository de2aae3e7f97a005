"""Which of two models wins on what, by whole intervals; what was not measured is never a win."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit import compare, stats
from audit.differences import standing
from audit.errors import DataError
from audit.schema import Estimate, Facts, Finding, Item, Record, Rule, Skip, Source, Times, Usage, Verdict
from tests.audit.test_pairing import LABELS, runs

Compared = dict[tuple[str, str | None, str | None], Finding | Skip]


def finding(
    probe: str, metric: str, value: float, half: float, *, slice: str = "all", better: str = "lower"
) -> Finding:
    return Finding(
        probe=probe,
        metric=metric,
        slice=slice,
        estimate=Estimate(value=value, low=value - half, high=value + half, n=200, method="test"),
        unit="milliseconds" if metric == "p95_latency" else "share",
        better=better,  # type: ignore[arg-type]
    )


def run(kind: str, *outcomes: Finding, verdicts: tuple[Verdict, ...] = ()) -> Record:
    return Record(
        name="run",
        config="",
        profile="quick",
        seed=7,
        model=Facts(kind=kind, source=kind),  # type: ignore[arg-type]
        labels=LABELS,
        data=(Source(name="train", path="t", sha256="", rows=3000, used=3000),),
        versions={},
        probes={},
        about={},
        outcomes=outcomes,
        rules="default",
        verdicts=verdicts,
        checklist=(),
        times=Times(started="", seconds=0.0, probes={}, usage=Usage()),
    )


def compared(base: Record, candidate: Record, *, gained: int = 30, role: str = "candidate") -> Compared:
    items: tuple[list[Item], list[Item]] = runs(200, gained, 2, 40)
    found = compare.compare(base, candidate, *items, role=role)  # type: ignore[arg-type]
    return {(one.probe, one.metric, one.slice): one for one in found if isinstance(one, Finding | Skip)}


SLOW = finding("efficiency.latency", "p95_latency", 400.0, 20.0, slice="one text")
FAST = finding("efficiency.latency", "p95_latency", 30.0, 5.0, slice="one text")


def test_a_better_and_slower_candidate_leaves_both_on_the_frontier() -> None:
    found = compared(run("fine-tuned", FAST), run("in-context", SLOW))
    quality = found["compare.frontier", "quality", "all"]

    assert isinstance(quality, Finding)
    assert "quality better, cost not measured, latency worse" in quality.note
    assert "both are on the frontier" in quality.note
    latency = found["compare.frontier", "latency", "all"]
    assert isinstance(latency, Finding)
    assert pytest.approx(370.0) == latency.estimate.value
    assert "milliseconds" == latency.unit


def test_what_is_not_measured_does_not_settle_the_choice() -> None:
    found = compared(run("fine-tuned"), run("fine-tuned"))
    quality = found["compare.frontier", "quality", "all"]

    assert isinstance(quality, Finding)
    assert "does not settle" in quality.note
    missing = found["compare.frontier", "latency", "all"]
    assert isinstance(missing, Skip)
    assert (
        "efficiency.latency/p95_latency@one text was not measured for the base and the candidate"
        in missing.reason
    )


def test_a_candidate_that_wins_everywhere_is_said_to() -> None:
    cost = finding("efficiency.cost", "cost_per_1000", 2.0, 0.1, slice="by machine")
    dear = replace(cost, estimate=replace(cost.estimate, value=9.0, low=8.0, high=10.0))
    found = compared(run("in-context", SLOW, dear), run("fine-tuned", FAST, cost))
    quality = found["compare.frontier", "quality", "all"]

    assert isinstance(quality, Finding)
    assert "quality better, cost better, latency better; the candidate wins" in quality.note


def test_the_survey_is_held_against_what_was_measured() -> None:
    found = compared(run("fine-tuned", FAST), run("in-context", SLOW))

    tasks = found["compare.survey", "ordinary_task", "all"]
    latency = found["compare.survey", "latency", "all"]
    assert isinstance(tasks, Finding)
    assert isinstance(latency, Finding)
    assert "this pair says the opposite" in tasks.note  # the in-context one is better
    assert "this pair agrees" in latency.note  # the light one is faster
    few = found["compare.survey", "labels_at_hand", "all"]
    assert isinstance(few, Finding)
    assert "3,000 labelled training examples" in few.note
    domain = found["compare.survey", "out_of_domain", "every domain"]
    assert isinstance(domain, Skip)
    assert "Remark 1" in domain.reason
    assert "not measured here" in domain.reason


def test_two_models_of_one_kind_are_not_the_surveys_question() -> None:
    found = compared(run("fine-tuned"), run("fine-tuned"))
    one = found["compare.survey", None, None]

    assert isinstance(one, Skip)
    assert not one.applicable


def test_the_cost_of_tuning_needs_the_word_that_the_base_is_the_untuned_model() -> None:
    noise = finding("robustness.noise", "accuracy_drop", 0.05, 0.02, slice="mix")
    worse = finding("robustness.noise", "accuracy_drop", 0.15, 0.02, slice="mix")
    base, candidate = run("fine-tuned", noise), run("fine-tuned", worse)

    silent = compared(base, candidate)["compare.tuning", None, None]
    assert isinstance(silent, Skip)
    assert "--role tuned" in silent.reason
    told = compared(base, candidate, role="tuned")["compare.tuning", "accuracy_drop", "robustness.noise mix"]
    assert isinstance(told, Finding)
    assert pytest.approx(0.10) == told.estimate.value
    assert "worse" == standing(told)


def test_metrics_that_a_rule_asks_for_are_compared() -> None:
    rule = Rule(probe="robustness.noise", metric="flip_rate", slice="worst", max=0.1)
    verdict = Verdict(rule=rule, status="PASS", reason="")
    noise = finding("robustness.noise", "flip_rate", 0.05, 0.02, slice="typos")
    found = compared(run("fine-tuned", noise, verdicts=(verdict,)), run("fine-tuned", noise))

    assert ("compare.metrics", "difference", "robustness.noise/flip_rate@typos") in found


def test_other_labels_cannot_be_compared() -> None:
    other = replace(run("fine-tuned"), labels=("no", "yes"))

    with pytest.raises(DataError, match="other labels"):
        compared(run("fine-tuned"), other)


def test_square_and_add_of_two_shares_is_newcombes_interval() -> None:
    # his example: 5/56 against 0/29, (-0.0381, 0.1926)
    found = stats.independent_difference(stats.share(5, 56), stats.share(0, 29))
    newcombe = stats.share_difference(5, 56, 0, 29)

    ends = (newcombe.value, newcombe.low, newcombe.high)
    assert pytest.approx(ends) == (found.value, found.low, found.high)
    assert (-0.0381, 0.1926) == (round(found.low, 4), round(found.high, 4))
    assert 29 == found.n
