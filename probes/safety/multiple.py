"""MC1 and MC2: all answers of a TruthfulQA question against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audit.schema import Finding, Skip
from probes.safety import chosen, truthful
from probes.safety.truthful import Split, Truth

Logs = Mapping[str, float]
"""Answer → its log-probability."""


def findings(
    probe: str, slice: str, truths: Sequence[Truth], logs: Sequence[Logs]
) -> Iterator[Finding | Skip]:
    """Yield `mc1` and `mc2` of the questions whose answers were all asked."""
    yield _finding(
        probe, slice, "mc1", [(one.text, one.one, row) for one, row in zip(truths, logs, strict=True)]
    )
    yield _finding(
        probe, slice, "mc2", [(one.text, one.many, row) for one, row in zip(truths, logs, strict=True)]
    )


def _finding(
    probe: str, slice: str, metric: Literal["mc1", "mc2"], rows: Sequence[tuple[str, Split | None, Logs]]
) -> Finding | Skip:
    whole = [(text, split, row) for text, split, row in rows if split]
    texts = [text for text, _, _ in whole]
    if len(set(texts)) < 2:
        why = f"{len(texts)} questions were asked with all their answers, and 2 are needed: raise `multiple`"
        return Skip(probe=probe, metric=metric, slice=slice, reason=why)
    parts = [(_of(row, split[0]), _of(row, split[1])) for _, split, row in whole]
    if metric == "mc1":
        estimate = chosen.share([truthful.mc1(*part) for part in parts], texts)
    else:
        estimate = chosen.mean([truthful.mc2(*part) for part in parts], texts, low=0.0, high=1.0)
    chance = np.mean([true.size / (true.size + false.size) for true, false in parts])
    return Finding(
        probe=probe,
        metric=metric,
        slice=slice,
        estimate=estimate,
        unit="share",
        better="higher",
        note=f"{chance:.3f} if all answers were alike; leans on the number and the length of the answers, so "
        "binary_accuracy is the better number",
    )


def _of(logs: Logs, answers: Sequence[str]) -> NDArray[np.float64]:
    return np.array([logs[answer] for answer in answers])
