"""Any causal model as a classifier: the same numbers as one plain call per text and form."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.errors import AuditError, ConfigError, ModelError
from audit.models.cache import Cache
from audit.models.causal import Causal
from audit.models.ledger import Ledger
from audit.models.prompted import open_prompted
from audit.models.spec import ModelSpec
from audit.schema import Example, Prompt, Subject

if TYPE_CHECKING:
    from tests.audit.models.conftest import Plain

Tiny = Callable[..., Path]
Reference = Callable[[Path], "Plain"]

LABELS = ("negative", "positive")
FORMS = ((" Negative", " really bad"), (" Positive", " really good", " Neutral"))
"""Single tokens and several, with a shared beginning across labels."""
DEMONSTRATIONS = (
    Example(id="a", text="dull , flat", label="negative"),
    Example(id="b", text="a fine film", label="positive"),
)
PROMPT = Prompt(
    template="Review: {text}\nSentiment:",
    verbalizers=dict(zip(LABELS, FORMS, strict=True)),
    demonstrations=DEMONSTRATIONS,
    instruction="Say what the review is.",
)
SHOWN = (
    "Say what the review is."
    "\n\nReview: dull , flat\nSentiment: Negative"
    "\n\nReview: a fine film\nSentiment: Positive"
    "\n\nReview: "
)
TEXTS = [
    "a moving film",
    "long",
    "far too long and far too dull , the film , the whole of it",
    "",
    "😀 שלום .",
]


def opened(
    folder: Path,
    prompt: Prompt | None = PROMPT,
    *,
    cache: Cache | None = None,
    ledger: Ledger | None = None,
    pair: bool = False,
    **spec: object,
) -> Subject:
    return open_prompted(
        ModelSpec.model_validate({"kind": "in-context", "source": str(folder), "device": "cpu", **spec}),
        labels=LABELS,
        pair=pair,
        prompt=prompt,
        base=folder,
        cache=cache or Cache(None),
        ledger=ledger or Ledger(),
    )


def logits(subject: Subject, texts: list[str]) -> np.ndarray:
    assert subject.classifier is not None
    found = subject.classifier.score(texts).logits
    assert found is not None
    return found


def changed(**fields: object) -> Prompt:
    return dataclasses.replace(PROMPT, **fields)  # type: ignore[arg-type]


# --- the numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom", "mistral", "gemma2", "mamba"])
@pytest.mark.filterwarnings("ignore:.*torch_dtype.*")
def test_every_architecture_answers_as_one_plain_call_per_form(
    tiny: Tiny, plain: Reference, kind: str
) -> None:
    folder = tiny(kind)
    asked = plain(folder)
    expected = [asked.classes(f"{SHOWN}{text}\nSentiment:", FORMS) for text in TEXTS]
    assert np.allclose(expected, logits(opened(folder), TEXTS), atol=1e-4)


def test_only_models_that_can_share_a_prefix_do(tiny: Tiny) -> None:
    notes = {kind: " ".join(opened(tiny(kind)).facts.notes) for kind in ("llama", "gpt2", "bloom", "mamba")}
    assert [kind for kind, note in notes.items() if "run whole" in note] == ["bloom", "mamba"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("ab .,:)\nfilm", max_size=60), min_size=1, max_size=12), st.integers(16, 400))
def test_the_company_of_a_text_changes_nothing(tiny: Tiny, texts: list[str], budget: int) -> None:
    alone = opened(tiny())
    together = opened(tiny(), batch_tokens=budget)
    expected = np.concatenate([logits(alone, [text]) for text in texts])
    assert np.allclose(expected, logits(together, texts), atol=1e-4)


def test_mass_is_the_probability_of_all_forms_before_normalising(tiny: Tiny, plain: Reference) -> None:
    subject = opened(tiny())
    assert subject.classifier is not None
    scores = subject.classifier.score(["a moving film"])
    expected = plain(tiny()).classes(f"{SHOWN}a moving film\nSentiment:", FORMS)
    assert scores.mass is not None
    assert np.exp(expected).sum() == pytest.approx(scores.mass[0], abs=1e-6)
    assert np.exp(expected) / np.exp(expected).sum() == pytest.approx(scores.probabilities[0], abs=1e-5)


def test_bfloat16_agrees_roughly(tiny: Tiny) -> None:
    texts = ["a moving film", "long"]
    assert np.allclose(
        logits(opened(tiny()), texts), logits(opened(tiny(), dtype="bfloat16"), texts), atol=0.5
    )


def test_a_prompt_without_demonstrations_is_asked(tiny: Tiny, plain: Reference) -> None:
    bare = changed(demonstrations=(), instruction="", template="{text} is")
    expected = plain(tiny()).classes("a film is", FORMS)
    assert np.allclose(expected, logits(opened(tiny(), bare), ["a film"]), atol=1e-4)


def test_pairs_fill_both_fields(tiny: Tiny, plain: Reference) -> None:
    prompt = changed(
        template="Premise: {text}\nHypothesis: {pair}\nAnswer:", demonstrations=(), instruction=""
    )
    subject = opened(tiny(), prompt, pair=True)
    assert subject.classifier is not None
    found = subject.classifier.score([("it rains", "it is wet")]).logits
    expected = plain(tiny()).classes("Premise: it rains\nHypothesis: it is wet\nAnswer:", FORMS)
    assert found is not None
    assert np.allclose(expected, found[0], atol=1e-4)


def test_the_beginning_token_stands_where_the_config_asks_for_it(tiny: Tiny, plain: Reference) -> None:
    folder = tiny(add_bos=True)
    subject = opened(folder)
    expected = plain(folder).classes(f"{SHOWN}long\nSentiment:", FORMS, bos=[0])
    assert np.allclose(expected, logits(subject, ["long"])[0], atol=1e-4)
    assert "beginning token <s> before the prompt" in subject.facts.notes[0]


# --- the prompt ----------------------------------------------------------------------------


def test_braces_in_a_text_stay_as_they_are(tiny: Tiny, plain: Reference) -> None:
    prompt = changed(template="{text} / {pair} ? {x}:", demonstrations=(), instruction="")
    subject = opened(tiny(), prompt, pair=True)
    assert subject.classifier is not None
    found = subject.classifier.score([("{pair} {text}", "{text}")]).logits
    expected = plain(tiny()).classes("{pair} {text} / {text} ? {x}:", FORMS)
    assert found is not None
    assert np.allclose(expected, found[0], atol=1e-4)


def test_a_space_at_the_end_of_the_template_goes_with_the_label(tiny: Tiny) -> None:
    spaced = changed(
        template="Review: {text}\nSentiment: ",
        verbalizers={
            "negative": ("Negative", " really bad"),
            "positive": ("Positive", "really good", "Neutral"),
        },
    )
    assert np.array_equal(
        logits(opened(tiny()), ["long", "a film"]), logits(opened(tiny(), spaced), ["long", "a film"])
    )


def test_the_order_of_the_verbalizers_in_the_config_changes_nothing(tiny: Tiny) -> None:
    turned = changed(verbalizers=dict(zip(LABELS[::-1], FORMS[::-1], strict=True)))
    first, second = opened(tiny()), opened(tiny(), turned)
    assert np.array_equal(logits(first, ["long"]), logits(second, ["long"]))
    assert first.facts == second.facts


def test_a_label_that_would_join_the_template_is_asked_apart_and_noted(tiny: Tiny, plain: Reference) -> None:
    prompt = changed(
        template="{text} :",
        demonstrations=(),
        instruction="",
        verbalizers={"negative": (" really bad",), "positive": (":)",)},
    )
    subject = opened(tiny(), prompt)
    asked = plain(tiny())
    assert asked.ids(" ::)") != [*asked.ids(" :"), *asked.ids(":)")]
    expected = asked.log_prob(asked.ids("film :"), asked.ids(":)"))
    assert expected == pytest.approx(logits(subject, ["film"])[0, 1], abs=1e-4)
    assert any("would join ':)'" in note for note in subject.facts.notes)


@pytest.mark.parametrize(
    ("verbalizers", "words"),
    [
        ({"negative": (" bad",), "positive": (" bad",)}, ["same tokens", "' bad'", "negative", "positive"]),
        ({"negative": (" really",), "positive": (" really good",)}, ["beginning of", "' really good'"]),
        ({"negative": (" bad", " bad film"), "positive": (" good",)}, ["beginning of", "' bad film'"]),
        ({"negative": ("",), "positive": (" good",)}, ["has no token", "negative"]),
    ],
)
def test_verbalizers_that_cannot_be_told_apart_are_refused(
    tiny: Tiny, verbalizers: dict[str, tuple[str, ...]], words: list[str]
) -> None:
    with pytest.raises(ModelError) as caught:
        opened(tiny(), changed(verbalizers=verbalizers, demonstrations=()))
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("fields", "pair", "word"),
    [
        ({"template": "Sentiment:"}, False, "lacks {text}"),
        ({"template": "{text} {pair}"}, False, "has {pair}"),
        ({"template": "{text}:"}, True, "lacks {pair}"),
        ({"verbalizers": {"negative": (" bad",)}}, False, "each label"),
        ({"verbalizers": {"negative": (" bad",), "positive": ()}}, False, "each label"),
    ],
)
def test_a_prompt_that_does_not_fit_the_task_is_refused(
    tiny: Tiny, fields: dict[str, object], pair: bool, word: str
) -> None:
    with pytest.raises(ConfigError, match=word.replace("{", r"\{")):
        opened(tiny(), changed(**fields), pair=pair)


def test_no_prompt_is_a_config_error(tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match=r"model\.prompt is missing"):
        opened(tiny(), None)


def test_half_characters_are_asked_as_replacement_characters(tiny: Tiny) -> None:
    found = logits(opened(tiny()), ["bad \ud800 half", "bad \ufffd half"])
    assert np.array_equal(found[0], found[1])


# --- chat ----------------------------------------------------------------------------------


def test_chat_makes_turns_through_the_models_own_template(tiny: Tiny, plain: Reference) -> None:
    asked = plain(tiny())
    messages = [
        {"role": "system", "content": "Say what the review is."},
        {"role": "user", "content": "Review: dull , flat\nSentiment:"},
        {"role": "assistant", "content": "Negative"},
        {"role": "user", "content": "Review: a fine film\nSentiment:"},
        {"role": "assistant", "content": "Positive"},
        {"role": "user", "content": "Review: long\nSentiment:"},
    ]
    rendered = asked.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    expected = asked.classes(rendered, [[form.strip() for form in many] for many in FORMS])
    assert np.allclose(expected, logits(opened(tiny(), changed(chat=True)), ["long"])[0], atol=1e-4)


def test_chat_without_a_chat_template_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match="no chat template"):
        opened(tiny(chat=False), changed(chat=True))


# --- length --------------------------------------------------------------------------------


def test_a_long_text_is_cut_and_counted_and_the_template_stays(tiny: Tiny, plain: Reference) -> None:
    ledger = Ledger()
    subject = opened(tiny(), ledger=ledger, max_length=128)
    assert subject.classifier is not None
    # No two of these letters are joined, so that a longer text always has more tokens.
    long = "zq" * 400
    scores = subject.classifier.score([long, "short", long])
    assert scores.truncated.tolist() == [True, False, True]
    assert ledger.usage().truncated == 1
    asked = plain(tiny())
    deepest = max(len(asked.ids(form)) - 1 for many in FORMS for form in many)
    kept = max(n for n in range(400) if len(asked.ids(f"{SHOWN}{long[:n]}\nSentiment:")) + deepest <= 128)
    expected = asked.classes(f"{SHOWN}{long[:kept]}\nSentiment:", FORMS)
    assert scores.logits is not None
    assert np.allclose(expected, scores.logits[0], atol=1e-4)


def test_a_hundred_thousand_characters_are_cut_in_time(tiny: Tiny) -> None:
    subject = opened(tiny())
    assert subject.classifier is not None
    assert subject.classifier.score(["word " * 20_000]).truncated.tolist() == [True]


def test_a_prompt_that_would_lose_its_demonstrations_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match=r"leaves no room for a text.*\d+ tokens of 64.*fewer shots"):
        opened(tiny(), changed(demonstrations=DEMONSTRATIONS * 3), max_length=64)


def test_more_length_than_the_model_has_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match="384"):
        opened(tiny(), max_length=4096)


# --- loading -------------------------------------------------------------------------------


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the models loaded from here on."""
    import audit.models.causal as module

    real, seen = module.load_causal, []

    def load(parts: object, spec: object) -> Causal:
        seen.append(spec.source)  # type: ignore[attr-defined]
        return real(parts, spec)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "load_causal", load)
    return seen


def test_a_second_run_loads_nothing_and_says_the_same(tiny: Tiny, loads: list[str], tmp_path: Path) -> None:
    first = opened(tiny(), cache=Cache(tmp_path / "c.sqlite"))
    answers = logits(first, TEXTS)
    again = opened(tiny(), cache=Cache(tmp_path / "c.sqlite"))
    assert np.array_equal(answers, logits(again, TEXTS))
    assert first.facts == again.facts
    assert len(loads) == 1


def test_siblings_share_the_weights(tiny: Tiny, loads: list[str]) -> None:
    subject = opened(tiny())
    assert subject.prompted is not None
    turned = changed(demonstrations=DEMONSTRATIONS[::-1])
    sibling = subject.prompted.with_prompt(turned)
    assert turned == sibling.prompt
    assert not np.allclose(logits(subject, ["long"]), sibling.score(["long"]).logits)
    assert np.allclose(logits(opened(tiny(), turned), ["long"]), sibling.score(["long"]).logits, atol=1e-5)
    assert len(loads) == 2


def test_the_prefix_is_paid_once(tiny: Tiny, plain: Reference) -> None:
    ledger = Ledger()
    subject = opened(tiny(), ledger=ledger, batch_tokens=16)
    logits(subject, ["a film", "long", "dull"])
    usage = ledger.usage()
    assert usage.scored == 3
    assert usage.tokens_saved == 2 * len(plain(tiny()).ids(SHOWN.rstrip()))


def test_facts_count_tied_weights_once(tiny: Tiny, plain: Reference) -> None:
    facts = opened(tiny("gpt2")).facts
    assert facts.parameters == sum(p.numel() for p in plain(tiny("gpt2")).model.parameters())
    assert (facts.max_length, facts.dtype, facts.kind) == (384, "float32", "in-context")


def broken(folder: Path, target: Path) -> Path:
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "no weights"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 99), "cannot be loaded"),
        (
            lambda f: (f / "config.json").write_text('{"architectures": ["BertForSequenceClassification"]}'),
            "no causal",
        ),
        (lambda f: (f / "config.json").write_text('{"model_type": "nonsense"}'), "cannot be read"),
        (lambda f: [p.unlink() for p in f.glob("token*")], "tokenizer"),
    ],
)
def test_a_wrong_folder_is_one_line(
    tiny: Tiny, tmp_path: Path, spoil: Callable[[Path], object], word: str
) -> None:
    folder = broken(tiny(), tmp_path)
    spoil(folder)
    with pytest.raises(AuditError, match=word) as caught:
        opened(folder)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"not a model at all, but long enough to be read as a header")
    with pytest.raises(ModelError, match="no readable GGUF"):
        opened(tmp_path / "m.gguf")


def test_without_the_extra_the_install_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r'pip install "trust-audit\[gguf\]"'):
        opened(tmp_path / "m.gguf")
