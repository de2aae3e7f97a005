"""Numbers as a reader sees them: short, never misleading, percent only here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.schema import Estimate
from reports import digits


def estimate(value: float, low: float, high: float, level: float = 0.95) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=10, level=level, method="m")


@pytest.mark.parametrize(
    ("expected", "numbers", "unit"),
    [
        ("88.9 % (87.4 to 90.2)", (0.8891234, 0.874, 0.9019), "share"),
        ("3.1 points (1.2 to 5.0)", (0.031, 0.012, 0.0504), "points of share"),
        ("−1.2 points (−3.0 to 0.6)", (-0.0121, -0.0301, 0.0059), "points of share"),
        ("0.346 nats (0.301 to 0.391)", (0.34567, 0.3012, 0.3911), "nats"),
        ("1.41 (1.21 to 1.66)", (1.4142135, 1.21, 1.66), "temperature"),
        ("1,234 seconds (1,100 to 1,400)", (1234.2, 1100.0, 1400.0), "seconds"),
        ("0.0 % (0.0 to 3.6)", (0.0, 0.0, 0.0362), "share"),
        ("100.0 % (99.2 to 100.0)", (1.0, 0.9924, 1.0), "share"),
        ("0.0 points (0.0 to 0.0)", (-0.0, -1e-17, 1e-17), "points of share"),
    ],
)
def test_an_estimate_reads_like_a_sentence(
    expected: str, numbers: tuple[float, float, float], unit: str
) -> None:
    assert expected == digits.interval(estimate(*numbers), unit).replace(digits.NB, " ")


def test_a_rare_event_does_not_look_like_none() -> None:
    assert "0.04 % (0.00 to 0.12)" == digits.interval(estimate(0.0004, 0.0, 0.0012), "share").replace(
        digits.NB, " "
    )


def test_almost_all_does_not_look_like_all() -> None:
    assert "99.97 % (99.90 to 99.99)" == digits.interval(estimate(0.9997, 0.999, 0.9999), "share").replace(
        digits.NB, " "
    )


def test_a_bound_beyond_the_limit_does_not_look_as_if_it_were_on_it() -> None:
    text = digits.interval(estimate(0.09, 0.08, 0.1004), "share", limit=0.1)

    assert "9.00 % (8.00 to 10.04)" == text.replace(digits.NB, " ")


def test_a_bound_on_the_limit_needs_no_more_digits() -> None:
    assert "9.0 % (8.0 to 10.0)" == digits.interval(estimate(0.09, 0.08, 0.1), "share", limit=0.1).replace(
        digits.NB, " "
    )


def test_another_level_is_named() -> None:
    text = digits.interval(estimate(0.5, 0.4, 0.6, level=0.9), "share")

    assert "50.0 % (40.0 to 60.0, 90 % interval)" == text.replace(digits.NB, " ")


def test_a_signed_quantity_shows_its_plus() -> None:
    assert digits.interval(estimate(0.02, 0.01, 0.03), "points of share", signed=True).startswith("+2.0")


@pytest.mark.parametrize(
    ("expected", "x", "unit"),
    [
        ("10 %", 0.1, "share"),
        ("2.5 %", 0.025, "share"),
        ("0.001 %", 0.00001, "share"),
        ("1 point", 0.01, "points of share"),
        ("5 points", 0.05, "points of share"),
        ("300 ms", 300.0, "ms"),
        ("1.5", 1.5, "temperature"),
        ("0 %", 0.0, "share"),
    ],
)
def test_a_limit_has_the_digits_it_was_given(expected: str, x: float, unit: str) -> None:
    assert expected == digits.amount(x, unit).replace(digits.NB, " ")


@pytest.mark.parametrize(
    ("expected", "p"), [("< 0.001", 0.0005), ("0.034", 0.0341), ("0.41", 0.412), ("", None), ("1.00", 1.0)]
)
def test_p_values_stop_at_a_thousandth(expected: str, p: float | None) -> None:
    assert expected == digits.p_value(p).replace(digits.NB, " ")


@pytest.mark.parametrize(
    ("expected", "seconds"),
    [("0.4 s", 0.42), ("38 s", 38.2), ("1 min 0 s", 59.7), ("3 min 12 s", 192.0), ("1 h 4 min", 3840.0)],
)
def test_durations_are_for_people(expected: str, seconds: float) -> None:
    assert expected == digits.duration(seconds).replace(digits.NB, " ")


def test_a_date_is_written_out() -> None:
    assert "1 August 2026, 14:03 UTC" == digits.date("2026-08-01T14:03:22+00:00")


def test_what_is_no_date_is_left_as_it_is() -> None:
    assert "yesterday" == digits.date("yesterday")


def test_counts_have_separators() -> None:
    assert "1,204,000" == digits.count(1_204_000)


@given(
    st.lists(st.floats(-1e12, 1e12), min_size=3, max_size=3),
    st.sampled_from(["share", "points of share", "nats", "seconds", ""]),
    st.one_of(st.none(), st.floats(-1e6, 1e6)),
)
def test_any_estimate_can_be_written(numbers: list[float], unit: str, limit: float | None) -> None:
    low, value, high = sorted(numbers)

    text = digits.interval(estimate(value, low, high), unit, limit=limit)

    assert "e" not in text.split("(")[0].replace("seconds", "").replace("nats", "") and "-" not in text
