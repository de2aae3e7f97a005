"""Classifiers without tokens: a function from texts to probabilities, whoever wrote it."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.errors import ModelError, shown
from audit.models.cache import Cache
from audit.models.engine import Encoded, Engine, Row
from audit.models.facts import facts_of
from audit.models.files import versions
from audit.models.ledger import Ledger
from audit.models.scoring import Scorer
from audit.models.spec import ModelSpec
from audit.models.timing import ClassifierWatch, plain_machine, plain_sizes
from audit.schema import Json, Subject, Text

BATCH = 256
"""Texts of one batch; each counts as one token."""

FLOOR = 1e-12
"""Least probability that is kept, as netcal and scikit-learn do: a 0 would be an infinite loss."""

SLACK = 1e-3
"""How far a row may be from summing to one: room for float16 and rounded output, not for scores."""


class Plain:
    """An Engine over a function from texts to rows of probabilities, in the order of the labels."""

    prefix_tokens = 0

    def __init__(
        self,
        ask: Callable[[list[Text]], object],
        *,
        name: str,
        labels: tuple[str, ...],
        order: tuple[int, ...],
        marks: Callable[[list[Text]], list[bytes]],
        batch: int,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Take the function.

        Args:
            ask: n texts to (n, k) probabilities, anything that numpy reads as such.
            name: the model as the config names it, for messages.
            labels: of the task.
            order: for each label of the task, the column of `ask`.
            marks: what of each text reaches the model; equal marks, equal answers.
            batch: texts of one batch.
            notes: what a reader of the facts must know.
        """
        self.batch_tokens = batch
        self._ask = ask
        self._name = name
        self._labels = labels
        self._order = list(order)
        self._marks = marks
        self._notes = notes
        self._texts: dict[tuple[int, ...], Text] = {}

    def facts(self) -> dict[str, Json]:
        """Return what only the loaded model can tell."""
        return {
            "parameters": None,
            "dtype": "float64",
            "device": "cpu",
            "max_length": None,
            "notes": list(self._notes),
        }

    def encode(self, texts: Sequence[Text]) -> list[Encoded]:
        """Stand one id (and its kind: 128 bits in all) for what of each text reaches the model."""
        found = []
        for text, mark in zip(texts, self._marks(list(texts)), strict=True):
            digest = hashlib.blake2b(mark, digest_size=16).digest()
            first, second = (int.from_bytes(half, "little", signed=True) for half in (digest[:8], digest[8:]))
            self._texts.setdefault((first, second), text)
            found.append(Encoded(ids=(first,), kinds=(second,)))
        return found

    def forward(self, batch: Sequence[Encoded]) -> list[Row]:
        """Ask once; logarithms of the probabilities, none below that of 1e-12.

        Raises:
            ModelError: the answer is no (n, k) array of probabilities whose rows sum to one.
        """
        texts = [self._texts[one.ids + one.kinds] for one in batch]
        rows = self._checked(self._ask(texts), texts)[:, self._order]
        return [Row(logits=tuple(row)) for row in np.log(np.clip(rows, FLOOR, 1.0)).tolist()]

    def _checked(self, answer: object, texts: list[Text]) -> NDArray[np.float64]:
        shape = (len(texts), len(self._labels))
        try:
            rows = np.asarray(answer, dtype=np.float64)  # (n, k)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"{self._name}: the answer is no table of numbers: {shown(answer)}; return one row of "
                f"{shape[1]} probabilities for each text"
            ) from error
        if rows.shape != shape:
            raise ModelError(
                f"{self._name}: the answer to {shape[0]} texts has the shape {rows.shape}, not {shape}; "
                f"return one row for each text and one column for each of {shown(self._labels)}"
            )
        for row, text in zip(rows.tolist(), texts, strict=True):
            if not all(math.isfinite(p) and p >= 0 for p in row) or abs(sum(row) - 1) > SLACK:
                raise ModelError(
                    f"{self._name}: a row of the answer is no distribution: {shown(row)} for the text "
                    f"{shown(text)}; return probabilities, at least 0, that sum to 1"
                )
        return rows


def plain_subject(
    spec: ModelSpec,
    labels: tuple[str, ...],
    weights: str,
    load: Callable[[], Plain],
    *,
    files: Sequence[Path],
    cache: Cache,
    ledger: Ledger,
) -> Subject:
    """Return a subject around `load`, which is called now only if the facts are not remembered.

    Args:
        weights: hash of the files.
        files: what the answers come from.
    """
    said = {
        "asked": "log-probabilities",
        "source": spec.source,
        "weights": weights,
        "labels": labels,
        "label_map": spec.label_map,
        "versions": versions(("scikit-learn", "numpy")),
    }
    key = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()
    opened = functools.cache(load)
    known = cache.learned("classifier", key.hex(), lambda: opened().facts())

    def engine() -> Engine:
        return opened()

    scorer = Scorer(name=spec.source, labels=labels, key=key, open_engine=engine, cache=cache, ledger=ledger)
    watch = ClassifierWatch(engine, sizes=lambda: plain_sizes(files), machine=plain_machine, tokenises=False)
    facts = facts_of(spec, weights=weights, tokens="", known=known)
    return Subject(classifier=scorer, stopwatch=watch, facts=facts)


def contents(texts: list[Text]) -> list[bytes]:
    """Return the texts themselves as marks, where nothing is known of what reaches the model."""
    return [json.dumps(text).encode() for text in texts]
