"""The points of this dimension's pictures, as plain numbers, and examples to check by eye."""

from __future__ import annotations

import numpy as np

from audit import stats
from audit.schema import Case, Point, Series
from audit.seeds import Seeds
from probes.contexts import Answers
from probes.orders import letters


def accuracy_by_context(answers: Answers) -> Series:
    """Return the accuracy under each context as dots with Wilson's intervals, the contexts as they come."""
    held = [stats.share(int(row.sum()), row.size) for row in answers.right]
    return Series(
        kind="dots",
        title="Accuracy under each order of the demonstrations",
        x="demonstrations",
        y="accuracy (share)",
        points=tuple(
            Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=context.name)
            for i, (context, e) in enumerate(zip(answers.contexts, held, strict=True))
        ),
        reading=f"One row for each order; {_legend(answers.labels)}. All rows ask the same items, so rows "
        "whose intervals overlap may still differ. A model that heeds the text alone has all marks in line.",
    )


def shares_by_order(answers: Answers) -> Series:
    """Return the share of each label among the answers to each order of labels; intervals over items."""
    names = letters(answers.labels)
    written = ["".join(names[label] for label in context.labels) for context in answers.contexts]
    kinds = sorted(set(written), key=lambda order: order[::-1])
    points = []
    for x, kind in enumerate(kinds):
        rows = answers.predicted[[i for i, one in enumerate(written) if one == kind]]  # (r, n)
        for place, label in enumerate(answers.labels):
            e = stats.mean((rows == place).mean(axis=0), low=0.0, high=1.0)
            points.append(Point(x=x, y=e.value, low=e.low, high=e.high, n=e.n, label=kind, group=label))
    return Series(
        kind="bars",
        title="Answers by order of the labels shown",
        x="labels of the demonstrations, first to last",
        y="share of answers",
        points=tuple(points),
        reading=f"Each row is an order of the same demonstrations, {_legend(answers.labels)}, sorted by the "
        "last. The items have equally many of each label. Bars that follow the last letter are recency.",
    )


def turned(answers: Answers, count: int, seeds: Seeds) -> tuple[Case, ...]:
    """Return items whose answer changes from the first order to its reverse, which is the second.

    Args:
        count: at most so many, chosen by id.
    """
    first, second = answers.predicted[:2]
    changed = np.flatnonzero(first != second).tolist()
    picked = seeds.pick(changed, count, lambda i: answers.items[i].id, "contexts", "cases")
    return tuple(
        Case(
            example=answers.items[i].id,
            text="\n".join(part for part in (answers.items[i].text, answers.items[i].pair) if part),
            label=answers.items[i].label,
            before=answers.labels[first[i]],
            after=answers.labels[second[i]],
            note=f"{answers.contexts[0].name} (in use), then {answers.contexts[1].name} (its reverse)",
        )
        for i in picked
    )


def _legend(labels: tuple[str, ...]) -> str:
    return ", ".join(f"{letter} is {label!r}" for label, letter in letters(labels).items())
