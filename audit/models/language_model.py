"""A causal language model that keeps its answers: log-probabilities of continuations, and what it writes."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.scoring import plan

if TYPE_CHECKING:
    from audit.models.causal import Causal


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
        from audit.models.choices import chains, join

        causal = self._open()
        # Sorted by hash, so that the batches do not depend on the order of the pairs.
        waiting = sorted(missing)
        cut = chains(causal, [missing[key] for key in waiting])
        for key, chain in zip(waiting, cut, strict=True):
            if chain.truncated:
                self._ledger.cut(missing[key])
        groups = join(cut, limit=causal.batch_tokens)
        for batch in plan([len(group.tree.ids) for group in groups], batch_tokens=causal.batch_tokens):
            started = time.perf_counter()
            reads = causal.read([groups[i].tree for i in batch])
            seconds = time.perf_counter() - started
            found = {
                waiting[place]: part
                for i, read in zip(batch, reads, strict=True)
                for place, part in groups[i].split(read)
            }
            self._cache.put_many({key: part.astype("<f8").tobytes() for key, part in found.items()})
            known.update(found)
            tokens = sum(len(groups[i].tree.ids) for i in batch)
            whole = sum(len(cut[place].ids) for i in batch for place in groups[i].members)
            self._ledger.asked(
                texts=len(found), scored=len(found), tokens=tokens, saved=whole - tokens, seconds=seconds
            )

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        samples: int = 1,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[list[str]]:
        """Return `samples` continuations of each prompt, without special tokens.

        Temperature 0 takes the likeliest token each time (all samples are then equal). Otherwise tokens are
        drawn from softmax(logits / temperature), from a random stream named by seed, prompt and number of
        the sample, so that other prompts in the call change nothing but rounding.

        Raises:
            ModelError: a prompt and the new tokens are longer than the model can take.
            ValueError: a number out of range.
        """
        if max_new_tokens < 1 or samples < 1 or temperature < 0:
            raise ValueError(f"out of range: {max_new_tokens=}, {samples=}, {temperature=}")
        drawn = samples if temperature > 0 else 1
        settings = json.dumps([max_new_tokens, drawn, temperature, seed if temperature > 0 else 0])
        keys = [self._digest("generate", settings, prompt) for prompt in prompts]
        known: dict[bytes, list[str]] = {
            key: json.loads(value) for key, value in self._cache.get_many(list(set(keys))).items()
        }
        missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in known}
        self._ledger.answered(repeated=len(keys) - len(set(keys)), cached=len(known))
        waiting = sorted(missing)
        if waiting:
            from audit.models.writing import write

            causal = self._open()
            written = write(
                causal,
                [missing[key] for key in waiting],
                max_new_tokens=max_new_tokens,
                samples=drawn,
                temperature=temperature,
                seed=seed,
            )
            for batch in written:
                found = {waiting[place]: texts for place, texts in batch.texts.items()}
                self._cache.put_many({key: json.dumps(texts).encode() for key, texts in found.items()})
                known.update(found)
                self._ledger.asked(
                    texts=len(found), scored=len(found), tokens=batch.tokens, saved=0, seconds=batch.seconds
                )
        return [known[key] * (samples // drawn) for key in keys]

    def _digest(self, *parts: str) -> bytes:
        grown = hashlib.blake2b(self._key, digest_size=16)
        for part in parts:
            coded = part.encode("utf-8", "surrogatepass")
            grown.update(len(coded).to_bytes(8, "little"))
            grown.update(coded)
        return grown.digest()
