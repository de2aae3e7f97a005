"""Bytes → Table: csv, tsv, jsonl and parquet, plain or gzipped.

Nothing is guessed about values: a csv holds text only, so a review that says "NA" stays a review and "007"
stays "007". csv is read with ordinary quoting, and a quote that never closes is an error instead of a
swallowed file; tsv is read without quoting, because its texts (GLUE's) hold stray quotes.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audit.errors import DataError, did_you_mean, shown

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Ending of a file (before .gz) → how it is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Everything a source holds, column by column; all columns are equally long."""

    columns: Mapping[str, Sequence[object]]
    sha256: str
    """Of the content: the bytes of a file after unpacking, the values of a data set."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column of numbers → what the source itself calls them, where it says so."""
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many."""
        return len(next(iter(self.columns.values()), ()))

    def column(self, name: str, key: str, where: str) -> Sequence[object]:
        """Return a column.

        Args:
            key: the key of the config that names it, for the message.

        Raises:
            DataError: there is no such column.
        """
        if name in self.columns:
            return self.columns[name]
        hint = did_you_mean(name, list(self.columns)) or ";"
        names = [shown(one) for one in self.columns]
        known = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        raise DataError(f"{where}: no column {shown(name)}{hint} its columns are {known}; set `{key}`")


def read_file(place: Path, *, format: str | None, columns: Sequence[str] | None, where: str) -> Table:
    """Read one file.

    Args:
        format: `csv`, `tsv`, `jsonl` or `parquet`; None: by the ending.
        columns: names of the columns of a csv or tsv without a header.
        where: source, for messages.

    Raises:
        DataError: unreadable, empty, or broken, with the line.
    """
    kind = format or FORMATS.get(Path(place.name.removesuffix(".gz")).suffix.lower())
    if kind is None:
        raise DataError(
            f"{where}: {shown(place.name)} does not end in {', '.join(FORMATS)} (or these and .gz);"
            " say `format: csv`, tsv, jsonl or parquet"
        )
    if columns and kind not in ("csv", "tsv"):
        raise DataError(
            f"{where}: `columns` names those of a csv or tsv without a header, and this is {kind}"
        )
    raw = _content(place, where)
    digest = hashlib.sha256(raw).hexdigest()
    if not raw.strip():
        raise DataError(f"{where}: the file is empty; give one with rows")
    if kind == "parquet":
        return Table(columns=_filled(_parquet(raw, where), where), sha256=digest)
    text, notes = _decoded(raw)
    del raw
    found = _json_lines(text, where) if kind == "jsonl" else _delimited(text, kind, columns, where)
    return Table(columns=_filled(found, where), sha256=digest, notes=notes)


def _content(place: Path, where: str) -> bytes:
    try:
        raw = place.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{where}: cannot be read: {error}") from None


def _decoded(raw: bytes) -> tuple[str, tuple[str, ...]]:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace"), ("read as UTF-16",)
    try:
        return raw.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        text = raw.decode("utf-8-sig", "replace")
        count = text.count("\ufffd") - raw.count("\ufffd".encode())
        return text, (f"places that are not UTF-8, replaced by \ufffd: {count}",)


def _filled(columns: Mapping[str, Sequence[object]], where: str) -> Mapping[str, Sequence[object]]:
    if not any(len(values) for values in columns.values()):
        raise DataError(f"{where}: no rows, only {', '.join(map(shown, columns)) or 'nothing'}; give some")
    return columns


def _delimited(
    text: str, kind: str, columns: Sequence[str] | None, where: str
) -> Mapping[str, Sequence[object]]:
    lines = io.StringIO(text, newline="")
    if kind == "tsv":
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, strict=True)
    limit = csv.field_size_limit(sys.maxsize)
    rows: list[list[str]] = []
    try:
        header = list(columns) if columns else next((row for row in reader if row), [])
        for row in reader:
            if len(row) == len(header):
                rows.append(row)
            elif row:
                raise DataError(
                    f"{where}: line {reader.line_num} has {len(row)} fields and not {len(header)}"
                    f" ({', '.join(map(shown, header))}), got {shown(row)};"
                    f" {'remove the stray tab' if kind == 'tsv' else 'quote what holds a comma'}"
                )
    except csv.Error as error:
        raise DataError(
            f"{where}: line {reader.line_num}: not valid {kind}: {error}; mend the line"
        ) from None
    finally:
        csv.field_size_limit(limit)
    named = [name or f"column {i + 1}" for i, name in enumerate(header)]
    for name in named:
        if named.count(name) > 1:
            raise DataError(f"{where}: two columns are called {shown(name)}; rename one")
    return dict(zip(named, zip(*rows, strict=True) if rows else ((),) * len(named), strict=True))


def _json_lines(text: str, where: str) -> Mapping[str, Sequence[object]]:
    rows: list[dict[str, object]] = []
    # not splitlines(): JSON may hold U+2028 and its like, and only \n ends a line of it
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            what = "nested too deeply" if isinstance(error, RecursionError) else error
            raise DataError(f"{where}: line {number} is not JSON: {what}; got {shown(line)}") from None
        if not isinstance(row, dict):
            raise DataError(f"{where}: line {number} must be an object ({{...}}), got {shown(row)}")
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
"""NaN and Infinity, which JSON does not have but pandas writes, are missing values."""


def _parquet(raw: bytes, where: str) -> Mapping[str, Sequence[object]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(io.BytesIO(raw))
    except (pyarrow.ArrowException, OSError) as error:
        said = str(error).splitlines()[0]
        raise DataError(f"{where}: not valid parquet: {said}; is the format right?") from None
    return {name: column.to_pylist() for name, column in zip(table.column_names, table.columns, strict=True)}
