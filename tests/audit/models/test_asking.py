"""A prompt as token ids: braces, spaces, labels, chat, and texts that are too long."""

from __future__ import annotations

import numpy as np
import pytest

from audit.errors import ConfigError, ModelError
from audit.models.ledger import Ledger
from tests.audit.models.asked import (
    DEMONSTRATIONS,
    FORMS,
    LABELS,
    SHOWN,
    Reference,
    Tiny,
    changed,
    logits,
    opened,
)

# --- the prompt ----------------------------------------------------------------------------


def test_braces_in_a_text_stay_as_they_are(tiny: Tiny, plain: Reference) -> None:
    prompt = changed(template="{text} / {pair} ? {x}:", demonstrations=(), instruction="")
    expected = plain(tiny()).classes("{pair} {text} / {text} ? {x}:", FORMS)
    found = logits(opened(tiny(), prompt, pair=True), [("{pair} {text}", "{text}")])
    assert np.allclose(expected, found, atol=1e-4)


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
