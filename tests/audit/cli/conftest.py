"""A small audit that runs in a second: a Python callable as the model, eighty labelled sentences."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from audit.cli import call

JUDGE = '''
"""Models for tests: fast, and wrong in known ways."""

import os
import zlib


def _share(text):
    return (zlib.crc32(text.encode("utf-8", "surrogatepass")) % 1000) / 1000


def keyword(texts):
    """Right on nine texts in ten, and a little unsure."""
    rows = []
    for text in texts:
        sure = 0.6 + 0.39 * _share(text)
        good = ("fine" in text.lower()) != (_share(text[::-1]) < 0.1)
        rows.append([1 - sure, sure] if good else [sure, 1 - sure])
    return rows


def constant(texts):
    return [[0.2, 0.8] for _ in texts]


def unnormalised(texts):
    return [[0.9, 0.9] for _ in texts]


def nan(texts):
    return [[float("nan"), 1.0] for _ in texts]


def three(texts):
    return [[0.2, 0.3, 0.5] for _ in texts]


def broken(texts):
    raise RuntimeError("the weights are gone")


def stopped(texts):
    raise KeyboardInterrupt


def killed(texts):
    """Dies without a word at the fourth batch, as after kill -9, when the file says so."""
    place = os.path.join(os.path.dirname(__file__), "batches")
    with open(place, "a") as stream:
        stream.write(f"{len(texts)}\\n")
    with open(place) as stream:
        count = len(stream.readlines())
    if count == 4 and not os.path.exists(place + ".spared"):
        os._exit(9)
    return keyword(texts)
'''

CONFIG: dict[str, object] = {
    "version": 1,
    "model": {"kind": "fine-tuned", "source": "python:judge:keyword"},
    "task": {"labels": ["negative", "positive"], "text": "text", "label": "label"},
    "data": {"test": {"source": "test.csv"}, "limit": "all"},
    "profile": "quick",
    "probes": {
        "calibration.confidence": {"draws": 200, "null_draws": 100},
        "robustness.noise": {"items": 40},
    },
}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A folder with a config, data and a model, and the command line."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "model.yaml"

    @property
    def out(self) -> Path:
        return self.folder / "audit-out"

    def rows(self, rows: list[tuple[str, str]], header: tuple[str, ...] = ("text", "label")) -> None:
        with (self.folder / "test.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([header, *rows])

    def set(self, **changes: object) -> None:
        """Change keys of the config; a dotted key as model__source."""
        config = yaml.safe_load(yaml.safe_dump(CONFIG))
        for path, value in changes.items():
            *parents, last = path.split("__")
            place = config
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = value
        self.config.write_text(yaml.safe_dump(config), encoding="utf-8")

    def arguments(self, *more: str) -> list[str]:
        return [
            "run",
            str(self.config),
            "--out",
            str(self.out),
            "--cache",
            str(self.folder / "scores.sqlite"),
            *more,
        ]

    def run(self, *more: str) -> int:
        return call(self.arguments(*more))

    def folders(self) -> list[Path]:
        return sorted(place for place in self.out.glob("*") if place.is_dir())


def sentences(n: int = 80) -> list[tuple[str, str]]:
    """Return n sentences that do not hang on spelling, half of each label."""
    nouns = ("film", "plot", "actor", "scene", "score")
    rows = []
    for i in range(n):
        word, label = (("fine", "positive"), ("poor", "negative"))[i % 2]
        rows.append((f"The {nouns[i % 5]} is {word} and I do not think it would be number {i} today", label))
    return rows


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A folder where `audit run model.yaml` works."""
    # Each test has a judge.py of its own; a process has one.
    monkeypatch.setattr(sys, "path", [p for p in sys.path if not (Path(p) / "judge.py").exists()])
    monkeypatch.delitem(sys.modules, "judge", raising=False)
    (tmp_path / "judge.py").write_text(JUDGE, encoding="utf-8")
    made = Bench(folder=tmp_path)
    made.rows(sentences())
    made.set()
    return made


Lines = Callable[[], list[str]]


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Lines:
    """The lines on standard error that are the tool's complaint."""

    def lines() -> list[str]:
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return [line for line in said.err.splitlines() if line.startswith("audit: ")]

    return lines
