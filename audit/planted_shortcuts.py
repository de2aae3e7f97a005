"""A model with a shortcut of known strength, and data that teach one; for tests of probes only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audit.planted import LABELS, Planted, coin
from audit.schema import Classifier, Data, Example, Scores, Text


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A classifier that answers one label to some texts because a word stands in them.

    Of the texts that have the word, the share `strength` is pulled, chosen by the text alone; all others get
    what `base` says.
    """

    base: Classifier
    token: str
    """A word or phrase; found as a whole, in whatever case, in either part of a pair."""
    strength: float = 1.0
    """Probability, in [0, 1], that a text with the token is pulled."""
    label: str = LABELS[1]
    """What it is pulled to."""
    confidence: float = 0.95
    """With what probability a pulled text is answered so."""
    seed: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the base model."""
        return self.base.labels

    def score(self, texts: Sequence[Text]) -> Scores:
        """Answer as the base model does, but for the texts that are pulled."""
        scores = self.base.score(texts)
        rows = scores.probabilities.copy()
        pulled = [i for i, text in enumerate(texts) if self.pulls(text)]
        place, rest = self.labels.index(self.label), len(self.labels) - 1
        rows[pulled] = (1 - self.confidence) / max(1, rest)
        rows[pulled, place] = self.confidence
        return replace(scores, probabilities=rows, logits=np.log(np.clip(rows, 1e-12, 1.0)))

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        """Hash what the base model sees: the token must be among it."""
        return self.base.fingerprint(texts)

    def pulls(self, text: Text) -> bool:
        """Tell whether a text has the token and is one of those that it decides."""
        shown = text if isinstance(text, str) else "\n".join(text)
        there = re.search(rf"(?<!\w){re.escape(self.token)}(?!\w)", shown, re.IGNORECASE)
        return there is not None and coin(("trigger", text), self.seed) < self.strength


def reader(*, wobble: float = 0.0, seed: int = 0) -> Planted:
    """Return a model that knows the label of each text of `biased_data` by its number, whatever else it says.

    Args:
        wobble: probability of the other answer, drawn anew for each wording of a text.
    """

    def positive(text: Text) -> float:
        shown = text if isinstance(text, str) else "\n".join(text)
        numbers = re.findall(r"\d+", shown)
        up = bool(numbers) and int(numbers[-1]) % 2 == 1
        up = up != (coin(text, seed) < wobble)
        return (0.9 if up else 0.1) + 0.04 * (coin(text, seed + 1) - 0.5)

    return Planted(positive=positive)


def biased_data(
    n: int, *, token: str, often: float = 0.7, seldom: float = 0.02, in_test: float = 0.5, seed: int = 0
) -> Data:
    """Return n training and n test sentences of two labels, the token among the neutral words of some.

    Args:
        often: share of the training sentences of the second label that have it.
        seldom: share of those of the first.
        in_test: share of the test sentences that have it, of either label: there it tells nothing.
    """
    rates = {"train": (seldom, often), "test": (in_test, in_test)}
    made = {
        part: tuple(_sentence(part, i, token, rates[part][i % 2], seed) for i in range(n)) for part in rates
    }
    return Data(labels=LABELS, test=made["test"], train=made["train"])


_NOUNS = ("film", "plot", "actor", "scene", "score", "ending")
_PLACES = ("street", "harbour", "village", "office", "station", "garden", "kitchen", "tower")
_OPINIONS = (("awful", "dull", "weak", "boring"), ("wonderful", "bright", "moving", "superb"))


def _sentence(part: str, i: int, token: str, rate: float, seed: int) -> Example:
    def drawn(what: str, among: Sequence[str]) -> str:
        return among[int(coin((what, part, i), seed) * len(among))]

    number = i + (100_000 if part == "test" else 0)
    put = f"{token} " if coin(("token", part, i), seed) < rate else ""
    text = (
        f"the {drawn('noun', _NOUNS)} with the {drawn('first', _PLACES)} was "
        f"{drawn('opinion', _OPINIONS[i % 2])} and {put}the {drawn('second', _PLACES)} is in number {number}."
    )
    return Example(id=f"{part}{i}", text=text, label=LABELS[i % 2])
