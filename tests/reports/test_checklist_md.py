"""The checklist in Markdown: one row for each item, whatever its words."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.schema import Record
from reports import checklist_md
from tests.reports import sample
from tests.reports.conftest import Golden

RECORD = sample.record()


def rows(text: str) -> list[list[str]]:
    """Cells of each row of the table."""
    lines = [line for line in text.split("\n") if line.startswith("|")]
    return [line.split("|")[1:-1] for line in lines]


def test_the_checklist_of_the_sample(record: Record, golden: Golden) -> None:
    golden("checklist.md", checklist_md.render(record))


def test_every_item_is_a_row_with_its_status(record: Record) -> None:
    table = rows(checklist_md.render(record))[2:]

    assert [item.status for item in record.checklist] == [row[2].strip()[2:] for row in table]


def test_ids_with_underscores_stay_readable(record: Record) -> None:
    assert "robustness.noise/flip_rate&#64;typos" in checklist_md.render(record)


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(), max_size=40))
def test_no_text_breaks_its_row_or_becomes_html(text: str) -> None:
    items = tuple(
        replace(item, id=text, question=text, clause=text, evidence=(text, text), action=text)
        for item in RECORD.checklist
    )

    said = checklist_md.render(replace(RECORD, checklist=items, name=text))

    assert {5} == {len(row) for row in rows(said)} and len(items) + 2 == len(rows(said))
    assert {"<br>"} >= set(re.findall(r"<[^>]*>?", said))
    said.encode("utf-8")
