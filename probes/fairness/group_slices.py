"""Who is compared with whom: columns of groups, and pairs of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from audit.schema import Example
from probes.fairness.group_rates import Bools, Places

TIMES = " × "
"""Between the two columns of an intersection, and between its two groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One way to part the examples into groups."""

    name: str
    """The column, or `a × b`."""
    groups: tuple[str, ...]
    """Their names, sorted."""
    rows: Places
    """(m,) places of the examples that have a group, rising."""
    codes: Places
    """(m,) which of the groups each belongs to."""
    without: int
    """Examples that have none."""
    crossed: bool
    """Whether it is an intersection."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Group → examples, none of them empty."""
        return dict(zip(self.groups, np.bincount(self.codes).tolist(), strict=True))

    @property
    def idle(self) -> bool:
        """Whether a comparison that cannot be made was hardly asked for: intersections, a single group."""
        return self.crossed or len(self.groups) == 1

    def too_small(self, least: int, what: str, few: str = "fewer than two groups have") -> str:
        """Say why nothing is compared."""
        if len(self.groups) == 1:
            return f"all examples with {self.name} are {self.groups[0]!r}: there is nobody to compare"
        sizes = sorted(self.sizes.items(), key=lambda size: (-size[1], size[0]))
        named = _listed([f"{group} {size}" for group, size in sizes])
        mend = "raise data.limit, give more rows, or set `least` lower"
        return f"{few} {least} {what} (examples: {named}): {mend}"

    def left_out(self, kept: Bools) -> str:
        """Name who is not compared, as the end of a note."""
        small = [group for group, here in zip(self.groups, kept, strict=True) if not here]
        words = f"; too few to be compared: {_listed(small)}" if small else ""
        return words + (f"; {self.without} examples have no group" if self.without else "")


def once(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Return the labelled examples, copies left out: one of equal text, label and groups stands for all.

    A copy is answered like its twin, so it is no evidence of its own.
    """
    kept: dict[tuple[object, ...], Example] = {}
    for one in sorted(examples, key=lambda one: one.id):
        if one.label is not None:
            kept.setdefault((one.input, one.label, *sorted(one.groups.items())), one)
    return tuple(kept.values())


def columns(examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the names of all group columns, sorted."""
    return tuple(sorted({name for one in examples for name in one.groups}))


def slices(examples: Sequence[Example], names: Sequence[str], *, crossed: bool) -> Iterator[Slice]:
    """Yield a slice for each column and, where `crossed`, for each pair of columns, if any example has it."""
    wanted = [(name,) for name in names] + (list(combinations(names, 2)) if crossed else [])
    for parts in wanted:
        held = {
            row: TIMES.join(one.groups[part] for part in parts)
            for row, one in enumerate(examples)
            if all(part in one.groups for part in parts)
        }
        if not held:
            continue
        groups = tuple(sorted(set(held.values())))
        place = {group: i for i, group in enumerate(groups)}
        yield Slice(
            name=TIMES.join(parts),
            groups=groups,
            rows=np.array(list(held), dtype=np.intp),
            codes=np.array([place[group] for group in held.values()], dtype=np.intp),
            without=len(examples) - len(held),
            crossed=len(parts) > 1,
        )


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
