"""What a model is made of on disk: where its folder lies, and hashes that say whether it changed."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from audit.errors import ModelError, shown
from audit.models.cache import Cache
from audit.models.spec import ModelSpec
from audit.places import locate
from audit.schema import Json

TOKENIZER = (
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "spiece.model",
    "sentencepiece*",
    "*.tiktoken",
    "chat_template*",
)
CONFIG = ("config.json", "adapter_config.json", "generation_config.json", "*.py")

LIBRARIES = ("torch", "transformers", "tokenizers", "peft")
"""Their versions are part of a cache key: an upgrade that changes answers must be seen, not hidden."""

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def model_folder(spec: ModelSpec, base: Path) -> Path:
    """Return the folder of `spec.source`; a hub name is brought (or found) first.

    Only what is needed is brought: configs, tokenizer, safetensors; pickled weights only where there is
    nothing else and `allow_pickle` asks for them; code only with `trust_remote_code`.

    Raises:
        ModelError: neither a folder nor a model that the hub can bring, or a folder without config.json.
        ConfigError: an unknown or missing `demo:` part.
    """
    place = locate(spec.source, base, "model.source")
    if place is None:
        place = _bring(spec)
    if place.is_file():
        raise ModelError(
            f"model.source: {shown(spec.source)} is a file; name the folder that holds config.json"
        )
    if not ((place / "config.json").is_file() or (place / "adapter_config.json").is_file()):
        raise ModelError(
            f"model.source: {shown(spec.source)} is no model folder: no config.json (or adapter_config.json) "
            "in it; name the folder that save_pretrained wrote"
        )
    return place


def _bring(spec: ModelSpec) -> Path:
    if not HUB_NAME.fullmatch(spec.source):
        raise ModelError(
            f"model.source: {shown(spec.source)} does not exist; "
            "paths are relative to the folder of model.yaml"
        )
    from huggingface_hub import snapshot_download

    # it tells of every attempt; what came of the last one is told below
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    patterns = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.tiktoken"]
    patterns += ["*.py"] if spec.trust_remote_code else []
    try:
        place = Path(
            snapshot_download(
                spec.source, revision=spec.revision, allow_patterns=patterns, ignore_patterns=["*/*"]
            )
        )
        if spec.allow_pickle and not any(place.glob("*.safetensors")):
            snapshot_download(
                spec.source,
                revision=spec.revision,
                allow_patterns=["pytorch_model*.bin", "adapter_model.bin"],
            )
    except (
        OSError,
        ValueError,
    ) as error:  # what huggingface_hub raises for no network, no such name, no right
        raise ModelError(
            f"model.source: {shown(spec.source)} is no folder here, and the hub did not bring it: "
            f"{type(error).__name__}: {first_line(error)}; "
            "check the name and the network, or name a local folder"
        ) from error
    return place


def weight_files(folder: Path, *, allow_pickle: bool) -> list[Path]:
    """Return the files that hold the weights: safetensors, or pickles where they are asked for.

    Raises:
        ModelError: no weights, or only pickled ones that were not asked for.
    """
    safe = sorted(folder.glob("*.safetensors"))
    if safe:
        return safe
    pickled = sorted([*folder.glob("pytorch_model*.bin"), *folder.glob("adapter_model.bin")])
    if pickled and allow_pickle:
        return pickled
    if pickled:
        raise ModelError(
            f"the weights are pickled, and a pickle can run code when it is read: "
            f"{folder.name}/{pickled[0].name}; save the model with safetensors, "
            "or set model.allow_pickle: true if you trust its source"
        )
    raise ModelError(
        f"the model folder has no weights: {folder.name}: no *.safetensors in it; "
        "copy the whole folder that save_pretrained wrote"
    )


def matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the files of a folder that match any pattern, by name, each once."""
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def hash_files(paths: Sequence[Path], cache: Cache) -> str:
    """Return a sha256 over names and bytes of files; remembered by path, size and time.

    One file's hash is that of its bytes (as `sha256sum` prints it); of several, the hash of their list.
    """
    hashes = {path.name: _hash_file(path, cache) for path in paths}
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def _hash_file(path: Path, cache: Cache) -> str:
    state = path.stat()
    # A copy can keep the time of writing (cp -p, rsync, tar), never that of the change itself.
    # A path can hold bytes that are no text, which SQLite would refuse.
    place = str(path.resolve()).encode("utf-8", "backslashreplace").decode()
    key = f"{place}|{state.st_size}|{state.st_mtime_ns}|{state.st_ctime_ns}"
    known = cache.recall("sha256", key)
    if isinstance(known, str):
        return known
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    cache.remember("sha256", key, found)
    return found


def versions(libraries: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """Return the versions of libraries, those installed; reads metadata, imports nothing."""
    found: dict[str, str] = {}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def read_json(path: Path) -> dict[str, Json]:
    """Return the object in a JSON file of a model folder.

    Raises:
        ModelError: it cannot be read or holds no object.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"a file of the model cannot be read: {path.parent.name}/{path.name}: {first_line(error)}; "
            "bring it again"
        ) from error
    if not isinstance(found, dict):
        raise ModelError(
            f"a file of the model holds no object: {path.parent.name}/{path.name}: {shown(found)}; "
            "bring it again"
        )
    return found


def first_line(error: BaseException) -> str:
    """Return the first line of what a library said, cut to 200 characters."""
    return (str(error).strip().splitlines() or [""])[0][:200]
