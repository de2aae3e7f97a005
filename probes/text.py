"""Edits of text and the word diff, shared by noise, fairness and shortcut probes.

An edit is a pure function: the same text, generator state and rate give the same string. None of them
asks a model. What all edits keep: empty text stays empty, line breaks stay where they are, and what is no
word of the kind that the edit is about (emoji, other scripts, punctuation) stays as it is. All rates are
probabilities in [0, 1]; at 0 an edit returns its input unchanged.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from audit.schema import Text
from probes import lexicons
from probes.contraction import contract, contractions, expand, in_case_of

__all__ = [
    "SLIPS",
    "changed_words",
    "contract",
    "contractions",
    "expand",
    "fillers",
    "in_case_of",
    "lower_case",
    "misspellings",
    "mix",
    "on_both",
    "spacing",
    "typos",
    "upper_case",
]

Slip = Literal["neighbour", "swap", "drop", "double"]

SLIPS: tuple[Slip, ...] = ("neighbour", "swap", "drop", "double")

MIX_RATE = 0.2
"""Rate of misspellings in `mix`: about one word in twelve of English reviews, where 43 % of the words are
in our list. Fixed, so that the mix of two runs is the same mix."""

MIX_SPACES = 3
"""Most spaces between two words in `mix`."""

_WORD = re.compile(r"[^\W\d_]+")
# Addresses, handles, tags, markup and whatever holds a digit are no prose that a finger slips on.
_LEFT_ALONE = re.compile(r"://|www\.|[@#<>\d]", re.IGNORECASE)
_TOKEN = re.compile(r"\S+")


def on_both(edit: Callable[[str, np.random.Generator], str], text: Text, *rngs: np.random.Generator) -> Text:
    """Return the text edited with the first generator, or both parts of a pair, each with its own."""
    if isinstance(text, str):
        return edit(text, rngs[0])
    return edit(text[0], rngs[0]), edit(text[1], rngs[1])


# --- slips of the finger ------------------------------------------------------------------


def typos(text: str, rng: np.random.Generator, rate: float, *, slips: tuple[Slip, ...] = SLIPS) -> str:
    """Return `text` with each letter mistyped with probability `rate`.

    A slip hits the neighbouring key of a QWERTY keyboard, swaps the letter with the next one, drops it,
    or doubles it, each as often. Where a slip cannot be (no key for the letter, no other letter beside
    it, a word that would vanish) the next one of `slips` is made; where none can be, none is.
    Promises: letters keep their case (a swap leaves the case where it was); white space and the number of
    words stay; addresses, handles, tags, markup and tokens with digits are left alone, and so are letters
    that carry a combining mark. With the same generator state a higher rate strikes the same letters
    and more. With only `swap`, the letters of each word stay the same ones when case is ignored.
    """

    def slipped(token: re.Match[str]) -> str:
        if _LEFT_ALONE.search(token[0]):
            return token[0]
        return _WORD.sub(lambda word: _mistyped(word, rng, rate, slips), token[0])

    return _TOKEN.sub(slipped, text)


def _mistyped(match: re.Match[str], rng: np.random.Generator, rate: float, slips: tuple[Slip, ...]) -> str:
    word, following = match[0], match.string[match.end() : match.end() + 1]
    # All draws are made whatever the rate, so that rates share their slips.
    struck = rng.random(len(word)) < rate
    first = rng.integers(len(slips), size=len(word))
    side = rng.random(len(word))
    letters = list(word)
    left = len(word)
    free = [letter.isalpha() for letter in word]
    if following and unicodedata.category(following).startswith("M"):
        free[-1] = False
    for i in np.flatnonzero(struck):
        if not free[i]:
            continue
        for turn in range(len(slips)):
            match slips[(int(first[i]) + turn) % len(slips)]:
                case "neighbour" if keys := _neighbours().get(word[i].lower()):
                    letters[i] = _with_case(keys[int(side[i] * len(keys))], word[i])
                case "swap" if (
                    i + 1 < len(word)
                    and not struck[i + 1]
                    and free[i + 1]
                    and word[i].lower() != word[i + 1].lower()
                ):
                    letters[i] = _with_case(word[i + 1], word[i])
                    letters[i + 1] = _with_case(word[i], word[i + 1])
                case "drop" if left > 1:
                    letters[i] = ""
                    left -= 1
                case "double":
                    letters[i] = word[i] * 2
                case _:
                    continue
            break
    return "".join(letters)


def _neighbours() -> Mapping[str, tuple[str, ...]]:
    return lexicons.load("keyboard").entries


def _with_case(letter: str, model: str) -> str:
    other = letter.upper() if model.isupper() else letter.lower() if model.islower() else letter
    return other if len(other) == 1 else letter


def misspellings(
    text: str,
    rng: np.random.Generator,
    rate: float,
    *,
    words: Mapping[str, tuple[str, ...]] | None = None,
) -> str:
    """Return `text` with each word that the list knows misspelt with probability `rate`.

    Args:
        words: correct → wrong forms, lower case; our own list where None. One of several wrong forms is
            chosen evenly.

    Promises: words keep their case, white space stays, and words that the list does not know stay. With
    the same generator state a higher rate makes the same misspellings and more.
    """
    known = lexicons.load("misspellings").entries if words is None else words

    def wrong(match: re.Match[str]) -> str:
        forms = known.get(match[0].lower())
        if forms is None:
            return match[0]
        draw, choice = rng.random(2)
        return in_case_of(forms[int(choice * len(forms))], match[0]) if draw < rate else match[0]

    # A part of a contraction or of an address is no word of its own.
    return re.sub(r"(?<![\w'’@#./-])[^\W\d_]+(?![\w'’@/-]|\.\w)", wrong, text)


# --- case, spacing, speech ----------------------------------------------------------------


def lower_case(text: str) -> str:
    """Return `text` in lower case, by Unicode's rules."""
    return text.lower()


def upper_case(text: str) -> str:
    """Return `text` in upper case, by Unicode's rules ("ß" becomes "SS")."""
    return text.upper()


def spacing(text: str, rng: np.random.Generator, most: int) -> str:
    """Return `text` with 1 to `most` spaces, each number as often, wherever there were spaces inside a line.

    Promises: `text.split()` stays the same, so words are never merged or split; spaces at the ends of a
    line, tabs and line breaks stay. `most=1` makes every gap one space.
    """
    return re.sub(r"(?<=\S) +(?=\S)", lambda _: " " * int(rng.integers(1, most + 1)), text)


def fillers(text: str, rng: np.random.Generator, rate: float, *, words: tuple[str, ...] | None = None) -> str:
    """Return `text` with a filler ("um", "you know") put into each gap with probability `rate`.

    A gap is a run of spaces inside a line with a letter after it (not the `n't` of a tokenised text) and a
    letter, digit, or comma before it. Promises: the old words all stay, in their order.
    """
    said = tuple(lexicons.load("fillers").entries) if words is None else words

    def filled(match: re.Match[str]) -> str:
        draw, choice = rng.random(2)
        return f"{match[0]}{said[int(choice * len(said))]} " if draw < rate else match[0]

    return re.sub(r"(?<=[^\W_]|,)(?<!\s) +(?=[^\W\d_])(?!n['’]t)", filled, text)


# --- the mix ------------------------------------------------------------------------------


def mix(text: str, rng: np.random.Generator) -> str:
    """Return `text` as a hurried person would type it: the canonical mix, always at the same strength.

    In this order: lower case, `contract`, misspellings of a fifth of the words that our list knows, and
    one to three spaces between words. The order is that of HELM's `mild_mix` (Liang et al. 2022,
    arXiv:2211.09110, appendix on perturbations); lists and rates are ours, so numbers are not
    comparable with HELM's.
    """
    text = contract(lower_case(text))
    return spacing(misspellings(text, rng, MIX_RATE), rng, MIX_SPACES)


# --- the diff -----------------------------------------------------------------------------


def changed_words(before: str, after: str) -> tuple[tuple[int, int], ...]:
    """Return where `after` has words that `before` does not have, as (start, end) in characters of `after`.

    Words are what white space parts; neighbouring changed words make one span. Changes of white space
    alone, and words that are only gone, have no span; ask `changed_words(after, before)` for the latter.

    >>> changed_words("a good film", "a godo film")
    ((2, 6),)
    """
    old = before.split()
    spots = [match.span() for match in _TOKEN.finditer(after)]
    new = [after[start:end] for start, end in spots]
    # Without the shortcut for frequent words the search is quadratic in long texts.
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=len(new) > 1_000)
    return tuple(
        (spots[low][0], spots[high - 1][1])
        for tag, _, _, low, high in matcher.get_opcodes()
        if tag in ("replace", "insert")
    )
