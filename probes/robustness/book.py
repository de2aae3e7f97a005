"""TextAttack's recipes by the names that the config gives them, with what each needs.

Nothing of TextAttack is imported before a recipe is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from audit.schema import Encoder, MaskedLM, Neighbours

WANTED = {
    "neighbours": "a list of counter-fitted neighbours or a file of vectors; nothing is fetched",
    "masked_lm": "the folder or hub name of a masked language model, for instance bert-base-uncased",
    "encoder": "a sentence encoder, which takes the place of the Universal Sentence Encoder",
}
"""Key of `helpers` → what it must name, for whoever lacks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a recipe may use beside the model that it attacks."""

    neighbours: Neighbours | None = None
    masked_lm: MaskedLM | None = None
    encoder: Encoder | None = None


NOTHING = Means()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One of TextAttack's recipes, as this probe runs it."""

    make: Callable[[Any, Means], Any]
    """Model wrapper, what may be used → `textattack.Attack`."""
    corpora: tuple[str, ...] = ("stopwords",)
    """What it reads of NLTK's data."""
    tags: bool = False
    """It asks NLTK's tagger for parts of speech."""
    needs: tuple[str, ...] = ()
    """Keys of `helpers` without which it cannot run."""
    targeted: bool = False
    """It aims at the runner-up class: there is no untargeted form. Every text that it asks is a candidate."""
    reduces: bool = False
    """It takes words away while the answer stays, instead of changing the answer."""

    def build(self, victim: Any, means: Means = NOTHING) -> Any:
        """Return the `textattack.Attack` on this wrapper; it sees no other means than it needs."""
        return self.make(victim, Means(**{key: getattr(means, key) for key in self.needs}))

    def lacks(self, means: Means) -> str:
        """Return which keys of `helpers` are missing and what to name there, empty where none is."""
        lost = [key for key in self.needs if getattr(means, key) is None]
        return "; ".join(f"needs helpers.{key}: {{source: …}}, {WANTED[key]}" for key in lost)

    def about(self, means: Means) -> str:
        """Return how it differs from TextAttack's, for the reader; empty, or starts with a semicolon."""
        said = []
        if "neighbours" in self.needs and means.neighbours is not None:
            said.append(f"neighbours of words from {means.neighbours.source}")
        if "encoder" in self.needs:
            said.append(
                "each step must keep the meaning by helpers.encoder, at the limits that TextAttack has for "
                "the Universal Sentence Encoder, and short texts are checked as well"
            )
        return "".join(f"; {one}" for one in said)


# --- builders -----------------------------------------------------------------------------


def _plain(name: str) -> Callable[[Any, Means], Any]:
    """Build a recipe as it is."""

    def make(victim: Any, _: Means) -> Any:
        from textattack import attack_recipes

        return getattr(attack_recipes, name).build(victim)

    return make


def _with_means(name: str) -> Callable[[Any, Means], Any]:
    """Build a recipe with stand-ins for what TextAttack would fetch."""

    def make(victim: Any, means: Means) -> Any:
        from textattack import attack_recipes

        from probes.robustness import standins

        return standins.build(getattr(attack_recipes, name), victim, means)

    return make


def _bad_characters(kind: str) -> Callable[[Any, Means], Any]:
    def make(victim: Any, _: Means) -> Any:
        from textattack.attack_recipes import BadCharacters2021

        return BadCharacters2021.build(
            victim, goal_function_type="targeted_classification", perturbation_type=kind
        )

    return make


RECIPES = {
    "pruthi": Recipe(make=_plain("Pruthi2019")),
    "deepwordbug": Recipe(make=_plain("DeepWordBugGao2018")),
    "pwws": Recipe(make=_plain("PWWSRen2019"), corpora=("stopwords", "wordnet")),
    "bad-characters": Recipe(make=_bad_characters("homoglyphs"), targeted=True),
    "bad-characters-invisible": Recipe(make=_bad_characters("invisible"), targeted=True),
    "input-reduction": Recipe(make=_plain("InputReductionFeng2018"), reduces=True),
    "textfooler": Recipe(make=_with_means("TextFoolerJin2019"), needs=("neighbours", "encoder"), tags=True),
    "textbugger": Recipe(make=_with_means("TextBuggerLi2018"), needs=("neighbours", "encoder")),
    "bae": Recipe(make=_with_means("BAEGarg2019"), needs=("masked_lm", "encoder"), tags=True),
    "bert-attack": Recipe(make=_with_means("BERTAttackLi2020"), needs=("masked_lm", "encoder")),
    "clare": Recipe(make=_with_means("CLARE2020"), needs=("masked_lm", "encoder"), tags=True),
}
"""TextAttack's name → recipe; `bad-characters` swaps letters for look-alikes, its other form hides some."""
