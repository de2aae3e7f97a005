"""What is said of a model beside its answers."""

from __future__ import annotations

from collections.abc import Mapping

from audit.models.spec import ModelSpec
from audit.schema import Facts, Json


def facts_of(
    spec: ModelSpec, *, weights: str, tokens: str, known: Mapping[str, Json], prompt: str = ""
) -> Facts:
    """Return the facts of a model; `known` is what only the loaded model could tell.

    `known` went through JSON or might have: what a cached run shows is what the first one showed.
    """
    parameters, max_length, notes = known["parameters"], known["max_length"], known["notes"]
    return Facts(
        kind=spec.kind,
        source=spec.source,
        revision=spec.revision,
        weights=weights,
        tokenizer=tokens,
        dtype=str(known["dtype"]),
        device=str(known["device"]),
        parameters=parameters if isinstance(parameters, int) else None,
        max_length=max_length if isinstance(max_length, int) else None,
        prompt=prompt,
        notes=tuple(str(note) for note in notes) if isinstance(notes, list) else (),
    )
