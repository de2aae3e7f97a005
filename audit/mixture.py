"""A Gaussian for each class over the log-ratios of probabilities: fitted without labels, pure functions.

Rows that sum to one have k - 1 free numbers. They are put into k - 1 coordinates (isometric log-ratios,
Egozcue et al. 2003) in which covariances have full rank and no class is favoured: another order of the
classes only turns the space.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TINY = 1e-12
"""A probability below this counts as this."""
CROWD = 5
"""Distinct answers for each class, below which nothing is fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """One Gaussian for each of k classes, in their order."""

    weights: Floats
    """(k,) shares of the answers."""
    means: Floats
    """(k, k - 1) in log-ratio coordinates."""
    covariances: Floats
    """(k, k - 1, k - 1), each positive definite."""


def fit(logs: Floats, rng: np.random.Generator) -> Mixture:
    """Return k Gaussians that m answers fall into, each given to one class.

    Clusters go to classes one to one, so that the log-ratios of their means are largest in sum. A bias that
    all answers share adds the same to each such sum, so it does not change who gets which.

    Args:
        logs: (m, k) log-probabilities; minus infinity counts as log 1e-12.
        rng: starts the clusters.

    Raises:
        ValueError: fewer than five distinct answers for each class, a search that does not settle, or a
            cluster of fewer than two answers.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.mixture import GaussianMixture

    m, k = logs.shape
    x = _coordinates(logs)  # (m, k - 1)
    distinct = len(np.unique(x.round(9), axis=0))
    if distinct < CROWD * k:
        raise ValueError(f"{k} clusters need {CROWD * k} distinct answers, got {distinct} among {m}")
    start = int(rng.integers(2**32))
    found = GaussianMixture(k, reg_covar=1e-4, n_init=10, max_iter=500, random_state=start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not settle, which is checked below
        found.fit(x)
    if not found.converged_:
        raise ValueError(f"the clusters of {m} answers did not settle in {found.max_iter} rounds")
    smallest = float(found.predict_proba(x).sum(axis=0).min())
    if smallest < 2:
        raise ValueError(f"a cluster holds {smallest:.2g} of {m} answers, too few to stand for a class")
    ratios = found.means_ @ _basis(k)  # (k clusters, k classes)
    _, cluster = linear_sum_assignment(-ratios.T)  # (k,) of each class
    return Mixture(
        weights=found.weights_[cluster], means=found.means_[cluster], covariances=found.covariances_[cluster]
    )


def densities(mixture: Mixture, logs: Floats) -> Floats:
    """Return (n, k) log of weight times density of each class at the answers, up to a constant per row."""
    x = _coordinates(logs)  # (n, k - 1)
    columns = []
    for weight, mean, covariance in zip(mixture.weights, mixture.means, mixture.covariances, strict=True):
        root = np.linalg.cholesky(covariance)
        z = np.linalg.solve(root, (x - mean).T)  # (k - 1, n)
        columns.append(np.log(weight) - np.log(np.diag(root)).sum() - 0.5 * (z**2).sum(axis=0))
    return np.stack(columns, axis=1)


def _coordinates(logs: Floats) -> Floats:
    cut = np.maximum(logs, np.log(TINY))
    x: Floats = cut @ _basis(logs.shape[1]).T
    return x


def _basis(k: int) -> Floats:
    """Return (k - 1, k) orthonormal rows, each of sum 0: what all classes share is left out."""
    from scipy.linalg import helmert

    rows: Floats = helmert(k)
    return rows
