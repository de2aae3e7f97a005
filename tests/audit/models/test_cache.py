from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import ConfigError
from audit.models.cache import Cache
from audit.models.files import hash_files

rows = st.dictionaries(st.binary(min_size=1, max_size=32), st.binary(max_size=64), max_size=30)


@given(rows)
@settings(max_examples=50)
def test_bytes_come_back_to_the_bit(rows: dict[bytes, bytes]) -> None:
    cache = Cache(None)
    cache.put_many(rows)
    assert rows == cache.get_many([*rows, b"", b"a key that nobody has put there and nobody will"])


@given(st.lists(st.floats(), max_size=20))
@settings(max_examples=50)
def test_floats_come_back_to_the_bit(numbers: list[float]) -> None:
    cache = Cache(None)
    value = struct.pack(f"<{len(numbers)}d", *numbers)
    cache.put_many({b"k": value})
    assert value == cache.get_many([b"k"])[b"k"]


def test_first_value_stays() -> None:
    cache = Cache(None)
    cache.put_many({b"k": b"first"})
    cache.put_many({b"k": b"second"})
    assert {b"k": b"first"} == cache.get_many([b"k"])


def test_rows_outlive_the_process_of_the_one_who_put_them(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep" / "down" / "scores.sqlite")
    cache.put_many({b"k": b"v"})
    # Not closed: a killed process does not close either.
    assert {b"k": b"v"} == Cache(tmp_path / "deep" / "down" / "scores.sqlite").get_many([b"k"])


def test_many_rows_are_fast(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    rows = {i.to_bytes(16, "big"): bytes(33) for i in range(100_000)}
    started = time.process_time()
    cache.put_many(rows)
    found = cache.get_many(list(rows))
    assert time.process_time() - started < 4
    assert len(rows) == len(found)


def test_rows_are_put_all_or_none() -> None:
    cache = Cache(None)
    with pytest.raises(sqlite3.Error):
        cache.put_many({b"good": b"v", b"bad": object()})  # type: ignore[dict-item]  # the planted fault
    assert {} == cache.get_many([b"good"])


def test_facts_are_remembered_by_kind_and_name(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    cache.remember("hash", "a", "1")
    cache.remember("model", "a", {"parameters": 3, "notes": ["é"]})
    cache.remember("hash", "a", "2")
    again = Cache(tmp_path / "c")
    assert "2" == again.recall("hash", "a")
    assert {"parameters": 3, "notes": ["é"]} == again.recall("model", "a")
    assert again.recall("hash", "b") is None


def test_what_was_learned_is_found_out_once() -> None:
    cache, found = Cache(None), [{"parameters": 3}, {"parameters": 4}]
    assert {"parameters": 3} == cache.learned("model", "a", lambda: dict(found.pop(0)))
    assert {"parameters": 3} == cache.learned("model", "a", lambda: dict(found.pop(0)))
    assert {"parameters": 4} == cache.learned("model", "b", lambda: dict(found.pop(0)))


def test_file_that_is_no_database_is_named_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"label,text\n" * 1000)
    with pytest.raises(ConfigError, match=r"score cache .*/c: .*not a database.*delete it or .*--cache"):
        Cache(tmp_path / "c")


def test_damaged_file_is_named_with_its_cure(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    cache.put_many({i.to_bytes(16, "big"): bytes(100) for i in range(1000)})
    cache.close()
    whole = (tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(ConfigError, match=r"score cache .*--cache"):
        Cache(tmp_path / "c").get_many([i.to_bytes(16, "big") for i in range(1000)])


def test_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unable to open"):
        Cache(tmp_path)


def test_place_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made"):
        Cache(tmp_path / "file" / "c")


def test_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    Cache(tmp_path / "c").close()
    cache = Cache(tmp_path / "c")
    # What a read-only place answers; a chmod would not hold root back.
    cache._db.execute("PRAGMA query_only = ON")
    with pytest.raises(ConfigError, match=r"readonly.*--cache"):
        cache.put_many({b"k": b"v"})


def test_file_of_another_form_is_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "c")
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(ConfigError, match="found 99"):
        Cache(tmp_path / "c")


def test_full_disk_is_an_os_error_that_keeps_what_was_committed(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    cache.put_many({b"before": b"v"})
    pages = cache._db.execute("PRAGMA page_count").fetchone()[0]
    cache._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(OSError) as caught:
        cache.put_many({i.to_bytes(16, "big"): bytes(1000) for i in range(100)})
    assert errno.ENOSPC == caught.value.errno
    assert {b"before": b"v"} == cache.get_many([b"before", (0).to_bytes(16, "big")])
    assert {b"before": b"v"} == Cache(tmp_path / "c").get_many([b"before", (0).to_bytes(16, "big")])


FILL = """
import sys
from pathlib import Path
from audit.models.cache import Cache
from audit.models.files import hash_files

first, path = int(sys.argv[1]), Path(sys.argv[2])
cache = Cache(path)
for start in range(first, first + 500, 20):
    cache.put_many({i.to_bytes(4, "big"): bytes(8) for i in range(start, start + 20)})
"""


def test_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "c"
    workers = [subprocess.Popen([sys.executable, "-c", FILL, first, path]) for first in ("0", "250", "500")]
    assert [0, 0, 0] == [worker.wait(60) for worker in workers]
    assert 1000 == len(Cache(tmp_path / "c").get_many([i.to_bytes(4, "big") for i in range(1000)]))


def test_a_file_whose_path_is_no_text_is_hashed(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    (folder / "x").write_bytes(b"abc")

    assert hashlib.sha256(b"abc").hexdigest() == hash_files([folder / "x"], Cache(None))
