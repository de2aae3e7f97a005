"""Corrections: check values of METHODS 4.6 and 12, planted biases, one that hurts, files that are none."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from audit import correction
from audit.correction import apply, apply_log, from_json, to_json
from audit.schema import Correction, Facts

Floats = NDArray[np.float64]

ABC = ("a", "b", "c")
FACTS = Facts(kind="in-context", source="a model", prompt="0f" * 32, weights="3c" * 32)
ZHAO = correction.contextual([[0.618, 0.382]], labels="ab", fitted_on="N/A", facts=FACTS)


def divided(prior: list[float], labels: str = "abcdefgh") -> Correction:
    return correction.contextual([prior], labels=labels[: len(prior)], fitted_on="", facts=FACTS)


def rows(logits: Floats) -> Floats:
    grown: Floats = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return grown


def hits(p: Floats, truth: NDArray[np.intp]) -> float:
    return float((p.argmax(axis=1) == truth).mean())


def biased(shares: list[int], bias: list[float], heat: float = 1) -> tuple[Floats, NDArray[np.intp]]:
    """Answers that are mostly right before `bias` is added to their logits, `shares[i]` of class i."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(len(shares)), shares)
    logits = rng.normal(0, 1, (len(truth), len(shares)))
    logits[np.arange(len(truth)), truth] += 3
    return rows((logits + np.array(bias)) / heat), truth


EVERY = [
    ZHAO,
    correction.domain_context([[0.5, 0.5], [0.9, 0.1]], labels="ab", fitted_on="words", facts=FACTS),
    correction.pmi([0.2, 0.3, 0.5], labels=ABC, fitted_on="a premise", facts=FACTS),
    correction.batch([[0.2, 0.8]] * 3, strength=0.5, labels="ab", fitted_on="texts", facts=FACTS),
    correction.prototypical(
        biased([30, 30, 30], [2, 0, -1])[0],
        np.random.default_rng(1),
        labels=ABC,
        fitted_on="texts",
        facts=FACTS,
    ),
    correction.temperature(1.7, labels=ABC, fitted_on="texts", facts=FACTS),
]
KINDS = [one.kind for one in EVERY]
every = pytest.mark.parametrize("one", EVERY, ids=KINDS)


# --- check values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "expected"), [((0.7, 0.3), (0.59055, 0.40945)), ((0.6, 0.4), (0.48111, 0.51889))]
)
def test_contextual_calibration_has_its_check_values(
    p: tuple[float, float], expected: tuple[float, float]
) -> None:
    assert expected == pytest.approx(apply(ZHAO, np.array([p]))[0], abs=5e-6)


def test_q_is_normalised_and_never_softmaxed_again() -> None:
    q = apply(ZHAO, np.array([[0.95, 0.05]]))[0]

    assert (0.922, 0.078) == pytest.approx(q, abs=5e-4)
    assert (0.803, 0.197) != pytest.approx(q, abs=0.1)


def test_the_prior_is_the_mean_of_probabilities_and_not_of_their_logarithms() -> None:
    fitted = correction.contextual([[0.9, 0.1], [0.5, 0.5]], labels="ab", fitted_on="", facts=FACTS)

    assert [0.7, 0.3] == pytest.approx(fitted.parameters["prior"])


def test_rows_that_do_not_sum_to_one_count_by_their_mass() -> None:
    fitted = correction.contextual([[0.3, 0.1], [0.1, 0.0]], labels="ab", fitted_on="", facts=FACTS)

    assert [0.8, 0.2] == pytest.approx(fitted.parameters["prior"])


def test_a_class_that_is_never_answered_without_content_counts_as_tiny() -> None:
    fitted = divided([1.0, 0.0])

    assert [1.0, 1e-12] == fitted.parameters["prior"]
    assert (0.0, 1.0) == pytest.approx(apply(fitted, np.array([[0.9, 0.1]]))[0], abs=1e-10)


def test_domain_context_and_pmi_divide_as_contextual_does() -> None:
    p = np.array([[0.7, 0.2, 0.1]])
    prior = [0.2, 0.3, 0.5]
    domain = correction.domain_context([prior], labels=ABC, fitted_on="", facts=FACTS)
    pmi = correction.pmi(prior, labels=ABC, fitted_on="", facts=FACTS)

    assert np.array_equal(apply(divided(prior), p), apply(domain, p))
    assert np.array_equal(apply(divided(prior), p), apply(pmi, p))
    assert ("domain-context", "pmi") == (domain.kind, pmi.kind)


def test_strength_is_the_power_of_the_prior() -> None:
    half = correction.batch([[0.8, 0.2]], strength=0.5, labels="ab", fitted_on="", facts=FACTS)

    assert (1 / 3, 2 / 3) == pytest.approx(apply(half, np.array([[0.5, 0.5]]))[0])


def test_a_temperature_of_two_is_a_square_root() -> None:
    two = correction.temperature(2, labels="ab", fitted_on="", facts=FACTS)

    assert (2 / 3, 1 / 3) == pytest.approx(apply(two, np.array([[0.8, 0.2]]))[0])


def test_the_coldest_temperature_leaves_a_row_that_sums_to_one() -> None:
    cold = correction.temperature(1e-3, labels="ab", fitted_on="", facts=FACTS)
    logits = np.array([[-1e300, -1e299], [0.0, 0.0]])

    assert [[0.0, 1.0], [0.5, 0.5]] == np.exp(apply_log(cold, logits)).tolist()


# --- planted faults -------------------------------------------------------------------------


def test_contextual_calibration_takes_a_planted_bias_away() -> None:
    bias = [4.0, 0.0, -1.0]
    p, truth = biased([100, 100, 100], bias)
    mended = correction.contextual(rows(np.array([bias])), labels=ABC, fitted_on="", facts=FACTS)

    assert hits(p, truth) < 0.6
    assert hits(apply(mended, p), truth) > 0.9


def test_contextual_calibration_hurts_where_content_free_is_not_label_free() -> None:
    p, truth = biased([100, 100], [0, 0])
    misled = divided([0.02, 0.98])  # `N/A` sounds like the second class; the prompt has no bias

    assert hits(p, truth) > 0.95
    assert hits(apply(misled, p), truth) < 0.8


def test_batch_calibration_recovers_from_a_planted_bias_in_a_balanced_batch() -> None:
    p, truth = biased([200, 200], [4, 0], heat=4)
    mended = correction.batch(p, labels="ab", fitted_on="", facts=FACTS)

    assert hits(p, truth) < 0.8
    assert hits(apply(mended, p), truth) > 0.95


def test_batch_calibration_mends_only_a_part_where_answers_are_nearly_certain() -> None:
    p, truth = biased([200, 200], [4, 0])
    mended = correction.batch(p, labels="ab", fitted_on="", facts=FACTS)

    assert hits(p, truth) < hits(apply(mended, p), truth) < 0.9


def test_batch_calibration_removes_signal_in_a_skewed_batch() -> None:
    p, truth = biased([380, 20], [0, 0])
    mended = correction.batch(p, labels="ab", fitted_on="", facts=FACTS)

    assert hits(p, truth) > 0.95
    assert hits(apply(mended, p), truth) < 0.9


@pytest.mark.parametrize("bias", [[0, 0, 0], [4, 0, -2], [-3, 3, 0]])
def test_clusters_find_their_classes_under_any_planted_bias(bias: list[float]) -> None:
    p, truth = biased([80, 80, 80], bias)
    mended = correction.prototypical(p, np.random.default_rng(3), labels=ABC, fitted_on="", facts=FACTS)

    assert hits(apply(mended, p), truth) > 0.9


def test_equal_seeds_fit_equal_clusters() -> None:
    p, _ = biased([30, 30], [1, 0])
    first, second = (
        correction.prototypical(p, np.random.default_rng(9), labels="ab", fitted_on="", facts=FACTS)
        for _ in range(2)
    )

    assert first == second


# --- properties -----------------------------------------------------------------------------

LOGITS = (
    st.integers(2, 5)
    .flatmap(
        lambda k: st.lists(st.lists(st.floats(-900, 900), min_size=k, max_size=k), min_size=1, max_size=5)
    )
    .map(np.array)
)
PRIOR = st.floats(0, 1)


@given(LOGITS, st.data())
def test_rows_sum_to_one(logits: Floats, data: st.DataObject) -> None:
    k = logits.shape[1]
    prior = data.draw(st.lists(PRIOR, min_size=k, max_size=k).filter(lambda one: sum(one) > 0))
    q = np.exp(apply_log(divided(prior), logits))

    assert np.ones(len(q)) == pytest.approx(q.sum(axis=1))
    assert q.min() >= 0


@given(LOGITS)
def test_a_uniform_prior_changes_nothing(logits: Floats) -> None:
    k = logits.shape[1]
    p = np.exp(apply_log(correction.temperature(1, labels="abcde"[:k], fitted_on="", facts=FACTS), logits))

    assert p.ravel() == pytest.approx(apply(divided([1 / k] * k), p).ravel())


@given(LOGITS, st.data())
def test_another_order_of_the_classes_is_that_order_of_the_result(
    logits: Floats, data: st.DataObject
) -> None:
    k = logits.shape[1]
    prior = data.draw(st.lists(st.floats(0.01, 1), min_size=k, max_size=k))
    order = data.draw(st.permutations(range(k)))
    turned = divided([prior[i] for i in order])

    straight = np.exp(apply_log(divided(prior), logits))[:, order]
    assert straight.ravel() == pytest.approx(np.exp(apply_log(turned, logits[:, order])).ravel())


def test_another_order_of_the_classes_turns_the_clusters_with_it() -> None:
    p, _ = biased([40, 40, 40], [3, 0, -1])
    order = [2, 0, 1]
    straight, turned = (
        correction.prototypical(rows_, np.random.default_rng(2), labels=ABC, fitted_on="", facts=FACTS)
        for rows_ in (p, p[:, order])
    )

    assert apply(straight, p)[:, order] == pytest.approx(apply(turned, p[:, order]), abs=1e-3)


@every
def test_impossible_stays_impossible_and_no_rows_stay_no_rows(one: Correction) -> None:
    k = len(one.labels)
    certain = np.eye(k)

    assert np.ones(k) == pytest.approx(apply(one, certain).sum(axis=1))
    assert np.isfinite(apply(one, certain)).all()
    assert (0, k) == apply(one, np.empty((0, k))).shape


# --- what cannot be fitted ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        (lambda: divided([]), "at least one row, got the shape"),
        (lambda: divided([0.0, 0.0]), "each row with a positive sum"),
        (lambda: divided([-0.1, 1.1]), "finite probabilities"),
        (lambda: divided([float("nan"), 1.0]), "finite probabilities"),
        (lambda: divided([0.5, 0.5], labels="abc"[:1]), "labels must be two or more different words"),
        (
            lambda: correction.pmi([0.5, 0.5], labels=ABC, fitted_on="", facts=FACTS),
            r"parameters.prior must be a list of 3, got \[0.5, 0.5\]",
        ),
        (
            lambda: correction.batch([[0.5, 0.5]], strength=0, labels="ab", fitted_on="", facts=FACTS),
            "parameters.strength must be a number from 0.001 to 1000, got 0.0",
        ),
        (
            lambda: correction.temperature(float("inf"), labels="ab", fitted_on="", facts=FACTS),
            "parameters.temperature must be a number from 0.001 to 1000, got inf",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(fit: Callable[[], object], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        fit()


# --- files ----------------------------------------------------------------------------------


@every
def test_what_is_written_is_read_back(one: Correction) -> None:
    assert one == from_json(json.loads(json.dumps(to_json(one))), "c.json")
