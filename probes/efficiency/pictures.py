"""Pictures of times and costs, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audit.schema import Point, Series
from probes.efficiency.fit import Line
from probes.efficiency.percentiles import fewest, percentile

SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


def times(name: str, milliseconds: Sequence[float]) -> Series:
    """Return the curve of percentiles; those without an interval are left out."""
    n = len(milliseconds)
    found = [(share, percentile(milliseconds, share)) for share in SHARES if n >= fewest(share)]
    return Series(
        kind="curve",
        title=f"Latency, {name}",
        x="share of requests",
        y="milliseconds",
        points=tuple(Point(x=share, y=e.value, low=e.low, high=e.high, n=n) for share, e in found),
        reading="That share of the requests took at most so long; a steep end: some wait much longer.",
    )


def line(sizes: Sequence[tuple[int, int]], milliseconds: Sequence[float], fitted: Line) -> Series:
    """Return mean times over the number of tokens written, and the line, for each length of prompt."""
    points = []
    for read, written in sorted(set(sizes)):
        own = [time for size, time in zip(sizes, milliseconds, strict=True) if size == (read, written)]
        mean = sum(own) / len(own)
        group = f"{read} tokens read"
        points.append(
            Point(x=written, y=mean, low=min(own), high=max(own), n=len(own), group=f"{group}, timed")
        )
        points.append(Point(x=written, y=fitted.at(read, written), n=len(own), group=f"{group}, line"))
    return Series(
        kind="curve",
        title="Time by length",
        x="tokens written",
        y="milliseconds",
        points=tuple(points),
        reading="Mean, shortest and longest time; where they leave the line, it says little.",
    )


def months(break_even: float, ways: Mapping[str, tuple[float, float]], currency: str) -> Series:
    """Return what a month costs each way, (fixed, of a request), up to twice the break-even."""
    points = tuple(
        Point(x=break_even * step / 2, y=fixed + each * break_even * step / 2, group=way)
        for way, (fixed, each) in ways.items()
        for step in range(5)
    )
    return Series(
        kind="curve",
        title="Cost of a month",
        x="requests per month",
        y=f"{currency} per month",
        points=points,
        reading="Where the lines cross, both ways cost the same.",
    )
