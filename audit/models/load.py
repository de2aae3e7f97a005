"""From the `model` part of a config to what a probe is given."""

from __future__ import annotations

from pathlib import Path

from audit.errors import ModelError, shown
from audit.models.cache import Cache
from audit.models.classifier import open_classifier
from audit.models.function import open_function
from audit.models.ledger import Ledger
from audit.models.pipeline import open_pipeline
from audit.models.spec import ModelSpec
from audit.places import locate
from audit.schema import Prompt, Subject


def open_subject(
    spec: ModelSpec,
    *,
    labels: tuple[str, ...],
    pair: bool,
    prompt: Prompt | None,
    base: Path,
    cache: Cache,
    ledger: Ledger,
) -> Subject:
    """Return the model that `spec` names, ready to be asked.

    Nothing heavy is loaded where the cache remembers the model's facts; its answers load it when one is
    missing.

    Args:
        pair: True where the task has a second text.
        prompt: how an in-context model is asked; None for a fine-tuned one.
        base: folder of the config, for relative paths.

    Raises:
        ModelError: the model cannot be found or loaded, or does not fit the task.
        ConfigError: a `demo:` part that is unknown or not here yet.
    """
    plain = spec.source.startswith(("sklearn:", "python:"))
    if spec.kind == "in-context":
        if plain:
            raise ModelError(
                f"model.source: {shown(spec.source)} cannot be used in context: it reads no prompt; "
                "set model.kind: fine-tuned"
            )
        from audit.models.prompted import open_prompted

        return open_prompted(
            spec, labels=labels, pair=pair, prompt=prompt, base=base, cache=cache, ledger=ledger
        )
    if (locate(spec.source, base, "model.source") or Path(spec.source)).suffix == ".gguf":
        raise ModelError(
            f"model.source: {shown(spec.source)} is a language model without a classification head; "
            "set model.kind: in-context and give model.prompt"
        )
    if spec.source.startswith("sklearn:"):
        return open_pipeline(spec, labels=labels, pair=pair, base=base, cache=cache, ledger=ledger)
    if plain:
        return open_function(spec, labels=labels, base=base, cache=cache, ledger=ledger)
    return open_classifier(spec, labels=labels, base=base, cache=cache, ledger=ledger)
