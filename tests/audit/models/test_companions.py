"""Helpers: an encoder whose vectors are kept, classifiers over their own labels, errors that name the key."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from audit.errors import ConfigError, ModelError
from audit.models.cache import Cache
from audit.models.companions import Helpers, open_helpers
from audit.models.ledger import Ledger
from audit.models.spec import HelperSpec
from audit.schema import Encoder
from tests.audit.models.test_classifier import bert_config, make_tokenizer

TEXTS = ["the film is good", "bad", "", "a very very awful plot", "the film is good"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("helpers")
    torch.manual_seed(3)
    model = transformers.BertModel(bert_config())
    model.save_pretrained(place / "encoder")
    make_tokenizer().save_pretrained(place / "encoder")
    head = transformers.BertForSequenceClassification(bert_config(id2label={0: "fine", 1: "toxic"}))
    head.save_pretrained(place / "toxic")
    make_tokenizer().save_pretrained(place / "toxic")
    transformers.BertForMaskedLM(bert_config()).save_pretrained(place / "masked")
    tokenizer = make_tokenizer()
    tokenizer.mask_token = "[UNK]"
    tokenizer.save_pretrained(place / "masked")
    (place / "near.json").write_text('{"good": ["nice"]}')
    return place


def opened(folders: Path, ledger: Ledger | None = None, cache: Cache | None = None, **named: str) -> Helpers:
    return open_helpers(
        {name: HelperSpec(source=source) for name, source in named.items()},
        base=folders,
        cache=cache or Cache(None),
        ledger=ledger or Ledger(),
    )


def encoder(folders: Path, ledger: Ledger | None = None, cache: Cache | None = None) -> Encoder:
    found = opened(folders, ledger, cache, encoder="encoder").encoder
    assert found is not None
    return found


def test_a_vector_is_the_mean_of_its_tokens_and_has_length_one(folders: Path) -> None:
    model = transformers.BertModel.from_pretrained(folders / "encoder").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders / "encoder")
    vectors = encoder(folders).embed(TEXTS)

    for text, vector in zip(TEXTS, vectors, strict=True):
        with torch.inference_mode():
            ids = torch.tensor([tokenizer(text, truncation=True, max_length=512)["input_ids"]])
            plain = model(ids).last_hidden_state[0].double().mean(0)
        expected = (plain / plain.norm()).numpy()
        assert expected == pytest.approx(vector, abs=1e-6)
        assert pytest.approx(1.0, abs=1e-6) == np.linalg.norm(vector)


def test_equal_texts_are_encoded_once_and_a_second_run_asks_nothing(folders: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "scores.sqlite")
    first, again = Ledger(), Ledger()
    one = encoder(folders, first, cache).embed(TEXTS)
    two = encoder(folders, again, cache).embed(TEXTS)

    assert 4 == first.usage().scored
    assert 0 == again.usage().scored
    assert one.tolist() == two.tolist()


def test_no_texts_give_no_vectors(folders: Path) -> None:
    assert (0, 0) == encoder(folders).embed([]).shape


def test_a_classifying_helper_has_the_labels_of_its_own_config(folders: Path) -> None:
    toxic = opened(folders, toxicity="toxic").classifiers["toxicity"]

    assert ("fine", "toxic") == toxic.labels
    assert (2, 2) == toxic.score(["good", "bad"]).probabilities.shape


def test_a_masked_language_model_and_neighbours_are_opened(folders: Path) -> None:
    found = opened(folders, masked_lm="masked", neighbours="near.json")

    assert found.masked_lm is not None
    assert isinstance(found.masked_lm.load()[0], transformers.BertForMaskedLM)
    assert found.neighbours is not None
    assert {"good": ("nice",)} == found.neighbours.words


def test_no_helpers_are_no_helpers(folders: Path) -> None:
    assert Helpers() == opened(folders)


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("encoder", "nowhere/at all", "helpers.encoder: "),
        ("toxicity", "demo:nothing", "helpers.toxicity: .*'demo:nothing'"),
        ("masked_lm", "encoder", "helpers.masked_lm: .*is no masked language model"),
        ("neighbours", "encoder", "helpers.neighbours: 'encoder' is no file"),
    ],
)
def test_a_helper_that_cannot_be_opened_names_its_key(
    folders: Path, name: str, source: str, said: str
) -> None:
    with pytest.raises((ModelError, ConfigError), match=said):
        opened(folders, **{name: source})


def test_an_encoder_whose_weights_are_cut_is_an_error_of_one_line(folders: Path, tmp_path: Path) -> None:
    place = tmp_path / "encoder"
    place.mkdir()
    for file in (folders / "encoder").iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    (place / "model.safetensors").write_bytes(b"\0" * 64)

    with pytest.raises(ModelError, match=r"helpers\.encoder: the model cannot be loaded: encoder") as caught:
        encoder(tmp_path).embed(["x"])
    assert "\n" not in str(caught.value)


def test_the_config_of_an_encoder_needs_no_head(folders: Path) -> None:
    said = json.loads((folders / "encoder" / "config.json").read_text())

    assert ["BertModel"] == said["architectures"]


@pytest.mark.model
def test_the_real_encoder_finds_like_meanings_alike() -> None:
    from audit.places import demo_folder

    if not (demo_folder() / "minilm").exists():
        pytest.skip("no demo:minilm here: run `audit demo`")
    texts = ["a wonderful film", "a great movie", "the weather is cold today"]
    a, b, c = encoder_of_the_demo().embed(texts)

    assert a @ b > 0.7 > 0.4 > a @ c


def encoder_of_the_demo() -> Encoder:
    found = opened(Path.cwd(), encoder="demo:minilm").encoder
    assert found is not None
    return found


def test_a_file_of_neighbours_has_no_device(folders: Path) -> None:
    spec = HelperSpec(source="near.json", device="cpu")
    with pytest.raises(ConfigError, match=r"helpers\.neighbours: is a file of words"):
        open_helpers({"neighbours": spec}, base=folders, cache=Cache(None), ledger=Ledger())
