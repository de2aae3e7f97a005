"""The standard streams as an audit needs them: who reads them never decides how it ends."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Literal, TextIO


class Stream(io.TextIOWrapper):
    """A text stream that drops what it cannot get rid of, and what its encoding does not have is a `?`."""

    lost: type[OSError] = BrokenPipeError
    """The error that is passed over: the reader has left, as in `audit run model.yaml | head`."""

    def write(self, text: str, /) -> int:
        """Write, or drop; a verdict's exit code is not to become that of a broken pipe."""
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
        return len(text)

    def flush(self) -> None:
        """Flush, or drop."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        if not isinstance(error, self.lost):
            raise error
        # as Python's documentation does it: what is buffered, and what is still to come, goes nowhere
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


class Aside(Stream):
    """Standard error: progress and complaints, dropped also where a full disk takes them."""

    lost = OSError


def steady() -> None:
    """Put such streams in the place of this process's own; a closed one becomes one that is empty."""
    if sys.stdin is None:
        sys.stdin = _nowhere("r")
    sys.stdout = _over(sys.stdout, Stream)
    sys.stderr = _over(sys.stderr, Aside)


def _over(stream: TextIO | None, kind: type[Stream]) -> TextIO:
    if stream is None:
        return _nowhere("w")
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # somebody else's, who keeps it
    return kind(
        stream.buffer,
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _nowhere(mode: Literal["r", "w"]) -> TextIO:
    return Path(os.devnull).open(mode, encoding="utf-8")
