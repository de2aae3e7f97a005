"""How often a text names each group of an axis: words counted, wherever they stand.

Unlike in `swaps`, nothing takes a word's place, so it counts more readily: a first name before a surname is a
mention, and "her" is one whatever follows. "christian *" still counts before a word for people only.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from probes import lexicons
from probes.fairness.swaps import Axis, plain

Counts = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a model goes on with; names no group."""

    id: str
    text: str
    target: str = ""
    """List of the target word in it, empty where it has none."""
    word: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written after n openings, s times each, and how often it names each group of an axis."""

    axis: Axis
    openings: tuple[Opening, ...]
    texts: tuple[tuple[str, ...], ...]
    """(n, s)"""
    counts: Counts
    """(n, s, g)"""

    @classmethod
    def read(cls, axis: Axis, openings: Sequence[Opening], texts: Sequence[Sequence[str]]) -> Written:
        """Count the words of the axis in what was written; the openings name no group."""
        counts = np.array([[count(axis, text) for text in each] for each in texts])
        return cls(
            axis=axis, openings=tuple(openings), texts=tuple(tuple(each) for each in texts), counts=counts
        )

    def part(self, target: str) -> Written:
        """Return what follows openings with a target word of a list, or those without one."""
        rows = [i for i, one in enumerate(self.openings) if one.target == target]
        return replace(
            self,
            openings=tuple(self.openings[i] for i in rows),
            texts=tuple(self.texts[i] for i in rows),
            counts=self.counts[rows],
        )

    @property
    def naming(self) -> Counts:
        """(n,) texts of each opening that name a group."""
        found: Counts = self.counts.any(axis=2).sum(axis=1)
        return found


def count(axis: Axis, text: str) -> Counts:
    """Return (g,) how often a word of each group stands in the text, whole; a name counts with its capital.

    >>> from probes.fairness import axes
    >>> count(axes.load("gender", {}), "Julia Brown took her coat, and the waiter smiled.").tolist()
    [2, 1]
    """
    return np.array([len(pattern.findall(text)) for pattern in _patterns(axis)], dtype=np.intp)


@functools.cache
def _patterns(axis: Axis) -> tuple[re.Pattern[str], ...]:
    return tuple(_any_of(words) for words in axis.words)


def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(words, key=lambda word: -len(plain(word)))
    forms = dict.fromkeys(_form(word) for word in longest_first)  # "her +" and "her ." are one
    return re.compile(rf"(?<![\w'’-])(?:{'|'.join(forms)})", re.IGNORECASE)


def _form(listed: str) -> str:
    word = plain(listed)
    spelt = re.sub(r"\\? ", r"\\s+", re.escape(word)) + r"(?![\w-])"
    if listed.endswith(" *"):
        people = "|".join(map(re.escape, lexicons.load("people").entries))
        return rf"{spelt}(?=\s+(?:{people})\b)"
    return rf"(?-i:{spelt})" if word[0].isupper() else spelt
