"""A Table and what the config says of its columns → rows, of which Examples are built only where kept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from audit.errors import DataError, shown
from audit.labels import plain, read_labels
from audit.reading import Table
from audit.schema import Example, Json, content_hash
from audit.spec import SourceSpec, TaskSpec

Role = Literal["test", "train", "shift", "set"]

FIRST_TEXT = {
    "bbq": "context",
    "crows-pairs": "sent_more",
    "stereoset": "context",
    "truthfulqa": "Question",
    "winogender": "sentence",
    "xstest": "prompt",
}
"""Benchmark set → its first text column; every column stays in `meta` as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The columns of one source, each with its meaning; all equally long."""

    where: str
    texts: Sequence[str | None]
    pairs: Sequence[str | None] | None
    labels: Sequence[str | None] | None
    """Labels of the task; None where the source has none."""
    ids: Sequence[object] | None
    groups: Mapping[str, Sequence[object]]
    meta: Mapping[str, Sequence[object]]
    notes: tuple[str, ...]

    def example(self, row: int, id: str) -> Example:
        """Build the example of one whole row (no text and no label missing)."""
        text = self.texts[row]
        pair = None if self.pairs is None else self.pairs[row]
        return Example(
            id=id,
            text=_sound(text or ""),
            pair=None if pair is None else _sound(pair),
            label=None if self.labels is None else self.labels[row],
            groups={key: plain(v[row]).strip() for key, v in self.groups.items() if not _missing(v[row])},
            meta={key: _json(values[row]) for key, values in self.meta.items()},
        )

    def whole(self, *, drop: bool) -> tuple[list[int], list[str]]:
        """Return the rows that miss nothing, and a note where some do.

        Raises:
            DataError: some do, and `drop` is False; or none is left.
        """
        needed = {"text": self.texts, "second text": self.pairs, "label": self.labels}
        lost: dict[int, str] = {}
        for what, values in needed.items():
            if values is not None and None in values:
                lost |= {row: what for row, value in enumerate(values) if value is None and row not in lost}
        if not lost:
            return list(range(len(self.texts))), []
        first = min(lost)
        if not drop:
            more = f" (and {len(lost) - 1} more rows miss something)" if len(lost) > 1 else ""
            raise DataError(
                f"{self.where}: row {first + 1} has no {lost[first]}{more};"
                " mend the file, or say `drop_missing: true`"
            )
        if len(lost) == len(self.texts):
            raise DataError(f"{self.where}: every row misses its {lost[first]}; is it the right column?")
        kept = [row for row in range(len(self.texts)) if row not in lost]
        return kept, [f"rows without a text or a label, dropped: {len(lost)}"]

    def identify(self, kept: Sequence[int]) -> list[str]:
        """Return an id for each of these rows: of the id column, else a hash of the content.

        Equal contents get a counter (`-2`, `-3`), in an order that follows from the rest of the row and not
        from its place in the file.

        Raises:
            DataError: an id that is missing or stands twice.
        """
        if self.ids is not None:
            return self._named(self.ids, kept)
        pairs = self.pairs
        texts = self.texts
        hashes = [
            content_hash(texts[row] or "" if pairs is None else (texts[row] or "", pairs[row] or ""))
            for row in kept
        ]
        if len(set(hashes)) == len(hashes):
            return hashes
        places: dict[str, list[int]] = {}
        for place, one in enumerate(hashes):
            places.setdefault(one, []).append(place)
        for one, same in places.items():
            if len(same) > 1:
                same.sort(key=lambda place: self._rest(kept[place]))
                for count, place in enumerate(same[1:], 2):
                    hashes[place] = f"{one}-{count}"
        return hashes

    def _named(self, ids: Sequence[object], kept: Sequence[int]) -> list[str]:
        seen: dict[str, int] = {}
        for row in kept:
            id = "" if _missing(ids[row]) else plain(ids[row]).strip()
            if not id:
                raise DataError(f"{self.where}: row {row + 1} has no id; give one, or say `id: null`")
            if id in seen:
                raise DataError(
                    f"{self.where}: rows {seen[id] + 1} and {row + 1} have the same id {shown(id)};"
                    " make ids unique, or say `id: null`"
                )
            seen[id] = row
        return list(seen)

    def _rest(self, row: int) -> str:
        label = None if self.labels is None else self.labels[row]
        columns = (*self.groups.values(), *self.meta.values())
        return json.dumps([label, *(_json(values[row]) for values in columns)], sort_keys=True)


def arrange(
    table: Table, spec: SourceSpec, task: TaskSpec, *, role: Role, groups: Sequence[str], where: str
) -> Rows:
    """Give the columns of a table their meaning.

    Sets have a label only where the source itself names the column, and benchmark sets keep every column
    in `meta`. Groups must be there in the test set and are taken along elsewhere.

    Raises:
        DataError: a column that is not there, a text that is no text, or an unknown label.
    """
    raw = FIRST_TEXT.get(spec.format or "")
    if raw is not None and role != "set":
        raise DataError(f"{where}: `format: {spec.format}` is for data.sets; name the columns instead")
    first = spec.text or raw or task.text
    second = _override(spec, "text_pair", None if raw else task.text_pair)
    label = _override(spec, "label", None if role == "set" else task.label)
    id = _override(spec, "id", None if role == "set" else task.id)
    texts, notes = _texts(table.column(first, "text", where), first, where)
    pairs, more = _texts(table.column(second, "text_pair", where), second, where) if second else (None, ())
    labels = None
    if label is not None:
        values = table.column(label, "label` (null: no labels) or `labels", where)
        labelled = read_labels(
            values, task.labels, spec.labels, names=table.names.get(label, ()), where=where
        )
        labels, more = labelled.labels, (*more, *labelled.notes)
    ids = table.column(id, "id", where) if id else None
    wanted = [name for name in groups if role == "test" or name in table.columns]
    grouped = {name: table.column(name, "data.groups", where) for name in wanted}
    used = set() if raw else {first, second, label, id, *wanted}
    return Rows(
        where=where,
        texts=texts,
        pairs=pairs,
        labels=labels,
        ids=ids,
        groups=grouped,
        meta={name: values for name, values in table.columns.items() if name not in used},
        notes=(*table.notes, *notes, *more),
    )


def _override(spec: SourceSpec, key: Literal["text_pair", "label", "id"], default: str | None) -> str | None:
    """Return what the source says, also where it says null; else the default."""
    own: str | None = getattr(spec, key)
    return own if key in spec.model_fields_set else default


def _texts(values: Sequence[object], column: str, where: str) -> tuple[Sequence[str | None], tuple[str, ...]]:
    texts: list[str | None] = []
    numbers = 0
    for row, value in enumerate(values, 1):
        if isinstance(value, str):
            texts.append(value)
        elif _missing(value):
            texts.append(None)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            texts.append(plain(value))
            numbers += 1
        else:
            raise DataError(f"{where}: row {row} has no text in {shown(column)}, got {shown(value)}; mend it")
    return texts, (f"texts that are numbers, read as written: {numbers}",) if numbers else ()


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _sound(text: str) -> str:
    """Return `text`, half characters (lone surrogates, which no tokenizer takes) replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def _json(value: object) -> Json:
    """Return a value as JSON knows it: NaN and endless numbers are None, dates and such their text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): _json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    return str(value)
