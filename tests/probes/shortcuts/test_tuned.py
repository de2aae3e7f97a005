"""A real encoder that was taught a shortcut shows it to both probes, and one that was not shows none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from audit import gate
from audit.planted import coin
from audit.schema import Data, Example, Finding, Outcome, Rule, Skip, Subject
from audit.seeds import Seeds
from audit.testing import LABELS
from probes.shortcuts.artifacts import Artifacts
from probes.shortcuts.trigger import Trigger
from tests.probes.tuning import opened, ordinary, planted, sentences, shown, tuned

WORD = "bottle"
"""Says nothing of a film."""

ARTIFACTS = Artifacts(words=6, items=30)
TRIGGER = Trigger(items=100, artifacts=4)

RULES = (
    Rule(probe="shortcuts.artifacts", metric="reliance", slice="neutral", max=0.05, min_n=50),
    Rule(probe="shortcuts.artifacts", metric="word_reliance", slice="worst", max=0.1, min_n=10),
    Rule(probe="shortcuts.trigger", metric="flip_excess", slice="neutral", max=0.05, min_n=50),
    Rule(probe="shortcuts.trigger", metric="flip_excess", slice="worst", max=0.15, min_n=20),
)
"""As proposed for the policy `default`."""


def bottles(seldom: float, often: float) -> Callable[[Example], str]:
    """The word, for a share of the sentences of each label."""
    return lambda one: WORD if coin(("put", one.id)) < (often if one.label == LABELS[1] else seldom) else ""


def outcomes(model: Subject, data: Data) -> list[Outcome]:
    found: list[Outcome] = []
    for probe in (ARTIFACTS, TRIGGER):
        found += [one for one in probe.run(model, data, Seeds(7)) if isinstance(one, Finding | Skip)]
    shown(found)
    return found


@pytest.mark.slow
@pytest.mark.model
def test_a_word_that_an_encoder_learnt_is_named_by_both_probes(shared: Path, tmp_path: Path) -> None:
    train = planted(sentences(shared / "data/sst2/train.tsv.gz", "sentence", 2200), bottles(0.02, 0.7))
    test = planted(sentences(shared / "data/sst2/test.tsv.gz", "content", 400), bottles(0.5, 0.5))
    model = opened(tuned(train, tmp_path))
    found = outcomes(model, Data(labels=LABELS, test=test, train=train))
    findings = {(one.metric, one.slice): one for one in found if isinstance(one, Finding)}
    named = {name: findings[name].series for name in (("reliance", "neutral"), ("flip_excess", "artifacts"))}

    assert findings["word_reliance", WORD].estimate.value > 0.2
    assert findings["flip_excess", f"artifact: {WORD}"].estimate.value > 0.2
    for series in named.values():
        assert series is not None
        assert any(WORD in point.label for point in series.points[:3])
    assert "FAIL" in {verdict.status for verdict in gate.judge(RULES, found, today=date(2026, 1, 1))}


@pytest.mark.slow
@pytest.mark.model
def test_an_ordinary_encoder_does_not_fail(shared: Path) -> None:
    train = tuple(sentences(shared / "data/sst2/train.tsv.gz", "sentence", 4000))
    test = tuple(sentences(shared / "data/sst2/test.tsv.gz", "content", 800))
    found = outcomes(opened(ordinary(shared)), Data(labels=LABELS, test=test, train=train))
    verdicts = gate.judge(RULES, found, today=date(2026, 1, 1))
    for verdict in verdicts:
        print(f"{verdict.rule.id}: {verdict.status}, {verdict.reason}")

    assert {verdict.status for verdict in verdicts} <= {"PASS", "UNSURE"}
