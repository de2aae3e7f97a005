"""Do words that only happen to go with a label decide the answer?

First the data: which words stand with one label more often than chance allows (z statistic, and PMI beside
it). Then the model: in test texts that have such a word it is taken out, and in the same text another word
as frequent, which goes with no label. `reliance` is by how much the probability of the word's label falls
without the word, minus by how much it falls without the other one: 0 is a model that does not need the word,
1 one whose answer stands on it. Words that carry the task (an opinion list of ours for sentiment, or
`task_words`) are measured too, but a model must rely on those, so they have a slice of their own; `neutral`
is the rest, and `word_reliance` has each of its words. `accuracy_drop` is the share right without the other
word minus the share right without the word. p is of no difference (signs flipped by text).
Why it matters: a word that went with a label in the training data need not do so where the model is used;
test accuracy cannot tell, since the test data share the accident. And what goes with a label may well be
its cause ("terrible"): correlation alone accuses nobody, only what the model does without the word.
Not covered: shortcuts that are no single word (length, punctuation, phrases, word order), words too rare for
statistics, words of the training data that no test text has (shortcuts.trigger puts those in).
Source: z statistic after Gardner et al. 2021 (arXiv:2104.08646); PMI with add-100 smoothing after Gururangan
et al. 2018 (arXiv:1803.02324). Unlike them: a word is held against the label's own share of the data and
tested by the exact binomial tail, corrected over words and labels (Benjamini-Hochberg, not Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from audit import stats
from audit.schema import Data, Demand, Facts, Finding, Item, Point, Series, Skip, Subject
from audit.seeds import Seeds
from probes import contexts, variants
from probes.shortcuts import candidates, masking
from probes.shortcuts.candidates import ALPHA, Candidates, Kind
from probes.shortcuts.masking import Masked
from probes.shortcuts.tokens import Association

METRICS: Mapping[str, Kind] = {"reliance": "neutral", "word_reliance": "neutral", "accuracy_drop": "neutral"}
"""What is measured of words outside those that carry the task."""


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """Parameters.

    Edge rules: a text counts once, however often it stands in the data. A text in which no other word is free
    to be taken out instead is left out, and so is one whose change does not reach the model. Where our
    opinion list does not fit the labels and `task_words` is not given, words are `unlisted`: shown alone.
    """

    id: ClassVar[str] = "shortcuts.artifacts"
    needs: ClassVar[frozenset[str]] = frozenset()

    words: int = 8
    """Words tested, of each label in turn, the strongest first; of the words of the task half as many."""
    items: int = 40
    """Test texts tried for each word."""
    least: int = 20
    """Different labelled texts that a word must stand in to be counted."""
    fewest: int = 10
    """Test texts below which a word has no number of its own."""
    task_words: tuple[str, ...] | None = None
    """Words that a model of the task must heed; None: our opinion list, where the labels are of sentiment."""
    cases: int = 6

    def __post_init__(self) -> None:
        contexts.check_least(
            self.id,
            words=(self.words, 1),
            items=(self.items, 2),
            least=(self.least, 2),
            fewest=(self.fewest, 2),
            cases=(self.cases, 0),
        )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Each chosen text of each word, whole, without the word, and without the other word."""
        return Demand(texts=3 * (self.words + self._shown) * min(self.items, len(data.test)))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Count words, take out those that go with a label, ask all in one call."""
        if subject.classifier is None or not data.test:
            lacking = "a classifier" if subject.classifier is None else "test examples"
            yield Skip(
                probe=self.id, reason=f"there are no answers without {lacking}: name one in model.yaml"
            )
            return
        found = candidates.read(data, self.least, self.task_words)
        if found.why:
            yield Skip(probe=self.id, reason=found.why)
            return
        yield self._artifact_rate(found)
        yield from candidates.lacking(self.id, found, METRICS)
        chosen = {
            kind: found.top(kind, self._shown if kind == "task words" else self.words) for kind in found.kinds
        }
        words = [word for some in chosen.values() for word in some]
        asked = list(masking.units(data.test, found, words, self.items, seeds))
        masked = masking.ask(subject.classifier, asked)
        for kind, some in chosen.items():
            if some:
                yield from self._reliance(masked, found, kind, some, seeds)
        yield from masking.items(masked, self.id)

    @property
    def _shown(self) -> int:
        return -(-self.words // 2)

    # --- the data -------------------------------------------------------------------------

    def _artifact_rate(self, found: Candidates) -> Finding:
        tested = int((found.counts.table.sum(axis=1) >= self.least).sum())
        top = {kind: found.top(kind, self.words) for kind in found.kinds}
        named = "; ".join(f"{kind}: {_named(some[:3])}" for kind, some in top.items() if some)
        return Finding(
            probe=self.id,
            metric="artifact_rate",
            estimate=stats.share(len(found.going), tested),
            unit="share",
            better="neither",
            note=f"of the words in at least {self.least} of {int(found.counts.totals.sum())} texts of "
            f"{found.source}, those that go with a label (corrected p up to {ALPHA:g}); it is of the data "
            f"and no fault of the model. {named or 'none'}{found.remark}",
            series=_strongest(top),
        )

    # --- the model ------------------------------------------------------------------------

    def _reliance(
        self, masked: Masked, found: Candidates, kind: Kind, some: Sequence[Association], seeds: Seeds
    ) -> Iterator[Finding | Skip]:
        own = masked.of(frozenset(word.word for word in some))
        if why := _unfit(own, found, some) or masked.constant:
            for metric in METRICS if kind == "neutral" else ("reliance", "accuracy_drop"):
                yield Skip(probe=self.id, metric=metric, slice=kind, reason=why)
            return
        words = list(self._by_word(own, some, seeds))
        yield Finding(
            probe=self.id,
            metric="reliance",
            slice=kind,
            estimate=stats.mean(own.reliance.clip(-1, 1), clusters=own.texts, low=-1.0, high=1.0),
            unit="points of share",
            better="lower" if kind == "neutral" else "neither",
            p=self._p(own, seeds, kind),
            family="artifacts",
            note=f"{_meant(kind)}{_most(words)}; {_matched(own, found)}{found.remark}",
            cases=masking.cases(own, self.cases),
            series=_by_effect(words, kind) if words else None,
        )
        yield self._accuracy_drop(own, found, kind)
        if kind == "neutral":
            yield from self._word_reliance(words, found, some)

    def _word_reliance(
        self, words: Sequence[Finding], found: Candidates, some: Sequence[Association]
    ) -> Iterator[Finding | Skip]:
        adjusted = stats.bh([one.p for one in words if one.p is not None])
        for one, q in zip(words, adjusted, strict=True):
            among = f"p among {len(words)} words (Benjamini-Hochberg) {q:.3g}"
            yield replace(one, note=f"{one.note}; {among}{found.remark}")
        tried = {one.slice for one in words}
        for name in [word.word for word in some if word.word not in tried]:
            why = f"fewer than {self.fewest} test texts have it beside another word to hold it against"
            yield Skip(probe=self.id, metric="word_reliance", slice=name, reason=why, applicable=False)

    def _by_word(self, own: Masked, some: Sequence[Association], seeds: Seeds) -> Iterator[Finding]:
        for word in some:
            mine = own.of(frozenset({word.word}))
            if len(mine.units) < self.fewest:
                continue
            controls = sorted({unit.control for unit in mine.units})
            yield Finding(
                probe=self.id,
                metric="word_reliance",
                slice=word.word,
                estimate=stats.mean(mine.reliance.clip(-1, 1), clusters=mine.texts, low=-1.0, high=1.0),
                unit="points of share",
                better="lower",
                p=self._p(mine, seeds, word.word),
                family="artifacts",
                note=f"{_named([word])}; held against {', '.join(controls[:5])}"
                f"{' and others' if len(controls) > 5 else ''}",
                cases=masking.cases(mine, min(self.cases, 2)),
            )

    def _p(self, masked: Masked, seeds: Seeds, name: str) -> float:
        return stats.sign_flip_p(masked.reliance, clusters=masked.texts, rng=seeds.rng(self.id, "p", name))

    def _accuracy_drop(self, own: Masked, found: Candidates, kind: Kind) -> Finding | Skip:
        known = np.array([[unit.example.label in own.labels for unit in own.units]])
        if not known.any():
            why = "no test text with such a word has a label, so no accuracy is known: give labels"
            return Skip(probe=self.id, metric="accuracy_drop", slice=kind, reason=why)
        right = own.right
        return Finding(
            probe=self.id,
            metric="accuracy_drop",
            slice=kind,
            estimate=variants.drop(right[1:2], right[2:3], known, own.texts),
            unit="points of share",
            better="lower" if kind == "neutral" else "neither",
            note=f"share right without another word ({right[1][known[0]].mean():.3f}) minus without "
            f"the word; {right[0][known[0]].mean():.3f} with both{found.remark}",
        )


def _unfit(own: Masked, found: Candidates, some: Sequence[Association]) -> str:
    """Say why there are too few texts, empty where there are enough."""
    if len(set(own.texts)) > 1:
        return ""
    return (
        f"fewer than two test texts have one of {', '.join(word.word for word in some)} and another word "
        f"to hold it against: give test texts like those of {found.source}"
    )


# --- words for the reader ---------------------------------------------------------------------


def _named(some: Sequence[Association]) -> str:
    return ", ".join(
        f"{one.word!r} → {one.label} (z {one.z:.1f}, PMI {one.pmi:.2f}, q {one.q:.2g}, {one.texts} texts)"
        for one in some
    )


def _meant(kind: Kind) -> str:
    return {
        "neutral": "words that do not carry the task",
        "task words": "words that carry the task, which a model must heed: shown for comparison",
        "unlisted": "nobody has said which of these words carry the task: name those in task_words",
    }[kind]


def _most(words: Sequence[Finding]) -> str:
    ranked = sorted(words, key=lambda one: (-one.estimate.value, one.slice))
    return (
        "; most: " + ", ".join(f"{one.slice!r} {one.estimate.value:+.3f}" for one in ranked) if words else ""
    )


def _matched(own: Masked, found: Candidates) -> str:
    words = np.median([found.frequency(unit.word.word) for unit in own.units])
    controls = np.median([found.frequency(unit.control) for unit in own.units])
    return (
        f"{len(own.units)} pairs in {len(set(own.texts))} texts; the words stand in {words:.0f} texts of "
        f"{found.source}, those they are held against in {controls:.0f} (medians)"
    )


def _strongest(top: Mapping[Kind, Sequence[Association]]) -> Series | None:
    ranked = [(kind, one) for kind, some in top.items() for one in some]
    if not ranked:
        return None
    return Series(
        kind="bars",
        title="Words that go with a label",
        x="word → label",
        y="z (standard errors above the label's share)",
        points=tuple(
            Point(x=x, y=one.z, n=one.texts, label=f"{one.word} → {one.label} (q {one.q:.1g})", group=kind)
            for x, (kind, one) in enumerate(ranked)
        ),
        reading="Each row is a word of the data: how far the share of its texts with that label lies above "
        "the label's share of all texts. It speaks of the data, not of the model.",
    )


def _by_effect(words: Sequence[Finding], kind: Kind) -> Series:
    ranked = sorted(words, key=lambda one: (-one.estimate.value, one.slice))
    return Series(
        kind="dots",
        title=f"Reliance on each word ({kind})",
        x="word",
        y="reliance (points of share)",
        points=tuple(
            Point(x=x, y=e.value, low=e.low, high=e.high, n=e.n, label=one.slice)
            for x, one in enumerate(ranked)
            for e in [one.estimate]
        ),
        reading="By how much the probability of the word's label falls without the word, more than without "
        "another word as frequent, with its 95 % interval. A model that does not need the word is at 0.",
    )
