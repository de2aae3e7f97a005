"""A docstring becomes prose without losing a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports import prose
from tests.reports.sample import CALIBRATION

PROBES = sorted((Path(__file__).parents[2] / "probes").glob("*/*.py"))


def test_the_first_line_is_the_question() -> None:
    assert "Does its confidence mean what it says?" == prose.question(CALIBRATION)


def test_lead_words_open_their_own_paragraph() -> None:
    leads = [block.lead for block in prose.blocks(CALIBRATION) if block.lead]

    assert ["Why it matters", "Not covered", "Source"] == leads


def test_wrapped_lines_are_joined() -> None:
    block = next(block for block in prose.blocks(CALIBRATION) if block.lead == "Why it matters")

    assert "right 89 times in 100" in block.text and "\n" not in block.text


def test_indented_lines_after_an_empty_one_are_code() -> None:
    assert ["ECE = Σ_b (n_b / n) · |acc_b − conf_b|"] == [
        block.text for block in prose.blocks(CALIBRATION) if block.kind == "code"
    ]


def test_list_items_keep_their_wrapped_lines() -> None:
    items = [block.text for block in prose.blocks(CALIBRATION) if block.kind == "item"]

    assert (
        "equal-mass bins keep ties together, so that their edges never split equal confidences" == items[-1]
    )


def test_a_hanging_indent_is_no_code() -> None:
    assert [prose.Block("text", "Source", "a paper, continued")] == prose.blocks(
        "Question?\n\nSource: a paper,\n    continued"
    )


def test_a_docstring_of_one_line_has_no_blocks() -> None:
    assert [] == prose.blocks("Question?")


@pytest.mark.parametrize("place", PROBES, ids=lambda place: place.stem)
def test_no_word_of_a_module_is_lost(place: Path) -> None:
    text = place.read_text(encoding="utf-8").split('"""')[1]

    said = " ".join(
        [prose.question(text), *(f"{b.lead}: {b.text}" if b.lead else b.text for b in prose.blocks(text))]
    )
    assert text.replace("- ", "").split() == said.replace("- ", "").split()
