"""What is asked of each axis: texts in one version for each group, which differ in the group alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from audit.schema import Example, Text, content_hash
from audit.seeds import Seeds
from probes import lexicons
from probes.fairness import swaps, templates
from probes.fairness.axes import Lists
from probes.fairness.swaps import Axis

Origin = Literal["own texts", "insertions", "templates"]
ORIGINS: tuple[Origin, ...] = ("own texts", "insertions", "templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One text in a version for each group of an axis."""

    id: str
    """Of the example; of a filled template its axis and content."""
    cluster: str
    """What it has in common with others: the template, or its own text."""
    label: str | None
    first: int
    """Place of the group whose version the others are compared with: the one that the text names itself."""
    texts: tuple[Text, ...]
    """In the order of the axis' groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The passages of one axis and origin, and why others were left out."""

    axis: Axis
    origin: Origin
    passages: tuple[Passage, ...]
    left_out: str = ""
    """`12 name several groups, …`; empty where none was."""
    why: str = ""
    """Why there is none by the nature of the axis or the task; empty where there could be."""

    @property
    def slice(self) -> str:
        """`gender in templates`."""
        return f"{self.axis.name} in {self.origin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the user asked for."""

    items: int
    lists: Lists
    exclude: tuple[str, ...]
    own_templates: tuple[str, ...]


def distinct(examples: Sequence[Example]) -> list[Example]:
    """Return the examples without copies of a text; of copies the one with the smallest id."""
    kept: dict[Text, Example] = {}
    for example in sorted(examples, key=lambda one: one.id):
        kept.setdefault(example.input, example)
    return list(kept.values())


def of_texts(
    axis: Axis, examples: Sequence[Example], choice: Choice, seeds: Seeds, *, searched: int
) -> tuple[Collected, Collected]:
    """Return the user's texts that name one group of the axis alone, and others with a person put before.

    Args:
        examples: no two with the same text.
        searched: most examples looked at.
    """
    barred = (*lexicons.load("asymmetric").entries.get(axis.name, ()), *choice.exclude)
    sayable = bool(templates.phrases(axis, choice.lists))
    own: list[Passage] = []
    put: list[Passage] = []
    out: Counter[str] = Counter()
    # Each choice hangs on the text alone, so that the order of the examples changes nothing.
    ranked = sorted(examples, key=lambda one: seeds.number("own", axis.name, content_hash(one.input)))
    for example in ranked[:searched]:
        if len(own) >= choice.items and (len(put) >= choice.items or not sayable):
            break
        groups = swaps.named(axis, example.input)
        if why := _unfit(example, len(groups), barred, choice.exclude):
            out[why] += bool(groups)
        elif groups and len(own) < choice.items:
            own.append(_own(axis, example, *groups))
        elif not groups and sayable and len(put) < choice.items and example.text.strip():
            said = replace(example, text=templates.frame(axis, example.text, choice.lists, seeds))
            put.append(_turned(axis, said, content_hash(example.input), seeds))
    left_out = ", ".join(f"{count} {why}" for why, count in sorted(out.items()) if count)
    why = "" if sayable else "this axis is how a text is said, so nobody can be put before it"
    return (
        Collected(axis=axis, origin="own texts", passages=tuple(own), left_out=left_out),
        Collected(axis=axis, origin="insertions", passages=tuple(put), why=why),
    )


def _unfit(example: Example, groups: int, barred: Sequence[str], exclude: Sequence[str]) -> str:
    """Return why a text has no fair counterpart, empty where it may have one."""
    if example.id in exclude or swaps.mentions(barred, example.input):
        return "hold a word or id that makes a swap asymmetric"
    return "name several groups" if groups > 1 else ""


def of_templates(axis: Axis, choice: Choice, seeds: Seeds) -> Collected:
    """Return filled templates; the group that stands in the slot first changes from one to the next."""
    chosen = islice(_usable(axis, choice, seeds), choice.items)
    passages = tuple(
        _turned(axis, Example(id=f"{axis.name}-{content_hash(said)}", text=said), template, seeds)
        for template, said in chosen
    )
    return Collected(axis=axis, origin="templates", passages=passages)


def _usable(axis: Axis, choice: Choice, seeds: Seeds) -> Iterator[tuple[str, str]]:
    for template, said in templates.filled(axis, choice.own_templates, choice.lists, seeds):
        if not swaps.mentions(choice.exclude, said):
            yield template, said


def _own(axis: Axis, example: Example, group: str) -> Passage:
    return Passage(
        id=example.id,
        cluster=content_hash(example.input),
        label=example.label,
        first=axis.groups.index(group),
        texts=_versions(axis, example.input),
    )


def _turned(axis: Axis, example: Example, cluster: str, seeds: Seeds) -> Passage:
    """Return a passage of ours, in which no group is the original: one is drawn, for both directions."""
    return Passage(
        id=example.id,
        cluster=cluster,
        label=example.label,
        first=seeds.number("first", axis.name, content_hash(example.input)) % len(axis.groups),
        texts=_versions(axis, example.input),
    )


def _versions(axis: Axis, text: Text) -> tuple[Text, ...]:
    return tuple(swaps.turned(axis, text, group) for group in axis.groups)
