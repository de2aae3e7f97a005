"""Where a model lies and what its files say, before anything is loaded: a classifier, or a causal one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from audit.errors import ModelError, shown
from audit.models.cache import Cache
from audit.models.files import (
    CONFIG,
    LIBRARIES,
    TOKENIZER,
    hash_files,
    matching,
    model_folder,
    read_json,
    versions,
    weight_files,
)
from audit.models.gguf import Metadata, read_metadata, require_gguf
from audit.models.spec import ModelSpec
from audit.places import locate
from audit.schema import Json

CAUSAL = re.compile(r"(CausalLM|LMHeadModel|ForConditionalGeneration|LMHead)$")
"""Names of classes that can write text; BERT's `ForMaskedLM` and heads for classification cannot."""

CAUSAL_LIBRARIES = ("torch", "transformers", "tokenizers", "gguf")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierParts:
    """Where a classifier lies and what its files say, before anything is loaded."""

    name: str
    """As the config names it."""
    folder: Path
    """Config and weights; of the base model where there is an adapter."""
    adapter: Path | None
    tokenizer: Path
    """The folder whose tokenizer is used."""
    names: tuple[str, ...]
    """The model's own names of its columns."""
    weights: str
    """Hash of the weights, base and adapter."""
    tokens: str
    """Hash of the tokenizer."""
    configs: str
    """Hash of the configs, and of the code where it comes with the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalParts:
    """Where a causal language model lies and what its files say, before anything is loaded."""

    name: str
    """As the config names it."""
    folder: Path
    gguf: Path | None
    """The .gguf file in `folder`, None where the model is the folder."""
    weights: str
    """Hash of the weights."""
    tokens: str
    """Hash of the tokenizer."""
    configs: str
    """Hash of the configs."""
    add_bos: bool | None
    """What tokenizer_config.json says of a beginning token; None where it is silent."""
    header: Metadata | None = None
    """What the .gguf file says of its special tokens."""


def find_classifier(spec: ModelSpec, *, labels: tuple[str, ...], base: Path, cache: Cache) -> ClassifierParts:
    """Look through the model's folder; reads JSON and hashes files, loads nothing.

    Raises:
        ModelError: something is missing, or the head is none for this task.
    """
    found = model_folder(spec, base)
    adapter = found if (found / "adapter_config.json").is_file() else None
    folder = found if adapter is None else _base_of(adapter, spec, base)
    config = read_json(folder / "config.json")
    names = _names(config)
    if adapter is not None and len(names) != len(labels):
        # The head is the adapter's, so the base model's own number of labels says nothing.
        names = tuple(f"LABEL_{i}" for i in range(len(labels)))
    _check_head(config, names, name=spec.source)
    weights = weight_files(folder, allow_pickle=spec.allow_pickle)
    hashes = [hash_files(weights, cache)]
    if adapter is not None:
        hashes.append(hash_files(weight_files(adapter, allow_pickle=spec.allow_pickle), cache))
    tokenizer = adapter if adapter is not None and matching(adapter, TOKENIZER) else folder
    places = [folder] if adapter is None else [folder, adapter]
    return ClassifierParts(
        name=spec.source,
        folder=folder,
        adapter=adapter,
        tokenizer=tokenizer,
        names=names,
        weights=hashes[0] if adapter is None else _joined(hashes),
        tokens=_hash_tokenizer(tokenizer, spec, cache),
        configs=_joined([hash_files(matching(place, CONFIG), cache) for place in places]),
    )


def _base_of(adapter: Path, spec: ModelSpec, base: Path) -> Path:
    """Find the model that an adapter stands on: beside it, beside model.yaml, or on the hub."""
    settings = read_json(adapter / "adapter_config.json")
    named = settings.get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise ModelError(
            f"the adapter does not say what it stands on: {shown(spec.source)}: base_model_name_or_path is "
            f"{shown(named)}; write the base model's folder or hub name into adapter_config.json"
        )
    revision = settings.get("revision")
    beside = spec.model_copy(
        update={"source": named, "revision": revision if isinstance(revision, str) else None}
    )
    return model_folder(beside, adapter if (adapter / named).is_dir() else base)


def _names(config: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the names of the columns; transformers' own default is two that say nothing."""
    given = config.get("id2label")
    if not isinstance(given, dict) or not given:
        return ("LABEL_0", "LABEL_1")
    by_column = {int(column): str(own) for column, own in given.items() if column.isdecimal()}
    return tuple(by_column[column] for column in sorted(by_column))


def _check_head(config: Mapping[str, Json], names: tuple[str, ...], *, name: str) -> None:
    kind = config.get("problem_type")
    if kind == "regression" or len(names) == 1:
        raise ModelError(
            f"{name}: the model's head gives one number, not classes: problem_type is {shown(kind)} with "
            f"{len(names)} label(s); only classification can be audited"
        )
    if kind == "multi_label_classification":
        raise ModelError(
            f"{name}: the model gives each text several labels at once: problem_type is {shown(kind)}; "
            "only one label per text can be audited"
        )


def find_causal(spec: ModelSpec, *, base: Path, cache: Cache) -> CausalParts:
    """Look through the model's folder; reads JSON and hashes files, loads nothing.

    Raises:
        ModelError: something is missing, or the model is no causal one.
        ConfigError: a `demo:` part that is unknown or not here yet.
    """
    place = locate(spec.source, base, "model.source")
    if place is not None and place.is_file():
        return _find_gguf(place, spec, cache)
    if place is None and spec.source.endswith(".gguf"):
        raise ModelError(
            f"model.source: {shown(spec.source)} does not exist; "
            "paths are relative to the folder of model.yaml"
        )
    folder = model_folder(spec, base)
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"model.source: {shown(spec.source)} is an adapter alone; "
            "merge it into its base model (peft: merge_and_unload) and save that"
        )
    kinds = read_json(folder / "config.json").get("architectures")
    if isinstance(kinds, list) and kinds and not any(CAUSAL.search(str(kind)) for kind in kinds):
        raise ModelError(
            f"model.source: {shown(spec.source)} is no causal language model: its config names "
            f"{shown(kinds)}; set model.kind: fine-tuned, or name a model that writes text"
        )
    settings = folder / "tokenizer_config.json"
    said = read_json(settings).get("add_bos_token") if settings.is_file() else None
    return CausalParts(
        name=spec.source,
        folder=folder,
        gguf=None,
        weights=hash_files(weight_files(folder, allow_pickle=spec.allow_pickle), cache),
        tokens=_hash_tokenizer(folder, spec, cache),
        configs=hash_files(matching(folder, CONFIG), cache),
        add_bos=said if isinstance(said, bool) else None,
    )


def _find_gguf(place: Path, spec: ModelSpec, cache: Cache) -> CausalParts:
    if place.suffix != ".gguf":
        raise ModelError(
            f"model.source: {shown(spec.source)} is a file, and no .gguf; name that or a model's folder"
        )
    require_gguf(place)
    found = hash_files([place], cache)
    # Reading the header takes seconds, so what it says is remembered.
    said = cache.learned("gguf", found, lambda: asdict(read_metadata(place)))
    return CausalParts(
        name=spec.source,
        folder=place.parent,
        gguf=place,
        weights=found,
        tokens=found,
        configs=found,
        add_bos=None,
        header=Metadata(**said),  # type: ignore[arg-type]  # JSON of what asdict gave
    )


def _hash_tokenizer(folder: Path, spec: ModelSpec, cache: Cache) -> str:
    files = matching(folder, TOKENIZER)
    if not files:
        raise ModelError(
            f"the model folder has no tokenizer: {shown(spec.source)}: no tokenizer.json or vocabulary in "
            "it; save the tokenizer beside the model with save_pretrained"
        )
    return hash_files(files, cache)


# --- keys ---------------------------------------------------------------------------------


def classifier_key(parts: ClassifierParts, spec: ModelSpec, order: tuple[int, ...]) -> bytes:
    """Hash all that an answer depends on but the text; `order` is the column of each label."""
    more = {"asked": "logits of a sequence", "columns": list(order), "versions": versions(LIBRARIES)}
    return _key(parts, spec, more)


def causal_key(parts: CausalParts, spec: ModelSpec) -> bytes:
    """Hash all that an answer depends on but what is asked."""
    return _key(parts, spec, {"versions": versions(CAUSAL_LIBRARIES)})


def _key(parts: ClassifierParts | CausalParts, spec: ModelSpec, more: Mapping[str, object]) -> bytes:
    """Hash files, number format, device and what else is said.

    Another device or another version of a library may answer otherwise, and a cache that hides it would hide
    a finding.
    """
    said = {
        "weights": parts.weights,
        "tokenizer": parts.tokens,
        "configs": parts.configs,
        "dtype": spec.dtype,
        "device": spec.device,
        "max_length": spec.max_length,
        **more,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()


def _joined(hashes: list[str]) -> str:
    return hashlib.sha256("|".join(hashes).encode()).hexdigest()
