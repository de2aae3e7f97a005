"""Continuations that begin alike: trees and prefixes change how often a token is run, and no answer."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models.ledger import Ledger
from tests.audit.models.test_language_model import Reference, Tiny, language

CUES = ("it is", "the whole", "a b", "really bad")


def test_a_long_beginning_of_many_questions_runs_once(tiny: Tiny, plain: Reference) -> None:
    ledger = Ledger()
    start = "a film " * 40
    pairs = [(f"{start}{one} {other}", end) for one, other, end in product(CUES, CUES, (" good", " b"))]
    found = language(tiny(), ledger=ledger).log_probs(pairs)
    asked = plain(tiny())
    beginning = len(asked.ids(start))
    usage = ledger.usage()
    assert beginning < usage.tokens < 2 * beginning + 3 * len(pairs)
    assert usage.tokens + usage.tokens_saved == sum(
        len(asked.ids(c)) + len(asked.ids(e)) - 1 for c, e in pairs
    )
    wanted = [asked.log_prob(asked.ids(context), asked.ids(end)) for context, end in pairs]
    assert wanted == pytest.approx([one.sum() for one in found], abs=1e-4)


@given(
    pairs=st.lists(
        st.tuples(st.text("ab ", max_size=9), st.text("ab", max_size=6)), min_size=1, max_size=8, unique=True
    ),
    seed=st.integers(0, 9),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_neither_company_nor_order_changes_an_answer(
    tiny: Tiny, pairs: list[tuple[str, str]], seed: int
) -> None:
    model = tiny()
    together = language(model).log_probs(pairs)
    turned = random.Random(seed).sample(range(len(pairs)), len(pairs))
    again = language(model).log_probs([pairs[i] for i in turned])
    for i, (pair, found) in enumerate(zip(pairs, together, strict=True)):
        assert np.array_equal(found, again[turned.index(i)])
        assert language(model).log_probs([pair])[0] == pytest.approx(found, abs=1e-4)
