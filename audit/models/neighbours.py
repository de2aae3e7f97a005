"""Words that may stand for a word: a list of neighbours that somebody made, or the nearest by vectors."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.errors import ModelError, shown
from audit.places import locate
from audit.schema import Neighbours

NEAREST = 50
"""Neighbours of a word by its vector; as TextFooler."""

LEAST = 0.5
"""Cosine below which a vector is no neighbour; as TextFooler's code (its paper says 0.7)."""

Vectors = tuple[dict[str, int], NDArray[np.float32]]
"""Word → its row, in the order of the matrix (n, d), whose rows have length one."""


def open_neighbours(source: str, *, base: Path) -> Neighbours:
    """Read a JSON object word → list of words, or a text file of vectors (`word 0.1 -0.2 …`); either gzipped.

    Vectors are parsed when a word is first looked up. Words are in lower case; others are never found.

    Raises:
        ModelError: no such file, or neither of the two.
    """
    place = locate(source, base, "model.source")
    if place is None or not place.is_file():
        raise ModelError(f"{shown(source)} is no file; paths are relative to the folder of model.yaml")
    try:
        content = place.read_bytes()
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{shown(source)} cannot be read: {error}; bring the whole file") from error
    said = f"{Path(source).name} (sha256 {hashlib.sha256(content).hexdigest()[:8]})"
    words = _listed(content, source) if content.lstrip().startswith(b"{") else _nearest(content, source)
    return Neighbours(words=words, source=said)


def _listed(content: bytes, source: str) -> Mapping[str, Sequence[str]]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ModelError(f"{shown(source)} is no JSON: {error}; write {{word: [neighbour, …]}}") from error
    for word, others in found.items():
        if not isinstance(others, list) or not all(isinstance(one, str) and one.split() for one in others):
            raise ModelError(
                f"{shown(source)}: neighbours of {shown(word)} must be a list of words, got {shown(others)}"
            )
    return {word: tuple(others) for word, others in found.items() if others}


def _nearest(content: bytes, source: str) -> Mapping[str, Sequence[str]]:
    rows = content.split(b"\n")
    if len(rows[0].split()) == 2:  # word2vec's first line: how many, how long
        rows = rows[1:]
    rows = [row for row in rows if row.strip()]
    width = len(rows[0].split()) - 1 if rows else 0
    if width < 2:
        first = rows[0][:40].decode("utf-8", "replace") if rows else ""
        raise ModelError(
            f"{shown(source)} has neither neighbours (a JSON object) nor vectors: it starts with "
            f"{shown(first)}; each line of vectors is a word and its numbers"
        )
    return _Nearest(functools.cache(lambda: _parsed(rows, width, source)))


def _parsed(rows: Sequence[bytes], width: int, source: str) -> Vectors:
    """Return the vectors; of a word that stands twice, the first."""
    found: dict[str, NDArray[np.float32]] = {}
    for row in rows:
        name, _, numbers = row.strip().partition(b" ")
        word = name.decode("utf-8", "replace")
        try:
            vector = np.array(numbers.split(), dtype=np.float32)
        except ValueError:
            vector = np.empty(0, dtype=np.float32)
        if len(vector) != width:
            raise ModelError(
                f"helpers.neighbours: {shown(source)}: the vector of {shown(word)} is not {width} numbers; "
                "bring the whole file"
            )
        found.setdefault(word, vector)
    matrix = np.array(list(found.values()))
    lengths = np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
    return {word: i for i, word in enumerate(found)}, matrix / lengths


class _Nearest(Mapping[str, Sequence[str]]):
    """Neighbours of words by their vectors, found when they are asked for."""

    def __init__(self, vectors: Callable[[], Vectors]) -> None:
        self._vectors = vectors
        self._known: dict[str, tuple[str, ...]] = {}

    def __getitem__(self, word: str) -> tuple[str, ...]:
        if word not in self._known:
            places, matrix = self._vectors()
            self._known[word] = self._find(places[word], matrix)
        return self._known[word]

    def _find(self, place: int, matrix: NDArray[np.float32]) -> tuple[str, ...]:
        near = matrix @ matrix[place]
        near[place] = -1.0
        best = np.argsort(-near, kind="stable")[:NEAREST]
        return tuple(self._names[i] for i in best.tolist() if near[i] >= LEAST)

    @functools.cached_property
    def _names(self) -> list[str]:
        return list(self._vectors()[0])

    def __iter__(self) -> Iterator[str]:
        return iter(self._vectors()[0])

    def __len__(self) -> int:
        return len(self._vectors()[0])
