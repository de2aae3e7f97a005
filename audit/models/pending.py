"""What is known of the texts of a call before the model is asked, and the form in which it is kept."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from audit.models.engine import Row
from audit.schema import Text


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a text once it was tokenised."""

    fingerprint: bytes
    length: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """A call of `score`, once all that is known was looked up."""

    seen: tuple[Seen, ...]
    """Of each text."""
    planned: tuple[bytes, ...]
    """Fingerprints that this run had not answered before, in an order of their own."""
    cached: frozenset[bytes]
    """Of these, what an earlier run has answered."""
    times: Counter[bytes]
    """How many texts wait for each planned fingerprint."""
    text_of: Mapping[bytes, Text]
    """One text of each planned fingerprint."""
    length_of: Mapping[bytes, int]
    """Tokens of each planned fingerprint."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to be asked."""
        return len(self.cached) == len(self.planned)


# Rows on disk, little-endian: fingerprint, length, truncated; and 1 or 0 for the mass, then float64s, so that
# what comes back is equal to the bit.


def seen_bytes(one: Seen) -> bytes:
    """Return what `read_seen` reads."""
    return struct.pack("<16sI?", one.fingerprint, one.length, one.truncated)


def read_seen(value: bytes) -> Seen:
    """Return what `seen_bytes` wrote."""
    return Seen(*struct.unpack("<16sI?", value))


def row_bytes(row: Row) -> bytes:
    """Return what `read_row` reads."""
    numbers = row.logits if row.mass is None else (row.mass, *row.logits)
    return struct.pack(f"<?{len(numbers)}d", row.mass is not None, *numbers)


def read_row(value: bytes) -> Row:
    """Return what `row_bytes` wrote."""
    has_mass, *numbers = struct.unpack(f"<?{(len(value) - 1) // 8}d", value)
    return Row(logits=tuple(numbers[has_mass:]), mass=numbers[0] if has_mass else None)
