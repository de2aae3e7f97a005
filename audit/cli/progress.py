"""Long work told as it goes: a bar with rate and time left in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PLAIN_SECONDS = 10.0
"""Seconds between two plain lines."""


class Bar:
    """The progress of one piece of work after another; a Meter for the scorer."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._rich: Progress | None = None
        self._task: TaskID | None = None
        self._title = ""
        self._unit = "texts"
        self._total = 0
        self._done = 0
        self._worked = 0
        self._started = 0.0
        self._told = 0.0

    def __enter__(self) -> Bar:
        """Take the terminal, if there is one."""
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            self._rich = Progress(
                TextColumn("{task.description:<28}"),
                BarColumn(),
                TextColumn("{task.completed:,.0f} of {task.total:,.0f} {task.fields[unit]}"),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rich is not None:
            self._rich.stop()

    def start(self, title: str, total: int, unit: str = "texts") -> None:
        """Begin a piece of work of `total` units; an upper bound is enough."""
        self.finish()
        self._title, self._unit, self._total = title, unit, max(total, 1)
        self._done = self._worked = 0
        self._started = self._told = time.monotonic()
        if self._rich is not None:
            self._task = self._rich.add_task(title, total=self._total, unit=unit, rate="")
        else:
            self.say(f"{title}: at most {total:,} {unit}")

    def finish(self) -> None:
        """End the piece of work under way; a bound that was not reached counts as reached."""
        if self._rich is not None and self._task is not None:
            self._rich.update(self._task, completed=self._done, total=max(self._done, 1))
        self._task = None

    def advance(self, *, texts: int, scored: int, tokens: int) -> None:
        """Take note of work done."""
        self._done += texts
        self._worked += scored
        now = time.monotonic()
        rate = self._worked / max(now - self._started, 1e-9)
        told = f"{rate:,.0f} {self._unit}/s" if self._worked else ""
        if self._rich is not None and self._task is not None:
            self._rich.update(self._task, completed=self._done, total=max(self._total, self._done), rate=told)
        elif now - self._told >= PLAIN_SECONDS:
            self._told = now
            left = max(self._total - self._done, 0) / max(rate, 1e-9)
            ahead = f", at most {left:,.0f} s left" if self._worked else ""
            self.say(f"{self._title}: {self._done:,} of {self._total:,} {self._unit}, {told}{ahead}")

    def say(self, line: str) -> None:
        """Print one line above the bar."""
        if self._rich is not None:
            self._rich.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)
