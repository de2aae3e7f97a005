"""Accuracy when the least confident answers are withheld: pure functions of arrays.

Equally confident answers cannot be told apart, so a cut through a tie counts the tie's mean accuracy:
the result is the mean over all orders of the tie, not that of the order the data happen to have.
"""

from __future__ import annotations

import numpy as np

from probes.calibration.ece import Floats, Places


def ranks(confidence: Floats) -> Places:
    """Return the (n,) group of each confidence, 0 for the most confident; equal confidences share one."""
    groups: Places = np.unique(-confidence, return_inverse=True)[1]
    return groups


def rights(rank: Places, correct: Floats) -> Floats:
    """Return the (n,) expected number of right answers among the 1, 2, … n most confident."""
    n = np.bincount(rank)
    right = np.bincount(rank, weights=correct)
    share = right / np.maximum(n, 1)
    gained: Floats = np.cumsum(np.repeat(share, n))
    return gained


def accuracy_at(rank: Places, correct: Floats, coverage: float) -> float:
    """Return the accuracy of the most confident answers, a share; higher is better.

    Counted are the ⌈coverage · n⌉ most confident, at least one.

    >>> accuracy_at(np.array([0, 1, 1, 2]), np.array([1.0, 1.0, 0.0, 0.0]), 0.5)
    0.75
    """
    n = len(rank)
    k = max(1, int(np.ceil(coverage * n - 1e-9)))
    return float(rights(rank, correct)[k - 1] / k)


def area(rank: Places, correct: Floats) -> float:
    """Return the mean over k = 1 … n of the accuracy of the k most confident; higher is better.

    Source: HELM's coverage-accuracy area, which orders ties as the data do.
    """
    return float((rights(rank, correct) / np.arange(1, len(rank) + 1)).mean())
