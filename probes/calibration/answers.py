"""What the model said of the test examples, and the plain facts that are read off it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from audit import stats
from audit.schema import Case, Classifier, Estimate, Example, Item, Scores, Text, content_hash
from probes.calibration.ece import Floats, Places

TINY = 1e-12
"""Probabilities are cut here before a logarithm."""
SAME = 0.98
"""From this share of one answer on, a note warns that the answers hardly vary."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to n labelled examples over k labels, in the order of the ids."""

    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    scores: Scores
    truth: Places
    """(n,) place of the right label."""

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.examples)

    @property
    def distinct(self) -> int:
        """Texts that differ. Copies of one get one answer, so they are one unit however often they stand."""
        return len({example.input for example in self.examples})

    @property
    def weight(self) -> float:
        """What one answer counts for, in (0, 1]: distinct texts by examples."""
        return self.distinct / self.n

    @property
    def clusters(self) -> list[Text] | None:
        """(n,) what each answer is an answer to, None where all differ."""
        return [example.input for example in self.examples] if self.distinct < self.n else None

    @property
    def probabilities(self) -> Floats:
        """(n, k) in [0, 1], rounding beyond it cut off."""
        p: Floats = np.clip(self.scores.probabilities, 0.0, 1.0)
        return p

    @property
    def confidence(self) -> Floats:
        """(n,) the largest probability."""
        largest: Floats = self.probabilities.max(axis=1)
        return largest

    @property
    def correct(self) -> Floats:
        """(n,) 1 where the answer is right, else 0."""
        hits: Floats = (self.scores.predicted == self.truth).astype(np.float64)
        return hits

    @property
    def right(self) -> Floats:
        """(n, k) 1 at the right label, else 0."""
        rows: Floats = np.eye(len(self.labels))[self.truth]
        return rows


def ask(classifier: Classifier, examples: tuple[Example, ...]) -> Answers:
    """Ask every labelled example once. Sorted by id, so that their order in the data changes nothing."""
    ranked = tuple(sorted((e for e in examples if e.label is not None), key=lambda e: e.id))
    scores = classifier.score([example.input for example in ranked])
    place = {label: i for i, label in enumerate(classifier.labels)}
    truth = np.array([place[str(example.label)] for example in ranked], dtype=np.intp)
    return Answers(ranked, classifier.labels, scores, truth)


def items(probe: str, answers: Answers) -> Iterator[Item]:
    """Yield every answer as a line of the record, from which runs are compared."""
    predicted, correct = answers.scores.predicted, answers.correct
    for i, example in enumerate(answers.examples):
        yield Item(
            example=example.id,
            content=content_hash(example.input),
            probe=probe,
            variant="original",
            label=example.label,
            predicted=answers.labels[predicted[i]],
            probabilities=tuple(answers.scores.probabilities[i].tolist()),
            outcome="right" if correct[i] else "wrong",
        )


def share(answers: Answers, hits: Floats) -> Estimate:
    """Return the share of (n,) hits, 0 or 1; clustered where texts stand more than once."""
    if answers.distinct == 1:
        return stats.share(int(hits[0]), 1)
    if answers.clusters is not None:
        return stats.clustered_share(hits, answers.clusters)
    return stats.share(int(hits.sum()), answers.n)


def gain(answers: Answers) -> Estimate:
    """Return the accuracy minus what always giving the majority label would score, paired, in [-1, 1]."""
    major = answers.truth == np.bincount(answers.truth).argmax()
    right = answers.correct == 1
    if answers.distinct > 1 and answers.clusters is not None:
        return stats.mean(right.astype(float) - major, clusters=answers.clusters, low=-1, high=1)
    counts = [int(both.sum()) for both in (right & major, right & ~major, ~right & major, ~right & ~major)]
    return stats.paired_difference(*counts)


def baseline(answers: Answers) -> str:
    """Say what the majority label alone would score, and whether the answers vary at all."""
    most = np.bincount(answers.truth, minlength=len(answers.labels))
    said = np.bincount(answers.scores.predicted, minlength=len(answers.labels))
    note = f"Always answering {answers.labels[most.argmax()]!r} would score {most.max() / answers.n:.3f}."
    if answers.n > 1 and np.ptp(answers.probabilities, axis=0).max() < TINY:
        note += " Every text gets the same probabilities: the answers do not depend on the text."
    elif answers.n > 1 and said.max() >= SAME * answers.n:
        note += f" The answers hardly vary: {said.max()} of {answers.n} are"
        note += f" {answers.labels[said.argmax()]!r}."
    return note


def surest_errors(answers: Answers, count: int) -> tuple[Case, ...]:
    """Return the wrong answers that were given with the greatest confidence."""
    confidence, predicted = answers.confidence, answers.scores.predicted
    wrong = np.flatnonzero(answers.correct == 0)
    ranked = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return tuple(
        Case(
            example=answers.examples[i].id,
            text="\n".join(part for part in (answers.examples[i].text, answers.examples[i].pair) if part),
            label=answers.examples[i].label,
            before=answers.labels[predicted[i]],
            note=f"confidence {confidence[i]:.2f}",
        )
        for i in ranked
    )
