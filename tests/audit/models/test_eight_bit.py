"""8-bit layers: as near float32 as a bound says, the same alone and among others, refused elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import ModelError
from audit.models import eight_bit
from audit.models.cache import Cache
from audit.models.causal import load_causal
from audit.models.eight_bit import EightBit, in_eight_bit
from audit.models.ledger import Ledger
from audit.models.loading import load
from audit.models.parts import find_causal, find_classifier
from audit.models.spec import ModelSpec
from tests.audit.models.asked import Tiny
from tests.audit.models.asked import opened as in_context
from tests.audit.models.test_classifier import TEXTS, bert_config, opened, save, scores
from tests.audit.models.test_timing import watch_of

needs_bytes = pytest.mark.skipif(
    not eight_bit.able(), reason="this processor has no instructions for 8-bit products (VNNI)"
)


@st.composite
def layers(draw: st.DrawFn) -> tuple[torch.nn.Linear, torch.Tensor]:
    """A layer, and tokens of very different sizes."""
    torch.manual_seed(draw(st.integers(0, 2**31)))
    wide, out = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    layer = torch.nn.Linear(wide, out, bias=draw(st.booleans()))
    tokens = torch.randn(draw(st.integers(1, 9)), wide) * 10.0 ** draw(st.integers(-6, 6))
    tokens[draw(st.integers(0, len(tokens) - 1))] *= draw(st.sampled_from([0.0, 1e-3, 1e3]))
    return layer, tokens


@needs_bytes
@settings(max_examples=60, deadline=None)
@given(layers())
def test_a_product_is_off_by_no_more_than_half_a_step_of_each_factor(
    given_layer: tuple[torch.nn.Linear, torch.Tensor],
) -> None:
    layer, tokens = given_layer
    with torch.inference_mode():
        exact = layer.double()(tokens.double())
        found = EightBit(layer.float())(tokens).double()
    weights, x = layer.weight.detach().double(), tokens.double()
    step_w = weights.abs().amax(dim=1) / 127
    step_x = x.abs().amax(dim=1, keepdim=True) / 127
    bound = x.abs().sum(dim=1, keepdim=True) * step_w / 2
    bound = bound + step_x / 2 * (weights.abs().sum(dim=1) + weights.shape[1] * step_w / 2)
    assert bool(((found - exact).abs() <= 1.001 * bound + 1e-5 * exact.abs() + 1e-6).all())


@needs_bytes
@settings(max_examples=60, deadline=None)
@given(layers())
def test_a_token_is_answered_alone_as_among_others_to_the_bit(
    given_layer: tuple[torch.nn.Linear, torch.Tensor],
) -> None:
    layer, tokens = given_layer
    mine = EightBit(layer)
    with torch.inference_mode():
        among = mine(tokens)
        alone = torch.cat([mine(one[None]) for one in tokens])
    assert torch.equal(among, alone)


@needs_bytes
def test_a_token_of_zeros_gives_the_bias_and_shapes_are_kept() -> None:
    layer = torch.nn.Linear(48, 40)
    with torch.inference_mode():
        found = EightBit(layer)(torch.zeros(2, 3, 48))
    assert torch.equal(layer.bias.detach().expand(2, 3, 40), found)


@needs_bytes
def test_what_is_not_finite_stays_so_and_is_seen() -> None:
    tokens = torch.randn(2, 48)
    tokens[0, 3], tokens[1, 5] = float("nan"), float("inf")
    with torch.inference_mode():
        found = EightBit(torch.nn.Linear(48, 40))(tokens)
    assert not bool(found.isfinite().any())


# --- whole models ----------------------------------------------------------------------------


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return save(tmp_path / "bert", bert_config(hidden_size=64, intermediate_size=96, initializer_range=0.2))


@needs_bytes
def test_a_classifier_in_int8_answers_nearly_as_in_float32_and_is_cached_apart(bert: Path) -> None:
    cache, ledger = Cache(None), Ledger()
    exact = scores(opened(bert, cache=cache), TEXTS).logits
    subject = opened(bert, dtype="int8", cache=cache, ledger=ledger)
    found = scores(subject, TEXTS).logits
    assert "int8" == subject.facts.dtype
    assert len(set(TEXTS)) == ledger.usage().scored
    assert 0 < np.abs(found - exact).max() < 0.1 * np.abs(exact).max()


@needs_bytes
def test_as_many_numbers_are_counted_as_in_float32(bert: Path) -> None:
    exact, whole = opened(bert), opened(bert, dtype="int8")
    assert exact.facts.parameters == whole.facts.parameters
    sizes, others = watch_of(whole).sizes(), watch_of(exact).sizes()
    assert sizes is not None and others is not None
    assert (others.parameters, others.multiplied, others.attention) == (
        sizes.parameters,
        sizes.multiplied,
        sizes.attention,
    )
    # Two layers: query, key, value and output of 64 x 64, two products of 64 x 96, and the pooler.
    assert 2 * (4 * 64 * 64 + 2 * 64 * 96) + 64 * 64 == sizes.weights["int8"]


@needs_bytes
@pytest.mark.parametrize("labels", [2, 40])
def test_a_classifier_s_head_stays_in_float32_however_many_labels(tmp_path: Path, labels: int) -> None:
    names = {i: f"label {i}" for i in range(labels)}
    config = bert_config(hidden_size=64, id2label=names, label2id={name: i for i, name in names.items()})
    spec = ModelSpec(kind="fine-tuned", source=str(save(tmp_path / "m", config)), dtype="int8", device="cpu")
    parts = find_classifier(spec, labels=tuple(names.values()), base=Path(), cache=Cache(None))
    model = load(parts, spec, tuple(range(labels))).model
    kinds = {name: type(part) for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
    assert torch.nn.Linear is kinds.pop("classifier")
    assert {EightBit} == set(kinds.values())


@needs_bytes
def test_heads_stay_in_float32(tiny: Tiny) -> None:
    spec = ModelSpec(kind="in-context", source=str(tiny()), dtype="int8", device="cpu")
    model = load_causal(find_causal(spec, base=Path(), cache=Cache(None)), spec).model
    kinds = {name: type(part) for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
    assert torch.nn.Linear is kinds.pop("lm_head")
    assert {EightBit} == set(kinds.values())


@needs_bytes
def test_a_language_model_in_int8_still_shares_what_prompts_begin_with(tiny: Tiny) -> None:
    subject = in_context(tiny(), dtype="int8")
    assert "int8" == subject.facts.dtype
    assert "run whole" not in " ".join(subject.facts.notes)


@needs_bytes
@pytest.mark.model
def test_the_real_classifier_answers_alone_as_among_others(shared: Path) -> None:
    lines = (shared / "data/sst2/dev.tsv").read_text(encoding="utf-8").splitlines()[1:201]
    texts = [line.partition("\t")[2] for line in lines]
    place, labels = shared / "models/sst2-minilm", ("negative", "positive")
    found = {
        dtype: scores(opened(place, labels, dtype=dtype), texts).probabilities.argmax(axis=1)
        for dtype in ("float32", "int8")
    }
    alone = scores(opened(place, labels, dtype="int8", batch_tokens=16), texts).probabilities.argmax(axis=1)
    assert (found["float32"] == found["int8"]).mean() > 0.97
    assert (alone == found["int8"]).mean() > 0.99


# --- bad input --------------------------------------------------------------------------------


def test_a_processor_without_the_instructions_is_named(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eight_bit, "able", lambda: False)
    with pytest.raises(
        ModelError, match=r"model\.dtype: int8 needs a processor .*VNNI.* this one has none; use float32"
    ):
        scores(opened(bert, dtype="int8"), TEXTS)


def test_another_device_is_named() -> None:
    model: Any = torch.nn.Sequential(torch.nn.Linear(64, 64))
    with pytest.raises(ModelError, match=r"got model\.device cuda; set model\.device: cpu"):
        in_eight_bit(model, torch.device("cuda"), name="m")


@needs_bytes
def test_a_model_without_a_linear_layer_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match=r"int8 finds no linear layer in .*GPT2LMHeadModel.*float32"):
        in_context(tiny("gpt2"), dtype="int8")
