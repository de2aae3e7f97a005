"""A masked language model: opened by its files, loaded once, and refused where its head or weights lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from audit.errors import ModelError
from audit.models.masked import open_masked_lm
from audit.models.spec import HelperSpec
from tests.audit.models.test_classifier import bert_config, make_tokenizer


def save(folder: Path, model: Any) -> Path:
    model.save_pretrained(folder)
    tokenizer = make_tokenizer()
    tokenizer.mask_token = "[UNK]"
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    return save(tmp_path / "masked", transformers.BertForMaskedLM(bert_config()))


def test_the_model_is_that_of_the_folder_and_loaded_once(folder: Path) -> None:
    opened = open_masked_lm(HelperSpec(source="masked"), base=folder.parent)
    model, tokenizer = opened.load()
    expected = transformers.BertForMaskedLM.from_pretrained(folder).state_dict()

    assert isinstance(model, transformers.BertForMaskedLM)
    assert not model.training
    assert all(torch.equal(expected[name], value) for name, value in model.state_dict().items())
    assert (model, tokenizer) == opened.load()
    assert model is opened.load()[0]


def test_nothing_is_loaded_before_it_is_asked_for(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\0" * 64)
    opened = open_masked_lm(HelperSpec(source="masked"), base=folder.parent)

    with pytest.raises(ModelError, match=r"helpers\.masked_lm: the model cannot be loaded: masked") as caught:
        opened.load()
    assert "\n" not in str(caught.value)


def test_a_model_without_the_head_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "plain", transformers.BertModel(bert_config()))

    with pytest.raises(ModelError, match="is no masked language model: its config names"):
        open_masked_lm(HelperSpec(source="plain"), base=tmp_path)


def test_a_head_that_only_the_config_names_is_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("cls.")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ModelError, match=r"weights are missing and would be random: masked: .*cls\.pred"):
        open_masked_lm(HelperSpec(source="masked"), base=folder.parent).load()


def test_a_tokenizer_without_a_mask_is_refused(folder: Path) -> None:
    make_tokenizer().save_pretrained(folder)
    opened = open_masked_lm(HelperSpec(source="masked"), base=folder.parent)

    with pytest.raises(ModelError, match="the tokenizer has no mask token: masked"):
        opened.load()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"source": "nowhere/at all"}, "does not exist"),
        ({"source": "masked", "device": "cpu"}, "device: cannot be 'cpu'"),
    ],
)
def test_what_cannot_be_meant_is_refused(folder: Path, said: dict[str, str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        open_masked_lm(HelperSpec(**said), base=folder.parent)
