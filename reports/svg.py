"""The few marks that pictures are made of: SVG elements as escaped text, scales and ticks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from reports.plain import one_line

Attribute = str | float


def tag(name: str, *children: str, **attributes: Attribute) -> Markup:
    """Return one element; attribute `css` is `class`, other underscores are hyphens; all is escaped."""
    written = "".join(f' {_name(key)}="{escape(_value(value))}"' for key, value in attributes.items())
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inside}</{name}>" if children else f"<{name}{written}/>")  # noqa: S704  escaped above


def text(content: str, x: float, y: float, css: str = "", anchor: str = "start") -> Markup:
    """Return a line of text on one baseline."""
    return tag("text", one_line(content), x=x, y=y, css=css or "label", text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, css=css)


def path(points: Sequence[tuple[float, float]], css: str, *, closed: bool = False) -> Markup:
    """Return a line through points, or the area that they enclose."""
    steps = " L".join(f"{_value(x)} {_value(y)}" for x, y in points)
    return tag("path", d=f"M{steps}{'Z' if closed else ''}", css=css)


def mark(x: float, y: float, series: int, hover: str) -> Markup:
    """Return the mark of a series by its number: disc, square, diamond or triangle, with its hover text."""
    css = f"mark c{series % 6}"
    title = tag("title", one_line(hover))
    match series % 4:
        case 0:
            return tag("circle", title, cx=x, cy=y, r=4, css=css)
        case 1:
            return tag("rect", title, x=x - 3.5, y=y - 3.5, width=7, height=7, css=css)
        case 2:
            return tag("path", title, d=_corners(x, y, ((0, -5), (5, 0), (0, 5), (-5, 0))), css=css)
        case _:
            return tag("path", title, d=_corners(x, y, ((0, -5), (5, 4), (-5, 4))), css=css)


def picture(*children: str, key: str, title: str, about: str, width: float, height: float) -> Markup:
    """Return the whole picture, named for those who cannot see it; `key` is unique on the page."""
    return tag(
        "svg",
        tag("title", one_line(title), id=f"{key}-title"),
        tag("desc", one_line(about), id=f"{key}-about"),
        *children,
        css="figure",
        role="img",
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        aria_labelledby=f"{key}-title {key}-about",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A range of numbers laid over a range of the picture."""

    low: float
    high: float
    start: float
    """Where `low` stands."""
    end: float
    """Where `high` stands."""

    def __call__(self, x: float) -> float:
        """Return the place of `x`, held inside the range."""
        share = (min(max(x, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Return round numbers inside the range, at most `most` of them, a step of 1, 2 or 5 apart."""
        step = 10 ** math.floor(math.log10((self.high - self.low) / most))
        step = next(step * times for times in (1, 2, 5, 10) if (self.high - self.low) / (step * times) < most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(i * step, 12) for i in range(first, last + 1)]


def span(numbers: Sequence[float], *, zero: bool = False) -> tuple[float, float]:
    """Return a range with a little air that holds all numbers, and zero if asked; never empty."""
    low, high = min(numbers), max(numbers)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high == 0:
        return 0.0, 1.0
    air = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return (low if zero and low == 0 else low - air), (high if zero and high == 0 else high + air)


def cut(label: str, letters: int) -> str:
    """Return a label of at most so many letters."""
    label = one_line(label)
    return label if len(label) <= letters else label[: letters - 1].rstrip() + "…"


def named(name: Callable[[float], str], value: float, low: float | None, high: float | None) -> str:
    """Return `12 % (10 to 14)` for hover texts."""
    if low is None or high is None:
        return name(value)
    return f"{name(value)} ({name(low)} to {name(high)})"


def _corners(x: float, y: float, steps: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{_value(x + dx)} {_value(y + dy)}" for dx, dy in steps) + "Z"


def _name(key: str) -> str:
    return "class" if key == "css" else key.replace("_", "-")


def _value(value: Attribute) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
