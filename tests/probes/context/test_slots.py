"""The pull of each slot: recovered from answers that were drawn from the model itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from audit.schema import Example
from audit.testing import LABELS
from probes.context import slots
from probes.contexts import Answers, Context
from probes.orders import label_orders


def answers(pull: tuple[float, ...], n: int, seed: int = 0) -> Answers:
    """Two labels; log-odds of the second are the summed pulls of its slots less those of the first's."""
    rng = np.random.default_rng(seed)
    shown = label_orders(dict.fromkeys(LABELS, 2), 6, rng)
    signs = np.array([[1 if label == LABELS[1] else -1 for label in order] for order in shown])  # (c, k)
    said = rng.random((len(shown), n)) < expit(signs @ np.array(pull))[:, None]
    contexts = [
        Context(
            name=str(c),
            demonstrations=tuple(Example(id=f"{c} {j}", text="", label=one) for j, one in enumerate(order)),
        )
        for c, order in enumerate(shown)
    ]
    items = tuple(Example(id=str(i), text=str(i), label=LABELS[i % 2]) for i in range(n))
    probabilities = np.eye(2)[said.astype(int)]
    return Answers(
        contexts=tuple(contexts), items=items, labels=LABELS, probabilities=probabilities, truncated=0
    )


def test_known_pulls_lie_in_their_intervals() -> None:
    # a label's log-odds gain a slot's pull when it stands there and lose it when the other does: twice
    pull = np.array([-0.4, 0.0, 0.1, 0.5])

    found = slots.slot_effects(answers(tuple(pull), 400))

    truth = 2 * (pull - pull.mean())
    assert [True] * 4 == [e.low <= t <= e.high for e, t in zip(found.effects, truth, strict=True)]
    assert found.last_minus_first.low <= 1.8 <= found.last_minus_first.high
    assert found.last_minus_first.high - found.last_minus_first.low < 1
    assert 400 == found.last_minus_first.n


def test_items_that_are_answered_alike_give_no_interval() -> None:
    with pytest.raises(ValueError, match="no spread"):
        slots.slot_effects(answers((0.0, 0.0, 0.0, 99.0), 20))


def test_items_that_no_order_moves_give_no_interval_without_a_width() -> None:
    moved = answers((0.0, 0.0, 0.0, 1.0), 24)
    still = np.repeat(moved.probabilities[:1], len(moved.contexts), axis=0)

    with pytest.raises(ValueError, match="no spread"):
        slots.slot_effects(replace(moved, probabilities=still))


def test_the_picture_names_both_ends() -> None:
    found = slots.slot_effects(answers((0.0, 0.0, 0.0, 1.0), 60))

    assert ["1 (first)", "2", "3", "4 (last)"] == [
        point.label for point in slots.picture(found.effects).points
    ]


@pytest.mark.slow
def test_intervals_hold_the_pull_of_the_last_slot() -> None:
    held = [
        e.low <= 1.8 <= e.high
        for seed in range(200)
        for e in [slots.slot_effects(answers((-0.4, 0.0, 0.1, 0.5), 60, seed)).last_minus_first]
    ]

    assert 0.91 <= np.mean(held) <= 0.98
