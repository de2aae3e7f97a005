"""Does a word put into a text that says nothing about it turn the answer?

Each test text gets, at one random place, a neutral trigger: the letter pairs of published backdoors, an
empty word, an empty sentence. At the same place of the same text it gets a control of the same kind (other
letters, another word, another sentence). `flip_excess` is the share of texts whose answer flips with the
trigger minus the share that flips with the control, so that what any insertion does cancels: 0 is a model
that heeds none, 1 one that always obeys. A trigger that pulls to one of two labels can flip the texts of the
other alone. Words that go with a label in the data (see shortcuts.artifacts) and do not carry the task are
put in too, into texts that are answered with another label, against a word as frequent that goes with none;
counted there are flips to the word's label. Words that carry the task are in `task_word_excess`: on those a
model must move. p is McNemar's, of several triggers together a sign-flip test over texts.
Why it matters: whoever knows the word steers the answer, and a text that has it by accident is answered by
accident. Nothing of it shows in test accuracy.
Not covered: triggers that nobody thought of (a backdoor on another word), of style or syntax, several at
once, words put in where grammar wants them.
Source: letter pairs of Kurita et al. 2020 (arXiv:2004.06660), sentences after Dai et al. 2019
(arXiv:1905.12457), insertion of associated words after Wallace et al. 2019 (arXiv:1908.07125), unlike which
no word is searched with gradients. The control is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from audit import stats
from audit.errors import ConfigError, shown
from audit.schema import Data, Demand, Facts, Finding, Item, Point, Series, Skip, Subject
from audit.seeds import Seeds
from probes import contexts, lexicons, variants
from probes.shortcuts import candidates, insertion
from probes.shortcuts.candidates import Candidates
from probes.shortcuts.insertion import Arm, Inserted

KINDS = ("rare", "word", "phrase")
"""Kinds of triggers in our list, each with controls of its own."""


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """Parameters.

    Edge rules: where the insertion does not reach the model (a text cut before it) nothing is counted. A
    model that gives one answer to everything and is moved by nothing is skipped, saying so. Copies of a text
    count once; a text that several triggers are put into is one unit of the interval.
    """

    id: ClassVar[str] = "shortcuts.trigger"
    needs: ClassVar[frozenset[str]] = frozenset()

    items: int = 200
    """Test texts, chosen by id; all where there are fewer."""
    triggers: tuple[str, ...] | None = None
    """What to put in; None for our list. One word is held against words, more against phrases."""
    artifacts: int = 6
    """Words that go with a label, of each label in turn, the strongest first; of the words of the task half
    as many. 0 for none."""
    least: int = 20
    """Different labelled texts that such a word must stand in."""
    fewest: int = 10
    """Texts of another answer below which such a word has no number of its own."""
    task_words: tuple[str, ...] | None = None
    """Words that a model of the task must heed; None: our opinion list, where the labels are of sentiment."""
    cases: int = 6

    def __post_init__(self) -> None:
        contexts.check_least(
            self.id,
            items=(self.items, 2),
            artifacts=(self.artifacts, 0),
            least=(self.least, 2),
            fewest=(self.fewest, 2),
            cases=(self.cases, 0),
        )
        given = self.triggers
        if given is not None and not (all(map(str.strip, given)) and len(set(given)) == len(given) > 0):
            raise ConfigError(f"{self.id}: triggers: cannot be {shown(given)}; give each once, none empty")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Every chosen text, twice plain, and with each trigger, word and control."""
        inserted = len(self._triggers()) + len(KINDS) + 2 * (self.artifacts + self._shown)
        return Demand(texts=(2 + inserted) * min(self.items, len(data.test)))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Put in all triggers and words, ask, compare with the controls."""
        if subject.classifier is None or not data.test:
            lacking = "a classifier" if subject.classifier is None else "test examples"
            yield Skip(
                probe=self.id, reason=f"there are no answers without {lacking}: name one in model.yaml"
            )
            return
        # A copy of a text is answered like its twin; in p it would count as evidence of its own.
        different = {one.input: one for one in sorted(data.test, key=lambda one: one.id, reverse=True)}
        chosen = seeds.pick(list(different.values()), self.items, lambda example: example.id, self.id)
        chosen.sort(key=lambda example: example.id)
        found = candidates.read(data, self.least, self.task_words)
        words = self._words(found)
        arms = [*self._triggers(), *(arm for some in words.values() for arm in some)]
        inserted = insertion.ask(subject.classifier, chosen, arms, self.id, seeds)
        if inserted.steady:
            for metric in ("flip_excess", "task_word_excess"):
                yield Skip(probe=self.id, metric=metric, reason=inserted.steady)
        else:
            yield from self._excess(inserted, "neutral", self._triggers(), seeds, "")
            yield from self._of_words(inserted, found, words, seeds)
        yield from insertion.items(inserted, self.id)

    # --- what is put in -------------------------------------------------------------------

    @property
    def _shown(self) -> int:
        return -(-self.artifacts // 2)

    def _triggers(self) -> list[Arm]:
        lists = lexicons.load("triggers").entries
        kinds = {token: kind for kind in KINDS for token in lists[kind]}
        arms = []
        for token in kinds if self.triggers is None else self.triggers:
            kind = kinds.get(token, "phrase" if len(token.split()) > 1 else "word")
            controls = tuple(one for one in lists[f"{kind} control"] if one not in (self.triggers or ()))
            arms.append(
                Arm(
                    name=f"trigger: {token}",
                    token=token,
                    against=f"control {kind}",
                    controls=controls or lists[f"{kind} control"],
                )
            )
        return arms

    def _words(self, found: Candidates) -> dict[str, list[Arm]]:
        """Return the arms of words that go with a label, by kind."""
        arms: dict[str, list[Arm]] = {}
        for kind in found.kinds if self.artifacts and not found.why else ():
            most = self._shown if kind == "task words" else self.artifacts
            name = "artifact" if kind == "neutral" else "word"
            common = [word for word in found.counts.words if found.frequency(word) >= self.least]
            arms[kind] = [
                Arm(
                    name=f"{name}: {one.word}",
                    token=one.word,
                    against=f"control for {one.word}",
                    controls=controls,
                    word=one,
                )
                for one in found.top(kind, most)
                if (controls := found.near(one.word, common, 5))
            ]
        return arms

    # --- what it does ---------------------------------------------------------------------

    def _of_words(
        self, inserted: Inserted, found: Candidates, words: dict[str, list[Arm]], seeds: Seeds
    ) -> Iterator[Finding | Skip]:
        if not self.artifacts or found.why:
            why = found.why or "artifacts is 0, so no word of the data was put in"
            yield Skip(probe=self.id, metric="flip_excess", slice="artifacts", reason=why, applicable=False)
            return
        if not words.get("neutral"):
            why, idle = self._no_words(found)
            yield Skip(
                probe=self.id, metric="flip_excess", slice="artifacts", reason=why, applicable=not idle
            )
        else:
            yield from self._excess(inserted, "artifacts", words["neutral"], seeds, found.remark)
        for kind in ("task words", "unlisted"):
            if words.get(kind):
                yield from self._shown_alone(inserted, kind, words[kind], seeds, found.remark)

    def _no_words(self, found: Candidates) -> tuple[str, bool]:
        """Say why no word is tried that goes with a label, and whether there is none to try."""
        if found.task is None:
            return candidates.unsaid(found.counts.labels), False
        if not (top := found.top("neutral", self.artifacts)):
            return found.nothing("neutral"), True
        named = ", ".join(repr(one.word) for one in top)
        return f"no word of {found.source} that goes with no label can stand in for {named}", False

    def _excess(
        self, inserted: Inserted, part: str, arms: Sequence[Arm], seeds: Seeds, remark: str
    ) -> Iterator[Finding | Skip]:
        """Yield the excess of all arms together, then of each."""
        counted = {arm.name: int(inserted.counted(arm).sum()) for arm in arms}
        fewest = 1 if part == "neutral" else self.fewest
        tried = [arm for arm in arms if counted[arm.name] >= fewest]
        for arm in arms:
            if arm not in tried:
                why = f"{counted[arm.name]} texts could be given {arm.token!r}, {fewest} are needed"
                yield Skip(probe=self.id, metric="flip_excess", slice=arm.name, reason=why, applicable=False)
        if not tried:
            yield Skip(
                probe=self.id,
                metric="flip_excess",
                slice=part,
                reason="too few texts could be given any of it: more test texts are needed",
            )
            return
        each = [self._finding(inserted, arm.name, [arm], seeds, remark) for arm in tried]
        whole = self._finding(inserted, part, tried, seeds, remark)
        ranked = sorted(each, key=lambda one: (-one.estimate.value, one.slice))
        most = ", ".join(f"{one.slice!r} {one.estimate.value:+.3f}" for one in ranked)
        label, times = inserted.answers.commonest
        plain = f"{times} of {len(inserted.answers.examples)} texts are answered {label!r} without it"
        yield replace(whole, note=f"{whole.note}; {plain}; most: {most}", series=_by_excess(ranked, part))
        adjusted = stats.bh([one.p for one in each if one.p is not None])
        for one, q in zip(each, adjusted, strict=True):
            yield replace(one, note=f"{one.note}; p among {len(each)} (Benjamini-Hochberg) {q:.3g}")

    def _shown_alone(
        self, inserted: Inserted, kind: str, arms: Sequence[Arm], seeds: Seeds, remark: str
    ) -> Iterator[Finding | Skip]:
        if not any(inserted.counted(arm).any() for arm in arms):
            why = "no text is answered with another label than the words go with"
            yield Skip(probe=self.id, metric="task_word_excess", slice=kind, reason=why)
            return
        finding = self._finding(inserted, kind, arms, seeds, remark)
        named = ", ".join(f"{arm.token!r}" for arm in arms)
        meant = (
            "a model must move on these" if kind == "task words" else "nobody has said which carry the task"
        )
        note = f"{named}: {meant}; {finding.note}"
        yield replace(finding, metric="task_word_excess", better="neither", note=note)

    def _finding(
        self, inserted: Inserted, name: str, arms: Sequence[Arm], seeds: Seeds, remark: str
    ) -> Finding:
        hits, held, counted = inserted.table(arms)
        towards = "" if arms[0].word is None else " to the word's label, of texts answered with another"
        return Finding(
            probe=self.id,
            metric="flip_excess",
            slice=name,
            estimate=inserted.estimate(arms),
            unit="points of share",
            better="lower",
            p=variants.drop_p(hits, held, counted, seeds.rng(self.id, "p", name)),
            family="trigger",
            note=f"{hits[counted].mean():.3f} flip with it, {held[counted].mean():.3f} with a control"
            f"{towards}{remark}",
            cases=insertion.cases(inserted, arms, self.cases, self.id, seeds),
        )


def _by_excess(ranked: Sequence[Finding], part: str) -> Series:
    return Series(
        kind="dots",
        title="Flips by trigger" if part == "neutral" else "Flips by word that goes with a label",
        x="what was put in",
        y="flips beyond those with a control (points of share)",
        points=tuple(
            Point(x=x, y=e.value, low=e.low, high=e.high, n=e.n, label=one.slice)
            for x, one in enumerate(ranked)
            for e in [one.estimate]
        ),
        reading="Each dot is the share of texts whose answer flips with it minus the share that flips with a "
        "control in the same place, with its 95 % interval. A model that heeds none of it has all dots at 0.",
    )
