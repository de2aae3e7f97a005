"""What TextAttack's recipes lack on this machine, and one attack on one text.

Transformations, constraints, goal functions and search methods are TextAttack's; only who answers the
model's queries is ours. TextAttack downloads word lists when it is imported and when some recipes are built,
and leaves files in the home folder; here it does neither: what is not on this machine is a reason not to run.
"""

from __future__ import annotations

import importlib.util
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audit.schema import Text
from probes.robustness import quietly
from probes.robustness.book import NOTHING, Means
from probes.robustness.book import RECIPES as RECIPES
from probes.robustness.book import Recipe as Recipe
from probes.robustness.lockstep import Ask, Floats

SPLIT = "<SPLIT>"
"""TextAttack's own mark between the texts of a pair: a text that holds it would be cut there."""

TAGGER = ("averaged_perceptron_tagger_eng", "universal_tagset")
"""What NLTK reads to name parts of speech."""


# --- what is there ------------------------------------------------------------------------


def missing(name: str, means: Means = NOTHING) -> str:
    """Return what the recipe lacks and how to get it, empty where nothing is missing.

    To be called after `look_in`.
    """
    if importlib.util.find_spec("textattack") is None:
        return 'TextAttack is not installed: pip install "trust-audit[attack]"'
    if helpers := RECIPES[name].lacks(means):
        return helpers
    import nltk  # comes with textattack

    lost = []
    for corpus in dict.fromkeys(("stopwords", *RECIPES[name].corpora)):  # its import reads stop words
        try:
            getattr(nltk.corpus, corpus).ensure_loaded()
        except LookupError:
            lost.append(corpus)
        except OSError as error:  # links that it does not follow, files that it lacks
            why = f"NLTK does not open its {corpus} here: {error}"
            return f"{why}; name in nltk_data a folder that really holds it, as NLTK's downloader writes it"
    if RECIPES[name].tags and not _tags():
        lost += TAGGER
    if not lost:
        return ""
    return (
        f"not on this machine: NLTK's {' and '.join(lost)}: python -m nltk.downloader {' '.join(lost)}, "
        "or name the folder that holds corpora/ and taggers/ in nltk_data"
    )


def _tags() -> bool:
    """Whether NLTK can name parts of speech here."""
    import nltk

    try:
        nltk.pos_tag(["word"], tagset="universal")
    except LookupError:
        return False
    return True


def look_in(places: str | None) -> None:
    """Let NLTK look in these folders first, parted as in PATH, from now on in this process.

    Last it looks where our own stop words stand in for its list, so that recipes run where NLTK's data was
    never fetched; `borrowed` says so. Taking folders away again would lock NLTK out of what it has opened
    there; the environment stays as it is.
    """
    if importlib.util.find_spec("nltk") is None:
        return
    import nltk

    named = [str(Path(place).expanduser()) for place in (places or "").split(os.pathsep) if place]
    last = quietly.stand_in().name
    nltk.data.path = [*named, *(place for place in nltk.data.path if place not in (*named, last)), last]


def borrowed() -> str:
    """Return what the reader must know where our stop words stand in for NLTK's; empty where they do not."""
    from nltk.corpus import stopwords

    if not str(stopwords.root).startswith(quietly.stand_in().name):
        return ""
    return "; with our own list of stop words, as NLTK's is not on this machine"


# --- one text -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What an attack on one text came to."""

    text: Text
    """The last text: adversarial, reduced, or the best that was found."""
    probabilities: tuple[float, ...]
    """(k,) the answer to it."""
    words: int
    """Of the original."""
    changed: int
    """Words of it that the last text has not at their place."""
    left: int
    """Words of the last text."""
    queries: int
    """As TextAttack counts: the original and repeated texts included."""
    spent: bool
    """True where the budget was used up."""

    @property
    def predicted(self) -> int:
        """Place of the label that was answered, the first of equals."""
        return int(np.argmax(self.probabilities))


class Incomplete(Exception):
    """The installed TextAttack lacks a file that a recipe reads."""


def _built(recipe: Recipe, victim: _Victim, means: Means) -> Any:
    try:
        return recipe.build(victim, means)
    except FileNotFoundError as error:  # the wheel of 0.3.11 has no table of look-alikes
        lost = Path(str(error.filename)).name
        raise Incomplete(
            f"the installed TextAttack came without {lost}: install one that has it, or take another recipe"
        ) from error


class Attacker:
    """A recipe that can be run on one text after another; each text starts from empty caches.

    Raises:
        Incomplete: when it is made, where the recipe cannot be built from what is installed.
    """

    def __init__(self, recipe: Recipe, budget: int, means: Means = NOTHING) -> None:
        self._recipe = recipe
        self._victim = _Victim()
        quietly.bring()
        with quietly.quiet():
            self._attack = _built(recipe, self._victim, means)
        goal = self._attack.goal_function
        goal.query_budget = budget
        goal.batch_size = budget  # a search's question is asked whole, and the driver packs it
        self._best: Any = None
        if recipe.targeted:
            self._attack.search_method.get_goal_results = self._results

    def run(self, text: Text, label: int, target: int, ask: Ask) -> Attempt:
        """Attack one text.

        Args:
            text: a text or pair that the model answers rightly.
            label: place of its label.
            target: place of the class that a targeted recipe aims at.
            ask: answers the model's queries.
        """
        from textattack.attack_results import SkippedAttackResult
        from textattack.shared import AttackedText

        goal = self._attack.goal_function
        self._victim.start(text, ask)
        self._best = None
        if self._recipe.targeted:
            goal.target_class = target
        given = text if isinstance(text, str) else OrderedDict(zip(("text", "pair"), text, strict=True))
        before = AttackedText(given)
        try:
            ended = self._attack.attack(before, label)
            if isinstance(ended, SkippedAttackResult):
                raise ValueError("the model answered the same text otherwise when it was asked again")
            result = ended.perturbed_result
        except _Spent:
            if self._best is None:
                raise
            result = self._best
        finally:
            self._attack.clear_cache()
        return self._attempt(before, result)

    def _attempt(self, before: Any, result: Any) -> Attempt:
        goal, after = self._attack.goal_function, result.attacked_text
        aligned = before.num_words == after.num_words
        changed = len(before.all_words_diff(after)) if aligned else before.words_diff_num(after)
        return Attempt(
            text=self._victim.parted(after.tokenizer_input),
            probabilities=tuple(float(p) for p in result.raw_output),
            words=before.num_words,
            changed=min(changed, before.num_words),
            left=after.num_words,
            queries=goal.num_queries,
            spent=goal.num_queries >= goal.query_budget,
        )

    def _results(self, texts: list[Any]) -> Any:
        """Answer differential evolution, which knows no budget, and keep the best text that it has seen."""
        goal = self._attack.goal_function
        if goal.num_queries >= goal.query_budget:
            raise _Spent
        results, over = goal.get_results(texts)
        for result in results:
            if self._best is None or result.score >= self._best.score:
                self._best = result
        return results, over


class _Spent(Exception):
    """The budget is used up in the middle of a search that does not ask about it."""


class _Victim:
    """What TextAttack takes for a model."""

    model = None  # its class is what TextAttack looks at, to warn

    def start(self, text: Text, ask: Ask) -> None:
        """Set whom to ask, and the text whose shape every query has."""
        self._text, self._ask = text, ask

    def __call__(self, texts: Sequence[Text]) -> Floats:
        return self._ask([self.parted(text) for text in texts])

    def parted(self, text: Text) -> Text:
        """Return a pair as a pair: bad characters join its texts, and their line break is still there."""
        if isinstance(self._text, str) or not isinstance(text, str):
            return text
        lines = text.split("\n")
        first = self._text[0].count("\n") + 1
        return "\n".join(lines[:first]), "\n".join(lines[first:])


def length(text: Text) -> int:
    """Count the characters of a text or of both texts of a pair."""
    return len(text) if isinstance(text, str) else sum(map(len, text))


def unfit(text: Text, characters: int) -> str:
    """Return why a text cannot be attacked, empty where it can; to be asked once TextAttack is there."""
    from textattack.shared.utils import words_from_text

    parts = (text,) if isinstance(text, str) else text
    if length(text) > characters:
        return f"longer than {characters} characters"
    if any(SPLIT in part for part in parts):
        return f"with TextAttack's own mark {SPLIT}"
    return "" if words_from_text("\n".join(parts)) else "without a word"
