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


PROFILES: Mapping[str, Profile] = {
    "quick": Profile(limit=600, probes={"robustness.noise": {"items": 200, "severities": []}}),
    "standard": Profile(limit=1500, probes={"robustness.noise": {"items": 500}}),
    "thorough": Profile(limit=None, probes={"robustness.noise": {"items": 2000, "repeats": 3}}),
}
