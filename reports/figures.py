"""Series → inline SVG, one drawing for each kind; no kind knows which probe made it."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import assert_never

from markupsafe import Markup

from audit.schema import Point, Series
from reports import categories, svg
from reports.digits import count, reading, tick
from reports.svg import Scale

WIDTH = 400.0
_LEFT, _RIGHT, _TOP = 52.0, 22.0, 10.0

READING = {
    "reliability": "Each mark is a group of answers with like confidence. On the dashed diagonal the model "
    "is right as often as it says; below it the model is too sure. Whiskers are 95 % intervals; the bars "
    "beneath count the answers.",
    "curve": "Each line follows one group; the band around it is its interval.",
    "dots": "Each mark is a value, the line through it its interval.",
    "bars": "The length of each bar is its value.",
    "matrix": "Each cell counts examples; darker is more. Rows and columns bear the names beside them.",
}
"""How to read a kind, where the probe does not say it."""


def draw(series: Series, *, key: str) -> Markup:
    """Return the picture of a series; `key` is unique on the page. A series without points draws nothing."""
    if not series.points:
        return Markup()
    match series.kind:
        case "reliability":
            return _reliability(series, key)
        case "curve":
            return _curve(series, key)
        case "dots":
            return categories.dots(series, key)
        case "bars":
            return categories.bars(series, key)
        case "matrix":
            return categories.matrix(series, key)
        case _:
            assert_never(series.kind)


def _reliability(series: Series, key: str) -> Markup:
    bins = [point for point in series.points if point.group != "smooth"]
    smooth = [point for point in series.points if point.group == "smooth"]
    lowest = min(min(p.x, p.y if p.low is None else p.low) for p in series.points)
    start = max(0.0, int(10 * lowest) / 10) if lowest < 0.999 else 0.9
    bottom = 300.0
    x = Scale(low=start, high=1.0, start=_LEFT, end=WIDTH - _RIGHT)
    y = Scale(low=start, high=1.0, start=bottom, end=_TOP)
    shapes = [
        *_grid(x, y, series, is_x=True, is_y=True),
        svg.line(x(start), y(start), x(1), y(1), "diagonal"),
    ]
    if smooth:
        shapes.extend(_band(smooth, x, y, 1))
        shapes.append(svg.path([(x(p.x), y(p.y)) for p in smooth], "stroke c1"))
    for point in bins:
        shapes.extend(_whisker(point, x, y))
        shapes.append(svg.mark(x(point.x), y(point.y), 0, _hover(point, is_x=True, is_y=True)))
    floor = 418.0
    shapes.extend(_histogram(bins, x, top=bottom + 58, floor=floor))
    legend = ["groups of answers", *(["smooth estimate"] if smooth else [])]
    shapes.extend(_legend(legend, floor + 22))
    about = f"{series.y} against {series.x}, {len(bins)} groups of answers. {series.reading}"
    return svg.picture(*shapes, key=key, title=series.title, about=about, width=WIDTH, height=floor + 32)


def _histogram(bins: list[Point], x: Scale, *, top: float, floor: float) -> list[Markup]:
    most = max((point.n for point in bins), default=0)
    if not most:
        return []
    places = sorted(x(point.x) for point in bins)
    nearest = min((b - a for a, b in pairwise(places)), default=24.0)
    wide = min(20.0, max(3.0, 0.8 * nearest))
    height = Scale(low=0, high=most, start=0, end=floor - top - 12)
    bars = [
        svg.tag(
            "rect",
            svg.tag("title", f"{count(point.n)} answers"),
            x=x(point.x) - wide / 2,
            y=floor - height(point.n),
            width=wide,
            height=height(point.n),
            css="fill c0",
        )
        for point in bins
    ]
    return [
        svg.text(f"answers per group, at most {count(most)}", _LEFT, top - 2, "tick"),
        *bars,
        svg.line(_LEFT, floor, WIDTH - _RIGHT, floor, "axis"),
    ]


def _curve(series: Series, key: str) -> Markup:
    groups = list(dict.fromkeys(point.group for point in series.points))
    ends = [e for p in series.points for e in (p.y, p.low, p.high) if e is not None]
    across = [point.x for point in series.points]
    bottom = 240.0
    low, high = min(across), max(across)
    x = Scale(low=low, high=high if high > low else low + 1, start=_LEFT, end=WIDTH - _RIGHT)
    bottom_y, top_y = svg.span(ends)
    y = Scale(low=bottom_y, high=top_y, start=bottom, end=_TOP)
    is_x, is_y = categories.is_share(series.x, across), categories.is_share(series.y, ends)
    shapes = _grid(x, y, series, is_x=is_x, is_y=is_y)
    for i, group in enumerate(groups):
        points = sorted((p for p in series.points if p.group == group), key=lambda p: p.x)
        shapes.extend(_band(points, x, y, i))
        shapes.append(svg.path([(x(p.x), y(p.y)) for p in points], f"stroke c{i % 6} d{i % 6}"))
        if len(points) <= 30:
            shapes.extend(svg.mark(x(p.x), y(p.y), i, _hover(p, is_x=is_x, is_y=is_y)) for p in points)
    names = [group for group in groups if group]
    shapes.extend(_legend(names, bottom + 58))
    about = f"{series.y} against {series.x}, {len(groups)} lines. {series.reading}"
    height = bottom + 46 + 18 * len(names)
    return svg.picture(*shapes, key=key, title=series.title, about=about, width=WIDTH, height=height)


def _grid(x: Scale, y: Scale, series: Series, *, is_x: bool, is_y: bool) -> list[Markup]:
    shapes: list[Markup] = []
    for at in y.ticks():
        shapes.append(svg.line(x.start, y(at), x.end, y(at), "grid"))
        shapes.append(svg.text(tick(at, percent=is_y), x.start - 6, y(at) + 4, "tick", "end"))
    for at in x.ticks():
        shapes.append(svg.line(x(at), y.start, x(at), y.start + 4, "axis"))
        shapes.append(svg.text(tick(at, percent=is_x), x(at), y.start + 17, "tick", "middle"))
    middle = (y.start + y.end) / 2
    side = svg.tag(
        "text",
        svg.cut(categories.axis_name(series.y, percent=is_y), 42),
        x=0,
        y=0,
        css="name",
        text_anchor="middle",
        transform=f"translate(11 {middle:.0f}) rotate(-90)",
    )
    return [
        *shapes,
        svg.line(x.start, y.start, x.end, y.start, "axis"),
        svg.text(
            svg.cut(categories.axis_name(series.x, percent=is_x), 56),
            (x.start + x.end) / 2,
            y.start + 33,
            "name",
            "middle",
        ),
        side,
    ]


def _band(points: list[Point], x: Scale, y: Scale, series: int) -> list[Markup]:
    banded = [(p.x, p.low, p.high) for p in points if p.low is not None and p.high is not None]
    if len(banded) < 2:
        return []
    upper = [(x(at), y(high)) for at, _, high in banded]
    lower = [(x(at), y(low)) for at, low, _ in reversed(banded)]
    return [svg.path(upper + lower, f"band c{series % 6}", closed=True)]


def _whisker(point: Point, x: Scale, y: Scale) -> list[Markup]:
    if point.low is None or point.high is None:
        return []
    at = x(point.x)
    return [svg.line(at, y(point.low), at, y(point.high), "whisker c0")]


def _legend(names: list[str], top: float) -> list[Markup]:
    shapes: list[Markup] = []
    for i, name in enumerate(names):
        y = top + 18 * i if len(names) > 2 else top
        x = _LEFT + (0 if len(names) > 2 else i * 160)
        shapes.append(svg.line(x, y - 4, x + 22, y - 4, f"stroke c{i % 6} d{i % 6}"))
        shapes.append(svg.mark(x + 11, y - 4, i, name))
        shapes.append(svg.text(svg.cut(name, 50 if len(names) > 2 else 20), x + 30, y))
    return shapes


def _hover(point: Point, *, is_x: bool, is_y: bool) -> str:
    behind = f", n = {count(point.n)}" if point.n else ""
    where = point.label or reading(point.x, percent=is_x)
    group = f"{point.group}, " if point.group else ""
    return (
        f"{group}{where}: {svg.named(partial(reading, percent=is_y), point.y, point.low, point.high)}{behind}"
    )
