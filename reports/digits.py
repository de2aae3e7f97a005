"""The digits of a report: shares become percent here and nowhere else.

Everything is rounding; no number is made that the record does not hold.
"""

from __future__ import annotations

import math
from datetime import datetime

from audit.schema import Estimate

NB = "\u00a0"
"""A space at which no line breaks."""
MINUS = "\u2212"

SHARE = "share"
POINTS = "points of share"
_BARE = frozenset({"", "number", "ratio", "temperature", "score"})
"""Units that say nothing beside the metric's name; those with a comma (`squared error, 0 to 2`) are long."""


def count(n: int) -> str:
    """Return an integer with separators: 1821 → `1,821`."""
    return f"{n:,}".replace("-", MINUS)


def about(n: int) -> str:
    """Return an estimated count: from 100 on two digits, rounded up, 2340 → `2,400`."""
    step = 10 ** max(0, len(str(n)) - 2)
    return count(-(-n // step) * step)


def plural(n: int, one: str, many: str | None = None) -> str:
    """Return `1 text` or `2 texts`."""
    return f"{count(n)}{NB}{one if n == 1 else many or one + 's'}"


def amount(x: float, unit: str) -> str:
    """Return a limit or a lone number with its unit and no more digits than it has: 0.1 → `10 %`."""
    scaled = _scaled(x, unit)
    digits = 2 if unit in (SHARE, POINTS) else 4
    if scaled and abs(scaled) < 10**-digits:
        text = f"{scaled:.2g}"
    else:
        text = f"{scaled:,.{digits}f}".rstrip("0").rstrip(".")
    return _signed(text, plus=False) + _suffix(unit, text)


def interval(estimate: Estimate, unit: str, *, limit: float | None = None, signed: bool = False) -> str:
    """Return `88.9 % (87.4 to 90.2)`; other levels than 95 % are named.

    Digits: one decimal of percent or points, three digits of other units; more where a number that is not
    zero, not one, or not the limit would otherwise look as if it were.
    """
    numbers = [_scaled(x, unit) for x in (estimate.value, estimate.low, estimate.high)]
    apart = [0.0] + ([100.0] if unit == SHARE else [])
    if limit is not None:
        apart.append(_scaled(limit, unit))
    digits = _decimals(numbers, apart, 1 if unit in (SHARE, POINTS) else _three_digits(numbers))
    value, low, high = (_signed(f"{x:,.{digits}f}", plus=signed) for x in numbers)
    level = "" if estimate.level == 0.95 else f", {100 * estimate.level:g}{NB}% interval"
    return f"{value}{_suffix(unit, value)} ({low}{NB}to{NB}{high}{level})"


def p_value(p: float | None) -> str:
    """Return `0.034`, `< 0.001`, or nothing where there is none."""
    if p is None:
        return ""
    return f"<{NB}0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def duration(seconds: float) -> str:
    """Return `0.4 s`, `38 s`, `3 min 12 s`, `1 h 4 min`."""
    if seconds < 10:
        return f"{seconds:.1f}{NB}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{NB}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}{NB}min {rest}{NB}s"
    return f"{minutes // 60}{NB}h {minutes % 60}{NB}min"


def date(iso: str) -> str:
    """Return `1 August 2026, 14:03 UTC`; what is no ISO date is returned as it is."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    zone = "" if when.tzinfo is None else f" {when.tzname()}"
    return f"{when.day} {when:%B %Y, %H:%M}{zone}"


def tick(x: float, *, percent: bool) -> str:
    """Return the label of an axis tick."""
    text = f"{100 * x:.10g}" if percent else f"{x:,.6g}" if abs(x) < 1e6 else f"{x:.3g}"
    return _signed(text, plus=False) + (f"{NB}%" if percent else "")


def margin(x: float, unit: str) -> str:
    """Return a distance between two numbers of a unit; between shares it is in points."""
    unit = POINTS if unit == SHARE else unit
    scaled = _scaled(x, unit)
    digits = 1 if unit == POINTS and abs(scaled) >= 0.1 else _three_digits([scaled])
    text = f"{scaled:,.{digits}f}"
    return text + _suffix(unit, text)


def reading(x: float, *, percent: bool) -> str:
    """Return the number of a mark, as hover texts and tables of figures show it."""
    text = f"{100 * x:.1f}" if percent else f"{x:,.0f}" if x == int(x) else f"{x:.4g}"
    return _signed(text, plus=False) + (f"{NB}%" if percent else "")


def _scaled(x: float, unit: str) -> float:
    scaled = 100 * x if unit in (SHARE, POINTS) else x
    return 0.0 if abs(scaled) < 1e-9 else scaled


def _three_digits(numbers: list[float]) -> int:
    largest = max(abs(x) for x in numbers)
    return 2 if largest == 0 else min(6, max(0, 2 - math.floor(math.log10(largest))))


def _decimals(numbers: list[float], apart: list[float], start: int) -> int:
    for digits in range(start, start + 4):
        if all(_tells(x, mark, digits) for x in numbers for mark in apart):
            return digits
    return start


def _tells(x: float, mark: float, digits: int) -> bool:
    return math.isclose(x, mark, rel_tol=1e-9, abs_tol=1e-9) or f"{x:.{digits}f}" != f"{mark:.{digits}f}"


def _signed(text: str, *, plus: bool) -> str:
    if not text.strip("-0.,"):  # a rounded −0.0 is 0.0
        return text.lstrip("-")
    if text.startswith("-"):
        return MINUS + text[1:]
    return f"+{text}" if plus else text


def _suffix(unit: str, text: str) -> str:
    if unit == SHARE:
        return f"{NB}%"
    if unit == POINTS:
        return f"{NB}point" if text.lstrip("+" + MINUS) == "1" else f"{NB}points"
    return "" if unit in _BARE or "," in unit else f"{NB}{unit}"
