"""Turn the rated snippets into labelled examples in four domains.

Each snippet was rated by at least fifteen people from −4 to +4. A mean above 0.5 is positive, below −0.5
negative; what lies between is left out and counted. How many raters stand on the label's side stays as
a column, so that a model's confidence can be held against people's.

Source: Hutto & Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text", ICWSM 2014; the labels by thresholds are ours.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.demo.parts import RATINGS, sha256_of
from audit.errors import DataError, shown
from audit.places import DEMO
from audit.schema import Json
from audit.seeds import Seeds

DOMAINS = {
    "movies": "movieReviewSnippets",
    "amazon": "amazonReviewSnippets",
    "editorials": "nytEditorialSnippets",
    "tweets": "tweets",
}
"""Domain → beginning of its files' names."""

BAND = 0.5
"""A mean rating in [−BAND, BAND] is neutral."""

TEST_ONE_IN = 5
"""Of the movie snippets, one in so many is for testing, the others for training."""

_SEED = 7
_LICENCE = (
    "MIT, as part of the package vaderSentiment 3.3.2 (ratings/LICENSE.txt); cite Hutto & Gilbert, ICWSM 2014"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """One snippet as people rated it."""

    id: str
    text: str
    rating: float
    """Mean, in [−4, 4], as the source states it."""
    ratings: tuple[int, ...]
    """One for each rater."""

    @property
    def label(self) -> str | None:
        """`positive`, `negative`, or None in the neutral band."""
        if -BAND <= self.rating <= BAND:
            return None
        return "positive" if self.rating > 0 else "negative"

    @property
    def agreement(self) -> float:
        """Share of raters, in [0, 1], whose rating has the sign of the mean; a rating of 0 has none."""
        side = 1 if self.rating > 0 else -1
        return sum(side * rating > 0 for rating in self.ratings) / len(self.ratings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of the snippets of one domain."""

    rows: int
    positive: int
    negative: int
    neutral: int
    """Left out."""
    restated: int
    """Snippets whose stated mean is not the mean of their single ratings (the stated one is used)."""


def prepare(folder: Path, on_step: Callable[[str], None]) -> dict[str, Counts]:
    """Write the labelled files and SOURCES.json into `folder`; files that are right stay untouched.

    Args:
        folder: the demo folder, in which `bring` has put the ratings.

    Returns:
        domain → counts.

    Raises:
        DataError: the ratings are missing or cannot be read, or a file cannot be written.
    """
    counts: dict[str, Counts] = {}
    texts: dict[str, str] = {}
    for domain, stem in DOMAINS.items():
        rated = read(folder / RATINGS, stem)
        counts[domain] = count(rated)
        kept = [one for one in rated if one.label is not None]
        if domain == "movies":
            texts[DEMO["movies/test"]] = _lines([one for one in kept if for_test(one.text)], domain)
            texts[DEMO["movies/train"]] = _lines([one for one in kept if not for_test(one.text)], domain)
        else:
            texts[DEMO[domain]] = _lines(kept, domain)
        on_step(
            f"{domain}: {counts[domain].positive:,} positive and {counts[domain].negative:,} negative of"
            f" {counts[domain].rows:,} snippets, {counts[domain].neutral:,} neutral left out"
        )
    texts["SOURCES.json"] = _sources(folder, counts, texts)
    try:
        for place, text in texts.items():
            _keep(folder / place, text)
    except OSError as error:
        raise DataError(
            f"the demonstration's data cannot be written: {error.filename or folder}: {error.strerror};"
            " free some space or mend the rights, and run `audit demo` again"
        ) from error
    return counts


def read(ratings: Path, stem: str) -> list[Rated]:
    """Return the snippets of one domain, in the order of the file.

    Args:
        ratings: the folder with `<stem>_GroundTruth.txt` (id, mean, text) and `<stem>_anonDataRatings.txt`
            (id, mean, standard deviation, single ratings), both parted by tabs.

    Raises:
        DataError: a file is missing, or a line is not of this form.
    """
    singles: dict[str, tuple[int, ...]] = {}
    place = ratings / f"{stem}_anonDataRatings.txt"
    for number, cells in _rows(place, columns=4):
        try:
            values = tuple(int(value) for value in cells[3].strip(" []").split(","))
        except ValueError as error:
            raise _odd_line(place, number, cells[3]) from error
        singles[cells[0]] = values
    rated: dict[str, Rated] = {}
    place = ratings / f"{stem}_GroundTruth.txt"
    for number, (name, mean, text) in _rows(place, columns=3):
        try:
            one = Rated(id=name, text=text.strip(), rating=float(mean), ratings=singles[name])
        except (ValueError, KeyError) as error:
            raise _odd_line(place, number, (name, mean)) from error
        if name in rated or not -4 <= one.rating <= 4:
            raise _odd_line(place, number, (name, mean))
        rated[name] = one
    return list(rated.values())


def decode(raw: bytes) -> str:
    """Return a line as text: UTF-8, else the Windows bytes that older files mix in; never an error."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def count(rated: Sequence[Rated]) -> Counts:
    """Count what the labels keep and leave out."""
    labels = [one.label for one in rated]
    return Counts(
        rows=len(rated),
        positive=labels.count("positive"),
        negative=labels.count("negative"),
        neutral=labels.count(None),
        restated=sum(abs(sum(one.ratings) / len(one.ratings) - one.rating) > 1e-4 for one in rated),
    )


def for_test(text: str) -> bool:
    """Tell whether a movie snippet is for testing; texts equal but for case and spaces go together.

    The source gives no review ids, so snippets of one review may stand on both sides.
    """
    return Seeds(_SEED).number("movies", " ".join(text.casefold().split())) % TEST_ONE_IN == 0


def _rows(place: Path, *, columns: int) -> list[tuple[int, list[str]]]:
    try:
        raw = place.read_bytes()
    except OSError as error:
        raise DataError(
            f"rated snippets are missing: {place}: {error.strerror}; run `audit demo` again to bring them"
        ) from error
    # Only the line feed ends a line: str.splitlines would also part at characters inside of a text.
    lines = [(n, decode(line).rstrip("\r")) for n, line in enumerate(raw.split(b"\n"), 1)]
    rows = [(n, line.split("\t")) for n, line in lines if line]
    for n, cells in rows:
        if len(cells) != columns:
            raise _odd_line(place, n, cells)
    return rows


def _odd_line(place: Path, number: int, found: object) -> DataError:
    return DataError(
        f"rated snippets are not of the known form: {place}, line {number}: found {shown(found)};"
        f" remove the folder {place.parent.name} and run `audit demo` again"
    )


def _lines(rated: Sequence[Rated], domain: str) -> str:
    rows = (
        {
            "id": f"{domain}-{one.id}",
            "text": one.text,
            "label": one.label,
            "rating": one.rating,
            "agreement": round(one.agreement, 4),
        }
        for one in rated
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _sources(folder: Path, counts: Mapping[str, Counts], texts: Mapping[str, str]) -> str:
    files: dict[str, Json] = {
        place: {"rows": text.count("\n"), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        for place, text in texts.items()
    }
    domains: dict[str, Json] = {}
    for domain, one in counts.items():
        source = f"{DOMAINS[domain]}_GroundTruth.txt"
        domains[domain] = {
            "source": source,
            "sha256": sha256_of(folder / RATINGS / source),
            "rows": one.rows,
            "positive": one.positive,
            "negative": one.negative,
            "neutral": one.neutral,
            "restated": one.restated,
        }
    summary: dict[str, Json] = {
        "licence": _LICENCE,
        "labels": f"mean rating above {BAND} positive, below -{BAND} negative, between them left out",
        "agreement": "share of raters on the label's side",
        "split": f"one movie snippet in {TEST_ONE_IN} is for testing, by a hash of its text",
        "domains": domains,
        "files": files,
    }
    return json.dumps(summary, indent=2) + "\n"


def _keep(target: Path, text: str) -> None:
    """Write `text` by way of a temporary file, unless it stands there already."""
    content = text.encode()
    if target.is_file() and target.read_bytes() == content:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
