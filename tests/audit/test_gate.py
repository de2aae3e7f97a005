"""The truth table of the gate: where the interval lies, what was not measured, and the exit code."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import gate
from audit.schema import Crash, Estimate, Finding, Outcome, Rule, Skip, Status, Verdict, Waiver

DAY = date(2026, 11, 23)


def estimate(low: float, value: float, high: float, n: int = 400) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=n, method="test")


def finding(e: Estimate, metric: str = "m", slice: str = "all") -> Finding:
    return Finding(probe="p.q", metric=metric, slice=slice, estimate=e, unit="share", better="lower")


def rule(**changes: object) -> Rule:
    given_: dict[str, object] = {"probe": "p.q", "metric": "m", **changes}
    if "min" not in given_:
        given_.setdefault("max", 0.10)
    return Rule(**given_)  # type: ignore[arg-type]  # the tests give valid fields


def judge(r: Rule, *outcomes: Outcome, waivers: tuple[Waiver, ...] = ()) -> Verdict:
    return gate.judge([r], outcomes, waivers=waivers, today=DAY)[0]


BELOW, ACROSS, ABOVE = estimate(0.02, 0.05, 0.08), estimate(0.05, 0.08, 0.13), estimate(0.12, 0.15, 0.19)
SKIP = Skip(probe="p.q", reason="needs data.train")
NEVER = Skip(probe="p.q", reason="a fine-tuned model has no prompt", applicable=False)
CRASH = Crash(probe="p.q", error="ValueError: x", traceback="…")


@pytest.mark.parametrize(
    ("limits", "outcomes", "status"),
    [
        ({"max": 0.10}, [finding(BELOW)], "PASS"),
        ({"max": 0.10}, [finding(ACROSS)], "UNSURE"),
        ({"max": 0.10}, [finding(ABOVE)], "FAIL"),
        ({"min": 0.10}, [finding(BELOW)], "FAIL"),
        ({"min": 0.10}, [finding(ACROSS)], "UNSURE"),
        ({"min": 0.10}, [finding(ABOVE)], "PASS"),
        ({"max": 0.08}, [finding(BELOW)], "PASS"),
        ({"min": 0.12}, [finding(ABOVE)], "PASS"),
        ({"max": 0.10}, [], "NOT MEASURED"),
        ({"max": 0.10}, [finding(BELOW, metric="other")], "NOT MEASURED"),
        ({"max": 0.10}, [finding(BELOW, slice="other")], "NOT MEASURED"),
        ({"max": 0.10}, [SKIP], "NOT MEASURED"),
        ({"max": 0.10}, [NEVER], "NOT APPLICABLE"),
        ({"max": 0.10, "required": True}, [NEVER], "NOT MEASURED"),
        ({"max": 0.10}, [CRASH], "NOT MEASURED"),
        ({"max": 0.10}, [finding(BELOW), CRASH], "NOT MEASURED"),
        ({"max": 0.10}, [finding(ABOVE), CRASH], "FAIL"),
        ({"max": 0.10, "min_n": 500}, [finding(BELOW)], "UNSURE"),
        ({"max": 0.10, "min_n": 500}, [finding(ABOVE)], "UNSURE"),
        ({"max": 0.10, "min_n": 400}, [finding(BELOW)], "PASS"),
    ],
)
def test_status_follows_the_interval(
    limits: dict[str, object], outcomes: list[Outcome], status: Status
) -> None:
    assert status == judge(rule(**limits), *outcomes).status


def test_a_metric_skipped_by_name_is_not_measured_with_its_reason() -> None:
    verdict = judge(rule(), Skip(probe="p.q", metric="m", reason="too few"), finding(BELOW, metric="n"))

    assert ("NOT MEASURED", "too few") == (verdict.status, verdict.reason)


def test_a_skip_of_another_metric_says_what_the_probe_gave() -> None:
    verdict = judge(rule(), Skip(probe="p.q", metric="n", reason="too few"), finding(BELOW, metric="o"))

    assert "NOT MEASURED" == verdict.status
    assert "o@all" in verdict.reason


def test_unsure_names_the_n_that_would_decide() -> None:
    verdict = judge(rule(), finding(ACROSS))

    assert verdict.needed_n is not None
    assert verdict.needed_n > 400


def test_a_value_on_the_limit_names_no_n() -> None:
    assert judge(rule(max=0.08), finding(ACROSS)).needed_n is None


def test_too_small_an_n_names_at_least_the_smallest() -> None:
    needed = judge(rule(min_n=500), finding(BELOW)).needed_n

    assert needed is not None
    assert needed >= 500


def test_every_slice_good_passes_the_worst() -> None:
    verdict = judge(
        rule(slice="worst"), finding(BELOW, slice="a"), finding(estimate(0.0, 0.01, 0.03), slice="b")
    )

    assert ("PASS", "a") == (verdict.status, verdict.slice)


def test_one_slice_across_the_limit_leaves_the_worst_unsure() -> None:
    verdict = judge(rule(slice="worst"), finding(BELOW, slice="a"), finding(ACROSS, slice="b"))

    assert ("UNSURE", "b") == (verdict.status, verdict.slice)


def test_one_slice_far_beyond_the_limit_fails_the_worst() -> None:
    verdict = judge(rule(slice="worst"), finding(BELOW, slice="a"), finding(ABOVE, slice="b"))

    assert ("FAIL", "b") == (verdict.status, verdict.slice)


def test_a_slice_barely_beyond_the_limit_is_unsure_after_correction_for_many() -> None:
    barely = finding(estimate(0.101, 0.15, 0.199), slice="b")
    many = [finding(BELOW, slice=f"s{i}") for i in range(20)]

    assert "FAIL" == judge(rule(), finding(estimate(0.101, 0.15, 0.199))).status
    assert "UNSURE" == judge(rule(slice="worst"), barely, *many).status


def test_a_small_slice_keeps_the_worst_open() -> None:
    small = finding(estimate(0.0, 0.0, 0.05, n=9), slice="b")

    assert "UNSURE" == judge(rule(slice="worst", min_n=100), finding(BELOW, slice="a"), small).status


@pytest.mark.parametrize("only", [BELOW, ACROSS, ABOVE])
def test_the_worst_of_one_slice_is_that_slice(only: Estimate) -> None:
    verdict = judge(rule(slice="worst"), finding(only, slice="a"))
    alone = judge(rule(slice="a"), finding(only, slice="a"))

    assert ("a", alone.status, alone.reason) == (verdict.slice, verdict.status, verdict.reason)


def test_worst_of_nothing_is_not_measured() -> None:
    assert "NOT MEASURED" == judge(rule(slice="worst")).status


WAIVER = Waiver(rule="p.q/m", owner="team", reason="known", expires="2026-11-23")


def test_a_waiver_holds_through_its_last_day_and_is_shown() -> None:
    verdict = judge(rule(), finding(ABOVE), waivers=(WAIVER,))

    assert ("FAIL", WAIVER) == (verdict.status, verdict.waiver)
    assert 0 == gate.exit_code([verdict], [])


def test_an_expired_waiver_is_named_and_does_not_hold() -> None:
    late = Waiver(rule="p.q/m", owner="team", reason="known", expires="2026-11-22")
    verdict = judge(rule(), finding(ABOVE), waivers=(late,))

    assert verdict.waiver is None
    assert "expired on 2026-11-22" in verdict.reason
    assert 1 == gate.exit_code([verdict], [])


def test_a_waiver_of_another_slice_does_not_hold() -> None:
    assert judge(rule(slice="mix"), finding(ABOVE, slice="mix"), waivers=(WAIVER,)).waiver is None


def verdicts(*statuses: Status) -> list[Verdict]:
    return [Verdict(rule=rule(), status=status, reason="") for status in statuses]


@pytest.mark.parametrize(
    ("statuses", "crashes", "code", "warned"),
    [
        (["PASS"], [], 0, 0),
        (["PASS", "PASS"], [], 0, 0),
        (["PASS", "NOT APPLICABLE"], [], 0, 0),
        (["FAIL"], [], 1, 1),
        (["PASS", "FAIL", "UNSURE"], [], 1, 1),
        (["FAIL"], [CRASH], 1, 1),
        (["PASS"], [CRASH], 4, 4),
        (["UNSURE", "PASS"], [CRASH], 4, 4),
        ([], [CRASH], 4, 4),
        (["UNSURE"], [], 3, 0),
        (["PASS", "UNSURE"], [], 3, 0),
        (["PASS", "NOT MEASURED"], [], 3, 0),
        (["NOT MEASURED"], [], 3, 3),
        (["NOT APPLICABLE"], [], 3, 3),
        ([], [], 3, 3),
    ],
)
def test_the_exit_code_contract(statuses: list[Status], crashes: list[Crash], code: int, warned: int) -> None:
    assert code == gate.exit_code(verdicts(*statuses), crashes)
    assert warned == gate.exit_code(verdicts(*statuses), crashes, unsure="warn")


@pytest.mark.parametrize(
    ("code", "word"), [(0, "PROMOTE"), (1, "BLOCK"), (3, "UNDECIDED"), (4, "INCOMPLETE")]
)
def test_each_exit_code_has_its_word(code: int, word: str) -> None:
    assert word == gate.decide(code)


def test_verdicts_come_in_the_order_of_the_rules() -> None:
    rules = [rule(metric="b"), rule(metric="a"), rule(metric="c")]

    assert rules == [v.rule for v in gate.judge(rules, [finding(BELOW, metric="a")], today=DAY)]


@given(
    low=st.floats(0, 1),
    middle=st.floats(0, 1),
    high=st.floats(0, 1),
    limit=st.floats(0, 1, exclude_max=True),
    n=st.integers(1, 10_000),
)
def test_pass_and_fail_never_rest_on_the_value_alone(
    low: float, middle: float, high: float, limit: float, n: int
) -> None:
    a, b, c = sorted((low, middle, high))
    verdict = judge(rule(max=limit), finding(estimate(a, b, c, n)))

    assert (verdict.status == "PASS") == (c <= limit)
    assert (verdict.status == "FAIL") == (a > limit)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2)), min_size=1, max_size=8), st.floats(0, 1))
def test_the_worst_is_never_better_than_any_slice(slices: list[tuple[float, float]], limit: float) -> None:
    found = [
        finding(estimate(value - half, value, value + half), slice=f"s{i}")
        for i, (value, half) in enumerate(slices)
    ]
    singles = [judge(rule(max=limit, slice=f.slice), f).status for f in found]
    worst = judge(rule(max=limit, slice="worst"), *found).status

    assert (worst == "PASS") == all(status == "PASS" for status in singles)
    assert worst != "FAIL" or "FAIL" in singles
