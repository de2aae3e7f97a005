"""Word lists of our own, each with its source and licence, and the one way to read them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from audit.errors import DataError, did_you_mean, shown

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """A word list as read; the same file is read once."""

    name: str
    source: str
    """Who wrote it, or where it comes from."""
    licence: str
    entries: Mapping[str, tuple[str, ...]]
    """Word → what stands behind its colon, in the file's order; an empty tuple in a plain list."""


@functools.cache
def load(name: str, folder: Path = HERE) -> Lexicon:
    """Return the word list `name` of `folder` (ours, unless a user's own is given).

    A list is a UTF-8 text file `NAME.txt`. Lines that start with `#` are its header and comments; two of
    them must read `# source: …` and `# licence: …`. Every other line is `word` or `word: form | form`;
    spaces around words are dropped, empty lines mean nothing.

    Raises:
        DataError: no such list, no UTF-8, no source or licence, no words, an empty word or form, or a
            word that stands there twice.
    """
    place = folder / f"{name}.txt"
    if not place.is_file():
        known = sorted(path.stem for path in folder.glob("*.txt"))
        hint = did_you_mean(name, known) or f"; there are {', '.join(known) or 'none'}"
        raise DataError(f"lexicons: {shown(name)} is not a word list of {shown(folder.name)}{hint}")
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is {error.object[error.start : error.start + 1]!r}"
        raise DataError(f"{place.name}: is not UTF-8: {found}; save it as UTF-8") from error
    return Lexicon(
        name=name,
        source=_header(lines, "source", place),
        licence=_header(lines, "licence", place),
        entries=MappingProxyType(_entries(lines, place)),
    )


def _header(lines: list[str], key: str, place: Path) -> str:
    for line in lines:
        if line.startswith(f"# {key}:") and line.partition(":")[2].strip():
            return line.partition(":")[2].strip()
    raise DataError(f"{place.name}: has no line '# {key}: …', found {len(lines)} lines; say its {key} there")


def _entries(lines: list[str], place: Path) -> dict[str, tuple[str, ...]]:
    entries: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines, start=1):
        if line.startswith("#") or not line.strip():
            continue
        word, colon, rest = line.partition(":")
        word = word.strip()
        forms = tuple(form.strip() for form in rest.split("|")) if colon else ()
        if not word or not all(forms):
            raise DataError(
                f"{place.name}, line {number}: a word or form is empty, found {shown(line)}; "
                "write `word` or `word: form | form`"
            )
        if word in entries:
            raise DataError(
                f"{place.name}, line {number}: {shown(word)} stands here twice; put all its forms on one line"
            )
        entries[word] = forms
    if not entries:
        raise DataError(f"{place.name}: has no words, found {len(lines)} lines; write one word a line")
    return entries
