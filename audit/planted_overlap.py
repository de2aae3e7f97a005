"""A planted model that takes shared words for entailment, for tests of `shortcuts.overlap`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from audit.planted import coin
from audit.schema import Scores, Text, content_hash


@dataclass(kw_only=True)
class Overlap:
    """Answers entailment where all words of the second text occur in the first, with probability `strength`.

    Otherwise by the text: right with probability `accuracy` where the truth is known, else at even odds.
    """

    labels: tuple[str, ...] = ("entailment", "neutral", "contradiction")
    entailment: str = "entailment"
    strength: float = 0.0
    truth: Mapping[Text, str] = field(default_factory=dict)
    """Pair → its label."""
    accuracy: float = 0.8
    seed: int = 0
    asked: int = field(default=0, init=False)
    """Pairs asked so far."""

    def score(self, texts: Sequence[Text]) -> Scores:
        """Answer each pair with a confidence of 0.9."""
        self.asked += len(texts)
        k = len(self.labels)
        rows = np.full((len(texts), k), 0.1 / (k - 1))
        rows[np.arange(len(texts)), np.array([self._answer(text) for text in texts], dtype=np.intp)] = 0.9
        return Scores(probabilities=rows, logits=np.log(rows), truncated=np.zeros(len(texts), dtype=np.bool_))

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        """Hash the texts."""
        return [content_hash(text).encode() for text in texts]

    def _answer(self, text: Text) -> int:
        first, second = ("", text) if isinstance(text, str) else text
        shared = set(re.findall(r"\w+", second.lower())) <= set(re.findall(r"\w+", first.lower()))
        yes = self.labels.index(self.entailment)
        if shared and coin(text, self.seed) < self.strength:
            return yes
        others = [i for i in range(len(self.labels)) if i != yes]
        other = others[int(len(others) * coin(text, self.seed + 1))]
        label = self.truth.get(text)
        if label is None:
            return yes if coin(text, self.seed + 2) < 0.5 else other
        entailed = (label == self.entailment) == (coin(text, self.seed + 3) < self.accuracy)
        return yes if entailed else other
