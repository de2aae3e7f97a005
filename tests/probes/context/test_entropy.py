"""Entropies by hand, and the orders they choose."""

from __future__ import annotations

import numpy as np
import pytest

from audit.schema import Example
from probes.context.entropy import chosen, global_entropy, highest, local_entropy
from probes.context.mending import Asked
from probes.contexts import Answers, Context

NAMES = ("global-entropy", "local-entropy")
SURE, TORN = (1.0, 0.0), (0.5, 0.5)


def rows(*positive: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """One order, whose answers have these probabilities of the second label."""
    return np.array([[(1 - p, p) for p in positive]])


def asked(free: np.ndarray[tuple[int, ...], np.dtype[np.float64]], right: list[list[int]]) -> Asked:
    """Two sets; under each context the items of `right` are answered with their label, which is the first."""
    hits = np.array(right)  # (c, n)
    items = tuple(Example(id=f"i{i}", text=f"item {i}", label="a") for i in range(hits.shape[1]))
    contexts = tuple(
        Context(name=f"c{c}", set=1 + 2 * c // len(right), demonstrations=()) for c in range(len(right))
    )
    answers = Answers(
        contexts=contexts,
        items=items,
        labels=("a", "b"),
        probabilities=np.stack([hits, 1 - hits], axis=2).astype(np.float64),
        truncated=0,
    )
    none = np.zeros((len(right), 0, 2))
    return Asked(answers=answers, blank=none, domain=none, free=free)


# --- by hand --------------------------------------------------------------------------------


def test_global_entropy_is_that_of_the_histogram_of_answers() -> None:
    expected = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))

    assert [expected] == pytest.approx(global_entropy(rows(0.1, 0.4, 0.2, 0.9)))


def test_global_entropy_counts_an_unseen_label_as_one_in_a_hundred_thousand() -> None:
    assert [-1e-5 * np.log(1e-5)] == pytest.approx(global_entropy(rows(0.1, 0.2)))


def test_local_entropy_is_the_mean_of_that_of_each_answer() -> None:
    sure = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))

    assert [(np.log(2) + sure) / 2] == pytest.approx(local_entropy(rows(0.5, 0.9)))


def test_certain_answers_have_no_local_entropy() -> None:
    assert [0.0] == local_entropy(rows(0.0, 1.0)).tolist()


def test_even_answers_have_the_logarithm_of_the_labels() -> None:
    even = np.eye(3)[None, :, :]

    assert [np.log(3)] == pytest.approx(global_entropy(even))
    assert [np.log(3)] == pytest.approx(local_entropy(np.full((1, 2, 3), 1 / 3)))


def test_the_two_disagree_where_answers_are_sure_and_mixed() -> None:
    assert global_entropy(rows(0.0, 1.0))[0] > 0.69
    assert 0.0 == local_entropy(rows(0.0, 1.0))[0]


def test_of_equals_the_first_is_taken_whatever_their_rounding() -> None:
    assert [0, 1] == highest(np.array([0.3, 0.3 + 1e-15, 0.1]), 2).tolist()


# --- choosing -------------------------------------------------------------------------------


def test_the_orders_with_most_entropy_are_taken_in_each_set_by_itself() -> None:
    flat, torn = [SURE] * 10, [SURE, SURE[::-1]] * 5
    unsure = [TORN] * 10
    right = [[1, 1, 0], [0, 0, 0], [1, 0, 1], [0, 1, 1]]

    by_histogram = chosen("global-entropy", asked(np.array([flat, torn, torn, flat]), right), keep=1)
    by_answer = chosen("local-entropy", asked(np.array([unsure, torn, torn, unsure]), right), keep=1)

    assert [[0, 0, 0], [1, 0, 1]] == by_histogram.tolist()
    assert [[1, 1, 0], [0, 1, 1]] == by_answer.tolist()


def test_what_is_kept_counts_by_its_mean() -> None:
    free = np.array([[SURE] * 10, [TORN] * 10, [TORN] * 10] * 2)
    right = [[1, 1], [1, 0], [0, 0], [0, 0], [1, 1], [0, 1]]

    table = chosen("local-entropy", asked(free, right), keep=2)

    assert [[0.5, 0.0], [0.5, 1.0]] == table.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_as_many_orders_as_are_kept_are_no_choice(name: str) -> None:
    free = np.array([[TORN] * 10] * 4)

    with pytest.raises(ValueError, match="a set has 2 orders and 2 are kept"):
        chosen(name, asked(free, [[1, 0]] * 4), keep=2)


@pytest.mark.parametrize("name", NAMES)
def test_too_few_texts_to_probe_with_are_refused(name: str) -> None:
    free = np.array([[TORN] * 9] * 4)

    with pytest.raises(ValueError, match=r"needs 10 training texts .* there are 9"):
        chosen(name, asked(free, [[1, 0]] * 4), keep=1)
