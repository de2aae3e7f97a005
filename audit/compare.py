"""What changed between two finished runs, a base and a candidate, and which one to prefer for what?

The answers of both models to the same items are compared in pairs; other numbers of the two runs by their
intervals. Differences are the candidate's minus the base's, each with its interval.
Why it matters: a new model can gain on average and lose where it counted, and two numbers side by side do not
say whether their difference is more than chance.
Not covered: what only one of the runs measured; test sets that differ; the noise between two trainings of one
recipe, of which a single pair of models says nothing.
Source: McNemar 1947; Newcombe 1998 (Stat. Med. 17:2635) for pairs; Zou and Donner 2008 (Stat. Med. 27:1693)
for numbers of two runs; the questions are those of Remarks 1, 2 and 8 of "Harnessing the Power of LLMs in
Practice" (Yang et al. 2023, arXiv:2304.13712).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from audit import pairing
from audit.differences import difference, find, standing
from audit.errors import DataError, shown
from audit.schema import Finding, Item, Outcome, Record, Skip
from audit.survey import lines

ABOUT = {
    "compare.answers": __doc__ or "",
    "compare.metrics": "How far apart are the numbers that the rules of either run ask for?",
    "compare.frontier": "Which of the two wins in quality, in cost, in latency?",
    "compare.survey": "What would the survey say of such a pair, and is it so here?",
    "compare.tuning": "What did tuning or alignment cost in robustness and calibration?",
}
"""What is said of each part of a comparison."""

PROBES = tuple(ABOUT)
"""Under these names rules can be written for a comparison."""

Role = Literal["candidate", "tuned", "aligned"]
"""What the candidate is to the base: another model, the base after tuning, or the base after alignment."""

FRONTIER = {
    "cost": ("efficiency.cost", "cost_per_1000", "by machine"),
    "latency": ("efficiency.latency", "p95_latency", "one text"),
}
"""Axis beside quality → probe, metric and slice that measure it."""

TUNING = (
    ("robustness.noise", "accuracy_drop", "mix"),
    ("robustness.adversarial", "accuracy_drop", "pruthi"),
    ("robustness.adversarial", "attack_success_rate", "deepwordbug"),
    ("robustness.shift", "accuracy_drop", None),
    ("calibration.confidence", "ece_debiased", "all"),
    ("calibration.confidence", "overconfidence", "all"),
)
"""What tuning or alignment may have cost; None: every slice."""


def compare(
    base: Record,
    candidate: Record,
    base_items: Iterable[Item],
    candidate_items: Iterable[Item],
    *,
    role: Role = "candidate",
) -> tuple[Outcome, ...]:
    """Return what the comparison found, or why a part of it could not be.

    Raises:
        DataError: other labels, or no item in common.
    """
    if base.labels != candidate.labels:
        raise DataError(
            f"the runs have other labels: {shown(base.labels)} and {shown(candidate.labels)}; "
            "audit both models for the same task"
        )
    answers = pairing.findings(pairing.pair(base_items, candidate_items), base.labels)
    metrics = _metrics(base, candidate)
    quality = next((one for one in answers if isinstance(one, Finding) and one.slice == "all"), None)
    return (
        *answers,
        *metrics,
        *_frontier(base, candidate, quality),
        *lines(base, candidate, quality),
        *_tuning(base, candidate, role),
    )


def _metrics(base: Record, candidate: Record) -> list[Finding | Skip]:
    """Return the difference of every number that has a direction and that a rule of either run asks for."""
    asked = {(v.rule.probe, v.rule.metric): v.rule.slice for r in (base, candidate) for v in r.verdicts}
    found: list[Finding | Skip] = []
    for one in candidate.outcomes:
        if not isinstance(one, Finding) or one.better not in ("lower", "higher"):
            continue
        wanted = asked.get((one.probe, one.metric))
        if wanted not in (one.slice, "worst") or find(base, one.probe, one.metric, one.slice) is None:
            continue
        where = f"{one.probe}/{one.metric}@{one.slice}"
        found.append(
            difference(
                base,
                candidate,
                one.probe,
                one.metric,
                one.slice,
                name="compare.metrics/difference",
                as_slice=where,
            )
        )
    return found


def _frontier(base: Record, candidate: Record, quality: Finding | None) -> Sequence[Finding | Skip]:
    axes: dict[str, Finding | Skip] = {}
    for name, (probe, metric, slice) in FRONTIER.items():
        axes[name] = difference(base, candidate, probe, metric, slice, name=f"compare.frontier/{name}")
    if quality is None:
        first: Finding | Skip = Skip(
            probe="compare.frontier",
            metric="quality",
            slice="all",
            reason="calibration.confidence was not part of both runs, and its test set is the quality axis",
        )
    else:
        first = Finding(
            probe="compare.frontier",
            metric="quality",
            estimate=quality.estimate,
            unit=quality.unit,
            better="higher",
            note=position(quality, axes),
        )
    return (first, *axes.values())


def position(quality: Finding, axes: dict[str, Finding | Skip]) -> str:
    """Say in words where the candidate stands: better, worse, or not to be told, on each axis."""
    words = {"quality": standing(quality)}
    words |= {name: "not measured" if isinstance(one, Skip) else standing(one) for name, one in axes.items()}
    said = ", ".join(f"{name} {word}" for name, word in words.items())
    better, worse = "better" in words.values(), "worse" in words.values()
    if better and worse:
        verdict = "each wins on an axis, so both are on the frontier: the constraint decides"
    elif better and "not measured" not in words.values():
        verdict = "the candidate wins on an axis and is not shown to lose on any"
    elif worse and "not measured" not in words.values():
        verdict = "the base wins on an axis and is not shown to lose on any"
    else:
        verdict = "what was measured does not settle which is to be preferred"
    return f"the candidate against the base: {said}; {verdict}"


def _tuning(base: Record, candidate: Record, role: Role) -> list[Finding | Skip]:
    if role == "candidate":
        return [
            Skip(
                probe="compare.tuning",
                reason="the base is not said to be the model before tuning: compare with it, and say --role "
                "tuned (or aligned)",
            )
        ]
    found: list[Finding | Skip] = []
    for probe, metric, slice in TUNING:
        slices = [slice] if slice else _slices(candidate, probe, metric) or ["every domain"]
        found += [
            difference(
                base,
                candidate,
                probe,
                metric,
                one,
                name=f"compare.tuning/{metric}",
                as_slice=f"{probe} {one}",
            )
            for one in slices
        ]
    return found


def _slices(record: Record, probe: str, metric: str) -> list[str]:
    return [
        one.slice
        for one in record.outcomes
        if isinstance(one, Finding) and (one.probe, one.metric) == (probe, metric)
    ]
