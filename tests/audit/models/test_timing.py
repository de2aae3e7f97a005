"""The clock asks the real model past every cache, and what it counts is what published formulas say."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from audit.errors import ModelError
from audit.models import sizes as counting
from audit.models.cache import Cache
from audit.models.causal import Causal
from audit.models.classifier import open_classifier
from audit.models.fine_tuned import FineTuned
from audit.models.ledger import Ledger
from audit.models.load import open_subject
from audit.models.spec import ModelSpec
from audit.schema import Sizes, Stopwatch, Subject
from tests.audit.models.asked import TEXTS, Tiny, changed, opened
from tests.audit.models.test_classifier import bert_config, lora, save  # noqa: F401 - a fixture

# peft asks transformers 5 by a name that it is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

LABELS = ("negative", "positive")


def classifier(folder: Path, labels: tuple[str, ...] = LABELS, **more: Any) -> Subject:
    return open_classifier(
        ModelSpec(kind="fine-tuned", source=str(folder), device="cpu"),
        labels=labels,
        base=folder,
        cache=more.get("cache") or Cache(None),
        ledger=more.get("ledger") or Ledger(),
    )


def watch_of(subject: Subject) -> Stopwatch:
    assert subject.stopwatch is not None
    return subject.stopwatch


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return save(tmp_path / "bert", bert_config())


# --- a classifier -------------------------------------------------------------------------


def test_each_request_goes_through_the_model_and_not_through_the_cache(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, calls = Ledger(), []
    forward = FineTuned.forward
    monkeypatch.setattr(
        FineTuned, "forward", lambda self, batch: calls.append(len(batch)) or forward(self, batch)
    )
    subject = classifier(bert, ledger=ledger)
    assert subject.classifier is not None
    subject.classifier.score(["the film is good"])
    before = ledger.usage()
    watch = watch_of(subject)
    times = [watch.answer("the film is good"), watch.answer("the film is good"), watch.answer_together(TEXTS)]

    assert [1, 1, 1, len(TEXTS)] == calls
    assert all(seconds > 0 for seconds in times)
    assert before == ledger.usage()


def test_the_clock_runs_from_the_text_to_the_numbers(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watch_of(classifier(bert))
    watch.answer("good")
    for name in ("encode", "forward"):
        plain = getattr(FineTuned, name)

        def slow(self: FineTuned, given: Any, plain: Callable[..., Any] = plain) -> Any:
            time.sleep(0.05)
            return plain(self, given)

        monkeypatch.setattr(FineTuned, name, slow)

    assert 0.1 <= watch.answer("good") < 1.0


def test_loading_the_model_is_not_in_the_first_request(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audit.models import loading

    plain, cache = loading.load, Cache(tmp_path / "c")
    classifier(bert, cache=cache)
    loaded: list[object] = []

    def slow(*given: Any) -> FineTuned:
        time.sleep(1.0)
        loaded.append(given)
        return plain(*given)

    monkeypatch.setattr(loading, "load", slow)
    watch = watch_of(classifier(bert, cache=cache))  # its facts are known, so nothing is loaded yet

    assert [] == loaded
    assert watch.answer("good") < 1.0
    assert 1 == len(loaded)


def test_tokens_are_those_that_the_model_reads(bert: Path) -> None:
    watch = watch_of(classifier(bert))

    assert 6 == watch.tokens("the film is good")  # with [CLS] and [SEP]
    assert 24 == watch.tokens("good " * 100)  # cut to the model's length


def test_a_classifier_writes_nothing_and_keeps_no_prompt(bert: Path) -> None:
    watch = watch_of(classifier(bert))

    assert (False, False) == (watch.writes, watch.keeps_prompt)
    with pytest.raises(ModelError, match="does not write"):
        watch.write("x", read=1, written=1)


def test_the_machine_is_named_with_threads_and_number_format(bert: Path) -> None:
    assert f"CPU, {torch.get_num_threads()} threads, float32" in watch_of(classifier(bert)).machine


# --- a prompt -----------------------------------------------------------------------------


def shapes(watch: Stopwatch, ask: Callable[[], object]) -> list[int]:
    """Tokens of each call of the model while it is asked."""
    seen: list[int] = []
    owner: Causal = watch._open()  # type: ignore[attr-defined]  # only tests look inside
    handle = owner.model.register_forward_pre_hook(
        lambda model, args, given: seen.append(given["input_ids"].shape[1]), with_kwargs=True
    )
    ask()
    handle.remove()
    return seen


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_each_request_reads_its_prompt_anew_unless_it_is_kept(tiny: Tiny, kind: str) -> None:
    watch = watch_of(opened(tiny(kind)))
    watch.answer_kept(TEXTS[0])  # reads the prompt
    whole = [shapes(watch, lambda: watch.answer(TEXTS[0])) for _ in range(2)]
    kept = shapes(watch, lambda: watch.answer_kept(TEXTS[0]))
    prompt = watch._asking.prefix_tokens  # type: ignore[attr-defined]  # only tests look inside

    assert whole[0] == whole[1]
    assert prompt > 20
    assert [prompt + kept[0]] == whole[0]
    assert watch.tokens(TEXTS[0]) > prompt  # type: ignore[operator]  # it has tokens
    assert watch.keeps_prompt


def test_requests_timed_whole_and_kept_get_the_answer_of_the_audit(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audit.models.asking import Asking

    rows: list[Any] = []
    plain = Asking.rows
    monkeypatch.setattr(
        Asking, "rows", lambda self, reads: rows.extend(plain(self, reads)) or plain(self, reads)
    )
    subject = opened(tiny())
    watch = watch_of(subject)
    watch.answer(TEXTS[0])
    watch.answer_kept(TEXTS[0])
    watch.answer_together(TEXTS[:2])
    assert subject.classifier is not None
    found = subject.classifier.score([TEXTS[0]]).logits
    assert found is not None

    for row in rows[:3]:
        assert np.allclose(found[0], row.logits, atol=1e-4)


def test_the_score_cache_is_neither_read_nor_written(tiny: Tiny) -> None:
    ledger = Ledger()
    subject = opened(tiny(), ledger=ledger)
    watch_of(subject).answer(TEXTS[0])
    watch_of(subject).write("a film", read=8, written=2)
    assert subject.classifier is not None
    subject.classifier.score([TEXTS[0]])

    assert 1 == ledger.usage().scored == ledger.usage().asked


@pytest.mark.parametrize(("kind", "keeps"), [("llama", True), ("bloom", False)])
def test_only_a_model_that_takes_up_keys_and_values_keeps_a_prompt(
    tiny: Tiny, kind: str, keeps: bool
) -> None:
    assert keeps == watch_of(opened(tiny(kind))).keeps_prompt


def test_a_bare_text_has_no_prompt_to_keep(tiny: Tiny) -> None:
    bare = changed(demonstrations=(), instruction="", template="{text} is")

    assert not watch_of(opened(tiny(), bare)).keeps_prompt


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom"])
def test_writing_reads_and_writes_as_many_tokens_as_asked(tiny: Tiny, kind: str) -> None:
    watch = watch_of(opened(tiny(kind)))
    times: list[float] = []
    seen = shapes(watch, lambda: times.extend(watch.write("a fine film", read=20, written=5)))

    assert [20, 1, 1, 1, 1] == seen
    assert 5 == len(times)
    assert all(seconds > 0 for seconds in times)
    assert watch.writes


def test_a_model_that_keeps_nothing_reads_all_again_for_each_token(tiny: Tiny) -> None:
    watch = watch_of(opened(tiny("mamba")))
    assert [4, 5, 6] == shapes(watch, lambda: list(watch.write("a fine film", read=4, written=3)))


def test_what_is_written_past_the_model_s_length_is_refused(tiny: Tiny) -> None:
    with pytest.raises(
        ModelError, match="380 tokens to read and 5 to write are more than the model can take"
    ):
        watch_of(opened(tiny())).write("a film", read=380, written=5)


def test_an_empty_prompt_can_be_written_after(tiny: Tiny) -> None:
    assert 2 == len(watch_of(opened(tiny())).write("", read=4, written=2))


# --- what is counted ----------------------------------------------------------------------


def gpt2(vocabulary: int, width: int, context: int, layers: int) -> int:
    """V·d + ctx·d + L (12 d² + 13 d) + 2 d."""
    return vocabulary * width + context * width + layers * (12 * width**2 + 13 * width) + 2 * width


def bert_with_pooler(vocabulary: int, width: int, context: int, layers: int, kinds: int) -> int:
    """Embeddings and their norm, layers, pooler."""
    embeddings = (vocabulary + context + kinds) * width + 2 * width
    return embeddings + layers * (12 * width**2 + 13 * width) + width**2 + width


def test_the_formulas_give_the_published_numbers() -> None:
    assert [124_439_808, 354_823_168, 774_030_080, 1_557_611_200] == [
        gpt2(50_257, width, 1024, layers) for width, layers in [(768, 12), (1024, 24), (1280, 36), (1600, 48)]
    ]
    assert [109_482_240, 335_141_888] == [
        bert_with_pooler(30_522, width, 512, layers, 2) for width, layers in [(768, 12), (1024, 24)]
    ]
    assert [124_645_632, 355_359_744] == [
        bert_with_pooler(50_265, width, 514, layers, 1) for width, layers in [(768, 12), (1024, 24)]
    ]


def test_gpt_2_is_counted_as_its_formula_says_its_tied_weights_once(tiny: Tiny) -> None:
    held = watch_of(opened(tiny("gpt2"))).sizes()
    vocabulary = len(transformers.AutoTokenizer.from_pretrained(tiny("gpt2")))

    assert gpt2(vocabulary, 32, 384, 2) == held.parameters
    # The table of words is the output layer too; that of positions is only looked up.
    assert held.parameters is not None
    assert held.parameters - 384 * 32 == held.multiplied
    assert (2, 32) == (held.layers, held.width)
    assert ((32, 96), (32, 96)) == held.attention
    assert 0 == held.trainable


def test_bert_is_counted_as_its_formula_says_and_all_of_it_as_trained(bert: Path) -> None:
    held = watch_of(classifier(bert)).sizes()
    layers = 2 * (4 * (16**2 + 16) + 2 * 16 * 32 + 32 + 16 + 4 * 16)
    expected = (20 + 24 + 2) * 16 + 2 * 16 + layers + (16**2 + 16) + (2 * 16 + 2)

    assert expected == held.parameters == held.trainable
    assert expected - (20 + 24 + 2) * 16 == held.multiplied
    assert ((16, 16),) * 4 == held.attention
    assert 4 * expected == held.weights["float32"]
    assert (None, None) == (held.adapter, held.adapter_files)


def test_grouped_queries_have_a_narrow_value_projection(tiny: Tiny) -> None:
    assert ((32, 32), (32, 16)) == watch_of(opened(tiny("mistral"))).sizes().attention[:2]


def test_files_are_weights_config_and_tokenizer(bert: Path) -> None:
    (bert / "README.md").write_text("no part of the model")
    names = [path for path in bert.iterdir() if path.name != "README.md"]

    assert sum(path.stat().st_size for path in names) == watch_of(classifier(bert)).sizes().files


def test_an_adapter_is_counted_apart_from_its_base(lora: Path) -> None:  # noqa: F811 - the fixture
    held = watch_of(classifier(lora, ("LABEL_0", "LABEL_1", "LABEL_2"))).sizes()
    own = 2 * 2 * (16 + 16) + (16 * 3 + 3)

    assert own == held.adapter == held.trainable
    assert held.parameters is not None
    assert held.parameters > own
    assert held.files is not None
    assert held.adapter_files is not None
    assert (lora / "adapter_model.safetensors").stat().st_size < held.adapter_files < held.files


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:.*quantize:UserWarning"
)
def test_weights_in_whole_numbers_are_counted_all_the_same() -> None:
    torch.manual_seed(1)
    model = transformers.AutoModelForSequenceClassification.from_config(bert_config()).eval()
    whole = counting._sizes(model)
    packed = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    small = counting._sizes(packed)

    assert whole.parameters == small.parameters
    assert whole.multiplied == small.multiplied
    assert sum(small.weights.values()) < sum(whole.weights.values())


def test_parts_of_one_storage_are_counted_each() -> None:
    class Halves(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            both = torch.zeros(2, 8)
            self.first, self.second = torch.nn.Parameter(both[0]), torch.nn.Parameter(both[1])
            self.again = self.first

    assert 16 == counting._count(Halves().parameters())


def test_the_peak_is_at_least_what_the_weights_take(bert: Path) -> None:
    held: Sizes = watch_of(classifier(bert)).sizes()

    assert held.peak is not None
    assert held.peak > sum(held.weights.values())


# --- functions of the user's --------------------------------------------------------------

MODULE = """
import time

calls = []

def slow(texts):
    calls.append(list(texts))
    time.sleep(0.05)
    return [[0.25, 0.75] for _ in texts]
"""


def test_a_function_is_timed_from_the_text_and_has_no_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "timed_here.py").write_text(MODULE)
    monkeypatch.setattr("sys.path", [*sys.path])
    subject = open_subject(
        ModelSpec(kind="fine-tuned", source="python:timed_here:slow"),
        labels=LABELS,
        pair=False,
        prompt=None,
        base=tmp_path,
        cache=Cache(None),
        ledger=Ledger(),
    )
    watch = watch_of(subject)

    assert 0.05 <= watch.answer("a") < 1.0
    assert 0.05 <= watch.answer("a") < 1.0
    assert watch.tokens("a") is None
    assert (tmp_path / "timed_here.py").stat().st_size == watch.sizes().files
    assert watch.sizes().parameters is None
    assert "a function of the user's" in watch.machine
