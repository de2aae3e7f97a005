"""Pictures: every kind is drawn, inside its frame, with its names, whatever the numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.schema import Estimate, Finding, Point, Record, Rule, Series
from reports import figures, forest
from reports.svg import Scale

Kind = Literal["reliability", "curve", "dots", "bars", "matrix"]
KINDS: tuple[Kind, ...] = ("reliability", "curve", "dots", "bars", "matrix")
NUMBER = st.floats(-1e6, 1e6)
SHARE = st.floats(0, 1)


def points(number: st.SearchStrategy[float]) -> st.SearchStrategy[Point]:
    return st.builds(
        lambda x, ys, n, label, group, has: Point(
            x=x,
            y=sorted(ys)[1],
            low=sorted(ys)[0] if has else None,
            high=sorted(ys)[2] if has else None,
            n=n,
            label=label,
            group=group,
        ),
        number,
        st.lists(number, min_size=3, max_size=3),
        st.integers(0, 10**6),
        st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=30),
        st.sampled_from(["", "bins", "smooth", "a <b>"]),
        st.booleans(),
    )


def drawn(series: Series) -> ElementTree.Element:
    return ElementTree.fromstring(figures.draw(series, key="k"))


def frame(root: ElementTree.Element) -> tuple[float, float]:
    _, _, width, height = (float(x) for x in root.attrib["viewBox"].split())
    return width, height


def places(root: ElementTree.Element) -> list[tuple[float, float]]:
    """Every point that a mark, line or path touches."""
    found = [(float(e.attrib["cx"]), float(e.attrib["cy"])) for e in root.iter("circle")]
    for e in root.iter("line"):
        found += [(float(e.attrib[f"x{i}"]), float(e.attrib[f"y{i}"])) for i in (1, 2)]
    for e in root.iter("path"):
        numbers = [float(x) for x in re.findall(r"-?\d+(?:\.\d+)?", e.attrib["d"])]
        found += list(zip(numbers[::2], numbers[1::2], strict=True))
    return found


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_numbers_are_drawn_inside_the_frame(kind: Kind, data: st.DataObject) -> None:
    number = SHARE if kind == "reliability" else NUMBER
    series = Series(
        kind=kind,
        title="t",
        x="x",
        y="y",
        points=tuple(data.draw(st.lists(points(number), min_size=1, max_size=8))),
    )

    root = drawn(series)
    width, height = frame(root)

    assert all(-6 <= x <= width + 6 and -6 <= y <= height + 6 for x, y in places(root))


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_has_a_name_and_a_description(kind: Kind) -> None:
    root = drawn(
        Series(kind=kind, title="<T>", x="x", y="y", points=(Point(x=0.5, y=0.5, n=3),), reading="r & r")
    )

    assert "<T>" == root.findtext("title") and "r & r" in str(root.findtext("desc"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_without_points_is_nothing(kind: Kind) -> None:
    assert "" == figures.draw(Series(kind=kind, title="t", x="x", y="y", points=()), key="k")


def test_a_perfectly_calibrated_bin_stands_on_the_diagonal() -> None:
    series = Series(
        kind="reliability",
        title="t",
        x="x",
        y="y",
        points=(Point(x=0.8, y=0.8, n=9), Point(x=0.3, y=0.3, n=9)),
    )
    root = drawn(series)
    (diagonal,) = (e for e in root.iter("line") if e.attrib["class"] == "diagonal")
    x1, y1, x2, y2 = (float(diagonal.attrib[name]) for name in ("x1", "y1", "x2", "y2"))

    marks = [(float(e.attrib["cx"]), float(e.attrib["cy"])) for e in root.iter("circle")][:2]

    assert all(abs((x - x1) / (x2 - x1) - (y - y1) / (y2 - y1)) < 0.01 for x, y in marks)


def test_rows_stand_in_the_order_given() -> None:
    series = Series(
        kind="dots",
        title="t",
        x="x",
        y="y",
        points=tuple(
            Point(x=i, y=v, label=name) for i, (name, v) in enumerate([("b", 0.9), ("a", 0.1), ("c", 0.5)])
        ),
    )

    names = [e.text for e in drawn(series).iter("text") if e.attrib["class"] == "label"]

    assert ["b", "a", "c"] == names


def test_rows_that_do_not_fit_are_counted() -> None:
    series = Series(
        kind="dots", title="t", x="x", y="y", points=tuple(Point(x=i, y=i, label=str(i)) for i in range(100))
    )

    assert "40 more rows are not drawn" in figures.draw(series, key="k")


def test_the_fullest_cell_of_a_matrix_is_the_darkest(record: Record) -> None:
    series = next(
        o.series for o in record.outcomes if isinstance(o, Finding) and o.series and o.series.kind == "matrix"
    )
    cells = {e.findtext("title"): float(e.attrib["fill-opacity"]) for e in drawn(series).iter("rect")}

    assert "positive, positive: 224" == max(cells, key=lambda name: cells[name])


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=9, method="m")


def row(rule: Rule, found: Estimate | None) -> ElementTree.Element:
    return ElementTree.fromstring(forest.draw(rule, found, "FAIL", key="k", about="a"))


def good_side(root: ElementTree.Element) -> tuple[float, float]:
    (rect,) = (e for e in root.iter("rect") if e.attrib["class"] == "good")
    return float(rect.attrib["x"]), float(rect.attrib["x"]) + float(rect.attrib["width"])


@pytest.mark.parametrize(
    ("rule", "numbers", "is_good"),
    [
        (Rule(probe="p", metric="m", max=0.1), (0.05, 0.04, 0.06), True),
        (Rule(probe="p", metric="m", max=0.1), (0.15, 0.14, 0.16), False),
        (Rule(probe="p", metric="m", min=0.8), (0.9, 0.85, 0.95), True),
        (Rule(probe="p", metric="m", min=0.8), (0.7, 0.65, 0.75), False),
        (Rule(probe="p", metric="m", max=0.0), (-2.0, -3.0, -1.0), True),
    ],
)
def test_an_interval_stands_on_the_shaded_side_exactly_when_it_is_good(
    rule: Rule, numbers: tuple[float, float, float], is_good: bool
) -> None:
    root = row(rule, estimate(*numbers))
    low, high = good_side(root)
    ends = [float(e.attrib["x1"]) for e in root.iter("line") if "reach" in e.attrib["class"]]

    assert is_good == all(low <= x <= high for x in ends)


def test_an_interval_across_the_limit_crosses_the_line() -> None:
    root = row(Rule(probe="p", metric="m", max=0.1), estimate(0.1, 0.05, 0.2))
    spans = [
        (float(e.attrib["x1"]), float(e.attrib["x2"]))
        for e in root.iter("line")
        if "reach" in e.attrib["class"]
    ]

    assert any(low < forest.WIDTH / 2 < high for low, high in spans)


def test_an_interval_of_no_width_on_its_limit_is_drawn_on_the_line() -> None:
    root = row(Rule(probe="p", metric="m", max=0.0), estimate(0.0, 0.0, 0.0))

    assert [forest.WIDTH / 2] == [float(e.attrib["cx"]) for e in root.iter("circle")]


def test_nothing_measured_draws_no_mark() -> None:
    assert [] == list(row(Rule(probe="p", metric="m", max=0.1), None).iter("circle"))


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 8))
def test_ticks_are_few_and_inside(low: float, width: float, most: int) -> None:
    scale = (
        Scale(low=low, high=low + width, start=0, end=1)
        if low + width > low
        else Scale(low=0, high=1, start=0, end=1)
    )

    ticks = scale.ticks(most)

    reach = 1e-6 * (abs(scale.low) + abs(scale.high) + 1)
    assert len(ticks) <= most + 1 and all(scale.low - reach <= at <= scale.high + reach for at in ticks)


def test_a_series_with_one_point_has_an_axis() -> None:
    series = replace(Series(kind="curve", title="t", x="x", y="y", points=(Point(x=3, y=0),)))

    assert [] != [e for e in drawn(series).iter("text") if e.attrib["class"] == "tick"]


def test_names_in_capitals_lie_inside_the_frame() -> None:
    points = tuple(Point(x=i, y=0.5, label=name) for i, name in enumerate(("PPNN", "WWWW", "MNMN")))
    root = drawn(Series(kind="bars", title="t", x="order", y="share", points=points))

    labels = [one for one in root.iter() if one.get("class") == "label"]
    assert {"PPNN", "WWWW", "MNMN"} <= {one.text for one in labels}
    assert all(float(one.get("x", "0")) >= 9.0 * len(one.text or "") for one in labels)
