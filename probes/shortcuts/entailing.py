"""Answers to pairs as entailed or not, of templates and of test data, and what a reader sees of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Case, Classifier, Example, Item, Point, Scores, Series, Text, content_hash
from audit.seeds import Seeds
from probes.shortcuts.sentences import HEURISTICS, Pair

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers to p pairs of templates and t test pairs, in this order."""

    pairs: tuple[Pair, ...]
    test: tuple[Example, ...]
    labels: tuple[str, ...]
    label: str
    """Means entailment; the other labels count as one."""
    scores: Scores

    @property
    def said(self) -> Bools:
        """(p,) whether a template's pair was answered with entailment."""
        hits: Bools = self._entails[: len(self.pairs)]
        return hits

    @property
    def entailed(self) -> Bools:
        """(p,) whether it is."""
        return np.array([pair.template.entailed for pair in self.pairs], dtype=np.bool_)

    @property
    def names(self) -> list[str]:
        """(p,) the template of each pair."""
        return [pair.template.name for pair in self.pairs]

    @property
    def constant(self) -> str:
        """Why no number means anything here, empty where it does."""
        found = set(self.scores.predicted.tolist())
        if len(found) > 1:
            return ""
        return f"the model gave one answer, {self.labels[found.pop()]!r}, to all templates and test pairs"

    @property
    def _entails(self) -> Bools:
        hits: Bools = self.scores.predicted == self.labels.index(self.label)
        return hits

    def tested(self) -> tuple[list[Example], Bools, Bools]:
        """Return the labelled test pairs, whether each was answered with entailment, and has it."""
        places = [i for i, one in enumerate(self.test) if one.label is not None]
        truth = np.array([self.test[i].label == self.label for i in places], dtype=np.bool_)
        return [self.test[i] for i in places], self._entails[len(self.pairs) :][places], truth

    def records(self, probe: str) -> Iterator[Item]:
        """Yield one item for each pair, templates first."""
        counts: dict[str, int] = {}
        right = self.said == self.entailed
        for i, pair in enumerate(self.pairs):
            name = pair.template.name
            counts[name] = counts.get(name, 0) + 1
            outcome = "right" if right[i] else "wrong"
            yield self._item(
                probe, i, f"{name} {counts[name]}", "template", (pair.first, pair.second), outcome
            )
        for i, one in enumerate(self.test, len(self.pairs)):
            outcome = "right" if self.labels[self.scores.predicted[i]] == one.label else "wrong"
            outcome = "unlabelled" if one.label is None else outcome
            yield self._item(probe, i, one.id, "original", one.input, outcome, one.label)

    def _item(
        self, probe: str, i: int, id: str, variant: str, text: Text, outcome: str, label: str | None = None
    ) -> Item:
        return Item(
            example=id,
            content=content_hash(text),
            probe=probe,
            variant=variant,
            label=label,
            predicted=self.labels[self.scores.predicted[i]],
            probabilities=tuple(self.scores.probabilities[i].tolist()),
            outcome=outcome,
        )


def ask(model: Classifier, pairs: Sequence[Pair], test: Sequence[Example], label: str) -> Answers:
    """Ask templates and test pairs in one call."""
    texts: list[Text] = [(pair.first, pair.second) for pair in pairs]
    scores = model.score([*texts, *(one.input for one in test)])
    return Answers(pairs=tuple(pairs), test=tuple(test), labels=model.labels, label=label, scores=scores)


# --- what a reader can see and check --------------------------------------------------------


def by_heuristic(answers: Answers) -> Series:
    """Return the share of entailment answers by heuristic, to pairs that are entailed and to others."""
    points = []
    for x, heuristic in enumerate(HEURISTICS):
        for entailed, group in ((True, "entailed"), (False, "not entailed")):
            mine = [
                i
                for i, pair in enumerate(answers.pairs)
                if (pair.template.heuristic, pair.template.entailed) == (heuristic, entailed)
            ]
            e = stats.clustered_share(answers.said[mine], [answers.names[i] for i in mine])
            y, label = e.value, heuristic.replace("_", " ")
            points.append(Point(x=x, y=y, low=e.low, high=e.high, n=e.n, label=label, group=group))
    return Series(
        kind="dots",
        title="Answers to pairs that share all words",
        x="how the words are shared",
        y="share answered with entailment",
        points=tuple(points),
        reading="Each row has two marks: of pairs that are entailed, and of pairs that are not. A model that "
        "reads has the first near 1 and the second near 0; both near 1 are answers to shared words.",
    )


def taken_in(answers: Answers, count: int, seeds: Seeds) -> tuple[Case, ...]:
    """Return up to `count` pairs that are not entailed and were answered so, each of another template."""
    wrong = np.flatnonzero(answers.said & ~answers.entailed).tolist()
    first = {answers.names[i]: i for i in reversed(wrong)}
    picked = seeds.pick(sorted(first), count, str, "shortcuts.overlap", "cases")
    return tuple(
        Case(
            example=name,
            text=f"{answers.pairs[first[name]].first}\n{answers.pairs[first[name]].second}",
            label=f"not {answers.label}",
            before=answers.label,
            note=f"{answers.pairs[first[name]].template.heuristic.replace('_', ' ')}: every word is shared",
        )
        for name in picked
    )
