"""The models that `helpers` names: what probes ask about the audited model's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audit.errors import AuditError, ModelError, shown
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.spec import HelperSpec, ModelSpec
from audit.schema import Classifier, Encoder

CLASSIFIERS = ("toxicity", "nli")
"""Helpers with a classification head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Helpers:
    """What `helpers` came to."""

    classifiers: Mapping[str, Classifier] = field(default_factory=dict)
    encoder: Encoder | None = None


def open_helpers(specs: Mapping[str, HelperSpec], *, base: Path, cache: Cache, ledger: Ledger) -> Helpers:
    """Open what the config names under `helpers`; weights are loaded when a probe asks.

    Raises:
        ModelError: a helper cannot be found, does not fit, or nothing asks for it yet.
    """
    from audit.models.encoder import open_encoder

    found: dict[str, Classifier] = {}
    encoder: Encoder | None = None
    for name, helper in specs.items():
        said = {"source": helper.source, "revision": helper.revision, "device": helper.device}
        spec = ModelSpec.model_validate({"kind": "fine-tuned", **said})
        try:
            if name in CLASSIFIERS:
                found[name] = _classifier(spec, base=base, cache=cache, ledger=ledger)
            elif name == "encoder":
                encoder = open_encoder(spec, base=base, cache=cache, ledger=ledger)
            else:
                raise ModelError(f"{shown(helper.source)}: no probe asks for it yet; take it out")
        except AuditError as error:
            line = str(error).removeprefix("model.source: ")
            raise type(error)(f"helpers.{name}: {line}") from error
    return Helpers(classifiers=found, encoder=encoder)


def _classifier(spec: ModelSpec, *, base: Path, cache: Cache, ledger: Ledger) -> Classifier:
    """Return a classifier over the labels that its own config names."""
    from audit.models.classifier import open_classifier
    from audit.models.parts import find_classifier

    names = find_classifier(spec, labels=("no", "yes"), base=base, cache=cache).names
    opened = open_classifier(spec, labels=names, base=base, cache=cache, ledger=ledger).classifier
    assert opened is not None
    return opened
