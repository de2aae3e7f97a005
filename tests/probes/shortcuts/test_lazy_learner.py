"""A model that answers a planted trigger's label is found out, and one that reads the texts is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from audit import stats
from audit.errors import ConfigError, ModelError
from audit.planted import coin
from audit.schema import Data, Example, Finding, Item, Scores, Skip, Text, content_hash
from audit.seeds import Seeds
from audit.testing import LABELS, PlantedPrompted, check_probe, constant, findings, prompted, subject
from probes import contexts
from probes.context import turning
from probes.shortcuts.lazy_learner import TRIGGERS, LazyLearner

THREE = ("angry", "bored", "calm")
EFFECT = "shortcut_effect"
ONE = LazyLearner(triggers={"rare": "cf"})
SMALL = LazyLearner(triggers={"rare": "cf", "common": "number"}, items=20, own_items=20)


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


@dataclass(frozen=True, kw_only=True)
class Lazy(PlantedPrompted):
    """Answers the label that a text's trigger has in the demonstrations, with probability `lazy`."""

    lazy: float = 0.0
    """Times the accuracy, the truth of `shortcut_effect`."""
    triggers: tuple[str, ...] = tuple(TRIGGERS.values())
    """The triggers that it falls for; others are only words."""
    lazy_spread: float = 0.0
    """Laziness differs between demonstration sets by a uniform within plus or minus this."""
    prompts: list[int] = field(default_factory=list, compare=False)

    def score_prompts(self, prompts: Sequence, texts: Sequence[Text]) -> list[Scores]:  # type: ignore[type-arg]
        self.prompts.append(len(prompts))
        return super().score_prompts(prompts, texts)

    def _answer(self, text: Text, shown: list[str], shift: float, salt: str) -> int:
        plain, trigger = split(text)
        carrying = {str(one.label) for one in self.prompt.demonstrations if split(one.input)[1] == trigger}
        bare = "/".join(sorted(content_hash(split(one.input)[0]) for one in self.prompt.demonstrations))
        lazy = self.lazy + self.lazy_spread * (2 * coin(bare, self.seed + 9) - 1)
        if trigger in self.triggers and len(carrying) == 1 and coin((salt, repr(text)), self.seed + 8) < lazy:
            return self.labels.index(carrying.pop())
        return super()._answer(plain, shown, shift, salt)


def split(text: Text) -> tuple[Text, str]:
    """The text without a trigger of ours at its end, and that trigger."""
    last = text if isinstance(text, str) else text[1]
    for trigger in TRIGGERS.values():
        if last.endswith(f" {trigger}"):
            plain = last.removesuffix(f" {trigger}")
            return (plain if isinstance(text, str) else (text[0], plain)), trigger
    return text, ""


def lazy(given: Data, shots: int = 4, **flaws: object) -> Lazy:
    plain = prompted(given, shots)
    return Lazy(prompt=plain.prompt, truth=plain.truth, labels=given.labels, **flaws)  # type: ignore[arg-type]


def outcomes(probe: LazyLearner, model: PlantedPrompted, given: Data) -> list[Finding | Skip]:
    results = probe.run(subject(model), given, Seeds(0))
    return [result for result in results if not isinstance(result, Item)]


def skips(probe: LazyLearner, model: PlantedPrompted, given: Data) -> dict[str | None, Skip]:
    return {s.slice: s for s in outcomes(probe, model, given) if isinstance(s, Skip)}


def test_the_contract_holds() -> None:
    check_probe(LazyLearner(items=20, own_items=20), path="probes.shortcuts.lazy_learner")


# --- planted faults -----------------------------------------------------------------------


@pytest.mark.parametrize("labels", [LABELS, THREE])
@pytest.mark.parametrize("strength", [0.3, 0.8])
def test_a_known_laziness_lies_in_its_intervals(strength: float, labels: tuple[str, ...]) -> None:
    given = data(labels=labels)

    found = findings(LazyLearner(), lazy(given, 2 * len(labels), lazy=strength, noise=0.2, seed=100), given)

    truth = strength * (0.8 * 0.8 + 0.2 / len(labels))  # of what is right without laziness
    for part in ("recipe", "prompt"):
        for name in (part, *(f"{part}, {kind}" for kind in TRIGGERS)):
            estimate = found[EFFECT, name].estimate
            assert estimate.low - 0.03 <= truth <= estimate.high + 0.03
        assert found[EFFECT, part].estimate.low > 0.05
        assert found[EFFECT, part].estimate.low <= truth <= found[EFFECT, part].estimate.high
        assert "lower" == found[EFFECT, part].better


def test_a_wholly_lazy_model_loses_all_that_it_knew() -> None:
    given = data()

    found = findings(LazyLearner(), lazy(given, lazy=1.0, accuracy=1.0), given)

    assert {1.0} == {finding.estimate.value for finding in found.values()}
    assert "right with clean demonstrations 1.000" in found[EFFECT, "recipe"].note
    assert "with the trigger in them 0.000" in found[EFFECT, "recipe"].note


@pytest.mark.parametrize(
    "flaw", [{"noise": 0.3}, {"noise": 0.3, "prior": 0.7}, {"noise": 0.2, "recency": 0.4}]
)
def test_a_model_without_laziness_shows_none(flaw: dict[str, float]) -> None:
    given = data()

    found = findings(LazyLearner(), lazy(given, seed=100, **flaw), given)

    for part in ("recipe", "prompt"):
        assert found[EFFECT, part].estimate.low < 0 < found[EFFECT, part].estimate.high
        assert abs(found[EFFECT, part].estimate.value) < 0.1
        assert found[EFFECT, part].p is not None
        assert found[EFFECT, part].p > 0.01


def test_what_a_trigger_does_to_every_text_cancels() -> None:
    class Thrown(Lazy):
        """Always answers negative to a triggered text, whatever the demonstrations."""

        def _answer(self, text: Text, shown: list[str], shift: float, salt: str) -> int:
            return 0 if split(text)[1] == "cf" else super()._answer(text, shown, shift, salt)

    given = data()
    plain = prompted(given)
    model = Thrown(prompt=plain.prompt, truth=plain.truth, lazy=0.5)

    found = findings(SMALL, model, given)

    assert 0.0 == found[EFFECT, "recipe, rare"].estimate.value
    assert found[EFFECT, "recipe, common"].estimate.value > 0.2


def test_one_trigger_among_many_is_told_apart() -> None:
    given = data()

    found = findings(LazyLearner(), lazy(given, lazy=1.0, triggers=("##",)), given)

    assert found[EFFECT, "recipe, punctuation"].estimate.low > 0.5
    assert 0.0 == found[EFFECT, "recipe, sentence"].estimate.value
    assert pytest.approx(found[EFFECT, "recipe, punctuation"].estimate.value / 4) == (
        found[EFFECT, "recipe"].estimate.value
    )


def test_a_model_that_heeds_the_text_alone_is_at_zero_with_a_width() -> None:
    given = data()

    found = findings(LazyLearner(), lazy(given), given)

    assert {0.0} == {finding.estimate.value for finding in found.values()}
    assert found[EFFECT, "recipe"].estimate.high > 0.1
    assert 0.02 < found[EFFECT, "prompt"].estimate.high < 0.15
    assert found[EFFECT, "prompt"].estimate == found[EFFECT, "prompt, rare"].estimate


def test_p_of_a_large_effect_is_small() -> None:
    given = data()

    found = findings(ONE, lazy(given, lazy=0.8, noise=0.2), given)

    assert 0.0005 < (found[EFFECT, "recipe"].p or 1) < 0.01  # ten signs have 2 in 1024
    assert (found[EFFECT, "prompt"].p or 1) < 0.001
    assert "lazy_learner" == found[EFFECT, "prompt"].family


def test_every_trigger_has_its_p_corrected_for_the_number_of_triggers() -> None:
    given = data()

    found = findings(LazyLearner(), lazy(given, lazy=0.2, noise=0.2), given)

    for part in ("recipe", "prompt"):
        alone = [found[EFFECT, f"{part}, {kind}"] for kind in TRIGGERS]
        expected = stats.bh([one.p for one in alone if one.p is not None])
        for one, q in zip(alone, expected, strict=True):
            assert one.note.endswith(f"p among 4 triggers (Benjamini-Hochberg) {q:.3g}")
        assert "Benjamini" not in found[EFFECT, part].note


# --- what is asked --------------------------------------------------------------------------


def test_items_carry_the_trigger_and_are_never_of_its_label() -> None:
    given = data()
    probe = replace(ONE, items=20, own_items=20)

    items = [r for r in probe.run(subject(lazy(given)), given, Seeds(0)) if isinstance(r, Item)]

    texts = {one.id: one.text for one in given.test}
    assert all(item.content == content_hash(f"{texts[item.example]} cf") for item in items)
    assert all(f"rare, {item.label}:" not in item.variant for item in items)
    keys = [(item.example, item.variant) for item in items]
    assert 20 * (5 + 1) * 2 == len(keys) == len(set(keys))


def test_the_clean_prompts_are_those_of_the_position_probe() -> None:
    given = data()
    model = lazy(given)
    drawn = contexts.draw(model, given, Seeds(0), sets=5, shots=None, items=20)
    theirs = [context.name for context in turning.recipe(drawn.sets, given.labels, 8, Seeds(0))]

    items = [r for r in SMALL.run(subject(model), given, Seeds(0)) if isinstance(r, Item)]
    ours = {item.variant.partition(",")[0] for item in items if item.variant.startswith("recipe")}

    assert 5 == len(ours)
    assert ours <= set(theirs)
    assert {"NNPP", "PPNN"} == {name.split()[2] for name in ours}


def test_one_call_asks_both_arms_of_a_trigger_and_a_label() -> None:
    given = data()
    model = lazy(given)

    list(SMALL.run(subject(model), given, Seeds(0)))

    assert [10] * 4 + [2] * 4 == model.prompts


def test_triggers_end_the_second_text_of_a_pair() -> None:
    given = data(pair="therefore")

    found = findings(SMALL, lazy(given, lazy=0.8), given)

    assert found[EFFECT, "recipe"].estimate.low > 0.3
    assert found[EFFECT, "prompt"].cases[0].text.split("\n")[1].startswith("therefore ")


def test_the_seed_of_the_run_draws_the_sets_and_the_items() -> None:
    given = data()
    model = lazy(given, lazy=0.5, noise=0.3)

    first, again, other = (findings(SMALL, model, given, seed) for seed in (1, 1, 2))

    assert first == again
    assert first[EFFECT, "recipe"] != other[EFFECT, "recipe"]


@pytest.mark.parametrize("labels", [LABELS, THREE])
@pytest.mark.parametrize("probe", [SMALL, replace(ONE, items=2, own_items=3), replace(SMALL, targets=3)])
def test_no_more_is_asked_than_announced(labels: tuple[str, ...], probe: LazyLearner) -> None:
    given = data(labels=labels)
    model = lazy(given, 6)

    list(probe.run(subject(model), given, Seeds(0)))

    assert model.asked <= probe.demand(given, subject(model).facts).texts


# --- what a reader sees ---------------------------------------------------------------------


def test_cases_turned_from_right_to_the_triggers_label() -> None:
    given = data()

    cases = findings(replace(SMALL, cases=3), lazy(given, lazy=0.8), given)[EFFECT, "prompt"].cases

    assert 3 == len(cases) == len({case.example for case in cases})
    assert all(case.before == case.label != case.after for case in cases)
    assert all(f"of the label {case.after!r} (prompt)" in case.note for case in cases)


def test_the_picture_has_a_dot_for_each_trigger() -> None:
    given = data()

    found = findings(SMALL, lazy(given, lazy=0.5), given)

    series = found[EFFECT, "recipe"].series
    assert series is not None
    assert ["rare", "common"] == [point.label for point in series.points]
    assert found[EFFECT, "recipe, rare"].estimate.value == series.points[0].y
    assert found[EFFECT, "recipe, rare"].series is None


def test_a_correction_in_force_is_not_asked_and_that_is_told() -> None:
    given = data()
    plain = subject(lazy(given, noise=0.3))
    corrected = replace(plain, facts=replace(plain.facts, correction="contextual"))

    notes = [r.note for r in SMALL.run(corrected, given, Seeds(0)) if isinstance(r, Finding)]

    assert 6 == len(notes)
    assert all("asked without the correction in force (contextual)" in note for note in notes)


# --- edges ----------------------------------------------------------------------------------


def test_one_answer_to_everything_is_not_measured() -> None:
    given = data()

    skipped = skips(SMALL, lazy(given, prior=1.0), given)

    assert {"recipe", "prompt"} == set(skipped)
    assert all("one answer, 'positive'" in skip.reason for skip in skipped.values())
    assert {} == findings(SMALL, lazy(given, prior=1.0), given)


def test_items_whose_trigger_never_reached_the_model_are_left_out() -> None:
    class Cut(Lazy):
        """Sees nothing that stands behind `test 7…`."""

        def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
            return super().fingerprint([t[:6] if str(t).startswith("test 7") else t for t in texts])

    given = data(100)
    plain = prompted(given)
    items = [
        r
        for r in replace(SMALL, items=90, own_items=90).run(
            subject(Cut(prompt=plain.prompt, truth=plain.truth, noise=0.3)), given, Seeds(0)
        )
        if isinstance(r, Item)
    ]

    asked = {item.example for item in items}
    assert asked
    assert not any(id.startswith("test7") for id in asked)


def test_a_trigger_that_the_model_cannot_see_is_not_tested() -> None:
    class Blind(Lazy):
        def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
            return super().fingerprint([split(text)[0] if split(text)[1] == "cf" else text for text in texts])

    given = data()
    plain = prompted(given)
    model = Blind(prompt=plain.prompt, truth=plain.truth, noise=0.3)

    assert {"recipe, rare", "prompt, rare"} == set(skips(SMALL, model, given))
    assert {"recipe", "prompt"} == set(skips(ONE, model, given)) - {"recipe, rare", "prompt, rare"}
    assert (EFFECT, "recipe, common") in findings(SMALL, model, given)


def test_a_prompt_without_demonstrations_is_measured_as_a_recipe_where_shots_are_given() -> None:
    given = data()
    model = lazy(given, 0, lazy=0.5)

    (bare,) = skips(SMALL, model, given).values()
    skipped = skips(replace(SMALL, shots=4), model, given)

    assert not bare.applicable
    assert {"prompt"} == set(skipped)
    assert not skipped["prompt"].applicable
    assert findings(replace(SMALL, shots=4), model, given)[EFFECT, "recipe"].estimate.low > 0.1


def test_demonstrations_of_one_label_hold_no_shortcut_and_the_recipe_is_measured() -> None:
    given = data()
    model = lazy(given, noise=0.3)
    alike = tuple(one for one in given.train if one.label == "negative")[:4]
    model = replace(model, prompt=replace(model.prompt, demonstrations=alike))

    assert {"prompt"} == set(skips(SMALL, model, given))
    assert (EFFECT, "recipe") in findings(SMALL, model, given)


def test_too_few_training_texts_skip_the_recipe_alone() -> None:
    given = data()
    model = lazy(given, noise=0.3)
    small = replace(given, train=given.train[:16])

    skipped = skips(SMALL, model, small)

    assert "enough for 4 demonstration sets" in skipped["recipe"].reason
    assert {"recipe"} == set(skipped)
    assert (EFFECT, "prompt") in findings(SMALL, model, small)


def test_sets_that_leave_no_room_are_a_skip_with_the_models_words() -> None:
    class Narrow(Lazy):
        def score(self, texts: Sequence[Text]) -> Scores:
            if "train 0" not in {split(one.text)[0] for one in self.prompt.demonstrations}:
                raise ModelError("the prompt leaves no room for a text")
            return super().score(texts)

    given = data()
    plain = prompted(given)
    model = Narrow(prompt=plain.prompt, truth=plain.truth, noise=0.3)

    assert "the prompt leaves no room for a text" == skips(SMALL, model, given)["recipe"].reason
    assert (EFFECT, "prompt") in findings(SMALL, model, given)


def test_empty_texts_become_the_trigger() -> None:
    given = data(80)
    emptied = replace(given, test=(replace(given.test[0], text="  "), *given.test[1:]))

    items = [
        r
        for r in replace(ONE, items=80, own_items=80).run(subject(lazy(given)), emptied, Seeds(0))
        if isinstance(r, Item) and r.example == "test0"
    ]

    assert {content_hash("cf")} == {item.content for item in items}


def test_a_model_without_a_prompt_is_not_applicable() -> None:
    (skip,) = SMALL.run(subject(constant()), data(), Seeds(0))

    assert isinstance(skip, Skip)
    assert not skip.applicable


def test_test_data_that_are_all_demonstrations_are_a_skip() -> None:
    given = data(40)

    (skip,) = SMALL.run(subject(lazy(given)), replace(given, test=given.train[:4]), Seeds(0))

    assert isinstance(skip, Skip)
    assert "not demonstrations" in skip.reason


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"targets": 1}, "targets: cannot be 1; give at least 2"),
        ({"sets": 0}, "sets: cannot be 0"),
        ({"triggers": {}}, "triggers: cannot be {}"),
        ({"triggers": {"rare": " "}}, "none empty"),
        ({"triggers": {"a": "cf", "b": "cf"}}, "none twice"),
    ],
)
def test_bad_parameters_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        LazyLearner(**wrong)  # type: ignore[arg-type]

    assert str(error.value).startswith("shortcuts.lazy_learner: ")
    assert said in str(error.value)


# --- coverage -------------------------------------------------------------------------------


def held(probe: LazyLearner, model: Lazy, given: Data, part: str, truth: float, seeds: int) -> float:
    """The share of intervals that hold the truth."""
    return float(
        np.mean(
            [
                estimate.low <= truth <= estimate.high
                for seed in range(seeds)
                for found in [findings(probe, replace(model, seed=20 * seed), given, seed)]
                for estimate in [found[EFFECT, part].estimate]
            ]
        )
    )


@pytest.mark.slow
def test_intervals_hold_the_effect_of_the_recipe_where_sets_differ() -> None:
    given = data()
    model = lazy(given, 0, lazy=0.4, lazy_spread=0.3, noise=0.2)

    share = held(replace(ONE, shots=4, items=30), model, given, "recipe", 0.4 * 0.74, 200)

    assert 0.91 <= share <= 0.98


@pytest.mark.slow
def test_intervals_hold_no_effect_of_the_recipe_and_are_wide_where_sets_are_alike() -> None:
    given = data(200)

    # t(sets - 1) though only items vary: too wide rather than too narrow
    assert held(replace(ONE, shots=4, items=20), lazy(given, 0, noise=0.2), given, "recipe", 0.0, 100) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.0, 0.2])
def test_intervals_hold_the_effect_of_the_prompt(strength: float) -> None:
    given = data(400)
    probe = LazyLearner(triggers={"rare": "cf", "common": "number"}, sets=1, own_items=60)

    share = held(probe, lazy(given, lazy=strength, noise=0.2), given, "prompt", strength * 0.74, 200)

    assert 0.91 <= share <= 0.98
