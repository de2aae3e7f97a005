"""How many right answers can be broken by changing a few letters or words on purpose?

Texts that the model answers rightly are attacked by TextAttack's recipes (`pruthi`: one typo; `deepwordbug`:
letters in the words that matter most; `pwws`: synonyms; `bad-characters`: look-alike letters), which ask the
model until its answer changes, there is nothing left to try, or the query budget is used up. TextAttack's
own search code runs, and gives what it gives by itself; only the queries of many searches are asked together.
Copies of a text are attacked alike and counted as one. `input-reduction` takes words away while the answer
stays: its number is the share of words that are left, of which TextAttack's search tries about half.
With `helpers.encoder` and more there are `textfooler` (neighbours of words) and `textbugger` (those, and
letters), from the list or vectors in `helpers.neighbours`; `bae`, `bert-attack` and `clare` (likely words, by
the language model in `helpers.masked_lm`). What TextAttack would fetch for them, the encoder and these files
stand in for: their numbers are comparable among models audited alike, not with published ones.
`data.sets.adversarial`, where given, holds texts made against other models (AdvGLUE), asked as they are.
Each success is looked at once more: no word may have become its antonym (WordNet), and a sentence encoder,
where `helpers.encoder` names one, must find both texts alike; what passes is the valid success rate.
Why it matters: whoever gains by a wrong answer will look for one; and a model that gives way to one typo
gives way to chance as well. A model that answers everything alike cannot be broken and is not robust: its
rates are not measured.
Not covered: grammar, and whether a text still means the same to a reader (look at the cases: synonyms from
WordNet often do not, and an encoder that reads misspelt words is a poor judge), stronger searches (these are
greedy, so accuracy under attack is an upper bound), attacks that read the gradient, defences, and draws:
recipes that pick letters at random run once a text.
Source: TextAttack (Morris et al. 2020, arXiv:2005.05909); Pruthi et al. 2019 (arXiv:1905.11268), Gao et al.
2018 (arXiv:1801.04354), Ren et al. 2019 (ACL P19-1103), Boucher et al. 2021 (arXiv:2106.09898), Feng et al.
2018 (arXiv:1804.07781), Jin et al. 2020 (arXiv:1907.11932), Li et al. 2018 (arXiv:1812.05271), Garg and
Ramakrishnan 2020 (arXiv:2004.01970), Li et al. 2020 (arXiv:2004.09984), Li et al. 2020 (arXiv:2009.07502);
on validity Morris et al. 2020 (arXiv:2004.14174). Unlike TextAttack, texts without a word, longer ones than
`characters`, and searches that end in an error are left out of every rate; bad characters keep their best
text at the budget's end; the encoder judges short texts too (TextAttack lets those under 15 words through);
NLTK tags for `clare`, in place of flair; and `textfooler` may change both texts of a pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from audit.errors import ConfigError, did_you_mean, shown
from audit.schema import Classifier, Data, Demand, Example, Facts, Finding, Item, Skip, Subject, content_hash
from audit.seeds import Seeds
from probes.robustness import quietly, recipes, static, told, validity
from probes.robustness.book import Means
from probes.robustness.lockstep import Ask, Broken, Search, drive
from probes.robustness.outcome import Attacked, Originals

USUAL = ("pruthi", "deepwordbug", "pwws")
"""Recipes that run unless others are named; one that is left out is said, since a rule may ask for it."""

NEAR_ZERO = 0.1
"""Of the entropy that equally frequent answers would have; below it the answers hardly depend on the text."""


@dataclass(frozen=True, kw_only=True)
class Adversarial:
    """Parameters; every recipe attacks the same texts."""

    id: ClassVar[str] = "robustness.adversarial"
    needs: ClassVar[frozenset[str]] = frozenset({"label"})

    recipes: tuple[str, ...] = USUAL
    """Also: `bad-characters`, `bad-characters-invisible`, `input-reduction`; with helpers `textfooler`,
    `textbugger`, `bae`, `bert-attack`, `clare`."""
    items: int = 200
    """Labelled examples asked, chosen by id; all where there are fewer. Right answers are attacked."""
    query_budget: int = 500
    """Most queries for one text, the original's included."""
    characters: int = 2_000
    """Longer texts are not attacked: some recipes make ten candidates for each letter before they ask."""
    lanes: int = 128
    """Most searches that are live at once."""
    nltk_data: str | None = None
    """Folders that hold NLTK's `corpora/`, parted as in PATH, beside those where NLTK looks by itself."""
    similarity: float = 0.8
    """Least similarity of an adversarial text to its original, by `helpers.encoder`, for a valid success."""
    strict: bool = False
    """True: a similarity of at least 0.98, the threshold of Morris et al. 2020, in the place of that one."""
    cases: int = 5
    """Adversarial texts shown for each recipe."""

    def __post_init__(self) -> None:
        if not self.recipes or len(set(self.recipes)) < len(self.recipes):
            raise ConfigError(
                f"{self.id}: recipes: cannot be {shown(self.recipes)}; name at least one, each once"
            )
        for name in self.recipes:
            if name not in recipes.RECIPES:
                known = list(recipes.RECIPES)
                hint = did_you_mean(name, known) or f"; known are {', '.join(known)}"
                raise ConfigError(f"{self.id}: recipes: {shown(name)} is not a recipe{hint}")
        if not 0 < self.similarity <= 1:
            raise ConfigError(
                f"{self.id}: similarity: cannot be {self.similarity}; give one above 0, at most 1"
            )
        least = {"items": 1, "query_budget": 2, "characters": 1, "lanes": 1, "cases": 0}
        for field, low in least.items():
            if getattr(self, field) < low:
                raise ConfigError(
                    f"{self.id}: {field}: cannot be {getattr(self, field)}; give at least {low}"
                )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Count the originals and the whole budget of every attack."""
        texts = min(self.items, sum(example.label is not None for example in data.test))
        given = len(static.labelled(data.sets.get(static.SET, ())))
        return Demand(texts=texts * (1 + len(self.recipes) * self.query_budget) + given, loose=True)

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask the originals, then attack those that were answered rightly, recipe by recipe."""
        labelled = [example for example in data.test if example.label is not None]
        if subject.classifier is None or not labelled:
            lacking = "a classifier" if subject.classifier is None else "labelled test examples"
            yield Skip(probe=self.id, reason=f"there is nothing to attack without {lacking}: see model.yaml")
            return
        chosen = seeds.pick(labelled, self.items, lambda example: example.id, self.id)
        chosen.sort(key=lambda example: example.id)
        originals = _ask(subject.classifier, chosen)
        yield from told.originals(self.id, originals)
        why = _same(originals) or _hard(originals)
        given = static.labelled(data.sets.get(static.SET, ()))
        if given:
            answered = _ask(subject.classifier, given)
            yield from static.told(self.id, answered, _same(answered), self.cases)
        for name in USUAL:
            if name not in self.recipes:
                why_not = f"{name} was not asked for: name it in recipes, or take a larger profile"
                yield Skip(probe=self.id, slice=name, reason=why_not)
        recipes.look_in(self.nltk_data)
        means = Means(neighbours=subject.neighbours, masked_lm=subject.masked_lm, encoder=subject.encoder)
        for name in self.recipes:
            lack = recipes.missing(name, means)
            about = recipes.RECIPES[name].about(means)
            done = Attacked(recipe=name, originals=originals, budget=self.query_budget, about=about)
            if not lack and not why:
                try:
                    done = self._attack(subject.classifier, done, means, seeds)
                except recipes.Incomplete as error:
                    lack = str(error)
            if lack:
                yield Skip(probe=self.id, slice=name, reason=f"{name}: {lack}")
                continue
            if recipes.RECIPES[name].reduces:
                yield from told.reduced(self.id, done, why)
            else:
                valid = validity.check(
                    done, subject.encoder, validity.STRICT if self.strict else self.similarity
                )
                yield from told.broken(self.id, done, why, valid, seeds, self.cases)
            yield from told.items(self.id, done)

    def _attack(self, model: Classifier, still: Attacked, means: Means, seeds: Seeds) -> Attacked:
        """Attack every right answer whose text can be attacked."""
        recipe, originals = recipes.RECIPES[still.recipe], still.originals
        free = [recipes.Attacker(recipe, self.query_budget, means)]
        unfit = tuple(recipes.unfit(example.input, self.characters) for example in originals.examples)
        places = [i for i in np.flatnonzero(originals.right).tolist() if not unfit[i]]

        def search(i: int) -> Search[recipes.Attempt]:
            text = originals.examples[i].input

            def attack(ask: Ask) -> recipes.Attempt:
                attacker = free.pop() if free else recipes.Attacker(recipe, self.query_budget, means)
                try:
                    return attacker.run(text, int(originals.predicted[i]), originals.runner_up(i), ask)
                finally:
                    free.append(attacker)

            seed = seeds.number(self.id, still.recipe, content_hash(text)) % 2**32
            return Search(run=attack, seed=seed, weight=max(1.0, (recipes.length(text) / 200) ** 2))

        with quietly.remembering():
            ends = drive(
                [search(i) for i in places], lambda texts: model.score(texts).probabilities, lanes=self.lanes
            )
        found = dict(zip(places, ends, strict=True))
        return replace(
            still,
            unfit=unfit,
            attempts={i: end for i, end in found.items() if not isinstance(end, Broken)},
            errors={i: end.error for i, end in found.items() if isinstance(end, Broken)},
        )


def _ask(model: Classifier, examples: Sequence[Example]) -> Originals:
    scores = model.score([example.input for example in examples])
    return Originals(
        examples=tuple(examples),
        labels=model.labels,
        probabilities=scores.probabilities,
        predicted=scores.predicted,
    )


def _same(originals: Originals) -> str:
    """Why a rate would mean nothing: the answers hardly depend on the text; empty where they do."""
    label, times, n = *originals.commonest, len(originals.examples)
    if times < n and originals.entropy >= NEAR_ZERO * math.log(len(originals.labels)):
        return ""
    return (
        f"the model answered {label!r} to {times} of {n} originals (entropy {originals.entropy:.2f} nats), "
        "and an unchanged answer then says nothing of robustness: see its accuracy, test on a balanced sample"
    )


def _hard(originals: Originals) -> str:
    """Why a search would be blind: every probability is 0 or 1; empty where some are between."""
    if not np.isin(originals.probabilities, (0.0, 1.0)).all():
        return ""
    return (
        "all probabilities are 0 or 1, and a search ranks words by how far they move them: give probabilities"
    )
