"""Lets a causal model write: batches padded on the left, one random stream per prompt and sample."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from audit.errors import ModelError, shown
from audit.models.causal import Causal
from audit.models.scoring import plan
from audit.seeds import Seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one batch wrote."""

    texts: dict[int, list[str]]
    """Place of the prompt → its samples."""
    tokens: int
    """Tokens that went through the model."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """How the next token is chosen."""

    temperature: float
    streams: tuple[np.random.Generator, ...]
    """One per row."""

    def __call__(self, logits: NDArray[np.float64]) -> NDArray[np.int64]:
        """(n, vocabulary) logits to (n,) tokens: the largest, after Gumbel noise where there is temperature.

        argmax(logits / t + Gumbel noise) is a draw from softmax(logits / t) (Gumbel-max).
        """
        if self.temperature > 0:
            noise = np.stack([stream.gumbel(size=logits.shape[1]) for stream in self.streams])
            logits = logits / self.temperature + noise
        best: NDArray[np.int64] = logits.argmax(axis=1)
        return best


def write(
    causal: Causal,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    samples: int,
    temperature: float,
    seed: int,
) -> Iterator[Written]:
    """Yield what each batch wrote; each prompt is in one batch, with all its samples.

    Raises:
        ModelError: a prompt and the new tokens are longer than the model can take.
    """
    ids = [causal.pieces.start(prompt) or causal.ground for prompt in prompts]
    for prompt, one in zip(prompts, ids, strict=True):
        if causal.context is not None and len(one) + max_new_tokens > causal.context:
            raise ModelError(
                f"{causal.name}: a prompt is too long to be continued: {shown(prompt)} has {len(one)} "
                f"tokens, and with {max_new_tokens} new ones that is over {causal.context}; cut it"
            )
    lengths = [samples * (len(one) + max_new_tokens) for one in ids]
    for batch in plan(lengths, batch_tokens=causal.batch_tokens):
        places = [place for place in batch for _ in range(samples)]
        streams = [
            Seeds(seed).rng("generate", prompts[place], str(sample))
            for place in batch
            for sample in range(samples)
        ]
        started = time.perf_counter()
        draw = _Draw(temperature=temperature, streams=tuple(streams))
        rows = _continue(causal, [ids[place] for place in places], max_new_tokens, draw)
        texts: dict[int, list[str]] = {place: [] for place in batch}
        for place, row in zip(places, rows, strict=True):
            texts[place].append(causal.tokenizer.decode(row, skip_special_tokens=True))
        yield Written(
            texts=texts,
            tokens=sum(len(ids[place]) + len(row) for place, row in zip(places, rows, strict=True)),
            seconds=time.perf_counter() - started,
        )


def _continue(causal: Causal, prompts: Sequence[tuple[int, ...]], steps: int, draw: _Draw) -> list[list[int]]:
    """Write up to `steps` tokens after each prompt; an end token ends a row and is not part of it."""
    model = causal.model
    width = max(map(len, prompts))
    ids = np.array([[0] * (width - len(one)) + list(one) for one in prompts])  # (n, width)
    real = np.array([[0] * (width - len(one)) + [1] * len(one) for one in prompts])
    positions = np.maximum(real.cumsum(axis=1) - 1, 0)
    rows: list[list[int]] = [[] for _ in prompts]
    open_rows = np.ones(len(prompts), dtype=bool)
    cache: Any = None
    for _ in range(steps):
        logits, cache = _step(model, ids, real, positions, cache)
        chosen = draw(logits)
        open_rows &= ~np.isin(chosen, list(causal.ends))
        for i in np.flatnonzero(open_rows):
            rows[i].append(int(chosen[i]))
        if not open_rows.any():
            break
        ids, positions = chosen[:, None], positions[:, -1:] + 1
        real = np.concatenate([real, np.ones_like(real[:, :1])], axis=1)
    return rows


def _step(
    model: Any, ids: NDArray[np.int64], real: NDArray[np.int64], positions: NDArray[np.int64], cache: Any
) -> tuple[NDArray[np.float64], Any]:
    """Return the logits (n, vocabulary) after the last token, and the grown cache."""
    extra: dict[str, Any] = {"position_ids": torch.from_numpy(positions), "logits_to_keep": 1}
    taken = inspect.signature(model.forward).parameters
    inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(real)}
    inputs |= {key: value for key, value in extra.items() if key in taken}
    moved = {
        key: value.to(model.device) if isinstance(value, torch.Tensor) else value
        for key, value in inputs.items()
    }
    with torch.inference_mode():
        out = model(**moved, past_key_values=cache, use_cache=True)
    logits: NDArray[np.float64] = out.logits[:, -1].double().cpu().numpy()
    return logits, out.past_key_values
