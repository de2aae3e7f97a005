"""Pictures over categories: dots with intervals, bars, a matrix of counts. Rows stand in the order given."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from markupsafe import Markup

from audit.schema import Point, Series
from reports import svg
from reports.digits import count, reading, tick
from reports.svg import Scale

WIDTH = 400.0
_ROW = 17.0
_MOST_ROWS = 60
_LETTER = 6.3
"""Widest usual letter, in units of the picture, to leave room for names."""
_CAPITAL = 9.0
"""The same of capital letters."""
_SHARE_WORDS = re.compile(
    r"share|rate\b|accuracy|confidence|probabilit|coverage|%|percent|gap|error", re.IGNORECASE
)


def is_share(name: str, numbers: Sequence[float]) -> bool:
    """Tell whether an axis is read in percent: its name says a share and all its numbers lie in [−1, 1]."""
    return _SHARE_WORDS.search(name) is not None and all(-1 <= x <= 1 for x in numbers)


def axis_name(name: str, *, percent: bool) -> str:
    """Return the name of an axis without the unit that its ticks already show."""
    return name.removesuffix("(share)").removesuffix(", share").rstrip() if percent else name


def dots(series: Series, key: str) -> Markup:
    """Return one row per category: a mark with its interval, groups beneath each other."""
    ends = [e for p in series.points for e in (p.y, p.low, p.high) if e is not None]
    return _rows(series, key, svg.span(ends), _dot)


def bars(series: Series, key: str) -> Markup:
    """Return one bar from zero per category and group."""
    ends = [e for p in series.points for e in (p.y, p.low, p.high) if e is not None]
    return _rows(series, key, svg.span(ends, zero=True), _bar)


def _width(name: str) -> float:
    """Return the room that a name needs; capitals, as in orders of labels, are wider than other letters."""
    return sum(_CAPITAL if letter.isupper() else _LETTER for letter in name)


Drawer = Callable[[Point, Scale, float, int, bool], list[Markup]]


def _rows(series: Series, key: str, ends: tuple[float, float], draw: Drawer) -> Markup:
    groups = list(dict.fromkeys(point.group for point in series.points))
    names = _names(series.points)
    shown = list(names)[:_MOST_ROWS]
    gutter = min(150.0, 12 + max(_width(svg.cut(names[at], 22)) for at in shown))
    scale = Scale(low=ends[0], high=ends[1], start=gutter, end=WIDTH - 46)
    percent = is_share(series.y, [p.y for p in series.points])
    tall = 7 + _ROW * len(groups)
    bottom = 8 + tall * len(shown)
    shapes: list[Markup] = []
    for at in scale.ticks(5):
        shapes.append(svg.line(scale(at), 4, scale(at), bottom, "grid"))
        shapes.append(svg.text(tick(at, percent=percent), scale(at), bottom + 15, "tick", "middle"))
    if ends[0] <= 0 <= ends[1]:
        shapes.append(svg.line(scale(0), 4, scale(0), bottom, "axis"))
    for row, at in enumerate(shown):
        top = 8 + tall * row
        shapes.append(svg.text(svg.cut(names[at], 22), gutter - 10, top + tall / 2 + 1, "label", "end"))
        for point in series.points:
            if point.x == at:
                i = groups.index(point.group)
                shapes.extend(draw(point, scale, top + _ROW * i + _ROW / 2, i, percent))
    y = bottom + 33
    shapes.append(
        svg.text(
            svg.cut(axis_name(series.y, percent=percent), 56),
            (scale.start + scale.end) / 2,
            y,
            "name",
            "middle",
        )
    )
    for i, group in enumerate(groups if len(groups) > 1 or groups[0] else []):
        y += 19
        shapes.append(svg.mark(gutter + 6, y - 4, i, group))
        shapes.append(svg.text(svg.cut(group or "(no group)", 40), gutter + 18, y))
    if len(names) > len(shown):
        y += 19
        shapes.append(
            svg.text(f"{count(len(names) - len(shown))} more rows are not drawn", gutter, y, "tick")
        )
    about = f"{series.y} for {count(len(names))} categories of {series.x}. {series.reading}"
    return svg.picture(*shapes, key=key, title=series.title, about=about, width=WIDTH, height=y + 8)


def _dot(point: Point, scale: Scale, y: float, i: int, percent: bool) -> list[Markup]:
    shapes: list[Markup] = []
    if point.low is not None and point.high is not None:
        shapes.append(svg.line(scale(point.low), y, scale(point.high), y, f"whisker c{i % 6}"))
    return [*shapes, svg.mark(scale(point.y), y, i, _hover(point, percent=percent))]


def _bar(point: Point, scale: Scale, y: float, i: int, percent: bool) -> list[Markup]:
    left, right = sorted((scale(0), scale(point.y)))
    title = svg.tag("title", _hover(point, percent=percent))
    shapes = [svg.tag("rect", title, x=left, y=y - 6, width=right - left, height=12, css=f"fill c{i % 6}")]
    if point.low is not None and point.high is not None:
        shapes.append(svg.line(scale(point.low), y, scale(point.high), y, "whisker ink"))
    end = max(0.0, point.y if point.high is None else point.high)
    return [*shapes, svg.text(reading(point.y, percent=percent), scale(end) + 5, y + 4, "tick")]


def matrix(series: Series, key: str) -> Markup:
    """Return a table of counts: columns by x (named by `label`), rows by y (named by `group`)."""
    columns = _names(series.points)
    rows = {p.y: p.group or tick(p.y, percent=False) for p in sorted(series.points, key=lambda p: p.y)}
    most = max((point.n for point in series.points), default=0) or 1
    gutter = min(130.0, 34 + _LETTER * max(len(svg.cut(name, 16)) for name in rows.values()))
    wide = (WIDTH - gutter - 4) / len(columns)
    tall = min(44.0, max(14.0, wide))
    top = 26.0
    place_x = {x: gutter + wide * i for i, x in enumerate(columns)}
    place_y = {y: top + tall * i for i, y in enumerate(rows)}
    letters = max(1, int(wide / _LETTER))
    shapes = [
        svg.text(svg.cut(columns[x], letters), left + wide / 2, top - 8, "label", "middle")
        for x, left in place_x.items()
        if wide >= 14
    ]
    shapes += [
        svg.text(svg.cut(rows[y], 16), gutter - 8, below + tall / 2 + 4, "label", "end")
        for y, below in place_y.items()
    ]
    for point in series.points:
        shapes.extend(
            _cell(point, place_x[point.x], place_y[point.y], wide, tall, point.n / most, rows, columns)
        )
    bottom = top + tall * len(rows)
    shapes.append(
        svg.text(svg.cut(series.x, 56), gutter + wide * len(columns) / 2, bottom + 18, "name", "middle")
    )
    middle = f"translate(11 {(top + bottom) / 2:.0f}) rotate(-90)"
    side = svg.cut(series.y, max(4, int((bottom - top) / _LETTER)))
    shapes.append(svg.tag("text", side, x=0, y=0, css="name", text_anchor="middle", transform=middle))
    about = f"Counts, {len(rows)} rows ({series.y}) by {len(columns)} columns ({series.x}). {series.reading}"
    return svg.picture(*shapes, key=key, title=series.title, about=about, width=WIDTH, height=bottom + 26)


def _cell(
    point: Point,
    x: float,
    y: float,
    wide: float,
    tall: float,
    share: float,
    rows: dict[float, str],
    columns: dict[float, str],
) -> list[Markup]:
    hover = f"{rows[point.y]}, {columns[point.x]}: {count(point.n)}"
    cell = svg.tag(
        "rect",
        svg.tag("title", hover),
        x=x + 1,
        y=y + 1,
        width=wide - 2,
        height=tall - 2,
        fill_opacity=0.06 + 0.94 * share,
        css="cell",
    )
    text = count(point.n)
    if len(text) * _LETTER > wide - 2:
        return [cell]
    css = "on" if share > 0.55 else ""
    return [cell, svg.text(text, x + wide / 2, y + tall / 2 + 4, css, "middle")]


def _names(points: Sequence[Point]) -> dict[float, str]:
    """Return place → name, in the order of the places."""
    return {p.x: p.label or tick(p.x, percent=False) for p in sorted(points, key=lambda p: p.x)}


def _hover(point: Point, *, percent: bool) -> str:
    behind = f", n = {count(point.n)}" if point.n else ""
    group = f", {point.group}" if point.group else ""
    written = svg.named(partial(reading, percent=percent), point.y, point.low, point.high)
    return f"{point.label or reading(point.x, percent=False)}{group}: {written}{behind}"
