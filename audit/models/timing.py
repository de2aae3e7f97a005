"""A clock around one model: what a request takes past all caches, and how much there is of the model.

Nothing is loaded before the first question. Each clock stops when the numbers lie in the machine's own
memory, so a GPU has finished by then.
"""

from __future__ import annotations

import functools
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audit.errors import ModelError
from audit.models.engine import Encoded, Engine, Row
from audit.models.pieces import lay_out
from audit.models.scoring import softmax
from audit.schema import Prompt, Sizes, Text

if TYPE_CHECKING:
    from audit.models.asking import Asking
    from audit.models.causal import Causal


class ClassifierWatch:
    """A Stopwatch over a fine-tuned classifier or a function of the user's."""

    keeps_prompt = False
    writes = False

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        *,
        sizes: Callable[[], Sizes],
        machine: Callable[[], str],
        tokenises: bool = True,
    ) -> None:
        """Keep all of it; nothing is loaded yet.

        Args:
            open_engine: loads the model at the first call, and gives the same one at the next.
            sizes: counts; may load the model.
            machine: says what the model runs on; may load the model.
            tokenises: False where `encode` is book-keeping of ours, and the model is given the texts.
        """
        self._open = open_engine
        self._sizes = sizes
        self._machine = machine
        self._tokenises = tokenises

    @property
    def machine(self) -> str:
        """Device, threads, number format."""
        return self._machine()

    def tokens(self, text: Text) -> int | None:
        """Tokens of the text, special ones included, as far as the model reads it."""
        return len(self._open().encode([text])[0].ids) if self._tokenises else None

    def answer(self, text: Text) -> float:
        """Seconds from the text to its probabilities."""
        return self.answer_together([text])

    def answer_kept(self, text: Text) -> float:
        """Seconds of one request: there is no prompt to keep."""
        return self.answer(text)

    def answer_together(self, texts: Sequence[Text]) -> float:
        """Seconds of one call with these texts, padded to the longest."""
        engine = self._open()
        known = None if self._tokenises else engine.encode(texts)
        started = time.perf_counter()
        _probabilities(engine.forward(engine.encode(texts) if known is None else known))
        return time.perf_counter() - started

    def write(self, prompt: str, *, read: int, written: int) -> tuple[float, ...]:
        """Refuse: a classifier does not write.

        Raises:
            ModelError: always.
        """
        raise ModelError("a fine-tuned classifier does not write text; ask only where `writes` is true")

    def sizes(self) -> Sizes:
        """Say how much there is of the model."""
        return self._sizes()


class PromptedWatch:
    """A Stopwatch over a prompt and a causal language model.

    A request is the whole of it: the prompt is tokenised and read anew for each text, and all verbalizers are
    scored in the same pass, as in the audit itself. With `answer_kept` the keys and values of the prompt are
    there, as on a server that keeps prefixes, and only the text is tokenised and read. A correction in force
    is a sum of k numbers and is left out.
    """

    def __init__(
        self,
        open_causal: Callable[[], Causal],
        prompt: Prompt,
        *,
        sizes: Callable[[], Sizes],
        machine: Callable[[], str],
    ) -> None:
        """Keep all of it, as `ClassifierWatch` does; nothing is loaded yet."""
        self._open = open_causal
        self._prompt = prompt
        self._sizes = sizes
        self._machine = machine

    @property
    def machine(self) -> str:
        """Device, threads, number format."""
        return self._machine()

    @property
    def keeps_prompt(self) -> bool:
        """Whether something stands before every text, and the model can take up keys and values of it."""
        # One token is the beginning that every sequence has.
        return self._asking.prefix_tokens > 1 and self._open().shares

    @property
    def writes(self) -> bool:
        """Whether the model keeps keys and values, so that a token costs one step."""
        from audit.models.sizes import keeps_past

        return keeps_past(self._open().model)

    def tokens(self, text: Text) -> int:
        """Tokens of prompt and text; verbalizers are not counted."""
        return self._asking.prefix_tokens + len(self._asking.encode([text])[0].ids)

    def answer(self, text: Text) -> float:
        """Seconds from prompt and text to the probabilities of the labels."""
        return self.answer_together([text])

    def answer_kept(self, text: Text) -> float:
        """Seconds from the text to the probabilities, the prompt's keys and values being there."""
        asking = self._asking
        started = time.perf_counter()
        _probabilities(asking.forward(asking.encode([text])))
        return time.perf_counter() - started

    def answer_together(self, texts: Sequence[Text]) -> float:
        """Seconds of one call with these texts, each with a prompt of its own."""
        asking, causal = self._asking, self._open()
        prefix = tuple(token for segment in asking.beginning for token in segment)
        shared = lay_out(self._prompt, causal.chat).shared
        started = time.perf_counter()
        for _ in texts:
            # What it gives is `prefix`, known before; a request that brings its prompt pays for this.
            causal.pieces.follow(shared)
        batch = [Encoded(ids=(*prefix, *one.ids)) for one in asking.encode(texts)]
        _probabilities(asking.rows(causal.read(asking.trees(batch))))
        return time.perf_counter() - started

    def write(self, prompt: str, *, read: int, written: int) -> tuple[float, ...]:
        """Seconds to the first token, then from each to the next; the likeliest token is taken each time.

        Raises:
            ModelError: prompt and new tokens are longer than the model can take.
        """
        from audit.models.sizes import steps

        causal = self._open()
        if causal.context is not None and read + written > causal.context:
            raise ModelError(
                f"{causal.name}: {read} tokens to read and {written} to write are more than the model can "
                f"take, which is {causal.context}; ask for fewer"
            )
        started = time.perf_counter()
        ids = causal.pieces.start(prompt) or causal.ground
        ids = (ids * math.ceil(read / len(ids)))[:read]
        return tuple(steps(causal.model, ids, written, started))

    def sizes(self) -> Sizes:
        """Say how much there is of the model."""
        return self._sizes()

    @functools.cached_property
    def _asking(self) -> Asking:
        from audit.models.asking import Asking

        return Asking(self._open(), self._prompt)


def plain_machine() -> str:
    """Return what runs a function of the user's, of which nothing more is known."""
    return f"{platform.machine()}, {os.cpu_count()} cores, a function of the user's"


def plain_sizes(files: Iterable[Path]) -> Sizes:
    """Return what is known of a model that is a file and no more."""
    return Sizes(files=size(files), peak=peak())


def size(files: Iterable[Path]) -> int:
    """Return the bytes of these files, each counted once."""
    return sum(path.stat().st_size for path in set(files))


def peak() -> int | None:
    """Return the most bytes that this process has had in memory; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _probabilities(rows: Sequence[Row]) -> None:
    """Do what is left between the model's numbers and the answer."""
    softmax(np.array([row.logits for row in rows], dtype=np.float64))
