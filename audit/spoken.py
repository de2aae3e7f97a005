"""An estimate as it stands in notes and in the evidence of the checklist."""

from __future__ import annotations

import math

from audit.schema import Estimate


def spoken(estimate: Estimate) -> str:
    """Return `0.836 (0.801 to 0.866, n = 500)`; three digits of what lies wholly below 0.01.

    A minus is U+2212.

    >>> spoken(Estimate(value=0.00049, low=0.00047, high=0.00051, n=30, method="mean"))
    '0.000490 (0.000470 to 0.000510, n = 30)'
    """
    top = max(abs(estimate.low), abs(estimate.high))
    places = 3 if top >= 0.01 or top == 0 else 2 - math.floor(math.log10(top))
    value, low, high = (f"{one:.{places}f}" for one in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high}, n = {estimate.n:,})".replace("-", "\u2212")
