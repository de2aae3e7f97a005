"""Answers kept on disk: what makes resuming and second runs cheap.

One SQLite file, keyed by hashes, safe to share between processes and to kill at any moment: each `put_many`
is one transaction, so after a crash all of it is there or none of it.
"""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from audit.errors import ConfigError, shown
from audit.schema import Json

FORM = 1
"""Number of the file's form; a file of another form is refused, never misread."""

CHUNK = 900
"""Keys in one question; older SQLite builds allow 999."""

BUSY_SECONDS = 60.0
"""How long one process waits for another's transaction, which takes milliseconds."""

UNUSABLE = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_SCHEMA,
}
"""What running again does not mend."""


class Cache:
    """Bytes by hash, and small facts by name.

    Raises:
        ConfigError: the file is no cache, is damaged, or cannot be opened or written.
        OSError: with ENOSPC on a full disk, EAGAIN when another process holds the file too long, EIO
            otherwise; what was committed before stays, and the same command continues from there.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or make the file at `path`; None keeps everything in memory."""
        self._path = path
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise
                raise ConfigError(
                    f"the score cache cannot be made: {path.parent}: {error.strerror}; {_CURE}"
                ) from error
        with self._named():
            self._db = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            self._prepare()

    def _prepare(self) -> None:
        # WAL lets readers go on while one process writes; NORMAL keeps every committed batch through a kill
        # of the process (a power cut may lose the last ones, never damage the file).
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        form = self._db.execute("PRAGMA user_version").fetchone()[0]
        if form not in (0, FORM):
            raise ConfigError(
                f"the score cache has another form: {self._path}: found {form}, expected {FORM}; {_CURE}"
            )
        with self._transaction():
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
            )
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS facts "
                "(kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"
            )
            self._db.execute(f"PRAGMA user_version = {FORM}")

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values of those keys that are there."""
        found: dict[bytes, bytes] = {}
        with self._named():
            for start in range(0, len(keys), CHUNK):
                chunk = keys[start : start + CHUNK]
                marks = ",".join("?" * len(chunk))
                rows = self._db.execute(f"SELECT key, value FROM answers WHERE key IN ({marks})", chunk)  # noqa: S608 - only question marks
                found.update(rows)
        return found

    def put_many(self, rows: Mapping[bytes, bytes]) -> None:
        """Keep all of `rows` or, if anything fails, none; a key that is there keeps its first value."""
        if not rows:
            return
        with self._named(), self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", rows.items())

    def recall(self, kind: str, key: str) -> Json:
        """Return what was remembered, None where nothing was."""
        with self._named():
            row = self._db.execute(
                "SELECT value FROM facts WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
        value: Json = None if row is None else json.loads(row[0])
        return value

    def remember(self, kind: str, key: str, value: Json) -> None:
        """Keep a small fact (hash of a file, facts of a model); the last one said holds."""
        with self._named(), self._transaction():
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (kind, key, json.dumps(value)))

    def learned(self, kind: str, key: str, find: Callable[[], dict[str, Json]]) -> dict[str, Json]:
        """Return what was remembered, else what `find` gives, which is remembered then."""
        known = self.recall(kind, key)
        if isinstance(known, dict):
            return known
        found = find()
        self.remember(kind, key, found)
        return found

    def forget(self, kind: str) -> None:
        """Drop every small fact of a kind, for instance `sha256`, so that files are read again."""
        with self._named(), self._transaction():
            self._db.execute("DELETE FROM facts WHERE kind = ?", (kind,))

    def close(self) -> None:
        """Close the file; asking afterwards is an error."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # Ctrl-C too: half a batch is no batch. SQLite has rolled back by itself on a full disk.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn SQLite's errors into one line of ours, or into an OSError where running again helps."""
        try:
            yield
        except sqlite3.Error as error:
            # The low byte is the kind, the rest tells more (SQLite: "extended result codes").
            whole: int | None = getattr(error, "sqlite_errorcode", None)
            if whole is None:
                raise  # not SQLite's word but a mistake of ours in asking
            code = whole & 0xFF
            if code in UNUSABLE:
                raise ConfigError(
                    f"the score cache cannot be used: {self._path}: {shown(str(error))}; {_CURE}"
                ) from error
            number = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_BUSY: errno.EAGAIN}.get(
                code, errno.EIO
            )
            raise OSError(number, f"score cache: {error}", str(self._path)) from error


_CURE = "delete it or give another place with --cache"
