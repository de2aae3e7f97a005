"""Statistics for probes and gate: the public face of `interval`, `average`, `resample`,
`permutation` and `power`.

Intervals: `share`, `clustered_share`, `mean`, `two_way_mean`, `share_difference`, `paired_difference`,
`independent_difference`.
Resampling: `bootstrap`, `bootstrap_unbiased`, `bootstrap_two_way`, `sign_flip_p`, `permutation_p`.
Tests: `mcnemar`, `holm`, `bh`, `zero_hits_bound`. Sizes: `pairs_needed`, `smallest_drop`,
`examples_needed`, `smallest_margin`, `group_needed`, `questions_needed`, `needed_n`, `decidable_margin`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from audit.average import clustered_se, clustered_share, finite, mean, two_way_mean
from audit.interval import Floats, independent_difference, paired_difference, share, share_difference
from audit.permutation import permutation_p, sign_flip_p
from audit.power import (
    decidable_margin,
    examples_needed,
    group_needed,
    needed_n,
    pairs_needed,
    questions_needed,
    smallest_drop,
    smallest_margin,
)
from audit.resample import bootstrap, bootstrap_two_way, bootstrap_unbiased

__all__ = [
    "McNemar",
    "bh",
    "bootstrap",
    "bootstrap_two_way",
    "bootstrap_unbiased",
    "clustered_se",
    "clustered_share",
    "decidable_margin",
    "examples_needed",
    "group_needed",
    "holm",
    "independent_difference",
    "mcnemar",
    "mean",
    "needed_n",
    "paired_difference",
    "pairs_needed",
    "permutation_p",
    "questions_needed",
    "share",
    "share_difference",
    "sign_flip_p",
    "smallest_drop",
    "smallest_margin",
    "two_way_mean",
    "zero_hits_bound",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """The four forms of McNemar's test of b against c discordant pairs; two-sided."""

    b: int
    c: int
    exact: float
    """Exact conditional p, in (0, 1]; fewer than 6 discordant pairs never reach 0.05."""
    mid: float
    """Mid-p, in (0, 1]."""
    chi2: float
    """(b - c)² / (b + c), 1 degree of freedom; 0 without discordant pairs."""
    chi2_corrected: float
    """With continuity correction, (|b - c| - 1)² / (b + c), 0 where b = c."""

    @property
    def p(self) -> float:
        """The p to report: exact below 25 discordant pairs, mid-p from there on."""
        return self.exact if self.b + self.c < 25 else self.mid


def mcnemar(b: int, c: int) -> McNemar:
    """Test whether two answers to the same items are right equally often.

    Args:
        b: items that only the first got right.
        c: items that only the second got right.

    Raises:
        ValueError: a negative count.

    Source: McNemar 1947; Fagerland, Lydersen and Laake 2013 for mid-p.

    >>> round(mcnemar(10, 2).p, 5)
    0.03857
    """
    if min(b, c) < 0:
        raise ValueError(f"counts are at least 0, got b={b}, c={c}")
    from scipy.special import bdtr

    n, k = b + c, min(b, c)
    below = float(bdtr(k - 1, n, 0.5)) if k > 0 else 0.0  # P(X < k), X ~ Binomial(n, 1/2)
    upto = float(bdtr(k, n, 0.5))
    return McNemar(
        b=b,
        c=c,
        exact=min(1.0, 2 * upto),
        mid=min(1.0, below + upto),
        chi2=(b - c) ** 2 / n if n else 0.0,
        chi2_corrected=max(abs(b - c) - 1, 0) ** 2 / n if n else 0.0,
    )


def zero_hits_bound(n: int, *, alpha: float = 0.05) -> float:
    """Return the largest rate that n trials without a hit leave possible, one-sided: 1 - alpha^(1/n).

    Raises:
        ValueError: n below 1, or alpha outside of (0, 1).

    >>> round(zero_hits_bound(100), 4)
    0.0295
    """
    if n < 1 or not 0 < alpha < 1:
        raise ValueError(f"needs n ≥ 1 and 0 < alpha < 1, got n={n}, alpha={alpha}")
    return float(1 - alpha ** (1 / n))


def holm(p: ArrayLike) -> Floats:
    """Return (m,) p-values adjusted so that one false alarm among all is rare (Holm 1979), same order.

    Raises:
        ValueError: a p outside of [0, 1].
    """
    return _adjusted(p, "holm")


def bh(p: ArrayLike) -> Floats:
    """Return (m,) p-values adjusted for the share of false alarms (Benjamini, Hochberg 1995), same order.

    Raises:
        ValueError: a p outside of [0, 1].
    """
    return _adjusted(p, "fdr_bh")


def _adjusted(p: ArrayLike, method: str) -> Floats:
    given = np.asarray(p, dtype=np.float64)
    if given.size == 0:
        return given
    given = finite(given)
    if given.min() < 0 or given.max() > 1:
        raise ValueError(f"a p lies in [0, 1], got {given.min()} to {given.max()}")
    from statsmodels.stats.multitest import multipletests

    adjusted: Floats = multipletests(given, method=method)[1]
    return adjusted
