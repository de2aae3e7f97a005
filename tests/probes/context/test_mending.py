"""Fitting on what was asked: the check values of METHODS 4.6 and 12, inputs, and what cannot be fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from audit.schema import CorrectionKind, Example, Facts
from audit.seeds import Seeds
from audit.testing import leaning, sample_data
from probes.context.mending import METHODS, Asked, Inputs, ask, fit, free_texts, mend
from probes.contexts import Answers, Context

FACTS = Facts(kind="in-context", source="planted", prompt="0f" * 32, weights="3c" * 32)
ZHAO = (0.618, 0.382)


def asked(
    p: list[tuple[float, float]],
    *,
    blank: list[tuple[float, float]] | None = None,
    domain: list[tuple[float, float]] | None = None,
    free: list[tuple[float, float]] | None = None,
) -> Asked:
    """One context; what is not given is even."""
    even = [(0.5, 0.5)] * 3
    answers = Answers(
        contexts=(Context(name="only", demonstrations=()),),
        items=tuple(Example(id=f"i{i}", text=f"item {i}", label="a") for i in range(len(p))),
        labels=("a", "b"),
        probabilities=np.array([p]),
        truncated=0,
    )
    return Asked(
        answers=answers,
        blank=np.array([even if blank is None else blank]),
        domain=np.array([even if domain is None else domain]).reshape(1, -1, 2),
        free=np.array([even * 4 if free is None else free]).reshape(1, -1, 2),
    )


def mended(method: CorrectionKind, given: Asked) -> list[tuple[float, float]]:
    rows = mend(method, given, Seeds(0), FACTS).answers.probabilities[0]
    return [(float(a), float(b)) for a, b in rows]


# --- check values ---------------------------------------------------------------------------


P = [(0.7, 0.3), (0.6, 0.4), (0.95, 0.05)]


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("contextual", asked(P, blank=[ZHAO] * 3)),
        ("domain-context", asked(P, domain=[ZHAO] * 20)),
        ("pmi", asked(P, blank=[(0.1, 0.9), ZHAO, (0.1, 0.9)])),  # the empty text stands second
        ("batch", asked(P, free=[ZHAO] * 10)),
    ],
)
def test_each_division_has_the_check_values(method: CorrectionKind, given: Asked) -> None:
    first, second, third = mended(method, given)

    assert (0.59055, 0.40945) == pytest.approx(first, abs=5e-6)
    assert (0.48111, 0.51889) == pytest.approx(second, abs=5e-6)
    assert (0.922, 0.078) == pytest.approx(third, abs=5e-4)


def test_the_answer_flips_where_the_prior_leans_more_than_the_text() -> None:
    given = asked([(0.6, 0.4)], blank=[ZHAO] * 3)

    assert 0 == given.answers.predicted[0, 0]
    assert 1 == mend("contextual", given, Seeds(0), FACTS).answers.predicted[0, 0]


@pytest.mark.parametrize("method", METHODS[:4])
def test_even_answers_to_all_inputs_change_nothing(method: CorrectionKind) -> None:
    assert [pytest.approx(row) for row in P] == mended(method, asked(P))


def test_two_clusters_are_told_apart_though_both_lean_to_one_label() -> None:
    rng = np.random.default_rng(0)
    low, high = (0.60 + 0.01 * rng.normal(size=20), 0.95 + 0.01 * rng.normal(size=20))
    free = [(1 - x, x) for x in np.concatenate([low, high]).tolist()]

    rows = mended("prototypical", asked([(0.4, 0.6), (0.05, 0.95)], free=free))

    assert rows[0][0] > 0.9
    assert rows[1][1] > 0.9


def test_each_context_is_mended_by_what_was_fitted_in_it() -> None:
    one, two = asked([(0.6, 0.4)], blank=[ZHAO] * 3), asked([(0.6, 0.4)])
    both = Asked(
        answers=replace(
            one.answers,
            contexts=(one.answers.contexts[0],) * 2,
            probabilities=np.concatenate([one.answers.probabilities, two.answers.probabilities]),
        ),
        blank=np.concatenate([one.blank, two.blank]),
        domain=np.concatenate([one.domain, two.domain]),
        free=np.concatenate([one.free, two.free]),
    )

    found = mend("contextual", both, Seeds(0), FACTS)

    assert [[1], [0]] == found.answers.predicted.tolist()
    assert [pytest.approx(list(ZHAO)), [0.5, 0.5]] == [one.parameters["prior"] for one in found.corrections]


def test_a_fitted_correction_says_what_it_was_fitted_on_and_for() -> None:
    found = {method: mend(method, asked([(0.6, 0.4)]), Seeds(0), FACTS) for method in METHODS[:4]}

    said = [one.corrections[0].fitted_on for one in found.values()]
    assert "3 inputs without content ('N/A', '', '[MASK]')" == said[0]
    assert "3 strings of random words of the training texts" == said[1]
    assert "the prompt with an empty text" == said[2]
    assert "12 training texts, labels unused" == said[3]
    assert {(FACTS.prompt, FACTS.weights, ("a", "b"))} == {
        (one.corrections[0].prompt, one.corrections[0].weights, one.corrections[0].labels)
        for one in found.values()
    }


# --- what cannot be -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["batch", "prototypical"])
def test_too_few_unlabelled_texts_are_refused(method: CorrectionKind) -> None:
    with pytest.raises(ValueError, match=r"needs 10 training texts .* there are 9"):
        mended(method, asked([(0.6, 0.4)], free=[(0.5, 0.5)] * 9))


def test_equal_answers_are_no_clusters() -> None:
    with pytest.raises(ValueError, match="2 clusters need 10 distinct answers, got 1 among 12"):
        mended("prototypical", asked([(0.6, 0.4)]))


def test_training_texts_without_words_are_refused() -> None:
    with pytest.raises(ValueError, match="no words"):
        mended("domain-context", asked([(0.6, 0.4)], domain=[]))


def test_the_context_that_fails_is_named_among_several() -> None:
    one = asked([(0.6, 0.4)], domain=[])
    answers = replace(
        one.answers,
        contexts=(Context(name="recipe 1: NP 1-2", demonstrations=()), one.answers.contexts[0]),
        probabilities=one.answers.probabilities.repeat(2, axis=0),
    )

    with pytest.raises(ValueError, match="recipe 1: NP 1-2: the training texts have no words"):
        mend("domain-context", replace(one, answers=answers), Seeds(0), FACTS)


def test_a_temperature_is_no_method() -> None:
    assert {"temperature"} == set(get_args(CorrectionKind)) - set(METHODS)
    with pytest.raises(ValueError, match="changes no answer"):
        fit("temperature", asked([(0.6, 0.4)]), 0, np.random.default_rng(0), FACTS)


# --- inputs ---------------------------------------------------------------------------------


def pool(n: int = 30) -> list[Example]:
    return [Example(id=f"t{i}", text=f"text {i // 2}", label="ab"[i % 2]) for i in range(n)]


def test_no_text_is_taken_twice_nor_one_that_is_asked_or_shown() -> None:
    shown = [Example(id="elsewhere", text="text 3"), Example(id="other", text="text 4")]

    texts = free_texts(pool(), 100, Seeds(0), without=shown)

    assert 13 == len(texts) == len(set(texts))
    assert not {"text 3", "text 4"} & set(texts)


def test_more_texts_begin_with_the_fewer_and_the_order_of_the_data_changes_nothing() -> None:
    five = free_texts(pool(), 5, Seeds(1), without=())

    assert five == free_texts(pool()[::-1], 8, Seeds(1), without=())[:5]
    assert five != free_texts(pool(), 5, Seeds(2), without=())


def test_a_label_is_not_looked_at() -> None:
    plain = [replace(one, label=None) for one in pool()]

    assert free_texts(pool(), 5, Seeds(0), without=()) == free_texts(plain, 5, Seeds(0), without=())


def test_answers_come_apart_as_they_were_asked() -> None:
    data = sample_data()
    model = replace(leaning(data), blank={"positive": 1.0})
    contexts = [Context(name=f"c{i}", demonstrations=data.train[i : i + 2]) for i in range(3)]
    inputs = Inputs(pair=False, domain=("some words .",), free=("free 1", "free 2"))

    found = ask(model, contexts, data.test[:4], inputs)

    assert (3, 4, 2) == found.answers.probabilities.shape
    assert [(3, 3, 2), (3, 1, 2), (3, 2, 2)] == [x.shape for x in (found.blank, found.domain, found.free)]
    assert [3 * [4 + 3 + 1 + 2]] == [model.counts]
    alone = replace(model, prompt=replace(model.prompt, demonstrations=contexts[1].demonstrations))
    assert alone.score(["[MASK]"]).probabilities.tolist() == found.blank[1, 2:].tolist()
    assert alone.score(["free 2"]).probabilities.tolist() == found.free[1, 1:].tolist()
