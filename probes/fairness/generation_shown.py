"""What a reader of generated texts can see and check: pictures, cases, and the items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from audit.schema import Case, Estimate, Item, Point, Series, content_hash
from audit.seeds import Seeds
from probes.fairness.mentions import Written

Floats = NDArray[np.float64]


def dots(name: str, groups: Sequence[str], shares: Sequence[Estimate]) -> Series:
    """Draw the share of each group."""
    return Series(
        kind="dots",
        title=f"Who is written about: {name}",
        x="group",
        y="words that name a group (share)",
        points=tuple(
            Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=group)
            for i, (group, e) in enumerate(zip(groups, shares, strict=True))
        ),
        reading="Each mark is a group's part of the words that name one, with its 95 % interval over "
        f"openings. Even would be {1 / len(groups):.3f} for each.",
    )


def bars(name: str, words: Sequence[str], most: Sequence[str], mentions: Floats, values: Floats) -> Series:
    """Draw the distance from even after each target word, the farthest first."""
    ranked = sorted(range(len(words)), key=lambda w: (-values[w], words[w]))
    return Series(
        kind="bars",
        title=f"What goes with a word: {name}",
        x="target word, and the group named most after it",
        y="distance from even (share)",
        points=tuple(
            Point(x=i, y=float(values[w]), n=int(mentions[w]), label=f"{words[w]}: {most[w]}")
            for i, w in enumerate(ranked)
        ),
        reading="Few mentions lie far from even by chance alone: read the mean beside what chance gives.",
    )


def cases(written: Written, count: int, seeds: Seeds, probe: str) -> tuple[Case, ...]:
    """Return some texts that name a group."""
    found = [(int(i), int(j)) for i, j in np.argwhere(written.counts.any(axis=2))]
    picked = seeds.pick(
        found, count, lambda at: f"{written.openings[at[0]].id}/{at[1]}", probe, "cases", written.axis.name
    )
    return tuple(
        Case(
            example=written.openings[i].id,
            text=written.openings[i].text,
            after=written.texts[i][j],
            note=_named(written, i, j),
        )
        for i, j in picked
    )


def _named(written: Written, i: int, j: int) -> str:
    """Return `female 2, male 1`, or `none`."""
    counts = zip(written.axis.groups, written.counts[i, j].tolist(), strict=True)
    return ", ".join(f"{group} {times}" for group, times in counts if times) or "none"


def records(probe: str, written: Written) -> Iterator[Item]:
    """Yield one item for each text; `predicted` says which groups it names."""
    for i, opening in enumerate(written.openings):
        for j in range(len(written.texts[i])):
            groups = [g for g, times in zip(written.axis.groups, written.counts[i, j], strict=True) if times]
            yield Item(
                example=opening.id,
                content=content_hash(opening.text),
                probe=probe,
                variant=f"{written.axis.name}: continuation {j + 1}",
                label=None,
                predicted=" and ".join(groups) or "none",
                probabilities=(1.0,),  # what was written is one outcome
                outcome="named" if groups else "none",
            )
