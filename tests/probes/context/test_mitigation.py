"""Planted biases: mended where a method can, hurt where its inputs are not free of a label, and said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np
import pytest

from audit import correction
from audit.errors import ConfigError, ModelError
from audit.schema import Data, Example, Finding, Item, Scores, Skip, Text
from audit.seeds import Seeds
from audit.testing import (
    LABELS,
    Leaning,
    PlantedPrompted,
    check_probe,
    constant,
    findings,
    leaning,
    prompted,
    subject,
)
from probes.calibration import ece
from probes.context.comparison import CHOICES, METRICS
from probes.context.mending import METHODS
from probes.context.mitigation import Mitigation
from probes.context.position import Position

THREE = ("angry", "bored", "calm")
SMALL = Mitigation(orders=2, items=20, own_items=20, domain_strings=3, fit_items=10, own_fit_items=20, keep=1)
DIVIDING = ("contextual", "domain-context", "pmi")
BOTH = [(method, part) for method in DIVIDING for part in ("recipe", "prompt")]

Key = tuple[str | None, str | None]


def data(
    n: int = 400, labels: tuple[str, ...] = LABELS, *, pair: str | None = None, train: int | None = None
) -> Data:
    """Texts with their numbers, labels in turn; training and test texts differ."""
    test, shown = (
        tuple(
            Example(id=f"{part}{i}", text=f"{part} {i}", pair=pair, label=labels[i % len(labels)])
            for i in range(count)
        )
        for part, count in (("test", n), ("train", n if train is None else train))
    )
    return Data(labels=labels, test=test, train=shown)


def leans(given: Data, shots: int = 4) -> Leaning:
    """A model without a flaw to which training texts say as much as test texts."""
    model = leaning(given, shots)
    return replace(model, truth={one.input: str(one.label) for one in (*given.test, *given.train)})


def skipped(probe: Mitigation, model: Leaning | PlantedPrompted, given: Data) -> dict[Key, Skip]:
    results = probe.run(subject(model), given, Seeds(0))
    return {(one.metric, one.slice): one for one in results if isinstance(one, Skip)}


def accuracy_of(bias: float, *, evidence: float = 2.0, deviation: float = 2**0.5) -> float:
    """Return the accuracy on balanced items whose log-odds are ±evidence, plus bias and normal noise."""
    cdf = NormalDist().cdf
    return (cdf((evidence + bias) / deviation) + cdf((evidence - bias) / deviation)) / 2


def test_the_contract_holds() -> None:
    check_probe(Mitigation(), path="probes.context.mitigation")


# --- planted faults -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def biased() -> dict[tuple[str, str], Finding]:
    """Of a model to which the second label has 2.5 in log-odds before any text."""
    given = data()
    return findings(Mitigation(), replace(leans(given), words={" positive": 2.5}, seed=1), given)


@pytest.mark.parametrize(("method", "part"), BOTH)
def test_a_planted_prior_is_taken_away_by_the_known_amount(
    method: str, part: str, biased: dict[tuple[str, str], Finding]
) -> None:
    truth = accuracy_of(0.0) - accuracy_of(2.5)  # 0.241
    gain, accuracy = (biased[metric, f"{part}.{method}"] for metric in ("accuracy_gain", "accuracy"))

    assert 0 < gain.estimate.low <= truth <= gain.estimate.high
    assert accuracy.estimate.low <= accuracy_of(0.0) <= accuracy.estimate.high
    assert gain.note.startswith("helps: accuracy 0.")
    assert "higher" == gain.better
    assert "points of share" == gain.unit


def test_the_raw_model_stands_beside_with_its_known_accuracy(
    biased: dict[tuple[str, str], Finding],
) -> None:
    for part, n in (("recipe", 5), ("prompt", 200)):
        estimate = biased["accuracy", f"{part}.raw"].estimate
        assert estimate.low <= accuracy_of(2.5) <= estimate.high
        assert n == estimate.n


def error_of(bias: float, items: int = 400_000) -> float:
    """Return the calibration error of the model on balanced items, by a large sample."""
    rng = np.random.default_rng(0)
    truth = rng.random(items) < 0.5
    odds = np.where(truth, 2.0, -2.0) + bias + 2**0.5 * rng.normal(size=items)
    correct = ((odds > 0) == truth).astype(np.float64)
    return ece.bin_up(1 / (1 + np.exp(-np.abs(odds))), correct, ece.width_edges(10)).measure(ece.ece)


@pytest.mark.parametrize(("method", "part"), BOTH)
def test_a_known_change_of_the_calibration_error_lies_in_its_interval(
    method: str, part: str, biased: dict[tuple[str, str], Finding]
) -> None:
    truth = error_of(0.0) - error_of(2.5)
    change = biased["ece_change", f"{part}.{method}"]

    assert truth < -0.09
    assert change.estimate.low <= truth <= change.estimate.high
    assert change.estimate.value < -0.05
    assert "lower" == change.better
    assert "10 bins of equal width" in change.note


def test_two_hundred_items_tell_that_the_calibration_error_fell(
    biased: dict[tuple[str, str], Finding],
) -> None:
    assert biased["ece_change", "prompt.contextual"].estimate.high < 0


def test_unlabelled_texts_take_a_part_of_the_prior_away(biased: dict[tuple[str, str], Finding]) -> None:
    for part in ("recipe", "prompt"):
        for method in ("batch", "prototypical"):
            assert biased["accuracy_gain", f"{part}.{method}"].estimate.low > 0


@pytest.mark.parametrize(("method", "part"), BOTH)
def test_inputs_that_are_not_free_of_a_label_hurt_and_the_note_says_so(method: str, part: str) -> None:
    given = data()
    model = replace(leans(given), blank={"positive": 2.5}, seed=1)

    gain = findings(replace(SMALL, items=60, own_items=200), model, given)[
        "accuracy_gain", f"{part}.{method}"
    ]

    assert gain.estimate.low <= accuracy_of(2.5) - accuracy_of(0.0) <= gain.estimate.high < 0
    assert gain.note.startswith("hurts here: accuracy 0.9")


def test_a_pull_of_the_last_place_is_gone_after_a_division() -> None:
    given = data()

    found = findings(Mitigation(orders=8), replace(leans(given), places=(2.0,), seed=1), given)

    before, after = (found["recency", f"recipe.{name}"].estimate for name in ("raw", "contextual"))
    assert before.low > 0.2
    assert after.low <= 0 <= after.high
    assert abs(after.value) < 0.05
    assert "before: recency@recipe.raw" in found["recency", "recipe.contextual"].note


def test_a_model_without_a_flaw_gains_nothing() -> None:
    given = data()

    found = findings(Mitigation(), replace(leans(given), noise=0.2, seed=1), given)

    gains = {key: one for key, one in found.items() if key[0] == "accuracy_gain"}
    divided = [one for (_, name), one in gains.items() if "prototypical" not in name]
    assert 12 == len(gains)
    assert 10 == len(divided)
    assert all(one.estimate.low <= 0 <= one.estimate.high for one in divided)
    assert all(one.note.startswith("cannot be told") for one in divided)


def test_a_method_that_changes_nothing_is_at_zero_with_a_width() -> None:
    given = data()

    found = findings(SMALL, leans(given), given)

    for part in ("recipe", "prompt"):
        estimate = found["accuracy_gain", f"{part}.contextual"].estimate
        assert 0.0 == estimate.value
        assert estimate.low < 0 < estimate.high


class Ordered(Leaning):
    """Says something of a text only when the last demonstration is positive, else always the first label."""

    def score(self, texts: Sequence[Text]) -> Scores:
        if self.prompt.demonstrations[-1].label == "positive":
            return super().score(texts)
        return replace(self, words={" negative": 9.0}).as_leaning().score(texts)

    def as_leaning(self) -> Leaning:
        return Leaning(prompt=self.prompt, truth=self.truth, words=self.words, counts=self.counts)


def test_orders_that_give_one_answer_are_not_chosen() -> None:
    given = data()
    plain = leans(given)
    model = Ordered(prompt=plain.prompt, truth=plain.truth)
    truth = (accuracy_of(0.0) - 0.5) / 2  # half of the orders answer one label, and none of them is kept

    found = findings(Mitigation(), model, given)

    for name in CHOICES:
        gain, accuracy = (found[metric, f"recipe.{name}"] for metric in ("accuracy_gain", "accuracy"))
        assert 0 < gain.estimate.low <= truth <= gain.estimate.high
        assert accuracy.estimate.low <= accuracy_of(0.0) <= accuracy.estimate.high
        assert "against all orders of each set" in gain.note
        assert gain.note.startswith("helps")


def test_three_labels_are_mended_like_two() -> None:
    given = data(labels=THREE)
    model = replace(leans(given, shots=6), words={" calm": 3.0})

    found = findings(replace(SMALL, own_items=90), model, given)

    assert found["accuracy_gain", "prompt.contextual"].estimate.low > 0.1
    assert found["accuracy_gain", "recipe.contextual"].estimate.low > 0


# --- what is asked --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Noting(Leaning):
    """Notes every question."""

    notes: list[tuple[str, Text]] = field(default_factory=list, compare=False)

    def score(self, texts: Sequence[Text]) -> Scores:
        shown = "/".join(one.id for one in self.prompt.demonstrations)
        self.notes.extend((shown, text) for text in texts)
        return super().score(texts)


def noting(given: Data) -> Noting:
    plain = leans(given)
    return Noting(prompt=plain.prompt, truth=plain.truth, noise=0.5)


def test_what_position_asks_of_the_recipe_is_asked_again_and_nothing_new_of_its_items() -> None:
    given = data()
    first, second = noting(given), noting(given)
    tests = {one.text for one in given.test}

    list(Position(own_orders=2).run(subject(first), given, Seeds(3)))
    list(Mitigation(own_items=60).run(subject(second), given, Seeds(3)))

    turned_back = "/".join(one.id for one in given.train[3::-1])  # the prompt's reverse, which is position's
    asked = {note for note in first.notes if note[0] != turned_back}
    again = {note for note in second.notes if note[1] in tests}
    assert 41 * 60 == len(asked)
    assert asked == again


def test_nothing_is_fitted_on_a_test_text_or_a_demonstration() -> None:
    given = data()
    model = noting(given)

    list(SMALL.run(subject(model), given, Seeds(0)))

    shown = {f"train {name.removeprefix('train')}" for ids, _ in model.notes for name in ids.split("/")}
    tests = {text for _, text in model.notes if text in {one.text for one in given.test}}
    trained = {text for _, text in model.notes if text in {one.text for one in given.train}}
    assert 20 <= len(tests) <= 40
    assert 20 == len(trained)
    assert not trained & shown


@pytest.mark.parametrize("labels", [LABELS, THREE])
@pytest.mark.parametrize("probe", [SMALL, replace(SMALL, orders=3, items=2), replace(SMALL, own_items=2)])
def test_no_more_is_asked_than_announced(labels: tuple[str, ...], probe: Mitigation) -> None:
    given = data(labels=labels)
    model = leans(given, shots=6)

    list(probe.run(subject(model), given, Seeds(0)))

    assert 0 < model.asked <= probe.demand(given, subject(model).facts).texts


def test_the_seed_of_the_run_draws_sets_items_and_inputs() -> None:
    given = data()
    model = replace(leans(given), words={" positive": 1.0}, noise=0.5)

    first, again, other = (findings(SMALL, model, given, seed) for seed in (1, 1, 2))

    assert first == again
    assert first["accuracy", "recipe.batch"] != other["accuracy", "recipe.batch"]


# --- what a reader sees ---------------------------------------------------------------------


def test_every_method_is_measured_beside_the_raw_model(biased: dict[tuple[str, str], Finding]) -> None:
    expected = {
        (metric, f"{part}.{method}")
        for part, methods in METRICS.items()
        for method, metrics in methods.items()
        for metric in metrics
    }

    assert expected == set(biased)


def test_each_correction_is_offered_once_and_does_what_was_measured(
    biased: dict[tuple[str, str], Finding],
) -> None:
    offers = {key: one.correction for key, one in biased.items() if one.correction is not None}

    assert [("accuracy_gain", f"prompt.{method}") for method in METHODS] == list(offers)
    assert list(METHODS) == [one.kind for one in offers.values()]
    assert all(correction.from_json(correction.to_json(one), "") == one for one in offers.values())
    prior = offers["accuracy_gain", "prompt.contextual"].parameters["prior"]
    assert [1 / (1 + np.exp(2.5)), 1 / (1 + np.exp(-2.5))] == pytest.approx(prior)


def test_a_correction_in_force_is_not_asked_and_none_is_offered() -> None:
    given = data()
    plain = subject(replace(leans(given), noise=0.5))
    corrected = replace(plain, facts=replace(plain.facts, correction="contextual"))

    found = [one for one in SMALL.run(corrected, given, Seeds(0)) if isinstance(one, Finding)]

    assert len(found) > 20
    assert all(one.correction is None for one in found)
    assert all("asked without the correction in force (contextual)" in one.note for one in found)


def test_pictures_show_methods_side_by_side_and_shares_before_and_after(
    biased: dict[tuple[str, str], Finding],
) -> None:
    dots = biased["accuracy", "recipe.raw"].series
    bars = biased["accuracy_gain", "recipe.contextual"].series

    assert dots is not None
    assert ["raw", *METHODS, *CHOICES] == [point.label for point in dots.points]
    assert bars is not None
    share = {(point.label, point.group): point.y for point in bars.points}
    assert {"positive, raw", "negative, raw", "positive, contextual", "negative, contextual"} == {
        group for _, group in share
    }
    assert share["NNPP", "positive, raw"] > 0.7
    assert 0.1 > abs(share["NNPP", "positive, contextual"] - 0.5)
    assert "N is 'negative', P is 'positive'" in bars.reading


def test_cases_are_answers_that_were_mended_or_broken(biased: dict[tuple[str, str], Finding]) -> None:
    cases = biased["accuracy_gain", "prompt.contextual"].cases

    assert 5 == len(cases)
    assert all(case.before != case.after for case in cases)
    assert {"mended", "broken"} >= {case.note for case in cases}
    assert all((case.after == case.label) == (case.note == "mended") for case in cases)


def test_items_of_the_prompt_hold_the_answers_before_and_after_each_method() -> None:
    given = data()

    items = [one for one in SMALL.run(subject(leans(given)), given, Seeds(0)) if isinstance(one, Item)]

    variants = {item.variant for item in items}
    assert {"prompt: raw"} <= variants <= {"prompt: raw", *(f"prompt: {method}" for method in METHODS)}
    assert 20 * len(variants) == len(items) == len({(item.example, item.variant) for item in items})


def test_texts_that_were_cut_are_told_and_inputs_do_not_count() -> None:
    class Cutting(PlantedPrompted):
        def score(self, texts: Sequence[Text]) -> Scores:
            return replace(super().score(texts), truncated=np.ones(len(texts), dtype=np.bool_))

    given = data()
    plain = prompted(given)

    found = findings(SMALL, Cutting(prompt=plain.prompt, truth=plain.truth), given)

    assert "200 texts were cut" in found["accuracy", "recipe.raw"].note
    assert "20 texts were cut" in found["accuracy", "prompt.raw"].note


# --- edges ----------------------------------------------------------------------------------


def test_one_answer_to_everything_can_be_mended_and_its_recency_is_not_measured() -> None:
    given = data()
    model = replace(leans(given), words={" positive": 20.0})

    found, lost = findings(SMALL, model, given), skipped(SMALL, model, given)

    assert 0.5 == found["accuracy", "prompt.raw"].estimate.value
    assert found["accuracy_gain", "prompt.contextual"].estimate.low > 0.1
    assert (
        "before it the model gives one answer to everything"
        in found["accuracy_gain", "prompt.contextual"].note
    )
    assert "one answer, 'positive'" in lost["recency", "recipe.raw"].reason
    assert ("recency", "recipe.contextual") in found


def test_answers_that_stay_one_have_no_gain_that_can_be_told_and_no_recency() -> None:
    given = data()
    model = replace(leans(given), words={" positive": 90.0})  # beyond what a prior can hold

    found, lost = findings(SMALL, model, given), skipped(SMALL, model, given)

    gain = found["accuracy_gain", "recipe.contextual"]
    assert 0.0 == gain.estimate.value
    assert gain.note.startswith("cannot be told")
    assert "before and after it the model gives one answer to everything" in gain.note
    assert ("recency", "recipe.contextual") in lost


def test_a_prompt_without_demonstrations_is_mended_too() -> None:
    given = data()
    model = replace(leans(given, shots=0), words={" positive": 2.5}, seed=1)

    found = findings(replace(SMALL, own_items=100), model, given)

    assert found["accuracy_gain", "prompt.contextual"].estimate.low > 0
    assert "0 demonstrations in their order, 100 items" in found["accuracy", "prompt.raw"].note
    assert ("accuracy", "recipe.raw") not in found


def test_pairs_of_texts_are_asked_as_pairs() -> None:
    given = data(pair="therefore")
    model = noting(given)
    model = replace(model, words={" positive": 2.5})

    found = findings(SMALL, model, given)

    assert found["accuracy_gain", "prompt.contextual"].estimate.value > 0
    assert all(isinstance(text, tuple) for _, text in model.notes)
    assert ("[MASK]", "[MASK]") in {text for _, text in model.notes}
    assert "\ntherefore" in found["accuracy_gain", "prompt.contextual"].cases[0].text


def test_too_small_a_pool_skips_the_recipe_and_what_needs_texts_and_no_more() -> None:
    given = data(train=16)
    model = replace(leans(given), noise=0.5)

    found, lost = findings(SMALL, model, given), skipped(SMALL, model, given)

    assert "8 different texts of the label 'negative', enough for 4" in lost["recency", "recipe.raw"].reason
    assert {f"recipe.{name}" for name in METRICS["recipe"]} | {"prompt.batch", "prompt.prototypical"} == {
        name for _, name in lost
    }
    assert "there are 0: give more training data" in lost["accuracy_gain", "prompt.batch"].reason
    assert ("accuracy_gain", "prompt.contextual") in found
    assert all(one.applicable for one in lost.values())


def test_answers_that_form_no_clusters_skip_the_mixture_alone() -> None:
    given = data()

    lost = skipped(SMALL, replace(prompted(given), noise=0.5), given)

    assert {"recipe.prototypical", "prompt.prototypical"} == {name for _, name in lost}
    assert "need 10 distinct answers" in lost["ece_change", "prompt.prototypical"].reason
    assert lost["accuracy", "recipe.prototypical"].reason.startswith("recipe 1: ")


def test_as_many_orders_as_are_kept_are_no_choice() -> None:
    given = data()

    lost = skipped(replace(SMALL, keep=2), leans(given), given)

    assert {("accuracy", f"recipe.{name}") for name in CHOICES} <= set(lost)
    assert "a set has 2 orders and 2 are kept" in lost["accuracy_gain", "recipe.local-entropy"].reason


def test_fewer_than_five_sets_are_not_asked_for() -> None:
    given = data()
    model = leans(given)

    lost = skipped(replace(SMALL, sets=4), model, given)

    assert "set `sets` to 5" in lost["accuracy", "recipe.raw"].reason
    assert 20 + 3 + 3 + 20 == model.asked


def test_sets_that_leave_no_room_are_a_skip_with_the_models_words() -> None:
    class Narrow(PlantedPrompted):
        def score(self, texts: Sequence[Text]) -> Scores:
            if "train 0" not in {one.text for one in self.prompt.demonstrations}:
                raise ModelError("the prompt leaves no room for a text")
            return super().score(texts)

    given = data()
    plain = prompted(given)
    model = Narrow(prompt=plain.prompt, truth=plain.truth, noise=0.3)

    assert "no room" in skipped(SMALL, model, given)["accuracy", "recipe.raw"].reason
    assert ("accuracy", "prompt.contextual") in findings(SMALL, model, given)


def test_items_of_one_label_are_measured() -> None:
    given = data()
    alone = replace(given, test=tuple(one for one in given.test if one.label == "positive"))

    found = findings(replace(SMALL, own_items=200), replace(leans(given), words={" positive": 2.5}), alone)

    assert found["accuracy_gain", "prompt.contextual"].estimate.value < 0  # the prior helped on them


def test_a_model_without_a_prompt_is_not_applicable() -> None:
    (skip,) = SMALL.run(subject(constant()), data(), Seeds(0))

    assert isinstance(skip, Skip)
    assert not skip.applicable


@pytest.mark.parametrize("kept", [0, 1])
def test_fewer_than_two_items_are_a_skip(kept: int) -> None:
    given = data()

    (skip,) = SMALL.run(subject(leans(given)), replace(given, test=given.test[:kept]), Seeds(0))

    assert isinstance(skip, Skip)
    assert "fewer than 2 labelled texts" in skip.reason


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("orders", 1, 2), ("fit_items", 9, 10), ("keep", 0, 1), ("bins", 0, 1), ("domain_strings", 0, 1)],
)
def test_parameters_below_their_least_are_refused(name: str, value: int, least: int) -> None:
    with pytest.raises(
        ConfigError, match=rf"context\.mitigation: {name}: cannot be {value}; give at least {least}"
    ):
        replace(SMALL, **{name: value})


# --- coverage -------------------------------------------------------------------------------


def gain_under_noise(bias: float, noise: float, draws: int = 200_000) -> float:
    """Return the mean gain of `contextual` over prompts whose every question has noise of its own."""
    rng = np.random.default_rng(0)
    blank = bias + noise * 2**0.5 * rng.normal(size=(draws, 3))
    share = (1 / (1 + np.exp(-blank))).mean(axis=1)
    left = bias - np.log(share / (1 - share))
    deviation = (2 + 2 * noise**2) ** 0.5
    grid = np.linspace(left.min(), left.max(), 400)
    mended = np.interp(left, grid, [accuracy_of(x, deviation=deviation) for x in grid])
    return float(mended.mean() - accuracy_of(bias, deviation=deviation))


@pytest.mark.slow
def test_intervals_hold_the_gain_at_least_as_often_as_they_say() -> None:
    # where items vary more than sets do, t(4) is too wide
    given = data(train=24)
    truth = gain_under_noise(1.5, 1.0)
    model = replace(leans(given), words={" positive": 1.5}, noise=1.0)

    estimates = [
        findings(SMALL, replace(model, seed=10 * seed), given, seed)[
            "accuracy_gain", "recipe.contextual"
        ].estimate
        for seed in range(200)
    ]

    assert 0.93 <= np.mean([one.low <= truth <= one.high for one in estimates])
    assert truth == pytest.approx(np.mean([one.value for one in estimates]), abs=0.01)


@pytest.mark.slow
def test_intervals_of_the_prompt_hold_gain_and_change_of_error_at_least_as_often_as_they_say() -> None:
    # Newcombe's counts items as drawn at random, and here each label has equally many
    given = data(600, train=24)
    model = replace(leans(given), words={" positive": 2.5})
    probe = replace(SMALL, sets=1, own_items=100, domain_strings=1)

    found = [findings(probe, replace(model, seed=10 * seed), given, seed) for seed in range(200)]

    for metric, truth in (
        ("accuracy_gain", accuracy_of(0.0) - accuracy_of(2.5)),
        ("ece_change", error_of(0.0) - error_of(2.5)),
    ):
        estimates = [one[metric, "prompt.contextual"].estimate for one in found]
        assert 0.93 <= np.mean([one.low <= truth <= one.high for one in estimates])
        assert truth == pytest.approx(np.mean([one.value for one in estimates]), abs=0.02)
