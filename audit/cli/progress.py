"""Long work told as it goes: a bar with rate and time left in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from audit.schema import Demand

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
        self._loose = False
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
                TextColumn("{task.completed:,.0f} {task.fields[unit]}"),
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

    def probe(self, name: str, demand: Demand) -> None:
        """Begin a probe: with a bound that is hardly ever reached, neither share nor time left is told."""
        self._begin(name, demand.texts, "texts", loose=demand.loose)

    def start(self, title: str, total: int, unit: str = "texts") -> None:
        """Begin a piece of work of `total` units; an upper bound is enough."""
        self._begin(title, total, unit, loose=False)

    def _begin(self, title: str, total: int, unit: str, *, loose: bool) -> None:
        self.finish()
        self._title, self._unit, self._total, self._loose = title, unit, total, loose
        self._done = self._worked = 0
        self._started = self._told = time.monotonic()
        if self._rich is not None:
            told = unit if loose else f"of {total:,} {unit}"
            bound = None if loose else max(total, 1)
            self._task = self._rich.add_task(title, total=bound, unit=told, rate="")
        elif total:
            self.say(f"{title}: at most {total:,} {unit}{', as a rule far fewer' if loose else ''}")
        else:
            self.say(title)

    def finish(self) -> None:
        """End the piece of work under way; a bound that was not reached counts as reached."""
        if self._rich is not None and self._task is not None:
            told = f"of {self._done:,} {self._unit}"
            self._rich.update(self._task, completed=self._done, total=max(self._done, 1), unit=told)
        self._task = None

    def advance(self, *, texts: int, scored: int, tokens: int) -> None:
        """Take note of work done."""
        self._done += texts
        self._worked += scored
        now = time.monotonic()
        rate = self._worked / max(now - self._started, 1e-9)
        told = f"{rate:,.0f} {self._unit}/s" if self._worked else ""
        total = max(self._total, self._done)
        unit = self._unit if self._loose else f"of {total:,} {self._unit}"
        if self._rich is not None and self._task is not None:
            bound = None if self._loose else total
            self._rich.update(self._task, completed=self._done, total=bound, unit=unit, rate=told)
        elif now - self._told >= PLAIN_SECONDS:
            self._told = now
            words = [f"{self._done:,} {unit}"]
            if self._worked:
                words.append(told)
            if self._worked and not self._loose:
                words.append(f"at most {(total - self._done) / max(rate, 1e-9):,.0f} s left")
            self.say(f"{self._title}: {', '.join(words)}")

    def say(self, line: str) -> None:
        """Print one line above the bar."""
        if self._rich is not None:
            self._rich.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)
