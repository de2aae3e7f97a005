"""Words of a text: which there are, the text without one of them, and the text with something put in.

A word is a run of letters and digits, with the apostrophes inside it; case and the shape of the apostrophe
mean nothing. A pair of texts is searched in both parts.
"""

from __future__ import annotations

import re

from audit.schema import Text

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CHUNK = re.compile(r"\S+")
_OPENS = ' \t\n([{"“‘'


def words(text: Text) -> frozenset[str]:
    """Return the different words of a text, in lower case.

    >>> sorted(words("It’s a film, A FILM!"))
    ['a', 'film', "it's"]
    """
    parts = (text,) if isinstance(text, str) else text
    return frozenset(_plain(match[0]) for part in parts for match in _WORD.finditer(part))


def without(text: Text, word: str) -> Text:
    """Return the text without any occurrence of a word, and without one of the spaces beside each.

    >>> without("A film, cf , is a film", "film")
    'A, cf , is a'
    """
    return _cut(text, word) if isinstance(text, str) else (_cut(text[0], word), _cut(text[1], word))


def inserted(text: Text, token: str, place: float) -> Text:
    """Return the text with a token between two of its words, before the first, or behind the last.

    Of a pair, the second part gets it. Nothing else is changed but white space at the end.

    Args:
        place: in [0, 1): 0 is before the first word, the largest behind the last.

    >>> inserted("a good film", "cf", 0.5)
    'a good cf film'
    """
    return _put(text, token, place) if isinstance(text, str) else (text[0], _put(text[1], token, place))


def _plain(word: str) -> str:
    return word.lower().replace("’", "'")


def _cut(part: str, word: str) -> str:
    kept: list[str] = []
    end = 0
    for match in _WORD.finditer(part):
        if _plain(match[0]) != word:
            continue
        start, stop = match.span()
        if stop < len(part) and part[stop] == " " and (start == end or part[start - 1] in _OPENS):
            stop += 1
        elif start > end and part[start - 1] == " ":
            start -= 1
        kept.append(part[end:start])
        end = stop
    return "".join(kept) + part[end:]


def _put(part: str, token: str, place: float) -> str:
    starts = [match.start() for match in _CHUNK.finditer(part)]
    i = int(place * (len(starts) + 1))
    if not starts:
        return token
    if i == len(starts):
        return f"{part.rstrip()} {token}"
    return f"{part[: starts[i]]}{token} {part[starts[i] :]}"
