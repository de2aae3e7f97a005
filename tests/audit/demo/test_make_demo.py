"""The three steps in a row, on packages of a few kilobytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from audit.demo import Demo, make_demo
from audit.demo.learn import Recipe
from audit.demo.parts import Part
from audit.demo.prepare import DOMAINS
from audit.errors import DataError
from audit.places import DEMO

RECIPE = Recipe(snippets=40, held_out=10, epochs=1, batch=8)


pytestmark = pytest.mark.usefixtures("one_thread")


def quiet(done: int, total: int) -> None:
    """No progress is shown."""


@pytest.fixture
def parts(packages: Any, encoder: Path) -> tuple[Part, ...]:
    """What the demonstration is made of, in small: a language model of one byte, ratings, the encoder."""
    words = [("good", "2.0", "[2, 2]"), ("bad", "-2.0", "[-2, -2]"), ("long", "0.0", "[1, -1]")]
    rows = [(i, *words[i % 3]) for i in range(150)]
    truth = "".join(f"{i}\t{mean}\ta {word} film {i}\r\n" for i, word, mean, _ in rows).encode()
    single = "".join(f"{i}\t{mean}\t0.0\t{ratings}\r\n" for i, _, mean, ratings in rows).encode()
    ratings = {
        f"ratings/{stem}_{kind}.txt": content
        for stem in DOMAINS.values()
        for kind, content in (("GroundTruth", truth), ("anonDataRatings", single))
    }
    minilm = {f"{DEMO['minilm']}/{path.name}": path.read_bytes() for path in encoder.iterdir()}
    return (
        packages.nested("texts", ratings),
        packages.wheel("encoder", minilm),
        packages.wheel("language", {DEMO["smollm2"]: b"1"}),
    )


Make = Callable[..., Demo]


@pytest.fixture
def make(packages: Any, parts: tuple[Part, ...], tmp_path: Path, steps: list[str]) -> Make:
    """Returns a function that makes the demonstration of these packages, or of other parts of them."""
    return partial(
        make_demo,
        tmp_path / "demo",
        on_step=steps.append,
        on_progress=quiet,
        packages=packages.folder,
        parts=parts,
        recipe=RECIPE,
    )


def test_every_demo_name_is_there_afterwards(make: Make) -> None:
    demo = make()
    assert [] == [name for name in DEMO if not demo.path(name).exists()]
    assert (50, 50, 50) == (
        demo.counts["movies"].positive,
        demo.counts["movies"].negative,
        demo.counts["movies"].neutral,
    )
    assert demo.path("minilm-movies") == demo.tuned.model


def test_a_second_call_makes_nothing_again(make: Make) -> None:
    assert [False, True] == [make().tuned.reused, make().tuned.reused]


def test_a_failure_keeps_what_was_brought_and_the_next_call_ends_it(
    make: Make, parts: tuple[Part, ...], steps: list[str]
) -> None:
    lost = dataclasses.replace(parts[2], archive="lost-1.0-py3-none-any.whl")
    with pytest.raises(DataError, match="lost"):
        make(parts=(*parts[:2], lost))
    steps.clear()
    make()
    assert ["texts 1.0: already here", "encoder 1.0: already here"] == steps[:2]
