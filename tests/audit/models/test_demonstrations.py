"""Demonstrations are drawn by name: seeded, balanced, and the same in any order of the pool."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import ConfigError
from audit.models.demonstrations import draw_demonstrations, make_prompt
from audit.models.spec import DemonstrationSpec, PromptSpec
from audit.schema import Example
from audit.seeds import Seeds

LABELS = ("a", "b", "c")
POOL = [Example(id=f"{label}{i}", text=f"{label} {i}", label=label) for label in LABELS for i in range(8)]


def spec(shots: int, *, balanced: bool = True) -> DemonstrationSpec:
    return DemonstrationSpec(shots=shots, balanced=balanced)


@given(st.permutations(POOL), st.integers(0, 12), st.booleans())
def test_the_order_of_the_pool_changes_nothing(pool: list[Example], shots: int, balanced: bool) -> None:
    drawn = [draw_demonstrations(spec(shots, balanced=balanced), p, LABELS, Seeds(7)) for p in (POOL, pool)]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == shots


@given(st.integers(0, 24), st.integers(0, 1000))
def test_balanced_labels_differ_by_one_at_most(shots: int, seed: int) -> None:
    drawn = draw_demonstrations(spec(shots), POOL, LABELS, Seeds(seed))
    counts = [Counter(one.label for one in drawn)[label] for label in LABELS]
    assert max(counts) - min(counts) <= 1
    assert len(set(drawn_ids := [one.id for one in drawn])) == len(drawn_ids)


def test_seeds_give_other_draws_and_other_orders() -> None:
    draws = [draw_demonstrations(spec(6), POOL, LABELS, Seeds(seed)) for seed in range(30)]
    orders = {tuple(one.label for one in draw) for draw in draws}
    assert len({frozenset(one.id for one in draw) for draw in draws}) > 25
    assert len(orders) > 20


def test_a_plain_draw_follows_the_prior_of_the_pool() -> None:
    pool = [Example(id=str(i), text=str(i), label="a" if i % 10 else "b") for i in range(500)]
    drawn = draw_demonstrations(spec(200, balanced=False), pool, ("a", "b"), Seeds(1))
    assert 0.85 < Counter(one.label for one in drawn)["a"] / 200 < 0.95


def test_examples_without_a_known_label_are_never_drawn() -> None:
    pool = [*POOL, *(Example(id=f"n{i}", text="?", label=None) for i in range(50))]
    assert draw_demonstrations(spec(6), POOL, LABELS, Seeds(3)) == draw_demonstrations(
        spec(6), pool, LABELS, Seeds(3)
    )


def test_a_pool_without_one_of_the_labels_names_it() -> None:
    with pytest.raises(ConfigError, match="0 examples of the label 'c', 2 are needed"):
        draw_demonstrations(spec(6), [one for one in POOL if one.label != "c"], LABELS, Seeds(3))


def test_no_shots_need_no_pool() -> None:
    assert draw_demonstrations(spec(0), [], LABELS, Seeds(3)) == ()


def test_the_prompt_is_what_the_user_wrote() -> None:
    written = PromptSpec(template="{text}:", verbalizers={"a": ("x", "y"), "b": ("z",)}, instruction="Say.")
    prompt = make_prompt(written, POOL[:2])
    assert (prompt.template, prompt.instruction, prompt.separator) == ("{text}:", "Say.", "\n\n")
    assert (prompt.demonstrations, dict(prompt.verbalizers)) == (
        tuple(POOL[:2]),
        {"a": ("x", "y"), "b": ("z",)},
    )
