"""How accuracy falls as noise grows: one number for the curve, and the curve as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Estimate, Point, Series, Text
from probes import variants
from probes.variants import Bools


def retention(
    rates: Sequence[float],
    right: Sequence[Bools],
    rng: np.random.Generator,
    texts: Sequence[Text] | None = None,
) -> Estimate:
    """Return the mean accuracy over the rates by the accuracy at rate 0: 1 is no loss, higher is better.

    The area under the curve by the trapezoid rule, divided by the width of the rates and by the clean
    accuracy, with a bootstrap interval over examples. Draws of examples on which the model is never right
    have no ratio and are left out.

    Args:
        rates: (s,) rising, the first is 0.
        right: for each rate (r, n), whether the answer is right in each of r draws of the noise.
        texts: (n,) the originals; copies of a text are drawn together. None where all differ.

    Raises:
        ValueError: the model is never right at rate 0, or there is one text.
    """
    table = np.stack([each.mean(axis=0) for each in right], axis=1)  # (n, s)
    clean = float(table[:, 0].mean())
    if clean == 0:
        raise ValueError("no answer is right at rate 0")

    def statistic(table: NDArray[np.float64]) -> float:
        accuracy = table.mean(axis=0)
        area = float(np.trapezoid(accuracy, rates)) / rates[-1]
        return area / float(accuracy[0]) if accuracy[0] > 0 else float("nan")

    copies = None if texts is None or len(set(texts)) == len(texts) else texts
    return stats.bootstrap(statistic, table, rng=rng, clusters=copies, low=0.0, high=1 / clean)


def curve(rates: Sequence[float], right: Sequence[Bools]) -> Series:
    """Return accuracy with its interval at each rate; arguments as in `retention`."""
    estimates = [variants.share(each, np.ones_like(each)) for each in right]
    return Series(
        kind="curve",
        title="Accuracy as typos become more frequent",
        x="typo rate (share of letters)",
        y="accuracy (share)",
        points=tuple(
            Point(x=rate, y=e.value, low=e.low, high=e.high, n=e.n, group="accuracy")
            for rate, e in zip(rates, estimates, strict=True)
        ),
        reading="At 0 stands the accuracy on the original texts. A flat line is a model that reads through "
        "typos; bars are 95 % intervals.",
    )
