"""Can the texts of two domains be told apart by their words? Evidence of shift before any drop is read.

A logistic regression on TF-IDF weights of words and pairs of words is fitted on four fifths of the texts and
ranks the others. Equal texts stand in one part. Words are hashed, so texts without a word are no error.
Source: Lopez-Paz and Oquab 2017 (arXiv:1610.06545) for classifier two-sample tests; Rabanser et al. 2019
(arXiv:1810.11953) for shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from audit.schema import Estimate, Text, content_hash
from audit.seeds import Seeds
from probes.robustness.detection import Bools, Floats, Places, ranks

if TYPE_CHECKING:
    from probes.robustness.sides import Pair

FOLDS = 5
FEATURES = 2**16
"""Places that words and pairs of words are hashed to."""
WORDS = r"\w+|[^\w\s]"
"""Words, and single signs: an emoji tells a domain as a word does."""


def separation(pair: Pair, seeds: Seeds, *names: str, draws: int) -> Estimate:
    """Return the AUC with which held-out texts are told apart, 0.5 for not at all, 1 for always.

    The mean over the parts, with a bootstrap interval over held-out texts, given the fitted classifiers.
    """
    texts, away = [*pair.home.texts, *pair.away.texts], pair.is_away
    fold = folds(texts, away, seeds, *names)
    rank = held_out_ranks(texts, away, fold)
    rng = seeds.rng(*names, "bootstrap")
    return pair.bootstrap(auc, fold, rank, rng=rng, draws=draws, low=0.0, high=1.0, within=fold.tolist())


def folds(texts: Sequence[Text], away: Bools, seeds: Seeds, *names: str) -> Places:
    """Return the (n,) part of each text, 0 to 4; equal texts share one, and each part has its share of both.

    Which part depends on the texts and the seed alone, never on their order.
    """
    marks = [content_hash(text) for text in texts]
    sides: dict[str, set[bool]] = {}
    for mark, side in zip(marks, away.tolist(), strict=True):
        sides.setdefault(mark, set()).add(side)
    ranked = sorted(sides, key=lambda mark: (sorted(sides[mark]), seeds.number(*names, mark), mark))
    part = {mark: i % FOLDS for i, mark in enumerate(ranked)}
    return np.array([part[mark] for mark in marks], dtype=np.intp)


def held_out_ranks(texts: Sequence[Text], away: Bools, fold: Places) -> Places:
    """Return the (n,) rank of each text within its part by the classifier fitted on the other parts."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.linear_model import LogisticRegression

    hashing = HashingVectorizer(
        n_features=FEATURES, token_pattern=WORDS, ngram_range=(1, 2), norm=None, alternate_sign=False
    )
    counts = hashing.transform([text if isinstance(text, str) else "\n".join(text) for text in texts])
    counts = counts[:, np.unique([*counts.indices, 0])]  # the words that occur; one column where none does
    rank = np.zeros(len(texts), dtype=np.intp)
    for part in range(FOLDS):
        held = fold == part
        weigh = TfidfTransformer(sublinear_tf=True)
        model = LogisticRegression(solver="liblinear", class_weight="balanced", C=10.0)
        model.fit(weigh.fit_transform(counts[~held]), away[~held])
        scores: Floats = model.decision_function(weigh.transform(counts[held]))
        rank[held] = ranks(np.asarray(scores, dtype=np.float64))
    return rank


def auc(away: Bools, fold: Places, rank: Places) -> float:
    """Return the mean over parts of the probability that a text of the other domain outranks a test text.

    As `detection.auroc` in each part, all in one pass, since a bootstrap asks for it some thousand times.
    """
    shape = FOLDS, int(rank.max()) + 1
    place = fold * shape[1] + rank
    above = np.bincount(place[away], minlength=FOLDS * shape[1]).reshape(shape)
    below = np.bincount(place[~away], minlength=FOLDS * shape[1]).reshape(shape)
    pairs = above.sum(axis=1) * below.sum(axis=1)  # never 0: each part has its share of both sides
    return float(((above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1) / pairs).mean())
