"""Planted hanging on sets, orders, templates and labels: found where it is, and not where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import pytest

from audit.errors import ConfigError, ModelError
from audit.schema import Data, Example, Finding, Item, Prompt, Scores, Skip, Subject, Text
from audit.seeds import Seeds
from audit.testing import (
    LABELS,
    Leaning,
    PlantedPrompted,
    check_probe,
    coin,
    constant,
    findings,
    leaning,
    prompted,
    subject,
)
from probes.context import turning
from probes.context.position import Position
from probes.context.sensitivity import METRICS, Sensitivity

THREE = ("angry", "bored", "calm")
SMALL = Sensitivity(orders=4, items=20, draws=200)
TEMPLATES = ("{text} It was", "{text}\nMood:")
Model = TypeVar("Model", bound=PlantedPrompted | Leaning)
ALL = {(metric, part) for part, metrics in METRICS.items() for metric in metrics}


def data(n: int = 400, labels: tuple[str, ...] = LABELS, *, pair: str | None = None) -> Data:
    """Texts with their numbers, labels in turn; training and test texts differ."""
    test, train = (
        tuple(
            Example(id=f"{part}{i}", text=f"{part} {i}", pair=pair, label=labels[i % len(labels)])
            for i in range(n)
        )
        for part in ("test", "train")
    )
    return Data(labels=labels, test=test, train=train)


def outcomes(probe: Sensitivity, model: PlantedPrompted, given: Data) -> list[Finding | Skip]:
    results = probe.run(subject(model), given, Seeds(0))
    return [result for result in results if not isinstance(result, Item)]


def skips(
    probe: Sensitivity, model: PlantedPrompted, given: Data
) -> dict[tuple[str | None, str | None], Skip]:
    return {(s.metric, s.slice): s for s in outcomes(probe, model, given) if isinstance(s, Skip)}


def listed(model: Model, *templates: str) -> Model:
    """The model with other templates in its prompt."""
    return replace(model, prompt=replace(model.prompt, alternatives=templates or TEMPLATES))


@dataclass(frozen=True, kw_only=True)
class Hanging(PlantedPrompted):
    """Right with a probability that the prompt decides, each text by itself in each context."""

    chance: Callable[[Prompt], float] = field(default=lambda prompt: 0.8)

    def score(self, texts: Sequence[Text]) -> Scores:
        """Answer each text."""
        self.counts.append(len(texts))
        salt = repr((self.prompt.template, [(one.text, one.label) for one in self.prompt.demonstrations]))
        limit = self.chance(self.prompt)
        rows = np.full((len(texts), len(self.labels)), 0.1 / (len(self.labels) - 1))
        for i, text in enumerate(texts):
            right = self.labels.index(self.truth[text])
            hit = coin((salt, repr(text)), self.seed) < limit
            rows[i, right if hit else (right + 1) % len(self.labels)] = 0.9
        return Scores(probabilities=rows, truncated=np.zeros(len(texts), dtype=np.bool_))


def hanging(given: Data, chance: Callable[[Prompt], float], *, seed: int = 0) -> Hanging:
    plain = prompted(given)
    return Hanging(prompt=plain.prompt, truth=plain.truth, labels=plain.labels, chance=chance, seed=seed)


def by_set(prompt: Prompt) -> float:
    """0.75 ± 0.12 with a standard deviation of 0.0693, by which demonstrations are shown."""
    return 0.63 + 0.24 * coin(tuple(sorted(one.text for one in prompt.demonstrations)), 1)


def by_labels(prompt: Prompt) -> float:
    """0.9 where all labels are right; the training texts have labels in turn."""
    right = sum(one.label == LABELS[int(one.text.split()[1]) % 2] for one in prompt.demonstrations)
    return 0.9 if right == len(prompt.demonstrations) else 0.6


def test_the_contract_holds() -> None:
    check_probe(Sensitivity(), path="probes.context.sensitivity")


# --- planted faults -----------------------------------------------------------------------


def test_accuracy_and_its_standard_deviation_over_sets_lie_in_their_intervals() -> None:
    given = data()

    found = findings(Sensitivity(), hanging(given, by_set), given)

    accuracy, deviation = found["accuracy", "recipe"], found["accuracy_sd", "recipe"]
    assert accuracy.estimate.low <= 0.75 <= accuracy.estimate.high
    assert 0 < deviation.estimate.low <= 0.24 / 12**0.5 <= deviation.estimate.high
    assert (5, 5) == (accuracy.estimate.n, deviation.estimate.n)
    assert ("higher", "lower") == (accuracy.better, deviation.better)
    assert ("share", "points of share") == (accuracy.unit, deviation.unit)


def test_a_model_whose_accuracy_is_the_same_in_all_contexts_has_no_deviation() -> None:
    given = data()

    estimate = findings(Sensitivity(), hanging(given, lambda prompt: 0.8), given)["accuracy_sd", "recipe"]

    assert 0.0 == estimate.estimate.low
    assert estimate.estimate.value < 0.03
    assert estimate.estimate.high < 0.08


def test_a_model_that_heeds_the_text_alone_has_no_deviation_and_a_width() -> None:
    given = data()

    found = findings(Sensitivity(), listed(prompted(given)), given)

    for key in (("accuracy_sd", "recipe"), ("template_spread", "templates")):
        assert (0.0, 0.0) == (found[key].estimate.value, found[key].estimate.low)
        assert found[key].estimate.high > 0.02
    reliance = found["label_reliance", "labels"].estimate
    assert 0.0 == reliance.value
    assert reliance.low < -0.05
    assert 0.05 < reliance.high


def test_the_worst_context_is_told_by_name_with_its_gain() -> None:
    given = data()

    def bad(prompt: Prompt) -> float:
        return 0.3 if [one.label for one in prompt.demonstrations][:2] == ["positive", "negative"] else 0.95

    found = findings(Sensitivity(shots=2), hanging(given, bad), given)["worst_context_gain", "recipe"]

    assert found.estimate.low <= 0.3 - 0.5 <= found.estimate.high < 0
    assert found.note.startswith("recipe ")
    assert ": PN 2-1 has an accuracy of 0." in found.note
    assert "always the commonest label 0.500" in found.note
    assert "higher" == found.better


def test_a_good_model_beats_the_commonest_label_in_every_context() -> None:
    given = data()

    found = findings(Sensitivity(), hanging(given, lambda prompt: 0.95), given)

    assert found["worst_context_gain", "recipe"].estimate.low > 0.1


def test_the_commonest_label_of_three_is_right_once_in_three() -> None:
    given = data(labels=THREE)

    found = findings(SMALL, hanging(given, lambda prompt: 1.0), given)["worst_context_gain", "recipe"]

    assert 2 / 3 == pytest.approx(found.estimate.value)


def test_a_known_spread_of_templates_lies_in_its_interval() -> None:
    given = data()
    share: Mapping[str, float] = {TEMPLATES[0]: 0.5, TEMPLATES[1]: 0.7}
    model = listed(hanging(given, lambda prompt: share.get(prompt.template, 0.9)))

    found = findings(Sensitivity(), model, given)["template_spread", "templates"]

    assert 0.1 < found.estimate.low <= 0.4 <= found.estimate.high
    assert found.p is not None
    assert found.p < 0.01
    assert "over 3 templates" in found.note


def test_templates_that_only_add_noise_are_not_told_apart() -> None:
    given = data()

    p = findings(Sensitivity(), listed(replace(leaning(given), noise=1.0)), given)[
        "template_spread", "templates"
    ].p

    assert p is not None
    assert p > 0.05


def test_a_known_reliance_on_labels_lies_in_its_interval() -> None:
    given = data()

    found = findings(Sensitivity(), hanging(given, by_labels), given)["label_reliance", "labels"]

    assert 0.1 < found.estimate.low <= 0.3 <= found.estimate.high
    assert "neither" == found.better
    assert "over 3 shuffles" in found.note
    assert 60 == found.estimate.n


def test_a_model_that_heeds_the_demonstrations_but_not_their_labels_has_no_reliance() -> None:
    given = data()

    estimate = findings(Sensitivity(), hanging(given, by_set), given)["label_reliance", "labels"].estimate

    assert estimate.low < 0 < estimate.high


# --- what is asked, and what a reader sees -----------------------------------------------------


def test_the_recipe_asks_what_the_position_probe_asks() -> None:
    given = data()

    asked = [
        {
            (item.example, item.variant)
            for item in probe.run(subject(prompted(given)), given, Seeds(0))
            if isinstance(item, Item) and item.variant.startswith("recipe")
        }
        for probe in (Sensitivity(), Position(own_orders=2, draws=100))
    ]

    assert 5 * 8 * 60 == len(asked[0])
    assert asked[0] == asked[1]
    assert "context.position" == turning.STREAM


def test_no_example_and_variant_comes_twice() -> None:
    given = data()

    items = [r for r in SMALL.run(subject(listed(prompted(given))), given, Seeds(0)) if isinstance(r, Item)]

    keys = [(item.example, item.variant) for item in items]
    assert 20 * (5 * 4 + 3 + 4) == len(keys) == len(set(keys))


def test_templates_beyond_the_limit_are_told() -> None:
    given = data()

    note = findings(replace(SMALL, templates=2), listed(prompted(given)), given)[
        "template_spread", "templates"
    ].note

    assert "over 2 templates; 1 more were not asked" in note


def test_pictures_show_every_context_and_every_template() -> None:
    given = data()

    found = findings(SMALL, listed(replace(prompted(given), noise=0.3)), given)

    contexts = found["accuracy", "recipe"].series
    templates = found["template_spread", "templates"].series
    assert contexts is not None
    assert templates is not None
    assert 20 == len(contexts.points)
    assert ["template 1 (in use)", "template 2", "template 3"] == [one.label for one in templates.points]
    assert "'{text} It was'" in templates.reading


def test_texts_that_were_cut_are_told() -> None:
    class Cutting(PlantedPrompted):
        def score(self, texts: Sequence[Text]) -> Scores:
            return replace(super().score(texts), truncated=np.ones(len(texts), dtype=np.bool_))

    given = data()
    plain = listed(prompted(given))

    found = findings(SMALL, Cutting(prompt=plain.prompt, truth=plain.truth), given)

    assert "400 texts were cut" in found["accuracy", "recipe"].note
    assert "60 texts were cut" in found["template_spread", "templates"].note
    assert "80 texts were cut" in found["label_reliance", "labels"].note


def test_a_correction_in_force_is_not_asked_and_that_is_told() -> None:
    given = data()
    plain = subject(listed(replace(prompted(given), noise=0.3)))
    corrected = replace(plain, facts=replace(plain.facts, correction="contextual"))

    notes = [r.note for r in SMALL.run(corrected, given, Seeds(0)) if isinstance(r, Finding)]

    assert 5 == len(notes)
    assert all("asked without the correction in force (contextual)" in note for note in notes)


def test_the_same_seed_gives_the_same_with_data_in_another_order() -> None:
    given = data()
    model = listed(replace(prompted(given), noise=0.3, majority=0.3))
    turned = replace(given, test=given.test[::-1], train=given.train[::-1])

    assert findings(SMALL, model, given, 3) == findings(SMALL, model, turned, 3)
    assert findings(SMALL, model, given, 3) != findings(SMALL, model, given, 4)


# --- edges ----------------------------------------------------------------------------------


def test_pairs_of_texts_are_asked_as_pairs() -> None:
    given = data(pair="therefore")

    assert ALL == set(findings(SMALL, listed(replace(prompted(given), noise=0.3)), given))


def test_a_prompt_with_one_template_is_not_applicable() -> None:
    skipped = skips(SMALL, prompted(data()), data())

    assert [("template_spread", "templates")] == list(skipped)
    assert "list model.prompt.alternatives" in skipped["template_spread", "templates"].reason
    assert not skipped["template_spread", "templates"].applicable


@pytest.mark.parametrize(
    ("shown", "reason"), [(slice(0), "no demonstrations"), (slice(0, 8, 2), "show one label")]
)
def test_a_prompt_whose_labels_cannot_be_shuffled_is_not_applicable(shown: slice, reason: str) -> None:
    given = data()
    model = prompted(given)
    model = replace(model, prompt=replace(model.prompt, demonstrations=given.train[shown]))

    skip = skips(SMALL, model, given)["label_reliance", "labels"]

    assert reason in skip.reason
    assert not skip.applicable


def test_too_few_training_texts_skip_the_recipe_alone() -> None:
    given = replace(data(), train=data().train[:16])
    model = listed(replace(prompted(given), noise=0.3))

    skipped = skips(SMALL, model, given)

    assert {(metric, "recipe") for metric in METRICS["recipe"]} == set(skipped)
    assert all("8 different texts" in one.reason and one.applicable for one in skipped.values())
    assert ("template_spread", "templates") in findings(SMALL, model, given)


def test_one_answer_to_everything_shows_in_the_accuracy_and_says_nothing_of_the_spread() -> None:
    given = data()
    model = listed(replace(prompted(given), prior=1.0))

    found, skipped = findings(SMALL, model, given), skips(SMALL, model, given)

    assert 0.5 == found["accuracy", "recipe"].estimate.value
    assert 0.0 == found["worst_context_gain", "recipe"].estimate.value
    assert ALL == set(found) | set(skipped)
    assert 3 == len(skipped)
    assert all("one answer" in one.reason for one in skipped.values())


def test_one_item_of_each_label_gives_no_standard_deviation() -> None:
    given = data()

    skip = skips(replace(SMALL, items=2), replace(prompted(given), noise=0.5, seed=1), given)

    assert "one item of each label" in skip["accuracy_sd", "recipe"].reason


def test_sets_and_templates_that_leave_no_room_are_skips_with_the_models_words() -> None:
    class Narrow(PlantedPrompted):
        def score(self, texts: Sequence[Text]) -> Scores:
            own = "train 0" in {one.text for one in self.prompt.demonstrations}
            if not own or self.prompt.template in TEMPLATES:
                raise ModelError("the prompt leaves no room for a text")
            return super().score(texts)

    given = data()
    plain = listed(prompted(given))
    model = Narrow(prompt=plain.prompt, truth=plain.truth, noise=0.3)

    skipped = skips(SMALL, model, given)

    assert ALL - {("label_reliance", "labels")} == set(skipped)
    assert {"the prompt leaves no room for a text"} == {one.reason for one in skipped.values()}


def test_a_model_without_a_prompt_is_not_applicable() -> None:
    bare: Subject = subject(constant())

    (skip,) = SMALL.run(bare, data(), Seeds(0))

    assert isinstance(skip, Skip)
    assert not skip.applicable


def test_test_data_that_are_all_demonstrations_are_a_skip() -> None:
    given = data(40)

    (skip,) = SMALL.run(subject(prompted(given)), replace(given, test=given.train[:4]), Seeds(0))

    assert isinstance(skip, Skip)
    assert "not demonstrations" in skip.reason


def test_too_few_templates_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"context\.sensitivity: templates: cannot be 1; give at least 2"):
        Sensitivity(templates=1)


@pytest.mark.parametrize("labels", [LABELS, THREE])
@pytest.mark.parametrize("probe", [SMALL, Sensitivity(items=2), Sensitivity(orders=3, shuffles=5)])
def test_no_more_is_asked_than_announced(labels: tuple[str, ...], probe: Sensitivity) -> None:
    given = data(labels=labels)
    model = listed(prompted(given, shots=6), *(f"{i} {{text}}" for i in range(20)))

    list(probe.run(subject(model), given, Seeds(0)))

    assert model.asked <= probe.demand(given, subject(model).facts).texts


# --- coverage -------------------------------------------------------------------------------


@pytest.mark.slow
def test_intervals_of_a_whole_run_hold_accuracy_and_its_standard_deviation() -> None:
    given = data(1000)
    probe = Sensitivity(draws=100, items=40, orders=4)
    held = []
    for seed in range(200):
        found = findings(probe, hanging(given, by_set, seed=seed), given, seed)
        pairs = (
            (found["accuracy", "recipe"], 0.75),
            (found["accuracy_sd", "recipe"], 0.24 / 12**0.5),
            (found["label_reliance", "labels"], 0.0),
        )
        held.append([one.estimate.low <= truth <= one.estimate.high for one, truth in pairs])

    accuracy, deviation, reliance = np.mean(held, axis=0)
    assert 0.91 <= accuracy <= 0.98
    assert 0.91 <= deviation <= 0.99  # sets that differ evenly vary less than normal ones do
    assert 0.91 <= reliance <= 0.98
