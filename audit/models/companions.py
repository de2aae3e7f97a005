"""The models that `helpers` names: what probes ask about the audited model's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from audit.errors import AuditError, ConfigError
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.spec import HelperSpec, ModelSpec
from audit.schema import Classifier, Encoder, MaskedLM, Neighbours

CLASSIFIERS = ("toxicity", "nli")
"""Helpers with a classification head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Helpers:
    """What `helpers` came to."""

    classifiers: Mapping[str, Classifier] = field(default_factory=dict)
    encoder: Encoder | None = None
    masked_lm: MaskedLM | None = None
    neighbours: Neighbours | None = None


def open_helpers(specs: Mapping[str, HelperSpec], *, base: Path, cache: Cache, ledger: Ledger) -> Helpers:
    """Open what the config names under `helpers`; weights are loaded when a probe asks.

    Raises:
        ConfigError: a key that this helper does not have.
        ModelError: a helper cannot be found, or does not fit.
    """
    from audit.models.encoder import open_encoder
    from audit.models.masked import open_masked_lm
    from audit.models.neighbours import open_neighbours

    found: dict[str, Classifier] = {}
    opened = Helpers(classifiers=found)
    for name, helper in specs.items():
        said = {"source": helper.source, "revision": helper.revision, "device": helper.device}
        spec = ModelSpec.model_validate({"kind": "fine-tuned", **said})
        try:
            if name in CLASSIFIERS:
                found[name] = _classifier(spec, base=base, cache=cache, ledger=ledger)
            elif name == "encoder":
                encoder = open_encoder(spec, base=base, cache=cache, ledger=ledger)
                opened = replace(opened, encoder=encoder)
            elif name == "masked_lm":
                opened = replace(opened, masked_lm=open_masked_lm(helper, base=base))
            elif helper.revision is not None or helper.device != "auto":
                raise ConfigError("is a file of words; it has no revision and no device, take them out")
            else:
                opened = replace(opened, neighbours=open_neighbours(helper.source, base=base))
        except AuditError as error:
            line = str(error).removeprefix("model.source: ")
            raise type(error)(f"helpers.{name}: {line}") from error
    return opened


def _classifier(spec: ModelSpec, *, base: Path, cache: Cache, ledger: Ledger) -> Classifier:
    """Return a classifier over the labels that its own config names."""
    from audit.models.classifier import open_classifier
    from audit.models.parts import find_classifier

    names = find_classifier(spec, labels=("no", "yes"), base=base, cache=cache).names
    opened = open_classifier(spec, labels=names, base=base, cache=cache, ledger=ledger).classifier
    assert opened is not None
    return opened
