"""A probe's docstring, set as prose: paragraphs with lead words, lists, and code where it is indented."""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import cleandoc
from typing import Literal

_LEAD = re.compile(
    r"\*{0,2}(Why it matters|Not covered|Source|Sources|Note|What is done|How to read|Null)\*{0,2}:\*{0,2}\s*"
)


Kind = Literal["text", "item", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, list item or passage of code."""

    kind: Kind
    lead: str
    """`Why it matters`, or nothing."""
    text: str


def question(docstring: str) -> str:
    """Return the first line: the question that a probe asks."""
    return cleandoc(docstring).partition("\n")[0].strip()


def blocks(docstring: str) -> list[Block]:
    """Return everything after the first line."""
    found: list[Block] = []
    before: Kind | None = None
    for line in cleandoc(docstring).split("\n")[1:]:
        if not line.strip():
            before = None
            continue
        kind = _kind(line, before)
        lead = _LEAD.match(line)
        if line.startswith(("- ", "* ")) or lead is not None or kind != before:
            rest = line[lead.end() :] if lead else line.removeprefix("- ").removeprefix("* ")
            found.append(Block(kind, lead[1] if lead else "", _trimmed(rest, kind)))
        else:
            last = found.pop()
            glue = "\n" if kind == "code" else " "
            found.append(Block(kind, last.lead, f"{last.text}{glue}{_trimmed(line, kind)}".strip()))
        before = kind
    return found


def _kind(line: str, before: Kind | None) -> Kind:
    """Tell what a line belongs to; code is indented by four and follows an empty line or code."""
    if line.startswith(("- ", "* ")):
        return "item"
    if line.startswith("    "):
        return before or "code"
    return "item" if before == "item" and line.startswith("  ") else "text"


def _trimmed(line: str, kind: Kind) -> str:
    return line.removeprefix("    ").rstrip() if kind == "code" else line.strip()
