"""Which of several continuations a language model holds likelier: asked in one call, and counted by question.

A choice is scored by the sum of its log-probabilities, without normalising by length. Ties are wrong answers:
a model that holds all choices equally likely knows nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit import stats
from audit.errors import ModelError, shown
from audit.schema import Case, Estimate, Finding, Item, LanguageModel, Point, Series, content_hash

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINS = 5
"""Of the picture of two-choice confidence, from 0.5 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt and what may follow it."""

    id: str
    prompt: str
    choices: tuple[str, ...]
    """As they follow the prompt, each with its leading space; the right one, if any, is the first."""
    cluster: str
    """Questions of one cluster share their material."""


def log_probs(model: LanguageModel, questions: Sequence[Question]) -> list[Floats]:
    """Return for each question (k,) the log-probability of each choice, in nats; all asked in one call.

    Raises:
        ModelError: an answer is not finite.
    """
    pairs = [(question.prompt, choice) for question in questions for choice in question.choices]
    sums = np.array([float(np.sum(logs)) for logs in model.log_probs(pairs)], dtype=np.float64)
    if not np.isfinite(sums).all():
        place = int(np.flatnonzero(~np.isfinite(sums))[0])
        raise ModelError(
            f"log-probabilities: must be finite, got {sums[place]} for {shown(pairs[place])}; load the model "
            "in float32"
        )
    ends = np.cumsum([len(question.choices) for question in questions])
    return np.split(sums, ends[:-1]) if questions else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Answers to n questions of two choices, of which the first is right."""

    questions: tuple[Question, ...]
    logs: Floats
    """(n, 2)"""

    @property
    def probabilities(self) -> Floats:
        """(n, 2) normalised over the two."""
        p: Floats = np.exp(self.logs - np.logaddexp.reduce(self.logs, axis=1, keepdims=True))
        return p

    @property
    def right(self) -> Bools:
        """(n,) whether the right one is likelier."""
        hits: Bools = self.logs[:, 0] > self.logs[:, 1]
        return hits

    @property
    def confidence(self) -> Floats:
        """(n,) normalised probability of the choice made."""
        best: Floats = self.probabilities.max(axis=1)
        return best

    @property
    def clusters(self) -> list[str]:
        """(n,) what each question is a question about."""
        return [question.cluster for question in self.questions]

    @property
    def ties(self) -> str:
        """How many choices were even, as the end of a note; empty where none was."""
        even = int((self.logs[:, 0] == self.logs[:, 1]).sum())
        return f"; {even} ties count as wrong" if even else ""

    def said(self, i: int) -> str:
        """Return the choice made on question i."""
        return self.questions[i].choices[0 if self.right[i] else 1].strip()

    def records(self, probe: str, variant: str) -> Iterator[Item]:
        """Yield one item for each question, probabilities of the right and the wrong choice."""
        right, p = self.right, self.probabilities
        for i, question in enumerate(self.questions):
            yield Item(
                example=question.id,
                content=content_hash(question.prompt + "\n" + "\n".join(question.choices)),
                probe=probe,
                variant=variant,
                label=question.choices[0].strip(),
                predicted=self.said(i),
                probabilities=tuple(p[i].tolist()),
                outcome="right" if right[i] else "wrong",
            )

    def surest_errors(self, count: int) -> tuple[Case, ...]:
        """Return the wrong choices that were made with the highest confidence."""
        wrong = np.flatnonzero(~self.right).tolist()
        confidence = self.confidence
        worst = sorted(wrong, key=lambda i: (-confidence[i], self.questions[i].id))[:count]
        return tuple(
            Case(
                example=self.questions[i].id,
                text=self.questions[i].prompt.rpartition("\n\n")[2],
                label=self.questions[i].choices[0].strip(),
                before=self.said(i),
                note=f"with a probability of {confidence[i]:.3f} among the two",
            )
            for i in worst
        )


def pairs(model: LanguageModel, questions: Sequence[Question]) -> Pairs:
    """Ask questions of two choices, the right one first; at least one question."""
    return Pairs(questions=tuple(questions), logs=np.stack(log_probs(model, questions)))


# --- numbers ------------------------------------------------------------------------------


def share(hits: ArrayLike, clusters: Sequence[Hashable]) -> Estimate:
    """Return the share of hits, in [0, 1]; Wilson's interval, clustered where a cluster comes more than once.

    Raises:
        ValueError: no hits, or several of one cluster alone.
    """
    found = np.asarray(hits, dtype=np.bool_)
    if len(set(clusters)) == found.size:
        return stats.share(int(found.sum()), found.size)
    return stats.clustered_share(found, clusters)


def mean(values: ArrayLike, clusters: Sequence[Hashable], *, low: float, high: float) -> Estimate:
    """Return the mean of values in [low, high], clustered as in `share`.

    Raises:
        ValueError: fewer than two clusters.
    """
    repeated = len(set(clusters)) < len(clusters)
    return stats.mean(values, clusters=clusters if repeated else None, low=low, high=high)


def pictured(findings: Sequence[Finding], *, title: str, y: str, reading: str) -> Iterator[Finding]:
    """Yield findings, one slice each; the first carries the picture of all."""
    points = tuple(
        Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=finding.slice)
        for i, finding in enumerate(findings)
        for e in [finding.estimate]
    )
    for i, finding in enumerate(findings):
        series = Series(kind="dots", title=title, x="questions", y=y, points=points, reading=reading)
        yield replace(finding, series=series) if i == 0 else finding


def reliability(answers: Pairs, title: str) -> Series:
    """Return accuracy over the confidence of choices among two: bins of equal width from 0.5 to 1."""
    confidence, right = answers.confidence, answers.right
    place = np.clip(((confidence - 0.5) * 2 * BINS).astype(int), 0, BINS - 1)  # (n,)
    marks = []
    for number in np.unique(place).tolist():
        here = place == number
        held = stats.share(int(right[here].sum()), int(here.sum()))
        x = float(confidence[here].mean())
        marks.append(Point(x=x, y=held.value, low=held.low, high=held.high, n=held.n, group="bins"))
    return Series(
        kind="reliability",
        title=title,
        x="mean confidence (probability of the choice made, among the two)",
        y="accuracy, share",
        points=tuple(marks),
        reading="On the diagonal the model is right as often as it claims; below it, it is surer of what is "
        "not so than it should be. A mark whose interval crosses the diagonal shows no fault by itself.",
    )
