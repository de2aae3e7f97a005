"""Probes are run one by one; what is missing, broken or empty is said, never lost."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from audit.errors import ModelError
from audit.measure import lacks, measure
from audit.schema import Crash, Data, Demand, Estimate, Facts, Finding, Item, Probe, Skip, Subject
from audit.seeds import Seeds
from audit.testing import hashed, sample_data, subject

ESTIMATE = Estimate(value=0.5, low=0.4, high=0.6, n=9, method="test")


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """A probe that yields what it was given, then raises."""

    id: ClassVar[str] = "p.q"
    needs: ClassVar[frozenset[str]] = frozenset()

    results: tuple[Finding | Skip | Item, ...] = ()
    error: BaseException | None = None

    def demand(self, data: Data, facts: Facts) -> Demand:
        return Demand()

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        yield from self.results
        if self.error is not None:
            raise self.error


FINDING = Finding(probe="p.q", metric="m", estimate=ESTIMATE, unit="share", better="lower")
ITEM = Item(
    example="1",
    content="c",
    probe="p.q",
    variant="original",
    label=None,
    predicted="a",
    probabilities=(1.0,),
    outcome="right",
)


def run(
    *probes: Probe, keep: Callable[[Item], None] = lambda item: None, fail_fast: bool = False
) -> tuple[object, ...]:
    return measure(
        probes,
        subject(hashed()),
        sample_data(),
        Seeds(1),
        keep=keep,
        before=lambda probe: None,
        fail_fast=fail_fast,
    ).outcomes


def test_findings_become_outcomes_and_answers_are_kept() -> None:
    kept: list[Item] = []

    assert run(Scripted(results=(FINDING, ITEM)), keep=kept.append) == (FINDING,)
    assert kept == [ITEM]


def test_a_crash_keeps_what_was_found_and_its_traceback() -> None:
    first, second = run(Scripted(results=(FINDING,), error=ZeroDivisionError("by zero")))

    assert first == FINDING
    assert isinstance(second, Crash)
    assert second.error == "ZeroDivisionError: by zero"
    assert "Traceback" in second.traceback


def test_a_crash_of_one_probe_does_not_stop_the_next() -> None:
    outcomes = run(Scripted(error=ValueError("x")), Scripted(results=(FINDING,)))

    assert isinstance(outcomes[0], Crash)
    assert outcomes[1] == FINDING


def test_a_crash_with_unwritable_characters_can_be_written() -> None:
    (crash,) = run(Scripted(error=ValueError("\ud800")))

    assert isinstance(crash, Crash)
    assert (crash.error + crash.traceback).encode()


def test_fail_fast_lets_a_crash_fly() -> None:
    with pytest.raises(ZeroDivisionError):
        run(Scripted(error=ZeroDivisionError()), fail_fast=True)


@pytest.mark.parametrize(
    "error", [ModelError("no probabilities"), OSError(errno.ENOSPC, "full"), KeyboardInterrupt()]
)
def test_what_the_user_must_mend_is_no_crash(error: BaseException) -> None:
    with pytest.raises(type(error)):
        run(Scripted(error=error))


def test_a_probe_that_yields_nothing_is_a_skip() -> None:
    (skip,) = run(Scripted())

    assert isinstance(skip, Skip)


@pytest.mark.parametrize(
    ("need", "applicable"),
    [
        ("shift", True),
        ("set:crows", True),
        ("group:gender", True),
        ("helper:nli", True),
        ("in-context", False),
        ("generate", False),
    ],
)
def test_what_is_missing_makes_a_skip_with_its_reason(need: str, applicable: bool) -> None:
    class Needy(Scripted):
        needs: ClassVar[frozenset[str]] = frozenset({need})

    skip = lacks(Needy(), subject(hashed()), sample_data())

    assert skip is not None
    assert skip.reason
    assert skip.applicable == applicable


@pytest.mark.parametrize("need", ["label", "train", "group:side"])
def test_what_is_there_makes_no_skip(need: str) -> None:
    class Fed(Scripted):
        needs: ClassVar[frozenset[str]] = frozenset({need})

    assert lacks(Fed(), subject(hashed()), sample_data()) is None


def test_unlabelled_data_skip_what_needs_labels() -> None:
    class Labelled(Scripted):
        needs: ClassVar[frozenset[str]] = frozenset({"label"})

    data = sample_data()
    bare = replace(data, test=tuple(replace(example, label=None) for example in data.test))

    assert lacks(Labelled(), subject(hashed()), bare) is not None


def test_an_unknown_need_is_a_bug_of_the_probe() -> None:
    class Odd(Scripted):
        needs: ClassVar[frozenset[str]] = frozenset({"luck"})

    with pytest.raises(ValueError, match="luck"):
        lacks(Odd(), subject(hashed()), sample_data())
