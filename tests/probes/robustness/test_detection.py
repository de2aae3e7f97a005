"""Detection scores against scikit-learn, ties and edges by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score, roc_curve

from probes.robustness.detection import auroc, energy, mistaken, ranks

Numbers = NDArray[Any]
ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=60).filter(
    lambda rows: len({away for away, _ in rows}) == 2
)


def split(rows: list[tuple[bool, int]]) -> tuple[Numbers, Numbers]:
    return np.array([away for away, _ in rows]), np.array([score for _, score in rows]) / 7


@given(ROWS)
def test_auroc_is_that_of_scikit_learn_with_ties(rows: list[tuple[bool, int]]) -> None:
    positive, score = split(rows)

    assert roc_auc_score(positive, score) == pytest.approx(auroc(positive, ranks(score)))


@given(ROWS)
def test_mistaken_is_the_first_point_of_the_curve_that_keeps_95_percent(
    rows: list[tuple[bool, int]],
) -> None:
    away, score = split(rows)
    fpr, tpr, _ = roc_curve(~away, score, drop_intermediate=False)

    assert fpr[np.flatnonzero(tpr >= 0.95 - 1e-9)[0]] == pytest.approx(mistaken(away, ranks(score), 0.95))


@given(ROWS)
def test_the_other_side_as_positives_mirrors_the_auroc(rows: list[tuple[bool, int]]) -> None:
    away, score = split(rows)

    assert 1 - auroc(away, ranks(score)) == pytest.approx(auroc(~away, ranks(score)))


def test_one_constant_score_tells_nothing() -> None:
    away = np.array([True, False, True])

    assert 0.5 == auroc(away, np.zeros(3, dtype=np.intp))
    assert 1.0 == mistaken(away, np.zeros(3, dtype=np.intp), 0.95)


@pytest.mark.parametrize("away", [True, False])
def test_one_side_alone_has_no_number(away: bool) -> None:
    side = np.full(3, away)

    assert np.isnan(auroc(side, np.arange(3)))
    assert np.isnan(mistaken(side, np.arange(3), 0.95))


def test_scores_that_differ_by_rounding_are_equal() -> None:
    assert [0, 0, 1] == ranks(np.array([0.1 + 0.2, 0.3, 0.31])).tolist()


def test_energy_is_that_of_scipy_and_survives_large_logits() -> None:
    logits = np.array([[1.0, 2.0, -3.0], [900.0, 900.0, 0.0], [-900.0, -901.0, -902.0]])

    assert logsumexp(logits, axis=1) == pytest.approx(energy(logits))
