"""Many prompts at once give the answers of each alone, for fewer tokens, and nothing twice."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.errors import ConfigError, ModelError
from audit.models.cache import Cache
from audit.models.causal import Causal
from audit.models.ledger import Ledger
from audit.schema import Example, Prompt, PromptedClassifier, Scores, Subject
from tests.audit.models.asked import DEMONSTRATIONS, LABELS, TEXTS, Tiny, changed, opened

THIRD = Example(id="c", text="the film is long", label="negative")
ORDERS = [changed(demonstrations=order) for order in itertools.permutations((*DEMONSTRATIONS, THIRD))]
MIXED = [
    *ORDERS,
    changed(demonstrations=()),
    changed(demonstrations=(), instruction=""),
    changed(instruction="", template="{text} is"),
    changed(demonstrations=DEMONSTRATIONS, chat=True),
    changed(verbalizers={"negative": (" bad",), "positive": (" good",)}),
]


def prompted(subject: Subject) -> PromptedClassifier:
    assert subject.prompted is not None
    return subject.prompted


def table(scores: list[Scores]) -> np.ndarray:
    return np.array([one.logits for one in scores])


def alone(subject: Subject, prompts: list[Prompt]) -> np.ndarray:
    return table([prompted(subject).with_prompt(prompt).score(TEXTS) for prompt in prompts])


# --- the numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom", "mistral", "gemma2", "mamba"])
@pytest.mark.filterwarnings("ignore:.*torch_dtype.*")
def test_every_architecture_answers_as_each_prompt_alone(tiny: Tiny, kind: str) -> None:
    folder = tiny(kind)

    found = table(prompted(opened(folder)).score_prompts(MIXED, TEXTS))

    assert np.allclose(alone(opened(folder), MIXED), found, atol=1e-4)


@pytest.mark.parametrize(("batch", "pool"), [(16, 10_000), (64, 20), (4096, 70)])
def test_batches_and_pools_of_any_size_change_nothing(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, batch: int, pool: int
) -> None:
    monkeypatch.setattr(Causal, "pool_tokens", pool)

    found = table(prompted(opened(tiny(), batch_tokens=batch)).score_prompts(MIXED, TEXTS))

    assert np.allclose(alone(opened(tiny()), MIXED), found, atol=1e-4)


def test_prompts_given_twice_are_asked_once(tiny: Tiny) -> None:
    ledger = Ledger()
    found = prompted(opened(tiny(), ledger=ledger)).score_prompts([ORDERS[0], ORDERS[1], ORDERS[0]], TEXTS)

    assert (found[0].logits == found[2].logits).all()  # type: ignore[union-attr, attr-defined]
    assert 2 * len(TEXTS) == ledger.usage().scored


def test_no_prompts_and_no_texts_are_no_answers(tiny: Tiny) -> None:
    model = prompted(opened(tiny()))

    assert [] == model.score_prompts([], TEXTS)
    assert [(0, 2)] * 6 == [one.probabilities.shape for one in model.score_prompts(ORDERS, [])]


def test_texts_too_long_are_cut_as_alone(tiny: Tiny) -> None:
    long = ["film " * 600, "a fine film"]
    found = prompted(opened(tiny())).score_prompts(ORDERS[:2], long)
    one = prompted(opened(tiny())).with_prompt(ORDERS[1]).score(long)

    assert [True, False] == found[1].truncated.tolist()
    assert np.allclose(one.probabilities, found[1].probabilities, atol=1e-4)


# --- what it costs -------------------------------------------------------------------------


def test_what_prompts_share_is_computed_once(tiny: Tiny) -> None:
    together, apart = Ledger(), Ledger()
    prompted(opened(tiny(), ledger=together)).score_prompts(ORDERS, TEXTS)
    alone(opened(tiny(), ledger=apart), ORDERS)

    both = (together.usage(), apart.usage())
    assert both[0].tokens < both[1].tokens
    assert both[1].tokens + both[1].tokens_saved == both[0].tokens + both[0].tokens_saved
    assert both[0].asked == both[0].scored == both[1].scored == 6 * len(TEXTS)


def test_the_plan_says_what_is_saved(tiny: Tiny) -> None:
    said: list[str] = []

    class Meter:
        def say(self, line: str) -> None:
            said.append(line)

        def advance(self, *, texts: int, scored: int, tokens: int) -> None:
            pass

    ledger = Ledger(Meter())
    prompted(opened(tiny(), ledger=ledger)).score_prompts(ORDERS, TEXTS)

    usage = ledger.usage()
    assert [
        f"30 questions under 6 prompts: {usage.tokens:,} tokens, {usage.tokens_saved:,} saved by what the "
        "prompts share"
    ] == said


def test_a_second_call_asks_only_what_is_new(tiny: Tiny) -> None:
    cache, ledger = Cache(None), Ledger()
    first = table(prompted(opened(tiny(), cache=cache)).score_prompts(ORDERS[:3], TEXTS))
    second = table(prompted(opened(tiny(), cache=cache, ledger=ledger)).score_prompts(ORDERS, TEXTS))

    assert (first == second[:3]).all()
    assert (3 * len(TEXTS), 3 * len(TEXTS)) == (ledger.usage().cached, ledger.usage().scored)


def test_a_call_wholly_in_the_cache_opens_no_model(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(None)
    expected = table(prompted(opened(tiny(), cache=cache)).score_prompts(ORDERS, TEXTS))
    monkeypatch.setattr("audit.models.causal.load_causal", None)

    assert (expected == table(prompted(opened(tiny(), cache=cache)).score_prompts(ORDERS, TEXTS))).all()


# --- the same to the bit -------------------------------------------------------------------


def test_order_of_prompts_and_texts_changes_no_bit(tiny: Tiny) -> None:
    straight = table(prompted(opened(tiny(), batch_tokens=64)).score_prompts(MIXED, TEXTS))
    turned = table(prompted(opened(tiny(), batch_tokens=64)).score_prompts(MIXED[::-1], TEXTS[::-1]))

    assert (straight == turned[::-1, ::-1]).all()


@pytest.mark.parametrize("dies", [2, 5])
def test_killed_and_started_again_it_is_equal_to_the_bit(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, dies: int
) -> None:
    whole = table(prompted(opened(tiny(), batch_tokens=48)).score_prompts(MIXED, TEXTS))
    cache, ledger, calls, read = Cache(None), Ledger(), itertools.count(1), Causal.read_behind

    def dying(self: Causal, *args: Any) -> Any:
        if next(calls) == dies:
            raise KeyboardInterrupt
        return read(self, *args)

    monkeypatch.setattr(Causal, "read_behind", dying)
    with pytest.raises(KeyboardInterrupt):
        prompted(opened(tiny(), batch_tokens=48, cache=cache)).score_prompts(MIXED, TEXTS)
    again = table(
        prompted(opened(tiny(), batch_tokens=48, cache=cache, ledger=ledger)).score_prompts(MIXED, TEXTS)
    )

    assert (whole == again).all()
    assert 0 < ledger.usage().cached
    assert len(MIXED) * len(TEXTS) == ledger.usage().cached + ledger.usage().scored


# --- what cannot be ------------------------------------------------------------------------


def test_demonstrations_that_fill_the_context_are_an_error(tiny: Tiny) -> None:
    long = changed(demonstrations=(Example(id="l", text="film " * 600, label="negative"),))

    with pytest.raises(ModelError, match="leaves no room for a text"):
        prompted(opened(tiny())).score_prompts([ORDERS[0], long], TEXTS)


def test_a_prompt_that_does_not_fit_the_task_is_an_error(tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match="template lacks"):
        prompted(opened(tiny())).score_prompts([changed(template="Sentiment:")], TEXTS)


def test_the_machine_bounds_what_is_kept(tiny: Tiny, tmp_path: Path) -> None:
    from audit.models.causal import load_causal
    from audit.models.parts import find_causal
    from audit.models.spec import ModelSpec

    spec = ModelSpec(kind="in-context", source=str(tiny()), device="cpu")
    causal = load_causal(find_causal(spec, base=tmp_path, cache=Cache(None)), spec)
    bytes_per_token = 2 * 2 * 32 * 4  # keys and values, layers, width, float32

    assert 2**28 // bytes_per_token <= causal.pool_tokens <= 2**32 // bytes_per_token
    assert LABELS == prompted(opened(tiny())).labels
