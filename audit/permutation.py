"""Permutation tests: what would the number be if the signs, or the groups, meant nothing?

Rows are put in an order of their own first, so the order of the data changes nothing. Read through
`audit.stats`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.average import cluster_codes, finite
from audit.units import sorted_units


def sign_flip_p(
    differences: ArrayLike,
    *,
    rng: np.random.Generator,
    clusters: Sequence[Hashable] | None = None,
    draws: int = 10_000,
) -> float:
    """Return the two-sided p that paired differences centre on zero, in (0, 1]: (1 + #) / (draws + 1).

    Under the null hypothesis each difference (with clusters: all of a cluster together) keeps its size
    and takes either sign; counted are draws whose absolute sum reaches the observed one.

    Args:
        differences: (n,) after minus before.
        clusters: (n,) template or passage that each difference came from.

    Raises:
        ValueError: no differences, lengths that differ, or values that are not finite.

    Source: Pitman 1937; Phipson and Smyth 2010 for the added one.
    """
    x = finite(differences)
    codes = np.arange(x.size) if clusters is None else cluster_codes(clusters, x.size)
    sums = np.sort(np.bincount(codes, weights=x))  # (c,)
    limit = abs(float(sums.sum())) - 1e-12 * float(np.abs(sums).sum())  # ties count but for rounding
    reached, done = 0, 0
    while done < draws:
        size = min(draws - done, max(1, 4_000_000 // sums.size))
        signs = 2.0 * rng.integers(0, 2, (size, sums.size), dtype=np.int8) - 1.0
        reached += int((np.abs(signs @ sums) >= limit).sum())
        done += size
    return (1 + reached) / (draws + 1)


def permutation_p(
    statistic: Callable[[NDArray[Any], NDArray[Any]], float],
    values: ArrayLike,
    groups: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    within: Sequence[Hashable] | None = None,
) -> float:
    """Return the p that groups do not matter, in (0, 1]: (1 + #{permuted ≥ observed}) / (draws + 1).

    Large values of the statistic speak against the null hypothesis; take the absolute value for a
    two-sided test. A draw on which the statistic is not finite counts as reached.

    Args:
        statistic: takes values and groups, gives one number; must not depend on row order.
        values: (n, …) stays as it is.
        groups: (n,) is permuted.
        within: (n,) groups are permuted among rows of equal `within` only (the label, for instance).

    Raises:
        ValueError: no rows, lengths that differ, or an observed statistic that is not finite.
    """
    units, (x, names) = sorted_units((values, groups), None, within)
    observed = float(statistic(x, names))
    if not np.isfinite(observed):
        raise ValueError(f"the statistic of the data is {observed}")
    limit = observed - 1e-12 * max(1.0, abs(observed))
    reached = 0
    for _ in range(draws):
        permuted = names.copy()
        for members in units.strata:
            permuted[members] = names[rng.permutation(members)]
        reached += not statistic(x, permuted) < limit
    return (1 + reached) / (draws + 1)
