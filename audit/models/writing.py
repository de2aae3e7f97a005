"""Lets a causal model write: each prompt is read once for all its samples, and rows that ended are dropped.

What the prompts of a batch begin with (a chat template, demonstrations) is read once for all; the rest is
padded on the left. There is one random stream per prompt and sample, one number of it per token.
"""

from __future__ import annotations

import inspect
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from audit.errors import ModelError, shown
from audit.models.causal import Causal
from audit.models.keeping import cache_name
from audit.models.scoring import plan
from audit.seeds import Seeds

if TYPE_CHECKING:
    from audit.models.language_model import Manner


ROW = 16
"""Tokens of a batch that a row takes at least. A step reads all weights however few the rows: with SmolLM2 on
two cores one of 10 rows took 239 ms, of 32 rows 340, of 64 rows 512, of 96 rows 665."""
STEP = 40
"""Tokens read together that take as long as a step beside its rows, measured there: the price of a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one batch wrote."""

    texts: dict[int, list[str]]
    """Place of the prompt → its samples."""
    tokens: int
    """Tokens that went through the model."""
    saved: int
    """Tokens of prompts that were not read again, for further samples or other prompts."""
    seconds: float


def write(
    causal: Causal, prompts: Sequence[str], manner: Manner, *, done: AbstractSet[int] = frozenset()
) -> Iterator[Written]:
    """Yield what each batch wrote; each prompt is in one batch, with all its samples.

    Args:
        done: places of prompts that are known: they count where batches are planned, and are not written.

    Raises:
        ModelError: a prompt and the new tokens are longer than the model can take; logits that are no
            numbers.
    """
    samples, new = manner.drawn, manner.max_new_tokens
    ids = [begin(causal, prompt) for prompt in prompts]
    for prompt, one in zip(prompts, ids, strict=True):
        if causal.context is not None and len(one) + new > causal.context:
            raise ModelError(
                f"{causal.name}: a prompt is too long to be continued: {shown(prompt)} has {len(one)} "
                f"tokens, and with {new} new ones that is over {causal.context}; cut it"
            )
    for shared, planned in _batches(causal, ids, manner):
        batch = [place for place in planned if place not in done]
        if not batch:
            continue
        started = time.perf_counter()
        draw = _Draw(name=causal.name, manner=manner, numbers=_numbers(manner, [prompts[i] for i in batch]))
        rows = _continue(causal, [ids[place] for place in batch], shared, draw)
        # The samples of a prompt lie side by side.
        texts = [causal.tokenizer.decode(row, skip_special_tokens=True) for row in rows]
        whole = sum(len(ids[place]) for place in batch)
        read = whole - (len(batch) - 1) * shared
        yield Written(
            texts={place: texts[i * samples : (i + 1) * samples] for i, place in enumerate(batch)},
            tokens=read + sum(map(len, rows)),
            saved=samples * whole - read,
            seconds=time.perf_counter() - started,
        )


def _batches(
    causal: Causal, ids: Sequence[tuple[int, ...]], manner: Manner
) -> Iterator[tuple[int, list[int]]]:
    """Yield places of prompts that are written together, and how many tokens these begin with in common."""
    samples, new = manner.drawn, manner.max_new_tokens
    shares = len(ids) > 1 and causal.packs(max(map(len, ids)) + new)
    order = sorted(range(len(ids)), key=lambda place: ids[place])
    each = causal.batch_tokens / causal.pool_tokens if causal.shares else 1.0
    for family in _families(ids, order, new * STEP) if shares else [order]:
        shared = _common(ids, family) if shares else 0
        # What is read, its rows, and what is kept take room.
        rooms = [
            max(len(ids[i]) - shared, samples * ROW, math.ceil(samples * (len(ids[i]) + new) * each))
            for i in family
        ]
        for batch in plan(rooms, batch_tokens=causal.batch_tokens):
            yield shared, [family[i] for i in batch]


def _families(ids: Sequence[tuple[int, ...]], places: list[int], least: int) -> list[list[int]]:
    """Part sorted prompts where that saves more than `least` tokens of what a part begins with."""
    common = _common(ids, places)
    parts = [list(part) for _, part in itertools.groupby(places, lambda i: ids[i][common : common + 1])]
    apart = [part for part in parts if (len(part) - 1) * (_common(ids, part) - common) > least]
    rest = [place for part in parts if part not in apart for place in part]
    return [family for part in apart for family in _families(ids, part, least)] + [rest] * bool(rest)


def _common(ids: Sequence[tuple[int, ...]], places: Sequence[int]) -> int:
    """Return how many tokens sorted prompts begin with; one at least is left to each."""
    equal = [a == b for a, b in zip(ids[places[0]], ids[places[-1]], strict=False)]
    return min([*equal, False].index(False), min(len(ids[i]) for i in places) - 1)


def begin(causal: Causal, prompt: str) -> tuple[int, ...]:
    """Return the ids of a prompt; an empty one without a beginning token begins with an end token."""
    return causal.pieces.start(prompt) or causal.ground


def _numbers(manner: Manner, prompts: Sequence[str]) -> torch.Tensor:
    """Return (prompts times samples, new tokens) numbers in [0, 1), a row from each stream."""
    streams = Seeds(manner.seed)
    shape = (len(prompts) * manner.drawn, manner.max_new_tokens)
    if manner.temperature == 0:
        return torch.zeros(shape, dtype=torch.float64)
    rows = [
        streams.rng("generate", prompt, str(sample)).random(manner.max_new_tokens)
        for prompt in prompts
        for sample in range(manner.drawn)
    ]
    return torch.from_numpy(np.stack(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """How the next token is chosen."""

    name: str
    """Of the model, for messages."""
    manner: Manner
    numbers: torch.Tensor
    """(rows, steps) in [0, 1)."""

    def __call__(self, logits: torch.Tensor, rows: Sequence[int], step: int) -> torch.Tensor:
        """(n, vocabulary) logits of these rows to (n,) tokens: the likeliest, or one for each row's number.

        Of equals the first is the likeliest. With temperature, the token drawn is the first, in the order of
        the vocabulary, at which the summed probabilities exceed the number times their total.

        Raises:
            ModelError: logits that are no numbers.
        """
        best = logits.max(dim=1)
        if not bool(best.values.isfinite().all()):
            raise ModelError(
                f"{self.name}: an answer is not a finite number while it writes; check the weights, or set "
                "model.dtype: float32"
            )
        if self.manner.temperature == 0:
            return best.indices
        shares = ((logits - best.values[:, None]) / self.manner.temperature).softmax(dim=1)
        if self.manner.top_p < 1:
            shares = _nucleus(shares, self.manner.top_p)
        sums = shares.cumsum(dim=1, dtype=torch.float64)
        totals = sums[:, -1:]
        wanted = self.numbers[list(rows), step][:, None].to(sums.device) * totals
        # Rounding may lift the product to the total, which no token exceeds.
        wanted = wanted.minimum(totals.nextafter(torch.zeros_like(totals)))
        return torch.searchsorted(sums, wanted, right=True)[:, 0]


def _nucleus(shares: torch.Tensor, top_p: float) -> torch.Tensor:
    """Return shares (n, vocabulary), 0 where a token is not among the fewest that add up to `top_p`.

    Tokens as likely as the last of them stay. Where rounding keeps all tokens from adding up, all stay.
    """
    least = [_least(row, top_p) for row in shares]
    return shares.where(shares >= torch.stack(least)[:, None], 0.0)


def _least(shares: torch.Tensor, top_p: float) -> torch.Tensor:
    """Return the share of the last token that is needed."""
    # All tokens at or below this add up to 1 - top_p at most, so none of them is needed; few are above.
    likeliest = shares[shares > (1 - top_p) / len(shares)].sort(descending=True).values
    enough = likeliest.cumsum(dim=0, dtype=torch.float64) >= top_p
    return likeliest[enough.int().argmax()] if bool(enough.any()) else shares.new_zeros(())


def _continue(
    causal: Causal, prompts: Sequence[tuple[int, ...]], shared: int, draw: _Draw
) -> list[list[int]]:
    """Write after each prompt, sample by sample; an end token ends a row and is not part of it."""
    samples, steps = draw.manner.drawn, draw.manner.max_new_tokens
    state = _State(causal.model, prompts, shared)
    logits = state.read().repeat_interleave(samples, dim=0)
    state.repeat(samples)
    rows: list[list[int]] = [[] for _ in range(len(prompts) * samples)]
    alive = list(range(len(rows)))
    for step in range(steps):
        chosen = draw(logits, alive, step)
        tokens = chosen.tolist()
        going = [i for i, token in enumerate(tokens) if token not in causal.ends]
        for i in going:
            rows[alive[i]].append(tokens[i])
        if not going or step == steps - 1:
            break
        if len(going) < len(alive):
            state.keep(going)
            chosen = chosen[going]
            alive = [alive[i] for i in going]
        state.add(chosen)
        logits = state.read()
    return rows


class _State:
    """Rows of tokens, and what the model keeps of those that it has read."""

    def __init__(self, model: Any, prompts: Sequence[tuple[int, ...]], shared: int) -> None:
        """Read the tokens that all prompts begin with, if any; pad what follows on the left."""
        self._model = model
        self._taken = inspect.signature(model.forward).parameters
        self._kept = cache_name(model) or ""
        self._cache: Any = None
        self._seen = 0
        self._ids = torch.tensor([prompts[0][:shared]], dtype=torch.long, device=model.device)  # (n, width)
        self._real = torch.ones_like(self._ids)  # (n, width)
        if shared:
            self.read()
        self.repeat(len(prompts))
        own = [list(one[shared:]) for one in prompts]
        gaps = [max(map(len, own)) - len(one) for one in own]
        rest = [[0] * gap + one for gap, one in zip(gaps, own, strict=True)]
        real = [[0] * gap + [1] * len(one) for gap, one in zip(gaps, own, strict=True)]
        self._ids = torch.cat([self._ids, torch.tensor(rest, device=model.device)], dim=1)
        self._real = torch.cat([self._real, torch.tensor(real, device=model.device)], dim=1)

    def read(self) -> torch.Tensor:
        """Read what is new; return the logits (n, vocabulary) after the last token, in float32."""
        seen = 0 if self._cache is None else self._seen
        extra: dict[str, Any] = {
            "position_ids": (self._real.cumsum(dim=1) - 1).clamp(min=0)[:, seen:],
            "logits_to_keep": 1,
        }
        given = {key: value for key, value in extra.items() if key in self._taken}
        if self._cache is not None:
            given[self._kept] = self._cache
        with torch.inference_mode():
            out = self._model(
                input_ids=self._ids[:, seen:], attention_mask=self._real, use_cache=bool(self._kept), **given
            )
            self._cache = getattr(out, self._kept) if self._kept else None
            self._seen = self._ids.shape[1]
            return out.logits[:, -1].float()  # type: ignore[no-any-return]  # transformers has no types

    def repeat(self, times: int) -> None:
        """Put each row there `times` times, one after the other."""
        if times > 1:
            self._ids = self._ids.repeat_interleave(times, dim=0)
            self._real = self._real.repeat_interleave(times, dim=0)
            self._change("batch_repeat_interleave", times)

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all other rows."""
        chosen = torch.tensor(rows, device=self._ids.device)
        self._ids, self._real = self._ids[chosen], self._real[chosen]
        self._change("batch_select_indices", chosen)

    def add(self, tokens: torch.Tensor) -> None:
        """Put a token after each row."""
        self._ids = torch.cat([self._ids, tokens[:, None].to(self._ids.device)], dim=1)
        self._real = torch.cat([self._real, torch.ones_like(self._real[:, :1])], dim=1)

    def _change(self, how: str, value: Any) -> None:
        """Change the rows of what is kept; where a model's own kind cannot do that, all is read again."""
        change = getattr(self._cache, how, None)
        if change is None:
            self._cache = None
        else:
            with torch.inference_mode():
                change(value)
