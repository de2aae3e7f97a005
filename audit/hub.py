"""Data sets of the `datasets` library → Table: a folder saved by it, or a name on the hub."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audit.errors import DataError, did_you_mean, shown
from audit.reading import FORMATS, Table

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def is_saved(place: Path) -> bool:
    """Say whether a folder was written by `save_to_disk`."""
    return (place / "state.json").is_file() or (place / "dataset_dict.json").is_file()


def read_saved(place: Path, *, split: str | None, where: str) -> Table:
    """Read a folder saved by `datasets`.

    Raises:
        DataError: another kind of folder, a broken one, the library is missing, or a split that is not there.
    """
    if not is_saved(place):
        raise DataError(
            f"{where}: is a folder, and not one saved by `datasets` (no state.json or dataset_dict.json);"
            " name a file in it"
        )
    datasets = _library(where)
    try:
        found = datasets.load_from_disk(str(place))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{where}: cannot be read by `datasets`: {_line(error)}; save it again") from None
    return _table(found, split, where)


def read_hub(source: str, *, subset: str | None, split: str | None, base: Path, where: str) -> Table:
    """Bring a data set from the hub, or take it from the library's cache.

    Raises:
        DataError: it looks like a file that is not there, the library is missing, or the hub does not have
            it or cannot be reached.
    """
    name = source.removeprefix("hub:").strip()
    if source == name and _is_path(source, base):
        folder = (base / source).parent
        near = did_you_mean(Path(source).name, sorted(one.name for one in folder.glob("*"))[:1000])
        raise DataError(f"{where}: no such file{near}; relative paths start from the folder of the config")
    if not HUB_NAME.fullmatch(name):
        raise DataError(f"{where}: {shown(source)} is neither a file that exists nor a name on the hub")
    datasets = _library(where)
    # it tells of every attempt; what came of the last one is told below
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        found = datasets.load_dataset(name, subset, split=split)
    except _transport_errors() as error:
        raise DataError(
            f"{where}: no such file, and the hub did not give a data set of that name: {_line(error)};"
            " check the name, `subset`, `split` and the network"
        ) from None
    return _table(found, split, where)


def _transport_errors() -> tuple[type[Exception], ...]:
    """Return what loading can raise, with the errors of whichever HTTP library the hub's client brought."""
    brought = [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]
    return (OSError, ValueError, RuntimeError, *(library.HTTPError for library in brought))


def _library(where: str) -> Any:  # the library is untyped
    try:
        import datasets
    except ImportError:
        raise DataError(
            f"{where}: needs the `datasets` library: pip install 'trust-audit[hub]'; or name a local file"
        ) from None
    return datasets


def _is_path(source: str, base: Path) -> bool:
    """Say whether a source that does not exist was meant as a path."""
    first = source.split("/")[0]
    return (
        Path(source.removesuffix(".gz")).suffix.lower() in FORMATS
        or source.startswith((".", "/", "~"))
        or source.count("/") > 1
        or ("/" in source and (base / first).is_dir())
    )


def _table(found: Any, split: str | None, where: str) -> Table:
    if isinstance(found, Mapping):  # a DatasetDict: split → Dataset
        splits = list(found)
        if split is None and len(splits) == 1:
            split = splits[0]
        if split not in splits:
            hint = did_you_mean(split or "", splits)
            raise DataError(
                f"{where}: `split` must be one of {', '.join(splits)}, got {shown(split)}{hint}; set it"
            )
        found = found[split]
    elif split is not None and found.split is not None and str(found.split) != split:
        raise DataError(
            f"{where}: holds the split {shown(str(found.split))}, got `split: {split}`; remove it"
        )
    columns: dict[str, list[object]] = dict(found.with_format(None)[:])
    names = {
        name: tuple(feature.names)
        for name, feature in found.features.items()
        if getattr(feature, "names", None)
    }
    digest = hashlib.sha256()
    for name, values in columns.items():
        digest.update(json.dumps(name).encode())
        for value in values:
            digest.update(json.dumps(value, default=str, sort_keys=True).encode() + b"\n")
    if not found.num_rows:
        raise DataError(f"{where}: no rows, only {', '.join(map(shown, columns)) or 'nothing'}; give some")
    return Table(columns=columns, sha256=digest.hexdigest(), names=names)


def _line(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
