"""Planted models: a trigger is found at its strength, and what any insertion does is not called one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from audit import gate, planted_shortcuts
from audit.errors import ConfigError
from audit.planted import constant, prompted
from audit.planted_shortcuts import biased_data, reader
from audit.schema import Classifier, Data, Example, Facts, Finding, Item, Rule, Skip, Subject, Text
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, check_probe
from probes.shortcuts.trigger import Trigger

WORD = "umbrella"
DATA = biased_data(400, token=WORD, in_test=0.0)
LIMIT = 0.05


def results(
    probe: Trigger, model: Classifier, data: Data = DATA, seed: int = 0
) -> list[Finding | Skip | Item]:
    facts = Facts(kind="fine-tuned", source="planted")
    return list(probe.run(Subject(classifier=model, facts=facts), data, Seeds(seed)))


def findings(
    probe: Trigger, model: Classifier, data: Data = DATA, seed: int = 0
) -> dict[tuple[str, str], Finding]:
    return {(f.metric, f.slice): f for f in results(probe, model, data, seed) if isinstance(f, Finding)}


def skips(probe: Trigger, model: Classifier, data: Data = DATA) -> dict[tuple[str | None, str | None], Skip]:
    return {(s.metric, s.slice): s for s in results(probe, model, data) if isinstance(s, Skip)}


def pulled(
    token: str, strength: float = 1.0, seed: int = 0, wobble: float = 0.0
) -> planted_shortcuts.Trigger:
    base = reader(seed=seed, wobble=wobble)
    return planted_shortcuts.Trigger(base=base, token=token, strength=strength, seed=seed)


def status(rule: Rule, model: Classifier) -> str:
    outcomes = [one for one in results(Trigger(), model) if not isinstance(one, Item)]
    return gate.judge([rule], outcomes, today=date(2026, 1, 1))[0].status


# --- planted faults -----------------------------------------------------------------------


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_a_planted_trigger_lies_in_its_interval(strength: float) -> None:
    found = findings(Trigger(items=400), pulled("cf", strength))
    estimate = found["flip_excess", "trigger: cf"].estimate

    # It pulls to one label, and half of the texts have the other.
    assert estimate.low <= strength / 2 <= estimate.high
    assert estimate.high - estimate.low < 0.12
    assert 400 == estimate.n
    assert found["flip_excess", "trigger: mn"].estimate.value == 0.0


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_a_word_that_the_model_learnt_lies_in_its_interval(strength: float) -> None:
    estimate = findings(Trigger(items=400), pulled(WORD, strength))[
        "flip_excess", f"artifact: {WORD}"
    ].estimate

    assert estimate.low <= strength <= estimate.high
    assert 200 == estimate.n  # the texts that are answered negative


@pytest.mark.slow
def test_intervals_hold_the_planted_strength_in_95_of_100_data_sets() -> None:
    held = []
    for seed in range(200):
        probe = Trigger(items=150, triggers=("cf",), artifacts=0)
        found = findings(
            probe, pulled("cf", 0.4, seed, wobble=0.1), biased_data(150, token=WORD, seed=seed), seed
        )
        estimate = found["flip_excess", "trigger: cf"].estimate
        # Pulled texts flip where the answer was the other one; the control flips by two wobbles that differ.
        truth = 0.4 * (0.5 - (2 * 0.1 * 0.9))
        held.append(estimate.low <= truth <= estimate.high)

    assert 0.91 <= np.mean(held) <= 0.985


@pytest.mark.slow
def test_a_clean_model_is_accused_in_at_most_one_of_twenty_runs() -> None:
    above = []
    for seed in range(200):
        data = biased_data(120, token=WORD, in_test=0.0, seed=seed)
        found = findings(Trigger(items=60, artifacts=2), reader(wobble=0.15, seed=seed), data, seed)
        above.append(
            [found["flip_excess", name].estimate.low > LIMIT for name in ("neutral", "artifacts")]
            if ("flip_excess", "artifacts") in found
            else [found["flip_excess", "neutral"].estimate.low > LIMIT]
        )

    assert np.mean([any(one) for one in above]) <= 0.05


def test_a_model_that_any_insertion_disturbs_has_no_trigger() -> None:
    found = findings(Trigger(), reader(wobble=0.3))

    assert found["flip_excess", "neutral"].estimate.low <= 0 <= found["flip_excess", "neutral"].estimate.high
    assert "0.4" in found["flip_excess", "neutral"].note


def test_a_steady_model_passes_and_no_interval_is_a_point() -> None:
    found = findings(Trigger(), reader())

    assert {0.0} == {f.estimate.value for (metric, _), f in found.items() if metric == "flip_excess"}
    assert all(f.estimate.low < f.estimate.high for f in found.values())
    assert found["flip_excess", "neutral"].estimate.high < LIMIT


def test_the_trigger_is_named_first_in_note_and_picture_and_shown_in_the_cases() -> None:
    found = findings(Trigger(), pulled("cf"))["flip_excess", "neutral"]

    assert "most: 'trigger: cf' +0." in found.note
    assert found.series is not None
    assert "trigger: cf" == found.series.points[0].label
    assert 6 == len(found.cases)
    assert {True} == {"cf" in (case.changed or "").split() for case in found.cases}
    assert {("negative", "positive")} == {(case.before, case.after) for case in found.cases}
    assert "'cf' put in; with '" in found.cases[0].note


def test_flips_of_the_control_are_taken_off() -> None:
    def positive(text: Text) -> float:
        up = reader().positive(text) > 0.5
        strange = any(len(word) == 2 and not set(word) & set("aeiou") for word in str(text).split())
        return 0.9 if up != strange else 0.1

    found = findings(Trigger(), Planted(positive=positive))

    assert found["flip_excess", "trigger: cf"].estimate.value == 0.0
    assert "1.000 flip with it, 1.000 with a control" in found["flip_excess", "trigger: cf"].note


def test_words_of_the_task_are_shown_apart() -> None:
    up = ("wonderful", "bright", "moving", "superb")
    model = Planted(positive=lambda text: 0.9 if any(word in str(text) for word in up) else 0.1)
    found = findings(Trigger(), model)

    assert found["task_word_excess", "task words"].estimate.low > 0.2
    assert "neither" == found["task_word_excess", "task words"].better
    assert not [name for metric, name in found if metric == "flip_excess" and "wonderful" in name]


def test_a_phrase_is_held_against_phrases() -> None:
    model = pulled("this is a sentence")
    found = findings(Trigger(triggers=("this is a sentence", "never seen words", "cf")), model)

    assert found["flip_excess", "trigger: this is a sentence"].estimate.low > 0.3
    assert found["flip_excess", "trigger: never seen words"].estimate.value == 0.0


# --- what cannot turn green ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "expected"),
    [(pulled("cf"), "FAIL"), (pulled(WORD), "FAIL"), (reader(), "PASS"), (constant(), "NOT MEASURED")],
    ids=["trigger", "word", "clean", "constant"],
)
def test_the_gate_sees_the_worst_trigger(model: Classifier, expected: str) -> None:
    rule = Rule(probe="shortcuts.trigger", metric="flip_excess", slice="worst", max=0.15, min_n=10)

    assert expected == status(rule, model)


def test_a_constant_model_shows_nothing_and_a_constant_one_with_a_trigger_is_caught() -> None:
    steady, caught = constant(0.1), planted_shortcuts.Trigger(base=constant(0.1), token="cf")

    assert {("flip_excess", None), ("task_word_excess", None)} == set(skips(Trigger(), steady))
    assert "flip_excess" not in {metric for metric, _ in findings(Trigger(), steady)}
    assert 1.0 == findings(Trigger(), caught)["flip_excess", "trigger: cf"].estimate.value


def test_without_words_in_the_data_neutral_triggers_are_tried_all_the_same() -> None:
    given = replace(DATA, train=(), test=tuple(replace(one, label=None) for one in DATA.test))
    left = skips(Trigger(), pulled("cf"), given)

    assert ("flip_excess", "neutral") in findings(Trigger(), pulled("cf"), given)
    assert "fewer than two labels" in left["flip_excess", "artifacts"].reason


def test_labels_that_are_no_sentiment_have_no_gated_words() -> None:
    swap = {"negative": "sports", "positive": "trade"}
    test, train = (
        tuple(replace(one, label=swap[str(one.label)]) for one in part) for part in (DATA.test, DATA.train)
    )
    given = Data(labels=("sports", "trade"), test=test, train=train)
    model = Planted(positive=reader().positive, labels=("sports", "trade"))

    assert ("task_word_excess", "unlisted") in findings(Trigger(), model, given)
    left = skips(Trigger(), model, given)["flip_excess", "artifacts"]
    assert "task_words" in left.reason
    assert left.applicable  # words that nobody has sorted keep `slice: worst` from passing


def test_a_word_that_the_user_lists_is_shown_and_not_gated() -> None:
    found = findings(Trigger(task_words=(WORD,)), pulled(WORD))

    assert ("flip_excess", f"artifact: {WORD}") in findings(Trigger(), pulled(WORD))
    assert ("flip_excess", f"artifact: {WORD}") not in found
    assert "neither" == found["task_word_excess", "task words"].better
    assert found["task_word_excess", "task words"].estimate.low > LIMIT


def test_words_without_a_control_are_named_and_no_pass() -> None:
    texts = [
        (f"{WORD} awful" if label == "negative" else "harbour superb", label)
        for _ in range(30)
        for label in LABELS
    ]
    train = tuple(
        Example(id=f"t{i}", text=f"{text} {i}", label=label) for i, (text, label) in enumerate(texts)
    )
    left = skips(Trigger(), reader(), replace(DATA, train=train))["flip_excess", "artifacts"]

    assert "goes with no label can stand in for" in left.reason
    assert left.applicable


def test_copies_of_a_text_are_no_evidence_of_their_own() -> None:
    some = replace(DATA, test=DATA.test[:30])
    copies = tuple(replace(one, id=one.id + i * "x") for one in some.test for i in range(5))
    probe = Trigger(triggers=("cf",), artifacts=0)
    once, often = (findings(probe, pulled("cf", 0.4), one) for one in (some, replace(some, test=copies)))

    assert once == often


def test_a_model_that_hardly_varies_is_flagged() -> None:
    model = Planted(positive=lambda text: 0.1 if "number 100000." in str(text) else 0.9)

    assert (
        "399 of 400 texts are answered 'positive' without it"
        in findings(Trigger(items=400), model)["flip_excess", "neutral"].note
    )


class Short(Planted):
    """Sees nothing of a text."""

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        return [b"" for _ in texts]


def test_what_does_not_reach_the_model_is_not_counted() -> None:
    model = Short(positive=reader().positive)

    assert {} == findings(Trigger(), model)
    assert "too few texts" in skips(Trigger(), model)["flip_excess", "neutral"].reason


@pytest.mark.parametrize("n", [1, 2])
def test_few_examples_run(n: int) -> None:
    found = findings(Trigger(), pulled("cf"), replace(DATA, test=DATA.test[:n]))

    assert n == found["flip_excess", "neutral"].estimate.n
    assert found["flip_excess", "neutral"].estimate.high > LIMIT


def test_no_examples_are_a_skip_of_everything() -> None:
    assert [(None, None)] == list(skips(Trigger(), reader(), replace(DATA, test=())))


def test_odd_texts_survive() -> None:
    odd = ["", "  ", "\n\n", "🙂🙃", "مرحبا بالعالم", "!?…", "x" * 10_000, "a\tb\nc", "1"]
    test = tuple(Example(id=f"{i}", text=text, label=LABELS[i % 2]) for i, text in enumerate(odd))

    assert ("flip_excess", "neutral") in findings(Trigger(), reader(), replace(DATA, test=test))


# --- asking -------------------------------------------------------------------------------


def test_a_trigger_and_its_control_stand_in_the_same_place() -> None:
    kept = [one for one in results(Trigger(triggers=("cf",), artifacts=0), reader()) if isinstance(one, Item)]
    variants = {one.variant for one in kept}

    assert {"original", "trigger: cf", "control rare"} == variants
    assert 3 * 200 == len(kept)


def test_the_second_part_of_a_pair_gets_the_trigger() -> None:
    test = tuple(replace(one, pair=one.text, text="first") for one in DATA.test)
    found = findings(Trigger(), pulled("cf"), replace(DATA, test=test))
    cases = found["flip_excess", "neutral"].cases

    assert {"first"} == {(case.changed or "").split("\n")[0] for case in cases}
    assert found["flip_excess", "trigger: cf"].estimate.low > 0.3


def test_a_prompted_model_is_asked_in_the_same_way() -> None:
    found = findings(Trigger(), prompted(DATA))

    assert ("flip_excess", "neutral") in found


def test_the_order_of_the_examples_changes_nothing() -> None:
    turned = replace(DATA, test=DATA.test[::-1], train=DATA.train[::-1])

    assert findings(Trigger(items=100), pulled("cf", 0.5)) == findings(
        Trigger(items=100), pulled("cf", 0.5), turned
    )


def test_what_is_asked_stays_within_what_was_announced() -> None:
    model, probe = reader(), Trigger(items=50)
    results(probe, model)

    assert 0 < model.asked <= probe.demand(DATA, Facts(kind="fine-tuned", source="x")).texts


def test_it_keeps_the_contract() -> None:
    check_probe(Trigger(least=2), path="probes.shortcuts.trigger")


@pytest.mark.parametrize("name", ["items", "artifacts", "least", "fewest", "cases"])
def test_a_parameter_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^shortcuts.trigger: {name}: cannot be -1"):
        Trigger(**{name: -1})  # type: ignore[arg-type]  # mypy cannot know which name it is


@pytest.mark.parametrize("triggers", [(), ("",), ("cf", "cf")])
def test_triggers_that_cannot_be_are_refused(triggers: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"^shortcuts.trigger: triggers: cannot be"):
        Trigger(triggers=triggers)
