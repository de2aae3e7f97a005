"""Budgets: how many examples, how many variants. Never thresholds.

`quick` of everything takes at most 10 minutes and `standard` at most 45 on two cores with a language model
of 135 million parameters (about 560 tokens a second); a small encoder needs a quarter of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.schema import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One budget."""

    limit: int | None
    """Test examples drawn where the config does not say; None for all."""
    probes: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """Probe → parameters that replace the probe's defaults; the config's own win over them."""


def _contexts(
    *, sets: int, orders: int, items: int, **more: Mapping[str, Json]
) -> dict[str, Mapping[str, Json]]:
    """Return one budget for the probes that ask under the same contexts, so that they share their answers."""
    shared: Mapping[str, Json] = {"sets": sets, "orders": orders, "items": items}
    names = ("position", "sensitivity", "mitigation")
    return {f"context.{name}": {**shared, **more.get(name, {})} for name in names}


PROFILES: Mapping[str, Profile] = {
    "quick": Profile(
        limit=600,
        probes={
            "robustness.noise": {"items": 200, "severities": []},
            **_contexts(
                sets=5,
                orders=4,
                items=30,
                position={"own_orders": 12},
                mitigation={"own_items": 100, "own_fit_items": 50, "fit_items": 10, "domain_strings": 10},
            ),
            "context.majority_label": {"orders": 4, "items": 20},
            "context.common_token": {"items": 60},
            "context.evidence_position": {"trials": 20},
            "context.options": {"items": 30},
        },
    ),
    "standard": Profile(
        limit=1500,
        probes={
            "robustness.noise": {"items": 500},
            **_contexts(sets=5, orders=8, items=60),
            "context.evidence_position": {"trials": 150},
        },
    ),
    "thorough": Profile(
        limit=None,
        probes={
            "robustness.noise": {"items": 2000, "repeats": 3},
            **_contexts(sets=10, orders=12, items=100),
            "context.majority_label": {"sets": 10, "items": 100},
            "context.common_token": {"items": 400},
            "context.evidence_position": {"trials": 400},
            "context.options": {"items": 200},
        },
    ),
}
