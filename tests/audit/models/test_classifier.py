from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from audit.errors import ModelError
from audit.models.cache import Cache
from audit.models.classifier import open_classifier
from audit.models.ledger import Ledger
from audit.models.spec import ModelSpec
from audit.schema import Scores, Subject, Text

# peft asks transformers 5 by a name that it is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

WORDS = [
    "the",
    "a",
    "film",
    "is",
    "good",
    "bad",
    "great",
    "awful",
    "not",
    "very",
    "and",
    "it",
    "was",
    "plot",
    "of",
    "in",
]
TEXTS = ["the film is good", "bad", "a very very very awful plot and it was not good", "GOOD film", "great"]
PAIRS = [("the film is good", "it was great"), ("bad", "a very bad plot of the film"), ("good", "")]
NAMES = {0: "negative", 1: "positive"}


def make_tokenizer(*, pad: bool = True, pairs: bool = True) -> transformers.PreTrainedTokenizerFast:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*special, *WORDS])}, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    if pairs:
        inner.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    # As in the wild: the file itself says to cut at 4 and to pad to 128, which must not count.
    inner.enable_truncation(4)
    inner.enable_padding(length=128)
    names = {"unk_token": "[UNK]", "eos_token": "[SEP]"} | ({"pad_token": "[PAD]"} if pad else {})
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=10**30,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **names,
    )


def bert_config(**changes: Any) -> transformers.BertConfig:
    small: dict[str, Any] = {
        "vocab_size": 20,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 24,
        "initializer_range": 0.8,
        "id2label": NAMES,
        "label2id": {name: i for i, name in NAMES.items()},
    }
    return transformers.BertConfig(**(small | changes))


def save(folder: Path, config: Any, tokenizer: Any = None, *, dtype: torch.dtype = torch.float32) -> Path:
    torch.manual_seed(7)
    model = transformers.AutoModelForSequenceClassification.from_config(config).to(dtype)
    model.save_pretrained(folder)
    (tokenizer or make_tokenizer()).save_pretrained(folder)
    return folder


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return save(tmp_path / "bert", bert_config())


def opened(
    folder: Path | str,
    labels: tuple[str, ...] = ("negative", "positive"),
    *,
    cache: Cache | None = None,
    ledger: Ledger | None = None,
    base: Path | None = None,
    **spec: Any,
) -> Subject:
    return open_classifier(
        ModelSpec(kind="fine-tuned", source=str(folder), **spec),
        labels=labels,
        base=base or Path(),
        cache=cache or Cache(None),
        ledger=ledger or Ledger(),
    )


def scores(subject: Subject, texts: list[Any]) -> Scores:
    assert subject.classifier is not None
    return subject.classifier.score(texts)


def one_by_one(folder: Path, texts: list[Text], length: int = 24) -> np.ndarray:
    """The oracle: transformers itself, each text alone."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32
    ).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in texts:
        # As batches of one: given alone, transformers takes an empty second text for none at all.
        parts = ([text],) if isinstance(text, str) else ([text[0]], [text[1]])
        inputs = tokenizer(*parts, return_tensors="pt", padding=False, truncation=True, max_length=length)
        with torch.no_grad():
            rows.append(model(**inputs).logits[0].double().numpy())
    return np.array(rows)


# --- answers ---


def test_answers_equal_transformers_one_by_one(bert: Path) -> None:
    found = scores(opened(bert), TEXTS)
    np.testing.assert_allclose(one_by_one(bert, [*TEXTS]), found.logits, atol=1e-5)


def test_pairs_equal_transformers_one_by_one(bert: Path) -> None:
    np.testing.assert_allclose(one_by_one(bert, [*PAIRS]), scores(opened(bert), PAIRS).logits, atol=1e-5)


def test_token_types_of_pairs_reach_the_model(bert: Path) -> None:
    joined = opened(bert).classifier.fingerprint([("good", "bad"), ("good bad", "")])  # type: ignore[union-attr]
    assert joined[0] != joined[1]


@pytest.mark.parametrize("budget", [16, 40, 1000])
def test_batch_size_changes_at_most_1e_6(bert: Path, budget: int) -> None:
    found = scores(opened(bert, batch_tokens=budget), TEXTS)
    np.testing.assert_allclose(scores(opened(bert), TEXTS).probabilities, found.probabilities, atol=1e-6)


def test_upper_case_does_not_reach_an_uncased_model(bert: Path) -> None:
    classifier = opened(bert).classifier
    assert classifier is not None
    plain, upper, other = classifier.fingerprint(["good film", "GOOD FILM", "good plot"])
    assert plain == upper != other


def test_model_without_token_types_is_not_given_any(tmp_path: Path) -> None:
    config = transformers.DistilBertConfig(
        vocab_size=20,
        dim=16,
        n_layers=1,
        n_heads=2,
        hidden_dim=32,
        max_position_embeddings=24,
        id2label=NAMES,
    )
    folder = save(tmp_path / "m", config)
    assert (2, 2) == scores(opened(folder), ["good", "bad film"]).probabilities.shape


def test_decoder_without_padding_token_answers_in_batches_as_alone(tmp_path: Path) -> None:
    config = transformers.GPT2Config(
        vocab_size=20, n_embd=16, n_layer=2, n_head=2, n_positions=24, initializer_range=0.5, id2label=NAMES
    )
    folder = save(tmp_path / "m", config, make_tokenizer(pad=False, pairs=False))
    batch = scores(opened(folder), TEXTS).logits
    alone = [scores(opened(folder), [text]).logits[0] for text in TEXTS]  # type: ignore[index]
    np.testing.assert_allclose(alone, batch, atol=1e-5)


def test_empty_text_without_any_token_has_an_answer(tmp_path: Path) -> None:
    config = transformers.GPT2Config(
        vocab_size=20, n_embd=16, n_layer=1, n_head=2, n_positions=24, id2label=NAMES
    )
    folder = save(tmp_path / "m", config, make_tokenizer(pad=False, pairs=False))
    assert (2, 2) == scores(opened(folder), ["", "good"]).probabilities.shape


@pytest.mark.parametrize(
    "text", ["", " ", "🙂👍🏽", "שלום עולם", "half \ud83d a pair", "a\0b", "word " * 20_000]
)
def test_odd_text_has_an_answer(bert: Path, text: str) -> None:
    found = scores(opened(bert), [text, "good"])
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)


# --- length ---


def test_cut_text_is_marked_and_answers_as_transformers_cuts_it(bert: Path) -> None:
    ledger = Ledger()
    long = "good bad film " * 100
    found = scores(opened(bert, ledger=ledger), ["good", long, ("bad", long)])
    assert [False, True, True] == found.truncated.tolist()
    assert 2 == ledger.usage().truncated
    np.testing.assert_allclose(one_by_one(bert, ["good", long, ("bad", long)]), found.logits, atol=1e-5)


def test_text_of_just_the_length_is_not_cut(bert: Path) -> None:
    found = scores(opened(bert), [" ".join(["good"] * 22), " ".join(["good"] * 23)])
    assert [False, True] == found.truncated.tolist()


def test_length_can_be_lowered(bert: Path) -> None:
    subject = opened(bert, max_length=6)
    assert 6 == subject.facts.max_length
    assert [False, True] == scores(subject, ["a b c d", "a b c d e"]).truncated.tolist()


def test_length_beyond_the_model_is_refused(bert: Path) -> None:
    with pytest.raises(ModelError, match=r"max_length: 25 .* 24"):
        opened(bert, max_length=25)


def test_roberta_counts_its_positions_from_behind_the_padding(tmp_path: Path) -> None:
    config = transformers.RobertaConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=26,
        type_vocab_size=2,
        pad_token_id=1,
        id2label=NAMES,
    )
    subject = opened(save(tmp_path / "m", config))
    assert 24 == subject.facts.max_length
    assert scores(subject, ["good " * 50]).truncated.all()


# --- labels ---


def test_columns_are_ordered_by_name_and_not_by_place(bert: Path) -> None:
    straight = scores(opened(bert), TEXTS).probabilities
    turned = scores(opened(bert, ("POSITIVE", "Negative")), TEXTS).probabilities
    np.testing.assert_allclose(straight, turned[:, ::-1], atol=1e-12)


def test_nameless_labels_are_an_error_that_shows_the_map_to_write(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", bert_config(id2label={0: "LABEL_0", 1: "LABEL_1"}))
    with pytest.raises(ModelError, match=r"LABEL_0.*negative.*label_map.*\{\"LABEL_0\": \"negative\", "):
        opened(folder)


def test_nameless_labels_follow_the_map(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", bert_config(id2label={0: "LABEL_0", 1: "LABEL_1"}))
    one = scores(opened(folder, label_map={"LABEL_0": "negative", "LABEL_1": "positive"}), TEXTS)
    two = scores(opened(folder, label_map={"LABEL_0": "positive", "LABEL_1": "negative"}), TEXTS)
    np.testing.assert_allclose(one.probabilities, two.probabilities[:, ::-1], atol=1e-12)


def test_label_of_the_task_that_the_model_does_not_know_is_refused(bert: Path) -> None:
    with pytest.raises(ModelError, match="the model has 2 labels and the task 3"):
        opened(bert, ("negative", "positive", "neutral"))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"id2label": {0: "score"}, "label2id": {"score": 0}}, "one number"),
        ({"problem_type": "regression"}, "regression"),
        ({"problem_type": "multi_label_classification"}, "several labels at once"),
    ],
)
def test_head_that_does_not_classify_is_refused(tmp_path: Path, changes: dict[str, Any], found: str) -> None:
    with pytest.raises(ModelError, match=found):
        opened(save(tmp_path / "m", bert_config(**changes)))


# --- number formats, facts ---


def test_float16_checkpoint_is_computed_in_float32(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", bert_config(), dtype=torch.float16)
    assert "float32" == opened(folder).facts.dtype
    np.testing.assert_allclose(one_by_one(folder, [*TEXTS]), scores(opened(folder), TEXTS).logits, atol=1e-5)


def test_bfloat16_is_used_when_asked_for_and_cached_apart(bert: Path) -> None:
    cache, ledger = Cache(None), Ledger()
    scores(opened(bert, cache=cache), TEXTS)
    subject = opened(bert, dtype="bfloat16", cache=cache, ledger=ledger)
    found = scores(subject, TEXTS).logits
    assert "bfloat16" == subject.facts.dtype
    assert len(set(TEXTS)) == ledger.usage().scored
    assert not np.allclose(one_by_one(bert, [*TEXTS]), found, atol=1e-5)


def test_facts_say_what_the_files_hold(bert: Path) -> None:
    facts = opened(bert).facts
    model = transformers.AutoModelForSequenceClassification.from_pretrained(bert)
    assert hashlib.sha256((bert / "model.safetensors").read_bytes()).hexdigest() == facts.weights
    assert sum(p.numel() for p in model.parameters()) == facts.parameters
    assert ("fine-tuned", "cpu", 24, str(bert)) == (facts.kind, facts.device, facts.max_length, facts.source)


def test_other_weights_are_other_answers_under_the_same_name(bert: Path) -> None:
    cache = Cache(None)
    before = scores(opened(bert, cache=cache), TEXTS).logits
    model = transformers.AutoModelForSequenceClassification.from_pretrained(bert)
    torch.nn.init.normal_(model.classifier.weight)
    model.save_pretrained(bert)
    after = scores(opened(bert, cache=cache), TEXTS).logits
    assert not np.allclose(before, after)  # type: ignore[arg-type]


CACHED = """
import sys
from pathlib import Path
from audit.models.cache import Cache
from audit.models.load import open_subject
from audit.models.ledger import Ledger
from audit.models.spec import ModelSpec

subject = open_subject(
    ModelSpec(kind="fine-tuned", source=sys.argv[1]), labels=("negative", "positive"), pair=False,
    prompt=None, base=Path(), cache=Cache(Path(sys.argv[2])), ledger=Ledger(),
)
print(subject.facts)
print(subject.classifier.score(sys.argv[3:]).logits.tobytes().hex())
print(sorted({"torch", "transformers", "tokenizers", "pandas", "scipy"} & set(sys.modules)))
"""


def test_cached_run_imports_no_torch_and_gives_the_same_facts_and_bits(bert: Path, tmp_path: Path) -> None:
    subject = opened(bert, cache=Cache(tmp_path / "c"))
    logits = scores(subject, TEXTS).logits
    assert logits is not None
    code = [sys.executable, "-c", CACHED, str(bert), str(tmp_path / "c"), *TEXTS]
    again = subprocess.run(code, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [str(subject.facts), logits.tobytes().hex(), "[]"] == again


# --- adapters ---


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    import peft

    torch.manual_seed(3)
    bare = transformers.BertModel(bert_config())
    bare.save_pretrained(tmp_path / "base")
    make_tokenizer().save_pretrained(tmp_path / "base")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=3)
    tuned = peft.get_peft_model(
        model,
        peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"], init_lora_weights=False),
    )
    tuned.save_pretrained(tmp_path / "adapter")
    tuned.eval()
    tokenizer = make_tokenizer()
    with torch.no_grad():
        rows = [
            tuned(**tokenizer(text, return_tensors="pt", padding=False, truncation=False)).logits[0].tolist()
            for text in TEXTS
        ]
    (tmp_path / "adapter" / "expected.txt").write_text(json.dumps(rows))
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = "../base"
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(settings))
    return tmp_path / "adapter"


THREE = {"LABEL_0": "bad", "LABEL_1": "fair", "LABEL_2": "good"}


def test_adapter_answers_as_peft_itself(lora: Path) -> None:
    subject = opened(lora, ("bad", "fair", "good"), label_map=THREE)
    expected = json.loads((lora / "expected.txt").read_text())
    np.testing.assert_allclose(expected, scores(subject, TEXTS).logits, rtol=1e-5, atol=1e-5)
    assert "LORA" in subject.facts.notes[0]


def test_adapter_without_its_base_says_so(lora: Path) -> None:
    shutil.rmtree(lora.parent / "base")
    with pytest.raises(ModelError, match=r"'\.\./base' does not exist"):
        opened(lora, ("bad", "fair", "good"), label_map=THREE)


def test_adapter_without_a_head_is_refused_because_the_head_would_be_random(lora: Path) -> None:
    from safetensors.torch import load_file, save_file

    kept = {k: v for k, v in load_file(lora / "adapter_model.safetensors").items() if "classifier" not in k}
    save_file(kept, lora / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"would be random.*classifier"):
        opened(lora, ("bad", "fair", "good"), label_map=THREE)


# --- what is wrong with a folder ---


def lose(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def garble(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(b"{" * 100) and None


def pickle_weights(folder: Path) -> None:
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def behead(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    kept = {k: v for k, v in load_file(folder / "model.safetensors").items() if "classifier" not in k}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def narrow(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 8}))


def with_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    auto = {"AutoModelForSequenceClassification": "own.Model", "AutoConfig": "own.Config"}
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": auto, "model_type": "own"}))
    (folder / "own.py").write_text("raise SystemExit('code of the model was run')")


def lose_words(folder: Path) -> None:
    file = json.loads((folder / "tokenizer.json").read_text())
    file["model"]["vocab"] = {
        w: i for w, i in file["model"]["vocab"].items() if w in ("[PAD]", "[UNK]", "[SEP]")
    }
    (folder / "tokenizer.json").write_text(json.dumps(file))


def remove_tokenizer(folder: Path) -> None:
    for path in [*folder.glob("tokenizer*"), *folder.glob("special*")]:
        path.unlink()


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (lose("config.json"), r"no config.json"),
        (garble("config.json"), r"bert/config.json"),
        (lose("model.safetensors"), r"no weights.*safetensors"),
        (garble("model.safetensors"), r"cannot be loaded"),
        (remove_tokenizer, r"no tokenizer"),
        (lose("tokenizer.json"), r"tokenizer"),
        (garble("tokenizer.json"), r"tokenizer cannot be loaded"),
        (lose_words, r"tokenizer knows no words"),
        (pickle_weights, r"pickle.*pytorch_model.bin.*allow_pickle"),
        (behead, r"would be random.*classifier.bias"),
        (narrow, r"cannot be loaded"),
        (with_code, r"trust_remote_code"),
    ],
)
def test_wrong_folder_is_one_clear_line(bert: Path, fault: Callable[[Path], None], found: str) -> None:
    fault(bert)
    with pytest.raises(ModelError, match=found) as caught:
        opened(bert)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_read_when_asked_for(bert: Path) -> None:
    before = scores(opened(bert), TEXTS).logits
    pickle_weights(bert)
    after = scores(opened(bert, allow_pickle=True), TEXTS).logits
    np.testing.assert_allclose(before, after, atol=1e-6)  # type: ignore[arg-type]


def test_tokenizer_of_another_model_is_found_out(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", bert_config(vocab_size=10))
    with pytest.raises(ModelError, match="tokenizer is not the model's"):
        scores(opened(folder), ["it was of in"])


def test_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'models/none/here' does not exist"):
        opened("models/none/here", base=tmp_path)


def test_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="is a file"):
        opened("file", base=tmp_path)


def test_hub_name_without_network_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"'nobody/nothing' is no folder here, and the hub") as caught:
        opened("nobody/nothing", base=tmp_path)
    assert "\n" not in str(caught.value)


def test_hub_name_that_was_brought_before_needs_no_network(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    repo = bert.parent / "hub" / "models--somebody--something"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("0" * 40)
    shutil.copytree(bert, repo / "snapshots" / ("0" * 40))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(bert.parent / "hub"))
    monkeypatch.setattr(
        huggingface_hub._snapshot_download.constants, "HF_HUB_CACHE", str(bert.parent / "hub")
    )
    found = opened("somebody/something", base=bert.parent)
    np.testing.assert_allclose(scores(opened(bert), TEXTS).logits, scores(found, TEXTS).logits, atol=1e-6)  # type: ignore[arg-type]


def test_device_that_is_not_here_is_named(bert: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.device: 'cuda:99' cannot be used"):
        opened(bert, device="cuda:99")


def test_relative_path_is_relative_to_the_config(bert: Path) -> None:
    assert "bert" == opened("bert", base=bert.parent).facts.source


# --- the real one ---


@pytest.mark.model
@pytest.mark.slow
def test_minilm_is_right_on_889_of_1000_sentences(shared: Path, tmp_path: Path) -> None:
    packed = (shared / "data/sst2/test.tsv.gz").read_bytes()
    rows = gzip.decompress(packed).decode().split("\n")[1:-1]
    labels, texts = zip(*(row.split("\t") for row in rows), strict=True)
    found = scores(opened(shared / "models/sst2-minilm", cache=Cache(tmp_path / "c")), list(texts))
    assert 1821 == len(texts)
    assert 0.889 == pytest.approx(np.mean(found.predicted == np.array(labels, dtype=int)), abs=0.003)
