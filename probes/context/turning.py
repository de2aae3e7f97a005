"""Orders of demonstrations as contexts, and which end the answers take after; shared by what turns them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.schema import Example
from audit.seeds import Seeds
from probes.contexts import Answers, Context
from probes.orders import letters, orders

Floats = NDArray[np.float64]

STREAM = "context.position"
"""Name of the random stream; all probes draw from the same one, so that they ask the same questions."""


def turned(
    part: str,
    number: int,
    demonstrations: tuple[Example, ...],
    labels: tuple[str, ...],
    budget: int,
    seeds: Seeds,
    *,
    ends_differ: bool = False,
) -> list[Context]:
    """Return the contexts of one set, an order and its reverse beside each other.

    Args:
        part: `recipe` or `prompt`, begins the names.
        number: of the set, 0 for none.
        labels: of the task.
        budget: orders, at least 2.
        ends_differ: keep only orders whose first and last labels differ.
    """
    names = letters(labels)
    shown = [str(one.label) for one in demonstrations]
    rng = seeds.rng(STREAM, "orders", *(one.id for one in demonstrations))
    found = orders(shown, budget, rng, ends_differ=ends_differ)
    return [
        Context(
            name=f"{part} {number or ''}".rstrip()
            + f": {''.join(names[shown[i]] for i in order)} {'-'.join(str(i + 1) for i in order)}",
            set=number,
            demonstrations=tuple(demonstrations[i] for i in order),
        )
        for order in found
    ]


def recipe(
    sets: Sequence[tuple[Example, ...]], labels: tuple[str, ...], budget: int, seeds: Seeds
) -> list[Context]:
    """Return the contexts of all demonstration sets, in orders whose ends differ."""
    return [
        context
        for number, shown in enumerate(sets, 1)
        for context in turned("recipe", number, shown, labels, budget, seeds, ends_differ=True)
    ]


def ends(answers: Answers) -> Floats:
    """Return (c, n): 1 where the answer is the last demonstration's label, -1 where the first's, else 0."""
    shown, predicted = answers.shown_labels(), answers.predicted
    last, first = predicted == shown[:, -1:], predicted == shown[:, :1]
    said: Floats = last.astype(np.float64) - first
    return said
