"""Neighbours of words: a list as it is, or the nearest by their vectors; broken files are told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from audit.errors import ModelError
from audit.models.neighbours import LEAST, NEAREST, open_neighbours

VECTORS = """good 1 0 0
nice 0.9 0.1 0
fine 2 2 0
bad -1 0.1 0
far 0 0 3
good 0 1 0
"""


def write(folder: Path, content: str | bytes, name: str = "words") -> Path:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_a_list_is_read_as_it_is(tmp_path: Path) -> None:
    content = json.dumps({"good": ["nice", "fine"], "alone": []})
    found = open_neighbours("words", base=write(tmp_path, content))

    assert {"good": ("nice", "fine")} == dict(found.words)
    assert found.source.startswith("words (sha256 ")


def test_a_gzipped_list_is_the_same_list(tmp_path: Path) -> None:
    content = json.dumps({"good": ["nice"]}).encode()
    packed = open_neighbours("words", base=write(tmp_path, gzip.compress(content)))

    assert packed == open_neighbours("words", base=write(tmp_path, content))


@pytest.mark.parametrize("first", ["", "6 3\n"])
def test_neighbours_by_vectors_are_the_nearest_by_cosine(tmp_path: Path, first: str) -> None:
    words = open_neighbours("words", base=write(tmp_path, first + VECTORS)).words

    assert ("nice", "fine") == words["good"]  # of good, the first of its two vectors
    assert ("good", "fine") == words["nice"]
    assert () == words["far"]
    assert "unheard" not in words
    assert 5 == len(words)


def test_no_word_has_more_neighbours_than_textfooler_takes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(80, 2)) + np.array([5.0, 0.0])
    lines = [f"w{i} {x} {y}" for i, (x, y) in enumerate(vectors)]
    words = open_neighbours("words", base=write(tmp_path, "\n".join(lines))).words
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = [i for i in np.argsort(-(unit @ unit[0])).tolist() if i != 0 and unit[i] @ unit[0] >= LEAST]

    assert NEAREST == len(words["w0"])
    assert [f"w{i}" for i in expected[:NEAREST]] == list(words["w0"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"good": "nice"}', "neighbours of 'good' must be a list of words, got 'nice'"),
        ('{"good": ["nice", ""]}', "must be a list of words"),
        ('{"good": [', "is no JSON"),
        ("good nice\nbad awful\n", "has neither neighbours .* nor vectors"),
        ("", "has neither neighbours"),
        (b"\x1f\x8bnothing", "cannot be read"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        open_neighbours("words", base=write(tmp_path, content))


@pytest.mark.parametrize("broken", ["bad 1 2\n", "bad 1 2 x\n"])
def test_a_broken_vector_is_told_with_its_word(tmp_path: Path, broken: str) -> None:
    words = open_neighbours("words", base=write(tmp_path, "good 1 0 0\n" + broken)).words

    with pytest.raises(ModelError, match=r"helpers\.neighbours: .* the vector of 'bad' is not 3 numbers"):
        words["good"]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'words' is no file"):
        open_neighbours("words", base=tmp_path)


def test_the_shared_list_is_read(shared: Path) -> None:
    words = open_neighbours("data/counterfitted/counterfitted_neighbors.json.gz", base=shared).words

    assert ("grand", "tremendous", "awesome") == words["great"][:3]
    assert 49_975 - 24_384 == len(words)  # 24,384 words have no neighbour
