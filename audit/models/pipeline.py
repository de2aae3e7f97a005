"""A scikit-learn pipeline from a joblib file, only when asked for: reading one can run code."""

from __future__ import annotations

import functools
import itertools
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from audit.errors import ModelError, shown
from audit.models.cache import Cache
from audit.models.files import first_line, hash_files
from audit.models.label import columns
from audit.models.ledger import Ledger
from audit.models.plain import BATCH, Plain, contents, plain_subject
from audit.models.spec import ModelSpec
from audit.places import locate
from audit.schema import Subject, Text


def open_pipeline(
    spec: ModelSpec, *, labels: tuple[str, ...], pair: bool, base: Path, cache: Cache, ledger: Ledger
) -> Subject:
    """Return the scikit-learn model of `sklearn:FILE.joblib`.

    Raises:
        ModelError: not asked for with `allow_pickle`, no such file, no classifier in it, or a pair task.
    """
    named = spec.source.removeprefix("sklearn:")
    if not spec.allow_pickle:
        raise ModelError(
            f"model.source: {shown(spec.source)} is a pickle, and a pickle can run code when it is read; "
            "set model.allow_pickle: true if you trust the file"
        )
    if pair:
        raise ModelError(
            f"model.source: {shown(spec.source)} takes one text, and task.text_pair asks for two; "
            "use python:module:function, which is given (text, pair)"
        )
    file = locate(named, base, "model.source")
    if file is None or not file.is_file():
        raise ModelError(
            f"model.source: {shown(named)} is no file; paths are relative to the folder of model.yaml"
        )
    weights = hash_files([file], cache)
    return plain_subject(
        spec,
        labels,
        weights,
        lambda: _load_pipeline(file, spec, labels),
        files=[file],
        cache=cache,
        ledger=ledger,
    )


def _load_pipeline(file: Path, spec: ModelSpec, labels: tuple[str, ...]) -> Plain:
    import joblib

    with warnings.catch_warnings(record=True) as said:
        # scikit-learn warns when another version saved the file; that belongs into the facts.
        warnings.simplefilter("always")
        try:
            model = joblib.load(file)
        except (
            OSError,
            ValueError,
            ImportError,
            AttributeError,
            EOFError,
            LookupError,
            TypeError,
            pickle.UnpicklingError,
        ) as error:
            raise ModelError(
                f"the joblib file cannot be read: {file.name}: {type(error).__name__}: {first_line(error)}; "
                "save it again with the libraries that are installed here"
            ) from error
    if not hasattr(model, "predict_proba"):
        raise ModelError(
            f"the joblib file holds no classifier with probabilities: {file.name}: "
            f"{shown(type(model).__name__)} has no predict_proba; save a fitted pipeline that takes texts, "
            "for instance with LogisticRegression"
        )
    if not hasattr(model, "classes_"):
        raise ModelError(
            f"the classifier was never fitted: {file.name}: no classes_; call fit before it is saved"
        )
    order = columns([str(one) for one in model.classes_], labels, spec.label_map, name=spec.source)
    return Plain(
        model.predict_proba,
        name=spec.source,
        labels=labels,
        order=order,
        marks=functools.partial(_features, model) if _has_features(model) else contents,
        batch=spec.batch_tokens or BATCH,
        notes=tuple(dict.fromkeys(str(one.message).splitlines()[0] for one in said)),
    )


def _has_features(model: Any) -> bool:
    from sklearn.pipeline import Pipeline

    return isinstance(model, Pipeline) and len(model.steps) > 1


def _features(model: Any, texts: list[Text]) -> list[bytes]:
    """Return the bytes of each text's features: what the vectoriser drops never reaches the model."""
    table = model[:-1].transform(texts)  # (n, d)
    if not hasattr(table, "tocsr"):
        return [np.ascontiguousarray(row).tobytes() for row in np.asarray(table)]
    rows = table.tocsr()
    rows.sort_indices()
    return [
        rows.indices[start:end].astype("<i8").tobytes() + rows.data[start:end].tobytes()
        for start, end in itertools.pairwise(rows.indptr)
    ]
