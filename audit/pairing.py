"""Answers of two runs to the same items, and what the difference between them is, with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from audit import stats
from audit.errors import DataError
from audit.schema import Case, Estimate, Finding, Item, Skip

PROBE = "compare.answers"

ELSEWHERE = ("context.", "shortcuts.lazy_learner")
"""Probes that ask under prompts of their own making: such answers do not speak of the run's prompt."""

ADAPTIVE = "robustness.adversarial"
"""The probe whose texts hang on the model that was attacked; its items say which answers it broke."""

BROKEN = ("flipped", "kept", "truncated")
"""Outcomes of an attack; the other items of that probe are texts that are the same for all models."""

CASES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """What one probe asked in one way of both models, item by item."""

    slice: str
    """`all` for the unchanged test set, else `probe variant`."""
    base: tuple[Item, ...]
    candidate: tuple[Item, ...]
    left_out: int
    """Items of one run that the other does not have."""


def pair(base: Iterable[Item], candidate: Iterable[Item]) -> tuple[Paired, ...]:
    """Match items of two runs by probe, variant, example and content; only labelled ones.

    Raises:
        DataError: not one item is in both.
    """
    first, second = _by_kind(base), _by_kind(candidate)
    found = []
    for kind in [one for one in first if one in second]:
        same = [key for key in first[kind] if key in second[kind]]
        if same:
            found.append(
                Paired(
                    slice=_slice(*kind),
                    base=tuple(first[kind][key] for key in same),
                    candidate=tuple(second[kind][key] for key in same),
                    left_out=len(first[kind]) + len(second[kind]) - 2 * len(same),
                )
            )
    if not found:
        raise DataError(
            "the two runs have no item in common: no example of the same id and content was asked of both; "
            "audit both models on the same data.test, with the same seed and limit"
        )
    return tuple(sorted(found, key=lambda one: one.slice != "all"))


def findings(pairs: Iterable[Paired], labels: Sequence[str]) -> list[Finding | Skip]:
    """Return the paired differences, candidate minus base, of every way of asking.

    Args:
        labels: in the order of the items' probabilities, the same in both runs.
    """
    found: list[Finding | Skip] = []
    for one in pairs:
        if _adaptive(one.base[0]):
            found.append(_survival(one))
            continue
        found.append(_accuracy(one))
        if one.slice == "all":
            found += [_disagreement(one), _brier(one, labels)]
    return found


def _by_kind(items: Iterable[Item]) -> dict[tuple[str, str], dict[str, Item]]:
    kinds: dict[tuple[str, str], dict[str, Item]] = {}
    for item in items:
        if item.label is not None and not item.probe.startswith(ELSEWHERE):
            # what an attack made of a text is not the same for two models; its original is
            content = "" if _adaptive(item) else item.content
            kinds.setdefault((item.probe, item.variant), {})[f"{item.example}/{content}"] = item
    return kinds


def _adaptive(item: Item) -> bool:
    return item.probe == ADAPTIVE and item.outcome in BROKEN


def _slice(probe: str, variant: str) -> str:
    return "all" if (probe, variant) == ("calibration.confidence", "original") else f"{probe} {variant}"


def _right(items: Iterable[Item]) -> list[bool]:
    return [item.predicted == item.label for item in items]


def _counts(base: list[bool], candidate: list[bool]) -> tuple[int, int, int, int]:
    """Return how many are hits of both, of the candidate only, of the base only, of neither."""
    pairs = list(zip(candidate, base, strict=True))
    return (
        pairs.count((True, True)),
        pairs.count((True, False)),
        pairs.count((False, True)),
        pairs.count((False, False)),
    )


def _accuracy(one: Paired) -> Finding:
    both, gained, lost, neither = _counts(_right(one.base), _right(one.candidate))
    n = len(one.base)
    left = f"; {one.left_out} items are in one run only" if one.left_out else ""
    return Finding(
        probe=PROBE,
        metric="accuracy_difference",
        slice=one.slice,
        estimate=stats.paired_difference(both, gained, lost, neither),
        unit="points of share",
        better="higher",
        p=stats.mcnemar(gained, lost).p,
        family="answers of both runs",
        note=f"candidate {(both + gained) / n:.3f}, base {(both + lost) / n:.3f}; the candidate gained "
        f"{gained} right answers and lost {lost} (McNemar){left}",
        cases=_lost(one),
    )


def _disagreement(one: Paired) -> Finding:
    other = [a.predicted != b.predicted for a, b in zip(one.base, one.candidate, strict=True)]
    return Finding(
        probe=PROBE,
        metric="disagreement",
        slice=one.slice,
        estimate=stats.share(sum(other), len(other)),
        unit="share",
        better="neither",
        note="texts that the two models answer otherwise: what a user of the base would see change",
    )


def _brier(one: Paired, labels: Sequence[str]) -> Finding | Skip:
    differences = [
        _squares(b, labels) - _squares(a, labels) for a, b in zip(one.base, one.candidate, strict=True)
    ]
    if len(differences) < 2:
        return Skip(probe=PROBE, metric="brier_difference", slice=one.slice, reason="one item has no spread")
    return Finding(
        probe=PROBE,
        metric="brier_difference",
        slice=one.slice,
        estimate=_mean(differences),
        unit="points of share",
        better="lower",
        note="half the squared distance of the probabilities from the label: lower means that confidence is "
        "better placed",
    )


def _mean(differences: Sequence[float]) -> Estimate:
    """Return the mean; where no answer differs, what the share that may differ leaves possible."""
    if any(differences):
        return stats.mean(differences, low=-1.0, high=1.0)
    most = stats.share(0, len(differences)).high
    n = len(differences)
    return Estimate(value=0.0, low=-most, high=most, n=n, method="no answer differs: Wilson on how many may")


def _squares(item: Item, labels: Sequence[str]) -> float:
    """Return half the Brier score of one answer, in [0, 1]."""
    own = [float(label == item.label) for label in labels]
    return math.fsum((p - y) ** 2 for p, y in zip(item.probabilities, own, strict=True)) / 2


def _survival(one: Paired) -> Finding | Skip:
    """Return the difference of answers that an attack did not break, among those right in both runs."""
    stood = [item.outcome != "flipped" for item in one.base]
    stands = [item.outcome != "flipped" for item in one.candidate]
    both, gained, lost, neither = _counts(stood, stands)
    return Finding(
        probe=PROBE,
        metric="survival_difference",
        slice=one.slice,
        estimate=stats.paired_difference(both, gained, lost, neither),
        unit="points of share",
        better="higher",
        p=stats.mcnemar(gained, lost).p,
        family="answers of both runs",
        note=f"of {len(stood)} texts that both models answered rightly, {both + gained} answers of the "
        f"candidate survive the attack and {both + lost} of the base",
    )


def _lost(one: Paired) -> tuple[Case, ...]:
    """Return examples that the candidate lost, by id; the texts are not in the runs, only their hashes."""
    pairs = [
        (a, b) for a, b in zip(one.base, one.candidate, strict=True) if a.predicted == a.label != b.predicted
    ]
    pairs.sort(key=lambda pair: (-max(pair[1].probabilities), pair[0].example))
    return tuple(
        Case(
            example=a.example,
            text=f"(example {a.example})",
            label=a.label,
            before=a.predicted,
            after=b.predicted,
            note=f"the candidate is {max(b.probabilities):.0%} sure",
        )
        for a, b in pairs[:CASES]
    )


def texts_of(examples: Mapping[str, str], found: Finding) -> Finding:
    """Return the finding whose cases show the texts of their examples, where these are known."""
    shown = tuple(replace(case, text=examples.get(case.example, case.text)) for case in found.cases)
    return replace(found, cases=shown)
