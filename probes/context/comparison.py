"""Findings that hold answers after mending against those before; what they measure stands in `mitigation`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from audit import stats
from audit.schema import Better, Correction, Estimate, Finding, Series, Skip
from audit.seeds import Seeds
from probes.context import gains
from probes.context.gains import Floats, by_set
from probes.context.mending import METHODS
from probes.context.turning import ends
from probes.contexts import Answers

ID = "context.mitigation"
CHOICES = ("global-entropy", "local-entropy")
"""Methods that choose orders."""
METRICS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "recipe": {
        "raw": ("accuracy", "recency"),
        **dict.fromkeys(METHODS, ("accuracy", "accuracy_gain", "recency", "ece_change")),
        **dict.fromkeys(CHOICES, ("accuracy", "accuracy_gain")),
    },
    "prompt": {
        "raw": ("accuracy",),
        **dict.fromkeys(METHODS, ("accuracy", "accuracy_gain", "ece_change")),
    },
}
"""Part → method → what is measured of it."""


def skips(part: str, reason: str, *methods: str) -> Iterator[Skip]:
    """Yield why methods were not measured in a part, all of them if none is named."""
    for method in methods or METRICS[part]:
        for metric in METRICS[part][method]:
            yield Skip(probe=ID, metric=metric, slice=f"{part}.{method}", reason=reason)


# --- the recipe ---------------------------------------------------------------------------


def recipe_accuracy(answers: Answers) -> Estimate:
    """Return the accuracy over sets, orders and items."""
    return stats.two_way_mean(by_set(answers.right, answers), low=0.0, high=1.0)


def recipe(method: str, raw: Answers, mended: Answers, *, bins: int) -> Iterator[Finding | Skip]:
    """Yield all that is measured of a correction over demonstration sets."""
    yield accuracy(f"recipe.{method}", recipe_accuracy(mended), "after mending")
    picture = gains.shares_beside(raw, mended, method) if method == METHODS[0] else None
    yield _recipe_gain(
        method,
        by_set(raw.right, raw),
        by_set(mended.right, mended),
        note=f"against the raw model{_same(raw, mended)}",
        series=picture,
    )
    yield recency(method, mended)
    errors = [gains.error_parts(answers, bins) for answers in (raw, mended)]
    change = by_set(errors[1] - errors[0], raw)
    estimate = stats.two_way_mean(change, low=-_bound(change), high=_bound(change))
    yield _ece_change(f"recipe.{method}", estimate, errors, bins)


def choice(method: str, raw: Answers, chosen: Floats, held: Estimate, *, keep: int) -> Iterator[Finding]:
    """Yield what choosing orders gains over taking any.

    Args:
        chosen: (g, n) accuracy of the chosen orders of each set.
        held: their accuracy.
        keep: how many are chosen.
    """
    yield accuracy(f"recipe.{method}", held, f"mean over {keep} orders of each set")
    yield _recipe_gain(method, by_set(raw.right, raw), chosen, note="against all orders of each set")


def recency(method: str, answers: Answers) -> Finding | Skip:
    """Return the share of answers with the last label minus that with the first, over all orders."""
    if answers.constant:
        return Skip(probe=ID, metric="recency", slice=f"recipe.{method}", reason=answers.constant)
    estimate = stats.two_way_mean(by_set(ends(answers), answers), low=-1.0, high=1.0)
    note = "share of answers with the last demonstration's label minus share with the first's"
    beside = "" if method == "raw" else "; before: recency@recipe.raw"
    return _change("recency", f"recipe.{method}", estimate, "zero", note + beside)


# --- the prompt ---------------------------------------------------------------------------


def prompt(
    raw: Answers,
    mended: Answers,
    fitted: Correction,
    *,
    bins: int,
    cases: int,
    seeds: Seeds,
    offered: bool,
) -> Iterator[Finding]:
    """Yield what a correction gains under the prompt in use.

    Args:
        fitted: the correction that did it.
        cases: shown of the first method.
        offered: whether the correction can be written out.
    """
    method, before, after = fitted.kind, raw.right[0], mended.right[0]
    better, worse = int((after & ~before).sum()), int((before & ~after).sum())
    both = int((before & after).sum())
    estimate = stats.paired_difference(both, better, worse, len(before) - both - better - worse)
    said = gains.said(estimate, before.mean(), after.mean())
    how = f"{better} answers mended, {worse} broken; fitted on {fitted.fitted_on}"
    note = f"{said}; {how}{_same(raw, mended)}"
    yield replace(
        _change("accuracy_gain", f"prompt.{method}", estimate, "higher", note),
        cases=gains.turned(raw, mended, cases, seeds) if method == METHODS[0] else (),
        correction=fitted if offered else None,
    )
    errors = [gains.error_parts(answers, bins) for answers in (raw, mended)]
    change = (errors[1] - errors[0])[0]
    estimate = stats.mean(change, low=-_bound(change), high=_bound(change))
    yield _ece_change(f"prompt.{method}", estimate, errors, bins)


# --- parts --------------------------------------------------------------------------------


def accuracy(name: str, estimate: Estimate, note: str, series: Series | None = None) -> Finding:
    """Return an accuracy as a finding of the slice `name`."""
    return Finding(
        probe=ID,
        metric="accuracy",
        slice=name,
        estimate=estimate,
        unit="share",
        better="higher",
        note=note,
        series=series,
    )


def _recipe_gain(
    method: str, before: Floats, after: Floats, *, note: str, series: Series | None = None
) -> Finding:
    """Return the gain of (g, n) accuracies over those before, paired in each set and item."""
    estimate = stats.two_way_mean(after - before, low=-1.0, high=1.0)
    by = (after - before).mean(axis=1)
    said = gains.said(estimate, before.mean(), after.mean())
    note = f"{said}; {note}; by set from {by.min():.3f} to {by.max():.3f}"
    return replace(_change("accuracy_gain", f"recipe.{method}", estimate, "higher", note), series=series)


def _ece_change(name: str, estimate: Estimate, errors: Sequence[Floats], bins: int) -> Finding:
    before, after = (part.mean() for part in errors)
    note = f"expected calibration error {before:.3f} becomes {after:.3f}, {bins} bins of equal width"
    return _change("ece_change", name, estimate, "lower", note)


def _change(metric: str, name: str, estimate: Estimate, better: Better, note: str) -> Finding:
    return Finding(
        probe=ID,
        metric=metric,
        slice=name,
        estimate=estimate,
        unit="points of share",
        better=better,
        family="mitigation",
        note=note,
    )


def _same(raw: Answers, mended: Answers) -> str:
    """Say where one answer was given to everything, before or after."""
    states = [when for when, answers in (("before", raw), ("after", mended)) if answers.constant]
    return f"; {' and '.join(states)} it the model gives one answer to everything" if states else ""


def _bound(change: Floats) -> float:
    """Return what no value exceeds: 1, but for parts of single items, which may lie beyond their mean."""
    return max(1.0, float(np.abs(change).max()))
