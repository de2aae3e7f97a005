"""A sentence encoder: texts to vectors of length one; their products say how alike two meanings are."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audit.errors import ModelError
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.parts import ClassifierParts, classifier_key, find_classifier
from audit.models.scoring import CALL_SHARE, plan
from audit.models.spec import ModelSpec

if TYPE_CHECKING:
    import torch

BATCH_TOKENS = 1024
"""Padding counted; as for classifiers on a CPU."""

LONGEST = 512
"""Tokens of a text where neither tokenizer nor model names a limit; the rest is cut."""


class CachedEncoder:
    """An Encoder over a model that is loaded at the first text nobody has encoded."""

    def __init__(self, *, key: bytes, open_model: Callable[[], Pooled], cache: Cache, ledger: Ledger) -> None:
        """Keep all of it; nothing is loaded yet.

        Args:
            key: hash of the model: equal keys, equal vectors.
            open_model: loads the model at the first call, and gives the same one at the next.
        """
        self._key = key
        self._open = open_model
        self._cache = cache
        self._ledger = ledger

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return (n, d) vectors of length one: the mean of a text's token vectors. No texts, (0, 0).

        Raises:
            ModelError: the model cannot be loaded.
        """
        if not texts:
            return np.empty((0, 0))
        keys = [self._digest(text) for text in texts]
        known = self._cache.get_many(sorted(set(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        self._ledger.answered(repeated=len(keys) - len(set(keys)), cached=len(known))
        if missing:
            self._ask(missing, known)
        return np.array([np.frombuffer(known[key], dtype="<f4") for key in keys], dtype=np.float64)

    def _ask(self, missing: dict[bytes, str], known: dict[bytes, bytes]) -> None:
        model, waiting = self._open(), sorted(missing)
        ids = model.encode([missing[key] for key in waiting])
        lengths = [len(one) for one in ids]
        for batch in plan(lengths, batch_tokens=BATCH_TOKENS, call_tokens=BATCH_TOKENS // CALL_SHARE):
            started = time.perf_counter()
            rows = model.forward([ids[i] for i in batch])
            found = {waiting[i]: row.astype("<f4").tobytes() for i, row in zip(batch, rows, strict=True)}
            self._cache.put_many(found)
            known.update(found)
            self._ledger.asked(
                texts=len(batch),
                scored=len(batch),
                tokens=sum(len(ids[i]) for i in batch),
                saved=0,
                seconds=time.perf_counter() - started,
            )

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()


class Pooled:
    """A loaded encoder: token ids in, vectors of length one out."""

    def __init__(self, model: Any, tokenizer: Any, device: torch.device) -> None:
        """Take a transformers model whose call returns `last_hidden_state` (n, length, d)."""
        self._model = model.to(device).eval()
        self._tokenizer = tokenizer
        self._device = device
        stated = (tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None))
        self._limit = min([n for n in stated if isinstance(n, int)] + [LONGEST])

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return token ids, special ones too, cut to the model's length; half characters become U+FFFD."""
        whole = [text.encode("utf-8", "replace").decode() for text in texts]
        made = self._tokenizer(whole, truncation=True, max_length=self._limit, verbose=False)
        pad = self._tokenizer.pad_token_id or 0
        return [list(ids) or [pad] for ids in made["input_ids"]]

    def forward(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return (n, d) vectors."""
        import torch

        width = max(map(len, batch))
        pad = self._tokenizer.pad_token_id or 0
        ids = torch.tensor([[*one, *[pad] * (width - len(one))] for one in batch], device=self._device)
        real = torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in batch], device=self._device)
        with torch.inference_mode():
            hidden = self._model(input_ids=ids, attention_mask=real).last_hidden_state.double()
        weight = real.unsqueeze(-1)
        mean = (hidden * weight).sum(1) / weight.sum(1)
        vectors: NDArray[np.float64] = torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()
        return vectors


def open_encoder(spec: ModelSpec, *, base: Path, cache: Cache, ledger: Ledger) -> CachedEncoder:
    """Return the encoder that `spec` names; its files are looked at, nothing is loaded.

    Raises:
        ModelError: no such model, no weights, no tokenizer.
    """
    parts = find_classifier(spec, labels=(), base=base, cache=cache)

    @functools.cache
    def opened() -> Pooled:
        return _load(parts, spec)

    key = classifier_key(parts, spec, ())
    return CachedEncoder(
        key=hashlib.sha256(b"mean of token vectors" + key).digest(),
        open_model=opened,
        cache=cache,
        ledger=ledger,
    )


def _load(parts: ClassifierParts, spec: ModelSpec) -> Pooled:
    import torch
    import transformers
    from safetensors import SafetensorError

    from audit.models.files import first_line
    from audit.models.loading import find_device, load_tokenizer, quiet

    given = {"local_files_only": True, "trust_remote_code": False}
    with quiet():
        tokenizer = load_tokenizer(parts.tokenizer, given, name=parts.name)
        try:
            model = transformers.AutoModel.from_pretrained(
                parts.folder, dtype=torch.float32, use_safetensors=True, **given
            )
        except (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError) as error:
            raise ModelError(
                f"helpers.encoder: the model cannot be loaded: {parts.name}: {first_line(error)}; "
                "name a sentence encoder that transformers can load, saved as safetensors"
            ) from error
    return Pooled(model, tokenizer, find_device(spec.device))
