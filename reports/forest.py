"""One interval drawn against its limit, which stands in the middle of every row to guide the eye."""

from __future__ import annotations

from markupsafe import Markup

from audit.schema import Estimate, Rule, Status
from reports import svg
from reports.wording import limit_of

WIDTH, HEIGHT = 200.0, 30.0
_MIDDLE = WIDTH / 2
_EDGE = 6.0


def draw(rule: Rule, estimate: Estimate | None, status: Status, *, key: str, about: str) -> Markup:
    """Return the picture of one rule; without an estimate only the limit and its good side are drawn.

    Each row has its own scale: the end of the interval that is farthest from the limit stands near the edge.
    """
    good = (0.0, _MIDDLE) if rule.max is not None else (_MIDDLE, WIDTH)
    shapes = [
        svg.tag("rect", x=good[0], y=0, width=good[1] - good[0], height=HEIGHT, css="good"),
        svg.line(_MIDDLE, 0, _MIDDLE, HEIGHT, "limit"),
    ]
    if estimate is not None:
        shapes.extend(_interval(limit_of(rule), estimate, status))
    return svg.picture(
        *shapes, key=key, title="Interval against the limit", about=about, width=WIDTH, height=HEIGHT
    )


def _interval(limit: float, estimate: Estimate, status: Status) -> list[Markup]:
    reach = max(abs(estimate.low - limit), abs(estimate.high - limit)) or 1.0
    scale = svg.Scale(low=limit - reach, high=limit + reach, start=_EDGE, end=WIDTH - _EDGE)
    low, value, high = scale(estimate.low), scale(estimate.value), scale(estimate.high)
    y = HEIGHT / 2
    css = f"s-{status.lower().replace(' ', '-')}"
    return [
        svg.line(low, y, high, y, f"reach {css}"),
        svg.line(low, y - 4, low, y + 4, f"reach {css}"),
        svg.line(high, y - 4, high, y + 4, f"reach {css}"),
        svg.tag("circle", cx=value, cy=y, r=4.5, css=f"value {css}"),
    ]
