"""Rows gathered in the units that a resampling draws whole, in an order that is the data's own."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.average import Places, cluster_codes

Strata = list[Places]
"""Units of each stratum."""


@dataclass(frozen=True, slots=True)
class Units:
    """Consecutive rows, in units that are drawn whole, in strata of units."""

    starts: Places
    """(u,) first row of each unit."""
    sizes: Places
    """(u,) rows of each unit."""
    strata: Strata
    """Units of each stratum; together all units."""

    @property
    def count(self) -> int:
        """Number of units."""
        return self.starts.size

    def rows(self, picked: Places) -> Places:
        """Return the rows of the picked units, in their order."""
        if self.starts.size == int(self.sizes.sum()):
            return picked
        sizes = self.sizes[picked]
        ends = np.cumsum(sizes)
        return np.arange(ends[-1]) + np.repeat(self.starts[picked] - ends + sizes, sizes)


def sorted_units(
    arrays: Sequence[ArrayLike], clusters: Sequence[Hashable] | None, strata: Sequence[Hashable] | None
) -> tuple[Units, list[NDArray[Any]]]:
    """Return units and the arrays with rows ordered by cluster, stratum and content."""
    given = [np.asarray(array) for array in arrays]
    lengths = {len(array) if array.ndim else 0 for array in given}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"expected arrays that share a first axis of at least 1, got {sorted(lengths)}")
    n = lengths.pop()
    layers = cluster_codes(strata, n) if strata is not None else np.zeros(n, dtype=np.intp)
    codes = cluster_codes(clusters, n) if clusters is not None else None
    columns = [column for array in given for column in _columns(array)]
    order = np.lexsort([*reversed(columns), layers, *([] if codes is None else [codes])])
    rows = [array[order] for array in given]
    layers = layers[order]
    starts = np.arange(n) if codes is None else np.flatnonzero(np.diff(codes[order], prepend=-1))
    sizes = np.diff(starts, append=n)
    if not (np.repeat(layers[starts], sizes) == layers).all():
        raise ValueError("a cluster lies in more than one stratum")
    members = [np.flatnonzero(layers[starts] == layer) for layer in range(int(layers.max()) + 1)]
    return Units(starts, sizes, members), rows


def _columns(array: NDArray[Any]) -> list[NDArray[Any]]:
    plain = array.astype(str) if array.dtype == object else array
    return list(plain.reshape(len(plain), -1).T)
