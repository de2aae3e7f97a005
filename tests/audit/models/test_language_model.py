"""A causal model asked for log-probabilities and for text; real SmolLM2 on both versions of transformers."""

from __future__ import annotations

import json
from collections import Counter
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


# --- writing -------------------------------------------------------------------------------


def test_greedy_writing_is_that_of_transformers_one_by_one(tiny: Tiny, plain: Reference) -> None:
    prompts = ["Review: a fine", "the film the film the", "it"]
    asked = plain(tiny())
    expected = []
    for prompt in prompts:
        ids = torch.tensor([asked.ids(prompt)])
        out = asked.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, pad_token_id=1
        )
        expected.append([asked.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)])
    assert expected == language(tiny()).generate(prompts, max_new_tokens=12)


def test_a_sample_depends_on_its_prompt_alone(tiny: Tiny) -> None:
    model = language(tiny())
    alone = [
        model.generate([p], max_new_tokens=8, samples=2, temperature=1.0, seed=3)[0]
        for p in ("it", "a film is")
    ]
    assert alone == language(tiny()).generate(
        ["it", "a film is"], max_new_tokens=8, samples=2, temperature=1.0, seed=3
    )


def test_seeds_and_samples_differ(tiny: Tiny) -> None:
    model = language(tiny())
    first = model.generate(["it"], max_new_tokens=12, samples=3, temperature=1.5, seed=1)[0]
    second = model.generate(["it"], max_new_tokens=12, samples=3, temperature=1.5, seed=2)[0]
    assert len({*first, *second}) == 6


def test_samples_follow_the_models_distribution(tiny: Tiny, plain: Reference) -> None:
    asked = plain(tiny())
    with torch.inference_mode():
        logits = asked.model(torch.tensor([asked.ids("it")])).logits[0, -1].double()
    expected = (logits / 0.7).softmax(-1).numpy()
    n = 1500
    drawn = language(tiny(), batch_tokens=16384).generate(
        ["it"], max_new_tokens=1, samples=n, temperature=0.7, seed=5
    )[0]
    # Single bytes of longer characters all decode to the replacement character, so strings are compared.
    texts = np.array(
        asked.tokenizer.batch_decode([[i] for i in range(len(expected))], skip_special_tokens=True)
    )
    shares = Counter(drawn)
    common = [text for text, _ in shares.most_common(5)]
    wanted = [expected[texts == text].sum() for text in common]
    assert np.allclose(wanted, [shares[text] / n for text in common], atol=4 * np.sqrt(0.25 / n))


def test_writing_ends_at_the_end_token(tiny: Tiny, plain: Reference, tmp_path: Path) -> None:
    """Whatever is likeliest second is made the end token: one token is left."""
    asked = plain(tiny())
    ids = torch.tensor([asked.ids("it")])
    out = asked.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=2, do_sample=False, pad_token_id=1
    )[0, ids.shape[1] :].tolist()
    assert out[0] != out[1]
    for path in tiny().iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    said = json.loads((tmp_path / "generation_config.json").read_text())
    (tmp_path / "generation_config.json").write_text(json.dumps(said | {"eos_token_id": [out[1]]}))
    assert [[asked.tokenizer.decode(out[:1])]] == language(tmp_path).generate(["it"], max_new_tokens=9)


def test_a_prompt_too_long_to_be_continued_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match="too long to be continued"):
        language(tiny(), max_length=128).generate(["zq" * 60], max_new_tokens=10)


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
