"""Small numbers keep their digits, and others are not longer than they were."""

from __future__ import annotations

import pytest

from audit.schema import Estimate
from audit.spoken import spoken


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (0.836, 0.801, 0.866, "0.836 (0.801 to 0.866, n = 1,500)"),
        (0.0, 0.0, 0.0, "0.000 (0.000 to 0.000, n = 1,500)"),
        (0.0, 0.0, 0.009, "0.00000 (0.00000 to 0.00900, n = 1,500)"),
        (-0.0005, -0.00061, 0.0001, "\u22120.000500 (\u22120.000610 to 0.000100, n = 1,500)"),
        (414.967, 390.8, 433.98, "414.967 (390.800 to 433.980, n = 1,500)"),
    ],
)
def test_three_digits_where_three_decimals_would_hide_them(
    value: float, low: float, high: float, said: str
) -> None:
    assert said == spoken(Estimate(value=value, low=low, high=high, n=1_500, method="mean"))
