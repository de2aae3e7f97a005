from __future__ import annotations

import contextlib
import itertools
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import ModelError
from audit.models.cache import Cache
from audit.models.engine import Encoded, Row
from audit.models.ledger import Ledger
from audit.models.scoring import Scorer, plan, softmax
from audit.schema import Classifier, Text

TEXTS = [f"text {'x' * (i % 7)} {i}" for i in range(40)]


@dataclass
class Toy:
    """Answers by letters, blind to case; the last bits hang on the batch, as a real model's do."""

    batch_tokens: int = 64
    prefix_tokens: int = 0
    limit: int = 1000
    breaks_after: int = 10**9
    mass: float | None = None
    forwards: list[list[Encoded]] = field(default_factory=list)
    encoded: int = 0

    def encode(self, texts: Sequence[Text]) -> list[Encoded]:
        self.encoded += len(texts)
        return [self._one(text) for text in texts]

    def _one(self, text: Text) -> Encoded:
        whole = text if isinstance(text, str) else "\0".join(text)
        ids = tuple(map(ord, whole.lower())) or (0,)
        return Encoded(ids=ids[: self.limit], truncated=len(ids) > self.limit)

    def forward(self, batch: Sequence[Encoded]) -> list[Row]:
        if len(self.forwards) == self.breaks_after:
            raise KeyboardInterrupt
        self.forwards.append(list(batch))
        dust = sum(map(hash, (one.ids for one in batch))) % 1000 * 1e-12
        return [Row(logits=(math.sin(sum(one.ids)) + dust, 0.5), mass=self.mass) for one in batch]

    @property
    def asked(self) -> list[tuple[int, ...]]:
        return [one.ids for batch in self.forwards for one in batch]


def scorer(toy: Toy, cache: Cache | None = None, ledger: Ledger | None = None, key: bytes = b"k") -> Scorer:
    return Scorer(
        name="toy",
        labels=("no", "yes"),
        key=key,
        open_engine=lambda: toy,
        cache=cache or Cache(None),
        ledger=ledger or Ledger(),
    )


def closed() -> Toy:
    raise AssertionError("the engine was opened")


def cached_only(cache: Cache, ledger: Ledger | None = None) -> Scorer:
    return Scorer(
        name="toy", labels=("no", "yes"), key=b"k", open_engine=closed, cache=cache, ledger=ledger or Ledger()
    )


# --- plan ---


lengths = st.lists(st.integers(0, 300), max_size=80)


@given(lengths, st.integers(1, 500))
def test_batches_hold_each_place_once(lengths: list[int], budget: int) -> None:
    assert list(range(len(lengths))) == sorted(
        i for batch in plan(lengths, batch_tokens=budget) for i in batch
    )


@given(lengths, st.integers(1, 500))
def test_batches_keep_the_budget_with_padding_unless_a_text_is_alone(lengths: list[int], budget: int) -> None:
    batches = plan(lengths, batch_tokens=budget)
    assert all(len(b) == 1 or len(b) * max(lengths[i] for i in b) <= budget for b in batches)


@given(lengths, st.integers(1, 500))
def test_batches_come_longest_first(lengths: list[int], budget: int) -> None:
    order = [lengths[i] for batch in plan(lengths, batch_tokens=budget) for i in batch]
    assert sorted(lengths, reverse=True) == order


def cost(batches: list[list[int]], lengths: list[int], call: int) -> int:
    return sum(len(b) * max(1, *(lengths[i] for i in b)) + call for b in batches)


def cheapest(lengths: list[int], budget: int, call: int) -> int:
    """By trying every way to cut the sorted lengths, that is by another road than `plan`."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    inner = [[j + 1 for j in range(len(order) - 1) if mask >> j & 1] for mask in range(2 ** (len(order) - 1))]
    plans = [[order[a:b] for a, b in itertools.pairwise([0, *cuts, len(order)])] for cuts in inner]
    fitting = [p for p in plans if all(len(b) == 1 or cost([b], lengths, 0) <= budget for b in p)]
    return min(cost(p, lengths, call) for p in fitting)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(1, 200), st.integers(0, 40))
def test_no_plan_is_cheaper(lengths: list[int], budget: int, call: int) -> None:
    found = plan(lengths, batch_tokens=budget, call_tokens=call)
    assert cheapest(lengths, budget, call) == cost(found, lengths, call)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(1, 200))
def test_without_a_cost_of_calls_there_are_as_few_as_can_be(lengths: list[int], budget: int) -> None:
    found = plan(lengths, batch_tokens=budget)
    assert cheapest(lengths, budget, 10**6) == cost(found, lengths, 10**6)


def test_padding_is_saved_where_it_costs_more_than_a_call() -> None:
    sizes = [50] * 4 + [10] * 20

    assert [24] == [len(b) for b in plan(sizes, batch_tokens=2000)]
    assert [4, 20] == [len(b) for b in plan(sizes, batch_tokens=2000, call_tokens=799)]
    assert [24] == [len(b) for b in plan(sizes, batch_tokens=2000, call_tokens=800)]


@pytest.mark.parametrize(("prefix", "calls"), [(0, 2), (5, 1)])
def test_only_padded_texts_are_parted_by_length(prefix: int, calls: int) -> None:
    toy = Toy(batch_tokens=10**4, prefix_tokens=prefix)
    scorer(toy).score(["x" * 400, *(f"{i:03}" for i in range(20))])

    assert calls == len(toy.forwards)


def test_long_text_is_a_batch_of_its_own() -> None:
    assert [[1], [0, 2]] == plan([3, 1000, 3], batch_tokens=10)


def test_nothing_to_plan_is_no_batch() -> None:
    assert [] == plan([], batch_tokens=10)


# --- answers ---


def test_scorer_is_a_classifier() -> None:
    assert isinstance(scorer(Toy()), Classifier)


def test_answers_come_in_the_order_of_the_texts() -> None:
    scores = scorer(Toy()).score(TEXTS)
    expected = [math.sin(sum(map(ord, text))) for text in TEXTS]
    np.testing.assert_allclose(scores.logits[:, 0], expected, atol=1e-8)  # type: ignore[index]
    np.testing.assert_allclose(scores.probabilities, softmax(scores.logits), atol=0)  # type: ignore[arg-type]


@given(st.permutations(TEXTS))
@settings(max_examples=25)
def test_order_of_texts_changes_no_bit(texts: list[str]) -> None:
    straight, shuffled = scorer(Toy()).score(TEXTS), scorer(Toy()).score(texts)
    places = [texts.index(text) for text in TEXTS]
    assert (straight.logits == shuffled.logits[places]).all()  # type: ignore[union-attr, index]


@given(st.integers(10, 4000))
@settings(max_examples=25)
def test_batch_size_changes_at_most_1e_6(budget: int) -> None:
    one, other = scorer(Toy()).score(TEXTS), scorer(Toy(batch_tokens=budget)).score(TEXTS)
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)


def test_equal_token_ids_are_asked_once_and_answered_alike() -> None:
    toy = Toy()
    scores = scorer(toy).score(["Good", "GOOD", "good", "bad"])
    assert 2 == len(toy.asked)
    assert 1 == len(set(scores.probabilities[:3, 0]))


def test_text_of_an_earlier_call_is_not_asked_again() -> None:
    toy = Toy()
    one = scorer(toy)
    before = one.score(["good", "bad"]).probabilities
    after = one.score(["BAD", "good", "new"]).probabilities
    assert 3 == len(toy.asked)
    assert (before[[1, 0]] == after[:2]).all()


def test_pairs_with_equal_joins_are_told_apart() -> None:
    toy = Toy()
    scorer(toy).score([("ab", "c"), ("a", "bc"), "abc"])
    assert 3 == len(toy.asked)


def test_no_texts_give_no_rows() -> None:
    scores = scorer(toy := Toy()).score([])
    assert (0, 2) == scores.probabilities.shape
    assert (0,) == scores.truncated.shape
    assert [] == toy.forwards


def test_mass_on_the_verbalizers_is_kept() -> None:
    cache = Cache(None)
    first = scorer(Toy(mass=0.25), cache).score(["a", "b"])
    again = cached_only(cache).score(["a", "b"])
    assert [0.25, 0.25] == first.mass.tolist() == again.mass.tolist()  # type: ignore[union-attr]


def test_fine_tuned_answers_have_no_mass() -> None:
    assert scorer(Toy()).score(["a"]).mass is None


def test_cut_texts_are_marked_and_counted_once() -> None:
    ledger = Ledger()
    one = scorer(Toy(limit=5), ledger=ledger)
    assert [True, False, True] == one.score(["long text", "short", "long tail"]).truncated.tolist()
    one.score(["long text"])
    assert 2 == ledger.usage().truncated


# --- fingerprints ---


def test_fingerprint_tells_what_reaches_the_model() -> None:
    one, same, other = scorer(Toy()).fingerprint(["good", "GOOD", "bad"])
    assert one == same != other


def test_fingerprints_ask_nothing_and_are_remembered(tmp_path: Path) -> None:
    toy = Toy()
    cache = Cache(tmp_path / "c")
    first = scorer(toy, cache).fingerprint(TEXTS)
    assert [] == toy.forwards
    assert first == cached_only(cache).fingerprint(TEXTS)


def test_text_fingerprinted_in_this_run_is_not_tokenised_again() -> None:
    toy = Toy()
    one = scorer(toy)
    one.fingerprint(TEXTS)
    one.score(TEXTS)
    assert len(TEXTS) == toy.encoded


def test_text_known_by_fingerprint_alone_can_be_scored() -> None:
    cache = Cache(None)
    scorer(Toy(), cache).fingerprint(TEXTS)
    later = scorer(Toy(), cache).score(TEXTS)
    assert (later.logits == scorer(Toy()).score(TEXTS).logits).all()  # type: ignore[union-attr]


# --- cache and resume ---


def test_second_run_opens_no_engine_and_is_equal_to_the_bit(tmp_path: Path) -> None:
    first = scorer(Toy(), Cache(tmp_path / "c")).score(TEXTS)
    ledger = Ledger()
    second = cached_only(Cache(tmp_path / "c"), ledger).score(TEXTS)
    assert first.logits.tobytes() == second.logits.tobytes()  # type: ignore[union-attr]
    assert (len(TEXTS), 0) == (ledger.usage().cached, ledger.usage().scored)


def test_other_model_does_not_use_the_answers() -> None:
    cache, toy = Cache(None), Toy()
    scorer(Toy(), cache, key=b"one").score(["a"])
    scorer(toy, cache, key=b"two").score(["a"])
    assert 1 == len(toy.asked)


def test_answers_of_another_run_are_not_asked_again() -> None:
    cache, toy = Cache(None), Toy()
    scorer(Toy(), cache).score(TEXTS[::3])
    scorer(toy, cache).score(TEXTS)
    assert len(TEXTS) - len(TEXTS[::3]) == len(toy.asked)


def test_twenty_thousand_cached_texts_take_less_than_two_seconds(tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(20_000)]
    scorer(Toy(batch_tokens=10**9), Cache(tmp_path / "c")).score(texts)
    started = time.process_time()
    cached_only(Cache(tmp_path / "c")).score(texts)
    assert time.process_time() - started < 2


CALLS = [TEXTS[:15], TEXTS[5:30], [text.upper() for text in TEXTS], TEXTS]


def everything(one: Scorer) -> bytes:
    return b"".join(one.score(texts).logits.tobytes() for texts in CALLS)  # type: ignore[union-attr]


@given(st.lists(st.integers(0, 8), max_size=4))
@settings(max_examples=30)
def test_run_killed_anywhere_resumes_to_the_bit_and_asks_nothing_twice(stops: list[int]) -> None:
    cache = Cache(None)
    asked: list[tuple[int, ...]] = []
    for stop in stops:
        toy = Toy(breaks_after=stop)
        with contextlib.suppress(KeyboardInterrupt):
            everything(scorer(toy, cache))
        asked += toy.asked
    last, whole = Toy(), Toy()
    assert everything(scorer(whole)) == everything(scorer(last, cache))
    assert sorted(whole.asked) == sorted(asked + last.asked)


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_scoring import TEXTS, Toy, scorer
from audit.models.cache import Cache

class Dying(Toy):
    def forward(self, batch):
        rows = super().forward(batch)
        with open({log!r}, "a") as log:
            log.writelines(f"{{one.ids}}\\n" for one in batch)
        if len(self.forwards) == {stop}:
            os._exit(9)
        return rows

print(scorer(Dying(), Cache(Path({cache!r}))).score(TEXTS).logits.tobytes().hex())
"""


def test_killed_process_scores_at_most_one_batch_twice(tmp_path: Path) -> None:
    log = tmp_path / "asked"

    def run(stop: int) -> subprocess.CompletedProcess[str]:
        here = str(Path(__file__).parent)
        code = KILLED.format(here=here, log=str(log), stop=stop, cache=str(tmp_path / "c"))
        # Hashes of tuples of integers do not depend on the process, so Toy's last bits do not either.
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd())

    assert 9 == run(stop=4).returncode
    resumed = run(stop=-1)
    asked = log.read_text().splitlines()
    whole = Toy()
    expected = scorer(whole).score(TEXTS)
    assert 0 < len(asked) - len(set(asked)) <= max(map(len, whole.forwards))
    assert expected.logits.tobytes().hex() == resumed.stdout.strip()  # type: ignore[union-attr]


def test_interrupt_in_the_model_leaves_whole_batches_only(tmp_path: Path) -> None:
    toy = Toy(breaks_after=2)
    with pytest.raises(KeyboardInterrupt):
        scorer(toy, Cache(tmp_path / "c")).score(TEXTS)
    rest, ledger = Toy(), Ledger()
    scorer(rest, Cache(tmp_path / "c"), ledger).score(TEXTS)
    assert len(toy.asked) == ledger.usage().cached
    assert set() == set(toy.asked) & set(rest.asked)


# --- the border ---


@dataclass
class Wrong(Toy):
    rows: list[Row] = field(default_factory=list)

    def forward(self, batch: Sequence[Encoded]) -> list[Row]:
        return self.rows


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([Row(logits=(math.nan, 0.0))], "nan"),
        ([Row(logits=(math.inf, 0.0))], "inf"),
        ([Row(logits=(0.0, 0.0), mass=math.nan)], "nan"),
        ([Row(logits=(0.0, 0.0, 0.0))], "3 columns for 2 labels"),
        ([Row(logits=(0.0,))], "1 columns for 2 labels"),
        ([], "1 texts got 0 answers"),
    ],
)
def test_what_cannot_be_an_answer_is_refused_and_not_kept(rows: list[Row], found: str) -> None:
    cache = Cache(None)
    with pytest.raises(ModelError, match=f"toy: .*{found}.*"):
        scorer(Wrong(rows=rows), cache).score(["a text"])
    toy = Toy()
    scorer(toy, cache).score(["a text"])
    assert 1 == len(toy.asked)


# --- the ledger ---


@dataclass
class Told:
    texts: int = 0
    scored: int = 0
    tokens: int = 0

    def say(self, line: str) -> None:
        pass

    def advance(self, *, texts: int, scored: int, tokens: int) -> None:
        self.texts += texts
        self.scored += scored
        self.tokens += tokens


@given(st.lists(st.lists(st.sampled_from([*TEXTS, *(t.upper() for t in TEXTS)]), max_size=30), max_size=4))
@settings(max_examples=40)
def test_every_text_asked_is_repeated_cached_or_scored(calls: list[list[str]]) -> None:
    cache, told = Cache(None), Told()
    scorer(Toy(), cache).score(TEXTS[:10])
    toy, ledger = Toy(), Ledger(told)
    one = scorer(toy, cache, ledger)
    for texts in calls:
        one.score(texts)
    usage = ledger.usage()
    assert sum(map(len, calls)) == usage.asked == usage.repeated + usage.cached + usage.scored == told.texts
    assert len(toy.asked) == usage.scored == told.scored
    assert sum(map(len, toy.asked)) == usage.tokens == told.tokens


def test_meter_hears_of_each_batch() -> None:
    heard: list[int] = []

    class Meter:
        def say(self, line: str) -> None:
            pass

        def advance(self, *, texts: int, scored: int, tokens: int) -> None:
            heard.append(texts)

    toy = Toy()
    scorer(toy, ledger=Ledger(Meter())).score(TEXTS)
    assert list(map(len, toy.forwards)) == heard


def test_shared_prefix_is_paid_once_and_saved_ever_after() -> None:
    ledger = Ledger()
    one = scorer(Toy(prefix_tokens=100), ledger=ledger)
    one.score(["a", "b", "c"])
    one.score(["d"])
    assert (104, 300) == (ledger.usage().tokens, ledger.usage().tokens_saved)


# --- softmax ---


@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=20))
def test_softmax_rows_sum_to_one_and_keep_the_order(rows: list[list[float]]) -> None:
    logits = np.array(rows)
    shares = softmax(logits)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)
    assert (shares[np.arange(len(rows)), logits.argmax(axis=1)] == shares.max(axis=1)).all()
