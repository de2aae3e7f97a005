"""What `declared` says that a probe or a rule can use: prices, and the objective for latency."""

from __future__ import annotations

import math
from collections.abc import Mapping

from audit.errors import ConfigError, shown
from audit.schema import Json, Rule

COST, LATENCY = "efficiency.cost", "efficiency.latency"

PRICES = {
    ("price_per_1k_tokens", "input"): "input_price",
    ("price_per_1k_tokens", "output"): "output_price",
    ("machine_price_per_hour",): "machine_per_hour",
    ("requests_per_month",): "requests_per_month",
    ("fixed_per_month",): "fixed_per_month",
}
"""Keys under `declared` → parameter of the probe that works out the cost."""


def parameters(declared: Mapping[str, Json], name: str) -> dict[str, dict[str, Json]]:
    """Return probe → parameters that `declared` gives; what the config says of the probe wins over them.

    Args:
        name: the file, for messages.

    Raises:
        ConfigError: a price that is no number of 0 or more, or one without a currency.
    """
    found: dict[str, Json] = {}
    for keys, parameter in PRICES.items():
        value = _at(declared, keys)
        if value is None:
            continue
        at = f"{name}: declared.{'.'.join(keys)}"
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ConfigError(f"{at}: {shown(value)} is no price; give a number of 0 or more")
        found[parameter] = float(value)
    currency = declared.get("currency")
    if any(isinstance(value, float) and value > 0 for value in found.values()) and currency is None:
        raise ConfigError(
            f"{name}: declared: a price has no unit; add `currency: EUR`, or the three letters of another"
        )
    if currency is not None:
        found["currency"] = currency
    return {COST: found} if found else {}


def objective(declared: Mapping[str, Json], name: str) -> tuple[Rule, ...]:
    """Return the rule that the declared objective for latency makes, none where there is none.

    Raises:
        ConfigError: an objective that is no number above 0.
    """
    value = _at(declared, ("slo", "p95_latency_ms"))
    if value is None:
        return ()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(
            f"{name}: declared.slo.p95_latency_ms: {shown(value)} is no time; give milliseconds above 0"
        )
    return (
        Rule(
            probe=LATENCY,
            metric="p95_latency",
            slice="one text",
            max=float(value),
            min_n=59,
            why="The objective under declared.slo; below 59 requests p95 has no upper bound.",
        ),
    )


def _at(declared: Mapping[str, Json], keys: tuple[str, ...]) -> Json:
    value: Json = dict(declared)
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
