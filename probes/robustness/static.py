"""A set of adversarial texts made against other models (AdvGLUE and its like): do they break this one too?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from audit.schema import Case, Example, Finding, Item, Skip, content_hash
from probes import variants
from probes.robustness.outcome import Originals

SET = "adversarial"
"""Key under `data.sets`; its source names the column of the label."""

SLICE = "static"


def told(probe: str, given: Originals, why: str, cases: int) -> Iterator[Finding | Skip | Item]:
    """Yield the accuracy on the set beside that of a constant answer.

    What tables of AdvGLUE call attack success is 1 minus this accuracy, whatever the original was; a model
    that answers everything alike has the error rate of the commonest label, and several rows there have it.

    Args:
        given: the labelled examples of the set, and the answers.
        why: that the answers hardly depend on the text, empty where they do.
    """
    right = given.right
    if why:
        yield Skip(probe=probe, metric="accuracy_under_attack", slice=SLICE, reason=why)
    else:
        row = right[None, :]
        wrong = np.flatnonzero(~right).tolist()[:cases]
        yield Finding(
            probe=probe,
            metric="accuracy_under_attack",
            slice=SLICE,
            estimate=variants.share(row, np.ones_like(row), [one.input for one in given.examples]),
            unit="share",
            better="higher",
            note=f"on data.sets.{SET}, texts made against other models; {given.baseline}; what AdvGLUE "
            "calls attack success is 1 minus this",
            cases=tuple(_case(given, i) for i in wrong),
        )
    for i, example in enumerate(given.examples):
        yield Item(
            example=example.id,
            content=content_hash(example.input),
            probe=probe,
            variant=SLICE,
            label=example.label,
            predicted=given.labels[given.predicted[i]],
            probabilities=tuple(given.probabilities[i].tolist()),
            outcome="right" if right[i] else "wrong",
        )


def labelled(examples: Sequence[Example]) -> list[Example]:
    """Return the examples that have a label, by id."""
    return sorted((one for one in examples if one.label is not None), key=lambda one: one.id)


def _case(given: Originals, i: int) -> Case:
    one = given.examples[i]
    text = one.text if one.pair is None else f"{one.text}\n{one.pair}"
    return Case(example=one.id, text=text, label=one.label, before=given.labels[given.predicted[i]])
