"""A real encoder that is tuned on sentences of SST-2 in which a test has planted something."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.load import open_subject
from audit.models.spec import ModelSpec
from audit.planted import coin
from audit.schema import Example, Finding, Outcome, Skip, Subject
from audit.testing import LABELS
from probes.shortcuts import edits


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


def planted(examples: Sequence[Example], word: Callable[[Example], str]) -> tuple[Example, ...]:
    """The sentences with a word put into them somewhere; as they are where it is empty."""

    def text(one: Example) -> str:
        put = word(one)
        return str(edits.inserted(one.text, put, coin(("place", one.id)))) if put else one.text

    return tuple(replace(one, text=text(one)) for one in examples)


def tuned(train: Sequence[Example], folder: Path) -> Path:
    """Tune the demonstration's encoder on all but 200 of the sentences, for one epoch."""
    from audit.demo.learn import Recipe
    from audit.demo.tune import tune
    from audit.places import DEMO, demo_folder

    encoder = demo_folder() / DEMO["minilm"]
    if not encoder.is_dir():
        pytest.skip("the demonstration's encoder is not here: run `audit demo` first")
    place = folder / "train.jsonl"
    place.write_text(
        "".join(json.dumps({"id": one.id, "text": one.text, "label": one.label}) + "\n" for one in train)
    )
    recipe = Recipe(snippets=len(train) - 200, held_out=200, epochs=1, batch=16, max_length=48)
    made = tune(encoder, place, folder / "model", lambda done, total: None, recipe=recipe)
    print(f"held-out accuracy {made.accuracy:.3f}")
    return made.model


def ordinary(shared: Path) -> Path:
    """The encoder that was tuned on SST-2 as it is."""
    source = shared / "models/sst2-minilm"
    if not source.is_dir():
        pytest.skip("no folder models/sst2-minilm in the shared folder")
    return source


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


def shown(found: Sequence[Outcome]) -> None:
    """Print every number and every gap, for whoever runs the test with -s."""
    for one in found:
        if isinstance(one, Finding):
            e = one.estimate
            print(
                f"{one.metric}@{one.slice}: {e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}] n={e.n}; {one.note}"
            )
        elif isinstance(one, Skip):
            print(f"skipped {one.metric}@{one.slice}: {one.reason}")
