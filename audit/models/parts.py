"""Where a causal language model lies and what its files say, before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from audit.errors import ModelError, shown
from audit.models.cache import Cache
from audit.models.files import (
    CONFIG,
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

CAUSAL = re.compile(r"(CausalLM|LMHeadModel|ForConditionalGeneration|LMHead)$")
"""Names of classes that can write text; BERT's `ForMaskedLM` and heads for classification cannot."""

LIBRARIES = ("torch", "transformers", "tokenizers", "gguf")


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalParts:
    """What was found."""

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
    tokenizer = matching(folder, TOKENIZER)
    if not tokenizer:
        raise ModelError(
            f"the model folder has no tokenizer: {shown(spec.source)}: no tokenizer.json or vocabulary in "
            "it; save the tokenizer beside the model with save_pretrained"
        )
    settings = folder / "tokenizer_config.json"
    said = read_json(settings).get("add_bos_token") if settings.is_file() else None
    return CausalParts(
        name=spec.source,
        folder=folder,
        gguf=None,
        weights=hash_files(weight_files(folder, allow_pickle=spec.allow_pickle), cache),
        tokens=hash_files(tokenizer, cache),
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
    said = cache.recall("gguf", found)
    if not isinstance(said, dict):
        said = asdict(read_metadata(place))
        cache.remember("gguf", found, said)
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


def causal_key(parts: CausalParts, spec: ModelSpec) -> bytes:
    """Hash all that an answer depends on but what is asked: files, number format, device, libraries."""
    return hashlib.sha256(
        json.dumps(
            {
                "weights": parts.weights,
                "tokenizer": parts.tokens,
                "configs": parts.configs,
                "dtype": spec.dtype,
                "device": spec.device,
                "max_length": spec.max_length,
                "versions": versions(LIBRARIES),
            },
            sort_keys=True,
        ).encode()
    ).digest()
