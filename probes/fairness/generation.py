"""Whom does it write about where nobody is named, and whom with which word?

The model goes on with openings of ours about people of whom nothing is said that names a group; the words of
each group are counted in what it writes. `mention_share` is a group's part of these words after openings
without a target word; `representation_bias` the total variation distance of the parts from even, in 0 to
1 - 1 / groups. `association_bias` is the same after openings with one target word, as a mean over the words
of a list (occupations, traits of character) after which a group is named. Few mentions lie far from even by
chance: p is that of groups dealt anew within each opening, and each `_excess` is the distance less what such
dealing gives on average.
Why it matters: who is left out of a text, and who is always the nurse in it, is learnt by those who read it.
Not covered: what is said of a group; people who are named in ways that our lists lack ("they", surnames,
titles, groups and languages beside ours); the model's chat template and your task. A list's words are counted
as they stand: a name may be a town or a surname. Even is a yardstick and no norm: who lives in a country, or
works as what, is not even. A model that leans everywhere leans with every word, so read the association
beside the representation. These numbers are for reading, not for gates.
Source: Liang et al. 2022 (arXiv:2211.09110), demographic representation and stereotypical association, after
Bolukbasi et al. 2016 (arXiv:1607.06520) and Garg et al. 2018 (arXiv:1711.08412). Unlike HELM, the target word
stands in the opening, so that each is asked equally often; counts are not divided by the length of a list,
since ours are equally long; chance is shown; few mentions are a skip. Intervals: over openings, and over
target words. Openings and lists are our own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from audit.errors import ConfigError, ModelError, did_you_mean, shown
from audit.schema import Data, Demand, Facts, Finding, Item, LanguageModel, Skip, Subject
from audit.seeds import Seeds
from probes import contexts, lexicons
from probes.fairness import axes, evenness, generation_shown
from probes.fairness.evenness import Measure
from probes.fairness.mentions import Opening, Written

AXES = ("gender", "ethnicity", "religion", "nationality")
TARGETS = {"occupation": "winobias_occupations", "character": "character_words"}
"""Kind of target word, and of the openings with a slot for it → list."""


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Parameters."""

    id: ClassVar[str] = "fairness.generation"
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    axes: tuple[str, ...] = ("gender", "ethnicity", "religion")
    openings: int = 60
    """Openings without a target word; we have 60."""
    targets: tuple[str, ...] = ("occupation", "character")
    """Kinds of target words; none for no association."""
    words: int = 24
    """Target words of each kind."""
    frames: int = 4
    """Openings with each of them; we have 8."""
    samples: int = 5
    """Texts after each opening."""
    new_tokens: int = 24
    """Tokens of a text."""
    temperature: float = 1.0
    least: int = 30
    """Fewer texts that name a group of an axis make no representation."""
    least_of_word: int = 4
    """Fewer such texts after a target word leave it out."""
    draws: int = 1000
    """Dealings of groups, and resamplings."""
    cases: int = 5

    def __post_init__(self) -> None:
        _check(self.id, "axes", self.axes, AXES)
        _check(self.id, "targets", self.targets, tuple(TARGETS), empty=True)
        contexts.check_least(
            self.id,
            openings=(self.openings, evenness.FEWEST),
            words=(self.words, evenness.FEWEST),
            frames=(self.frames, 1),
            samples=(self.samples, 1),
            new_tokens=(self.new_tokens, 1),
            least=(self.least, 2),
            least_of_word=(self.least_of_word, 1),
            draws=(self.draws, 100),
            cases=(self.cases, 0),
        )
        if self.temperature < 0:
            raise ConfigError(f"{self.id}: temperature: cannot be {shown(self.temperature)}; give 0 or more")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """All texts after all openings."""
        count = len(self._openings(Seeds(0)))
        return Demand(texts=count, generated=count * self.samples * self.new_tokens)

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Let the model write in one call, then count each axis."""
        if subject.language is None:
            why = f"a {subject.facts.kind} classifier does not write text"
            yield Skip(probe=self.id, reason=why, applicable=False)
            return
        openings = self._openings(seeds)
        try:
            written = self._written(subject.language, openings, seeds)
        except ModelError as error:
            yield Skip(probe=self.id, reason=str(error))
            return
        if len({text.strip() for each in written for text in each}) == 1:
            why = "the model wrote the same after every opening, so whom it names says nothing"
            yield Skip(probe=self.id, reason=why)
            return
        measure = Measure(
            probe=self.id, least=self.least, least_of_word=self.least_of_word, draws=self.draws,
            cases=self.cases, seeds=seeds,
        )  # fmt: skip
        for name in self.axes:
            told = Written.read(axes.load(name, {}), openings, written)
            yield from evenness.represented(measure, told.part(""))
            for target in self.targets:
                yield from evenness.associated(measure, told, target)
            yield from generation_shown.records(self.id, told)

    def _openings(self, seeds: Seeds) -> tuple[Opening, ...]:
        """Return openings without a target word, then those with each, drawn by name."""
        entries = lexicons.load("people_openings").entries
        plain = [
            Opening(id=f"{kind} {i + 1}", text=text)
            for kind, texts in entries.items()
            if kind not in TARGETS
            for i, text in enumerate(texts)
        ]
        found = seeds.pick(plain, self.openings, lambda one: one.id, self.id, "openings")
        for target in self.targets:
            words = list(lexicons.load(TARGETS[target]).entries)
            frames = seeds.pick(entries[target], self.frames, str, self.id, "frames", target)
            found += [
                Opening(
                    id=f"{target} {entries[target].index(frame) + 1} {word}",
                    text=frame.replace("{word}", word),
                    target=target,
                    word=word,
                )
                for word in seeds.pick(words, self.words, str, self.id, "words", target)
                for frame in frames
            ]
        return tuple(found)

    def _written(self, language: LanguageModel, openings: Sequence[Opening], seeds: Seeds) -> list[list[str]]:
        return language.generate(
            [one.text for one in openings],
            max_new_tokens=self.new_tokens,
            samples=self.samples,
            temperature=self.temperature,
            seed=seeds.number(self.id),
        )


def _check(probe: str, name: str, given: Sequence[str], known: Sequence[str], *, empty: bool = False) -> None:
    for one in given:
        if one not in known:
            hint = did_you_mean(one, list(known)) or f"; known are {', '.join(known)}"
            raise ConfigError(f"{probe}: {name}: {shown(one)} is not among them{hint}")
    if len(set(given)) < len(given) or not (given or empty):
        raise ConfigError(f"{probe}: {name}: cannot be {shown(given)}; name each once")
