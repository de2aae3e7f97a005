"""What Remarks 1, 2 and 8 of the survey would say of a pair of models, held against what was measured.

A line is a measured difference beside the sentence, or it says that nothing was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from audit.differences import difference, standing
from audit.schema import Finding, Record, Skip

PROBE = "compare.survey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sentence of the survey, in our words."""

    metric: str
    claim: str
    prefers: str
    """Kind of model that the sentence speaks for."""
    probe: str
    measure: str
    slice: str | None
    """None: every slice that both runs have."""


LINES = (
    Line(
        metric="out_of_domain",
        claim="Remark 1: a large model holds better on data of another domain",
        prefers="in-context",
        probe="robustness.shift",
        measure="accuracy_drop",
        slice=None,
    ),
    Line(
        metric="adversarial",
        claim="Remark 1: a large model holds better against adversarial text",
        prefers="in-context",
        probe="robustness.adversarial",
        measure="attack_success_rate",
        slice="deepwordbug",
    ),
    Line(
        metric="latency",
        claim="Remark 8(1): where latency binds, a light fine-tuned model is to be considered",
        prefers="fine-tuned",
        probe="efficiency.latency",
        measure="p95_latency",
        slice="one text",
    ),
    Line(
        metric="cost",
        claim="Remark 8(1): where cost binds, a light fine-tuned model is to be considered",
        prefers="fine-tuned",
        probe="efficiency.cost",
        measure="cost_per_1000",
        slice="by machine",
    ),
    Line(
        metric="shortcuts",
        claim="Remark 8(2): a model that was not tuned on the task has learned fewer shortcuts of its data",
        prefers="in-context",
        probe="shortcuts.trigger",
        measure="flip_excess",
        slice="neutral",
    ),
)


def lines(base: Record, candidate: Record, quality: Finding | None) -> list[Finding | Skip]:
    """Return every line: measured, with what it says of the sentence, or not measured and why."""
    kinds = {base.model.kind, candidate.model.kind}
    if len(kinds) == 1:
        return [
            Skip(
                probe=PROBE,
                reason=f"both models are {candidate.model.kind}, and the survey compares fine-tuned "
                "ones with those used in context",
                applicable=False,
            )
        ]
    found: list[Finding | Skip] = [*_quality(base, candidate, quality)]
    for line in LINES:
        for slice in _slices(base, candidate, line):
            one = difference(
                base,
                candidate,
                line.probe,
                line.measure,
                slice,
                name=f"{PROBE}/{line.metric}",
                as_slice="all" if line.slice else slice,
            )
            found.append(_beside(line, one, candidate))
    return found


def _quality(base: Record, candidate: Record, quality: Finding | None) -> Sequence[Finding | Skip]:
    """Return the lines about the task itself: ordinary classification, and few labels."""
    ordinary = Line(
        metric="ordinary_task",
        claim="Remark 2: a fine-tuned model is the better choice for ordinary understanding of language",
        prefers="fine-tuned",
        probe="",
        measure="",
        slice="all",
    )
    few = replace(
        ordinary,
        metric="labels_at_hand",
        claim="Remark 1: with few labels a large model is to be preferred, with many both can do; the runs "
        f"name {_labels(base, candidate)}",
        prefers="in-context",
    )
    if quality is None:
        why = "the test set was not asked of both models by calibration.confidence"
        return [Skip(probe=PROBE, metric=one.metric, slice="all", reason=why) for one in (ordinary, few)]
    bare = replace(quality, probe=PROBE, p=None, family=None, cases=())
    return [_beside(one, replace(bare, metric=one.metric), candidate) for one in (ordinary, few)]


def _labels(base: Record, candidate: Record) -> str:
    rows = {s.rows for record in (base, candidate) for s in record.data if s.name == "train"}
    return f"{max(rows):,} labelled training examples" if rows else "no training data"


def _slices(base: Record, candidate: Record, line: Line) -> list[str]:
    if line.slice is not None:
        return [line.slice]
    both = [
        {
            one.slice
            for one in record.outcomes
            if isinstance(one, Finding) and (one.probe, one.metric) == (line.probe, line.measure)
        }
        for record in (base, candidate)
    ]
    return sorted(both[0] & both[1]) or ["every domain"]


def _beside(line: Line, one: Finding | Skip, candidate: Record) -> Finding | Skip:
    """Put the sentence beside the number: agrees, disagrees, or cannot be told."""
    if isinstance(one, Skip):
        return replace(one, reason=f"{line.claim}: not measured here: {one.reason}")
    word = standing(one)
    if word == "not to be told":
        said = "these two cannot be told apart on it"
    else:
        wins = (candidate.model.kind == line.prefers) == (word == "better")
        said = "this pair agrees" if wins else "this pair says the opposite"
    return replace(one, note=f"{line.claim}; {said}. {one.note}")
