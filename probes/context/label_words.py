"""The words that stand for labels: symbols in their place, and whether answers follow how common they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Estimate, Prompt
from audit.seeds import Seeds
from probes.context import variation

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

LEVEL = 0.95


def with_symbols(prompt: Prompt) -> Prompt:
    """Return the prompt with A, B, C … for its label words, in demonstrations and answer alike.

    What stands before a word's first letter, mostly a space, stays.

    Raises:
        ValueError: more labels than letters.
    """
    if len(prompt.verbalizers) > len(ascii_uppercase):
        raise ValueError(f"{len(prompt.verbalizers)} labels are more than there are letters")
    letters = dict(zip(prompt.verbalizers, ascii_uppercase, strict=False))
    forms: Mapping[str, tuple[str, ...]] = {
        label: (words[0][: len(words[0]) - len(words[0].lstrip())] + letters[label],)
        for label, words in prompt.verbalizers.items()
    }
    return replace(prompt, verbalizers=forms)


def zipf(word: str) -> float:
    """Return how common an English word is: 10 to the power of it, per billion words; 0 where not known.

    Source: Speer, wordfreq (Zenodo 10.5281/zenodo.7199437); van Heuven et al. 2014 for the scale.
    """
    from wordfreq import zipf_frequency

    return float(zipf_frequency(word.strip().lower(), "en"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Do labels of common words get more answers?"""

    estimate: Estimate
    """Spearman's, in [-1, 1]: of these labels, under other items."""
    p: float
    """That answers and words have nothing to do with each other; two-sided."""


def correlation(
    commonness: Floats, predicted: Places, truth: Places, seeds: Seeds, *names: str, draws: int
) -> Correlation:
    """Return Spearman's correlation, over k labels, of how common a label's word is and its share of answers.

    The interval is what the correlation can be of the true shares. A bootstrap is far too short here, and too
    low: noise mixes the ranks of labels that are answered about equally often. So labels are compared in
    pairs, all at once; who is above whom bounds each label's rank, and the ends are the least and the largest
    correlation of ranks within these bounds. It is wide where shares lie close, and too wide rather than too
    narrow.

    Args:
        commonness: (k,)
        predicted: (n,) places of the labels that were answered.
        truth: (n,) places of the labels of the items; items are drawn within each.
        seeds: with `names`, of the draws.

    Raises:
        ValueError: all words are as common as each other, or all labels are answered equally often.

    Source: Zhao et al. 2021 (arXiv:2102.09690), section 4, there Pearson's; Mogstad, Romano, Shaikh and
    Wilhelm 2024 (Rev. Econ. Stud. 91:476-518) for the ranks; Phipson and Smyth 2010 for p.
    """
    answers = np.eye(commonness.size)[predicted]  # (n, k)
    shares = answers.mean(axis=0)
    value = spearman(commonness, answers.sum(axis=0))
    if not np.isfinite(value):
        raise ValueError("all words are as common, or all labels are answered as often, as each other")
    noise = variation.noise(answers, variation.strata_of(truth), seeds.rng(*names, "interval"), draws)
    below, above = _bounds(shares, noise, least=1 / len(answers), level=LEVEL)
    low, high = _ends(_ranks(np.round(commonness, 12)), below, above)
    estimate = Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        n=len(answers),
        level=LEVEL,
        method=f"bounds on ranks, labels compared simultaneously, {draws} draws of Gaussian weights",
    )
    p = stats.permutation_p(
        lambda x, y: abs(spearman(x, y)),
        commonness,
        answers.sum(axis=0),
        rng=seeds.rng(*names, "p"),
        draws=draws,
    )
    return Correlation(estimate=estimate, p=p)


def spearman(x: Floats, y: Floats) -> float:
    """Return the correlation of the ranks of x and y (k,), ties sharing their mean rank; NaN if one is flat.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 9.0]))
    1.0
    """
    a, b = _ranks(np.round(x, 12)), _ranks(y)
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float(a @ b) / size if size > 0 else float("nan")


def _ranks(x: Floats) -> Floats:
    """Return (k,) ranks about their mean; by hand, as it is done for every draw."""
    above = x[:, None] > x
    ranks: Floats = above.sum(axis=1) - above.sum(axis=0, dtype=np.float64)  # twice the rank about its mean
    return ranks / 2


def _bounds(shares: Floats, noise: Floats, *, least: float, level: float) -> tuple[Places, Places]:
    """Return (k,) how many labels are surely answered less often than each, and how many surely more often.

    Args:
        shares: (k,)
        noise: (draws, k) of the shares.
        least: standard error that a difference has at least, where answers do not vary.
    """
    spread = np.array([(noise - noise[:, [i]]).std(axis=0) for i in range(shares.size)])  # (k, k)
    spread = np.maximum(spread, least)
    furthest = np.zeros(len(noise))
    for i in range(shares.size):
        furthest = np.maximum(furthest, np.abs((noise - noise[:, [i]]) / spread[i]).max(axis=1))
    surely = (shares[:, None] - shares) / spread > np.quantile(furthest, level)  # row above column
    return surely.sum(axis=1), surely.sum(axis=0)


def _ends(ranks: Floats, below: Places, above: Places) -> tuple[float, float]:
    """Return the least and the largest correlation with ranks that leave so many below and above."""
    from scipy.optimize import linear_sum_assignment

    k = ranks.size
    places = np.arange(k)
    allowed = (places >= below[:, None]) & (places <= k - 1 - above[:, None])  # label by place
    products = np.outer(ranks, places - places.mean())
    size = float(np.sqrt((ranks**2).sum() * ((places - places.mean()) ** 2).sum()))
    ends = []
    for sign in (1.0, -1.0):
        chosen = linear_sum_assignment(np.where(allowed, sign * products, np.inf))
        ends.append(float(products[chosen].sum()) / size)
    return ends[0], ends[1]
