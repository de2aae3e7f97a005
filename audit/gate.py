"""Rules and outcomes to verdicts and an exit code. Decides on intervals, never on values; sees no model.

A rule with `max` is PASS when the whole interval is at most the limit, FAIL when the whole of it is above,
else UNSURE with the n at which the same value would decide. `slice: worst` asks that every slice hold: PASS
when each slice's interval is good (an intersection-union test, no correction), FAIL when some slice is bad
after widening its interval for the number of slices (the first step of Holm), else UNSURE. A slice that was
skipped keeps it from passing, unless it holds nothing to test (`Skip.applicable`); then it is named.
Nothing measured is never green, and a crash is never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from statistics import NormalDist
from typing import Literal

from audit import stats
from audit.schema import Crash, Estimate, Finding, Outcome, Rule, Skip, Status, Verdict, Waiver

RANGES = {"share": (0.0, 1.0), "points of share": (-1.0, 1.0)}
"""Unit → what its numbers can be; a limit at the good end or beyond it can never be broken."""
LEVEL = 0.95
"""Of the intervals that rules are decided on; a narrower one would pass more."""

Decision = Literal["PROMOTE", "BLOCK", "UNDECIDED", "INCOMPLETE"]
"""What the verdicts come to: in words for exit codes 0, 1, 3 and 4."""


def judge(
    rules: Sequence[Rule], outcomes: Sequence[Outcome], *, waivers: Sequence[Waiver] = (), today: date
) -> tuple[Verdict, ...]:
    """Return one verdict for every rule, in the order of the rules."""
    return tuple(_waived(_judge_one(rule, outcomes), waivers, today) for rule in rules)


def exit_code(
    verdicts: Sequence[Verdict], outcomes: Iterable[Outcome], *, unsure: Literal["fail", "warn"] = "fail"
) -> int:
    """Return 0, 1, 3 or 4 by the contract: fail before crash before undecided before pass.

    With `unsure="warn"` rules that are UNSURE or NOT MEASURED leave a 0, unless no rule at all was measured.
    """
    binding = [verdict.status for verdict in verdicts if verdict.waiver is None]
    if "FAIL" in binding:
        return 1
    if any(isinstance(outcome, Crash) for outcome in outcomes):
        return 4
    if not any(verdict.status in ("PASS", "FAIL", "UNSURE") for verdict in verdicts):
        return 3
    is_open = any(status in ("UNSURE", "NOT MEASURED") for status in binding)
    return 3 if is_open and unsure == "fail" else 0


def decide(code: int) -> Decision:
    """Return the word for an exit code of `exit_code`."""
    words: dict[int, Decision] = {0: "PROMOTE", 1: "BLOCK", 3: "UNDECIDED", 4: "INCOMPLETE"}
    return words[code]


def _judge_one(rule: Rule, outcomes: Sequence[Outcome]) -> Verdict:
    findings = [
        outcome
        for outcome in outcomes
        if isinstance(outcome, Finding)
        and (outcome.probe, outcome.metric) == (rule.probe, rule.metric)
        and rule.slice in (outcome.slice, "worst")
    ]
    if not findings:
        return _unmeasured(rule, outcomes)
    verdict = _worst(rule, findings) if rule.slice == "worst" else _single(rule, findings[0].estimate)
    if verdict.status != "PASS":
        return verdict
    if hollow := _hollow(rule, findings, outcomes):
        return replace(verdict, status="NOT MEASURED", reason=hollow)
    idle = [skip.slice for skip in _missing(rule, outcomes) if skip.slice is not None]
    more = f"; nothing to test in {', '.join(idle)}" if idle else ""
    return replace(verdict, reason=verdict.reason + more)


def _hollow(rule: Rule, findings: Sequence[Finding], outcomes: Sequence[Outcome]) -> str:
    """Return why intervals on the good side are no pass, empty where they are one."""
    if any(isinstance(outcome, Crash) and outcome.probe == rule.probe for outcome in outcomes):
        return "the probe crashed before it had finished"
    level = min(finding.estimate.level for finding in findings)
    if level < LEVEL:
        return f"the probe gave an interval of {level:.0%}, and a rule is decided on one of {LEVEL:.0%}"
    unit, limit = findings[0].unit, _limit(rule)
    least, most = RANGES.get(unit, (-math.inf, math.inf))
    if (rule.max is not None and limit >= most) or (rule.min is not None and limit <= least):
        return f"no {unit} lies beyond the limit {limit:g}, so it asks for nothing; 5 % is written 0.05"
    lost = next((skip for skip in _missing(rule, outcomes) if skip.applicable), None)
    return f"not every slice was measured: {lost.slice or 'one'}: {lost.reason}" if lost else ""


def _missing(rule: Rule, outcomes: Sequence[Outcome]) -> list[Skip]:
    """Return what a rule on every slice asks for and did not get."""
    if rule.slice != "worst":
        return []
    return [o for o in outcomes if isinstance(o, Skip) and o.probe == rule.probe and _concerns(o, rule)]


def _unmeasured(rule: Rule, outcomes: Sequence[Outcome]) -> Verdict:
    for outcome in outcomes:
        if outcome.probe != rule.probe:
            continue
        if isinstance(outcome, Crash):
            return Verdict(rule=rule, status="NOT MEASURED", reason=f"the probe crashed: {outcome.error}")
        if isinstance(outcome, Skip) and _concerns(outcome, rule):
            # A slice that is asked for by name must be there, whatever kept it away.
            free = not outcome.applicable and not rule.required and outcome.slice is None
            status: Status = "NOT APPLICABLE" if free else "NOT MEASURED"
            return Verdict(rule=rule, status=status, reason=outcome.reason)
    if any(outcome.probe == rule.probe for outcome in outcomes):
        known = sorted(
            {f"{o.metric}@{o.slice}" for o in outcomes if isinstance(o, Finding) and o.probe == rule.probe}
        )
        return Verdict(
            rule=rule,
            status="NOT MEASURED",
            reason=f"the probe gave no {rule.metric}@{rule.slice}; it gave {', '.join(known) or 'nothing'}",
        )
    return Verdict(rule=rule, status="NOT MEASURED", reason="the probe was not part of this run")


def _concerns(skip: Skip, rule: Rule) -> bool:
    return skip.metric in (None, rule.metric) and (rule.slice == "worst" or skip.slice in (None, rule.slice))


def _side(rule: Rule, low: float, high: float) -> Literal["good", "bad", "both"]:
    """Tell on which side of the limit an interval lies; an end on the limit is good."""
    if rule.max is not None:
        return "good" if high <= rule.max else "bad" if low > rule.max else "both"
    assert rule.min is not None, "a rule has a limit: the config checks it"
    return "good" if low >= rule.min else "bad" if high < rule.min else "both"


def _limit(rule: Rule) -> float:
    limit = rule.max if rule.max is not None else rule.min
    assert limit is not None, "a rule has a limit: the config checks it"
    return limit


def _single(rule: Rule, estimate: Estimate, slice_name: str | None = None) -> Verdict:
    margin = stats.decidable_margin(estimate)
    verdict = Verdict(
        rule=rule, status="UNSURE", reason="", estimate=estimate, slice=slice_name, decidable=margin
    )
    if estimate.n < rule.min_n:
        return replace(
            verdict,
            reason=f"n is {estimate.n}, the rule asks for at least {rule.min_n}",
            needed_n=max(rule.min_n, stats.needed_n(estimate, _limit(rule)) or rule.min_n),
        )
    match _side(rule, estimate.low, estimate.high):
        case "good":
            return replace(
                verdict, status="PASS", reason="all of the interval is on the good side of the limit"
            )
        case "bad":
            return replace(
                verdict, status="FAIL", reason="all of the interval is on the bad side of the limit"
            )
        case "both":
            return replace(
                verdict,
                reason="the interval lies across the limit",
                needed_n=stats.needed_n(estimate, _limit(rule)),
            )


def _worst(rule: Rule, findings: Sequence[Finding]) -> Verdict:
    """Judge every slice; the worst of them stands in the verdict."""
    if len(findings) == 1:
        return _single(rule, findings[0].estimate, findings[0].slice)
    enough = [finding for finding in findings if finding.estimate.n >= rule.min_n]
    failed = [f for f in enough if _side(rule, *_widened(f.estimate, len(findings))) == "bad"]
    singles = [_single(rule, finding.estimate, finding.slice) for finding in findings]
    order = sorted(singles, key=lambda verdict: _badness(rule, verdict))
    many = f"{len(findings)} slices"
    if failed:
        worst = max(failed, key=lambda f: -_room(rule, f.estimate))
        verdict = _single(rule, worst.estimate, worst.slice)
        reason = f"{worst.slice}, the worst of {many}, is on the bad side, corrected for their number"
        return replace(verdict, status="FAIL", reason=reason, needed_n=None)
    still_open = [verdict for verdict in order if verdict.status != "PASS"]
    if not still_open:
        last = order[-1]
        return replace(
            last, reason=f"all {many} are on the good side; the nearest to the limit is {last.slice}"
        )
    last = still_open[-1]
    reason = (
        last.reason if last.status == "UNSURE" else "bad alone, but not after correction for their number"
    )
    needed = [v.needed_n for v in still_open if v.needed_n is not None]
    return replace(
        last,
        status="UNSURE",
        reason=f"{last.slice}, the worst of {many}: {reason}",
        needed_n=max(needed) if needed else None,
    )


def _room(rule: Rule, estimate: Estimate) -> float:
    """Distance from the worse end of the interval to the limit; negative where it lies beyond."""
    if rule.max is not None:
        return rule.max - estimate.high
    return estimate.low - _limit(rule)


def _badness(rule: Rule, verdict: Verdict) -> float:
    assert verdict.estimate is not None, "only measured slices come here"
    return -_room(rule, verdict.estimate)


def _widened(estimate: Estimate, count: int) -> tuple[float, float]:
    """Return the interval at level 1 - (1 - level)/count, each half stretched as a normal one would be."""
    if count == 1:
        return estimate.low, estimate.high
    tail = (1 - estimate.level) / 2
    quantile = NormalDist().inv_cdf
    factor = quantile(1 - tail / count) / quantile(1 - tail)
    return (
        estimate.value - (estimate.value - estimate.low) * factor,
        estimate.value + (estimate.high - estimate.value) * factor,
    )


def _waived(verdict: Verdict, waivers: Sequence[Waiver], today: date) -> Verdict:
    if verdict.status in ("PASS", "NOT APPLICABLE"):
        return verdict
    for waiver in waivers:
        if waiver.rule not in (verdict.rule.id, verdict.rule.full_id):
            continue
        if date.fromisoformat(waiver.expires) >= today:
            return replace(verdict, waiver=waiver)
        past = f"; the waiver of {waiver.owner} expired on {waiver.expires}"
        return replace(verdict, reason=verdict.reason + past)
    return verdict
