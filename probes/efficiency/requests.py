"""Which texts stand for the requests that the model will get."""

from __future__ import annotations

from audit.schema import Data, Text
from audit.seeds import Seeds

STREAM = "efficiency"
"""Name of the random stream; all probes of this room draw from it, so that they time the same texts."""


def draw(data: Data, seeds: Seeds, count: int) -> list[Text]:
    """Return up to `count` test texts, each example once, in an order that hangs on ids and seed alone.

    No text twice: times of one text asked again say nothing of other texts, and would count as if they did.
    """
    ranked = sorted(data.test, key=lambda one: (seeds.number(STREAM, one.id), one.id))
    return [one.input for one in ranked[:count]]
