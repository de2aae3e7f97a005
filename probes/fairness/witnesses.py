"""What a reader of counterfactual answers can see and check: notes, cases, the picture, and the items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from audit.schema import Case, Estimate, Finding, Item, Point, Series, Text, content_hash
from audit.seeds import Seeds
from probes.fairness.answered import Answered


def answers_given(one: Answered) -> list[str]:
    """Return the labels that were answered to any version, each once."""
    return [one.labels[i] for i in np.unique(one.predicted).tolist()]


def flag(one: Answered) -> str:
    """Say that a slice had one answer, empty where it had several."""
    return f"; every text was answered {one.one_answer!r}, so see the other slices" if one.one_answer else ""


def directions(one: Answered) -> str:
    """Return `120 swaps in 60 templates: female to male 3 of 60, male to female 2 of 60; …`."""
    rows, to = one.pairs
    source = one.first[rows]
    flipped = one.flipped
    parts: list[str] = []
    for g, group in enumerate(one.groups):
        if len(one.groups) == 2:
            other = one.groups[1 - g]
            here, words = source == g, f"{group} to {other}"
        else:
            here, words = to == g, f"to {group}"
        if here.any():
            parts.append(f"{words} {flipped[here].sum()} of {here.sum()}")
    units = "templates" if one.asked.origin == "templates" else "texts"
    more = f"; left out: {one.asked.left_out}" if one.asked.left_out else ""
    said = np.bincount(one.predicted.ravel(), minlength=len(one.labels))
    most = f"; {said.max()} of {said.sum()} answers are {one.labels[int(said.argmax())]!r}"
    return f"{len(rows)} swaps in {one.affected} {units}: {', '.join(parts)}{most}{more}"


def favoured(one: Answered, group: int, estimate: Estimate) -> str:
    """Say whom the shift favours, and what of; which label is good is not known."""
    name = one.groups[group]
    others = one.groups[1 - group] if len(one.groups) == 2 else "the other groups"
    if estimate.low <= 0 <= estimate.high:
        found = f"{name} and {others} are not told apart beyond chance"
    elif len(one.labels) == 2:
        label = one.labels[int(estimate.value > 0)]
        found = f"the same text is answered {label!r} more readily where it names {name} than {others}"
    else:
        side = "surer" if estimate.value > 0 else "less sure"
        found = f"the answer to the same text is {side} where it names {name} than {others}"
    if len(one.labels) == 2:
        low, high = one.labels
        what = f"P({high!r}) {estimate.value:+.4f}, P({low!r}) {-estimate.value:+.4f}"
    else:
        what = "of the answer that all versions get together"
    return f"{found}; shift of {what}; which label is good for a person the tool does not know"


def flips(one: Answered, count: int, seeds: Seeds, probe: str) -> tuple[Case, ...]:
    """Return some flipped swaps, at most one of a passage."""
    rows, to = one.pairs
    first: dict[int, int] = {}  # passage → the group of its first flip
    for i, g, flipped in zip(rows.tolist(), to.tolist(), one.flipped.tolist(), strict=True):
        if flipped:
            first.setdefault(i, g)
    picked = seeds.pick(sorted(first), count, lambda i: one.passages[i].id, probe, "cases", one.asked.slice)
    return tuple(_case(one, i, one.passages[i].first, first[i]) for i in picked)


def largest(one: Answered, group: int, count: int) -> tuple[Case, ...]:
    """Return the passages that speak most for the sign of the shift, with the group that is farthest off."""
    rows, values = one.shifts(group)
    sign = 1.0 if values.sum() >= 0 else -1.0
    ranked = sorted(range(len(rows)), key=lambda at: (-sign * values[at], one.passages[rows[at]].id))
    cases: list[Case] = []
    for at in ranked[:count]:
        i = int(rows[at])
        apart = np.where(one.told[i, group], sign * (one.watched[i, group] - one.watched[i]), -np.inf)
        cases.append(_case(one, i, int(apart.argmax()), group))
    return tuple(cases)


def _case(one: Answered, i: int, before: int, after: int) -> Case:
    passage = one.passages[i]
    return Case(
        example=passage.id,
        text=_shown(passage.texts[before]),
        changed=_shown(passage.texts[after]),
        label=passage.label,
        before=_said(one, i, before),
        after=_said(one, i, after),
        note=f"{one.groups[before]} to {one.groups[after]}, {one.asked.slice}",
    )


def _said(one: Answered, i: int, group: int) -> str:
    """Return `positive 0.71`."""
    place = int(one.predicted[i, group])
    return f"{one.labels[place]} {one.p[i, group, place]:.2f}"


def picture(shifts: Sequence[Finding]) -> Series:
    """Draw the signed shift of every group."""
    return Series(
        kind="dots",
        title="Signed shift by group",
        x="group and origin",
        y="shift of probability (points of share)",
        points=tuple(
            Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=shift.slice)
            for i, shift in enumerate(shifts)
            for e in [shift.estimate]
        ),
        reading="Each dot is what a text gets more when it names the group than when it names others, with "
        "its 95 % interval. Zero is even; of an axis of two groups the second one's dot would be the mirror.",
    )


def items(one: Answered, probe: str) -> Iterator[Item]:
    """Yield one item for each version: `original` for the first, then `unchanged`, `flipped` or `kept`."""
    predicted, first = one.predicted, one.first
    for i, passage in enumerate(one.passages):
        for g, group in enumerate(one.groups):
            outcome = "flipped" if predicted[i, g] != predicted[i, first[i]] else "kept"
            outcome = outcome if one.told[i, first[i], g] else "unchanged"
            yield Item(
                example=passage.id,
                content=content_hash(passage.texts[g]),
                probe=probe,
                variant=f"{one.asked.slice}: {group}",
                label=passage.label,
                predicted=one.labels[predicted[i, g]],
                probabilities=tuple(one.p[i, g].tolist()),
                outcome="original" if g == first[i] else outcome,
            )


def _shown(text: Text) -> str:
    return text if isinstance(text, str) else "\n".join(text)
