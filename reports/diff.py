"""Two texts side by side, word by word, cut to what a page can hold, with the cut counted."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from markupsafe import Markup, escape

from reports.digits import count
from reports.plain import clean

_WORDS = re.compile(r"(\w+(?:[’'\-]\w+)*|\s+|([^\w\s])\2*)")
"""Words, runs of white space, and runs of one sign ("!!!"), which keeps the matching short."""
_MOST_PAIRS = 2_000
"""Pairs of equal words, one from each text, up to which two texts are compared word by word."""
_LEAD = 120
"""Characters kept before the first change of a text that is cut."""
_REACH = 40
"""Longest way back or on to the next white space, so that a changed word is marked whole."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A text made ready for the page, and what of it is not shown."""

    html: Markup
    left_out: str
    """`98,500 of 100,000 characters are not shown`, or nothing."""


def whole(text: str, most: int) -> Shown:
    """Return the beginning of a text, at most `most` characters of it."""
    return Shown(escape(clean(text[:most])) + _dots(len(text) > most), _left_out(text, most))


def changed(before: str, after: str, most: int) -> tuple[Shown, Shown]:
    """Return both texts with removed words in `del` and new words in `ins`.

    Of a text longer than `most` characters, about that many are shown, from shortly before its first change.
    """
    start = _common(before, after)
    tail = _common(before[start:][::-1], after[start:][::-1])
    is_long = max(len(before), len(after)) > most
    lead = before[:start][-_LEAD:] if is_long else before[:start]
    hidden = start - len(lead)
    room = most - len(lead)
    old, new = before[start : len(before) - tail], after[start : len(after) - tail]
    shown = []
    for text, middle, html in zip((before, after), (old, new), _mark(old[:room], new[:room]), strict=True):
        rest = text[len(text) - tail :][: max(0, room - len(middle))]
        size = len(lead) + len(middle[:room]) + len(rest)
        is_cut = hidden + size < len(text)
        parts = (_dots(hidden > 0), escape(clean(lead)), html, escape(clean(rest)), _dots(is_cut))
        shown.append(Shown(Markup().join(parts), _left_out(text, size)))
    return shown[0], shown[1]


def _common(before: str, after: str) -> int:
    """Return how many characters both begin with, back to the last white space if it is near."""
    shorter = min(len(before), len(after))
    # The first length at which the beginnings differ, by halving: texts may be very long.
    length = bisect_left(range(1, shorter + 1), True, key=lambda i: before[:i] != after[:i])
    if length == len(before) == len(after):
        return length
    back = max(0, length - _REACH)
    space = max(before.rfind(sign, back, length) for sign in " \n\t")
    return space if space >= 0 else 0 if back == 0 else length


def _mark(before: str, after: str) -> tuple[Markup, Markup]:
    old, new = _words(before), _words(after)
    left, right = Markup(), Markup()
    for kind, i, j, k, m in _steps(old, new):
        if kind == "equal":
            left += escape("".join(old[i:j]))
            right += escape("".join(new[k:m]))
            continue
        if i < j:
            left += Markup("<del>{}</del>").format("".join(old[i:j]))
        if k < m:
            right += Markup("<ins>{}</ins>").format("".join(new[k:m]))
    return left, right


def _steps(old: list[str], new: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    """Return difflib's steps; texts too repetitive to be compared in time differ as a whole."""
    often = Counter(new)
    if sum(often[word] for word in old if not word.isspace()) > _MOST_PAIRS:
        return [("replace", 0, len(old), 0, len(new))]
    return SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def _words(text: str) -> list[str]:
    return [found[0] for found in _WORDS.finditer(clean(text))]


def _dots(is_cut: bool) -> Markup:
    return Markup('<span class="cut">…</span>') if is_cut else Markup()


def _left_out(text: str, size: int) -> str:
    missing = len(text) - size
    return f"{count(missing)} of {count(len(text))} characters are not shown" if missing > 0 else ""
