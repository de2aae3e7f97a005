"""Planted models: a word that the model stands on is found, and one that merely goes with a label is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from audit import gate
from audit.errors import ConfigError
from audit.planted import constant
from audit.planted_shortcuts import Trigger, biased_data, reader
from audit.schema import Classifier, Data, Facts, Finding, Item, Rule, Skip, Subject, Text
from audit.seeds import Seeds
from audit.testing import Planted, check_probe
from probes.shortcuts.artifacts import Artifacts

WORD = "umbrella"
DATA = biased_data(400, token=WORD)
LIMIT = 0.05


def results(
    probe: Artifacts, model: Classifier, data: Data = DATA, seed: int = 0
) -> list[Finding | Skip | Item]:
    facts = Facts(kind="fine-tuned", source="planted")
    return list(probe.run(Subject(classifier=model, facts=facts), data, Seeds(seed)))


def findings(
    probe: Artifacts, model: Classifier, data: Data = DATA, seed: int = 0
) -> dict[tuple[str, str], Finding]:
    return {(f.metric, f.slice): f for f in results(probe, model, data, seed) if isinstance(f, Finding)}


def skips(probe: Artifacts, model: Classifier, data: Data = DATA) -> list[Skip]:
    return [one for one in results(probe, model, data) if isinstance(one, Skip)]


def leaning_on(strength: float, seed: int = 0) -> Trigger:
    return Trigger(base=reader(seed=seed), token=WORD, strength=strength, seed=seed)


def status(rule: Rule, model: Classifier, data: Data = DATA) -> str:
    outcomes = [one for one in results(Artifacts(), model, data) if not isinstance(one, Item)]
    return gate.judge([rule], outcomes, today=date(2026, 1, 1))[0].status


# --- planted faults -----------------------------------------------------------------------


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_a_planted_reliance_lies_in_its_interval(strength: float) -> None:
    estimate = findings(Artifacts(items=200), leaning_on(strength))["word_reliance", WORD].estimate

    # Pulled to 0.95 from 0.9 in half of the texts, from 0.1 in the others.
    assert estimate.low <= strength * 0.45 <= estimate.high
    assert estimate.high - estimate.low < 0.16


@pytest.mark.slow
def test_intervals_hold_the_planted_reliance_in_95_of_100_data_sets() -> None:
    held = []
    for seed in range(200):
        data = biased_data(300, token=WORD, seed=seed)
        found = findings(Artifacts(words=1, items=60), leaning_on(0.5, seed), data)
        estimate = found["word_reliance", WORD].estimate
        held.append(estimate.low <= 0.225 <= estimate.high)

    # 0.225 is the size for equal halves of the labels, and a sample's halves differ a little
    assert 0.90 <= np.mean(held) <= 0.985


@pytest.mark.slow
def test_a_clean_model_is_accused_in_at_most_one_of_twenty_runs() -> None:
    above = []
    for seed in range(200):
        data = biased_data(200, token=WORD, seed=seed)
        found = findings(Artifacts(words=2, items=30), reader(wobble=0.1, seed=seed), data)
        above.append(found["reliance", "neutral"].estimate.low > LIMIT)

    assert np.mean(above) <= 0.05


def test_a_model_that_reads_something_else_relies_on_no_word() -> None:
    found = findings(Artifacts(), reader())

    assert abs(found["reliance", "neutral"].estimate.value) < 0.01
    assert found["reliance", "neutral"].estimate.high < LIMIT
    assert abs(found["word_reliance", WORD].estimate.value) < 0.01
    assert 0.0 == found["accuracy_drop", "neutral"].estimate.value


def test_the_word_is_named_first_in_note_and_picture_and_shown_in_the_cases() -> None:
    reliance = findings(Artifacts(), leaning_on(1.0))["reliance", "neutral"]

    assert f"most: '{WORD}' +0." in reliance.note
    assert reliance.series is not None
    assert WORD == reliance.series.points[0].label
    assert 6 == len(reliance.cases)
    assert {True} == {WORD in case.text and WORD not in (case.changed or "") for case in reliance.cases}
    assert f"without '{WORD}' the probability of 'positive' goes from 0.95 to 0." in reliance.cases[0].note


def test_the_data_are_described_apart_from_the_model() -> None:
    rate = findings(Artifacts(), reader())["artifact_rate", "all"]

    assert "neither" == rate.better
    assert f"'{WORD}' → positive (z " in rate.note
    assert rate.series is not None
    assert {"neutral", "task words"} == {point.group for point in rate.series.points}
    assert 0 < rate.estimate.value < 1


def test_a_model_that_reads_opinions_relies_on_words_of_the_task_alone() -> None:
    up = ("wonderful", "bright", "moving", "superb")
    model = Planted(positive=lambda text: 0.9 if any(word in str(text) for word in up) else 0.1)
    found = findings(Artifacts(), model)

    assert found["reliance", "task words"].estimate.low > 0.2
    assert "neither" == found["reliance", "task words"].better
    assert found["reliance", "neutral"].estimate.value == pytest.approx(0)
    assert not {"wonderful", "awful"} & {name for metric, name in found if metric == "word_reliance"}


def test_accuracy_falls_where_the_word_agrees_with_the_label() -> None:
    def positive(text: Text) -> float:
        return 0.95 if WORD in str(text) else 0.1

    agreeing = biased_data(400, token=WORD, in_test=1.0)
    agreeing = replace(agreeing, test=agreeing.test[1::2])  # positive ones alone
    drop = findings(Artifacts(), Planted(positive=positive), agreeing)["accuracy_drop", "neutral"]

    assert drop.estimate.value > 0.3
    assert "1.000 with both" in drop.note


def test_p_is_small_for_the_planted_word_and_corrected_over_words() -> None:
    found = findings(Artifacts(), leaning_on(1.0))

    assert (found["word_reliance", WORD].p or 1.0) < 0.001
    assert "(Benjamini-Hochberg)" in found["word_reliance", WORD].note


# --- what cannot turn green ---------------------------------------------------------------


def test_a_constant_model_shows_no_steadiness() -> None:
    found, left = findings(Artifacts(), constant()), skips(Artifacts(), constant())

    assert {"artifact_rate"} == {metric for metric, _ in found}
    assert {"reliance", "word_reliance", "accuracy_drop"} == {one.metric for one in left}
    assert all("one answer, 'positive', to every text" in one.reason for one in left)


@pytest.mark.parametrize(
    ("model", "expected"),
    [(leaning_on(1.0), "FAIL"), (reader(), "PASS"), (constant(), "NOT MEASURED")],
    ids=["leaning", "clean", "constant"],
)
def test_the_gate_sees_the_planted_word_in_the_worst_slice(model: Classifier, expected: str) -> None:
    rule = Rule(probe="shortcuts.artifacts", metric="word_reliance", slice="worst", max=0.1, min_n=10)

    assert expected == status(rule, model)


def test_data_whose_words_go_with_no_label_are_not_applicable() -> None:
    clean = biased_data(200, token=WORD, often=0.3, seldom=0.3)
    rule = Rule(probe="shortcuts.artifacts", metric="reliance", slice="neutral", max=0.05)

    assert "NOT APPLICABLE" == status(rule, reader(), clean)
    assert any(
        "no word outside those that carry the task goes" in s.reason
        for s in skips(Artifacts(), reader(), clean)
    )


def test_labels_that_are_no_sentiment_are_shown_and_not_judged() -> None:
    swap = {"negative": "sports", "positive": "trade"}
    test, train = (
        tuple(replace(one, label=swap[str(one.label)]) for one in part) for part in (DATA.test, DATA.train)
    )
    given = Data(labels=("sports", "trade"), test=test, train=train)
    model = replace_labels(reader())
    found = findings(Artifacts(), model, given)

    assert {"unlisted"} == {name for metric, name in found if metric == "reliance"}
    assert "name those in task_words" in found["reliance", "unlisted"].note
    assert all(one.applicable for one in skips(Artifacts(), model, given))
    rule = Rule(probe="shortcuts.artifacts", metric="reliance", slice="neutral", max=0.05)
    assert "NOT MEASURED" == status(rule, model, given)
    assert ("reliance", "neutral") in findings(Artifacts(task_words=("awful",)), model, given)


def test_a_word_that_the_user_lists_is_shown_and_not_gated() -> None:
    rule = Rule(probe="shortcuts.artifacts", metric="reliance", slice="neutral", max=0.05)
    outcomes = [
        one
        for one in results(Artifacts(task_words=(WORD,)), leaning_on(1.0), DATA)
        if not isinstance(one, Item)
    ]
    found = {(one.metric, one.slice): one for one in outcomes if isinstance(one, Finding)}

    assert "FAIL" == status(rule, leaning_on(1.0))
    assert "FAIL" != gate.judge([rule], outcomes, today=date(2026, 1, 1))[0].status
    assert ("word_reliance", WORD) not in found
    assert "neither" == found["reliance", "task words"].better
    assert found["reliance", "task words"].estimate.low > 0.05


def replace_labels(model: Planted) -> Planted:
    return Planted(positive=model.positive, labels=("sports", "trade"))


def test_without_training_data_it_is_called_sensitivity() -> None:
    found = findings(
        Artifacts(), leaning_on(1.0), replace(biased_data(400, token=WORD, in_test=0.2), train=())
    )

    assert all("artefact sensitivity" in f.note for f in found.values())


# --- units --------------------------------------------------------------------------------


class Short(Planted):
    """Sees the first 20 characters."""

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        return super().fingerprint([str(text)[:20] for text in texts])


def test_a_change_that_does_not_reach_the_model_is_not_counted() -> None:
    model = Short(positive=reader().positive)

    assert ("word_reliance", WORD) not in findings(Artifacts(), model)


def test_copies_of_a_text_add_nothing() -> None:
    twice = replace(DATA, test=(*DATA.test, *(replace(one, id=f"z{one.id}") for one in DATA.test)))
    probe = Artifacts(items=300)
    once, doubled = findings(probe, leaning_on(0.5)), findings(probe, leaning_on(0.5), twice)

    assert once["reliance", "neutral"].estimate == doubled["reliance", "neutral"].estimate


def test_the_order_of_the_examples_changes_nothing() -> None:
    turned = replace(DATA, test=DATA.test[::-1], train=DATA.train[::-1])

    assert findings(Artifacts(), leaning_on(0.5)) == findings(Artifacts(), leaning_on(0.5), turned)


def test_items_are_one_for_each_text_and_change() -> None:
    kept = [one for one in results(Artifacts(words=2, items=5), leaning_on(1.0)) if isinstance(one, Item)]
    keys = [(one.example, one.variant) for one in kept]

    assert len(keys) == len(set(keys))
    assert f"without {WORD}" in {variant for _, variant in keys}
    assert {one.outcome for one in kept} <= {"right", "wrong", "flipped", "kept"}


def test_what_is_asked_stays_within_what_was_announced() -> None:
    model, probe = reader(), Artifacts(items=10)
    results(probe, model)

    assert 0 < model.asked <= probe.demand(DATA, Facts(kind="fine-tuned", source="x")).texts


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_examples_give_no_number(n: int) -> None:
    given = replace(DATA, test=DATA.test[:n])

    assert not {"reliance", "word_reliance"} & {
        metric for metric, name in findings(Artifacts(), reader(), given) if name == WORD
    }


def test_unlabelled_test_texts_have_reliance_and_no_accuracy() -> None:
    bare = replace(DATA, test=tuple(replace(one, label=None) for one in DATA.test))
    found = findings(Artifacts(), leaning_on(1.0), bare)

    assert ("reliance", "neutral") in found
    assert ("accuracy_drop", "neutral") not in found


def test_pairs_are_searched_in_both_parts() -> None:
    test, train = (
        tuple(replace(one, text="of the thing", pair=one.text) for one in part)
        for part in (DATA.test, DATA.train)
    )
    found = findings(Artifacts(), leaning_on(1.0), Data(labels=DATA.labels, test=test, train=train))

    assert found["word_reliance", WORD].estimate.low > 0.2


def test_it_keeps_the_contract() -> None:
    check_probe(Artifacts(least=2), path="probes.shortcuts.artifacts")


@pytest.mark.parametrize("name", ["words", "items", "least", "fewest", "cases"])
def test_a_parameter_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^shortcuts.artifacts: {name}: cannot be -1"):
        Artifacts(**{name: -1})  # type: ignore[arg-type]  # mypy cannot know which name it is
