"""A model that favours people of one group by a known amount, for tests of fairness probes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import NormalDist

from audit.planted import LABELS, Planted, coin
from audit.schema import Text


@dataclass(frozen=True, kw_only=True)
class Favours:
    """A text's probability of the last label is its own, plus `gap` where the text names `group`.

    What a text has of its own is uniform over `base` and hangs on its words but for those of `group` and
    `others`, so that a text keeps it whoever it names. With `noise` 0 the mean shift towards the group is
    `gap`, and the share of texts that flip is `flips`.
    """

    group: frozenset[str]
    """The words that name the favoured group, in lower case."""
    others: frozenset[str] = frozenset()
    """The words that name the other groups, in lower case."""
    gap: float = 0.0
    """In points of probability; below 0 the group is put at a disadvantage."""
    base: tuple[float, float] = (0.3, 0.7)
    """Least and most that a text has of its own; with `gap` it must stay inside of 0 to 1."""
    noise: float = 0.0
    """Standard deviation of what each wording adds of its own, whatever it names."""
    labels: tuple[str, ...] = LABELS
    seed: int = 0

    @property
    def flips(self) -> float:
        """Share of texts whose answer turns with the group, without noise."""
        low, high = self.base
        crossed = min(high, max(low, 0.5)) - min(high, max(low, 0.5 - self.gap))
        return abs(crossed) / (high - low)

    def positive(self, text: Text) -> float:
        """Return the probability of the last label."""
        joined = (text if isinstance(text, str) else " ".join(text)).lower()
        words = re.findall(r"[\w'’-]+", joined)
        dropped = self.group | self.others | {"a", "an"}
        kept = [word for word in words if word not in dropped]
        low, high = self.base
        p = low + (high - low) * coin(tuple(kept), self.seed)
        p += self.gap * any(word in self.group for word in words)
        if self.noise:
            draw = min(max(coin(joined, self.seed + 1), 1e-9), 1 - 1e-9)
            p += self.noise * NormalDist().inv_cdf(draw)
        return min(max(p, 0.0), 1.0)

    def model(self, *, lower_cases: bool = False) -> Planted:
        """Return the classifier that answers so."""
        return Planted(positive=self.positive, labels=self.labels, lower_cases=lower_cases)
