"""A causal model asked for log-probabilities; real SmolLM2 on both versions of transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from audit.errors import ModelError
from audit.models.cache import Cache
from audit.models.gguf import read_metadata
from audit.models.ledger import Ledger
from audit.models.prompted import open_prompted
from audit.models.spec import ModelSpec
from audit.places import demo_folder
from audit.schema import Example, LanguageModel, Prompt, Subject

if TYPE_CHECKING:
    from tests.audit.models.conftest import Plain

Tiny = Callable[..., Path]
Reference = Callable[[Path], "Plain"]

PROMPT = Prompt(
    template="Review: {text}\nSentiment:",
    verbalizers={"negative": (" Negative", " really bad"), "positive": (" Positive",)},
    demonstrations=(
        Example(id="a", text="hide new secretions from the parental units", label="negative"),
        Example(id="b", text="loves its characters", label="positive"),
    ),
)
GOLDEN = Path(__file__).with_name("smollm2.json")


def opened(
    source: Path | str, *, cache: Cache | None = None, ledger: Ledger | None = None, **spec: object
) -> Subject:
    return open_prompted(
        ModelSpec.model_validate({"kind": "in-context", "source": str(source), "device": "cpu", **spec}),
        labels=("negative", "positive"),
        pair=False,
        prompt=PROMPT,
        base=Path(),
        cache=cache or Cache(None),
        ledger=ledger or Ledger(),
    )


def language(source: Path | str, **more: Any) -> LanguageModel:
    found = opened(source, **more).language
    assert found is not None
    return found


# --- log-probabilities ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["llama", "bloom", "mamba"])
def test_log_probs_are_those_of_one_plain_call_per_token(tiny: Tiny, plain: Reference, kind: str) -> None:
    pairs = [
        ("Review: a film", " really good film"),
        ("Review: a film", " bad"),
        ("the whole of it , the film", ": true"),
        ("Review: a film", " really bad"),
    ]
    found = language(tiny(kind)).log_probs(pairs)
    asked = plain(tiny(kind))
    expected = [
        [
            asked.log_prob([*asked.ids(context), *asked.ids(end)[:i]], [token])
            for i, token in enumerate(asked.ids(end))
        ]
        for context, end in pairs
    ]
    assert list(map(len, expected)) == list(map(len, found))
    assert np.allclose(np.concatenate(expected), np.concatenate(found), atol=1e-4)


def test_spaces_at_the_end_of_a_context_go_with_the_continuation(tiny: Tiny) -> None:
    first, second = language(tiny()).log_probs([("Review: ", "film"), ("Review:", " film")])
    assert np.array_equal(first, second)


def test_an_empty_continuation_has_no_token(tiny: Tiny) -> None:
    assert [0, 0] == [len(one) for one in language(tiny()).log_probs([("a film ", ""), ("", "")])]


def test_an_empty_context_is_the_end_token_where_there_is_no_bos(tiny: Tiny, plain: Reference) -> None:
    asked = plain(tiny())
    found = language(tiny()).log_probs([("", "film")])[0]
    assert asked.log_prob([1], asked.ids("film")) == pytest.approx(found.sum(), abs=1e-4)


def test_many_choices_of_one_question_run_the_question_once(tiny: Tiny) -> None:
    ledger = Ledger()
    pairs = [
        ("Premise: it rains\nHypothesis: it is wet\nAnswer:", end) for end in (" true", " false", " dull")
    ]
    language(tiny(), ledger=ledger).log_probs(pairs)
    usage = ledger.usage()
    assert (usage.asked, usage.scored) == (3, 3)
    assert usage.tokens_saved > usage.tokens


def test_what_was_answered_is_not_asked_again(tiny: Tiny, tmp_path: Path) -> None:
    ledger = Ledger()
    pairs = [("a film", " good"), ("a film", " good"), ("a", " b")]
    first = language(tiny(), cache=Cache(tmp_path / "c")).log_probs(pairs)
    again = language(tiny(), cache=Cache(tmp_path / "c"), ledger=ledger).log_probs(pairs)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    usage = ledger.usage()
    assert (usage.asked, usage.repeated, usage.cached, usage.scored) == (3, 1, 2, 0)


def test_a_context_too_long_loses_its_beginning(tiny: Tiny, plain: Reference) -> None:
    ledger = Ledger()
    found = language(tiny(), max_length=128, ledger=ledger).log_probs([("zq" * 100, "film")])[0]
    asked = plain(tiny())
    kept = asked.ids("zq" * 100)[-(129 - len(asked.ids("film"))) :]
    assert asked.log_prob(kept, asked.ids("film")) == pytest.approx(found.sum(), abs=1e-4)
    assert ledger.usage().truncated == 1


def test_a_continuation_longer_than_the_model_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match="longer than the model can take"):
        language(tiny(), max_length=128).log_probs([("a", "zq" * 100)])


# --- real SmolLM2 --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smollm2() -> Subject:
    place = demo_folder() / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not place.exists():
        pytest.skip("SmolLM2 is not here: run `audit demo` first")
    return opened(place)


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """Numbers of transformers 4.57.6 and 5.23.0, which agree."""
    found: dict[str, Any] = json.loads(GOLDEN.read_text())
    return found


@pytest.mark.model
@pytest.mark.slow
def test_smollm2_has_no_beginning_token_because_its_file_says_so(smollm2: Subject) -> None:
    said = read_metadata(demo_folder() / "SmolLM2-135M-Instruct.Q4_1.gguf")
    assert (said.add_bos, said.stated, said.bos, said.eos) == (False, True, 1, 2)
    assert smollm2.facts.notes == ("no beginning token before the prompt (the file says so)",)


@pytest.mark.model
@pytest.mark.slow
def test_smollm2_answers_alike_on_both_versions_of_transformers(
    smollm2: Subject, golden: dict[str, Any]
) -> None:
    assert smollm2.classifier is not None
    scores = smollm2.classifier.score(golden["texts"])
    assert np.allclose(golden["logits"], scores.logits, atol=1e-4)
    assert np.allclose(golden["mass"], scores.mass, atol=1e-4)
    assert golden["fingerprints"] == [one.hex() for one in smollm2.classifier.fingerprint(golden["texts"])]


@pytest.mark.model
@pytest.mark.slow
def test_smollm2_log_probs_are_alike_on_both_versions(smollm2: Subject, golden: dict[str, Any]) -> None:
    assert smollm2.language is not None
    found = smollm2.language.log_probs([("The capital of France is", " Paris"), ("", "Hello world")])
    assert np.allclose(np.concatenate(golden["log_probs"]), np.concatenate(found), atol=1e-4)
    written = smollm2.language.generate(["1, 2, 3, 4,"], max_new_tokens=8)
    assert golden["written"] == written


@pytest.mark.model
@pytest.mark.slow
def test_smollm2_equals_one_plain_call_per_form(smollm2: Subject, golden: dict[str, Any]) -> None:
    """The whole prompt as one string, tokenised by the library, without a cache."""
    from audit.models.prompted import Prompted

    assert isinstance(smollm2.prompted, Prompted)
    causal = smollm2.prompted.shared.open_causal()
    assert smollm2.classifier is not None
    found = smollm2.classifier.score(golden["texts"]).logits
    shown = "".join(
        f"Review: {one.text}\nSentiment:{PROMPT.verbalizers[one.label or ''][0]}\n\n"
        for one in PROMPT.demonstrations
    )

    def ids(text: str) -> list[int]:
        made: list[int] = causal.tokenizer(text, add_special_tokens=False)["input_ids"]
        return made

    def log_prob(text: str, form: str) -> float:
        context, end = ids(f"{shown}Review: {text}\nSentiment:"), ids(form)
        with torch.inference_mode():
            table = (
                causal.model(torch.tensor([context + end]), use_cache=False)
                .logits[0]
                .double()
                .log_softmax(-1)
            )
        return float(sum(table[len(context) - 1 + i, token] for i, token in enumerate(end)))

    expected = [
        [np.logaddexp.reduce([log_prob(text, form) for form in many]) for many in PROMPT.verbalizers.values()]
        for text in golden["texts"]
    ]
    assert np.allclose(expected, found, atol=1e-4)
