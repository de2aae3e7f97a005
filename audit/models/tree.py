"""Asks a causal model for log-probabilities along trees of tokens that share a beginning.

A tree hangs on a shared prefix that went through the model once; its tokens see the prefix and their own
ancestors, nothing else. Texts, the verbalizers that follow them, and the choices that follow a question are
all trees. Several small trees lie side by side in one row of a batch (a mask parts them), so that nothing is
padded and each row reads the prefix's keys and values once: on two cores 1.2 times as fast as one text per
row. A model that cannot do so (found out by trying it, see `shares`) gets one plain sequence per row.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROW = 128
"""Tokens that small trees are packed to. Measured with SmolLM2 on a prefix of 197 and texts of 28: in rows of
64 more of each row is left empty (15 in a hundred slower), in rows of 256 more of the mask (6), and one text
per row is slower by 20."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Tokens after a prefix, each after its parent, and what is to be read off them."""

    ids: tuple[int, ...]
    """(n,) a parent stands before its children."""
    parents: tuple[int, ...]
    """(n,) place of each token's parent, -1 for the end of the prefix."""
    reads: tuple[tuple[int, int], ...]
    """(place, token): the log-probability of `token` after the token at `place` is wanted."""


class Prefix(DynamicCache):  # type: ignore[misc]  # transformers is untyped
    """Keys and values of a shared beginning, never grown by those who read it."""

    frozen = False

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep the states while the prefix is made; afterwards hand them out before each reader's own."""
        if not self.frozen:
            made: tuple[torch.Tensor, torch.Tensor] = super().update(
                key_states, value_states, layer_idx, *args, **kwargs
            )
            return made
        layer = self.layers[layer_idx]
        rows = key_states.shape[0]
        return (
            torch.cat([layer.keys.expand(rows, -1, -1, -1), key_states], dim=2),
            torch.cat([layer.values.expand(rows, -1, -1, -1), value_states], dim=2),
        )


def make_prefix(model: PreTrainedModel, ids: Sequence[int]) -> Prefix:
    """Run `ids` once and return their keys and values."""
    cache = Prefix()
    with torch.inference_mode():
        _logits(model, [0], [0], input_ids=_tensor(model, [list(ids)]), past_key_values=cache, use_cache=True)
    cache.frozen = True
    return cache


def read(model: PreTrainedModel, trees: Sequence[Tree], prefix: Prefix | None) -> list[NDArray[np.float64]]:
    """Return the log-probabilities of each tree's reads, in nats.

    They are over the full vocabulary, in float32. Without a prefix the trees' first tokens are the first that
    the model sees.
    """
    before = 0 if prefix is None else int(prefix.get_seq_length())
    rows = pack([len(tree.ids) for tree in trees], width=ROW)
    places = {i: (r, start) for r, row in enumerate(rows) for i, start in row}
    width = max(start + len(trees[i].ids) for row in rows for i, start in row)
    ids = np.zeros((len(rows), width), dtype=np.int64)
    positions = np.full((len(rows), width), before, dtype=np.int64)
    seen = np.zeros((len(rows), width, before + width), dtype=bool)
    seen[:, :, :before] = True
    # A row's free end sees itself: a token that sees nothing would be 0 / 0.
    seen[:, np.arange(width), before + np.arange(width)] = True
    for i, tree in enumerate(trees):
        row, start = places[i]
        end = start + len(tree.ids)
        ancestors = _ancestors(tree.parents)
        ids[row, start:end] = tree.ids
        positions[row, start:end] = before + ancestors.sum(axis=1) - 1
        seen[row, start:end, before + start : before + end] = ancestors
    kept = torch.from_numpy(seen).to(model.device)[:, None]
    mask = torch.zeros(kept.shape, dtype=model.dtype, device=model.device)
    mask.masked_fill_(~kept, torch.finfo(model.dtype).min)
    asked = [(i, place) for i, tree in enumerate(trees) for place in dict(tree.reads)]
    with torch.inference_mode():
        logits = _logits(
            model,
            [places[i][0] for i, _ in asked],
            [places[i][1] + place for i, place in asked],
            input_ids=_tensor(model, ids),
            attention_mask=mask,
            position_ids=_tensor(model, positions),
            past_key_values=prefix,
            use_cache=prefix is not None,
        )
    return _gather(trees, asked, logits)


def read_plain(
    model: PreTrainedModel, trees: Sequence[Tree], prefix: Sequence[int], *, batch_tokens: int
) -> list[NDArray[np.float64]]:
    """Return what `read` returns, from one plain sequence (prefix and all) per row and leaf."""
    paths = [(i, path) for i, tree in enumerate(trees) for path in _paths(tree.parents)]
    answers: list[dict[tuple[int, int], float]] = [{} for _ in trees]
    size = max(len(prefix) + len(path) for _, path in paths)
    per_batch = max(1, batch_tokens // size)
    for start in range(0, len(paths), per_batch):
        batch = paths[start : start + per_batch]
        width = max(len(prefix) + len(path) for _, path in batch)
        ids = np.zeros((len(batch), width), dtype=np.int64)
        real = np.zeros((len(batch), width), dtype=np.int64)
        # Padding stands on the right, where no token before it looks, and positions count from 0.
        for row, (i, path) in enumerate(batch):
            ids[row, : len(prefix) + len(path)] = [*prefix, *(trees[i].ids[place] for place in path)]
            real[row, : len(prefix) + len(path)] = 1
        wanted = [
            (row, i, depth, read)
            for row, (i, path) in enumerate(batch)
            for depth, place in enumerate(path)
            for read in trees[i].reads
            if read[0] == place and read not in answers[i]
        ]
        with torch.inference_mode():
            logits = _logits(
                model,
                [row for row, _, _, _ in wanted],
                [len(prefix) + depth for _, _, depth, _ in wanted],
                input_ids=_tensor(model, ids),
                attention_mask=_tensor(model, real),
            )
        values = _pick(logits, list(range(len(wanted))), [one[1] for _, _, _, one in wanted])
        for (_, i, _, one), value in zip(wanted, values, strict=True):
            answers[i][one] = float(value)
    return [
        np.array([known[one] for one in tree.reads], dtype=np.float64)
        for tree, known in zip(trees, answers, strict=True)
    ]


def shares(model: PreTrainedModel) -> bool:
    """Try out whether trees on a shared prefix get the answers of plain sequences from this model.

    False for models without a key-value cache, with positions of their own making (ALiBi), or with a
    recurrent state; a few dozen tokens tell.
    """
    accepted = inspect.signature(model.forward).parameters
    if not {"attention_mask", "position_ids", "past_key_values"} <= set(accepted):
        return False
    size = int(model.config.get_text_config().vocab_size)
    prefix = [i % size for i in range(11, 23)]
    # Four branches on one stem, each read at several tokens, and a second tree beside them.
    ids, asked = [i % size for i in (1, 31, 5, 7, 9, 13)], [i % size for i in (2, 3, 4, 17, 40)]
    branches = tuple((place, token) for place in range(2, 6) for token in asked)
    trees = [
        Tree(tuple(ids), (-1, 0, 1, 1, 1, 1), branches),
        Tree((17 % size, 3 % size), (-1, 0), tuple((1, token) for token in asked)),
    ]
    plain = np.concatenate(read_plain(model, trees, prefix, batch_tokens=64))
    try:
        shared = np.concatenate(read(model, trees, make_prefix(model, prefix)))
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, NotImplementedError):
        # What models raise that do not know a mask of four axes or a cache of keys and values.
        return False
    # In bfloat16 right answers differ by a few tenths here; a lost prefix or a mixed-up branch by several.
    near = 1e-3 if model.dtype == torch.float32 else 1.0
    return bool(np.abs(plain - shared).max() < near)


def window(model: PreTrainedModel) -> int | None:
    """Return the longest sequence for which sharing is right, None where there is no such limit.

    A sliding window and position scaling that depends on the length both break longer ones.
    """
    config = model.config.get_text_config()
    sliding = getattr(config, "sliding_window", None)
    if sliding is not None and getattr(config, "use_sliding_window", True):
        return int(sliding)
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    return 0 if kind in ("dynamic", "longrope") else None


def pack(lengths: Sequence[int], *, width: int) -> list[list[tuple[int, int]]]:
    """Return rows of (place in `lengths`, start): longest first, each in the first row with room.

    A row holds `width`, or the longest of all if that is more.

    >>> pack([3, 9, 4, 4], width=8)
    [[(1, 0)], [(2, 0), (3, 4)], [(0, 0)]]
    """
    width = max(width, *lengths)
    rows: list[list[tuple[int, int]]] = []
    used: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        row = next((r for r, length in enumerate(used) if length + lengths[i] <= width), len(rows))
        if row == len(rows):
            rows.append([])
            used.append(0)
        rows[row].append((i, used[row]))
        used[row] += lengths[i]
    return rows


def _ancestors(parents: Sequence[int]) -> NDArray[np.bool_]:
    """(n, n): row i marks i and all that lie between it and the prefix."""
    chain = next((i for i, parent in enumerate(parents) if parent != i - 1), len(parents))
    marks = np.eye(len(parents), dtype=bool)
    marks[:chain, :chain] = np.tri(chain, dtype=bool)
    for i in range(chain, len(parents)):
        if parents[i] >= 0:
            marks[i] |= marks[parents[i]]
    return marks


def _paths(parents: Sequence[int]) -> list[list[int]]:
    """The way from the prefix to each leaf."""
    leaves = sorted(set(range(len(parents))) - set(parents))
    return [np.flatnonzero(marks).tolist() for marks in _ancestors(parents)[leaves]]


def _logits(
    model: PreTrainedModel, rows: Sequence[int], columns: Sequence[int], **inputs: Any
) -> torch.Tensor:
    """(len(rows), vocabulary) float32 logits at those places; no others are computed.

    The hidden states are chosen on their way into the output layer, so that what a model does after it
    (a scale, a soft cap) is done as ever.
    """
    head = model.get_output_embeddings()

    def choose(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (args[0][list(rows), list(columns)][None], *args[1:])

    if head is None:
        every: torch.Tensor = model(**inputs).logits[list(rows), list(columns)]
        return every.float()
    handle = head.register_forward_pre_hook(choose)
    try:
        chosen: torch.Tensor = model(**inputs).logits[0]
    finally:
        handle.remove()
    return chosen.float()


def _gather(
    trees: Sequence[Tree], asked: Sequence[tuple[int, int]], logits: torch.Tensor
) -> list[NDArray[np.float64]]:
    row_of = {place: row for row, place in enumerate(asked)}
    rows = [row_of[i, place] for i, tree in enumerate(trees) for place, _ in tree.reads]
    tokens = [token for tree in trees for _, token in tree.reads]
    values = _pick(logits, rows, tokens)
    return np.split(values, np.cumsum([len(tree.reads) for tree in trees])[:-1])


def _pick(logits: torch.Tensor, rows: list[int], tokens: list[int]) -> NDArray[np.float64]:
    """log softmax(logits)[rows, tokens] without the whole table."""
    chosen = logits[rows, tokens] - logits.logsumexp(dim=-1)[rows]
    values: NDArray[np.float64] = chosen.double().cpu().numpy()
    return values


def _tensor(model: PreTrainedModel, numbers: object) -> torch.Tensor:
    return torch.as_tensor(np.asarray(numbers), device=model.device)
