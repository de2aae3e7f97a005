"""The points of this dimension's pictures, as plain numbers."""

from __future__ import annotations

import numpy as np

from audit import stats
from audit.schema import Point, Series
from probes.calibration.ece import Bins, Floats
from probes.calibration.selective import ranks, rights


def reliability(bins: Bins, smooth: tuple[Point, ...]) -> Series:
    """Return accuracy over confidence: the bins with Wilson intervals, and the smooth curve."""
    marks = []
    for n, confidence, right in zip(bins.n, bins.confidence, bins.right, strict=True):
        held = stats.share(round(right), round(n))
        marks.append(
            Point(x=float(confidence), y=held.value, low=held.low, high=held.high, n=round(n), group="bins")
        )
    return Series(
        kind="reliability",
        title="Accuracy at each confidence",
        x="mean confidence",
        y="accuracy, share",
        points=(*marks, *smooth),
        reading=(
            "On the diagonal the model is right as often as it claims; below it the model is overconfident."
            " A mark whose interval crosses the diagonal shows no fault by itself, and few examples make wide"
            " intervals; the curve is drawn only where there are examples."
        ),
    )


def withheld(confidence: Floats, correct: Floats) -> Series:
    """Return accuracy over the share of examples that are answered, the most confident first."""
    n = len(correct)
    gained = rights(ranks(confidence), correct)
    points = []
    for k in sorted({max(1, int(np.ceil(step * n / 20))) for step in range(1, 21)}):
        held = stats.share(round(gained[k - 1]), k)
        value = float(gained[k - 1] / k)
        points.append(
            Point(x=k / n, y=value, low=min(held.low, value), high=max(held.high, value), n=k, group="model")
        )
    return Series(
        kind="curve",
        title="Accuracy when the least confident answers are withheld",
        x="share of examples answered",
        y="accuracy of the answered, share",
        points=tuple(points),
        reading=(
            "Read from right (everything is answered) to left (only the most confident answers are given). A"
            " useful confidence lifts the line to the left; a flat line means that confidence does not tell"
            " right from wrong."
        ),
    )
