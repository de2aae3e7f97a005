"""A fine-tuned classifier: any model of transformers with a classification head, whole or as an adapter.

Here is what its files say, without torch: a run that the cache answers needs no more.
`loading` does the rest.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
from audit.models.label import columns
from audit.models.scoring import Ledger, Scorer
from audit.models.spec import ModelSpec
from audit.schema import Facts, Json, Subject

if TYPE_CHECKING:
    from audit.models.fine_tuned import FineTuned


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
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


def open_classifier(
    spec: ModelSpec, *, labels: tuple[str, ...], base: Path, cache: Cache, ledger: Ledger
) -> Subject:
    """Return the classifier that `spec` names; loaded now only if its facts are not remembered.

    Raises:
        ModelError: no such model, no weights, no tokenizer, a head that does not fit the task, or labels
            that cannot be told apart.
    """
    parts = find_parts(spec, labels=labels, base=base, cache=cache)
    order = columns(parts.names, labels, spec.label_map, name=parts.name)
    key = _key(parts, spec, order)

    @functools.cache
    def opened() -> FineTuned:
        from audit.models.loading import load

        return load(parts, spec, order)

    known = cache.recall("classifier", key.hex())
    if not isinstance(known, dict):
        known = opened().facts()
        cache.remember("classifier", key.hex(), known)
    facts = facts_of(spec, weights=parts.weights, tokens=parts.tokens, known=known)
    scorer = Scorer(name=parts.name, labels=labels, key=key, open_engine=opened, cache=cache, ledger=ledger)
    return Subject(classifier=scorer, facts=facts)


def find_parts(spec: ModelSpec, *, labels: tuple[str, ...], base: Path, cache: Cache) -> Parts:
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
    tokenizer = adapter if adapter is not None and _tokenizer_files(adapter) else folder
    if not _tokenizer_files(tokenizer):
        raise ModelError(
            f"the model folder has no tokenizer: {shown(spec.source)}: no tokenizer.json or vocabulary "
            "in it; save the tokenizer beside the model with save_pretrained"
        )
    places = [folder] if adapter is None else [folder, adapter]
    return Parts(
        name=spec.source,
        folder=folder,
        adapter=adapter,
        tokenizer=tokenizer,
        names=names,
        weights=hashes[0] if adapter is None else _hash(hashes),
        tokens=hash_files(_tokenizer_files(tokenizer), cache),
        configs=_hash([hash_files(matching(place, CONFIG), cache) for place in places]),
    )


def facts_of(spec: ModelSpec, *, weights: str, tokens: str, known: Mapping[str, Json]) -> Facts:
    """Return the facts of a fine-tuned model; `known` is what only the loaded model could tell.

    `known` went through JSON or might have: what a cached run shows is what the first one showed.
    """
    parameters, max_length, notes = known["parameters"], known["max_length"], known["notes"]
    return Facts(
        kind="fine-tuned",
        source=spec.source,
        revision=spec.revision,
        weights=weights,
        tokenizer=tokens,
        dtype=str(known["dtype"]),
        device=str(known["device"]),
        parameters=parameters if isinstance(parameters, int) else None,
        max_length=max_length if isinstance(max_length, int) else None,
        notes=tuple(str(note) for note in notes) if isinstance(notes, list) else (),
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


def _tokenizer_files(folder: Path) -> list[Path]:
    return matching(folder, TOKENIZER)


def _key(parts: Parts, spec: ModelSpec, order: tuple[int, ...]) -> bytes:
    """Hash all that an answer depends on but the text.

    More than weights and tokenizer: another device or another version of a library may answer otherwise,
    and a cache that hides it would hide a finding.
    """
    return hashlib.sha256(
        json.dumps(
            {
                "asked": "logits of a sequence",
                "weights": parts.weights,
                "tokenizer": parts.tokens,
                "configs": parts.configs,
                "columns": order,
                "dtype": spec.dtype,
                "device": spec.device,
                "max_length": spec.max_length,
                "versions": versions(),
            },
            sort_keys=True,
        ).encode()
    ).digest()


def _hash(parts: list[str]) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()
