"""Is a probe that breaks the contract caught?

Probes with one fault each are given to `check_probe`; this docstring is theirs.
Why it matters: authors of other packages have nothing else to hold their probes to.
Not covered: probes of prompts, which the context probes themselves try.
Source: the contract of `audit.testing`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

from audit import stats
from audit.schema import Data, Demand, Facts, Finding, Item, Skip, Subject
from audit.seeds import Seeds
from audit.testing import LABELS, check_probe, constant, knowing, sample_data

Results = Iterator[Finding | Skip | Item]


@dataclass(frozen=True, kw_only=True)
class Sound:
    """Keeps the contract: the share of texts that are answered with the second label."""

    id: ClassVar[str] = "acme.sound"
    needs: ClassVar[frozenset[str]] = frozenset()

    parts: tuple[str, ...] = ("all",)

    def demand(self, data: Data, facts: Facts) -> Demand:
        return Demand(texts=len(data.test))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Results:
        assert subject.classifier is not None
        answers = subject.classifier.score([example.input for example in data.test]).predicted
        yield self.found(int(answers.sum()), len(answers))

    def found(self, hits: int, n: int) -> Finding:
        estimate = stats.share(hits, n)
        return Finding(probe=self.id, metric="rate", estimate=estimate, unit="share", better="neither")


class Printing(Sound):
    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Results:
        print("hello")
        yield from super().run(subject, data, seeds)


class Greedy(Sound):
    def demand(self, data: Data, facts: Facts) -> Demand:
        return Demand(texts=len(data.test) - 1)


class Moody(Sound):
    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Results:
        yield self.found(random.randrange(10**6), 10**6)


class Orderly(Sound):
    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Results:
        yield self.found(data.test[0].label == LABELS[0], 1)


class Stuttering(Sound):
    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Results:
        yield from (self.found(1, 2), self.found(1, 2))


class Foreign(Sound):
    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Results:
        yield replace(self.found(1, 2), probe="other.probe")


@dataclass(kw_only=True)
class Thawed:
    id: ClassVar[str] = "acme.thawed"
    needs: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Forgetful(Sound):
    """A parameter that YAML cannot bring back."""

    parts: tuple[str, ...] = field(default=("all",), compare=False)
    kept: object = field(default_factory=lambda: {1, 2})


def test_a_sound_probe_passes() -> None:
    check_probe(Sound())


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (Printing, "prints"),
        (Greedy, "asked 60 texts and had announced 59"),
        (Moody, "the same seed gives other results"),
        (Orderly, "depends on the order"),
        (Stuttering, "yields a metric and slice twice"),
        (Foreign, "yields a result of other.probe"),
        (Thawed, "is not a frozen dataclass"),
        (Forgetful, "parameters change through YAML"),
    ],
)
def test_a_fault_is_named(fault: Callable[[], Sound], found: str) -> None:
    with pytest.raises(AssertionError, match=found):
        check_probe(fault())


def test_a_probe_that_lies_elsewhere_than_its_id_says_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"acme\.sound lies in"):
        check_probe(Sound(), path="probes.acme.sound")


# --- the planted models -------------------------------------------------------------------


def test_a_knowing_model_is_right_as_often_as_planted_and_as_sure() -> None:
    data = sample_data(2000)
    scores = knowing(data, accuracy=0.8, confidence=0.9).score([example.input for example in data.test])
    right = [LABELS[p] == example.label for p, example in zip(scores.predicted, data.test, strict=True)]

    assert 0.77 < np.mean(right) < 0.83
    np.testing.assert_allclose(scores.confidence, 0.9)


def test_a_constant_model_answers_all_texts_alike() -> None:
    assert [0.9, 0.9] == constant(0.9).score(["a", "b"]).probabilities[:, 1].tolist()
