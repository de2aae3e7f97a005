from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.errors import ModelError
from audit.models.cache import Cache
from audit.models.function import open_function
from audit.models.ledger import Ledger
from audit.models.spec import ModelSpec
from audit.schema import Subject, Text

MODULE = """
import numpy as np

calls = []

def lists(texts):
    calls.append(list(texts))
    return [[0.25, 0.75] if "good" in text else [1, 0] for text in texts]

def array(texts):
    return np.array(lists(texts), dtype=np.float32)

def pairs(texts):
    return [[0.0, 1.0] if a == b else [1.0, 0.0] for a, b in texts]

def nan(texts):
    return [[float("nan"), 1.0] for _ in texts]

def negative(texts):
    return [[-0.5, 1.5] for _ in texts]

def unnormalised(texts):
    return [[0.5, 0.5] if text == "fine" else [3.0, 1.0] for text in texts]

def nearly(texts):
    return [[0.3335, 0.667] for _ in texts]

def wide(texts):
    return [[0.2, 0.3, 0.5] for _ in texts]

def short(texts):
    return [[0.5, 0.5]]

def words(texts):
    return ["positive" for _ in texts]

def ragged(texts):
    return [[0.5, 0.5], [1.0]]

value = 3
"""


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "own_model.py").write_text(MODULE)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("own_model", None)


def opened(base: Path, function: str, *, module: str = "own_model", **given: Any) -> Subject:
    cache = given.pop("cache", None) or Cache(None)
    return open_function(
        ModelSpec(kind="fine-tuned", source=f"python:{module}:{function}", **given),
        labels=("negative", "positive"),
        base=base,
        cache=cache,
        ledger=Ledger(),
    )


def asked(base: Path, function: str, texts: list[Text], **given: Any) -> list[list[float]]:
    classifier = opened(base, function, **given).classifier
    assert classifier is not None
    found: list[list[float]] = classifier.score(texts).probabilities.tolist()
    return found


@pytest.mark.parametrize("function", ["lists", "array"])
def test_rows_are_the_answers(base: Path, function: str) -> None:
    np.testing.assert_allclose([[0.25, 0.75], [1, 0]], asked(base, function, ["good", "bad"]), atol=2e-12)


def test_pairs_are_given_as_tuples(base: Path) -> None:
    np.testing.assert_allclose([[0, 1], [1, 0]], asked(base, "pairs", [("a", "a"), ("a", "b")]), atol=2e-12)


def test_each_text_is_asked_once_and_never_again(base: Path) -> None:
    cache = Cache(None)
    asked(base, "lists", ["good", "bad", "good"], cache=cache)
    asked(base, "lists", ["bad", "good"], cache=cache)
    import own_model  # type: ignore[import-not-found]  # written by the fixture

    assert [["bad", "good"]] == [sorted(call) for call in own_model.calls]


def test_rounded_rows_are_normalised(base: Path) -> None:
    assert 1 == pytest.approx(sum(asked(base, "nearly", ["a"])[0]), abs=1e-12)


@pytest.mark.parametrize(
    ("function", "found"),
    [
        ("nan", r"no distribution: \[nan, 1.0\] for the text 'fine'"),
        ("negative", r"no distribution: \[-0.5, 1.5\]"),
        ("unnormalised", r"no distribution: \[3.0, 1.0\] for the text 'other'"),
        ("wide", r"shape \(2, 3\), not \(2, 2\)"),
        ("short", r"shape \(1, 2\), not \(2, 2\)"),
        ("words", "no table of numbers"),
        ("ragged", "no table of numbers"),
    ],
)
def test_what_is_no_distribution_is_refused(base: Path, function: str, found: str) -> None:
    with pytest.raises(ModelError, match=f"python:own_model:{function}: .*{found}"):
        asked(base, function, ["fine", "other"])


@pytest.mark.parametrize(
    ("function", "module", "found"),
    [
        ("none", "own_model", "'none' is no function"),
        ("value", "own_model", "'value' is no function"),
        ("f", "no_such_module", "no file of a module 'no_such_module'"),
        ("f", "no_such.module", "no module 'no_such.module'"),
        ("", "own_model", "names no function"),
        ("f", "sys", "no file of a module 'sys'"),
    ],
)
def test_what_is_not_there_is_named(base: Path, function: str, module: str, found: str) -> None:
    with pytest.raises(ModelError, match=found):
        opened(base, function, module=module)


def test_module_that_does_not_parse_is_named(base: Path) -> None:
    (base / "own_model.py").write_text("def f(:\n")
    with pytest.raises(ModelError, match="cannot be imported"):
        opened(base, "f")


def test_label_map_is_refused(base: Path) -> None:
    with pytest.raises(ModelError, match="no labels of its own"):
        opened(base, "lists", label_map={"a": "negative"})


def test_folder_of_the_config_comes_last_on_the_path(base: Path) -> None:
    (base / "json.py").write_text("raise SystemExit('shadowed the standard library')")
    opened(base, "lists")
    assert str(base) == sys.path[-1]


def test_changed_module_is_another_model(base: Path) -> None:
    cache = Cache(None)
    before = opened(base, "lists", cache=cache).facts
    (base / "own_model.py").write_text(MODULE.replace("0.25, 0.75", "0.75, 0.25"))
    sys.modules.pop("own_model")
    assert before.weights != opened(base, "lists", cache=cache).facts.weights
    np.testing.assert_allclose([[0.75, 0.25]], asked(base, "lists", ["good"], cache=cache), atol=1e-9)
