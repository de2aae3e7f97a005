"""What `audit init` writes is a config that loads."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.config import load
from audit.starter import starter

Kind = Literal["fine-tuned", "in-context"]


@pytest.mark.parametrize("kind", ["fine-tuned", "in-context"])
@pytest.mark.parametrize("train", [None, "train.jsonl"])
def test_a_starter_loads_and_says_what_it_was_told(kind: Kind, train: str | None, tmp_path: Path) -> None:
    text = starter(kind, "some/model", "test.jsonl", ["negative", "positive"], "review", "stars", train)
    (tmp_path / "model.yaml").write_text(text.replace("rules: default", "rules: []"), encoding="utf-8")
    config = load(tmp_path / "model.yaml", {})
    assert (config.model.kind, config.model.source) == (kind, "some/model")
    assert (config.task.text, config.task.label) == ("review", "stars")
    assert config.task.labels == ("negative", "positive")
    assert config.data.test.source == "test.jsonl"
    assert (config.data.train.source if config.data.train else None) == train


def test_a_starter_without_training_data_shows_no_demonstrations(tmp_path: Path) -> None:
    text = starter("in-context", "m", "t.csv", ["a", "b"], "text", "label")
    assert "shots: 0" in text


@pytest.mark.parametrize("kind", ["fine-tuned", "in-context"])
def test_every_key_of_a_starter_is_explained(kind: Kind) -> None:
    lines = starter(kind, "m", "t.csv", ["a", "b"], "text", "label").splitlines()
    keys = [line for line in lines if ": " in line and not line.lstrip().startswith(("#", '"'))]
    assert [line for line in keys if "  # " not in line] == ["version: 1"]


@settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    words=st.lists(
        st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8
        ).filter(str.strip),
        min_size=2,
        max_size=3,
        unique_by=str.strip,
    )
)
def test_any_label_survives_the_starter(tmp_path: Path, words: list[str]) -> None:
    text = starter("in-context", "m", words[0], words, "text", "label")
    (tmp_path / "model.yaml").write_bytes(text.replace("rules: default", "rules: []").encode())
    config = load(tmp_path / "model.yaml", {})
    assert config.task.labels == tuple(words)
    assert config.data.test.source == words[0]
