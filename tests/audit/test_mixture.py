"""Clusters that cannot stand for classes are refused, naming why; weights, means and spreads are found."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from audit import mixture

Floats = NDArray[np.float64]


def logs(ratios: Floats) -> Floats:
    """(m, 2) log-probabilities of (m,) log-odds of the first class."""
    odds = np.stack([ratios, np.zeros_like(ratios)], axis=1)
    found: Floats = odds - np.log(np.exp(odds).sum(axis=1, keepdims=True))
    return found


def fit(p: Floats, seed: int = 0) -> mixture.Mixture:
    return mixture.fit(p, np.random.default_rng(seed))


def test_planted_clusters_are_found() -> None:
    rng = np.random.default_rng(5)
    found = fit(logs(np.concatenate([rng.normal(4, 1, 300), rng.normal(-2, 0.5, 100)])))

    # one coordinate, in which log-odds of x lie at x / sqrt(2) from even
    assert [0.75, 0.25] == pytest.approx(found.weights, abs=0.02)
    assert [4, -2] == pytest.approx(found.means[:, 0] * np.sqrt(2), abs=0.2)
    assert [1, 0.25] == pytest.approx(found.covariances[:, 0, 0] * 2, abs=0.2)


def test_a_bias_that_all_answers_share_changes_no_label() -> None:
    rng = np.random.default_rng(5)
    odds = np.concatenate([rng.normal(2, 0.5, 60), rng.normal(-2, 0.5, 60)])
    for_all = fit(logs(odds + 9))

    assert [11, 7] == pytest.approx(for_all.means[:, 0] * np.sqrt(2), abs=0.3)


def test_the_density_is_that_of_a_gaussian() -> None:
    one = mixture.Mixture(
        weights=np.array([0.25, 0.75]),
        means=np.array([[1.0], [-1.0]]),
        covariances=np.array([[[4.0]], [[1.0]]]),
    )
    found = mixture.densities(one, logs(np.array([0.0])))[0]

    # log w - log sd - z² / 2
    assert [np.log(0.25) - np.log(2) - 1 / 8, np.log(0.75) - 1 / 2] == pytest.approx(found)


def test_too_few_different_answers_make_no_clusters() -> None:
    with pytest.raises(ValueError, match="2 clusters need 10 distinct answers, got 2 among 80"):
        fit(logs(np.array([2.0, -1.0] * 40)))


def test_a_cluster_of_a_single_answer_is_no_class() -> None:
    odds = np.random.default_rng(0).normal(0, 0.1, 40)
    odds[0] = -25

    with pytest.raises(ValueError, match="a cluster holds 1 of 40 answers, too few to stand for a class"):
        fit(logs(odds))


def test_no_probability_at_all_counts_as_tiny() -> None:
    impossible = np.array([[0.0, -np.inf]])
    one = fit(logs(np.random.default_rng(1).normal(0, 2, 50)))

    assert np.array_equal(
        mixture.densities(one, np.array([[0.0, np.log(1e-12)]])), mixture.densities(one, impossible)
    )
