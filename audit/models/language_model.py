"""A causal language model that keeps its answers: log-probabilities of continuations, and what it writes."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.errors import ModelError
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.pieces import FIELD, MARK
from audit.models.scoring import plan

if TYPE_CHECKING:
    from audit.models.causal import Causal
    from audit.models.choices import Bundle

DRAWS = 2
"""Number of the way in which tokens are drawn, part of the key of what was drawn. 1: Gumbel noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How prompts are continued.

    Raises:
        ValueError: a number out of range.
    """

    max_new_tokens: int
    samples: int
    temperature: float
    """0 takes the likeliest token each time; the next two mean nothing then."""
    top_p: float
    """Tokens are drawn from the fewest whose probabilities add up to this share, in (0, 1]."""
    seed: int

    def __post_init__(self) -> None:
        """Check."""
        whole = self.max_new_tokens >= 1 and self.samples >= 1
        if not (whole and 0 <= self.temperature < math.inf and 0 < self.top_p <= 1):
            raise ValueError(f"out of range: {self}")

    @property
    def drawn(self) -> int:
        """Samples that can differ."""
        return self.samples if self.temperature > 0 else 1

    @property
    def key(self) -> str:
        """What the text depends on, as JSON."""
        if self.temperature == 0:
            return json.dumps([self.max_new_tokens, 1, self.temperature, 0])
        drawn = [self.max_new_tokens, self.samples, self.temperature, self.seed, DRAWS]
        return json.dumps(drawn + [self.top_p] * (self.top_p < 1))


class CachedLanguageModel:
    """A LanguageModel over a model that is loaded at the first answer nobody knows."""

    def __init__(
        self, *, key: bytes, open_causal: Callable[[], Causal], cache: Cache, ledger: Ledger
    ) -> None:
        """Keep all of it; nothing is loaded yet.

        Args:
            key: hash of the model: equal keys, equal answers.
            open_causal: loads the model at the first call, and gives the same one at the next.
        """
        self._key = key
        self._open = open_causal
        self._cache = cache
        self._ledger = ledger

    def log_probs(self, pairs: Sequence[tuple[str, str]]) -> list[NDArray[np.float64]]:
        """Return the log-probability of each continuation token of each (context, continuation), in nats.

        Context and continuation are two pieces (see `audit.models.pieces`): spaces at the end of the context
        go with the continuation. An empty continuation has no token, (0,). After an empty context the first
        token follows BOS, or the end token where the model has no BOS. A context too long for the model
        loses its beginning, and is counted as cut.

        Raises:
            ModelError: a continuation alone is longer than the model can take.
        """
        keys = [self._digest("log_probs", *pair) for pair in pairs]
        known = {
            key: np.frombuffer(value, dtype="<f8")
            for key, value in self._cache.get_many(list(set(keys))).items()
        }
        self._ledger.answered(repeated=len(keys) - len(set(keys)), cached=len(known))
        missing = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
        if missing:
            self._ask(missing, known)
        return [known[key].copy() for key in keys]

    def _ask(self, missing: dict[bytes, tuple[str, str]], known: dict[bytes, NDArray[np.float64]]) -> None:
        from audit.models.choices import bundles, chains

        causal = self._open()
        # Sorted by hash, so that the batches do not depend on the order of the pairs.
        waiting = sorted(missing)
        cut = chains(causal, [missing[key] for key in waiting])
        for key, chain in zip(waiting, cut, strict=True):
            if chain.truncated:
                self._ledger.cut(missing[key])
        for bundle in bundles(cut, limit=causal.batch_tokens):
            self._ask_bundle(bundle, [len(chain.ids) for chain in cut], waiting, known)

    def _ask_bundle(
        self,
        bundle: Bundle,
        lengths: Sequence[int],
        waiting: Sequence[bytes],
        known: dict[bytes, NDArray[np.float64]],
    ) -> None:
        """Ask, batch by batch; `waiting` has the keys of the chains, and `lengths` their tokens."""
        causal = self._open()
        prefix = len(bundle.prefix)  # run with the first batch
        sizes = [len(group.tree.ids) for group in bundle.groups]
        for batch in plan(sizes, batch_tokens=causal.batch_tokens):
            groups = [bundle.groups[i] for i in batch]
            started = time.perf_counter()
            reads = causal.read([group.tree for group in groups], bundle.prefix)
            seconds = time.perf_counter() - started
            found = {
                waiting[place]: part
                for group, read in zip(groups, reads, strict=True)
                for place, part in group.split(read)
            }
            self._cache.put_many({key: part.astype("<f8").tobytes() for key, part in found.items()})
            known.update(found)
            tokens = prefix + sum(sizes[i] for i in batch)
            whole = sum(lengths[place] for group in groups for place in group.members)
            self._ledger.asked(
                texts=len(found), scored=len(found), tokens=tokens, saved=whole - tokens, seconds=seconds
            )
            prefix = 0

    @property
    def chat_frame(self) -> str | None:
        """The model's chat template around one user message, `{text}` where the words go; None without one.

        Special tokens stand in it as text and become special ids again; a beginning token in it is not
        written twice. It is rendered once and kept with the answers, so a template that holds the date keeps
        the date of that day. None too where the template fails, changes the words, does not hold them exactly
        once, or has a field of ours itself.
        """
        known = self._cache.learned("chat frame", self._key.hex(), lambda: {"frame": _frame(self._open())})
        frame = known["frame"]
        return frame if isinstance(frame, str) else None

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        samples: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[list[str]]:
        """Return `samples` continuations of each prompt, without special tokens.

        Temperature 0 takes the likeliest token each time (all samples are then equal). Otherwise tokens are
        drawn from softmax(logits / temperature), from a random stream named by seed, prompt and number of
        the sample, so that other prompts in the call change nothing but rounding.

        Args:
            top_p: draws are made among the fewest tokens, the likeliest, whose probabilities add up to this
                share, and always the likeliest one; those as likely as the last of them belong to them too.

        Raises:
            ModelError: a prompt and the new tokens are longer than the model can take; answers are not
                numbers.
            ValueError: a number out of range.
        """
        manner = Manner(
            max_new_tokens=max_new_tokens, samples=samples, temperature=temperature, top_p=top_p, seed=seed
        )
        keys = [self._digest("generate", manner.key, prompt) for prompt in prompts]
        asked = dict(sorted(zip(keys, prompts, strict=True)))
        known: dict[bytes, list[str]] = {
            key: json.loads(value) for key, value in self._cache.get_many(list(asked)).items()
        }
        self._ledger.answered(repeated=len(keys) - len(asked), cached=len(known))
        if len(known) < len(asked):
            self._write(asked, manner, known)
        return [known[key] * (samples // manner.drawn) for key in keys]

    def _write(self, asked: dict[bytes, str], manner: Manner, known: dict[bytes, list[str]]) -> None:
        """Write what is not known; batches hang on all that is asked, so a resumed run makes the same."""
        from audit.models.writing import write

        places = list(asked)
        done = frozenset(place for place, key in enumerate(places) if key in known)
        for batch in write(self._open(), list(asked.values()), manner, done=done):
            found = {places[place]: texts for place, texts in batch.texts.items()}
            self._cache.put_many({key: json.dumps(texts).encode() for key, texts in found.items()})
            known.update(found)
            self._ledger.asked(
                texts=len(found),
                scored=len(found),
                tokens=batch.tokens,
                saved=batch.saved,
                seconds=batch.seconds,
            )

    def _digest(self, *parts: str) -> bytes:
        grown = hashlib.blake2b(self._key, digest_size=16)
        for part in parts:
            coded = part.encode("utf-8", "surrogatepass")
            grown.update(len(coded).to_bytes(8, "little"))
            grown.update(coded)
        return grown.digest()


def _frame(causal: Causal) -> str | None:
    """Render the chat template on a mark and put the field in its place."""
    try:
        rendered = causal.chat([{"role": "user", "content": MARK}])
    except (ModelError, TypeError, ValueError):  # what templates raise that want more than plain messages
        return None
    if rendered.count(MARK) != 1 or FIELD.search(rendered):
        return None
    return rendered.replace(MARK, "{text}")
