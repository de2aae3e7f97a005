"""Asks a model as little as possible: once for each text, in full batches, and never again.

The order of things: what was answered in this run, what the cache knows, what two texts share (equal token
ids, equal answer), then batches of like length. The model is opened at the first text that nobody has
answered yet; a run that is wholly in the cache imports no torch.

Batches are a pure function of the texts that this run has not answered before the call, whatever the cache
holds and whatever their order, and each is committed whole. So a killed run that is started again asks for
the missing batches as they were, and its record is equal to the bit.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from audit.errors import ModelError, shown
from audit.models import joining
from audit.models.cache import Cache
from audit.models.engine import Encoded, Engine, Row
from audit.models.ledger import Ledger
from audit.models.pending import Pending, Seen, read_row, read_seen, row_bytes, seen_bytes
from audit.schema import Scores, Text

CALL_SHARE = 16
"""What a call of a model costs beside its tokens, as one part of so many of a full batch's tokens. Measured
with MiniLM: 20 tokens of 1,024 on one core, so about 40 on two; with 64 a plan costs hardly more than with
the true number, be it 20 or 50."""


def plan(lengths: Sequence[int], *, batch_tokens: int, call_tokens: int | None = None) -> list[list[int]]:
    """Return batches of places in `lengths`, each place once, longest first: the cheapest of all such plans.

    Longest first: memory is highest at the start, not after an hour. A batch holds at most `batch_tokens`
    tokens, padding to its longest text counted; a text longer than that is a batch of its own. Equal lengths
    keep their order.

    Args:
        lengths: (n,) tokens of each text; a text without one takes the room of one.
        batch_tokens: most tokens of a batch.
        call_tokens: what a batch costs beside its tokens, in tokens: with less, more batches and less
            padding. None for as few batches as can be, and of such plans the one with the least padding.

    >>> plan([3, 9, 4, 4], batch_tokens=36)
    [[1, 2, 3, 0]]
    >>> plan([3, 9, 4, 4], batch_tokens=36, call_tokens=2)
    [[1], [2, 3, 0]]
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    widths = [max(1, lengths[i]) for i in order]
    call = 1 + sum(widths[:1]) * len(order) if call_tokens is None else call_tokens
    counts = np.arange(1, len(order) + 1)
    costs = np.zeros(len(order) + 1, dtype=np.int64)  # of all texts from this one on
    sizes = np.ones(len(order), dtype=np.int64)  # of the batch that this one begins
    for i in reversed(range(len(order))):
        most = min(len(order) - i, max(1, batch_tokens // widths[i]))
        each = widths[i] * counts[:most] + costs[i + 1 : i + 1 + most]
        sizes[i] = most - each[::-1].argmin()  # of equal costs the largest batch
        costs[i] = call + each[sizes[i] - 1]
    batches: list[list[int]] = []
    start = 0
    while start < len(order):
        batches.append(order[start : start + sizes[start]])
        start += int(sizes[start])
    return batches


class Scorer:
    """A Classifier over an engine that is opened late.

    Args:
        name: the model as the config names it, for messages.
        key: hash of all that an answer depends on but the text: weights, tokenizer, config, number format,
            length, prompt, asked quantity. Equal keys, equal answers.
        open_engine: loads the model; called at the first text that neither this run nor the cache has
            answered (or tokenised, for `fingerprint`).
    """

    def __init__(
        self,
        *,
        name: str,
        labels: tuple[str, ...],
        key: bytes,
        open_engine: Callable[[], Engine],
        cache: Cache,
        ledger: Ledger,
    ) -> None:
        """Keep all of it; nothing is loaded yet."""
        self._name = name
        self._labels = labels
        self._salt = _digest(b"scorer", key, *(label.encode("utf-8", "surrogatepass") for label in labels))
        self._open_engine = open_engine
        self._opened: Engine | None = None
        self._cache = cache
        self._ledger = ledger
        self._seen: dict[bytes, Seen] = {}
        self._encoded: dict[bytes, Encoded] = {}  # tokenised and not asked yet, as after `fingerprint`
        self._answers: dict[bytes, Row] = {}
        self._prefix_paid = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns."""
        return self._labels

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        """Return a hash of the token ids of each text (16 bytes): did the change reach the model?"""
        return [self._seen[key].fingerprint for key in self._look(texts)]

    def score(self, texts: Sequence[Text]) -> Scores:
        """Answer each text; equal token ids get equal answers to the bit. No texts, (0, k) arrays.

        Probabilities are the softmax of the logits in float64.

        Raises:
            ModelError: an answer has the wrong shape or is not finite.
        """
        pending = self.look_up(texts)
        self.ask(pending)
        return self.answers(pending)

    def look_up(self, texts: Sequence[Text]) -> Pending:
        """Find out what this run and the cache know of the texts, and what is to be asked."""
        seen = [self._seen[key] for key in self._look(texts)]
        for text, one in zip(texts, seen, strict=True):
            if one.truncated:
                self._ledger.cut(text)
        times = Counter(one.fingerprint for one in seen if one.fingerprint not in self._answers)
        # Sorted by hash, so that the batches do not depend on the order of the texts.
        planned = sorted(times)
        places = {f: self._answer_key(f) for f in planned}
        kept = self._cache.get_many(list(places.values()))
        cached = {f: read_row(kept[place]) for f, place in places.items() if place in kept}
        self._answers.update(cached)
        waiting = sum(times[f] for f in planned if f not in cached)
        self._ledger.answered(repeated=len(seen) - waiting - len(cached), cached=len(cached))
        return Pending(
            seen=tuple(seen),
            planned=tuple(planned),
            cached=frozenset(cached),
            times=times,
            text_of={
                one.fingerprint: text
                for text, one in zip(texts, seen, strict=True)
                if one.fingerprint in times
            },
            length_of={one.fingerprint: one.length for one in seen if one.fingerprint in times},
        )

    def ask(self, pending: Pending) -> None:
        """Put to the model what is to be asked, batch by batch."""
        if pending.done:
            return
        room = self.engine.batch_tokens
        # Texts after a shared prefix lie side by side without padding, and what they begin with runs once.
        if self.engine.prefix_tokens:
            known = dict(zip(pending.planned, self.encoded(pending.planned, pending), strict=True))
            for batch in joining.batches([[one.ids for one in known.values()]], batch_tokens=room):
                asked = {f: known[f] for _, i in batch if (f := pending.planned[i]) not in pending.cached}
                self._ask(asked, pending, joining.cost([one.ids for one in asked.values()]))
            return
        lengths = [pending.length_of[f] for f in pending.planned]
        for places in plan(lengths, batch_tokens=room, call_tokens=room // CALL_SHARE):
            missing = [f for i in places if (f := pending.planned[i]) not in pending.cached]
            asked = dict(zip(missing, self.encoded(missing, pending), strict=True))
            self._ask(asked, pending, sum(len(one.ids) for one in asked.values()))

    def encoded(self, fingerprints: Sequence[bytes], pending: Pending) -> list[Encoded]:
        """Return the token ids of planned texts; each is handed out once, when it is asked."""
        # A text can be known by fingerprint alone, when an earlier run was stopped between the two.
        forgotten = {f: pending.text_of[f] for f in fingerprints if f not in self._encoded}
        if forgotten:
            self._encoded.update(zip(forgotten, self.engine.encode(list(forgotten.values())), strict=True))
        return [self._encoded.pop(f) for f in fingerprints]

    def take(
        self, fingerprints: Sequence[bytes], rows: Sequence[Row], pending: Pending
    ) -> dict[bytes, bytes]:
        """Take the model's answers to planned texts; return what is to be put into the cache.

        Raises:
            ModelError: as `score`.
        """
        self._check(rows, [pending.text_of[f] for f in fingerprints])
        self._answers.update(zip(fingerprints, rows, strict=True))
        return {self._answer_key(f): row_bytes(row) for f, row in zip(fingerprints, rows, strict=True)}

    def answers(self, pending: Pending) -> Scores:
        """Return the answers to all texts of a call; each must be known by now."""
        rows = [self._answers[one.fingerprint] for one in pending.seen]
        shape = (len(rows), len(self._labels))
        logits = np.array([row.logits for row in rows], dtype=np.float64).reshape(shape)  # (n, k)
        masses = [row.mass for row in rows if row.mass is not None]
        return Scores(
            probabilities=softmax(logits),
            logits=logits,
            mass=np.array(masses, dtype=np.float64) if rows and len(masses) == len(rows) else None,
            truncated=np.array([one.truncated for one in pending.seen], dtype=np.bool_),
        )

    def _look(self, texts: Sequence[Text]) -> list[bytes]:
        """Make all texts seen, by this run, else by the cache, else by the tokenizer; return their keys."""
        keys = [_digest(self._salt, b"text", *_parts(text)) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._seen}
        self._seen.update((key, read_seen(value)) for key, value in self._cache.get_many(list(new)).items())
        unknown = {key: text for key, text in new.items() if key not in self._seen}
        if unknown:
            encoded = self.engine.encode(list(unknown.values()))
            seen = [Seen(_fingerprint(one), len(one.ids), one.truncated) for one in encoded]
            self._cache.put_many({key: seen_bytes(one) for key, one in zip(unknown, seen, strict=True)})
            self._seen.update(zip(unknown, seen, strict=True))
            self._encoded.update((one.fingerprint, ids) for one, ids in zip(seen, encoded, strict=True))
        return keys

    def _ask(self, asked: Mapping[bytes, Encoded], pending: Pending, tokens: int) -> None:
        """Put one batch to the model and commit it."""
        if not asked:
            return
        missing, batch = list(asked), list(asked.values())
        started = time.perf_counter()
        rows = self.engine.forward(batch)
        seconds = time.perf_counter() - started
        self._cache.put_many(self.take(missing, rows, pending))
        paid = 0 if self._prefix_paid else self.engine.prefix_tokens
        self._prefix_paid = True
        whole = sum(self.engine.prefix_tokens + len(one.ids) for one in batch)
        self._ledger.asked(
            texts=sum(pending.times[f] for f in missing),
            scored=len(missing),
            tokens=tokens + paid,
            saved=whole - tokens - paid,
            seconds=seconds,
        )

    def _check(self, rows: Sequence[Row], texts: Sequence[Text]) -> None:
        if len(rows) != len(texts):
            raise ModelError(
                f"{self._name}: a batch of {len(texts)} texts got {len(rows)} answers; "
                "the model must give one row for each text"
            )
        for row, text in zip(rows, texts, strict=True):
            if len(row.logits) != len(self._labels):
                raise ModelError(
                    f"{self._name}: an answer has {len(row.logits)} columns for {len(self._labels)} labels "
                    f"{shown(self._labels)}; give task.labels as the model was trained"
                )
            numbers = row.logits if row.mass is None else (*row.logits, row.mass)
            if not all(map(math.isfinite, numbers)):
                raise ModelError(
                    f"{self._name}: an answer is not a finite number: {shown(list(numbers))} for the text "
                    f"{shown(text)}; check the weights, or set model.dtype: float32"
                )

    @property
    def engine(self) -> Engine:
        """The engine, opened now if it was not."""
        if self._opened is None:
            self._opened = self._open_engine()
        return self._opened

    def _answer_key(self, fingerprint: bytes) -> bytes:
        return _digest(self._salt, b"answer", fingerprint)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities (n, k), rows summing to one, of logits (n, k).

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    if not logits.size:
        return logits.copy()
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = grown / grown.sum(axis=1, keepdims=True)
    return shares


def _digest(*parts: bytes) -> bytes:
    """16 bytes of hash; the parts' lengths are part of it, so no two lists of parts run together."""
    grown = hashlib.blake2b(digest_size=16)
    for part in parts:
        grown.update(len(part).to_bytes(8, "little"))
        grown.update(part)
    return grown.digest()


def _parts(text: Text) -> Iterable[bytes]:
    parts = (text,) if isinstance(text, str) else text
    return (part.encode("utf-8", "surrogatepass") for part in parts)


def _fingerprint(one: Encoded) -> bytes:
    return _digest(np.array(one.ids, dtype="<i8").tobytes(), np.array(one.kinds, dtype="<i8").tobytes())
