"""Who reads the streams, and whether anybody does, never decides how an audit ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.cli.stream import Aside, Stream

PROBES = "from audit.cli import main; import sys; sys.argv = ['audit', 'probes']; main()"
"""The cheapest command that prints."""


@pytest.fixture
def left() -> Iterator[int]:
    """A pipe whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer


@pytest.mark.parametrize("kind", [Stream, Aside])
def test_what_nobody_reads_is_dropped(kind: type[Stream], left: int) -> None:
    with kind(os.fdopen(left, "wb"), encoding="utf-8") as stream:
        stream.write("x" * 100_000)
        stream.flush()
        assert 3 == stream.write("and")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_takes_no_result_unseen() -> None:
    with (
        pytest.raises(OSError, match="No space left"),
        Path("/dev/full").open("wb", buffering=0) as disk,
        Stream(disk, encoding="utf-8") as stream,
    ):
        stream.write("a verdict")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_takes_progress_unseen() -> None:
    with Aside(Path("/dev/full").open("wb"), encoding="utf-8") as stream:
        stream.write("half way")
        stream.flush()


@pytest.mark.parametrize(
    ("closing", "code"),
    [("<&-", 0), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), ("> /dev/full", 4), ("2> /dev/full", 0)],
)
def test_streams_that_are_closed_or_full_leave_the_exit_code_alone(closing: str, code: int) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closing}', sys.executable, PROBES], capture_output=True, text=True
    )

    assert code == done.returncode
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_changes_no_exit_code() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROBES], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert (0, b"") == (process.returncode, said)


def test_a_terminal_without_unicode_gets_question_marks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from audit.cli.stream import steady; steady(); print('≤ 5 %')"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )

    assert (0, b"? 5 %\n", b"") == (done.returncode, done.stdout, done.stderr)
