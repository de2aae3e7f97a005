"""Orders as contexts: the questions of context.position, asked again by whom it may help."""

from __future__ import annotations

import numpy as np

from audit.schema import Example
from audit.seeds import Seeds
from audit.testing import LABELS
from probes.context.turning import ends, turned
from probes.contexts import Answers, Context

FOUR = tuple(Example(id=f"d{i}", text=f"text {i}", label=LABELS[i // 2]) for i in range(4))


def test_an_order_stands_beside_its_reverse_and_says_so_in_its_name() -> None:
    found = turned("recipe", 3, FOUR, LABELS, 8, Seeds(0), ends_differ=True)

    assert 8 == len(found) == len({context.name for context in found})
    assert ("recipe 3: NNPP 1-2-3-4", "recipe 3: PPNN 4-3-2-1") == (found[0].name, found[1].name)
    assert {3} == {context.set for context in found}
    assert all(context.labels[0] != context.labels[-1] for context in found)
    assert all(
        a.demonstrations == b.demonstrations[::-1] for a, b in zip(found[::2], found[1::2], strict=True)
    )


def test_the_prompt_has_no_number_and_begins_as_it_is() -> None:
    found = turned("prompt", 0, FOUR, LABELS, 24, Seeds(0))

    assert "prompt: NNPP 1-2-3-4" == found[0].name
    assert FOUR == found[0].demonstrations
    assert 24 == len(found)


def test_ends_are_one_for_the_last_label_and_minus_one_for_the_first() -> None:
    labels = ("a", "b", "c")
    shown = tuple(Example(id=name, text=name, label=name) for name in "ac")
    answers = Answers(
        contexts=(Context(name="only", demonstrations=shown),),
        items=tuple(Example(id=f"i{i}", text=f"item {i}", label="a") for i in range(3)),
        labels=labels,
        probabilities=np.eye(3)[None, :, :],
        truncated=0,
    )

    assert [[-1.0, 0.0, 1.0]] == ends(answers).tolist()
