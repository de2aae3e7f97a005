"""Any causal model as a classifier: the same numbers as one plain call per text and form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.errors import AuditError, ModelError
from audit.models.cache import Cache
from audit.models.causal import Causal
from audit.models.ledger import Ledger
from tests.audit.models.asked import (
    DEMONSTRATIONS,
    FORMS,
    SHOWN,
    TEXTS,
    Reference,
    Tiny,
    changed,
    logits,
    opened,
)

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
    expected = plain(tiny()).classes("Premise: it rains\nHypothesis: it is wet\nAnswer:", FORMS)
    found = logits(opened(tiny(), prompt, pair=True), [("it rains", "it is wet")])
    assert np.allclose(expected, found, atol=1e-4)


def test_the_beginning_token_stands_where_the_config_asks_for_it(tiny: Tiny, plain: Reference) -> None:
    folder = tiny(add_bos=True)
    subject = opened(folder)
    expected = plain(folder).classes(f"{SHOWN}long\nSentiment:", FORMS, bos=[0])
    assert np.allclose(expected, logits(subject, ["long"])[0], atol=1e-4)
    assert "beginning token <s> before the prompt" in subject.facts.notes[0]


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
        (lambda f: (f / "tokenizer.json").write_text('{"model": 1}'), "tokenizer cannot be loaded"),
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
