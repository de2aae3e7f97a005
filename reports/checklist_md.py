"""The checklist as Markdown, for a pull request, a wiki or a model card."""

from __future__ import annotations

import re

from audit.schema import ChecklistItem, Record
from reports import evidence
from reports.digits import date
from reports.plain import one_line
from reports.wording import MARKS

_CODES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "|": "&#124;", "\\": "&#92;"}
"""`@` too: evidence from data must not call anybody. Readers differ on an escaped pipe: it gets a number."""
_SIGNS = re.compile(r"[`*\[\]~$!]|(?<!\w)_|_(?!\w)|^[#+-]")


def render(record: Record) -> str:
    """Return the checklist: a heading, what was audited, one table row for each item.

    Text from the record is escaped for Markdown and HTML, so no item can break its row.
    """
    about = (
        f"{_escaped(record.model.source)} ({record.model.kind}), profile {_escaped(record.profile)}, "
        f"rules “{_escaped(record.rules)}”, {_escaped(date(record.times.started))}"
    )
    lines = [
        f"# Safety and trust checklist: {_escaped(record.name)}",
        "",
        about,
        "",
        "| Item | Question | Status | Evidence | To do |",
        "| --- | --- | --- | --- | --- |",
        *(_row(record, item) for item in record.checklist),
        "",
    ]
    return "\n".join(lines)


def _row(record: Record, item: ChecklistItem) -> str:
    pieces = [evidence.read(record, sentence) for sentence in item.evidence]
    said = "<br>".join(_escaped(f"{p.id}: {p.rest}" if p.id else p.rest) for p in pieces) or "none"
    cells = (
        _escaped(item.id),
        f"**{_escaped(item.question)}**<br>{_escaped(item.clause)}",
        f"{MARKS[item.status]} {item.status}",
        said,
        _escaped(item.action),
    )
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    coded = "".join(_CODES.get(sign, sign) for sign in one_line(text))
    return _SIGNS.sub(lambda found: f"\\{found[0]}", coded)
