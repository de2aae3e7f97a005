"""Many prompts over one model, asked the same texts: what prompts share runs once, batches cross prompts.

The prompts' beginnings are joined to tries (see `audit.models.trie`) that fit into a pool, and one group of
prompts after the other is asked: its beginnings level by level, then its texts, prompt by prompt, in batches
that run over from one prompt to the next. As in `audit.models.scoring` all of it is a pure function of what
this call was the first to ask, whatever the cache holds, and each batch is committed whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.pending import Pending
from audit.models.trie import gather, grow
from audit.schema import Scores, Text

if TYPE_CHECKING:
    from audit.models.causal import Causal
    from audit.models.prompted import Prompted

Question = tuple[int, bytes]
"""Place of the prompt, fingerprint of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One call, once all that is known was looked up."""

    prompts: Sequence[Prompted]
    pending: Sequence[Pending]
    causal: Causal
    cache: Cache
    ledger: Ledger

    def missing(self, place: int) -> list[bytes]:
        """Return the texts of a prompt that nobody has answered."""
        one = self.pending[place]
        return [f for f in one.planned if f not in one.cached]

    def questions(self, group: Sequence[int]) -> list[Question]:
        """Return what was planned, prompt by prompt, long texts first."""
        found: list[Question] = []
        for place in group:
            lengths = self.pending[place].length_of
            found += [(place, f) for _, f in sorted((-length, f) for f, length in lengths.items())]
        return found


def score_together(
    prompts: Sequence[Prompted],
    texts: Sequence[Text],
    *,
    open_causal: Callable[[], Causal],
    cache: Cache,
    ledger: Ledger,
) -> list[Scores]:
    """Answer each text under each prompt; the prompts differ.

    Raises:
        ModelError: as `Prompted.score`.
    """
    pending = [one.scorer.look_up(texts) for one in prompts]
    if not all(one.done for one in pending):
        call = _Call(prompts=prompts, pending=pending, causal=open_causal(), cache=cache, ledger=ledger)
        planned = [place for place, one in enumerate(pending) if one.planned]
        whole = [place for place in planned if not _packs(call, place)]
        for place in whole:
            prompts[place].scorer.ask(pending[place])
        if len(whole) < len(planned):
            _ask_shared(call, [place for place in planned if place not in whole])
    return [one.scorer.answers(found) for one, found in zip(prompts, pending, strict=True)]


def _packs(call: _Call, place: int) -> bool:
    longest = max(call.pending[place].length_of.values())
    return call.causal.packs(call.prompts[place].asking.longest(longest))


def _ask_shared(call: _Call, planned: list[int]) -> None:
    """Ask group by group; those that hold nothing new are left alone."""
    beginnings = [call.prompts[place].asking.beginning for place in planned]
    groups = [[planned[i] for i in group] for group in gather(beginnings, most=call.causal.pool_tokens)]
    groups = [group for group in groups if any(map(call.missing, group))]
    _say_plan(call, groups)
    for group in groups:
        _ask_group(call, group)


def _ask_group(call: _Call, group: Sequence[int]) -> None:
    started = time.perf_counter()
    trie, pool = call.causal.begin([call.prompts[place].asking.beginning for place in group])
    behind = {place: trie.behind(leaf) for place, leaf in zip(group, trie.leaves, strict=True)}
    paid = trie.tokens
    for batch in _batches(call, call.questions(group)):
        by_prompt: dict[int, list[bytes]] = {}
        for place, f in batch:
            if f not in call.pending[place].cached:
                by_prompt.setdefault(place, []).append(f)
        if not by_prompt:
            continue
        encoded = {
            place: call.prompts[place].scorer.encoded(fs, call.pending[place])
            for place, fs in by_prompt.items()
        }
        trees = [
            tree
            for place, texts in encoded.items()
            for tree in call.prompts[place].asking.trees(texts, behind[place])
        ]
        reads = iter(call.causal.read_behind(trees, pool))
        found: dict[bytes, bytes] = {}
        for place, fs in by_prompt.items():
            one = call.prompts[place]
            rows = one.asking.rows([next(reads) for _ in fs])
            found |= one.scorer.take(fs, rows, call.pending[place])
        now = time.perf_counter()
        call.cache.put_many(found)
        call.ledger.asked(
            texts=sum(call.pending[place].times[f] for place, fs in by_prompt.items() for f in fs),
            scored=len(trees),
            tokens=paid + sum(len(text.ids) for texts in encoded.values() for text in texts),
            saved=sum(len(fs) * len(behind[place]) for place, fs in by_prompt.items()) - paid,
            seconds=now - started,
        )
        paid, started = 0, time.perf_counter()


def _batches(call: _Call, questions: Sequence[Question]) -> Iterator[list[Question]]:
    """Cut questions, in their order, into batches of at most `batch_tokens`, or of one that is longer."""
    batch: list[Question] = []
    room = call.causal.batch_tokens
    for place, f in questions:
        length = call.pending[place].length_of[f]
        if batch and length > room:
            yield batch
            batch, room = [], call.causal.batch_tokens
        batch.append((place, f))
        room -= length
    if batch:
        yield batch


def _say_plan(call: _Call, groups: Sequence[Sequence[int]]) -> None:
    asked = [(place, f) for group in groups for place in group for f in call.missing(place)]
    shared = sum(grow([call.prompts[p].asking.beginning for p in group]).tokens for group in groups)
    own = sum(call.pending[place].length_of[f] for place, f in asked)
    whole = own + sum(call.prompts[place].asking.prefix_tokens for place, _ in asked)
    call.ledger.plan(
        prompts=len({place for place, _ in asked}), texts=len(asked), tokens=own + shared, whole=whole
    )
