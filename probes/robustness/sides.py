"""The test set and another domain, asked at once, and resampled side by side.

Letters: n examples of both sides, the test set's first; k labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Classifier, Estimate, Example, Item, Scores, Text, content_hash
from audit.seeds import Seeds
from probes.calibration.answers import Answers

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The examples of one domain and what the model said of them, in the order of the ids."""

    name: str
    variant: str
    """In items.jsonl, where two domains may use the same ids."""
    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    scores: Scores
    answers: Answers | None
    """The same with the right labels; None where the domain has none."""

    @property
    def texts(self) -> list[Text]:
        """What was asked."""
        return [example.input for example in self.examples]

    @property
    def distinct(self) -> int:
        """Texts that differ."""
        return len(set(self.texts))

    @property
    def confidence(self) -> Floats:
        """(n,) the largest probability, in [0, 1]."""
        return np.clip(self.scores.confidence, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The test set, `home`, and another domain, `away`."""

    home: Side
    away: Side

    @property
    def is_away(self) -> Bools:
        """(n,) False for the test set's examples, True for the other domain's."""
        return np.repeat([False, True], [len(self.home.examples), len(self.away.examples)])

    @property
    def confidence(self) -> Floats:
        """(n,) the largest probability."""
        return np.concatenate([self.home.confidence, self.away.confidence])

    @property
    def logits(self) -> Floats | None:
        """(n, k) what stands before the softmax; None where the model gives none."""
        parts = [side.scores.logits for side in (self.home, self.away)]
        known = [part for part in parts if part is not None]
        return np.concatenate(known) if len(known) == len(parts) else None

    @property
    def shared(self) -> int:
        """Different texts that stand on both sides."""
        return len(set(self.home.texts) & set(self.away.texts))

    @property
    def constant(self) -> str:
        """Why a drop means nothing here, empty where it means something."""
        said = np.concatenate([self.home.scores.predicted, self.away.scores.predicted])
        if np.ptp(said) > 0:
            return ""
        return (
            f"the model gave one answer, {self.home.labels[int(said[0])]!r}, to all {said.size} texts of "
            "both domains, so a difference in accuracy speaks of the labels alone: see its accuracy_gain"
        )

    def bootstrap(
        self,
        statistic: Callable[..., float],
        *arrays: NDArray[np.generic],
        rng: np.random.Generator,
        draws: int,
        low: float,
        high: float,
        within: Sequence[int] | None = None,
    ) -> Estimate:
        """Return statistic(is_away, *arrays), each side drawn for itself; `n` is the smaller side's texts.

        Args:
            statistic: takes (n,) `is_away` and the arrays, resampled together.
            arrays: each (n,).
            within: (n,) further strata, such as the labels; copies of a text are drawn together within one.
        """
        away = self.is_away
        strata = [(bool(side), 0 if within is None else int(within[i])) for i, side in enumerate(away)]
        marks = [content_hash(text) for text in (*self.home.texts, *self.away.texts)]
        units = list(zip(strata, marks, strict=True))
        found = stats.bootstrap(
            statistic,
            away,
            *arrays,
            rng=rng,
            clusters=units if len(set(units)) < len(units) else None,
            strata=strata,
            draws=draws,
            low=low,
            high=high,
        )
        n = min(self.home.distinct, self.away.distinct)
        return replace(found, n=n, method=f"{found.method}, n is the smaller side")


def choose(examples: Sequence[Example], count: int, seeds: Seeds, *names: str) -> tuple[Example, ...]:
    """Return up to `count` examples by id, drawn by name: labelled ones, or any where none is labelled."""
    labelled = [example for example in examples if example.label is not None]
    picked = seeds.pick(labelled or list(examples), count, lambda example: example.id, *names)
    return tuple(sorted(picked, key=lambda example: example.id))


def ask(classifier: Classifier, domains: Sequence[tuple[str, str, tuple[Example, ...]]]) -> list[Side]:
    """Ask the examples of all domains in one call.

    Args:
        domains: name, variant and examples of each.
    """
    scores = classifier.score([example.input for _, _, examples in domains for example in examples])
    place = {label: i for i, label in enumerate(classifier.labels)}
    sides, start = [], 0
    for name, variant, examples in domains:
        own = _part(scores, slice(start, start + len(examples)))
        start += len(examples)
        truth = np.array([place.get(example.label or "", -1) for example in examples], dtype=np.intp)
        known = bool(examples) and bool((truth >= 0).all())
        sides.append(
            Side(
                name=name,
                variant=variant,
                examples=examples,
                labels=classifier.labels,
                scores=own,
                answers=Answers(examples, classifier.labels, own, truth) if known else None,
            )
        )
    return sides


def records(side: Side, probe: str) -> Iterator[Item]:
    """Yield one item for each example; outcomes `right`, `wrong` or `unlabelled`."""
    predicted = side.scores.predicted
    for i, example in enumerate(side.examples):
        said = side.labels[predicted[i]]
        outcome = "unlabelled" if example.label is None else "right" if said == example.label else "wrong"
        yield Item(
            example=example.id,
            content=content_hash(example.input),
            probe=probe,
            variant=side.variant,
            label=example.label,
            predicted=said,
            probabilities=tuple(side.scores.probabilities[i].tolist()),
            outcome=outcome,
        )


def _part(scores: Scores, rows: slice) -> Scores:
    return Scores(
        probabilities=scores.probabilities[rows],
        logits=None if scores.logits is None else scores.logits[rows],
        mass=None if scores.mass is None else scores.mass[rows],
        truncated=scores.truncated[rows],
    )
