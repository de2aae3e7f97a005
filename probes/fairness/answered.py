"""Answers to the versions of passages, and what they say: flips, gaps, and shifts towards a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Classifier, Estimate
from probes.fairness.passages import Collected, Passage

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Answers to n passages in g versions each, over k labels."""

    asked: Collected
    labels: tuple[str, ...]
    p: Floats
    """(n, g, k)"""
    told: Bools
    """(n, g, g) whether the model can tell two versions of a passage apart."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The passages, in the order of the rows."""
        return self.asked.passages

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, in the order of the versions."""
        return self.asked.axis.groups

    @property
    def first(self) -> Places:
        """(n,) which version the others are compared with."""
        return np.array([passage.first for passage in self.passages], dtype=np.intp)

    @property
    def predicted(self) -> Places:
        """(n, g) place of the answer."""
        best: Places = self.p.argmax(axis=2)
        return best

    @property
    def pairs(self) -> tuple[Places, Places]:
        """(m,) passage and (m,) group of each swap that the model can tell from the first version."""
        counted = self.told[np.arange(len(self.passages)), self.first]  # (n, g)
        passages, groups = np.nonzero(counted)
        return passages, groups

    @property
    def affected(self) -> int:
        """Clusters (texts or templates) with a counterfactual that reached the model."""
        return len({self.passages[i].cluster for i in self.pairs[0]})

    @property
    def one_answer(self) -> str:
        """The label that every version is answered, empty where there are several."""
        said = set(self.predicted.ravel().tolist())
        return self.labels[said.pop()] if len(said) == 1 else ""

    @property
    def flipped(self) -> Bools:
        """(m,) whether the answer to a counterfactual differs from that to its first version."""
        i, g = self.pairs
        differs: Bools = self.predicted[i, g] != self.predicted[i, self.first[i]]
        return differs

    @property
    def moved(self) -> Floats:
        """(m,) total variation between the two answers; of two labels the change of either's probability."""
        i, g = self.pairs
        distance: Floats = np.abs(self.p[i, g] - self.p[i, self.first[i]]).sum(axis=1) / 2
        return np.clip(distance, 0.0, 1.0)

    @property
    def watched(self) -> Floats:
        """(n, g) the probability whose shift is measured.

        Of two labels the last one's; of more that of the answer which all versions together get. The answer
        to one version alone would be likelier there by selection, and every model would seem to lean to it.
        """
        if len(self.labels) == 2:
            last: Floats = self.p[:, :, 1]
            return last
        whole = self.p.mean(axis=1).argmax(axis=1)  # (n,)
        chosen: Floats = np.take_along_axis(self.p, whole[:, None, None], axis=2)[:, :, 0]
        return chosen

    def shifts(self, group: int) -> tuple[Places, Floats]:
        """Return (m,) passages and (m,) the watched probability for a group less its mean for the others.

        Only versions that the model can tell from the group's are among the others.
        """
        others = self.told[:, group]  # (n, g)
        rows = np.flatnonzero(others.any(axis=1))
        watched, counted = self.watched[rows], others[rows]
        mean = (watched * counted).sum(axis=1) / counted.sum(axis=1)
        return rows, watched[:, group] - mean

    def clusters(self, rows: Places) -> list[str]:
        """Return the cluster of each passage by its place."""
        return [self.passages[i].cluster for i in rows]


def ask(classifier: Classifier, collected: Sequence[Collected]) -> list[Answered]:
    """Ask every version of every passage in one call; without passages an empty answer."""
    texts = [text for one in collected for passage in one.passages for text in passage.texts]
    scores = classifier.score(texts)
    marks = np.unique(np.array(classifier.fingerprint(texts), dtype=object), return_inverse=True)[1]
    answered: list[Answered] = []
    start = 0
    for one in collected:
        n, g, k = len(one.passages), len(one.axis.groups), len(classifier.labels)
        part = slice(start, start + n * g)
        seen = marks[part].reshape(n, g)
        answered.append(
            Answered(
                asked=one,
                labels=classifier.labels,
                p=scores.probabilities[part].reshape(n, g, k),
                told=seen[:, :, None] != seen[:, None, :],
            )
        )
        start += n * g
    return answered


def share(hits: Bools, clusters: Sequence[str]) -> Estimate:
    """Return the share of hits, clustered where a cluster has several; `n` counts clusters."""
    if len(set(clusters)) == len(clusters):
        return stats.share(int(hits.sum()), hits.size)
    return stats.clustered_share(hits, clusters)


def mean(values: Floats, clusters: Sequence[str], *, low: float) -> Estimate:
    """Return the mean of values in [low, 1], clustered where a cluster has several; `n` counts clusters."""
    several = len(set(clusters)) < len(clusters)
    return stats.mean(values, clusters=clusters if several else None, low=low, high=1.0)
