"""Does an adversarial text still mean what the original meant? A second opinion, after the attack.

Two checks that the recipes do not make themselves: no word was exchanged for its antonym (WordNet), and a
sentence encoder finds both texts alike. A text that fails one is no fair attack, whatever the model said.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from audit.schema import Encoder, Text
from probes.robustness.outcome import Attacked

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")

STRICT = 0.98
"""Least similarity that Morris et al. 2020 found to agree with people's judgement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """What the checks said of the attacks that succeeded."""

    checks: tuple[str, ...]
    """What was checked, for the reader; empty where nothing could be."""
    lacking: tuple[str, ...]
    """What could not be checked, and what to do about it."""
    faults: Mapping[int, str] = field(default_factory=dict)
    """Place of the example → why its adversarial text does not count; only those with a fault."""
    similarity: Mapping[int, float] = field(default_factory=dict)
    """Place of the example → how alike both texts are, at most 1."""

    def note(self, i: int) -> str:
        """Return what is said of one adversarial text beside it."""
        alike = f", similarity {self.similarity[i]:.2f}" if i in self.similarity else ""
        return alike + (f", not valid: {self.faults[i]}" if i in self.faults else "")


def check(done: Attacked, encoder: Encoder | None, least: float) -> Validity:
    """Check every attack that succeeded.

    Args:
        encoder: judges meaning; None: not checked.
        least: similarity below which a text counts as another one, in (0, 1].
    """
    won = [i for i in sorted(done.attempts) if done.broke(i)]
    pairs = {i: (done.originals.examples[i].input, done.attempts[i].text) for i in won}
    checks, lacking, faults, alike = [], [], {}, {}
    if _wordnet_is_here():
        checks.append("antonyms by WordNet")
        for i, (before, after) in pairs.items():
            turned = next(opposites(before, after), None)
            if turned is not None:
                faults[i] = f"{turned[0]} became its antonym {turned[1]}"
    else:
        lacking.append("antonyms (NLTK's wordnet is not on this machine: python -m nltk.downloader wordnet)")
    if encoder is not None:
        checks.append(f"meaning by the encoder, similarity of at least {least:g}")
        alike = dict(zip(won, similarities(encoder, list(pairs.values())), strict=True))
        for i, value in alike.items():
            if value < least:
                faults.setdefault(i, f"meaning, similarity below {least:g}")
    else:
        lacking.append("meaning (helpers.encoder names no sentence encoder)")
    return Validity(checks=tuple(checks), lacking=tuple(lacking), faults=faults, similarity=alike)


def similarities(encoder: Encoder, pairs: Sequence[tuple[Text, Text]]) -> list[float]:
    """Return how alike the two texts of each pair are, from -1 to 1; of a text pair, its less alike part."""
    flat = [_parts(text) for pair in pairs for text in pair]
    vectors = encoder.embed([part for parts in flat for part in parts])
    found, place = [], 0
    for before, after in zip(flat[::2], flat[1::2], strict=True):
        a = vectors[place : place + len(before)]
        b = vectors[place + len(before) : place + len(before) + len(after)]
        place += len(before) + len(after)
        found.append(float(np.minimum((a * b).sum(axis=1), 1.0).min()))
    return found


def opposites(before: Text, after: Text) -> Iterator[tuple[str, str]]:
    """Yield the words that were exchanged for an antonym, with it, as written."""
    for one, other in zip(_parts(before), _parts(after), strict=True):
        old, new = WORD.findall(one), WORD.findall(other)
        matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
        for kind, i, j, k, m in matcher.get_opcodes():
            if kind == "replace" and j - i == m - k:
                for left, right in zip(old[i:j], new[k:m], strict=True):
                    if right.lower() in antonyms(left.lower()):
                        yield left, right


@lru_cache(maxsize=2**14)
def antonyms(word: str) -> frozenset[str]:
    """Return the direct antonyms of all senses of a word, and of its base form, by WordNet."""
    from nltk.corpus import wordnet

    lemmas = [lemma for sense in wordnet.synsets(word) for lemma in sense.lemmas()]
    own = {word, *(wordnet.morphy(word, pos) for pos in "nvar")}
    return frozenset(
        other.name().lower() for lemma in lemmas if lemma.name().lower() in own for other in lemma.antonyms()
    )


def _wordnet_is_here() -> bool:
    import nltk  # comes with textattack

    try:
        nltk.corpus.wordnet.ensure_loaded()
    except (LookupError, OSError):
        return False
    return True


def _parts(text: Text) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text
