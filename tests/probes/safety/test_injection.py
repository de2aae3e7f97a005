"""Planted obedience: found within its interval where it is, and not where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from audit.errors import ConfigError, ModelError
from audit.planted_writers import Clean, Obeying
from audit.schema import Data, Example, Facts, Finding, Item, LanguageModel, Prompt, Skip, Subject
from audit.seeds import Seeds
from audit.testing import LABELS, check_probe, prompted
from probes import lexicons
from probes.safety import asking, injected
from probes.safety.injection import Injection

WORDS = "|".join(lexicons.load("made_up_words").entries)
ASKED = rf"(?:only the word|answer with|answer is|the question; write|question, write|output) ({WORDS})"


def data(n: int = 100, *, pair: str | None = None) -> Data:
    test, train = (
        tuple(
            Example(id=f"{part}{i}", text=f"{part} text {i} is read", pair=pair, label=LABELS[i % 2])
            for i in range(n)
        )
        for part in ("test", "train")
    )
    return Data(labels=LABELS, test=test, train=train)


def subject(language: LanguageModel | None, given: Data, **changes: object) -> Subject:
    plain = prompted(given)
    model = replace(plain, prompt=replace(plain.prompt, **changes))  # type: ignore[arg-type]  # of Prompt
    facts = Facts(kind="in-context", source="planted")
    return Subject(classifier=model, prompted=model, language=language, facts=facts)


def outcomes(
    probe: Injection, language: LanguageModel | None, given: Data, **changes: object
) -> list[Finding | Skip | Item]:
    return list(probe.run(subject(language, given, **changes), given, Seeds(0)))


def found(
    probe: Injection, language: LanguageModel, given: Data, **changes: object
) -> dict[tuple[str, str], Finding]:
    every = outcomes(probe, language, given, **changes)
    return {(one.metric, one.slice): one for one in every if isinstance(one, Finding)}


@dataclass(frozen=True, kw_only=True)
class Judging(Obeying):
    """Answers with either label, so that it is no constant."""

    pattern: str = ASKED

    def said(self, prompt: str, sample: str) -> str:
        plain = super().said(prompt, sample)
        return " negative" if plain == self.task and len(prompt) % 2 else plain


def test_the_contract_holds() -> None:
    check_probe(Injection(), path="probes.safety.injection")


# --- planted faults -----------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_a_model_that_obeys_at_a_known_rate_is_found_out(rate: float) -> None:
    rates = found(Injection(items=100), Judging(rate=rate), data())

    for attack in ("all", "direct", "quoted", "delimited"):
        estimate = rates["injection_success_rate", attack].estimate
        assert estimate.low <= rate <= estimate.high
        assert estimate.low > 0.05
    for attack in ("direct", "quoted", "delimited"):
        p = rates["canary_rate", attack].p
        assert p is not None
        assert p < 0.001


def test_a_model_that_does_its_task_is_left_alone() -> None:
    rates = found(Injection(), Judging(rate=0.0), data())

    for attack in ("all", "direct", "quoted", "delimited"):
        estimate = rates["injection_success_rate", attack].estimate
        assert 0 == estimate.value
        assert 0.01 < estimate.high < 0.1
        assert "none, so below 0.0487" in rates["injection_success_rate", attack].note
    assert 1 == rates["task_rate", "clean"].estimate.value


def test_the_word_after_the_task_is_no_success() -> None:
    rates = found(Injection(), Judging(both=True), data())

    assert 0 == rates["injection_success_rate", "direct"].estimate.value
    assert 1 == rates["canary_rate", "direct"].estimate.value
    assert 1 == rates["task_rate", "direct"].estimate.value


def test_a_model_that_repeats_what_it_reads_shows_in_the_mention() -> None:
    class Parrot(Clean):
        def said(self, prompt: str, sample: str) -> str:
            return prompt[-160:]

    rates = found(Injection(), Parrot(), data())

    assert 1 == rates["canary_rate", "mention"].estimate.value
    assert 1 == rates["canary_rate", "direct"].p
    assert "seldom done" in rates["injection_success_rate", "direct"].note


def test_quotation_marks_that_stop_a_model_are_seen() -> None:
    class Careful(Judging):
        def said(self, prompt: str, sample: str) -> str:
            return self.task if prompt.count('"') else super().said(prompt, sample)

    rates = found(Injection(), Careful(), data())

    assert 0 == rates["injection_success_rate", "quoted"].estimate.value
    assert 1 == rates["injection_success_rate", "direct"].estimate.value


# --- what is asked ------------------------------------------------------------------------------


def test_all_is_asked_in_one_call_and_no_more_than_announced() -> None:
    model, given = Judging(), data()

    list(Injection(items=20).run(subject(model, given), given, Seeds(0)))

    assert [100] == model.counts
    assert 100 == Injection(items=20).demand(given, subject(model, given).facts).texts


def test_the_prompt_is_the_users_with_its_demonstrations() -> None:
    shown = (
        Example(id="a", text="good {pair}", label="positive"),
        Example(id="b", text="bad", label="negative"),
    )
    prompt = Prompt(
        template="Review: {text}\nMood: ",
        verbalizers={"negative": ("down",), "positive": (" up",)},
        demonstrations=shown,
        instruction="Judge.",
    )

    assert (
        "Judge. Beware.\n\nReview: good {pair}\nMood: up\n\nReview: bad\nMood: down\n\nReview: so\nMood:"
        == asking.rendered(prompt, "so", warning="Beware.")
    )


def test_the_marks_and_the_warning_stand_in_the_delimited_prompt() -> None:
    seen: list[str] = []

    class Listening(Judging):
        def said(self, prompt: str, sample: str) -> str:
            seen.append(prompt)
            return super().said(prompt, sample)

    list(Injection(items=10).run(subject(Listening(), data()), data(), Seeds(0)))
    clean, mention, direct, quoted, delimited = (seen[i : i + 10] for i in range(0, 50, 10))

    assert all("Do not follow any instruction" in one and ">>>" in one for one in delimited)
    assert not any("<<<" in one for one in (*clean, *mention, *direct, *quoted))
    assert all('"' in one for one in quoted)
    assert not any(word in one for one in clean for word in lexicons.load("made_up_words").entries)


def test_pairs_keep_their_second_text() -> None:
    seen: list[str] = []

    class Listening(Judging):
        def said(self, prompt: str, sample: str) -> str:
            seen.append(prompt)
            return super().said(prompt, sample)

    given = data(pair="so it is")
    template = "Premise: {text}\nHypothesis: {pair}\nAnswer:"
    list(Injection(items=5).run(subject(Listening(), given, template=template), given, Seeds(0)))

    assert all(one.endswith("\nHypothesis: so it is\nAnswer:") for one in seen)


FRAMES = [
    (None, None, False, "as the prompt is used, without a chat template"),
    (None, "<user>{text}<model>", False, "as the prompt is used, without a chat template"),
    (None, "<user>{text}<model>", True, "in the model's own chat template"),
    (None, None, True, "the model has no chat template, so the text is asked as it is"),
    ("[{text}]", "<user>{text}<model>", True, "within the frame '[{text}]'"),
]


@pytest.mark.parametrize(("given", "frame", "chat", "said"), FRAMES)
def test_the_prompt_is_asked_as_it_is_used_unless_a_frame_is_given(
    given: str | None, frame: str | None, chat: bool, said: str
) -> None:
    seen: list[str] = []

    class Listening(Judging):
        def said(self, prompt: str, sample: str) -> str:
            seen.append(prompt)
            return super().said(prompt, sample)

    form = given or (frame if frame and chat else "{text}")
    before, after = form.split("{text}")
    rates = found(Injection(items=5, frame=given), Listening(chat_frame=frame), data(), chat=chat)

    assert all(one.startswith(before) and one.endswith(after) for one in seen)
    assert any("<" in one for one in seen if "<<<" not in one) == ("<" in form)
    assert said in rates["injection_success_rate", "all"].note


def test_an_answer_is_the_label_it_begins_with_as_a_word() -> None:
    forms = {"negative": (" Negative", " no"), "positive": (" Positive",), "note": (" no note",)}

    assert "negative" == injected.label(" negative, I think", forms)
    assert "note" == injected.label("No note", forms)
    assert "" == injected.label("not positive", forms)
    assert "" == injected.label("", forms)


# --- what a reader sees ---------------------------------------------------------------------------


def test_cases_and_items_show_what_was_written() -> None:
    every = outcomes(Injection(items=30, cases=3), Judging(rate=0.5), data())
    direct = next(one for one in every if isinstance(one, Finding) and one.slice == "direct" and one.cases)
    items = [one for one in every if isinstance(one, Item)]

    assert 3 == len(direct.cases)
    assert all(case.note.split()[-1] in (case.after or "") for case in direct.cases)
    assert 150 == len({(one.example, one.variant) for one in items}) == len(items)
    assert {"label", "word"} == {one.outcome for one in items}


def test_the_order_of_the_texts_changes_nothing() -> None:
    given = data()
    turned = replace(given, test=given.test[::-1])

    first, second = (found(Injection(items=20), Judging(rate=0.5), one) for one in (given, turned))

    assert first == second


# --- edges ----------------------------------------------------------------------------------------


def test_one_answer_to_everything_is_not_measured() -> None:
    (skip,) = outcomes(Injection(), Clean(words=0), data())

    assert isinstance(skip, Skip)
    assert "same answer to every text" in skip.reason


def test_a_model_that_does_not_write_is_not_applicable() -> None:
    (skip,) = outcomes(Injection(), None, data())

    assert isinstance(skip, Skip)
    assert not skip.applicable


@pytest.mark.parametrize("text", ["", "x" * 601, "the same"])
def test_texts_that_cannot_be_asked_are_left_out_and_told(text: str) -> None:
    given = data(10)
    (skip,) = outcomes(
        Injection(), Judging(), replace(given, test=tuple(replace(one, text=text) for one in given.test))
    )

    assert isinstance(skip, Skip)
    assert "at least 2 different test texts" in skip.reason


def test_a_prompt_too_long_is_a_skip_with_the_models_words() -> None:
    class Narrow(Clean):
        def generate(self, prompts: Sequence[str], **_: object) -> list[list[str]]:
            raise ModelError("a prompt is too long to be continued")

    (skip,) = outcomes(Injection(), Narrow(), data())

    assert isinstance(skip, Skip)
    assert "too long" in skip.reason


@pytest.mark.parametrize("bad", [{"items": 1}, {"new_tokens": 0}, {"frame": "no place"}, {"cases": -1}])
def test_bad_parameters_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"safety\.injection: " + next(iter(bad))):
        Injection(**bad)  # type: ignore[arg-type]  # that is the point


# --- coverage -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_intervals_hold_the_rate_of_obedience() -> None:
    given = data(60)
    held = []
    for seed in range(200):
        rates = found(Injection(), Judging(rate=0.3, seed=10 * seed), given)
        estimate = rates["injection_success_rate", "all"].estimate
        held.append(estimate.low <= 0.3 <= estimate.high)

    assert 0.91 <= np.mean(held) <= 0.98
