"""Can one tell from a model's answers which texts it was trained on?

A score for each text, the higher the likelier that the model saw it: minus the loss; for a language model
also minus the loss by the compressed size, and the mean of its least likely tokens. Members and non-members
must come from one source, or the score tells sources apart; so a model of words and length that has never met
the audited one (`blind`) tries the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Estimate, Point, Scores, Series

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FOLDS = 5


def auc(scores: Floats, member: Bools) -> float:
    """Return the probability that a member's score is above a non-member's, ties half; 0.5 is by chance.

    >>> auc(np.array([0.9, 0.8, 0.3, 0.8]), np.array([True, True, False, False]))
    0.875
    """
    others = np.sort(scores[~member])
    if others.size in (0, scores.size):
        return float("nan")
    above = np.searchsorted(others, scores[member], "left") + np.searchsorted(others, scores[member], "right")
    return float(above.mean() / (2 * others.size))


def caught(scores: Floats, member: Bools, rate: float) -> float:
    """Return the share of members whose score is above all but `rate` of the non-members' (TPR at that FPR).

    The bar is the highest one that lets at most `rate` of the non-members pass; equal to the bar is not
    above it.
    """
    others = np.sort(scores[~member])[::-1]
    if not others.size or others.size == scores.size:
        return float("nan")
    bar = others[int(rate * others.size + 1e-9)] if rate < 1 else -np.inf
    return float((scores[member] > bar).mean())


def least_likely(log_probs: Floats, part: float) -> float:
    """Return the mean of the `part` of the tokens that are least likely, at least one (Min-K %).

    Source: Shi et al. 2023 (arXiv:2310.16789).

    >>> round(least_likely(np.array([-1.0, -9.0, -2.0, -3.0, -0.1]), 0.4), 2)
    -6.0
    """
    count = max(1, round(part * log_probs.size))
    return float(np.sort(log_probs)[:count].mean())


def loss(scores: Scores, places: Sequence[int]) -> Floats:
    """Return (n,) minus the log-probability of the label; from the logits where there are any."""
    rows = np.arange(len(places))
    if scores.logits is None:
        with np.errstate(divide="ignore"):
            logs = np.maximum(np.log(scores.probabilities), -745.0)
    else:
        logs = scores.logits - np.logaddexp.reduce(scores.logits, axis=1, keepdims=True)
    found: Floats = -logs[rows, np.array(places, dtype=np.intp)]
    return found


def zlib_ratio(log_probs: Floats, text: str) -> float:
    """Return the mean log-probability of the tokens by the bytes of the compressed text, in nats.

    What is easily compressed is likely to any model; the ratio takes that out.

    Source: Carlini et al. 2021 (arXiv:2012.07805), section 5.2.
    """
    return float(log_probs.mean()) / len(zlib.compress(text.encode("utf-8", "surrogatepass")))


def auc_estimate(
    scores: Floats,
    member: Bools,
    rng: np.random.Generator,
    *,
    draws: int,
    clusters: Sequence[Hashable] | None = None,
) -> Estimate:
    """Return the AUC with its bootstrap interval, the two sides drawn apart.

    Where they lie wholly apart no draw differs: Wilson's interval on the smaller side, which is too wide
    rather than too narrow, since an area A has a variance of at most A (1 - A) / that side.

    Args:
        clusters: (n,) rows of one cluster are drawn together; a cluster lies on one side.

    Raises:
        ValueError: as `stats.bootstrap`.

    Source: Birnbaum and Klose 1957 (Ann. Math. Stat. 28) for the bound.
    """
    names = range(member.size) if clusters is None else clusters
    value = auc(scores, member)
    if value in (0.0, 1.0):
        sides = [len({name for name, of in zip(names, member, strict=True) if of == side}) for side in (0, 1)]
        bound = stats.share(round(value) * min(sides), min(sides))
        return replace(bound, method="Wilson on the smaller side, which n counts")
    return stats.bootstrap(
        auc,
        scores,
        member,
        rng=rng,
        clusters=clusters,
        strata=member.tolist(),
        draws=draws,
        low=0.0,
        high=1.0,
    )


def caught_estimate(
    scores: Floats, member: Bools, rate: float, rng: np.random.Generator, *, draws: int
) -> Estimate:
    """Return the TPR at a FPR, with an interval that is never shorter than Wilson's at a fixed bar.

    The bootstrap moves the bar, which stands on few non-members; Wilson's keeps a width for no hit.
    """

    def statistic(drawn: Floats, of: Bools) -> float:
        return caught(drawn, of, rate)

    count = int(member.sum())
    hits = round(caught(scores, member, rate) * count)
    fixed = stats.share(hits, count)
    moved = stats.bootstrap(
        statistic, scores, member, rng=rng, strata=member.tolist(), draws=draws, low=0.0, high=1.0,
        method="percentile",
    )  # fmt: skip
    return replace(
        fixed,
        low=min(fixed.low, moved.low),
        high=max(fixed.high, moved.high),
        n=min(count, member.size - count),
        method=f"the wider ends of Wilson's and a {moved.method}; n is the smaller side",
    )


def chance_p(scores: Floats, member: Bools) -> float:
    """Return the one-sided p that members score no higher (Mann and Whitney 1947)."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(scores[member], scores[~member], alternative="greater").pvalue)


def blind(texts: Sequence[str], member: Bools, folds: Sequence[int]) -> Floats:
    """Return (n,) how much each text looks like a member to who has never asked the model, out of fold.

    Words, pairs of words, and length in a logistic regression, fitted on the other folds; 0 where those hold
    one side alone.

    Source: after Das et al. 2024 (arXiv:2406.16201) and Meeus et al. 2024 (arXiv:2406.17975): blind
    baselines beat many published attacks because members and non-members came from other sources.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression

    words = HashingVectorizer(n_features=2**13, ngram_range=(1, 2), alternate_sign=False).transform(texts)
    lengths = np.log1p([len(text) for text in texts])
    lengths = (lengths - lengths.mean()) / max(float(lengths.std()), 1e-9)
    rows = hstack([words, csr_matrix(lengths[:, None])]).tocsr()
    scores = np.zeros(member.size)
    parts = np.array(folds)
    for fold in sorted(set(folds)):
        here = parts == fold
        if len(set(member[~here].tolist())) == 2:
            fitted = LogisticRegression(max_iter=500).fit(rows[~here], member[~here])
            scores[here] = fitted.decision_function(rows[here])
    return scores


def picture(curves: Sequence[tuple[str, Floats, Bools]]) -> Series:
    """Return the share of members caught over the share of non-members taken for members."""
    rates = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    return Series(
        kind="curve",
        title="Members told from non-members",
        x="non-members taken for members (share)",
        y="members found (share)",
        points=tuple(
            Point(x=rate, y=caught(scores, member, rate), n=int(member.sum()), group=name)
            for name, scores, member in curves
            for rate in rates
        ),
        reading="On the diagonal nothing can be told. A line above that of the texts alone shows what the "
        "model's answers give away.",
    )
