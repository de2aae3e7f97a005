"""Tuning learns what is planted, the same from the same seed, and puts a model whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from audit.demo.learn import Recipe
from audit.demo.tune import tune
from audit.errors import DataError, ModelError
from audit.places import DEMO

SMALL = Recipe(snippets=64, held_out=16, epochs=4, batch=8, rate=2e-2)


def write(path: Path, rows: int = 100, *, backwards: bool = False) -> Path:
    """Snippets whose label hangs on one word."""
    made = [
        {
            "id": f"m-{i}",
            "text": f"a {'long ' * (i % 7)}{'good' if i % 2 else 'bad'} film",
            "label": "positive" if i % 2 else "negative",
        }
        for i in range(rows)
    ]
    made = made[::-1] if backwards else made
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


pytestmark = pytest.mark.usefixtures("one_thread")


def quiet(done: int, total: int) -> None:
    """No progress is shown."""


def test_a_planted_word_is_learnt(encoder: Path, tmp_path: Path) -> None:
    tuned = tune(encoder, write(tmp_path / "train.jsonl"), tmp_path / "model", quiet, recipe=SMALL)
    assert (1.0, 16, False) == (tuned.accuracy, tuned.held_out, tuned.reused)


def test_the_model_loads_with_the_names_of_its_labels(encoder: Path, tmp_path: Path) -> None:
    tuned = tune(encoder, write(tmp_path / "train.jsonl"), tmp_path / "model", quiet, recipe=SMALL)
    model = AutoModelForSequenceClassification.from_pretrained(tuned.model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tuned.model)
    with torch.inference_mode():
        answers = model(**tokenizer(["a bad film", "a good film"], return_tensors="pt")).logits.argmax(dim=1)
    assert {0: "negative", 1: "positive"} == model.config.id2label
    assert [0, 1] == answers.tolist()
    assert {torch.float32} == {weight.dtype for weight in model.parameters()}


def test_the_weights_are_safetensors_and_nothing_else_is_left(encoder: Path, tmp_path: Path) -> None:
    tune(encoder, write(tmp_path / "train.jsonl"), tmp_path / "model", quiet, recipe=SMALL)
    assert {"config.json", "model.safetensors", "recipe.json", "tokenizer.json", "tokenizer_config.json"} == {
        path.name for path in (tmp_path / "model").iterdir()
    }
    assert {"train.jsonl", "model"} == {path.name for path in tmp_path.iterdir()}


def test_progress_counts_every_step(encoder: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    train = write(tmp_path / "train.jsonl")
    tune(encoder, train, tmp_path / "model", lambda done, total: told.append((done, total)), recipe=SMALL)
    assert [(i, 32) for i in range(1, 33)] == told


def test_the_same_recipe_is_not_tuned_again(encoder: Path, tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl")
    first = tune(encoder, train, tmp_path / "model", quiet, recipe=SMALL)
    told: list[int] = []
    again = tune(encoder, train, tmp_path / "model", lambda done, total: told.append(done), recipe=SMALL)
    assert [] == told
    assert (True, first.accuracy, first.held_out) == (again.reused, again.accuracy, again.held_out)


def test_another_recipe_or_other_snippets_are_tuned_again(encoder: Path, tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl")
    tune(encoder, train, tmp_path / "model", quiet, recipe=SMALL)
    other = Recipe(snippets=32, held_out=16, epochs=1, batch=8)
    assert not tune(encoder, train, tmp_path / "model", quiet, recipe=other).reused
    write(train, 120)
    assert not tune(encoder, train, tmp_path / "model", quiet, recipe=other).reused


def test_damaged_weights_are_tuned_again(encoder: Path, tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl")
    tune(encoder, train, tmp_path / "model", quiet, recipe=SMALL)
    whole = (tmp_path / "model/model.safetensors").read_bytes()
    (tmp_path / "model/model.safetensors").write_bytes(whole[:-1] + b"\x00")
    assert not tune(encoder, train, tmp_path / "model", quiet, recipe=SMALL).reused
    assert whole == (tmp_path / "model/model.safetensors").read_bytes()


def test_neither_the_order_of_the_file_nor_torchs_own_stream_changes_the_weights(
    encoder: Path, tmp_path: Path
) -> None:
    tune(encoder, write(tmp_path / "one.jsonl"), tmp_path / "one", quiet, recipe=SMALL)
    torch.manual_seed(99)
    tune(encoder, write(tmp_path / "two.jsonl", backwards=True), tmp_path / "two", quiet, recipe=SMALL)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_tuning_leaves_torchs_own_stream_as_it_was(encoder: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    tune(encoder, write(tmp_path / "train.jsonl"), tmp_path / "model", quiet, recipe=SMALL)
    assert torch.equal(expected, torch.rand(3))


def test_an_interrupt_loses_nothing_but_the_tuning(encoder: Path, tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl")
    tune(encoder, train, tmp_path / "model", quiet, recipe=SMALL)
    before = (tmp_path / "model/model.safetensors").read_bytes()

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(encoder, train, tmp_path / "model", interrupt, recipe=Recipe(snippets=32, held_out=16))
    assert before == (tmp_path / "model/model.safetensors").read_bytes()
    assert {"train.jsonl", "model"} == {path.name for path in tmp_path.iterdir()}


def test_too_few_snippets_are_an_error(encoder: Path, tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", 20)
    with pytest.raises(DataError, match="found 10 of 'negative', 40 are needed"):
        tune(encoder, train, tmp_path / "model", quiet, recipe=SMALL)


@pytest.mark.parametrize(
    "line", ["no json", '{"id": "1", "text": "a"}', '{"id": "1", "text": "a", "label": "x"}']
)
def test_a_line_that_is_no_snippet_is_named(encoder: Path, tmp_path: Path, line: str) -> None:
    train = write(tmp_path / "train.jsonl", 4)
    train.write_text(train.read_text() + line + "\n")
    with pytest.raises(DataError, match="line 5"):
        tune(encoder, train, tmp_path / "model", quiet, recipe=SMALL)


def test_a_missing_encoder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be tuned.*run `audit demo` again"):
        tune(tmp_path / "none", write(tmp_path / "train.jsonl"), tmp_path / "model", quiet, recipe=SMALL)


def test_an_encoder_that_is_no_model_is_an_error(encoder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in encoder.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "config.json").write_text('{"model_type": "nothing-known"}')
    with pytest.raises(ModelError, match="cannot be loaded"):
        tune(broken, write(tmp_path / "train.jsonl"), tmp_path / "model", quiet, recipe=SMALL)


@pytest.mark.model
def test_the_real_model_is_right_far_more_often_than_chance(brought: Path) -> None:
    kept: dict[str, Any] = json.loads((brought / DEMO["minilm-movies"] / "recipe.json").read_text())
    assert 500 == kept["held_out"]
    # 88 % when this was written; another machine's arithmetic may move a few answers.
    assert kept["accuracy"] == pytest.approx(0.88, abs=0.03)
