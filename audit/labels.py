"""Values of a label column → labels of the task: names, numbers, booleans, or what the config maps."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from audit.errors import DataError, did_you_mean, shown


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label column, read."""

    labels: tuple[str | None, ...]
    """A label of the task for each row, None where the value is missing."""
    notes: tuple[str, ...] = ()


def read_labels(
    values: Sequence[object],
    labels: Sequence[str],
    mapping: Mapping[str, str] | None,
    *,
    names: Sequence[str] = (),
    where: str,
) -> Labelled:
    """Read a label column.

    A value is looked up in `mapping`, then among the labels; the numbers 0 … k-1 (also as text, `1.0`, or
    booleans where there are two labels) then mean places in `labels`, unless a label is itself a number. A
    source that names its numbers (`names`) and shares a name with the task is read by name, so that another
    order of the labels cannot turn the answers round. Empty texts, None and NaN are missing.

    Raises:
        DataError: a value that is none of these, with its row (counted from 1, without the header).
    """
    if names and mapping is None and set(names) & set(labels):
        mapping = {str(i): name for i, name in enumerate(names) if name in labels}
        if len(mapping) < len(names):
            strange = [name for name in names if name not in labels]
            raise DataError(
                f"{where}: calls its labels {', '.join(names)}, and {', '.join(strange)} is not a label of"
                f" the task ({', '.join(labels)}); say which is which with `labels: {{0: ...}}`"
            )
    if mapping is not None:
        for word, meant in mapping.items():
            if meant not in labels:
                hint = did_you_mean(meant, list(labels)) or f"; known are {', '.join(labels)}"
                raise DataError(
                    f"{where}: labels.{word} is not a label of the task, got {shown(meant)}{hint}"
                )
    known: dict[tuple[type, Hashable], str | None] = {}
    by_place = False
    found: list[str | None] = []
    for row, value in enumerate(values, 1):
        # True == 1 == 1.0 to a dict, so the type is part of the key
        key = (type(value), value if isinstance(value, Hashable) else repr(value))
        if key not in known:
            label, numbered = _label(value, labels, mapping)
            if label is None and not _missing(value):
                raise _strange(value, row, labels, mapping, where)
            known[key] = label
            by_place = by_place or numbered
        found.append(known[key])
    if not by_place:
        return Labelled(tuple(found))
    places = ", ".join(f"{i} = {label}" for i, label in enumerate(labels))
    called = f" (the source calls them {', '.join(names)})" if names else ""
    return Labelled(tuple(found), (f"label numbers read as places in task.labels: {places}{called}",))


def plain(value: object) -> str:
    """Return a value as text: `1.0` is "1", True is "true", everything else as it is written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _missing(value: object) -> bool:
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def _label(
    value: object, labels: Sequence[str], mapping: Mapping[str, str] | None
) -> tuple[str | None, bool]:
    """Return the label, None where there is none, and whether it was read as a place."""
    if not isinstance(value, str | int | float) or _missing(value):
        return None, False
    spellings = _spellings(plain(value))
    mapped = {_spellings(key)[-1]: label for key, label in (mapping or {}).items()}
    for table in (mapped, {label: label for label in labels}):
        for spelling in spellings:
            if spelling in table:
                return table[spelling], False
    if mapping is not None or any(_number(label) is not None for label in labels):
        return None, False
    number = _number(spellings[-1])
    if number is None and len(labels) == 2:
        number = {"false": 0, "true": 1}.get(spellings[-1])
    return (labels[number], True) if number is not None and 0 <= number < len(labels) else (None, False)


def _spellings(text: str) -> tuple[str, ...]:
    """Return the ways in which a value may be written in the config, the plainest last."""
    bare = text.strip()
    number = _number(bare)
    low = bare.lower() if bare.lower() in ("true", "false") else bare
    return text, bare, str(number) if number is not None else low


def _number(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _strange(
    value: object, row: int, labels: Sequence[str], mapping: Mapping[str, str] | None, where: str
) -> DataError:
    known = [*(mapping or {}), *labels]
    hint = did_you_mean(str(value), known)
    if mapping is None and _number(plain(value)) == len(labels):
        first = ", ".join(f"{i}: {label}" for i, label in enumerate(labels, 1))
        hint = f"; if the numbers start at one, say `labels: {{{first}}}`"
    elif not hint:
        hint = f"; map it with `labels: {{{plain(value)[:40]}: {labels[0]}}}`, or mend the file"
    return DataError(
        f"{where}: row {row} has the label {shown(value)}; known are {', '.join(map(shown, known))}{hint}"
    )
