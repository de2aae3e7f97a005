"""Words of one group put in the place of another's: what the text says of a person stays, who it is changes.

A listed word is found whole. Without capitals it is found in either case and gives its case to what takes
its place; with a capital it is a name: found so or in all capitals, and not before another capitalised word,
which would make it somebody in particular. A mark after a word says where it counts: `christian *` before a
word for people only ("christian faith" stays), `her +` before a noun phrase ("her film"), `her .` elsewhere
("saw her"). "a" and "an" follow the new word where they fitted the old one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from audit.schema import Text
from probes import lexicons

# After "her" and "his" these begin no noun phrase: "saw her and", "told her that", "brought her back".
_NO_NOUN = (
    "a about above across after again against alone along also although always am among an and are around as "
    "at away back be because been before behind being below beside between both but by can could did do does "
    "down during each either else enough even every everything everywhere for from go had has have he here "
    "how however i if in inside into instead is it just like may me might must near no nor not nothing now "
    "of off often on onto or out outside over perhaps really she should since so some something soon than "
    "that the them then there these they this those though through till to today together tomorrow "
    "tonight too toward towards under until up upon us was we well were what when where whether which while "
    "who why will with within without would yesterday yet you"
)
_NOUN = rf"\s+(?!(?:{_NO_NOUN.replace(' ', '|')})\b)[^\W\d_]"
_EDGE = r"(?<![\w'’-])"
_SILENT = re.compile(r"(?!eu|ewe|uni|use|usu|one\b|once\b)[aeiou]|hour|heir|honest|honou?r", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What people differ in, and the words that name each group; hashable, so its pattern is made once."""

    name: str
    groups: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    """Of each group; a word's counterpart is the word at its place (counted round where lists differ in
    length)."""


def named(axis: Axis, text: Text) -> frozenset[str]:
    """Return the groups that a text or either part of a pair names."""
    pattern, places = _pattern(axis)
    return frozenset(
        axis.groups[places[_alternative(match)][0]]
        for part in _parts(text)
        for match in pattern.finditer(part)
    )


def turned(axis: Axis, text: Text, group: str) -> Text:
    """Return the text with every word of the axis replaced by its counterpart of `group`.

    Promises: what names no group, or only this one, stays as it is; all else stays, but for "a" and "an".
    """
    pattern, places = _pattern(axis)
    target = axis.groups.index(group)
    words = axis.words[target]

    def swapped(match: re.Match[str]) -> str:
        home, place = places[_alternative(match)]
        if home == target:
            return match[0]
        old, listed = match[match.lastindex or 0], plain(axis.words[home][place])
        new = _cased(plain(words[place % len(words)]), old, listed)
        article, gap = match[1] or "", match[2] or ""
        return _article(article, old, new) + gap + new

    if isinstance(text, str):
        return pattern.sub(swapped, text)
    return pattern.sub(swapped, text[0]), pattern.sub(swapped, text[1])


def plain(word: str) -> str:
    """Return a listed word without its mark.

    >>> plain("christian *"), plain("hers")
    ('christian', 'hers')
    """
    return re.sub(r" [*+.]$", "", word)


def mentions(words: Sequence[str], text: Text) -> bool:
    """Tell whether one of the words stands in the text, whole and in either case."""
    return any(_any_of(tuple(words)).search(part) for part in _parts(text)) if words else False


@functools.cache
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"{_EDGE}(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)


@functools.cache
def _pattern(axis: Axis) -> tuple[re.Pattern[str], list[tuple[int, int]]]:
    """Return the pattern, and for each of its alternatives the group and the place of the word."""
    listed = [(g, i, word) for g, words in enumerate(axis.words) for i, word in enumerate(words)]
    listed.sort(key=lambda one: -len(plain(one[2])))  # "south asian" before "asian"
    forms = "|".join(f"({_form(word)})" for _, _, word in listed)
    pattern = re.compile(rf"{_EDGE}(?:(an?)(\s+))?(?:{forms})", re.IGNORECASE)
    return pattern, [(g, i) for g, i, _ in listed]


def _form(listed: str) -> str:
    word = plain(listed)
    spelt = re.sub(r"\\? ", r"\\s+", re.escape(word)) + r"(?![\w-])"
    match listed[len(word) :].strip():
        case "*":
            people = "|".join(map(re.escape, lexicons.load("people").entries))
            return rf"{spelt}(?=\s+(?:{people})\b)"
        case "+":
            return rf"{spelt}(?={_NOUN})"
        case ".":
            return rf"{spelt}(?!{_NOUN})"
        case _ if word[0].isupper():
            return rf"(?-i:(?:{re.escape(word)}|{re.escape(word.upper())})(?![\w-])(?!\s+[A-Z]))"
        case _:
            return spelt


def _alternative(match: re.Match[str]) -> int:
    """Return which alternative matched; the article and the gap are the two groups before them."""
    assert match.lastindex is not None, "every alternative is a group"
    return match.lastindex - 3


def _cased(new: str, old: str, listed: str) -> str:
    if old == listed:
        return new
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new.lower()


def _article(article: str, old: str, new: str) -> str:
    """Return "a" or "an" for the new word, in the old article's case; as it is where it did not fit."""
    if not article or (article.lower() == "an") != bool(_SILENT.match(old)):
        return article
    ending = "N" if new.isupper() and article[0].isupper() else "n"
    return article[0] + (ending if _SILENT.match(new) else "")


def _parts(text: Text) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text
