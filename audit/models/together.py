"""Many prompts over one model, asked the same texts: what prompts share runs once, batches cross prompts.

The prompts' beginnings are joined to tries (see `audit.models.trie`) that fit into a pool, and one group of
prompts after the other is asked: its beginnings level by level, then its texts, prompt by prompt, in batches
that run over from one prompt to the next. As in `audit.models.scoring` all of it is a pure function of what
this call was the first to ask, whatever the cache holds, and each batch is committed whole. Texts that begin
alike share that too (`audit.models.joining`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.models.cache import Cache
from audit.models.engine import Encoded
from audit.models.joining import batches, cost, split
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

    def is_missing(self, question: Question) -> bool:
        """Whether nobody has answered it."""
        return question[1] not in self.pending[question[0]].cached

    def parts(self, questions: Sequence[Question]) -> dict[int, list[bytes]]:
        """Return the texts of each prompt that are to be asked."""
        found: dict[int, list[bytes]] = {}
        for place, f in filter(self.is_missing, questions):
            found.setdefault(place, []).append(f)
        return found


@dataclass(frozen=True, slots=True)
class _Batch:
    """What goes through the model together."""

    parts: dict[int, list[bytes]]
    """Texts to be asked, by prompt."""
    encoded: dict[int, list[Encoded]]
    """Their tokens."""

    @property
    def own(self) -> int:
        """Tokens of the texts that go through the model."""
        return sum(cost([one.ids for one in texts]) for texts in self.encoded.values())

    @property
    def whole(self) -> int:
        """Tokens of the texts if none shared anything with another."""
        return sum(len(one.ids) for texts in self.encoded.values() for one in texts)


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
    groups = [
        group
        for group in groups
        if any(call.is_missing((place, f)) for place in group for f in call.pending[place].planned)
    ]
    cut = [_batches(call, group) for group in groups]
    _say_plan(call, groups, [batch for batches_of_one in cut for batch in batches_of_one])
    for group, batches_of_one in zip(groups, cut, strict=True):
        _ask_group(call, group, batches_of_one)


def _batches(call: _Call, group: Sequence[int]) -> list[_Batch]:
    """Cut what was planned for a group into batches, prompt by prompt; they do not hang on what is known."""
    planned = [call.pending[place].planned for place in group]
    encoded = [call.prompts[p].scorer.encoded(call.pending[p].planned, call.pending[p]) for p in group]
    found = []
    for batch in batches(
        [[one.ids for one in texts] for texts in encoded], batch_tokens=call.causal.batch_tokens
    ):
        ids = {(group[p], planned[p][i]): encoded[p][i] for p, i in batch}
        if parts := call.parts(list(ids)):
            found.append(_Batch(parts, {place: [ids[place, f] for f in fs] for place, fs in parts.items()}))
    return found


def _ask_group(call: _Call, group: Sequence[int], asked: Sequence[_Batch]) -> None:
    started = time.perf_counter()
    trie, pool = call.causal.begin([call.prompts[place].asking.beginning for place in group])
    behind = {place: trie.behind(leaf) for place, leaf in zip(group, trie.leaves, strict=True)}
    paid = trie.tokens
    for batch in asked:
        joints = {
            place: call.prompts[place].asking.joints(texts, behind[place])
            for place, texts in batch.encoded.items()
        }
        reads = iter(call.causal.read_behind([one.tree for many in joints.values() for one in many], pool))
        found: dict[bytes, bytes] = {}
        for place, fs in batch.parts.items():
            one = call.prompts[place]
            rows = one.asking.rows(split(joints[place], [next(reads) for _ in joints[place]]))
            found |= one.scorer.take(fs, rows, call.pending[place])
        now, own = time.perf_counter(), batch.own
        call.cache.put_many(found)
        call.ledger.asked(
            texts=sum(call.pending[place].times[f] for place, fs in batch.parts.items() for f in fs),
            scored=len(found),
            tokens=paid + own,
            saved=sum(len(fs) * len(behind[place]) for place, fs in batch.parts.items())
            + (batch.whole - own - paid),
            seconds=now - started,
        )
        paid, started = 0, time.perf_counter()


def _say_plan(call: _Call, groups: Sequence[Sequence[int]], asked: Sequence[_Batch]) -> None:
    shared = sum(grow([call.prompts[p].asking.beginning for p in group]).tokens for group in groups)
    texts = [(place, len(fs)) for batch in asked for place, fs in batch.parts.items()]
    before = sum(call.prompts[place].asking.prefix_tokens * count for place, count in texts)
    call.ledger.plan(
        prompts=len({place for place, _ in texts}),
        texts=sum(count for _, count in texts),
        tokens=shared + sum(batch.own for batch in asked),
        whole=before + sum(batch.whole for batch in asked),
    )
