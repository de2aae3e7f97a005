"""model.yaml → Config: everything a run needs to know, checked before anything is loaded.

Not built yet, and refused rather than ignored: `model.endpoint`, `baseline`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter, ValidationError

from audit import declared, document
from audit.complaint import complain, path, unknown
from audit.errors import ConfigError, shown
from audit.model_check import check_model
from audit.models.spec import HelperSpec, ModelSpec
from audit.policy import load_rules as load_rules
from audit.policy import waivers
from audit.profiles import PROFILES
from audit.schema import Json, Probe, Rule, Waiver
from audit.spec import DataSpec, FileSpec, TaskSpec

NOT_BUILT = {
    "endpoint": "name a local folder, a hub name or a .gguf file as model.source",
    "baseline": "remove it",
}
"""Key that the design names and nothing reads yet → what to do instead."""
PROBE = "a probe (`audit probes` lists them)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One model.yaml, read and checked."""

    name: str
    """Of the run: the `name` key, or the file's name without its ending."""
    path: Path
    """As it was given."""
    base: Path
    """The folder that relative paths in the file start from."""
    text: str
    """The file, as read."""
    model: ModelSpec
    """With the verbalizers in the order of the labels."""
    helpers: Mapping[str, HelperSpec]
    task: TaskSpec
    data: DataSpec
    limit: int | None
    """Examples of the test set and of each shift, at most: the file's, else the profile's; None for all."""
    profile: str
    probes: tuple[Probe, ...]
    """In the order of the catalogue; parameters are the file's, else the profile's, else the probe's own."""
    policy: str
    rules: tuple[Rule, ...]
    waivers: tuple[Waiver, ...]
    declared: Mapping[str, Json]


def load(
    place: Path, catalogue: Mapping[str, type[Probe]], *, default: Sequence[str] | None = None
) -> Config:
    """Read and check a model.yaml.

    Args:
        place: the file.
        catalogue: probe id → frozen dataclass whose fields are the probe's parameters.
        default: ids of the probes that run where the file names none; None for the whole catalogue.

    Raises:
        ConfigError: whatever is wrong with it, with the file and the path of the key.
    """
    name = str(place)
    text = document.read(place)
    spec = _shaped(document.parse(text, name), name)
    model = check_model(spec, name)
    if spec.profile not in PROFILES:
        raise unknown(name, f"profile: {shown(spec.profile)}", spec.profile, list(PROFILES), "a profile")
    budget = PROFILES[spec.profile]
    policy, rules = load_rules(spec.rules, place.parent, catalogue, name=name)
    written = spec.data.limit
    said = declared.parameters(spec.declared, name)
    asked = dict.fromkeys(catalogue if default is None else default) if spec.probes is None else spec.probes
    return Config(
        name=spec.name or place.stem,
        path=place,
        base=place.parent,
        text=text,
        model=model,
        helpers={key: one for key, one in spec.helpers if one is not None},
        task=spec.task,
        data=spec.data,
        limit=budget.limit if written is None else None if written == "all" else written,
        profile=spec.profile,
        probes=_probes(asked, name, catalogue, budget.of(model.kind), said),
        policy=policy,
        rules=(*rules, *(declared.objective(spec.declared, name) if declared.LATENCY in asked else ())),
        waivers=waivers(spec.waivers, rules, name),
        declared=spec.declared,
    )


def _shaped(content: Json, name: str) -> FileSpec:
    if not isinstance(content, dict):
        raise ConfigError(f"{name}: must be a mapping (`key: value` lines), got {shown(content)}")
    model = content.get("model")
    for owner, at, key in ((model, "model.", "endpoint"), (content, "", "baseline")):
        if isinstance(owner, dict) and owner.get(key) is not None:
            raise ConfigError(
                f"{name}: {at}{key} is not built yet, got {shown(owner[key])}; {NOT_BUILT[key]}"
            )
    try:
        # read as JSON, because pydantic's strict JSON mode takes lists for tuples but never 1 for true
        return FileSpec.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise complain(error, name, FileSpec) from None


def _probes(
    asked: Mapping[str, Mapping[str, Json] | None],
    name: str,
    catalogue: Mapping[str, type[Probe]],
    budget: Mapping[str, Mapping[str, Json]],
    said: Mapping[str, Mapping[str, Json]],
) -> tuple[Probe, ...]:
    known = list(catalogue)
    if known and not asked:
        raise ConfigError(f"{name}: probes names none; name one, or leave the key out for all of them")
    for word in asked:
        if word not in known:
            raise unknown(name, path("probes", word), word, known, PROBE)
    # a class is looked up only where it was asked for: a catalogue may import it then
    return tuple(
        _probe(catalogue[word], {**budget.get(word, {}), **said.get(word, {}), **(asked[word] or {})}, name)
        for word in known
        if word in asked
    )


def _probe(kind: type[Probe], parameters: Mapping[str, Json], name: str) -> Probe:
    at = f"probes.{kind.id}"
    known = [one.name for one in fields(cast("type", kind)) if one.init]
    for word in parameters:
        if word not in known:
            raise unknown(name, path(at, word), word, known, f"a parameter of {kind.id}")
    try:
        return TypeAdapter(kind).validate_json(json.dumps(parameters), strict=True)
    except ValidationError as error:
        raise complain(error, name, kind, at) from None
