"""Progress: what is told where there is no terminal."""

from __future__ import annotations

import pytest

from audit.cli import progress
from audit.schema import Demand


@pytest.fixture(autouse=True)
def _every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)


def test_a_bound_tells_share_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Bar() as bar:
        bar.probe("context.position", Demand(texts=1200))
        bar.advance(texts=300, scored=300, tokens=9000)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "context.position: at most 1,200 texts"
    assert second.startswith("context.position: 300 of 1,200 texts, ")
    assert second.endswith(" s left")


def test_a_bound_that_is_hardly_ever_reached_promises_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Bar() as bar:
        bar.probe("robustness.adversarial", Demand(texts=225_150, loose=True))
        bar.advance(texts=300, scored=250, tokens=9000)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "robustness.adversarial: at most 225,150 texts, as a rule far fewer"
    assert second.startswith("robustness.adversarial: 300 texts, ")
    assert "left" not in second


def test_answers_from_the_cache_have_no_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Bar() as bar:
        bar.start("hashing", 10, "files")
        bar.advance(texts=4, scored=0, tokens=0)
    assert capsys.readouterr().err.splitlines()[1] == "hashing: 4 of 10 files"


def test_nothing_to_ask_is_told_by_name_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Bar() as bar:
        bar.probe("shortcuts.overlap", Demand())
    assert capsys.readouterr().err == "shortcuts.overlap\n"
