"""The terminal text: everything that decides, within the width, harmless."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from audit.schema import Record
from reports import terminal
from tests.reports import sample
from tests.reports.conftest import Golden

RECORD = sample.record()


def plain(record: Record, width: int = 100) -> str:
    return terminal.render(record, decision="BLOCK", exit_code=1, width=width, color=False)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_terminal_text_of_the_sample(record: Record, golden: Golden, width: int) -> None:
    golden(f"terminal-{width}.txt", plain(record, width))


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_is_wider_than_the_terminal(record: Record, width: int) -> None:
    assert max(cell_len(line) for line in plain(record, width).split("\n")) <= width


def test_the_decision_stands_last(record: Record) -> None:
    assert plain(record, 200).rstrip().split("\n")[-1].endswith("Exit code 1.")


@pytest.mark.parametrize(
    "words",
    [
        "≤ 8 %",
        "12.4 % (9.8 to 15.6)",
        "robustness.noise/flip_rate@worst: typos, the worst of 2 slices",
        "expired on 2026-06-30",
        "waived by search team until 2026-12-31",
        "about 2,400 more examples would decide (2,900 in all)",
        "crashed: efficiency.latency: RuntimeError",
        "skipped: calibration.confidence (classwise ECE): fewer than 20",
        "not applicable: context.majority_label",
        "4,500 texts asked · 612 saved by repetition · 500 saved by cache · 3,388 scored at 19 texts/s",
        "3 texts cut to the model's length",
        "8.3d",
    ],
)
def test_the_reader_finds(record: Record, words: str) -> None:
    assert words in plain(record, 220)


def test_colour_changes_no_word(record: Record) -> None:
    coloured = terminal.render(record, decision="BLOCK", exit_code=1, color=True)

    assert "\x1b[" in coloured
    bare = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).split("\n"))
    assert plain(record) == bare


def test_the_environment_does_not_change_the_text(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    before = terminal.render(record, decision="BLOCK", exit_code=1)
    for name, value in {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "40", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)

    assert before == terminal.render(record, decision="BLOCK", exit_code=1)


def test_a_record_without_rules_says_so(record: Record) -> None:
    bare = replace(record, verdicts=(), outcomes=(), checklist=())

    assert "No rule was given" in terminal.render(bare, decision="UNDECIDED", exit_code=3, color=False)


@settings(max_examples=25, deadline=None)
@given(text=st.text(st.characters(), max_size=30))
def test_no_text_can_steer_the_terminal(text: str) -> None:
    hostile = replace(
        RECORD,
        name=text,
        rules=text,
        outcomes=tuple(replace(o, probe=text) for o in RECORD.outcomes),
        verdicts=tuple(replace(v, reason=text, rule=replace(v.rule, slice=text)) for v in RECORD.verdicts),
        checklist=tuple(replace(item, question=text, id=text) for item in RECORD.checklist),
    )

    said = plain(hostile)

    assert not {ord(sign) for sign in said} & {*range(10), *range(11, 32), *range(127, 160)}
    said.encode("utf-8")
