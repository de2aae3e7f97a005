"""Pairs of sentences from our templates, in which the second has no word that the first lacks."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audit.seeds import Seeds
from probes import lexicons

HEURISTICS = ("lexical_overlap", "subsequence", "constituent")

_SLOT = re.compile(r"\{(\w)\}")
_POOLS = {"a": "persons", "b": "persons", "c": "persons", "j": "i"}
"""Slot → its word list, where that has another name. Slots of one list get different words."""
_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Two sentences with slots."""

    heuristic: str
    entailed: bool
    """Whether the first sentence says what the second says."""
    name: str
    """`subsequence open phrase`, unique."""
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A template with words in its slots."""

    template: Template
    first: str
    second: str


@functools.cache
def templates() -> tuple[Template, ...]:
    """Return our templates, in their order."""
    found = []
    for name, forms in lexicons.load("overlap").entries.items():
        heuristic, _, rest = name.partition(" ")
        if heuristic in HEURISTICS:
            entailed = rest.startswith("entailed ")
            found.append(
                Template(heuristic=heuristic, entailed=entailed, name=name, first=forms[0], second=forms[1])
            )
    return tuple(found)


def pairs(each: int, seeds: Seeds) -> tuple[Pair, ...]:
    """Return `each` different pairs of every template; fewer where its words do not give as many."""
    words = lexicons.load("overlap").entries
    found: list[Pair] = []
    for template in templates():
        own: dict[tuple[str, str], Pair] = {}
        for i in range(20 * each):  # a bound, where a pair comes twice
            rng = seeds.rng("shortcuts.overlap", template.name, str(i))
            filling = _filling(template, words, rng)
            first, second = template.first.format(**filling), template.second.format(**filling)
            own.setdefault((first, second), Pair(template=template, first=first, second=second))
            if len(own) == each:
                break
        found += own.values()
    return tuple(found)


def _filling(
    template: Template, words: Mapping[str, tuple[str, ...]], rng: np.random.Generator
) -> dict[str, str]:
    slots = sorted(set(_SLOT.findall(template.first)))
    filling: dict[str, str] = {}
    for slot in slots:
        pool = [word for word in words[_POOLS.get(slot, slot)] if word not in filling.values()]
        filling[slot] = pool[int(rng.integers(len(pool)))]
    return filling


def overlap(first: str, second: str) -> float | None:
    """Return the share of the words of the second text that the first has, in [0, 1]; None without words.

    >>> overlap("The cat sat.", "the dog sat")
    0.6666666666666666
    """
    here = set(_WORDS.findall(first.lower()))
    there = _WORDS.findall(second.lower())
    return sum(word in here for word in there) / len(there) if there else None
