"""The prompt in other words: each template once, and labels shuffled but as many of each."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from audit.schema import Example, Prompt
from probes.context import wordings


def prompt(labels: str, *alternatives: str) -> Prompt:
    demonstrations = tuple(Example(id=f"{i}", text=f"{i}", label=label) for i, label in enumerate(labels))
    return Prompt(
        template="one {text}",
        verbalizers={label: (label,) for label in "NP"},
        demonstrations=demonstrations,
        alternatives=alternatives,
    )


def test_each_template_stands_once_and_the_one_in_use_first() -> None:
    found = wordings.templates(prompt("NP", "two {text}", "one {text}", "two {text}", "three {text}"), 8)

    assert {
        "template 1 (in use)": "one {text}",
        "template 2": "two {text}",
        "template 3": "three {text}",
    } == {name: one.template for name, one in found.items()}
    assert all(one.alternatives == () for one in found.values())


def test_a_limit_keeps_the_first_templates() -> None:
    found = wordings.templates(prompt("NP", "two {text}", "three {text}"), 2)

    assert ["template 1 (in use)", "template 2"] == list(found)


@pytest.mark.parametrize("labels", ["NPNP", "NNNP", "NNPPNP"])
def test_shuffles_differ_from_the_prompt_and_from_each_other_with_as_many_of_each_label(labels: str) -> None:
    found = wordings.shuffles(prompt(labels), 3, np.random.default_rng(0))

    arranged = ["".join(str(one.label) for one in each.demonstrations) for each in found.values()]
    assert 4 == len({labels, *arranged})
    assert all(Counter(labels) == Counter(each) for each in arranged)
    assert all("012345"[: len(labels)] == "".join(d.text for d in p.demonstrations) for p in found.values())


def test_two_demonstrations_have_one_shuffle() -> None:
    (found,) = wordings.shuffles(prompt("NP"), 3, np.random.default_rng(0)).values()

    assert ["P", "N"] == [one.label for one in found.demonstrations]


@pytest.mark.parametrize("labels", ["", "N", "PPP"])
def test_one_label_has_no_shuffle(labels: str) -> None:
    assert {} == wordings.shuffles(prompt(labels), 3, np.random.default_rng(0))
