"""What a model answered to the originals, and what an attack made of those that were right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audit.schema import Example, Text
from probes import variants
from probes.robustness.recipes import Attempt


@dataclass(frozen=True, kw_only=True)
class Originals:
    """The examples, all with a label, and the model's answers to them."""

    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    """(n, k)"""
    predicted: NDArray[np.intp]
    """(n,)"""

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(n,) whether the answer is the label."""
        given = [self.labels[i] == one.label for i, one in zip(self.predicted, self.examples, strict=True)]
        return np.array(given, dtype=np.bool_)

    @property
    def commonest(self) -> tuple[str, int]:
        """The label that was answered most often, the first of equals, and how often."""
        counts = np.bincount(self.predicted, minlength=len(self.labels))
        return self.labels[int(counts.argmax())], int(counts.max())

    @property
    def entropy(self) -> float:
        """Entropy of the answers in nats: 0 where all are the same."""
        counts = np.bincount(self.predicted)
        shares = counts[counts > 0] / len(self.predicted)
        return float(-(shares * np.log(shares)).sum()) + 0.0

    def runner_up(self, i: int) -> int:
        """Place of the second likeliest label of example i; its own where there is no other."""
        order = np.argsort(-self.probabilities[i], kind="stable")
        others = order[order != self.predicted[i]]
        return int(others[0]) if others.size else int(self.predicted[i])

    @property
    def baseline(self) -> str:
        """What a model without any skill would reach."""
        label, most = variants.most_frequent(self.examples)
        return f"always saying {label!r} would reach {most:.3f}, under any attack"


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """What a recipe made of the originals that were answered rightly."""

    recipe: str
    originals: Originals
    budget: int
    """Most queries for one text."""
    about: str = ""
    """How the recipe was run, for the reader; empty, or starts with a semicolon."""
    unfit: tuple[str, ...] = ()
    """(n,) why a text cannot be attacked, empty where it can; empty where nobody was attacked."""
    attempts: Mapping[int, Attempt] = field(default_factory=dict)
    """Place of the example → what came of it."""
    errors: Mapping[int, str] = field(default_factory=dict)

    def broke(self, i: int) -> bool:
        """Whether the last answer is another than the label."""
        return self.attempts[i].predicted != int(self.originals.predicted[i])

    @property
    def counted(self) -> list[int]:
        """Places of the examples behind the rates: attacked to an end, or wrong from the start."""
        right = self.originals.right
        return [i for i in range(len(right)) if not self.unfit[i] and (i in self.attempts or not right[i])]

    @property
    def left_out(self) -> str:
        """What is not counted, for the reader; starts with a semicolon."""
        counts = {why: self.unfit.count(why) for why in sorted(set(self.unfit)) if why}
        parts = [f"{n} {why}" for why, n in counts.items()]
        parts += [f"{len(self.errors)} ended in an error"] if self.errors else []
        return f"; left out: {', '.join(parts)}" if parts else ""

    @property
    def truncated(self) -> list[int]:
        """Places of the attacks that the budget ended without success."""
        return [i for i, one in self.attempts.items() if one.spent and not self.broke(i)]

    def texts(self, places: Sequence[int]) -> list[Text]:
        """Return the originals at these places."""
        return [self.originals.examples[i].input for i in places]
