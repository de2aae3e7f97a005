"""Words deleted one after the other while the answer holds: all texts in lockstep, one call for each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from audit.schema import Classifier, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What was left of a text when no further deletion held."""

    text: Text
    """What was left; of a pair, the first text is whole."""
    words: int
    """Words at the start, of a pair those of the second text."""
    left: int
    """Words that are left, at least 1."""
    probabilities: tuple[float, ...]
    """(k,) the answer to what was left."""
    confidence: float
    """Of the label in it."""


@dataclass(slots=True, kw_only=True)
class _Search:
    """A text on its way down."""

    first: str | None
    """The first text of a pair, which stays."""
    words: list[str]
    label: int
    kept: list[int]
    """Places of words that are still there."""
    queue: list[int] = field(default_factory=list)
    """Of these, places that may go, the least important first."""
    probabilities: tuple[float, ...]

    def without(self, place: int) -> Text:
        left = " ".join(self.words[i] for i in self.kept if i != place)
        return left if self.first is None else (self.first, left)

    def settle(self, tried: Sequence[int], rows: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
        """Delete the best of the places tried that hold the label, and forget those that do not.

        Args:
            tried: places.
            rows: (tried, k) the answers without each of them.
        """
        holds = rows.argmax(axis=1) == self.label
        order = np.argsort(-rows[:, self.label], kind="stable").tolist()  # the first of equals goes first
        free = [tried[i] for i in order if holds[i]]
        rest = self.queue[len(tried) :]
        self.queue = (free + rest)[1:] if free else rest
        if free:
            self.kept.remove(free[0])
            self.probabilities = tuple(rows[tried.index(free[0])].tolist())


def countable(text: Text) -> list[str]:
    """Return the words, parted by white space, that may be deleted: of a pair, those of the second text."""
    return (text if isinstance(text, str) else text[1]).split()


def reduce(
    classifier: Classifier,
    texts: Sequence[Text],
    rows: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    *,
    candidates: int,
) -> list[Reduced]:
    """Delete words from each text while the model's own answer stays, down to one word.

    First each word is deleted alone, which ranks them by the probability that the answer keeps. Then each
    step tries the `candidates` least important words that are left and deletes the best of those that hold
    the answer. A word whose deletion once turned the answer is not tried again: m words cost at most
    m + candidates * m questions, and what is left is an upper bound of the smallest that would do.

    Args:
        texts: each with at least 2 words.
        rows: (n, k) the answers to them.
        candidates: at least 1.
    """
    searches = [
        _Search(
            first=None if isinstance(text, str) else text[0],
            words=words,
            label=int(row.argmax()),
            kept=list(range(len(words))),
            queue=list(range(len(words))),
            probabilities=tuple(row.tolist()),
        )
        for text, row in zip(texts, rows, strict=True)
        for words in [countable(text)]
    ]
    width = max((len(search.words) for search in searches), default=0)  # the first step tries every word
    while going := [search for search in searches if search.queue and len(search.kept) > 1]:
        tried = [search.queue[:width] for search in going]
        asked = [search.without(i) for search, places in zip(going, tried, strict=True) for i in places]
        answers = classifier.score(asked).probabilities
        start = 0
        for search, places in zip(going, tried, strict=True):
            search.settle(places, answers[start : start + len(places)])
            start += len(places)
        width = candidates
    return [_reduced(search) for search in searches]


def _reduced(search: _Search) -> Reduced:
    return Reduced(
        text=search.without(-1),
        words=len(search.words),
        left=len(search.kept),
        probabilities=search.probabilities,
        confidence=search.probabilities[search.label],
    )
