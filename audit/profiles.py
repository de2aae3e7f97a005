"""Budgets: how many examples, how many variants. Never thresholds.

On two cores with a language model of 135 million parameters, `quick` of everything takes 6 minutes at 400
tokens a second and `standard` some 24, twice that on slow cores; a small encoder needs a third or half of it.
In context `quick` shows what is there and seldom has the examples to decide; `standard` is for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from audit.schema import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One budget."""

    limit: int | None
    """Test examples drawn where the config does not say; None for all."""
    probes: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """Probe → parameters that replace the probe's defaults; the config's own win over them."""
    in_context: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """The same for a model used in context, over those: it is asked more slowly by far."""

    def of(self, kind: Literal["fine-tuned", "in-context"]) -> Mapping[str, Mapping[str, Json]]:
        """Return the parameters for a model of this kind."""
        if kind == "fine-tuned":
            return self.probes
        names = dict.fromkeys([*self.probes, *self.in_context])
        return {name: {**self.probes.get(name, {}), **self.in_context.get(name, {})} for name in names}


def _contexts(
    *, sets: int, orders: int, items: int, **more: Mapping[str, Json]
) -> dict[str, Mapping[str, Json]]:
    """Return one budget for the probes that ask under the same contexts, so that they share their answers."""
    shared: Mapping[str, Json] = {"sets": sets, "orders": orders, "items": items}
    names = ("position", "sensitivity", "mitigation")
    return {f"context.{name}": {**shared, **more.get(name, {})} for name in names}


_SHORT_WRITING: Mapping[str, Json] = {"new_tokens": 8, "grid_read": [32, 128], "grid_written": [2, 16]}
"""Of efficiency.latency: a token written costs a language model as much as many read together."""

PROFILES: Mapping[str, Profile] = {
    "quick": Profile(
        limit=500,
        probes={
            "robustness.noise": {"items": 200, "severities": []},
            "robustness.adversarial": {"recipes": ["pruthi", "deepwordbug"], "items": 40},
            "robustness.shift": {"items": 100, "draws": 500},
            "fairness.counterfactual": {
                "axes": ["gender", "ethnicity", "religion"],
                "items": 24,
                "insertions": False,
            },
            "fairness.groups": {"least": 30, "draws": 500},
            "fairness.stereotypes": {"items": 60},
            "fairness.generation": {
                "axes": ["gender"],
                "openings": 40,
                "targets": [],
                "samples": 4,
                "new_tokens": 16,
            },
            "shortcuts.artifacts": {"words": 6, "items": 15},
            "shortcuts.trigger": {"items": 60, "artifacts": 2},
            "shortcuts.reduction": {"items": 40, "reduced_items": 8, "candidates": 2},
            "shortcuts.overlap": {"each": 3, "items": 100},
            "shortcuts.contrast": {"sets": 50},
            "shortcuts.lazy_learner": {
                "triggers": {"rare": "cf", "sentence": "This is a sentence."},
                "items": 12,
                "own_items": 30,
            },
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
            "efficiency.latency": {"requests": 100},
            "efficiency.cost": {"requests": 30},
            "safety.harmful": {"prompts": 20, "samples": 4, "requests": 30},
            "safety.injection": {"items": 10},
            "safety.privacy": {
                "items": 80,
                "samples": 2,
                "new_tokens": 16,
                "extracts": 50,
                "members": 200,
                "candidates": 63,
                "draws": 300,
            },
            "safety.hallucination": {
                "questions": 60,
                "multiple": 15,
                "written": 20,
                "checked": 10,
                "samples": 4,
                "max_new_tokens": 16,
            },
            "safety.truth_under_pressure": {"opinions": 15, "facts": 15, "items": 30, "task_items": 20},
        },
        in_context={
            "robustness.noise": {"items": 100, "kinds": ["typos", "mix"]},
            "robustness.adversarial": {"recipes": ["deepwordbug"], "items": 10},
            "robustness.shift": {"items": 50},
            "shortcuts.artifacts": {"words": 4},
            "shortcuts.trigger": {"items": 20, "artifacts": 1},
            "shortcuts.reduction": {"items": 20, "reduced_items": 4},
            "shortcuts.lazy_learner": {"triggers": {"rare": "cf"}},
            **_contexts(
                sets=5,
                orders=2,
                items=30,
                position={"own_orders": 4},
                sensitivity={"shuffles": 1},
                mitigation={"own_items": 60, "own_fit_items": 30, "fit_items": 10, "domain_strings": 5},
            ),
            "context.majority_label": {"orders": 2, "items": 8},
            "context.common_token": {"items": 40},
            "context.evidence_position": {"trials": 12},
            "efficiency.latency": {
                "requests": 59,
                "warmup": 4,
                "writes": 10,
                "batches": 2,
                **_SHORT_WRITING,
            },
            "efficiency.cost": {"requests": 15},
            "safety.injection": {"items": 36},
            "safety.hallucination": {"written": 30, "checked": 6},
        },
    ),
    "standard": Profile(
        limit=1500,
        probes={
            "robustness.noise": {"items": 500},
            "robustness.adversarial": {"items": 150},
            "robustness.shift": {"items": 300},
            "shortcuts.reduction": {"items": 100, "reduced_items": 20},
            "fairness.counterfactual": {"items": 80, "insertions": False},
            "fairness.generation": {"axes": ["gender"], "openings": 60, "targets": [], "new_tokens": 20},
            **_contexts(sets=5, orders=8, items=60),
            "context.evidence_position": {"trials": 150},
            "safety.privacy": {"items": 80},
        },
        in_context={
            "robustness.noise": {"items": 110},
            "robustness.adversarial": {"recipes": ["pruthi", "deepwordbug"], "items": 40},
            "robustness.shift": {"items": 150},
            "fairness.counterfactual": {"items": 60},
            "shortcuts.reduction": {"items": 50, "reduced_items": 10},
            "shortcuts.trigger": {"items": 52, "artifacts": 3},
            "shortcuts.lazy_learner": {"items": 12, "own_items": 36},
            **_contexts(
                sets=5,
                orders=6,
                items=30,
                mitigation={"own_items": 100, "own_fit_items": 50, "fit_items": 15},
            ),
            "context.majority_label": {"orders": 4, "items": 18},
            "context.evidence_position": {"trials": 60},
            "efficiency.latency": {"requests": 60, "writes": 30, "batches": 3, **_SHORT_WRITING},
            "efficiency.cost": {"requests": 50},
            "safety.injection": {"items": 36},
        },
    ),
    "thorough": Profile(
        limit=None,
        probes={
            "robustness.noise": {"items": 2000, "repeats": 3},
            "robustness.shift": {"items": 1000},
            "shortcuts.artifacts": {"words": 20, "items": 100},
            "shortcuts.trigger": {"items": 500, "artifacts": 12},
            "shortcuts.overlap": {"each": 12, "items": 2000},
            "shortcuts.contrast": {"sets": 1000},
            "shortcuts.lazy_learner": {"sets": 10, "items": 80, "own_items": 200},
            "fairness.stereotypes": {"items": 1000},
            "fairness.generation": {"words": 20, "frames": 4, "samples": 5},
            "safety.harmful": {"samples": 25},
            "safety.injection": {"items": 150},
            "safety.privacy": {"items": 300},
            **_contexts(sets=10, orders=12, items=100),
            "context.majority_label": {"sets": 10, "items": 100},
            "context.common_token": {"items": 400},
            "context.evidence_position": {"trials": 400},
            "context.options": {"items": 200},
            "safety.hallucination": {
                "questions": 800,
                "multiple": 400,
                "written": 89,
                "checked": 89,
                "samples": 10,
            },
            "safety.truth_under_pressure": {"facts": 89, "items": 1200, "task_items": 500},
        },
    ),
}
