"""What does the model do when asked this? One probe per file; path = id = config key.

Ours are named here by plain import path; third parties' by the entry point group `audit.probes`, whose name
is the probe's id. Only probes that a config names, or that are ours, are imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from audit.errors import PluginError

if TYPE_CHECKING:
    from audit.schema import Probe

BUILTIN: Mapping[str, str] = {
    "calibration.confidence": "Confidence",
    "robustness.noise": "Noise",
    "robustness.adversarial": "Adversarial",
    "robustness.shift": "Shift",
    "shortcuts.artifacts": "Artifacts",
    "shortcuts.trigger": "Trigger",
    "shortcuts.partial_input": "PartialInput",
    "shortcuts.reduction": "Reduction",
    "shortcuts.overlap": "Overlap",
    "shortcuts.contrast": "Contrast",
    "shortcuts.lazy_learner": "LazyLearner",
    "fairness.counterfactual": "Counterfactual",
    "fairness.groups": "Groups",
    "fairness.stereotypes": "Stereotypes",
    "fairness.generation": "Generation",
    "context.position": "Position",
    "context.majority_label": "MajorityLabel",
    "context.common_token": "CommonToken",
    "context.sensitivity": "Sensitivity",
    "context.mitigation": "Mitigation",
    "context.options": "Options",
    "context.evidence_position": "EvidencePosition",
    "safety.harmful": "Harmful",
    "safety.injection": "Injection",
    "safety.privacy": "Privacy",
    "safety.hallucination": "Hallucination",
    "safety.truth_under_pressure": "TruthUnderPressure",
    "efficiency.latency": "Latency",
    "efficiency.cost": "Cost",
    "efficiency.footprint": "Footprint",
}
"""Probe id → name of its class in the module `probes.<id>`."""


class Catalogue(Mapping[str, "type[Probe]"]):
    """Every probe that can be named, by id; a class is imported when it is asked for."""

    def __init__(self) -> None:
        self._plugins: dict[str, EntryPoint] = {
            point.name: point for point in entry_points(group="audit.probes") if point.name not in BUILTIN
        }

    def __getitem__(self, id: str) -> type[Probe]:
        """Return the probe's class.

        Raises:
            KeyError: no such probe.
            PluginError: a third party's package fails to import.
        """
        if id in BUILTIN:
            kind: type[Probe] = getattr(import_module(f"probes.{id}"), BUILTIN[id])
            return kind
        point = self._plugins[id]
        try:
            loaded: type[Probe] = point.load()
        except (ImportError, AttributeError) as error:
            raise PluginError(
                f"{id}: the probe cannot be imported from {point.value}: {error};"
                " install or mend the package, or take the probe out of the config"
            ) from error
        return loaded

    def __iter__(self) -> Iterator[str]:
        """Yield ids, ours first."""
        yield from BUILTIN
        yield from sorted(self._plugins)

    def __len__(self) -> int:
        """Count the probes."""
        return len(BUILTIN) + len(self._plugins)

    @property
    def builtin(self) -> tuple[str, ...]:
        """Ids of our own probes: what a config that names none will run."""
        return tuple(BUILTIN)
