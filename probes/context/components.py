"""How much true accuracy differs between contexts, with the luck of the items taken off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Estimate

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A mean square and what it counts in the variance."""

    value: float
    weight: float
    freedom: int


def accuracy_sd(right: Bools, kinds: Sequence[str], *, level: float = 0.95) -> Estimate:
    """Return the standard deviation of true accuracy over contexts, in [0, 0.5]; `n` counts sets.

    True accuracy is that over all items that could be drawn, with as many of each kind; a context is any set
    in any of its orders. The variance is half the mean squared difference of accuracy between two contexts of
    different sets, less what the items add by chance; contexts ask the same items, so only that part counts
    in which an item is easier for one context than for another, and only within the item's kind. As mean
    squares, it is (S - SI) / (r n) + (1 - 1 / r) (O - OI) / n, for sets S, orders of a set O, items I. A
    negative variance is given as 0. The interval is that of a sum of mean squares, exact where one alone
    matters: then chi-square with sets - 1 degrees of freedom if sets differ, which with five sets reaches
    from 0.6 to 2.9 times the value. It holds for sets whose accuracy is about normal. An order and its
    reverse count as one. The upper end is never below half of Wilson's of no hit: contexts that agree on
    every item may still differ on others.

    Args:
        right: (g, r, n) of g sets in r orders, whether the answer to each item is right.
        kinds: (n,) label of each item, equally many of each.

    Raises:
        ValueError: fewer than 2 sets, or fewer than 2 items of a kind.

    Source: Searle, Casella and McCulloch 1992, chapter 4, for the variance; Burdick and Graybill 1992,
    section 3.3 (modified large samples, after Graybill and Wang 1980), for the interval, without their
    terms in two mean squares.
    """
    g, _, n = right.shape
    if g < 2 or n < 2 * len(set(kinds)):
        raise ValueError(f"needs 2 sets and 2 items of each label, got {g} sets and {n} items")
    found = squares(right, kinds)
    value = sum(one.weight * one.value for one in found)
    tail = (1 - level) / 2
    down = sum(_reach(one, tail if one.weight > 0 else 1 - tail) ** 2 for one in found)
    up = sum(_reach(one, 1 - tail if one.weight > 0 else tail) ** 2 for one in found)
    high = max(_root(value + up**0.5), stats.share(0, n, level=level).high / 2)
    return Estimate(
        value=_root(value),
        low=_root(value - down**0.5),
        high=min(0.5, high),
        n=g,
        level=level,
        method="modified large samples on mean squares, n counts sets",
    )


def squares(right: Bools, kinds: Sequence[str]) -> tuple[Square, ...]:
    """Return the mean squares of sets, their items, orders of a set, and their items."""
    table = right.astype(np.float64)
    g, r, n = table.shape
    of_set = table.mean(axis=1)  # (g, n)
    by_set = of_set - of_set.mean(axis=0)  # (g, n), what items have in common taken off
    by_order = table - of_set[:, None, :]  # (g, r, n)
    free = n - len(set(kinds))  # items count within their label, since each label has its number
    between = r * n * float((by_set.mean(axis=1) ** 2).sum()) / (g - 1)
    between_items = r * _within(by_set, kinds) / ((g - 1) * free)
    sets = (
        Square(value=between, weight=1 / (r * n), freedom=g - 1),
        Square(value=between_items, weight=-1 / (r * n), freedom=(g - 1) * free),
    )
    if r == 1:
        return sets
    orders = n * float((by_order.mean(axis=2) ** 2).sum()) / (g * (r - 1))
    order_items = _within(by_order, kinds) / (g * (r - 1) * free)
    weight = (1 - 1 / r) / n
    pairs = max(1, r // 2 - 1)  # degrees of freedom in a set, if an order and its reverse do alike
    return (
        *sets,
        Square(value=orders, weight=weight, freedom=g * pairs),
        Square(value=order_items, weight=-weight, freedom=g * pairs * free),
    )


def worst_gain(
    right: Bools, base: float, rng: np.random.Generator, *, draws: int, level: float = 0.95
) -> Estimate:
    """Return the smallest accuracy over c contexts minus a fixed accuracy; `n` counts items.

    The contexts are all there are; items are drawn. The smallest of noisy numbers lies too low by chance, so
    the interval is that of all contexts at once: below the value by the quantile of the largest error of any
    context, above it by that of the largest the other way. It is too wide rather than too narrow, and at
    least as wide as Wilson's interval of the worst context alone.

    Args:
        right: (c, n) whether each of at least 1 context is right on each item.
        base: the accuracy to beat, of a rule that heeds no text.
    """
    table = right.T[np.lexsort(right)].astype(np.float64)  # (n, c), items in an order of their own
    n = len(table)
    accuracy = table.mean(axis=0)
    errors = rng.multinomial(n, np.full(n, 1 / n), size=draws) @ table / n - accuracy  # (d, c)
    half = (1 + level) / 2
    below, above = np.quantile(errors.max(axis=1), half), np.quantile(-errors.min(axis=1), half)
    alone = stats.share(round(float(accuracy.min()) * n), n, level=level)
    value = float(accuracy.min())
    return Estimate(
        value=value - base,
        low=max(0.0, min(value - float(below), alone.low)) - base,
        high=min(1.0, max(value + float(above), alone.high)) - base,
        n=n,
        level=level,
        method=f"simultaneous bootstrap over contexts, {draws} draws of items",
    )


def _within(table: Floats, kinds: Sequence[str]) -> float:
    """Return the sum of squares around the mean of each kind of item, over the last axis."""
    names = np.array(kinds)
    parts = (table[..., names == kind] for kind in sorted(set(kinds)))
    return sum(float(((part - part.mean(axis=-1, keepdims=True)) ** 2).sum()) for part in parts)


def _reach(square: Square, tail: float) -> float:
    """Return how far a chi-square limit of a mean square lies from it, by weight."""
    from scipy.special import chdtri

    limit = square.freedom / float(chdtri(square.freedom, tail)) * square.value  # chdtri takes the upper tail
    return square.weight * (square.value - limit)


def _root(variance: float) -> float:
    return float(max(0.0, variance) ** 0.5)
