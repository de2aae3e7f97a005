"""How much each place among the demonstrations pulls the answer towards the label that stands there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Estimate, Point, Series
from probes.contexts import Answers

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Effects of k slots, in log-odds that the answer is y when the demonstration there has the label y."""

    effects: tuple[Estimate, ...]
    """(k,) against the mean of all slots, first slot first."""
    last_minus_first: Estimate


def slot_effects(answers: Answers) -> Slots:
    """Fit logit P(answer = y) = a_y + Σ_j β_j · 1[label at j = y] over orders, items and labels.

    With a ridge penalty of strength 1 over all answers, so that a model that always says the last label has
    finite effects; with as many demonstrations of each label only differences of slots are known, so the
    effects are given against their mean. Intervals by the jackknife over items (t over pseudo-values).

    Raises:
        ValueError: fewer than 2 items, or items that are all answered alike.

    Source: after Zhao et al. 2021 (arXiv:2102.09690), section 4; Miller 1974 for the jackknife.
    """
    design = _design(answers.shown_labels(), len(answers.labels))  # (c y, k + y)
    hits = np.eye(len(answers.labels))[answers.predicted]  # (c, n, y)
    columns = hits.transpose(1, 0, 2).reshape(len(answers.items), -1)  # (n, c y)
    n, total = len(columns), columns.sum(axis=0)
    kinds, of_kind = np.unique(columns, axis=0, return_inverse=True)  # equal items are left out alike
    whole = _fit(design, total, n, len(answers.labels))  # (k,)
    without = np.array([_fit(design, total - kind, n - 1, len(answers.labels)) for kind in kinds])
    # Rounded: what differs by rounding alone is no spread, and would have an interval without a width.
    pseudo = np.round(n * whole - (n - 1) * without[of_kind.ravel()], 9)  # (n, k)
    return Slots(
        effects=tuple(stats.mean(slot) for slot in pseudo.T),
        last_minus_first=stats.mean(pseudo[:, -1] - pseudo[:, 0]),
    )


def picture(effects: tuple[Estimate, ...]) -> Series:
    """Return the effects as dots, one for each slot."""
    return Series(
        kind="dots",
        title="Pull of each place among the demonstrations",
        x="place of the demonstration",
        y="log-odds against the mean of all places",
        points=tuple(
            Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=_place(i, len(effects)))
            for i, e in enumerate(effects)
        ),
        reading="Right of zero: a label is answered more often when its demonstration stands there. Places "
        "that pull alike lie on zero.",
    )


def _place(i: int, k: int) -> str:
    return f"{i + 1}" + (" (first)" if i == 0 else " (last)" if i == k - 1 else "")


def _design(shown: Places, labels: int) -> Floats:
    """Return one row for each context and label y: whether each slot shows y, and which label y is."""
    own = shown[:, None, :] == np.arange(labels)[None, :, None]  # (c, y, k)
    classes = np.tile(np.eye(labels), (len(shown), 1))
    return np.hstack([own.reshape(-1, shown.shape[1]).astype(np.float64), classes])


def _fit(design: Floats, hits: Floats, n: int, labels: int) -> Floats:
    """Return the effects of the slots, their mean taken off."""
    from sklearn.linear_model import LogisticRegression

    rows = np.vstack([design, design])
    outcome = np.repeat([1, 0], len(design))
    model = LogisticRegression(C=1.0, solver="newton-cholesky", fit_intercept=False)
    model.fit(rows, outcome, sample_weight=np.concatenate([hits, n - hits]))
    slots: Floats = model.coef_[0, : design.shape[1] - labels]
    centred: Floats = slots - slots.mean()
    return centred
