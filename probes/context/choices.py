"""Multiple-choice questions: read from the rows of a data set, and written as a prompt.

Accepted are `choices` or `options` as a list of texts, as the hub's `{"text": [...], "label": [...]}`, or as
one text of lettered lines (`A. …`, `B. …`); and `answer` or `answerKey` as the index from 0, the letter, the
label, the text of the choice, or its whole line (`D. …`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from audit.errors import DataError, shown
from audit.schema import Example, Json

IDS = ascii_uppercase
"""Letters of the options."""

_LINE = re.compile(r"\s*\(?([A-Z])[.):](?:\s+|$)(.*)")
_ABOVE = re.compile(
    r"\b(?:all|none|both|any|neither|either|each|two) (?:of )?(?:the )?above\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with k choices of which one is right."""

    id: str
    """Of the example."""
    text: str
    choices: tuple[str, ...]
    """(k,) in the order given."""
    gold: int
    """Place of the right one in it, from 0."""

    def shown(self, turn: int) -> tuple[str, ...]:
        """Return the choices in the cyclic order that begins with the one at place `turn`."""
        return self.choices[turn:] + self.choices[:turn]

    def prompt(self, turn: int) -> str:
        """Return the question with its choices in that order; it ends where the letter is to come."""
        lines = (f"{id}. {choice}" for id, choice in zip(IDS, self.shown(turn), strict=False))
        return "\n".join((f"Question: {self.text.strip()}", *lines, "Answer:"))


def usable(examples: Sequence[Example]) -> tuple[tuple[Question, ...], str]:
    """Return the questions whose choices can be turned, in the order of their ids, and what was left out.

    Left out and counted: choices that speak of other choices by their place ("all of the above", "A and C"),
    as in the code of Zheng et al. 2024, for turned they mean something else; questions with two equal
    choices; copies; and whatever has another number of choices than most (where two numbers are as frequent,
    the smaller one is kept).

    Raises:
        DataError: a question cannot be read.
    """
    left: Counter[str] = Counter()
    seen: set[tuple[str, frozenset[str]]] = set()
    kept = []
    for question in map(read, sorted(examples, key=lambda one: one.id)):
        content = (question.text.strip(), frozenset(question.choices))
        if len(set(question.choices)) < len(question.choices):
            left["with two equal choices"] += 1
        elif _refers(question.choices):
            left["whose choices speak of others by their place"] += 1
        elif content in seen:
            left["that are copies"] += 1
        else:
            kept.append(question)
            seen.add(content)
    sizes = Counter(len(question.choices) for question in kept)
    most = max(sizes, key=lambda size: (sizes[size], -size), default=0)
    others = len(kept) - sizes[most]
    if others:
        left[f"with another number of choices than {most}"] = others
    told = ", ".join(f"{count} {why}" for why, count in sorted(left.items()))
    return tuple(one for one in kept if len(one.choices) == most), told and f"questions left out: {told}"


def _refers(choices: Sequence[str]) -> bool:
    last = IDS[len(choices) - 1]
    letters = re.compile(rf"\b[A-{last}](?:,? (?:and|or|nor)|,| ?&) ?[A-{last}]\b")
    return any(_ABOVE.search(choice) or letters.search(choice) for choice in choices)


# --- reading ------------------------------------------------------------------------------


def read(example: Example) -> Question:
    """Return the question of a row.

    Raises:
        DataError: there are no 2 to 26 choices, or the right one cannot be told.
    """
    where = f"data.sets.options: example {shown(example.id)}"
    choices, labels = _choices(_first(example.meta, "choices", "options"), where)
    answer = _first(example.meta, "answer", "answerKey")
    if answer is None:
        raise DataError(f"{where}: has no `answer`, got the columns {shown(sorted(example.meta))}; add it")
    return Question(
        id=example.id, text=example.text, choices=choices, gold=_gold(answer, choices, labels, where)
    )


def _first(meta: Mapping[str, Json], *names: str) -> Json:
    return next((meta[name] for name in names if meta.get(name) is not None), None)


def _choices(given: Json, where: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the choices, and their labels where the source has its own."""
    labels: list[str] = []
    match given:
        case str():
            texts = _lettered(given)
        case list():
            texts = _texts(given)
        case {"text": list(inner), **rest}:
            texts = _texts(inner)
            own = rest.get("label")
            labels = _texts(own) if isinstance(own, list) and len(own) == len(texts) else []
        case _:
            texts = []
    if not 2 <= len(texts) <= len(IDS) or not all(texts):
        raise DataError(
            f"{where}: cannot read its choices, got {shown(given)}; give 2 to {len(IDS)} texts as a list in "
            "`choices`, or lines 'A. …', 'B. …' in `options`; mend the row or take it out"
        )
    return tuple(texts), labels


def _texts(values: Sequence[Json]) -> list[str]:
    """Return texts and numbers as texts; anything else as an empty one, which is refused."""
    return [
        str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
        for value in values
    ]


def _lettered(given: str) -> list[str]:
    """Return the choices of lettered lines; a line without the next letter goes on with the choice before.

    None where the lines before "A." say something: then the letters do not begin where they should.
    """
    found: list[list[str]] = []
    for line in given.splitlines():
        match = _LINE.match(line)
        if match and len(found) < len(IDS) and match[1] == IDS[len(found)]:
            found.append([match[2]])
        elif found:
            found[-1].append(line)
        elif any(letter.isalnum() for letter in line):
            return []
    return ["\n".join(lines).strip() for lines in found]


def _gold(answer: Json, choices: tuple[str, ...], labels: list[str], where: str) -> int:
    match answer:
        case bool():
            places = set()
        case int() | float():
            places = {int(answer)} if answer == int(answer) else set()
        case str():
            places = _named(answer.strip(), choices, labels)
        case _:
            places = set()
    if len(places) != 1 or not 0 <= min(places) < len(choices):
        how = "means two of its choices" if len(places) > 1 else "is none of its choices"
        raise DataError(
            f"{where}: `answer` {how}, got {shown(answer)} for {len(choices)} choices; "
            "give the index, which begins at 0, the letter, or the text of the choice"
        )
    return min(places)


def _named(answer: str, choices: tuple[str, ...], labels: list[str]) -> set[int]:
    """Return the places that an answer may mean: its own label first, then letter or text, line, index."""
    if answer in labels:
        return {labels.index(answer)}
    letter = {IDS.index(answer)} if len(answer) == 1 and answer in IDS[: len(choices)] else set()
    text = {choices.index(answer)} if answer in choices else set()
    if letter | text:
        return letter | text
    line = _LINE.match(answer)
    if line:
        return {IDS.index(line[1])}
    return {int(answer)} if answer.isdecimal() else set()
