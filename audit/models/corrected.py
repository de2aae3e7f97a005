"""A prompted classifier whose answers a Correction has mended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from audit import correction
from audit.errors import ConfigError, shown
from audit.schema import Correction, Facts, Prompt, PromptedClassifier, Scores, Text

AGAIN = "run the audit without model.prompt.correction, then `audit mitigate`"


class Corrected:
    """A PromptedClassifier over another; corrects after the cache, so that trying a correction is free."""

    def __init__(self, raw: PromptedClassifier, found: Correction) -> None:
        """Take the classifier as it answers by itself, and a correction that was fitted for it."""
        self._raw = raw
        self._correction = found

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns."""
        return self._raw.labels

    @property
    def prompt(self) -> Prompt:
        """The prompt in use."""
        return self._raw.prompt

    def score(self, texts: Sequence[Text]) -> Scores:
        """Answer each text: `logits` are the logarithm of the corrected probabilities; the mass is as it was.

        Raises:
            ModelError: as the raw classifier.
        """
        raw = self._raw.score(texts)
        assert raw.logits is not None, "a prompted classifier has log-probabilities"
        mended = correction.apply_log(self._correction, raw.logits)
        return replace(raw, probabilities=np.exp(mended), logits=mended)

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        """Return a hash of the token ids of each text's part of the prompt."""
        return self._raw.fingerprint(texts)

    def with_prompt(self, prompt: Prompt) -> PromptedClassifier:
        """Return a sibling over the same weights, without the correction: it belongs to this prompt alone.

        Raises:
            ConfigError: as for the prompt of the config.
        """
        return self._raw.with_prompt(prompt)

    def score_prompts(self, prompts: Sequence[Prompt], texts: Sequence[Text]) -> list[Scores]:
        """Answer each text under each prompt, without the correction.

        Raises:
            ConfigError: as for the prompt of the config.
            ModelError: as the raw classifier.
        """
        return self._raw.score_prompts(prompts, texts)


def load_correction(place: Path, *, labels: tuple[str, ...], prompt: str, weights: str) -> Correction:
    """Read the file of `model.prompt.correction`.

    Args:
        place: the file.
        labels: of the task.
        prompt: hash of the prompt that is to be corrected.
        weights: hash of the model's weights.

    Raises:
        ConfigError: no such file, no correction, or one that was fitted for other labels, another prompt or
            another model.
    """
    try:
        content = json.loads(place.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"{place}: model.prompt.correction cannot be read: {error.strerror}; name a file that"
            " `audit mitigate` wrote"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{place}: model.prompt.correction is not JSON: {error}; name a file that `audit mitigate` wrote"
        ) from None
    found = correction.from_json(content, str(place))
    for what, then, now in (
        ("other labels", ", ".join(found.labels), ", ".join(labels)),
        ("another model, whose weights have the hash", found.weights, weights),
        ("another prompt, whose hash is", found.prompt, prompt),
    ):
        if then != now:
            raise ConfigError(f"{place}: was fitted for {what} {shown(then)}, here {shown(now)}; {AGAIN}")
    return found


def with_correction(facts: Facts, found: Correction) -> Facts:
    """Return the facts of a model under a correction.

    The prompt's hash becomes that of both: what is fitted there fits neither alone.
    """
    said = json.dumps([facts.prompt, correction.to_json(found)], sort_keys=True)
    note = f"a correction is in force: {found.kind}, fitted on {found.fitted_on}"
    return replace(
        facts,
        prompt=hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest(),
        correction=found.kind,
        notes=(*facts.notes, note),
    )
