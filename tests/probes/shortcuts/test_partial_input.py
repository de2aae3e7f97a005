"""A field that gives the label away is found, one that does not is left alone, and no model is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit.errors import ConfigError
from audit.planted import coin, hashed
from audit.schema import Data, Example, Finding, Skip
from audit.seeds import Seeds
from audit.testing import check_probe, subject
from probes.shortcuts.partial_input import PartialInput

LABELS = ("contradiction", "entailment")
WORDS = ("dog", "man", "boat", "tree", "road", "lamp", "girl", "horse", "house", "field")


def data(n: int, tells: float, seed: int = 0) -> Data:
    """Pairs whose second text says "nobody" in the share `tells` of the contradictions, and never else."""
    train = []
    for i in range(n):
        first, second = (WORDS[int(coin((i, part), seed) * len(WORDS))] for part in "ab")
        hint = "nobody " if i % 2 == 0 and coin((i, "hint"), seed) < tells else ""
        train.append(
            Example(id=f"e{i}", text=f"a {first} {i}", pair=f"{hint}a {second} {i}", label=LABELS[i % 2])
        )
    return Data(labels=LABELS, test=tuple(train[:10]), train=tuple(train))


def outcomes(given: Data, probe: PartialInput | None = None) -> list[Finding | Skip]:
    return list((probe or PartialInput()).run(subject(hashed()), given, Seeds(0)))


def findings(given: Data) -> dict[str, Finding]:
    return {one.slice: one for one in outcomes(given) if isinstance(one, Finding)}


def test_a_second_text_that_tells_the_label_is_found_and_the_first_is_not() -> None:
    found = findings(data(600, tells=0.6))

    # Right on all with the hint and, without one, on what is then the commoner label.
    assert found["second text"].estimate.low <= 0.3 <= found["second text"].estimate.high + 0.06
    assert found["second text"].estimate.low > 0.15
    assert found["first text"].estimate.low <= 0.0 <= found["first text"].estimate.high


def test_it_is_of_the_data_and_no_fault_of_the_model() -> None:
    model = hashed()
    list(PartialInput().run(subject(model), data(100, tells=1.0), Seeds(0)))
    found = findings(data(100, tells=1.0))["second text"]

    assert 0 == model.asked
    assert "neither" == found.better
    assert "not of the model" in found.note
    assert 5 == len(found.cases)


def test_copies_of_a_text_are_not_answered_from_memory() -> None:
    given = data(200, tells=0.0)
    rng = np.random.default_rng(0)
    # Every text stands there twenty times with one label of its own, drawn at random.
    train = tuple(
        Example(id=f"{i}-{j}", text="x", pair=f"w{i}", label=label)
        for i, label in enumerate(rng.choice(LABELS, 20))
        for j in range(20)
    )
    found = findings(replace(given, train=train))

    assert found["second text"].estimate.value <= 0.05
    assert 20 == found["second text"].estimate.n


def test_a_task_of_one_text_has_no_part() -> None:
    given = data(50, tells=1.0)
    single = tuple(replace(one, pair=None) for one in given.train)
    (only,) = outcomes(replace(given, train=single, test=single))

    assert isinstance(only, Skip)
    assert not only.applicable


def test_pairs_without_labels_are_a_skip_that_says_so() -> None:
    given = data(50, tells=1.0)
    bare = tuple(replace(one, label=None) for one in given.train)
    (only,) = outcomes(replace(given, train=bare, test=bare))

    assert isinstance(only, Skip)
    assert only.applicable
    assert "give labels" in only.reason


@pytest.mark.parametrize("n", [1, 2, 4])
def test_too_few_pairs_give_no_number(n: int) -> None:
    assert {} == findings(data(n, tells=1.0))


def test_one_label_gives_no_number() -> None:
    given = data(100, tells=1.0)

    assert {} == findings(replace(given, train=given.train[::2]))


def test_texts_without_words_are_answered_by_the_commonest_label() -> None:
    given = data(100, tells=1.0)
    empty = tuple(replace(one, pair="!" * (i % 50)) for i, one in enumerate(given.train))

    assert 0.0 == findings(replace(given, train=empty))["second text"].estimate.value


def test_the_order_of_the_examples_changes_nothing() -> None:
    given = data(200, tells=0.5)

    assert outcomes(given) == outcomes(replace(given, train=given.train[::-1]))


def test_it_keeps_the_contract() -> None:
    check_probe(PartialInput(), path="probes.shortcuts.partial_input")


@pytest.mark.parametrize(("name", "value"), [("items", 1), ("folds", 1), ("folds", 50), ("cases", -1)])
def test_a_parameter_that_cannot_be_is_refused(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"^shortcuts.partial_input: {name}: cannot be {value}"):
        PartialInput(**{name: value})
