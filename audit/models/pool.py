"""Keys and values of tokens that many questions share, kept once and handed to whoever sees them.

A pool holds one row for each token of a forest of beginnings (see `audit.models.trie`). Each row of a batch
names the places of the tokens before it, so that a batch holds questions of many prompts at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SHARE, LEAST, MOST = 16, 2**28, 2**32
"""A pool takes one part in SHARE of the machine's memory, from 256 MiB to 4 GiB. Of all memory, not of what
is free just now: what is asked together, and so the last bits of an answer, must not hang on the hour."""


class Pool(DynamicCache):  # type: ignore[misc]  # transformers is untyped
    """A key–value cache whose past differs from row to row."""

    def __init__(self, size: int) -> None:
        """Take the number of tokens that it will hold."""
        super().__init__()
        self._size = size
        self._kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._behind: torch.Tensor | None = None
        self._cells: tuple[torch.Tensor, torch.Tensor] | None = None
        self._places: torch.Tensor | None = None

    def turn(
        self,
        device: torch.device,
        behind: NDArray[np.int64],
        cells: Sequence[tuple[int, int]] = (),
        places: Sequence[int] = (),
    ) -> None:
        """Say what the next batch sees, and what of it is kept.

        Args:
            device: where the model is.
            behind: (rows, longest) places of the tokens before each row; any place where there is none, for
                the mask hides it.
            cells: (row, column) of the batch's tokens that are kept.
            places: where each of them goes.
        """
        self._behind = torch.as_tensor(behind, device=device)
        rows_columns = np.array(cells, dtype=np.int64).reshape(-1, 2)
        self._cells = (
            torch.as_tensor(rows_columns[:, 0], device=device),
            torch.as_tensor(rows_columns[:, 1], device=device),
        )
        self._places = torch.as_tensor(np.array(places, dtype=np.int64), device=device)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Hand out each row's past before its own (rows, heads, tokens, width); keep what is asked."""
        assert self._behind is not None and self._cells is not None and self._places is not None
        if layer_idx not in self._kept:
            self._kept[layer_idx] = (self._empty(key_states), self._empty(value_states))
        keys, values = self._kept[layer_idx]
        before = (keys[self._behind].transpose(1, 2), values[self._behind].transpose(1, 2))
        if self._places.numel():
            rows, columns = self._cells
            keys[self._places] = key_states[rows, :, columns]
            values[self._places] = value_states[rows, :, columns]
        return torch.cat([before[0], key_states], dim=2), torch.cat([before[1], value_states], dim=2)

    def get_seq_length(self, *args: Any, **kwargs: Any) -> int:
        """Return the tokens before the batch, of the row that has most."""
        return 0 if self._behind is None else int(self._behind.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept."""
        return sum(one.numel() * one.element_size() for pair in self._kept.values() for one in pair)

    def _empty(self, states: torch.Tensor) -> torch.Tensor:
        """(tokens, heads, width): a token's states lie together, so that gathering copies long pieces."""
        return states.new_zeros((self._size, states.shape[1], states.shape[3]))


def most_tokens(model: PreTrainedModel, bytes_per_token: int) -> int:
    """Return how many tokens a pool may hold on this machine."""
    if model.device.type == "cuda":
        memory = int(torch.cuda.get_device_properties(model.device).total_memory)
    else:
        memory = _physical()
    return max(1, min(max(memory // SHARE, LEAST), MOST) // max(1, bytes_per_token))


def _physical() -> int:
    """Return the machine's memory in bytes; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
