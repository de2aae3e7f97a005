"""Named streams of randomness: (root seed, probe id, example id), never call order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seeds:
    """The root of all randomness in a run."""

    root: int

    def number(self, *names: str) -> int:
        """Return the 63-bit integer that belongs to these names; equal names, equal number."""
        parts = [str(self.root), *names]
        text = "".join(f"{len(part)}:{part}" for part in parts)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") >> 1

    def rng(self, *names: str) -> np.random.Generator:
        """Return a fresh generator for these names, for instance `rng(probe.id, example.id)`."""
        return np.random.default_rng(self.number(*names))

    def pick(self, items: Sequence[T], count: int, key: Callable[[T], str], *names: str) -> list[T]:
        """Return `count` of `items` (all, if fewer), chosen by name and not by place.

        The choice depends on the keys alone, so another order of `items` gives the same ones; they come
        in the order of `items`.
        """
        ranked = sorted(range(len(items)), key=lambda i: (self.number(*names, key(items[i])), i))
        return [items[i] for i in sorted(ranked[:count])]
