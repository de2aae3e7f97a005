"""What a loaded model offers to the scorer: tokens in, one row of numbers per text out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from audit.schema import Text


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text as the model will see it. Equal `ids` and `kinds` get equal answers."""

    ids: tuple[int, ...]
    """Token ids that this text adds (a shared prefix is not among them)."""
    kinds: tuple[int, ...] = ()
    """Token type ids, empty where the model has none."""
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One answer, as kept in the cache."""

    logits: tuple[float, ...]
    """k numbers: logits, or log-probabilities of the classes before normalising."""
    mass: float | None = None
    """Probability on all verbalizers together; None for a fine-tuned model."""


class Engine(Protocol):
    """A loaded model with one way of asking it. Loaded at the first miss of the cache."""

    batch_tokens: int
    """Tokens (padding counted) that one batch may hold."""
    prefix_tokens: int
    """Tokens of the shared prefix that each text would cost if it were not shared."""

    def encode(self, texts: Sequence[Text]) -> list[Encoded]:
        """Tokenise; says which texts were cut.

        Raises:
            ModelError: a text that cannot be asked, because nothing of it or around it is a token.
        """

    def forward(self, batch: Sequence[Encoded]) -> list[Row]:
        """Ask the model once; rows in the order of the batch."""


class Meter(Protocol):
    """Told of work as it is done, for a progress bar."""

    def advance(self, *, texts: int, scored: int, tokens: int) -> None:
        """`texts` more were answered, of which `scored` through the model at a cost of `tokens`."""

    def say(self, line: str) -> None:
        """Show a line about the work to come."""
