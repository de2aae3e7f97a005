"""Texts that begin alike go through the model as one tree, and nothing else changes."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.models import joining
from audit.models.asking import branch
from audit.models.joining import LEAST, LONG, WIDE, Ids
from audit.models.ledger import Ledger
from audit.models.tree import Tree
from audit.schema import PromptedClassifier
from tests.audit.models.asked import Tiny, opened

TEXTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=40).map(tuple), unique=True, max_size=12)
BRANCHES = branch([[(7, 8)], [(7, 9), (8,)]])
TRUNK = tuple(range(30))


def read(tree: Tree) -> np.ndarray:
    """What a model would say that looks at all tokens before a place: a number for each way and token."""
    ways: list[Ids] = []
    for token, parent in zip(tree.ids, tree.parents, strict=True):
        ways.append((*(ways[parent] if parent >= 0 else ()), token))
    return np.array([float(hash((ways[place], token)) % 10_007) for place, token in tree.reads])


def hung(texts: list[Ids]) -> list[Tree]:
    return [BRANCHES.after(ids) for ids in texts]


# --- joining -------------------------------------------------------------------------------


@given(TEXTS)
def test_a_joint_tree_is_read_as_its_trees_alone(texts: list[Ids]) -> None:
    trees = hung(texts)
    joints = joining.join(trees, texts)

    found = joining.split(joints, [read(one.tree) for one in joints])

    assert [read(tree).tolist() for tree in trees] == [one.tolist() for one in found]


@given(TEXTS)
def test_the_cost_is_what_goes_through_the_model(texts: list[Ids]) -> None:
    chains = [Tree(ids, tuple(range(-1, len(ids) - 1)), ((len(ids) - 1, 0),)) for ids in texts]

    assert sum(len(one.tree.ids) for one in joining.join(chains, texts)) == joining.cost(texts)


@pytest.mark.parametrize(("shared", "trees"), [(LEAST - 1, 2), (LEAST, 1)])
def test_a_few_tokens_in_common_are_not_worth_a_joint_tree(shared: int, trees: int) -> None:
    texts = [(*TRUNK[:shared], 90, 91), (*TRUNK[:shared], 92)]

    assert trees == len(joining.join(hung(texts), texts))


def test_a_text_that_another_goes_on_from_is_on_its_way() -> None:
    texts = [TRUNK, TRUNK[:10]]

    assert [len(TRUNK)] == [joining.cost(texts)]


def test_joint_trees_stay_small_unless_their_texts_are_long() -> None:
    variants = [(*TRUNK[:10], place, *TRUNK[11:]) for place in range(100, 160)]
    long = [(*range(500), place, *range(600, 650)) for place in range(1_000, 1_005)]

    widths = [len(one.tree.ids) - 60 * len(BRANCHES.ids) for one in joining.join(hung(variants), variants)]
    assert max(widths) <= WIDE
    assert 60 * 20 + len(widths) * 10 == joining.cost(variants)
    assert 551 + 4 * 51 == joining.cost(long)


# --- batches -------------------------------------------------------------------------------


@given(st.lists(TEXTS, max_size=3), st.integers(1, 120))
def test_batches_hold_everything_once_and_no_more_than_they_may(prompts: list[list[Ids]], most: int) -> None:
    found = joining.batches(prompts, batch_tokens=most)

    everything = [(p, i) for p, texts in enumerate(prompts) for i in range(len(texts))]
    assert everything == sorted(question for batch in found for question in batch)
    for batch in found:
        size = sum(joining.cost([prompts[p][i] for q, i in batch if q == p]) for p in range(len(prompts)))
        assert size <= most or len(batch) == 1


@given(TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_the_texts_changes_no_batch(texts: list[Ids], dice: random.Random) -> None:
    turned = dice.sample(texts, len(texts))

    def told(texts: list[Ids]) -> list[list[Ids]]:
        return [[texts[i] for _, i in batch] for batch in joining.batches([texts], batch_tokens=50)]

    assert told(texts) == told(turned)


def test_variants_of_a_text_share_a_batch() -> None:
    texts = [(*range(start, start + 20), end) for end in (1, 2) for start in (100, 200, 300)]

    found = joining.batches([texts], batch_tokens=22)

    assert [[0, 3], [1, 4], [2, 5]] == [[i for _, i in batch] for batch in found]


def test_long_texts_come_first() -> None:
    texts = [(9,), tuple(range(LONG + 1)), (8,), tuple(range(LONG + 9))]

    assert [[3], [1], [2, 0]] == [[i for _, i in batch] for batch in joining.batches([texts], batch_tokens=9)]


# --- a model -------------------------------------------------------------------------------

VARIANTS = [
    f"the film that i saw on a long {word} with a friend was fine" for word in ("day", "way", "night")
]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma2"])
@pytest.mark.filterwarnings("ignore:.*torch_dtype.*")
def test_variants_cost_less_together_and_are_answered_as_alone(tiny: Tiny, kind: str) -> None:
    def model(ledger: Ledger) -> PromptedClassifier:
        found = opened(tiny(kind), ledger=ledger).prompted
        assert found is not None
        return found

    together, apart = Ledger(), Ledger()
    found = model(together).score(VARIANTS).logits
    one_by_one = model(apart)
    alone = np.vstack([one_by_one.score([text]).logits for text in VARIANTS])

    assert np.allclose(alone, found, atol=1e-4)
    assert together.usage().tokens < apart.usage().tokens
    assert together.usage().tokens + together.usage().tokens_saved == (
        apart.usage().tokens + apart.usage().tokens_saved
    )
