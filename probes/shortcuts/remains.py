"""What deletions leave, as findings: lengths, confidence, a picture and examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.schema import Case, Finding, Item, Point, Series, Text, content_hash
from probes.shortcuts.deletion import Reduced
from probes.variants import Answers

Floats = NDArray[np.float64]

MOST = 5
"""The picture counts this many words and more together."""


def lengths(
    probe: str, slice: str, reduced: Sequence[Reduced], before: Floats, said: str, cases: tuple[Case, ...]
) -> Iterator[Finding]:
    """Yield the share of words that is left, and the confidence on them.

    Args:
        reduced: at least 2.
        before: (n,) confidence on the whole texts.
        said: which texts they are, ends the note.
    """
    left = np.array([one.left for one in reduced])
    words = np.array([one.words for one in reduced])
    after = np.array([one.confidence for one in reduced])
    yield Finding(
        probe=probe,
        metric="remaining_share",
        slice=slice,
        estimate=stats.mean(left / words, low=0.0, high=1.0),
        unit="share",
        better="neither",
        note=f"from {words.mean():.1f} to {left.mean():.1f} words in the mean; {(left == 1).sum()} of "
        f"{len(left)} answers hold on one word; {said}",
        cases=cases,
        series=_picture(left.tolist()),
    )
    yield Finding(
        probe=probe,
        metric="reduced_confidence",
        slice=slice,
        estimate=stats.mean(after.clip(0.0, 1.0), low=0.0, high=1.0),
        unit="share",
        better="neither",
        note=f"probability of the answer on what is left; on the whole texts {before.mean():.3f}; {said}",
    )


def cases(
    answers: Answers, places: Sequence[int], reduced: Sequence[Reduced], count: int
) -> tuple[Case, ...]:
    """Return up to `count` texts of which least is left.

    Args:
        places: of the reduced texts among the examples.
    """
    order = sorted(range(len(places)), key=lambda j: (reduced[j].left, answers.examples[places[j]].id))
    found = []
    for j in order[:count]:
        i, one = places[j], reduced[j]
        said = answers.labels[answers.predicted[0, i]]
        found.append(
            Case(
                example=answers.examples[i].id,
                text=shown(answers.texts[0][i]),
                changed=shown(one.text),
                label=answers.examples[i].label,
                before=said,
                after=said,
                note=f"holds on {one.left} of {one.words} words, at {one.confidence:.2f}",
            )
        )
    return tuple(found)


def item(probe: str, answers: Answers, i: int, one: Reduced) -> Item:
    """Return the answer to what is left of example i."""
    example = answers.examples[i]
    return Item(
        example=example.id,
        content=content_hash(one.text),
        probe=probe,
        variant="reduced",
        label=example.label,
        predicted=answers.labels[answers.predicted[0, i]],
        probabilities=one.probabilities,
        outcome="kept",
    )


def shown(text: Text) -> str:
    """Return the text, or both texts of a pair on two lines."""
    return text if isinstance(text, str) else "\n".join(text)


def _picture(left: Sequence[int]) -> Series:
    points = []
    for words in range(1, MOST + 1):
        hits = sum(min(one, MOST) == words for one in left)
        e = stats.share(hits, len(left))
        label = f"{words} or more" if words == MOST else str(words)
        points.append(Point(x=words - 1, y=e.value, low=e.low, high=e.high, n=e.n, label=label))
    return Series(
        kind="bars",
        title="Words left when the answer still holds",
        x="words left",
        y="share of texts",
        points=tuple(points),
        reading="Each row is a number of words: the share of texts that could be cut down to it before the "
        "answer turned. Below, what was left of some of them.",
    )
