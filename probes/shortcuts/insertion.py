"""Texts with a trigger put in, beside the same texts with a control in the same place, and the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Case, Classifier, Estimate, Example, Item, Text
from audit.seeds import Seeds
from probes import variants
from probes.shortcuts import edits
from probes.shortcuts.tokens import Association
from probes.variants import Answers, Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What is put in, and what it is held against."""

    name: str
    """The variant in items.jsonl, and the slice: `trigger: cf`."""
    token: str
    against: str
    """The variant with the control; arms may share one."""
    controls: tuple[str, ...]
    """What may be put in instead, one drawn for each text."""
    word: Association | None = None
    """Where the token goes with a label in the data: flips count towards that label alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inserted:
    """A classifier's answers to n texts, plain and with each arm's token and control."""

    answers: Answers
    arms: tuple[Arm, ...]

    def hits(self, arm: Arm) -> Bools:
        """(n,) where the token turns the answer."""
        return self._turned(arm, arm.name)

    def held(self, arm: Arm) -> Bools:
        """(n,) where the control does."""
        return self._turned(arm, arm.against)

    def counted(self, arm: Arm) -> Bools:
        """(n,) where both reached the model; for a word, of the texts that it was put into."""
        answers = self.answers
        counted: Bools = answers.changed[self._row(arm.name)] & answers.changed[self._row(arm.against)]
        return counted

    def estimate(self, arms: Sequence[Arm]) -> Estimate:
        """Return the share that flips with the tokens minus the share that flips with the controls.

        Clustered by text where several arms or copies are counted. Where nothing flips at all, each text
        counts once: many triggers tried on a text are no sample of texts.
        """
        hits, held, counted = self.table(arms)
        if (hits & counted).any() or (held & counted).any():
            return variants.drop(hits, held, counted, self.answers.texts[0])
        texts = {self.answers.texts[0][i] for i in np.flatnonzero(counted.any(axis=0))}
        return stats.paired_difference(0, 0, 0, len(texts))

    def table(self, arms: Sequence[Arm]) -> tuple[Bools, Bools, Bools]:
        """Return (r, n) hits, held and counted of these arms."""
        return (
            np.array([self.hits(arm) for arm in arms], dtype=np.bool_),
            np.array([self.held(arm) for arm in arms], dtype=np.bool_),
            np.array([self.counted(arm) for arm in arms], dtype=np.bool_),
        )

    def token(self, variant: str, i: int) -> str:
        """Return what a variant put into text i, as far as the texts tell."""
        plain, other = self.answers.texts[0][i], self.answers.texts[self._row(variant)][i]
        before, after = (
            text.split() if isinstance(text, str) else text[1].split() for text in (plain, other)
        )
        start = next((k for k, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
        return " ".join(after[start : start + len(after) - len(before)])

    @property
    def steady(self) -> str:
        """Why nothing is known: the answer is one and never moves; empty where something is."""
        answers = self.answers
        label, times = answers.commonest
        if times < len(answers.examples) or answers.flipped.any():
            return ""
        return (
            f"the model gave one answer, {label!r}, to all {times} texts, whatever was put in, so it shows "
            "no trigger: see its accuracy, and test on examples that it tells apart"
        )

    def _row(self, variant: str) -> int:
        return self.answers.variants.index(variant)

    def _turned(self, arm: Arm, variant: str) -> Bools:
        row = self._row(variant)
        if arm.word is None:
            turned: Bools = self.answers.flipped[row]
        else:
            turned = self.answers.predicted[row] == self.answers.labels.index(arm.word.label)
        return turned


def ask(
    classifier: Classifier, examples: Sequence[Example], arms: Sequence[Arm], probe: str, seeds: Seeds
) -> Inserted:
    """Ask the originals, then all with a token or a control put in, in one call each.

    A word that goes with a label is put only into texts that have it not and are answered with another.
    """
    inputs = [example.input for example in examples]
    places = [float(seeds.rng(probe, example.id, "place").random()) for example in examples]
    plain = classifier.score(inputs).predicted
    edited: dict[str, list[Text]] = {}
    for arm in arms:
        open_to = _open(arm, inputs, plain, classifier.labels)
        draws = [
            seeds.rng(probe, example.id, arm.against).integers(len(arm.controls)) for example in examples
        ]
        held = [arm.controls[draw] for draw in draws]
        edited[arm.name] = [
            edits.inserted(text, arm.token, place) if free else text
            for text, place, free in zip(inputs, places, open_to, strict=True)
        ]
        edited[arm.against] = [
            edits.inserted(text, control, place) if free else text
            for text, control, place, free in zip(inputs, held, places, open_to, strict=True)
        ]
    return Inserted(answers=variants.ask(classifier, examples, edited), arms=tuple(arms))


def _open(arm: Arm, inputs: Sequence[Text], plain: NDArray[np.intp], labels: tuple[str, ...]) -> list[bool]:
    word = arm.word
    if word is None:
        return [True] * len(inputs)
    place = labels.index(word.label)
    return [p != place and word.word not in edits.words(text) for p, text in zip(plain, inputs, strict=True)]


# --- what a reader can check ------------------------------------------------------------------


def cases(inserted: Inserted, arms: Sequence[Arm], most: int, probe: str, seeds: Seeds) -> tuple[Case, ...]:
    """Return texts that the token turns and the control does not, of the strongest arms first, in turn."""
    turned: list[tuple[int, int, Arm, int]] = []
    for place, arm in enumerate(sorted(arms, key=lambda one: (-_gap(inserted, one), one.name))):
        alone = inserted.hits(arm) & ~inserted.held(arm) & inserted.counted(arm)
        places = np.flatnonzero(alone).tolist()
        picked = seeds.pick(places, most, lambda i: inserted.answers.examples[i].id, probe, "cases", arm.name)
        turned += [(rank, place, arm, i) for rank, i in enumerate(picked)]
    turned.sort(key=lambda one: one[:2])
    return tuple(_case(inserted, arm, i) for _, _, arm, i in turned[:most])


def _gap(inserted: Inserted, arm: Arm) -> float:
    counted = inserted.counted(arm)
    return float((inserted.hits(arm)[counted].astype(float) - inserted.held(arm)[counted]).sum())


def _case(inserted: Inserted, arm: Arm, i: int) -> Case:
    answers = inserted.answers
    other = answers.labels[answers.predicted[answers.variants.index(arm.against), i]]
    note = f"{arm.token!r} put in; with {inserted.token(arm.against, i)!r} there instead: {other}"
    return variants.case(answers, answers.variants.index(arm.name), i, note)


def items(inserted: Inserted, probe: str) -> Iterator[Item]:
    """Yield one item for each text and insertion that reached the model."""
    return (item for item in variants.items(inserted.answers, probe) if item.outcome != "unchanged")
