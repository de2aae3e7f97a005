"""The spread of recall over option letters, with an interval that knows that noise alone spreads it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Estimate

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def deviation(recall: Floats) -> Floats:
    """Return the standard deviation over the last axis, of all k letters there are (divided by k)."""
    spread: Floats = recall.std(axis=-1)
    return spread


def largest(k: int) -> float:
    """Return the largest deviation that k shares can have: half of them 0, half of them 1.

    >>> largest(4)
    0.5
    """
    return float(((k // 2) * (k - k // 2)) ** 0.5 / k)


def estimate(right: Bools, rng: np.random.Generator, *, draws: int, level: float = 0.95) -> Estimate:
    """Return the standard deviation of recall over k letters, in [0, 1/2], what noise adds to it taken off.

    The value is the root of the squared deviation less that of bootstrap noise, 0 where noise alone is as
    large. The interval inverts a test: worlds whose recalls differ in the observed direction, by more or by
    less, with the noise of the bootstrap over questions; kept are those in which the observed deviation is
    neither too large nor too small. A plain bootstrap will not do: noise pushes the observed deviation up,
    and each draw adds it once more. The upper end is never below what noise alone shows half of the time, nor
    below Wilson's of no hit. Without any spread between questions the interval is Wilson's.

    Args:
        right: (k, n) whether question i is answered rightly where its right choice has letter j.
    """
    table = right.T[np.lexsort(right)].astype(np.float64)  # (n, k), questions in an order of their own
    n, k = table.shape
    recall, top = table.mean(axis=0), largest(k)
    observed = float(deviation(recall))
    counts = rng.multinomial(n, np.full(n, 1 / n), size=draws)  # (d, n)
    noise = (counts @ table / n - recall) * (n / max(n - 1, 1)) ** 0.5
    noise -= noise.mean(axis=1, keepdims=True)
    if np.abs(noise).max() < 1e-12:
        return stats.mean(np.full(n, min(observed, top)), low=0.0, high=top, level=level)
    tail = (1 - level) / 2
    low, high = (_scale(recall - recall.mean(), noise, observed, part) for part in (1 - tail, tail))
    value = max(0.0, observed**2 - float((deviation(noise) ** 2).mean())) ** 0.5
    chance = float(np.median(deviation(noise)))
    return Estimate(
        value=value,
        low=min(low, value),
        high=min(top, max(high, value, chance, top * stats.share(0, n, level=level).high)),
        n=n,
        level=level,
        method=f"noise taken off, interval by test inversion, {draws} draws of questions",
    )


def _scale(shape: Floats, noise: Floats, observed: float, part: float) -> float:
    """Return the true deviation at which `part` of the worlds show at most the observed one, 0 if none.

    Args:
        shape: (k,) recall less its mean.
        noise: (d, k)
    """
    if observed < 1e-12 or (deviation(noise) <= observed).mean() < part:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        if (deviation(shape * (middle / observed) + noise) <= observed).mean() >= part:
            low = middle
        else:
            high = middle
    return low


def p(right: Bools, rng: np.random.Generator, *, draws: int) -> float:
    """Return the p that the letter of the right choice does not matter, by shuffling each question's answers.

    Args:
        right: (k, n)
    """
    table = right.T[np.lexsort(right)].astype(np.float64)  # (n, k)
    observed = float(deviation(table.sum(axis=0))) - 1e-9
    mixed = table[table.any(axis=1) & ~table.all(axis=1)]  # others are the same in every order
    reached = sum(bool(deviation(rng.permuted(mixed, axis=1).sum(axis=0)) >= observed) for _ in range(draws))
    return (1 + reached) / (draws + 1)
