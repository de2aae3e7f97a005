"""Texts without a word that goes with a label, beside the same texts without another word as frequent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.schema import Case, Classifier, Example, Item, Text, content_hash
from audit.seeds import Seeds
from probes.shortcuts import edits
from probes.shortcuts.candidates import Candidates
from probes.shortcuts.tokens import Association

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A text, the word to take out, and the word to take out instead."""

    example: Example
    word: Association
    control: str

    @property
    def texts(self) -> tuple[Text, Text, Text]:
        """The original, without the control word, without the word."""
        original = self.example.input
        return original, edits.without(original, self.control), edits.without(original, self.word.word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """Answers to u units: row 0 the original, row 1 without the control, row 2 without the word."""

    units: tuple[Unit, ...]
    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    """(3, u, k)"""

    @property
    def predicted(self) -> NDArray[np.intp]:
        """(3, u) place of the label that was answered."""
        best: NDArray[np.intp] = self.probabilities.argmax(axis=2)
        return best

    @property
    def towards(self) -> NDArray[np.float64]:
        """(3, u) probability of the label that the word goes with."""
        places = np.array([self.labels.index(unit.word.label) for unit in self.units], dtype=np.intp)
        towards: NDArray[np.float64] = self.probabilities[:, np.arange(len(places)), places]
        return towards

    @property
    def reliance(self) -> NDArray[np.float64]:
        """(u,) by how much that falls without the word, minus by how much it falls without the control."""
        reliance: NDArray[np.float64] = self.towards[1] - self.towards[2]
        return reliance

    @property
    def right(self) -> Bools:
        """(3, u) whether the answer is the example's label; False where it has none."""
        names = {label: place for place, label in enumerate(self.labels)}
        truth = np.array([names.get(unit.example.label or "", -1) for unit in self.units])
        right: Bools = self.predicted == truth
        return right

    @property
    def texts(self) -> list[Text]:
        """The originals of the units: units of one text are no independent ones."""
        return [unit.example.input for unit in self.units]

    def of(self, words: frozenset[str]) -> Masked:
        """Return the units of these words."""
        places = [i for i, unit in enumerate(self.units) if unit.word.word in words]
        return Masked(
            units=tuple(self.units[i] for i in places),
            labels=self.labels,
            probabilities=self.probabilities[:, places],
        )

    @property
    def constant(self) -> str:
        """Why an unchanged answer means nothing here, empty where it means something."""
        if np.ptp(self.predicted) > 0:
            return ""
        label = self.labels[int(self.predicted[0, 0])]
        return (
            f"the model gave one answer, {label!r}, to every text with and without its words, so it shows no "
            "reliance on anything: see its accuracy, and test on examples that it tells apart"
        )


def units(
    examples: Sequence[Example], found: Candidates, words: Sequence[Association], most: int, seeds: Seeds
) -> Iterator[Unit]:
    """Yield up to `most` different texts for each word: such as have it, and a word to hold it against.

    Which texts are chosen depends on their ids alone.
    """
    ranked = sorted(examples, key=lambda one: one.id)
    first = {content_hash(one.input): one for one in reversed(ranked)}  # of equal texts the first id
    there = {one.id: edits.words(one.input) for one in first.values()}
    for word in words:
        having = [one for one in first.values() if word.word in there[one.id]]
        held = [(one, found.control(one.input, word.word)) for one in having]
        fit = sorted(
            (Unit(example=one, word=word, control=control) for one, control in held if control is not None),
            key=lambda unit: unit.example.id,
        )
        yield from seeds.pick(fit, most, lambda unit: unit.example.id, "shortcuts", "mask", word.word)


def ask(classifier: Classifier, asked: Sequence[Unit]) -> Masked:
    """Ask the three texts of each unit in one call; a unit whose changes the model cannot see is left out."""
    texts = [unit.texts for unit in asked]
    marks = classifier.fingerprint([text for three in texts for text in three])
    seen = [i for i in range(len(asked)) if marks[3 * i] not in marks[3 * i + 1 : 3 * i + 3]]
    scores = classifier.score([text for i in seen for text in texts[i]])
    rows = scores.probabilities.reshape(len(seen), 3, len(classifier.labels))
    return Masked(
        units=tuple(asked[i] for i in seen),
        labels=classifier.labels,
        probabilities=rows.transpose(1, 0, 2),
    )


# --- what a reader can check ------------------------------------------------------------------


def cases(masked: Masked, most: int) -> tuple[Case, ...]:
    """Return the units that rely most on their word, one for each text at most."""
    order = sorted(
        range(len(masked.units)),
        key=lambda i: (-round(float(masked.reliance[i]), 9), masked.units[i].example.id),
    )
    found: dict[str, Case] = {}
    for i in order:
        unit = masked.units[i]
        if masked.reliance[i] > 0 and len(found) < most:
            found.setdefault(unit.example.id, _case(masked, i))
    return tuple(found.values())


def _case(masked: Masked, i: int) -> Case:
    unit = masked.units[i]
    before, held, after = masked.towards[:, i].tolist()
    return Case(
        example=unit.example.id,
        text=_shown(unit.texts[0]),
        changed=_shown(unit.texts[2]),
        label=unit.example.label,
        before=masked.labels[masked.predicted[0, i]],
        after=masked.labels[masked.predicted[2, i]],
        note=f"without {unit.word.word!r} the probability of {unit.word.label!r} goes from {before:.2f} to "
        f"{after:.2f}; without {unit.control!r} to {held:.2f}",
    )


def items(masked: Masked, probe: str) -> Iterator[Item]:
    """Yield one item for each text and each change of it; an original once."""
    done: set[tuple[str, str]] = set()
    predicted, right = masked.predicted, masked.right
    for i, unit in enumerate(masked.units):
        names = ("original", f"without {unit.control} for {unit.word.word}", f"without {unit.word.word}")
        for row, (variant, text) in enumerate(zip(names, unit.texts, strict=True)):
            if (unit.example.id, variant) in done:
                continue
            done.add((unit.example.id, variant))
            outcome = "kept" if predicted[row, i] == predicted[0, i] else "flipped"
            if row == 0:
                outcome = "right" if right[0, i] else "wrong"
                outcome = outcome if unit.example.label is not None else "unlabelled"
            yield Item(
                example=unit.example.id,
                content=content_hash(text),
                probe=probe,
                variant=variant,
                label=unit.example.label,
                predicted=masked.labels[predicted[row, i]],
                probabilities=tuple(masked.probabilities[row, i].tolist()),
                outcome=outcome,
            )


def _shown(text: Text) -> str:
    return text if isinstance(text, str) else "\n".join(text)
