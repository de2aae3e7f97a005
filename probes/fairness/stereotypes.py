"""Does the language model lean towards stereotypes, by published benchmark sets?

Five sets, each of which may be given under `data.sets`: `crows_pairs` (which of two sentences is likelier,
the more or the less stereotyped one), `stereoset` (stereotype, anti-stereotype and nonsense in one slot),
`bbq` (whom the model names where a text does not say who it was, and where it does), `winobias` and
`winogender` (whom a pronoun means, and whether its gender decides). Nothing is generated: all answers are
comparisons of log-probabilities of a causal model. A set that is not given is skipped, naming its key.
Why it matters: what a model finds likely comes through in what it writes and in how it classifies; a lean
that is known can be watched for in the task.
Not covered: masked language models (their pseudo-log-likelihood is another metric and is not measured here),
the model's prompt and its answers in your task (see fairness.counterfactual), other languages and cultures
than those of the sets. These numbers are for reading, not for gates: Blodgett et al. 2021 (ACL) found that
many CrowS-Pairs and StereoSet items name no stereotype, are not what they claim, or differ in more than one
respect, and the page of CrowS-Pairs itself warns that it may not be a good indicator. A weak model looks
even: read the accuracies, LMS and chance beside each lean.
Source: Nangia et al. 2020 (arXiv:2010.00133), causal form of EleutherAI's lm-evaluation-harness, ties
against; Nadeem et al. 2021 (arXiv:2004.09456), SS, LMS and ICAT as means over target terms, by mean
log-probability of a token, without a next-sentence head; Parrish et al. 2022 (arXiv:2110.08193), bias of
ambiguous questions scaled by their own accuracy (HELM takes that of all); Zhao et al. 2018
(arXiv:1804.06876), Rudinger et al. 2018 (arXiv:1804.09301), asked as in Brown et al. 2020
(arXiv:2005.14165). Shares are in [0, 1], not percent. Intervals are clustered: by target term, by BBQ's
template, by the occupations of a sentence. Unlike lm-evaluation-harness and HELM, an empty denominator is a
skip and never a 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar

from audit.errors import ConfigError, ModelError, did_you_mean, shown
from audit.schema import Data, Demand, Example, Facts, Finding, Item, LanguageModel, Skip, Subject
from audit.seeds import Seeds
from probes import contexts
from probes.fairness import stereotype_answers, stereotype_pairs, stereotype_pronouns
from probes.fairness.stereotype_choices import ID, Choice, ask, skips
from probes.fairness.stereotype_pronouns import Pair

METRICS = {
    "crows_pairs": stereotype_pairs.CROWS,
    "stereoset": stereotype_pairs.STEREO,
    "bbq": (*stereotype_answers.AMBIGUOUS, *stereotype_answers.DISAMBIGUATED),
    "winobias": stereotype_pronouns.WINOBIAS,
    "winogender": stereotype_pronouns.WINOGENDER,
}
"""Set → what is measured of it."""

FORMS = {
    "crows_pairs": "{source: crows_pairs.csv, format: crows-pairs}",
    "stereoset": "{source: dev.jsonl, format: stereoset}",
    "bbq": "{source: Age.jsonl, format: bbq}",
    "winobias": "{source: pro_and_anti.txt, format: tsv, columns: [sentence], text: sentence}",
    "winogender": "{source: all_sentences.tsv, format: winogender}",
}
"""Set → how it is named in model.yaml."""

CANDIDATES = {"crows_pairs": 2, "stereoset": 3, "bbq": 3, "winobias": 4, "winogender": 4}
"""Set → continuations asked for each item."""


@dataclass(frozen=True, kw_only=True)
class Stereotypes:
    """Parameters.

    Edge rules: rows of another form are left out and counted; a model that finds all candidates equally
    likely, and answers that name nobody, are skipped. An item of WinoBias and Winogender is a sentence with
    both pronouns.
    """

    id: ClassVar[str] = ID
    needs: ClassVar[frozenset[str]] = frozenset({"in-context"})

    sets: tuple[str, ...] = ("crows_pairs", "stereoset", "bbq", "winobias", "winogender")
    """Sets to ask, by name."""
    items: int = 200
    """Items of each set, drawn by their ids; of StereoSet evenly over target terms."""
    cases: int = 5
    """Examples shown for each metric."""

    def __post_init__(self) -> None:
        for name in self.sets:
            if name not in METRICS:
                hint = did_you_mean(name, list(METRICS)) or f"; known are {', '.join(METRICS)}"
                raise ConfigError(f"{self.id}: sets: {shown(name)} is not a set of this probe{hint}")
        if not self.sets or len(set(self.sets)) < len(self.sets):
            raise ConfigError(f"{self.id}: sets: cannot be {shown(self.sets)}; name at least one, each once")
        contexts.check_least(self.id, items=(self.items, 2), cases=(self.cases, 0))

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Every candidate of every item."""
        given = [name for name in self.sets if name in data.sets]
        return Demand(texts=sum(CANDIDATES[name] * min(self.items, len(data.sets[name])) for name in given))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask each set that is given in one call."""
        if subject.language is None:
            why = "this model gives no log-probabilities of texts"
            yield Skip(probe=self.id, reason=why, applicable=False)
            return
        yield from contexts.remarked(self._measure(subject.language, data, seeds), subject.facts)

    def _measure(self, language: LanguageModel, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        for name in self.sets:
            if name not in data.sets:
                yield from skips(METRICS[name], f"needs data.sets.{name}: {FORMS[name]}")
                continue
            try:
                yield from self._ask_set(name, language, data.sets[name], seeds)
            except ModelError as error:
                yield from skips(METRICS[name], str(error))

    def _ask_set(
        self, name: str, language: LanguageModel, examples: Sequence[Example], seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        if name in ("winobias", "winogender"):
            yield from self._pronouns(name, language, examples, seeds)
        elif name == "bbq":
            yield from self._answers(language, examples, seeds)
        else:
            yield from self._pairs(name, language, examples, seeds)

    def _pairs(
        self, name: str, language: LanguageModel, examples: Sequence[Example], seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        crows = name == "crows_pairs"
        read = stereotype_pairs.read_crows if crows else stereotype_pairs.read_stereoset
        choices = read(examples)
        if not choices:
            yield from self._unreadable(name)
            return
        lost = len(examples) - len(choices)
        said = ask(language, self._drawn(name, choices, seeds) if crows else self._spread(choices, seeds))
        yield from said.items(per_token=not crows)
        if crows:
            yield from stereotype_pairs.crows(said, lost, seeds, self.cases)
        else:
            yield from stereotype_pairs.stereoset(said, lost, seeds)

    def _answers(
        self, language: LanguageModel, examples: Sequence[Example], seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        read = stereotype_answers.read(examples)
        if not read:
            yield from self._unreadable("bbq")
            return
        lost = len(examples) - len(read)
        half = max(1, self.items // 2)
        asked = [
            one
            for ambiguous in (True, False)
            for one in sorted(
                seeds.pick(
                    [one for one in read if one.ambiguous == ambiguous],
                    half,
                    lambda one: one.choice.example,
                    self.id,
                    "bbq",
                ),
                key=lambda one: one.choice.example,
            )
        ]
        said = ask(language, [one.choice for one in asked])
        yield from said.items()
        yield from stereotype_answers.measure(asked, said, lost, seeds, self.cases)

    def _pronouns(
        self, name: str, language: LanguageModel, examples: Sequence[Example], seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        bias = name == "winobias"
        read = stereotype_pronouns.read_winobias if bias else stereotype_pronouns.read_winogender
        pairs = read(examples)
        if not pairs:
            yield from self._unreadable(name)
            return
        lost = 0 if not bias else len(examples) - 2 * len(pairs)

        def key(pair: Pair) -> str:
            return pair.first.example

        drawn = sorted(seeds.pick(pairs, self.items, key, self.id, name), key=key)
        n = len(drawn)
        said = ask(language, [*(one.first for one in drawn), *(one.second for one in drawn)])
        yield from said.items()
        measure = stereotype_pronouns.winobias if bias else stereotype_pronouns.winogender
        yield from measure(said.part(range(n)), said.part(range(n, 2 * n)), lost, seeds, self.cases)

    # --- parts ----------------------------------------------------------------------------

    def _drawn(self, name: str, choices: Sequence[Choice], seeds: Seeds) -> list[Choice]:
        picked = seeds.pick(choices, self.items, lambda one: one.example, self.id, name)
        return sorted(picked, key=lambda one: one.example)

    def _spread(self, choices: Sequence[Choice], seeds: Seeds) -> list[Choice]:
        """Return items of as many target terms as can be, equally many of each but for one."""
        terms: dict[str, list[Choice]] = {}
        ranked = sorted(
            choices, key=lambda one: (seeds.number(self.id, "stereoset", one.example), one.example)
        )
        for one in ranked:
            terms.setdefault(one.cluster, []).append(one)
        # the first of each term, then the second of each; dict and lists stand in the order of the seed
        rounds = [one for turn in zip_longest(*terms.values()) for one in turn if one is not None]
        return sorted(rounds[: self.items], key=lambda one: one.example)

    def _unreadable(self, name: str) -> Iterator[Skip]:
        why = f"data.sets.{name} has no row that can be used: name it as {FORMS[name]}"
        if name == "winobias":
            why += "; the pro- and the anti-stereotyped lines in one file"
        yield from skips(METRICS[name], why)
