"""How well an order of demonstrations spreads its answers: two entropies, and the orders that have most.

Letters: o orders, m probing inputs, k labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probes.context.mending import LEAST, Asked, too_few

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

UNSEEN = 1e-5
"""Share of a label that is never answered."""


def global_entropy(probabilities: Floats) -> Floats:
    """Return (o,) the entropy of the histogram of answers to (o, m, k), in nats; higher is better.

    Low where an order gives nearly all inputs one label. A label that is never answered has the share 1e-5.

    Source: Lu et al. 2022 (arXiv:2104.08786), GlobalE, smoothing as in their code.

    >>> global_entropy(np.array([[[0.9, 0.1], [0.2, 0.8]]])).round(4).tolist()
    [0.6931]
    """
    k = probabilities.shape[2]
    shares = np.eye(k)[probabilities.argmax(axis=2)].mean(axis=1)  # (o, k)
    return _entropy(np.maximum(shares, UNSEEN))


def local_entropy(probabilities: Floats) -> Floats:
    """Return (o,) the mean entropy of each answer of (o, m, k), in nats; higher is better.

    Low where an order makes every answer certain.

    Source: Lu et al. 2022 (arXiv:2104.08786), LocalE.

    >>> local_entropy(np.array([[[0.5, 0.5], [1.0, 0.0]]])).round(4).tolist()
    [0.3466]
    """
    mean: Floats = _entropy(probabilities).mean(axis=1)
    return mean


def highest(entropies: Floats, keep: int) -> Places:
    """Return the places of the `keep` largest of (o,), the largest first; of equals the first.

    >>> highest(np.array([0.1, 0.7, 0.1, 0.7]), 3).tolist()
    [1, 3, 0]
    """
    # Rounded, so that what is equal but for rounding is taken by its place.
    return np.argsort(-entropies.round(9), kind="stable")[:keep]


def chosen(name: str, asked: Asked, *, keep: int) -> Floats:
    """Return (g, n) the accuracy of the `keep` orders of each of g sets whose answers have most entropy.

    Args:
        name: `global-entropy` or `local-entropy`, of the answers to the unlabelled texts.

    Raises:
        ValueError: too few unlabelled texts, or no more orders of a set than are kept.
    """
    free, right = asked.free, asked.answers.right
    if free.shape[1] < LEAST:
        raise ValueError(too_few(free.shape[1]))
    of_set = np.array([context.set for context in asked.answers.contexts])
    sets, sizes = np.unique(of_set, return_counts=True)
    if sizes.min() <= keep:
        raise ValueError(
            f"a set has {sizes.min()} orders and {keep} are kept: set `orders` or `shots` higher"
        )
    entropies = (global_entropy if name == "global-entropy" else local_entropy)(free)
    places = [np.flatnonzero(of_set == s) for s in sets]
    return np.stack([right[each[highest(entropies[each], keep)]].mean(axis=0) for each in places])


def _entropy(p: Floats) -> Floats:
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    summed: Floats = -(p * logs).sum(axis=-1) + 0.0
    return summed
