"""A Python function of the user's as a classifier: `python:module:function`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

from audit.errors import ModelError, shown
from audit.models.cache import Cache
from audit.models.files import first_line, hash_files
from audit.models.ledger import Ledger
from audit.models.plain import BATCH, Plain, contents, plain_subject
from audit.models.spec import ModelSpec
from audit.schema import Subject

BROKEN = (
    ImportError,
    SyntaxError,
    NameError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AssertionError,
    OSError,
    RuntimeError,
    SystemExit,
)
"""What a module that is imported may raise: a slip of the pen, a file it reads, a script that ends."""


def open_function(
    spec: ModelSpec, *, labels: tuple[str, ...], base: Path, cache: Cache, ledger: Ledger
) -> Subject:
    """Return the classifier `python:module:function`; modules in the folder of model.yaml are found last.

    The function is given a list of texts (of pairs, where the task has them) and returns one row of
    probabilities for each, in the order of task.labels.

    Raises:
        ModelError: no such module or function, or a label map, which means nothing here.
    """
    module, _, function = spec.source.removeprefix("python:").partition(":")
    if not module or not function:
        raise ModelError(
            f"model.source: {shown(spec.source)} names no function; write python:module:function"
        )
    if spec.label_map:
        raise ModelError(
            f"model.label_map: a Python function has no labels of its own, found {shown(spec.label_map)}; "
            "remove it and return columns in the order of task.labels"
        )
    if str(base) not in sys.path:
        sys.path.append(str(base))
    source = _module_file(module, spec)
    weights = hash_files([source], cache)
    return plain_subject(
        spec,
        labels,
        weights,
        lambda: _load_function(module, function, spec, labels),
        files=[source],
        cache=cache,
        ledger=ledger,
    )


def _module_file(module: str, spec: ModelSpec) -> Path:
    try:
        # of a module in a package this imports the package
        found = importlib.util.find_spec(module)
    except BROKEN as error:
        raise ModelError(
            f"model.source: {shown(spec.source)}: no module {shown(module)}: {type(error).__name__}: "
            f"{first_line(error)}; "
            "put it beside model.yaml, or install it"
        ) from error
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise ModelError(
            f"model.source: {shown(spec.source)}: no file of a module {shown(module)}; "
            "put it beside model.yaml, or install it"
        )
    return Path(found.origin)


def _load_function(module: str, function: str, spec: ModelSpec, labels: tuple[str, ...]) -> Plain:
    try:
        ask = getattr(importlib.import_module(module), function, None)
    except BROKEN as error:
        raise ModelError(
            f"model.source: {shown(spec.source)}: the module cannot be imported: {type(error).__name__}: "
            f"{first_line(error)}; mend it"
        ) from error
    if not callable(ask):
        raise ModelError(
            f"model.source: {shown(spec.source)}: {shown(function)} is no function of {module}: "
            f"{shown(ask)}; write python:module:function"
        )
    return Plain(
        ask,
        name=spec.source,
        labels=labels,
        order=tuple(range(len(labels))),
        marks=contents,
        batch=spec.batch_tokens or BATCH,
        notes=(
            "Python function: only the module's own file is hashed; after a change in what it reads or "
            "imports, give another --cache",
        ),
    )
