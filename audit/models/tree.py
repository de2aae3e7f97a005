"""Asks a causal model for log-probabilities along trees of tokens that share a beginning.

A tree hangs on a shared prefix that went through the model once and lies in a pool; its tokens see the prefix
and their own ancestors, nothing else. Texts, the verbalizers that follow them, and the choices that follow a
question are all trees. Several small trees on one prefix lie side by side in one row of a batch (a mask parts
them), so that little is padded and each row reads the prefix's keys and values once: on two cores 1.2 times
as fast as one text per row. Rows of one batch may hang on different prefixes. A model that cannot do so
(found out by trying it, see `audit.models.sharing`) gets one plain sequence per row.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from audit.models.keeping import cache_name
from audit.models.pool import Pool

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WIDTHS = range(64, 257, 8)
"""Tokens that small trees may be packed to. In rows too narrow for the texts more is left empty, in wide ones
more of the mask is."""

SEEN = 3000
"""Tokens that a token sees when attention costs as much as all else that is done with it. Measured with
SmolLM2 on two cores: where 600 are seen, attention takes 16 of 100 seconds."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Tokens after a prefix, each after its parent, and what is to be read off them."""

    ids: tuple[int, ...]
    """(n,) a parent stands before its children."""
    parents: tuple[int, ...]
    """(n,) place of each token's parent, -1 for the end of the prefix."""
    reads: tuple[tuple[int, int], ...]
    """(place, token): the log-probability of `token` after the token at `place` is wanted."""
    behind: tuple[int, ...] = ()
    """Places in a pool of the prefix's tokens, first token first."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Tokens one after another, whose keys and values are to be kept."""

    ids: tuple[int, ...]
    behind: tuple[int, ...]
    """Places in the pool of the tokens before them."""
    start: int
    """Place in the pool of the first of them."""


def fill(model: PreTrainedModel, pool: Pool, chains: Sequence[Chain]) -> None:
    """Run chains that see nothing but what lies in the pool already, and keep their keys and values there."""
    trees = [Tree(chain.ids, tuple(range(-1, len(chain.ids) - 1)), (), chain.behind) for chain in chains]
    _run(model, trees, pool, [chain.start for chain in chains])


def read(model: PreTrainedModel, trees: Sequence[Tree], pool: Pool | None) -> list[NDArray[np.float64]]:
    """Return the log-probabilities of each tree's reads, in nats.

    They are over the full vocabulary, in float32. Without a pool the trees' first tokens are the first that
    the model sees.
    """
    return _run(model, trees, pool, ())


def _run(
    model: PreTrainedModel, trees: Sequence[Tree], pool: Pool | None, kept: Sequence[int]
) -> list[NDArray[np.float64]]:
    """Run trees, those with one prefix packed into rows; `kept` are the places where each one's tokens go."""
    rows = lay_rows(trees)
    before = [len(trees[row[0][0]].behind) for row in rows]
    places = {i: (r, start) for r, row in enumerate(rows) for i, start in row}
    past, width = max(before), max(start + len(trees[i].ids) for row in rows for i, start in row)
    ids = np.zeros((len(rows), width), dtype=np.int64)
    positions = np.repeat(np.array(before, dtype=np.int64)[:, None], width, axis=1)
    seen = np.zeros((len(rows), width, past + width), dtype=bool)
    seen[:, :, :past] = np.arange(past) < np.array(before)[:, None, None]
    # A row's free end sees itself: a token that sees nothing would be 0 / 0.
    seen[:, np.arange(width), past + np.arange(width)] = True
    for i, tree in enumerate(trees):
        row, start = places[i]
        end = start + len(tree.ids)
        ancestors = _ancestors(tree.parents)
        ids[row, start:end] = tree.ids
        positions[row, start:end] += ancestors.sum(axis=1) - 1
        seen[row, start:end, past + start : past + end] = ancestors
    if pool is not None:
        behind = np.zeros((len(rows), past), dtype=np.int64)
        for r, packed in enumerate(rows):
            behind[r, : before[r]] = trees[packed[0][0]].behind
        cells = [(places[i][0], places[i][1] + t) for i in range(len(kept)) for t in range(len(trees[i].ids))]
        spots = [start + t for tree, start in zip(trees, kept, strict=False) for t in range(len(tree.ids))]
        pool.turn(model.device, behind, cells, spots)
    asked = [(i, place) for i, tree in enumerate(trees) for place in dict(tree.reads)]
    with torch.inference_mode():
        logits = _logits(
            model,
            [places[i][0] for i, _ in asked] or [0],
            [places[i][1] + place for i, place in asked] or [0],
            input_ids=_tensor(model, ids),
            attention_mask=_mask(model, seen),
            position_ids=_tensor(model, positions),
            use_cache=pool is not None,
            **({} if pool is None else {cache_name(model) or "past_key_values": pool}),
        )
    return _gather(trees, asked, logits) if asked else [np.empty(0) for _ in trees]


def lay_rows(trees: Sequence[Tree]) -> list[list[tuple[int, int]]]:
    """Return rows of (place of a tree, its first column), in the cheapest width; one prefix for each row."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, tree in enumerate(trees):
        groups.setdefault(tree.behind, []).append(i)
    longest, past = max(len(tree.ids) for tree in trees), max(map(len, groups))

    def packed(width: int) -> list[list[tuple[int, int]]]:
        return [
            [(group[place], start) for place, start in row]
            for group in groups.values()
            for row in pack([len(trees[i].ids) for i in group], width=width)
        ]

    def cost(rows: list[list[tuple[int, int]]]) -> int:
        width = max(start + len(trees[i].ids) for row in rows for i, start in row[-1:])
        return len(rows) * width * (SEEN + past + width)

    widths = sorted({max(longest, width) for width in WIDTHS}) if len(trees) > len(groups) else [longest]
    return min(map(packed, widths), key=cost)


def _mask(model: PreTrainedModel, seen: NDArray[np.bool_]) -> torch.Tensor:
    """Return (rows, 1, tokens, past + tokens): 0 where a token sees another, the least number elsewhere."""
    kept = torch.from_numpy(seen).to(model.device)[:, None]
    mask = torch.zeros(kept.shape, dtype=model.dtype, device=model.device)
    return mask.masked_fill_(~kept, torch.finfo(model.dtype).min)


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


def pack(lengths: Sequence[int], *, width: int) -> list[list[tuple[int, int]]]:
    """Return rows of (place in `lengths`, start): longest first, each in the fullest row with room.

    A row holds `width`, or the longest of all if that is more. Starts go up along a row.

    >>> pack([3, 9, 4, 4], width=8)
    [[(1, 0)], [(2, 0), (3, 4)], [(0, 0)]]
    """
    width = max(width, *lengths)
    rows: list[list[tuple[int, int]]] = []
    free: list[tuple[int, int]] = []  # (room left, row), the fullest first
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        fitting = bisect.bisect_left(free, (lengths[i], 0))
        if fitting < len(free):
            room, row = free.pop(fitting)
        else:
            room, row = width, len(rows)
            rows.append([])
        rows[row].append((i, width - room))
        bisect.insort(free, (room - lengths[i], row))
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
