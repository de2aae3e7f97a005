"""Self-consistency: what a model makes up comes out otherwise each time it is asked.

The n-gram variant needs no second model: the sentences of an answer are scored under the counts of its own
tokens and those of samples. The NLI variant asks a second model whether the samples contradict the answer.
Source: Manakul, Liusie and Gales 2023 (arXiv:2303.08896), SelfCheckGPT with n-gram (n = 1, no smoothing) and
with NLI. Unlike theirs, tokens are words and single signs and sentences end at ". ", "! " or "? ", which
needs no spaCy; on the example of their README the scores are equal. The score grows with the length of the
answer, whatever it says: it is of use among answers that are about as long.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.schema import Classifier

Floats = NDArray[np.float64]

_TOKEN = re.compile(r"\w+|[^\w\s]")
_END = re.compile(r"(?<=[.!?])\s+")

ENTAILMENT, CONTRADICTION = "entailment", "contradiction"
"""Labels that a helper for NLI must have, in capitals or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ngram:
    """Unigram scores of an answer of s sentences, in nats from 0; high is inconsistent."""

    average: tuple[float, ...]
    """(s,) mean of -log p over the tokens of a sentence."""
    largest: tuple[float, ...]
    """(s,) its largest -log p."""
    whole_average: float
    """Mean over all tokens."""
    whole_largest: float
    """Mean over sentences of the largest."""


def tokens(text: str) -> list[str]:
    """Return words and single signs, in lower case; the curly apostrophe is the straight one."""
    return [token.lower() for token in _TOKEN.findall(text.replace("\u2019", "'"))]


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; none of an empty one."""
    return [part for part in _END.split(text.strip()) if tokens(part)]


def ngram(answer: str, samples: Sequence[str]) -> Ngram | None:
    """Return the scores of an answer under its samples and itself; None where it has no token.

    >>> round(ngram("It is red.", ["It is red.", "It is blue."]).whole_average, 4)
    1.4877
    """
    parts = [tokens(part) for part in sentences(answer)]
    if not parts:
        return None
    counts = Counter(token for text in (answer, *samples) for token in tokens(text))
    total = counts.total()
    rows = [[float(np.log(total / counts[token])) for token in part] for part in parts]
    largest = tuple(max(row) for row in rows)
    return Ngram(
        average=tuple(float(np.mean(row)) for row in rows),
        largest=largest,
        whole_average=float(np.mean([score for row in rows for score in row])),
        whole_largest=float(np.mean(largest)),
    )


def contradicted(
    helper: Classifier, answers: Sequence[str], samples: Sequence[Sequence[str]]
) -> Floats | None:
    """Return (n,) how much the samples contradict each answer, in [0, 1]: P(contr) / (P(ent) + P(contr)).

    The mean over the sentences of the answer (one at least in each) and over its samples; all pairs are asked
    in one call, the sentence first. None where the helper has no such labels.
    """
    names = [label.lower() for label in helper.labels]
    if ENTAILMENT not in names or CONTRADICTION not in names:
        return None
    parts = [sentences(answer) for answer in answers]
    asked = [
        (part, sample)
        for each, others in zip(parts, samples, strict=True)
        for part in each
        for sample in others
    ]
    p = helper.score(asked).probabilities
    yes, no = p[:, names.index(ENTAILMENT)], p[:, names.index(CONTRADICTION)]
    scores = np.divide(no, yes + no, out=np.full(len(asked), 0.5), where=yes + no > 0)
    ends = np.cumsum([len(each) * len(others) for each, others in zip(parts, samples, strict=True)])
    return np.array([part.mean() for part in np.split(scores, ends[:-1])])
