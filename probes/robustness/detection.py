"""Can texts of another domain be told by a score? Pure functions of arrays.

Letters: n examples of both sides. A rank is the place of a score among all scores, 0 the lowest; equal
scores share one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Places = NDArray[np.intp]

DIGITS = 12
"""Scores that are equal up to here are equal: what differs beyond is rounding."""


def ranks(scores: Floats) -> Places:
    """Return the (n,) rank of each score.

    >>> ranks(np.array([0.9, 0.5, 0.9])).tolist()
    [1, 0, 1]
    """
    places: Places = np.unique(np.round(scores, DIGITS), return_inverse=True)[1]
    return places


def energy(logits: Floats) -> Floats:
    """Return (n,) log Σ exp z, the negative free energy: higher is more like what the model was tuned on.

    Source: Liu et al. 2020 (arXiv:2010.03759), equation 4, at temperature 1, sign turned.
    """
    total: Floats = np.logaddexp.reduce(logits, axis=1)
    return total


def auroc(positive: Bools, rank: Places) -> float:
    """Return the probability that a positive outranks a negative, ties counting half; NaN without either.

    >>> auroc(np.array([True, True, False]), np.array([2, 0, 1]))
    0.5
    """
    size = int(rank.max()) + 1
    above = np.bincount(rank[positive], minlength=size)
    below = np.bincount(rank[~positive], minlength=size)
    pairs = int(above.sum()) * int(below.sum())
    if pairs == 0:
        return float("nan")
    return float((above * (np.cumsum(below) - below / 2)).sum() / pairs)


def mistaken(away: Bools, rank: Places, kept: float) -> float:
    """Return the share of the other domain that passes where `kept` of the test set passes; lower is better.

    The limit is the highest rank that at least so large a share of the test set reaches; what lies on it
    passes. This is FPR at a TPR of `kept`, the test set being the positives; NaN without either side.

    >>> mistaken(np.array([False, False, True, True]), np.array([3, 1, 2, 0]), 0.95)
    0.5
    """
    if away.all() or not away.any():
        return float("nan")
    home = np.bincount(rank[~away], minlength=int(rank.max()) + 1)
    reach = np.cumsum(home[::-1])[::-1]  # examples of the test set at this rank or above
    limit = np.flatnonzero(reach >= kept * reach[0] - 1e-9)[-1]
    return float((rank[away] >= limit).mean())
