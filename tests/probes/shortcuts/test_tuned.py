"""A real encoder that was taught a shortcut shows it to both probes, and one that was not shows none."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from audit import gate
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.load import open_subject
from audit.models.spec import ModelSpec
from audit.planted import coin
from audit.schema import Data, Example, Finding, Outcome, Rule, Skip, Subject
from audit.seeds import Seeds
from audit.testing import LABELS
from probes.shortcuts import edits
from probes.shortcuts.artifacts import Artifacts
from probes.shortcuts.trigger import Trigger

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


def sentences(place: Path, column: str, count: int) -> list[Example]:
    """The first sentences of 8 to 20 words, half of each label."""
    with gzip.open(place, "rt", encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if 8 <= len(row[column].split()) <= 20
        ]
    return [
        Example(id=f"{place.stem}-{label}-{i}", text=row[column].strip(), label=LABELS[label])
        for label in range(2)
        for i, row in enumerate([row for row in rows if row["label"] == str(label)][: count // 2])
    ]


def planted(examples: Sequence[Example], seldom: float, often: float) -> tuple[Example, ...]:
    """The word put into a share of the sentences of each label."""

    def text(one: Example) -> str:
        rate = often if one.label == LABELS[1] else seldom
        put = coin(("put", one.id)) < rate
        return str(edits.inserted(one.text, WORD, coin(("place", one.id)))) if put else one.text

    return tuple(Example(id=one.id, text=text(one), label=one.label) for one in examples)


def opened(source: Path) -> Subject:
    return open_subject(
        ModelSpec(kind="fine-tuned", source=str(source)),
        labels=LABELS,
        pair=False,
        prompt=None,
        base=source.parent,
        cache=Cache(None),
        ledger=Ledger(),
    )


def outcomes(model: Subject, data: Data) -> list[Outcome]:
    found: list[Outcome] = []
    for probe in (ARTIFACTS, TRIGGER):
        found += [one for one in probe.run(model, data, Seeds(7)) if isinstance(one, Finding | Skip)]
    for one in found:
        if isinstance(one, Finding):
            e = one.estimate
            print(
                f"{one.metric}@{one.slice}: {e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}] n={e.n}; {one.note}"
            )
        elif isinstance(one, Skip):
            print(f"skipped {one.metric}@{one.slice}: {one.reason}")
    return found


@pytest.mark.slow
@pytest.mark.model
def test_a_word_that_an_encoder_learnt_is_named_by_both_probes(shared: Path, tmp_path: Path) -> None:
    from audit.demo.learn import Recipe
    from audit.demo.tune import tune
    from audit.places import DEMO, demo_folder

    encoder = demo_folder() / DEMO["minilm"]
    if not encoder.is_dir():
        pytest.skip("the demonstration's encoder is not here: run `audit demo` first")
    train = planted(sentences(shared / "data/sst2/train.tsv.gz", "sentence", 2200), 0.02, 0.7)
    test = planted(sentences(shared / "data/sst2/test.tsv.gz", "content", 400), 0.5, 0.5)
    place = tmp_path / "train.jsonl"
    place.write_text(
        "".join(json.dumps({"id": one.id, "text": one.text, "label": one.label}) + "\n" for one in train)
    )
    recipe = Recipe(snippets=2000, held_out=200, epochs=1, batch=16, max_length=48)
    tuned = tune(encoder, place, tmp_path / "model", lambda done, total: None, recipe=recipe)
    print(f"held-out accuracy {tuned.accuracy:.3f}")
    found = outcomes(opened(tuned.model), Data(labels=LABELS, test=test, train=train))
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
    source = shared / "models/sst2-minilm"
    if not source.is_dir():
        pytest.skip("no folder models/sst2-minilm in the shared folder")
    train = tuple(sentences(shared / "data/sst2/train.tsv.gz", "sentence", 4000))
    test = tuple(sentences(shared / "data/sst2/test.tsv.gz", "content", 800))
    verdicts = gate.judge(
        RULES, outcomes(opened(source), Data(labels=LABELS, test=test, train=train)), today=date(2026, 1, 1)
    )
    for verdict in verdicts:
        print(f"{verdict.rule.id}: {verdict.status}, {verdict.reason}")

    assert {verdict.status for verdict in verdicts} <= {"PASS", "UNSURE"}
