"""A classifier made of a causal language model and a prompt."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from audit.errors import ConfigError, shown
from audit.models.cache import Cache
from audit.models.corrected import Corrected, load_correction, with_correction
from audit.models.facts import facts_of
from audit.models.language_model import CachedLanguageModel
from audit.models.ledger import Ledger
from audit.models.parts import CausalParts, causal_key, find_causal
from audit.models.pieces import FIELD
from audit.models.scoring import Scorer
from audit.models.spec import ModelSpec
from audit.models.timing import PromptedWatch
from audit.schema import Facts, Json, Prompt, Scores, Sizes, Subject, Text

if TYPE_CHECKING:
    from audit.models.asking import Asking
    from audit.models.causal import Causal


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all prompts over one model have in common."""

    name: str
    labels: tuple[str, ...]
    pair: bool
    key: bytes
    """Hash of the model: all that an answer depends on but the prompt and the text."""
    open_causal: Callable[[], Causal]
    """Loads the model at the first call, and gives the same one at the next."""
    cache: Cache
    ledger: Ledger


class Prompted:
    """A PromptedClassifier: one prompt over a model that is loaded at the first answer nobody knows."""

    def __init__(self, shared: Shared, prompt: Prompt) -> None:
        """Take the prompt.

        Raises:
            ConfigError: the template's fields are not those of the task, or the verbalizers' labels are not.
        """
        _check(prompt, shared.labels, pair=shared.pair)
        self.shared = shared
        # Verbalizers in the order of the labels, whatever the order in the config.
        self._prompt = _ordered(prompt, shared.labels)
        self.scorer = Scorer(
            name=shared.name,
            labels=shared.labels,
            key=shared.key + bytes.fromhex(prompt_hash(self._prompt)),
            open_engine=lambda: self.asking,
            cache=shared.cache,
            ledger=shared.ledger,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns."""
        return self.shared.labels

    @property
    def prompt(self) -> Prompt:
        """The prompt in use."""
        return self._prompt

    def score(self, texts: Sequence[Text]) -> Scores:
        """Answer each text: `logits` are log-probabilities of the classes before normalising.

        Raises:
            ModelError: the model cannot be loaded, the prompt does not fit it, or it answers no numbers.
        """
        return self.scorer.score(texts)

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        """Return a hash of the token ids of each text's part of the prompt."""
        return self.scorer.fingerprint(texts)

    def with_prompt(self, prompt: Prompt) -> Prompted:
        """Return a sibling over the same weights, cache and ledger.

        Raises:
            ConfigError: as for the prompt of the config.
        """
        return Prompted(self.shared, prompt)

    def score_prompts(self, prompts: Sequence[Prompt], texts: Sequence[Text]) -> list[Scores]:
        """Answer each text under each prompt; what prompts begin with in common is computed once.

        Raises:
            ConfigError: as for the prompt of the config.
            ModelError: as `score`.
        """
        from audit.models.together import score_together

        digests = [prompt_hash(prompt) for prompt in prompts]
        apart = {digest: self.with_prompt(prompt) for digest, prompt in zip(digests, prompts, strict=True)}
        shared = self.shared
        scores = score_together(
            list(apart.values()),
            texts,
            open_causal=shared.open_causal,
            cache=shared.cache,
            ledger=shared.ledger,
        )
        found = dict(zip(apart, scores, strict=True))
        return [found[digest] for digest in digests]

    @functools.cached_property
    def asking(self) -> Asking:
        """The prompt over the loaded model, which is loaded now if it was not.

        Raises:
            ModelError: the model cannot be loaded, or the prompt does not fit it.
        """
        from audit.models.asking import Asking

        return Asking(self.shared.open_causal(), self._prompt)


def open_prompted(
    spec: ModelSpec,
    *,
    labels: tuple[str, ...],
    pair: bool,
    prompt: Prompt | None,
    base: Path,
    cache: Cache,
    ledger: Ledger,
) -> Subject:
    """Return the in-context model that `spec` names; loaded now only if its facts are not remembered.

    Raises:
        ConfigError: no prompt, or one that does not fit the task; a correction that does not fit the prompt.
        ModelError: no such model, or a prompt that does not fit it.
    """
    if prompt is None:
        raise ConfigError(
            "model.prompt is missing: model.kind is in-context: found none; "
            "give template and verbalizers, or set model.kind: fine-tuned"
        )
    parts = find_causal(spec, base=base, cache=cache)
    key = causal_key(parts, spec)

    @functools.cache
    def opened() -> Causal:
        from audit.models.causal import load_causal

        return load_causal(parts, spec)

    shared = Shared(
        name=parts.name, labels=labels, pair=pair, key=key, open_causal=opened, cache=cache, ledger=ledger
    )
    raw = Prompted(shared, prompt)
    language = CachedLanguageModel(key=key, open_causal=opened, cache=cache, ledger=ledger)

    def sizes() -> Sizes:
        from audit.models import sizes as counting

        return counting.causal(opened().model, parts, allow_pickle=spec.allow_pickle)

    def machine() -> str:
        from audit.models import sizes as counting

        return counting.machine(opened().model, spec.dtype)

    watch = PromptedWatch(opened, raw.prompt, sizes=sizes, machine=machine)
    file = None if spec.prompt is None else spec.prompt.correction
    if file is None:
        facts = _facts(spec, parts, shared, raw.prompt)
        return Subject(classifier=raw, prompted=raw, language=language, stopwatch=watch, facts=facts)
    digest = prompt_hash(raw.prompt)
    found = load_correction(base / file, labels=labels, prompt=digest, weights=parts.weights)
    facts = with_correction(_facts(spec, parts, shared, raw.prompt), found)
    mended = Corrected(raw, found)
    return Subject(classifier=mended, prompted=mended, language=language, stopwatch=watch, facts=facts)


def prompt_hash(prompt: Prompt) -> str:
    """Return 64 hexadecimal digits that identify what a prompt asks, by content; ids of examples apart."""
    said = {
        "template": prompt.template,
        "verbalizers": [[label, *forms] for label, forms in prompt.verbalizers.items()],
        "demonstrations": [[one.text, one.pair, one.label] for one in prompt.demonstrations],
        "instruction": prompt.instruction,
        "separator": prompt.separator,
        "chat": prompt.chat,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _facts(spec: ModelSpec, parts: CausalParts, shared: Shared, prompt: Prompt) -> Facts:
    """What the cache remembers, so that a second run shows what the first one showed and loads nothing."""
    digest = prompt_hash(prompt)
    key = hashlib.sha256(shared.key + digest.encode()).hexdigest()
    known = shared.cache.learned("prompted", key, lambda: _learn(shared.open_causal(), prompt))
    return facts_of(spec, weights=parts.weights, tokens=parts.tokens, known=known, prompt=digest)


def _learn(causal: Causal, prompt: Prompt) -> dict[str, Json]:
    """What only the loaded model can tell; also finds out at once that a prompt does not fit."""
    from audit.models.asking import Asking

    return {
        "parameters": causal.parameters,
        "dtype": causal.dtype,
        "device": causal.model.device.type,
        "max_length": causal.context,
        "notes": list(Asking(causal, prompt).notes),
    }


def _check(prompt: Prompt, labels: tuple[str, ...], *, pair: bool) -> None:
    fields = {found[1] for found in FIELD.finditer(prompt.template)}
    for field, wanted in (("text", True), ("pair", pair)):
        if (field in fields) != wanted:
            what = "lacks" if wanted else "has"
            task = "has pairs of texts" if pair else "has single texts"
            raise ConfigError(
                f"model.prompt.template {what} {{{field}}}, and the task {task}: found "
                f"{shown(prompt.template)}; "
                + (f"write {{{field}}} where it goes" if wanted else "drop it, or set task.text_pair")
            )
    if set(prompt.verbalizers) != set(labels) or not all(prompt.verbalizers.values()):
        raise ConfigError(
            "model.prompt.verbalizers must give each label at least one form: found "
            f"{shown({label: list(forms) for label, forms in prompt.verbalizers.items()})}; "
            f"the labels are {', '.join(labels)}"
        )


def _ordered(prompt: Prompt, labels: tuple[str, ...]) -> Prompt:
    verbalizers: Mapping[str, tuple[str, ...]] = {label: tuple(prompt.verbalizers[label]) for label in labels}
    return replace(prompt, verbalizers=verbalizers)
