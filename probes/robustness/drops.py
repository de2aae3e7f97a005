"""What accuracy loses in another domain, and how much of it is only another mix of labels.

Letters: n examples of both sides, k labels. With a_y the accuracy in the other domain on label y, and the
mix of labels p in the test set and q in the other domain, the drop A - Σ q_y a_y is the sum of

    Σ p_y a_y - Σ q_y a_y   what the mix of labels explains: it goes when the other domain is re-weighted
    A - Σ p_y a_y           what remains: the model is worse on texts of the same label
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from audit import stats
from audit.schema import Estimate, Text
from probes.calibration.answers import Answers
from probes.robustness.sides import Bools, Floats, Pair, Places

DIGITS = 12
"""Parts of a drop are rounded here: draws that differ by rounding alone must not seem to have a spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Two labelled sides: what is right, and the label that would have been."""

    pair: Pair
    home: Answers
    away: Answers

    @property
    def right(self) -> Floats:
        """(n,) 1 where the answer is right, else 0."""
        return np.concatenate([self.home.correct, self.away.correct])

    @property
    def truth(self) -> Places:
        """(n,) place of the right label."""
        return np.concatenate([self.home.truth, self.away.truth])

    def check(self) -> None:
        """ValueError where the other domain has no example of a label of the test set."""
        unseen = np.setdiff1d(self.home.truth, self.away.truth)
        if unseen.size:
            names = ", ".join(repr(self.home.labels[i]) for i in unseen)
            raise ValueError(f"the domain has no example of the label {names}")


def accuracy_drop(known: Known, rng: np.random.Generator, *, draws: int) -> Estimate:
    """Return the accuracy at home minus that away, in [-1, 1]; higher is worse.

    Unpaired bootstrap, drawn within side and label: the interval takes the mix of labels of both samples as
    given. Where one side is all right or all wrong its draws have no spread, and Newcombe's unpaired interval
    over different texts stands in.
    """
    for answers in (known.home, known.away):
        if np.ptp(answers.correct) == 0:
            return stats.share_difference(*_counts(known.home), *_counts(known.away))
    return known.pair.bootstrap(
        lost, known.right, rng=rng, draws=draws, low=-1.0, high=1.0, within=known.truth.tolist()
    )


def explained(known: Known, rng: np.random.Generator, *, draws: int) -> Estimate:
    """Return the part of the drop that the mix of labels explains, in [-1, 1].

    Each side is drawn whole, labels and all, since the mix is what is measured.

    Raises:
        ValueError: the other domain lacks a label of the test set, or nearly so.
    """
    known.check()
    statistic = partial(explained_part, labels=len(known.home.labels))
    return known.pair.bootstrap(statistic, known.truth, known.right, rng=rng, draws=draws, low=-1.0, high=1.0)


def remaining(known: Known, rng: np.random.Generator, *, draws: int) -> Estimate:
    """Return the drop that remains when the other domain has the test set's mix of labels, in [-1, 1].

    Raises:
        ValueError: as in `explained`.
    """
    known.check()
    statistic = partial(remaining_part, labels=len(known.home.labels))
    return known.pair.bootstrap(statistic, known.truth, known.right, rng=rng, draws=draws, low=-1.0, high=1.0)


# --- statistics ---------------------------------------------------------------------------


def lost(away: Bools, right: Floats) -> float:
    """Return the accuracy at home minus that away."""
    return float(right[~away].mean() - right[away].mean())


def reweighted(away: Bools, truth: Places, right: Floats, *, labels: int) -> float:
    """Return the accuracy away, its labels weighed as at home; NaN where it lacks a label of home's.

    >>> away = np.array([False, False, True, True, True])
    >>> reweighted(away, np.array([0, 1, 0, 0, 1]), np.array([1.0, 1, 1, 1, 0]), labels=2)
    0.5
    """
    mix = np.bincount(truth[~away], minlength=labels)
    count = np.bincount(truth[away], minlength=labels)
    hits = np.bincount(truth[away], weights=right[away], minlength=labels)
    wanted = mix > 0
    if (count[wanted] == 0).any():
        return float("nan")
    return float((mix[wanted] * hits[wanted] / count[wanted]).sum() / mix.sum())


def explained_part(away: Bools, truth: Places, right: Floats, *, labels: int) -> float:
    """Return the re-weighted accuracy away minus the plain one."""
    return round(reweighted(away, truth, right, labels=labels) - float(right[away].mean()), DIGITS)


def remaining_part(away: Bools, truth: Places, right: Floats, *, labels: int) -> float:
    """Return the accuracy at home minus the re-weighted one away."""
    return round(float(right[~away].mean()) - reweighted(away, truth, right, labels=labels), DIGITS)


def _counts(answers: Answers) -> tuple[int, int]:
    """Return the right answers and the number of different texts, each by its first copy."""
    first: dict[Text, float] = {}
    for example, hit in zip(answers.examples, answers.correct.tolist(), strict=True):
        first.setdefault(example.input, hit)
    return int(sum(first.values())), len(first)
