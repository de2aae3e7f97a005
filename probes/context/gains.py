"""What a method gains over the raw model: arrays, the words for it, the points of pictures, cases.

Letters: c contexts, n items, g sets, k labels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Case, Estimate, Point, Series
from audit.seeds import Seeds
from probes.calibration import ece
from probes.contexts import Answers
from probes.orders import letters

Floats = NDArray[np.float64]


def by_set(rows: NDArray[np.generic], answers: Answers) -> Floats:
    """Return (g, n): the mean of the (c, n) rows over the contexts of each set, sets by number."""
    of_set = np.array([context.set for context in answers.contexts])
    return np.stack([rows[of_set == s].mean(axis=0) for s in np.unique(of_set)])


def error_parts(answers: Answers, bins: int) -> Floats:
    """Return (c, n): what each item adds to the expected calibration error of its context, whose mean it is.

    ECE = Σ_b |Σ_{i in b} gap_i| / n is the mean of gap_i times the sign of its bin's sum, so that a change of
    it has an interval over items like any mean, to first order. Bins of equal width on the confidence.
    """
    edges = ece.width_edges(bins)
    parts = np.empty(answers.right.shape)
    for c, (p, right) in enumerate(zip(answers.probabilities, answers.right, strict=True)):
        confidence = p.max(axis=1)
        gap = right - confidence
        place = ece.places(confidence, edges)
        parts[c] = gap * np.sign(np.bincount(place, weights=gap, minlength=bins))[place]
    return parts


def said(gain: Estimate, before: float, after: float) -> str:
    """Say in words whether a method helps, by the interval of its gain."""
    change = f"accuracy {before:.3f} becomes {after:.3f}, a gain of {gain.value:.3f}"
    interval = f"{gain.low:.3f} to {gain.high:.3f}"
    if gain.low > 0:
        return f"helps: {change}, interval {interval} above 0"
    if gain.high < 0:
        return f"hurts here: {change}, interval {interval} below 0"
    return f"cannot be told: {change}, interval {interval} across 0"


def accuracy_by_method(held: Mapping[str, Estimate]) -> Series:
    """Return the accuracy of each method as dots, the raw model first."""
    return Series(
        kind="dots",
        title="Accuracy by method",
        x="method",
        y="accuracy (share)",
        points=tuple(
            Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=method)
            for i, (method, e) in enumerate(held.items())
        ),
        reading="One row for each way of mending the bias, the raw model first. All rows answer the same "
        "items, so rows whose intervals overlap may still differ: accuracy_gain compares them item by item.",
    )


def shares_beside(raw: Answers, mended: Answers, method: str) -> Series:
    """Return the share of each label among the answers to each order of labels, before and after."""
    names = letters(raw.labels)
    written = np.array(["".join(names[label] for label in context.labels) for context in raw.contexts])
    points = []
    for x, kind in enumerate(sorted(set(written.tolist()), key=lambda order: order[::-1])):
        for place, label in enumerate(raw.labels):
            for state, answers in (("raw", raw), (method, mended)):
                rows = answers.predicted[written == kind] == place  # (r, n)
                e = stats.mean(rows.mean(axis=0), low=0.0, high=1.0)
                group = f"{label}, {state}"
                points.append(Point(x=x, y=e.value, low=e.low, high=e.high, n=e.n, label=kind, group=group))
    legend = ", ".join(f"{letter} is {label!r}" for label, letter in names.items())
    return Series(
        kind="bars",
        title="Answers by order of the labels shown, before and after",
        x="labels of the demonstrations, first to last",
        y="share of answers",
        points=tuple(points),
        reading=f"Each row is an order of labels, {legend}, sorted by the last. The items have equally many "
        f"of each label. Bars that follow the last letter are recency: see whether {method} makes them even.",
    )


def turned(raw: Answers, mended: Answers, count: int, seeds: Seeds) -> tuple[Case, ...]:
    """Return up to `count` items whose answer under the only context became right or wrong, chosen by id."""
    changed = np.flatnonzero(raw.right[0] != mended.right[0]).tolist()
    picked = seeds.pick(changed, count, lambda i: raw.items[i].id, "contexts", "cases")
    return tuple(
        Case(
            example=raw.items[i].id,
            text="\n".join(part for part in (raw.items[i].text, raw.items[i].pair) if part),
            label=raw.items[i].label,
            before=raw.labels[raw.predicted[0, i]],
            after=raw.labels[mended.predicted[0, i]],
            note="mended" if mended.right[0, i] else "broken",
        )
        for i in picked
    )
