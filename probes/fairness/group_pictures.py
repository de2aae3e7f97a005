"""The shares of all groups, small ones too, as points of a picture; and answers that a reader can check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audit import stats
from audit.schema import Case, Point, Series
from probes.calibration.answers import Answers
from probes.fairness.group_rates import Floats, Rate
from probes.fairness.group_slices import Slice


def rates(found: Sequence[tuple[str, Rate]], where: Slice, *, title: str, y: str) -> Series:
    """Return a mark with its Wilson interval for each group and rate; a rate of nobody has no mark.

    Args:
        found: (name of the line, rate); one empty name where there is one line only.
    """
    points = []
    sizes = where.sizes
    for line, rate in found:
        hits, n = rate.counts(where.codes, len(where.groups))
        for g, group in enumerate(where.groups):
            if n[g]:
                one = stats.share(int(hits[g]), int(n[g]))
                points.append(
                    Point(
                        x=g,
                        y=one.value,
                        low=one.low,
                        high=one.high,
                        n=one.n,
                        label=f"{group} (n={sizes[group]})",
                        group=line,
                    )
                )
    return Series(
        kind="dots",
        title=title,
        x=where.name,
        y=y,
        points=tuple(points),
        reading="Each mark is one group with its own 95 % interval; n counts its examples. Groups with few "
        "examples have wide intervals: they are shown, and left out of the gaps.",
    )


def means(values: Floats, where: Slice) -> Series:
    """Return the mean of (m,) values of each group of at least two examples, with its t interval."""
    points = []
    for g, group in enumerate(where.groups):
        inside = np.sort(values[where.codes == g])
        if inside.size > 1:
            one = stats.mean(inside, low=-1.0, high=1.0)
            points.append(
                Point(x=g, y=one.value, low=one.low, high=one.high, n=one.n, label=f"{group} (n={one.n})")
            )
    return Series(
        kind="dots",
        title=f"Mean confidence minus accuracy by {where.name}",
        x=where.name,
        y="mean confidence minus accuracy, share",
        points=tuple(points),
        reading="Right of zero the model claims more than it delivers for this group, left of it less.",
    )


def errors(answers: Answers, where: Slice, group: int, picked: Sequence[int]) -> tuple[Case, ...]:
    """Return the picked places of the slice as cases of this group."""
    predicted = answers.scores.predicted
    rows = [int(where.rows[place]) for place in picked]
    return tuple(
        Case(
            example=answers.examples[i].id,
            text="\n".join(part for part in (answers.examples[i].text, answers.examples[i].pair) if part),
            label=answers.examples[i].label,
            before=answers.labels[predicted[i]],
            note=f"{where.name}: {where.groups[group]}",
        )
        for i in rows
    )
