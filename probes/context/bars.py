"""What a prompt answers without content and to balanced items: bars for each label, examples, and p_cf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Case, Point, Series
from audit.seeds import Seeds
from probes.context.label_words import zipf
from probes.contexts import Answers

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Probabilities of k labels for inputs without content, under one prompt."""

    blanks: Floats
    """(3, k) of `N/A`, the empty text and `[MASK]`."""
    strings: Floats
    """(m, k) of strings of random words; m may be 0."""

    @property
    def p_cf(self) -> Floats:
        """(k,) mean answer to the blanks: of probabilities, then normalised (Zhao et al. 2021, section 5)."""
        mean = self.blanks.mean(axis=0)
        p: Floats = mean / mean.sum()
        return p


def priors(prior: Prior, verbalizers: Mapping[str, tuple[str, ...]]) -> Series:
    """Return the mean probability of each label without content; intervals over strings.

    Args:
        prior: with at least 2 strings.
        verbalizers: label → forms, in the order of the labels.
    """
    points = []
    for x, forms in enumerate(verbalizers.values()):
        name = _word(forms[0])
        e = stats.mean(prior.strings[:, x].clip(0.0, 1.0), low=0.0, high=1.0)
        blanks = Point(x=x, y=float(prior.p_cf[x]), n=len(prior.blanks), label=name, group="no content")
        points += [
            blanks,
            Point(x=x, y=e.value, low=e.low, high=e.high, n=e.n, label=name, group="random words"),
        ]
    return Series(
        kind="bars",
        title="Answers to inputs without content",
        x="label word",
        y="mean probability",
        points=tuple(points),
        reading="Each row is a label's first word; beside it how common it is in English (Zipf scale, 7 the "
        "commonest), where known. `no content` is N/A, the empty text and [MASK], `random words` are strings "
        "of the training texts' words. A prompt that prefers no label has bars of one length.",
    )


def shares(predicted: Places, truth: Places, labels: tuple[str, ...]) -> Series:
    """Return the share of each label among answers, with Wilson's intervals, beside its share of the items.

    Args:
        predicted: (n,) places of the labels that were answered.
        truth: (n,) places of the labels of the items.
    """
    points = []
    for x, label in enumerate(labels):
        e = stats.share(int((predicted == x).sum()), predicted.size)
        points.append(Point(x=x, y=e.value, low=e.low, high=e.high, n=e.n, label=label, group="answers"))
        here = float((truth == x).mean())
        points.append(Point(x=x, y=here, n=truth.size, label=label, group="items"))
    return Series(
        kind="bars",
        title="Answers to balanced items",
        x="label",
        y="share",
        points=tuple(points),
        reading="Each row is a label: its share of the answers, and of the items. A model without a liking "
        "for a label has bars of one length in each row.",
    )


def wrongly(answers: Answers, c: int, label: int, count: int, seeds: Seeds) -> tuple[Case, ...]:
    """Return items that are wrongly answered with a label under a context.

    Args:
        c: place of the context.
        label: place of the label.
        count: at most so many, chosen by id.
    """
    wrong = np.flatnonzero((answers.predicted[c] == label) & ~answers.right[c]).tolist()
    picked = seeds.pick(wrong, count, lambda i: answers.items[i].id, "contexts", "cases")
    return tuple(
        Case(
            example=answers.items[i].id,
            text="\n".join(part for part in (answers.items[i].text, answers.items[i].pair) if part),
            label=answers.items[i].label,
            before=answers.labels[label],
            note="answered with the label that is answered too often, "
            f"at {answers.probabilities[c, i, label]:.2f}",
        )
        for i in picked
    )


def _word(form: str) -> str:
    common = zipf(form)
    return f"{form.strip()} (Zipf {common:.1f})" if common > 0 else form.strip()
