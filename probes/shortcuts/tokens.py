"""How strongly each word of labelled texts goes with a label: counts, z statistic, PMI.

A text counts once however often it stands in the data or a word stands in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit import stats
from audit.schema import Example, content_hash
from probes.shortcuts import edits

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Different texts by word and label."""

    labels: tuple[str, ...]
    words: tuple[str, ...]
    """Sorted."""
    table: NDArray[np.int64]
    """(v, k) texts of each label that have the word."""
    totals: NDArray[np.int64]
    """(k,) texts of each label."""

    @property
    def texts(self) -> Mapping[str, int]:
        """Word → texts that have it."""
        return dict(zip(self.words, self.table.sum(axis=1).tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A word that goes with a label more often than the label's share would have it."""

    word: str
    label: str
    texts: int
    """Different texts that have the word."""
    z: float
    """Standard errors by which the label's share among these texts exceeds its share among all."""
    pmi: float
    """Pointwise mutual information with 100 added to each count, in nats."""
    q: float
    """One-sided binomial p, corrected over all words and labels (Benjamini-Hochberg)."""


def count(examples: Sequence[Example], labels: tuple[str, ...]) -> Counts:
    """Count the labelled texts; an example without one of `labels` is left out."""
    texts = {(content_hash(one.input), one.label): one for one in examples if one.label in labels}
    by_label = [Counter[str]() for _ in labels]
    totals = np.zeros(len(labels), dtype=np.int64)
    for one in texts.values():
        place = labels.index(str(one.label))
        totals[place] += 1
        by_label[place].update(edits.words(one.input))
    words = tuple(sorted(set().union(*by_label)))
    table = np.array([[counter[word] for counter in by_label] for word in words], dtype=np.int64)
    return Counts(labels=labels, words=words, table=table.reshape(-1, len(labels)), totals=totals)


def z(k: ArrayLike, n: ArrayLike, p0: ArrayLike) -> Floats:
    """Return (k / n - p0) / sqrt(p0 (1 - p0) / n): by how many standard errors k of n exceeds the share p0.

    Source: Gardner et al. 2021 (arXiv:2104.08646), section 4.

    >>> round(float(z(60, 100, 1 / 3)), 3)
    5.657
    """
    share, n, p0 = np.asarray(k) / np.asarray(n), np.asarray(n), np.asarray(p0)
    found: Floats = np.asarray((share - p0) / np.sqrt(p0 * (1 - p0) / n), dtype=np.float64)
    return found


def pmi(table: ArrayLike, smoothing: float = 100.0) -> Floats:
    """Return (v, k) log p(w, y) / (p(w) p(y)) in nats, `smoothing` added to each count.

    Source: Gururangan et al. 2018 (arXiv:1803.02324), section 3.
    """
    joint = np.asarray(table, dtype=np.float64) + smoothing
    joint = joint / joint.sum()
    found: Floats = np.log(joint / (joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)))
    return found


def associations(counts: Counts, least: int) -> tuple[Association, ...]:
    """Return what goes with a label by more than chance would on average (z > 0), the strongest first.

    The share that a word is held against is the label's in these data; Gardner's 1 / k where they are
    balanced. p is the exact binomial tail.

    Args:
        least: different texts a word must stand in.
    """
    tested = np.flatnonzero(counts.table.sum(axis=1) >= least)
    share = counts.totals / max(1, int(counts.totals.sum()))
    known = np.flatnonzero((share > 0) & (share < 1))
    if not tested.size or not known.size:
        return ()
    k = counts.table[np.ix_(tested, known)]  # (w, y)
    n = counts.table[tested].sum(axis=1, keepdims=True)  # (w, 1)
    strength = z(k, n, share[known])
    q = stats.bh(_tail(k, n, share[known]).ravel()).reshape(k.shape)
    information = pmi(counts.table)
    found = [
        Association(
            word=counts.words[w],
            label=counts.labels[y],
            texts=int(n[i, 0]),
            z=float(strength[i, j]),
            pmi=float(information[w, y]),
            q=float(q[i, j]),
        )
        for i, w in enumerate(tested)
        for j, y in enumerate(known)
        if strength[i, j] > 0
    ]
    return tuple(sorted(found, key=lambda one: (-one.z, one.word, one.label)))


def _tail(k: NDArray[np.int64], n: NDArray[np.int64], p0: Floats) -> Floats:
    """Return P(X ≥ k) of a binomial of n and p0."""
    from scipy.special import betainc

    tail: Floats = np.where(k > 0, betainc(np.maximum(k, 1), n - np.maximum(k, 1) + 1, p0), 1.0)
    return np.clip(tail, 0.0, 1.0)
