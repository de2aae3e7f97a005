"""How far accuracy lies apart between contexts, with an interval that knows it is a maximum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Estimate

Bools = NDArray[np.bool_]


def estimate(right: Bools, rng: np.random.Generator, *, draws: int, level: float = 0.95) -> Estimate:
    """Return the largest minus the smallest accuracy over c contexts, in [0, 1].

    The contexts are all there are; items are drawn. The interval is value ± the quantile of the range of all
    contexts' errors, (max - min) of (drawn - observed accuracy): it holds the true difference of every pair
    of contexts at once, so also of the truly best and worst. It is too wide rather than too narrow, as the
    value lies too high by chance. The upper end is never below Wilson's of no hit, so that contexts which
    agree on every item do not look certain to agree.

    Args:
        right: (c, n) whether each of at least 2 contexts is right on each item.
    """
    table = right.T[np.lexsort(right)].astype(np.float64)  # (n, c), items in an order of their own
    n = len(table)
    accuracy = table.mean(axis=0)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=draws)  # (d, n)
    reach = float(np.quantile(np.ptp(counts @ table / n - accuracy, axis=1), level))
    value = float(np.ptp(accuracy))
    high = min(1.0, max(value + reach, stats.share(0, n, level=level).high))
    return Estimate(
        value=value,
        low=max(0.0, value - reach),
        high=high,
        n=n,
        level=level,
        method=f"simultaneous bootstrap over pairs of contexts, {draws} draws of items",
    )


def p(right: Bools, rng: np.random.Generator, *, draws: int) -> float:
    """Return the p that contexts are right equally often, by shuffling each item's answers among contexts.

    Args:
        right: (c, n)
    """
    table = right.T[np.lexsort(right)].astype(np.int64)  # (n, c)
    observed = int(np.ptp(table.sum(axis=0)))
    mixed = table[table.any(axis=1) & ~table.all(axis=1)]  # others are the same in every order
    reached = sum(int(np.ptp(rng.permuted(mixed, axis=1).sum(axis=0))) >= observed for _ in range(draws))
    return (1 + reached) / (draws + 1)
