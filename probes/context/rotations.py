"""A language model's answers to multiple-choice questions in all cyclic orders of their choices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.errors import ModelError
from audit.schema import Case, Item, LanguageModel, Point, Series, content_hash
from audit.seeds import Seeds
from probes.context.choices import IDS, Question

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """Answers to n questions of k choices, each in k orders: turn t begins with the choice at place t."""

    questions: tuple[Question, ...]
    logs: Floats
    """(n, k turns, k letters) natural logarithms of probabilities, normalised over the letters."""

    @property
    def k(self) -> int:
        """Number of choices."""
        return int(self.logs.shape[2])

    @property
    def said(self) -> Places:
        """(n, k turns) the letter that was answered, as a number; the first of equals."""
        best: Places = self.logs.argmax(axis=2)
        return best

    @property
    def chosen(self) -> Places:
        """(n, k turns) which choice stood there, as its place in the order given."""
        place: Places = (self.said + np.arange(self.k)) % self.k
        return place

    @property
    def right(self) -> Bools:
        """(n, k turns) whether that is the right one."""
        hits: Bools = self.chosen == np.array([[question.gold] for question in self.questions])
        return hits

    @property
    def right_at(self) -> Bools:
        """(k letters, n) whether a question is answered rightly in the turn where the right choice has it."""
        gold = np.array([question.gold for question in self.questions])
        turn = (gold - np.arange(self.k)[:, None]) % self.k  # (k, n)
        hits: Bools = self.right[np.arange(len(gold)), turn]
        return hits

    @property
    def inconsistent(self) -> Bools:
        """(n,) whether not all turns choose the same."""
        chosen = self.chosen
        moved: Bools = (chosen != chosen[:, :1]).any(axis=1)
        return moved

    def of(self, places: Sequence[int]) -> Rotated:
        """Return the answers to some of the questions."""
        return replace(self, questions=tuple(self.questions[i] for i in places), logs=self.logs[list(places)])

    def records(self, probe: str) -> Iterator[Item]:
        """Yield one item for each question and turn; labels are letters."""
        said, right, k = self.said, self.right, self.k
        for i, question in enumerate(self.questions):
            for turn in range(k):
                yield Item(
                    example=question.id,
                    content=content_hash(question.prompt(turn)),
                    probe=probe,
                    variant=name(turn, k),
                    label=IDS[(question.gold - turn) % k],
                    predicted=IDS[said[i, turn]],
                    probabilities=tuple(np.exp(self.logs[i, turn]).tolist()),
                    outcome="right" if right[i, turn] else "wrong",
                )


def ask(model: LanguageModel, questions: Sequence[Question]) -> Rotated:
    """Ask for the log-probability of each letter after each question in each turn, all in one call.

    Args:
        questions: at least one, all with the same number of choices.

    Raises:
        ModelError: an answer that is not finite.
    """
    k = len(questions[0].choices)
    prompts = [question.prompt(turn) for question in questions for turn in range(k)]
    answers = model.log_probs([(prompt, f" {id}") for prompt in prompts for id in IDS[:k]])
    logs = np.array([float(one.sum()) for one in answers]).reshape(len(questions), k, k)
    if not np.isfinite(logs).all():
        count = int((~np.isfinite(logs)).sum())
        raise ModelError(
            f"context.options: the model gives log-probabilities that are not finite, to {count} of "
            f"{logs.size} option letters; load it as float32, or with other weights"
        )
    logs -= np.logaddexp.reduce(logs, axis=2, keepdims=True)
    return Rotated(questions=tuple(questions), logs=logs)


def name(turn: int, k: int) -> str:
    """Return the name of an order: which of the choices given stand at A, B, …

    >>> name(0, 4), name(1, 4)
    ('order ABCD', 'order BCDA')
    """
    return f"order {IDS[turn:k]}{IDS[:turn]}"


def accuracy_by_letter(rotated: Rotated) -> Series:
    """Return the accuracy where the right choice has each letter as dots with Wilson's intervals."""
    held = [stats.share(int(row.sum()), row.size) for row in rotated.right_at]
    return Series(
        kind="dots",
        title="Accuracy by the place of the right option",
        x="letter of the right option",
        y="accuracy (share)",
        points=tuple(
            Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=IDS[i]) for i, e in enumerate(held)
        ),
        reading="One row for each letter, all of the same questions with their options turned, so rows whose "
        "intervals overlap may still differ. A model that heeds what the options say has all marks in line.",
    )


def moved(rotated: Rotated, count: int, seeds: Seeds) -> tuple[Case, ...]:
    """Return questions that are answered otherwise in another turn, at most `count`, chosen by id."""
    chosen, said, k = rotated.chosen, rotated.said, rotated.k
    found = np.flatnonzero(rotated.inconsistent).tolist()
    picked = seeds.pick(found, count, lambda i: rotated.questions[i].id, "options", "cases")
    cases = []
    for i in picked:
        question = rotated.questions[i]
        turn = int((chosen[i] != chosen[i, 0]).argmax())
        cases.append(
            Case(
                example=question.id,
                text=question.prompt(0),
                changed=question.prompt(turn),
                label=question.choices[question.gold],
                before=question.choices[chosen[i, 0]],
                after=question.choices[chosen[i, turn]],
                note=f"answered {IDS[said[i, 0]]} in the order given and {IDS[said[i, turn]]} in "
                f"{name(turn, k)}; {len(set(chosen[i].tolist()))} different choices over all {k} orders",
            )
        )
    return tuple(cases)
