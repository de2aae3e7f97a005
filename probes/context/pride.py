"""PriDe: a model's liking for option letters, estimated on a few questions and taken off the others.

Source: Zheng et al. 2024 (arXiv:2309.03882), section 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def prior(logs: Floats) -> Floats:
    """Return (k,) probabilities of the letters whatever they stand for, mean over questions.

    Of each question softmax(mean over cyclic orders of log p(letter)): every choice has stood at every letter
    once, so what the question says cancels.

    Args:
        logs: (n, k orders, k letters) log-probabilities, n of at least 1.

    >>> prior(np.log([[[0.8, 0.2], [0.5, 0.5]]])).round(4).tolist()
    [0.6667, 0.3333]
    """
    each = logs.mean(axis=1)  # (n, k)
    whole: Floats = np.exp(each - np.logaddexp.reduce(each, axis=1, keepdims=True)).mean(axis=0)
    return whole


def debiased(logs: Floats, prior: Floats) -> Floats:
    """Return log-probabilities of the same shape with the prior taken off and normalised anew."""
    odds = logs - np.log(prior)
    whole: Floats = odds - np.logaddexp.reduce(odds, axis=-1, keepdims=True)
    return whole
