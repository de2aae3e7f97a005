"""A run folder: what a run learned, kept so that it can be read, judged again, compared and verified.

audit-out/<name>-<time>/
    origin.json   which config started it; a folder with this and no record is a run to be resumed
    items.jsonl   every answer of the model, one line each
    record.json   the Record
    seal.json     SHA-256 of the files above, and the digest of the record apart from its times
    report.html  checklist.md  checklist.json  junit.xml
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from audit.errors import DataError, shown
from audit.schema import SCHEMA, Item, Record
from audit.timeless import timeless

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SEALED = ("origin.json", "items.jsonl", "record.json")
"""The files that `audit verify` holds against the seal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What started a run."""

    config: str
    """Path of the config, relative to the run folder."""
    digest: str
    """Of all that decides what the run asks: config, files it names, profile, seed."""
    started: str
    """ISO 8601, UTC."""
    command: str = ""
    """What was typed, where it was not `audit run` with that config."""


def dumps(record: Record) -> str:
    """Return the record as JSON; `loads` gives an equal record back."""
    return _adapter().dump_json(record, indent=1).decode() + "\n"


def loads(text: str, where: str = "record.json") -> Record:
    """Return the record that `dumps` wrote.

    Raises:
        DataError: no record, or one of another schema number.
    """
    try:
        raw: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not a record: {error}; give the folder of a finished run") from None
    found = raw.get("schema") if isinstance(raw, dict) else None
    if found != SCHEMA:
        raise DataError(
            f"{where}: record of schema {shown(found)}, this version reads {SCHEMA}; run the audit again"
        )
    try:
        return _adapter().validate_json(text)
    except ValueError as error:
        first = str(error).splitlines()
        raise DataError(f"{where}: a damaged record: {' '.join(first[1:3])}; run the audit again") from None


def digest(record: Record) -> str:
    """Return the SHA-256 of the record apart from times and what a clock measured: equal for equal runs."""
    return hashlib.sha256(dumps(timeless(record)).encode()).hexdigest()


def read(folder: Path) -> Record:
    """Return the record of a finished run.

    Raises:
        DataError: no such folder, or the run has not finished.
    """
    place = folder / "record.json"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such run folder; give one under audit-out/")
    if not place.is_file():
        hint = "the run has not finished; run the same command again to resume"
        raise DataError(
            f"{folder}: no record.json; {hint if (folder / 'origin.json').exists() else 'no run'}"
        )
    try:
        text = place.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: not a record: {error}; run the audit again") from None
    return loads(text, str(place))


def write(folder: Path, record: Record, pages: Mapping[str, str]) -> None:
    """Write the record, what was rendered of it, and the seal; each file whole or not at all."""
    for name, text in pages.items():
        put(folder / name, text)
    put(folder / "record.json", dumps(record))
    seal: dict[str, str] = {name: file_hash(folder / name) for name in SEALED}
    seal["digest"] = digest(record)
    put(folder / "seal.json", json.dumps(seal, indent=1) + "\n")


def put(place: Path, text: str) -> None:
    """Write a file whole or not at all."""
    beside = place.with_name(place.name + ".part")
    beside.write_text(text, encoding="utf-8", errors="surrogatepass")
    beside.replace(place)


def file_hash(place: Path) -> str:
    """Return the SHA-256 of a file."""
    with place.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def open_folder(
    root: Path, name: str, config: Path, key: str, now: datetime, *, command: str = ""
) -> Iterator[Path]:
    """Give the folder of an unfinished run with the same key, or a new one; to one process at a time.

    Raises:
        OSError: no permission, or a full disk.
    """
    root.mkdir(parents=True, exist_ok=True)
    unfinished = sorted(root.glob(f"{_plain(name)}-*"), reverse=True)
    for folder in chain(unfinished, _new_folders(root, name, config, key, now, command)):
        claim = _claim(folder)
        if claim is not None:
            with claim:
                # looked at now that it is ours: another run may have finished here a moment ago
                if _continues(folder, key):
                    yield folder
                    return


def _continues(folder: Path, key: str) -> bool:
    origin = _origin(folder)
    return origin is not None and origin.digest == key and not (folder / "record.json").exists()


def _new_folders(
    root: Path, name: str, config: Path, key: str, now: datetime, command: str
) -> Iterator[Path]:
    """Make folders, one each time that one is asked for."""
    stem = f"{_plain(name)}-{now:%Y%m%dT%H%M%S}"
    for counter in count(1):
        folder = root / (stem if counter == 1 else f"{stem}-{counter}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        said = {
            "config": _relative(config, folder),
            "digest": key,
            "started": now.isoformat(timespec="seconds"),
        } | ({"command": command} if command else {})
        put(folder / "origin.json", json.dumps(said, indent=1) + "\n")
        yield folder


def _claim(folder: Path) -> BinaryIO | None:
    """Open and lock the origin of a run until it is closed or the process dies; None where another has it.

    Where there are no such locks (Windows, some network disks) it is up to the user to run one at a time.
    """
    try:
        stream = (folder / "origin.json").open("rb")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    except (ImportError, OSError):
        return stream
    return stream


def origin(folder: Path) -> Origin:
    """Return what started the run.

    Raises:
        DataError: not a run folder.
    """
    found = _origin(folder)
    if found is None:
        raise DataError(f"{folder}: no origin.json, so not a run folder; give one under audit-out/")
    return found


class Answers:
    """items.jsonl as it is written: one line per answer, and the hash of all lines."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._hash = hashlib.sha256()
        self._stream: TextIO | None = None
        self.count = 0

    def __enter__(self) -> Answers:
        """Start the file anew: answers come from the score cache, so a resumed run writes them all again."""
        self._stream = self._place.open("w", encoding="utf-8", errors="surrogatepass")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def keep(self, item: Item) -> None:
        """Append one answer."""
        assert self._stream is not None, "answers are kept inside a with block"
        line = json.dumps({name: getattr(item, name) for name in Item.__slots__}) + "\n"
        self._hash.update(line.encode("utf-8", "surrogatepass"))
        self._stream.write(line)
        self.count += 1

    def digest(self) -> str:
        """Return the SHA-256 of the lines so far."""
        return self._hash.hexdigest()


def read_items(folder: Path) -> Iterator[Item]:
    """Yield the answers of a run.

    Raises:
        DataError: no items.jsonl, or a broken line.
    """
    place = folder / "items.jsonl"
    if not place.is_file():
        raise DataError(f"{place}: missing; run the audit again")
    with place.open(encoding="utf-8", errors="surrogatepass") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                raw = json.loads(line)
                yield Item(**{**raw, "probabilities": tuple(raw["probabilities"])})
            except (ValueError, TypeError, KeyError) as error:
                raise DataError(
                    f"{place}: line {number} is no answer ({error}); run the audit again"
                ) from None


def _adapter() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


def _origin(folder: Path) -> Origin | None:
    try:
        found = Origin(**json.loads((folder / "origin.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return found if all(isinstance(getattr(found, name), str) for name in Origin.__slots__) else None


def _plain(name: str) -> str:
    """Return the name with only letters, digits, dots, dashes and underscores."""
    kept = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip(".-")
    return kept[:60] or "run"


def _relative(config: Path, folder: Path) -> str:
    import os

    return Path(os.path.relpath(config.resolve(), folder.resolve())).as_posix()
