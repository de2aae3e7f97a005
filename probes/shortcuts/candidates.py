"""Which words may be shortcuts: those that go with a label in the data and do not carry the task.

Statistics are of the training data. Without any they are of the test set; they then tell which words of
these texts the model is sensitive to, not what it learnt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import log
from typing import Literal

from audit.schema import Data, Example, Skip, Text
from probes import lexicons
from probes.shortcuts import edits, tokens
from probes.shortcuts.tokens import Association, Counts

Kind = Literal["neutral", "task words", "unlisted"]
"""Outside the words that carry the task; among them; or nobody has said which those are."""

ALPHA = 0.05
"""Corrected p up to which a word goes with a label."""

_SENTIMENT = frozenset({
    "negative", "positive", "neutral", "mixed", "neg", "pos", "good", "bad", "sentiment", "very", "slightly",
    "somewhat", "mostly", "favourable", "unfavourable", "favorable", "unfavorable", "happy", "unhappy",
    "satisfied", "dissatisfied",
})  # fmt: skip
_SUFFIXES = ("ingly", "edly", "ness", "less", "ing", "est", "ful", "ed", "er", "es", "ly", "s", "y", "d")


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Words of labelled texts, and which of them go with a label."""

    source: str
    """`data.train` or `data.test`."""
    counts: Counts
    associations: tuple[Association, ...]
    """Of the words in enough texts, the strongest first."""
    task: frozenset[str] | None
    """Words that carry the task; None where nobody has said which do."""
    why: str
    """Why nothing is known of any word, empty where something is."""

    @cached_property
    def going(self) -> Mapping[str, Association]:
        """Word → the label it goes with most, the strongest word first; beyond chance alone."""
        found: dict[str, Association] = {}
        for one in self.associations:
            if one.q <= ALPHA:
                found.setdefault(one.word, one)
        return found

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What words can be, the kind that tells of shortcuts first."""
        return ("unlisted",) if self.task is None else ("neutral", "task words")

    def kind(self, word: str) -> Kind:
        """Tell whether a word carries the task: "loves" and "unloved" do where "love" stands in the list."""
        if self.task is None:
            return "unlisted"
        return "task words" if self.task & stems(word) else "neutral"

    def top(self, kind: Kind, most: int) -> tuple[Association, ...]:
        """Return up to `most` words of a kind that go with a label: of each in turn, the strongest first."""
        turns: dict[str, int] = {}
        ranked: list[tuple[int, Association]] = []
        for one in self.going.values():
            if self.kind(one.word) == kind:
                ranked.append((turns.get(one.label, 0), one))
                turns[one.label] = turns.get(one.label, 0) + 1
        ranked.sort(key=lambda pair: pair[0])  # stable: of equal rank the stronger word stays first
        return tuple(one for _, one in ranked[:most])

    def near(self, word: str, among: Iterable[str], most: int) -> tuple[str, ...]:
        """Return up to `most` words of those given that are as frequent as a word: what to hold it against.

        None of them goes with a label or carries the task. The nearest in log frequency comes first.
        """
        texts = self._texts
        idle = [one for one in among if one != word and one not in self.going]
        fit = [one for one in idle if self.kind(one) != "task words"]
        here = log(texts.get(word, 0) + 1)
        fit.sort(key=lambda one: (abs(log(texts.get(one, 0) + 1) - here), one))
        return tuple(fit[:most])

    def control(self, text: Text, word: str) -> str | None:
        """Return the other word of a text to hold a word against; None where there is none."""
        return next(iter(self.near(word, sorted(edits.words(text)), 1)), None)

    def frequency(self, word: str) -> int:
        """Return how many different texts of the source have the word."""
        return self._texts.get(word, 0)

    @property
    def remark(self) -> str:
        """What a reader must know of the source, as the end of a note."""
        if self.source == "data.train":
            return ""
        return (
            "; there is no training data, so the words are those of the evaluation set: artefact "
            "sensitivity, not a shortcut that was learnt"
        )

    def nothing(self, kind: Kind) -> str:
        """Say why there is no word of a kind."""
        what = {"neutral": "no word outside those that carry the task", "task words": "no word of the task"}
        return (
            f"{what.get(kind, 'no word')} goes with a label in {self.source} (corrected p up to {ALPHA:g}), "
            "so there is none to test"
        )

    @cached_property
    def _texts(self) -> Mapping[str, int]:
        return self.counts.texts


def read(data: Data, least: int, task_words: tuple[str, ...] | None) -> Candidates:
    """Return the words of the training data, or of the test set where no training text has a label.

    Args:
        least: different texts a word must stand in.
        task_words: the user's list; None for our opinion words where the labels are of sentiment.
    """
    trained = [one for one in data.train if one.label in data.labels]
    examples: Sequence[Example] = trained or data.test
    counts = tokens.count(examples, data.labels)
    source = "data.train" if trained else "data.test"
    found = tokens.associations(counts, least)
    why = ""
    if not (counts.table.sum(axis=1) >= least).any():
        why = f"no word stands in {least} different texts of {source}: give more data, or a lower `least`"
    if (counts.totals > 0).sum() < 2:
        why = f"{source} has fewer than two labels, so no word goes with one of them: give labelled data"
    return Candidates(
        source=source, counts=counts, associations=found, task=_task(data.labels, task_words), why=why
    )


def unsaid(labels: tuple[str, ...]) -> str:
    """Say why no word counts as neutral where `task` is None."""
    return (
        f"our list of words that carry the task is of sentiment, and the labels are {', '.join(labels)}: "
        "name the words that a model of this task must heed in task_words"
    )


@cache
def stems(word: str) -> frozenset[str]:
    """Return what a word may be a form of: itself, without an ending, without "un-"; lower case.

    >>> {"love", "funny", "thrill"} <= stems("loving") | stems("funnier") | stems("thrillingly")
    True
    """
    found = {word}
    for form in (word, word.removeprefix("un")):
        if len(form) < 3:
            continue
        found.add(form)
        for suffix in _SUFFIXES:
            root = form.removesuffix(suffix)
            if root == form or len(root) < 3:
                continue
            found |= {root, f"{root}e"}
            if root[-1] == root[-2]:
                found.add(root[:-1])
            if root[-1] == "i":
                found.add(f"{root[:-1]}y")
    return frozenset(found)


def _task(labels: tuple[str, ...], given: tuple[str, ...] | None) -> frozenset[str] | None:
    if given is not None:
        return frozenset(word.lower() for word in given)
    said = {word for label in labels for word in re.findall(r"[a-z]+", label.lower())}
    return frozenset(lexicons.load("opinion").entries) if said and said <= _SENTIMENT else None


def lacking(probe: str, found: Candidates, metrics: Mapping[str, Kind]) -> Iterator[Skip]:
    """Yield a Skip of no slice for each metric whose kind of words is not there.

    Without such a word there is nothing to test. Where nobody has said which words carry the task there may
    be: that is not measured, and `task_words` mends it.
    """
    for metric, kind in metrics.items():
        if kind in found.kinds and found.top(kind, 1):
            continue
        why = found.nothing(kind) if kind in found.kinds else unsaid(found.counts.labels)
        yield Skip(probe=probe, metric=metric, reason=why, applicable=kind not in found.kinds)
