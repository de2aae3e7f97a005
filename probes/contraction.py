"""English contractions, drawn together and written out; read through `probes.text`."""

from __future__ import annotations

import functools
import re

from probes import lexicons

_APOSTROPHES = "'’"


def in_case_of(word: str, model: str) -> str:
    """Return `word` in the case of `model`: all capitals, first letter capital, or as it is.

    One capital letter ("I", "A") counts as a first letter, not as all capitals.

    >>> in_case_of("teh", "The"), in_case_of("teh", "THE"), in_case_of("teh", "the")
    ('Teh', 'TEH', 'teh')
    """
    if len(model) > 1 and model.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def contract(text: str) -> str:
    """Return `text` with long forms drawn together ("do not" → "don't"); without any it stays as it is.

    Pronoun forms ("it is") are drawn together only where a word follows in the line ("that is what it
    is." keeps its end), and not before "not" where the verb has a form with "n't" ("it is not" → "it
    isn't"). Case is kept; the apostrophe is the curly one where the text has only curly ones.
    """
    return _rewritten(text, short=False, long=True)


def expand(text: str) -> str:
    """Return `text` with contractions written out ("don't" → "do not"); without any it stays as it is.

    Tokenised forms ("do n't", "it 's") count. Questions keep theirs ("don't you"), as do forms that may
    mean "has" ("it's been"). `contract(expand(text))` gives a listed two-way contraction back where a
    word follows; "can not" comes back as "cannot".
    """
    return _rewritten(text, short=True, long=False)


def contractions(text: str) -> str:
    """Return `text` with every contraction written out and every long form drawn together.

    Each place is turned the other way once; a text that has neither stays as it is.
    """
    return _rewritten(text, short=True, long=True)


def _rewritten(text: str, *, short: bool, long: bool) -> str:
    shorts, longs, pattern = _contractions()
    mark = "’" if "’" in text and "'" not in text else "'"

    def turned(match: re.Match[str]) -> str:
        found = re.sub(r" +", " ", match[0].lower().replace("’", "'"))
        if found in longs:
            return in_case_of(longs[found].replace("'", mark), match[0]) if long else match[0]
        form = shorts[re.sub(r" (?=n't|')", "", found)]
        return in_case_of(form, match[0]) if short else match[0]

    return pattern.sub(turned, text)


@functools.cache
def _contractions() -> tuple[dict[str, str], dict[str, str], re.Pattern[str]]:
    """Return short → long, long → short, and the pattern that finds both."""
    both = lexicons.load("contractions").entries
    shorts = {
        short: forms[0] for short, forms in (*both.items(), *lexicons.load("expansions").entries.items())
    }
    longs = {form: short for short, forms in both.items() for form in forms}
    negated = {form.removesuffix(" not") for form in longs if form.endswith(" not")}
    found = [*map(_short_pattern, shorts), *(_long_pattern(form, negated) for form in longs)]
    return shorts, longs, re.compile(rf"(?<![\w'’-])(?:{'|'.join(found)})(?![\w'’-])", re.IGNORECASE)


def _short_pattern(short: str) -> str:
    spelt = re.sub(r"n't|'", lambda m: f" ?{m[0]}".replace("'", f"[{_APOSTROPHES}]"), short)
    if short.endswith("n't"):
        return spelt + r"(?! +(?:i|you|he|she|it|we|they|this|that|there)\b)"
    if short.endswith("'s"):
        return spelt + r"(?! +(?:been|got|had)\b)"
    return spelt


def _long_pattern(form: str, negated: set[str]) -> str:
    spelt = form.replace(" ", " +")
    if form.endswith("not"):
        return spelt
    barred = r"(?:not|n['’]t)\b" if form.split()[-1] in negated else r"n['’]t\b"
    return spelt + rf"(?= +(?!{barred})[^\W\d_])"
