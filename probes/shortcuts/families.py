"""Contrast sets, an original text and edits that are near it, and a model's answers to all members."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Case, Classifier, Example, Item, Point, Scores, Series, Text, content_hash
from audit.seeds import Seeds

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Members of one contrast set, at least two different texts, each with a label; by id."""

    name: str
    members: tuple[Example, ...]
    originals: tuple[bool, ...]
    """For each member, whether it is the original; all False where it is not known."""

    @property
    def changes(self) -> bool:
        """Whether members have different labels."""
        return len({one.label for one in self.members}) > 1


def gather(
    rows: Sequence[Example], group: str, *, origin: str | None, known: Collection[Text]
) -> tuple[Family, ...]:
    """Return the contrast sets by name; rows without a group or a label, and copies in a set, are left out.

    Args:
        group: column that says which set a row belongs to.
        origin: column that reads `original` for originals; None: a text of `known` is an original.
        known: texts of the test set.
    """
    found: dict[str, dict[Text, Example]] = defaultdict(dict)
    for one in sorted(rows, key=lambda one: one.id, reverse=True):
        name = value(one, group)
        if name and one.label is not None:
            found[name][one.input] = one  # of copies, the first id
    families = []
    for name in sorted(found):
        members = tuple(sorted(found[name].values(), key=lambda one: one.id))
        if len(members) > 1:
            marks = tuple(
                one.input in known if origin is None else value(one, origin) == "original" for one in members
            )
            families.append(Family(name=name, members=members, originals=marks))
    return tuple(families)


def value(example: Example, column: str) -> str:
    """Return what a column says of an example, empty where it says nothing."""
    given = example.groups.get(column, example.meta.get(column))
    return "" if given is None else str(given).strip()


# --- answers ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers to m members of s sets."""

    families: tuple[Family, ...]
    members: tuple[Example, ...]
    original: Bools
    """(m,)"""
    places: tuple[slice, ...]
    """(s,) where the members of each set are."""
    scores: Scores
    labels: tuple[str, ...]
    predicted: NDArray[np.intp]
    """(m,)"""
    right: Bools
    """(m,)"""

    @property
    def whole(self) -> Bools:
        """(s,) whether every member of a set is right."""
        return np.array([self.right[places].all() for places in self.places], dtype=np.bool_)

    @property
    def constant(self) -> str:
        """Why a drop means nothing, empty where it means something."""
        if len(set(self.predicted.tolist())) > 1:
            return ""
        label = self.labels[self.predicted[0]]
        return (
            f"the model gave one answer, {label!r}, to all {len(self.members)} members: see its consistency"
        )

    @property
    def cut(self) -> str:
        """How many texts were cut, as the end of a note; empty where none was."""
        times = int(self.scores.truncated.sum())
        return f"; {times} texts were cut to the model's length" if times else ""

    def paired(self) -> tuple[Bools, Bools, list[str]]:
        """Return (1, e) whether the original of each of e edits is right, whether the edit is, and its set.

        Of several originals in a set the first counts.
        """
        before, after, names = [], [], []
        for family, places in zip(self.families, self.places, strict=True):
            original, right = self.original[places], self.right[places]
            if original.any():
                before += [right[original][0]] * int((~original).sum())
                after += right[~original].tolist()
                names += [family.name] * int((~original).sum())
        return np.array([before], dtype=np.bool_), np.array([after], dtype=np.bool_), names

    def records(self, probe: str) -> Iterator[Item]:
        """Yield one item for each member."""
        other = "edited" if self.original.any() else "member"
        for i, one in enumerate(self.members):
            yield Item(
                example=one.id,
                content=content_hash(one.input),
                probe=probe,
                variant="original" if self.original[i] else other,
                label=one.label,
                predicted=self.labels[self.predicted[i]],
                probabilities=tuple(self.scores.probabilities[i].tolist()),
                outcome="right" if self.right[i] else "wrong",
            )


def apart(model: Classifier, families: Sequence[Family]) -> list[Family]:
    """Return the families of which the model can tell every member from every other."""
    marks = iter(model.fingerprint([one.input for family in families for one in family.members]))
    seen = [[next(marks) for _ in family.members] for family in families]
    return [family for family, own in zip(families, seen, strict=True) if len(set(own)) == len(own)]


def ask(model: Classifier, families: Sequence[Family]) -> Answers:
    """Ask every member in one call.

    Args:
        families: at least one.
    """
    members = tuple(one for family in families for one in family.members)
    scores = model.score([one.input for one in members])
    ends = np.cumsum([len(family.members) for family in families]).tolist()
    said = [model.labels[i] for i in scores.predicted]
    return Answers(
        families=tuple(families),
        members=members,
        original=np.array([mark for family in families for mark in family.originals], dtype=np.bool_),
        places=tuple(slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)),
        scores=scores,
        labels=model.labels,
        predicted=scores.predicted,
        right=np.array([a == one.label for a, one in zip(said, members, strict=True)], dtype=np.bool_),
    )


# --- what a reader can see and check --------------------------------------------------------


def picture(answers: Answers) -> Series:
    """Return the accuracy on originals and edits, where known, and the consistency."""
    original = answers.original
    rows = {"originals": answers.right[original], "edits": answers.right[~original]}
    names = np.repeat([one.name for one in answers.families], [len(one.members) for one in answers.families])
    points: list[Point] = []
    if original.any() and not original.all():
        for label, hits in rows.items():
            own = names[original if label == "originals" else ~original].tolist()
            several = len(set(own)) > 1
            e = stats.clustered_share(hits, own) if several else stats.share(int(hits[0]), 1)
            points.append(Point(x=len(points), y=e.value, low=e.low, high=e.high, n=e.n, label=label))
    e = stats.share(int(answers.whole.sum()), answers.whole.size)
    points.append(Point(x=len(points), y=e.value, low=e.low, high=e.high, n=e.n, label="whole sets"))
    return Series(
        kind="dots",
        title="Right on originals, on edits, and on whole sets",
        x="what is counted",
        y="share right",
        points=tuple(points),
        reading="A model that reads what was edited is as often right on edits as on originals, and its "
        "whole sets lie little below both.",
    )


def broken(answers: Answers, count: int, seeds: Seeds) -> tuple[Case, ...]:
    """Return up to `count` sets of which one member is right and another is wrong."""
    found = []
    for family, places in zip(answers.families, answers.places, strict=True):
        right, original = answers.right[places], answers.original[places]
        if not right.any() or right.all():
            continue
        # the original first, where it is right
        i = int(np.flatnonzero(right & original if (right & original).any() else right)[0])
        j = int(np.flatnonzero(~right)[0])
        said = [answers.labels[label] for label in answers.predicted[places]]
        found.append(
            Case(
                example=family.members[j].id,
                text=_shown(family.members[i]),
                changed=_shown(family.members[j]),
                label=family.members[j].label,
                before=said[i],
                after=said[j],
                note=f"set {family.name}: right on {right.sum()} of {right.size}; the label is of the edit",
            )
        )
    return tuple(seeds.pick(found, count, lambda case: case.example, "shortcuts.contrast", "cases"))


def _shown(example: Example) -> str:
    return "\n".join(part for part in (example.text, example.pair) if part)
