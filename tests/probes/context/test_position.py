"""Planted recency: found within its interval where it is, and not where it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from audit.errors import ConfigError, ModelError
from audit.schema import Data, Example, Finding, Item, Scores, Skip, Subject, Text
from audit.seeds import Seeds
from audit.testing import LABELS, PlantedPrompted, check_probe, constant, findings, prompted, subject
from probes.context.position import Position

THREE = ("angry", "bored", "calm")
SMALL = Position(sets=5, orders=4, own_orders=4, items=20)


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


def outcomes(probe: Position, model: PlantedPrompted, given: Data) -> list[Finding | Skip]:
    results = probe.run(subject(model), given, Seeds(0))
    return [result for result in results if not isinstance(result, Item)]


def skips(probe: Position, model: PlantedPrompted, given: Data) -> dict[tuple[str | None, str | None], Skip]:
    return {(s.metric, s.slice): s for s in outcomes(probe, model, given) if isinstance(s, Skip)}


def test_the_contract_holds() -> None:
    check_probe(Position(), path="probes.context.position")


# --- planted faults -----------------------------------------------------------------------


@pytest.mark.parametrize("recency", [-0.4, 0.2, 0.6])
@pytest.mark.parametrize("labels", [LABELS, THREE])
def test_a_known_recency_lies_in_its_intervals(recency: float, labels: tuple[str, ...]) -> None:
    given = data(labels=labels)
    model = replace(prompted(given, shots=len(labels) * 2), recency=recency, noise=0.2, seed=100)

    found = findings(Position(own_orders=24), model, given)

    for part in ("recipe", "prompt"):
        finding = found["recency", part]
        assert finding.estimate.low <= recency <= finding.estimate.high
        assert finding.estimate.low > 0 or finding.estimate.high < 0
        assert finding.p is not None
        assert finding.p < 0.01
        assert "zero" == finding.better


def test_a_model_that_repeats_the_last_label_reaches_one() -> None:
    given = data()

    found = findings(Position(), replace(prompted(given), recency=1.0), given)

    assert 1.0 == found["recency", "recipe"].estimate.value
    assert 1.0 == found["recency", "prompt"].estimate.value


@pytest.mark.parametrize(
    "flaw", [{"noise": 0.3}, {"noise": 0.3, "prior": 0.7}, {"noise": 0.2, "majority": 0.5}]
)
def test_a_model_without_recency_shows_none(flaw: dict[str, float]) -> None:
    given = data()

    found = findings(Position(), replace(prompted(given), seed=100, **flaw), given)  # type: ignore[arg-type]

    for key in (("recency", "recipe"), ("recency", "prompt"), ("slot_effect", "prompt")):
        assert found[key].estimate.low < 0 < found[key].estimate.high
        assert abs(found[key].estimate.value) < 0.2


def test_a_model_that_heeds_the_text_alone_is_at_zero_with_a_width() -> None:
    given = data()

    found = findings(Position(), prompted(given), given)

    for part in ("recipe", "prompt"):
        estimate = found["recency", part].estimate
        assert 0.0 == estimate.value
        assert estimate.low < -0.1
        assert estimate.high > 0.1
    assert 0.0 == found["order_spread", "prompt"].estimate.value
    assert found["order_spread", "prompt"].estimate.high > 0.05


def test_a_liking_for_one_label_is_no_recency_even_where_the_prompt_shows_one_more_often() -> None:
    given = data()
    shown = tuple(one for one in given.train if one.label == "positive")[:3] + given.train[:1]
    model = prompted(given)
    model = replace(model, prior=0.9, noise=0.1, prompt=replace(model.prompt, demonstrations=shown))

    estimate = findings(Position(), model, given)["recency", "prompt"].estimate

    assert abs(estimate.value) < 0.1
    assert estimate.low <= 0 <= estimate.high


def test_the_last_slot_pulls_and_the_others_do_not() -> None:
    given = data()

    finding = findings(Position(), replace(prompted(given), recency=0.5), given)["slot_effect", "prompt"]

    assert finding.estimate.low > 1
    assert finding.series is not None
    first, second, third, last = finding.series.points
    assert last.y > 1
    assert last.low is not None
    assert all(one.high is not None and one.high < last.low for one in (first, second, third))
    assert 0 == pytest.approx(first.y + second.y + third.y + last.y, abs=1e-6)


class Ordered(PlantedPrompted):
    """Right on every text when the last demonstration is positive, right on half of them else."""

    def _answer(self, text: Text, shown: list[str], shift: float, salt: str) -> int:
        return self.labels.index(self.truth[text]) if shown[-1] == "positive" else 0


def test_a_known_spread_of_orders_lies_in_its_interval() -> None:
    given = data()
    plain = prompted(given)

    finding = findings(Position(), Ordered(prompt=plain.prompt, truth=plain.truth), given)[
        "order_spread", "prompt"
    ]

    assert 0.5 == finding.estimate.value
    assert 0.2 < finding.estimate.low
    assert finding.p is not None
    assert finding.p < 0.01
    assert "0.500 to 1.000 over 24 orders" in finding.note


def test_the_seed_of_the_run_draws_the_sets_and_the_items() -> None:
    given = data()
    model = replace(prompted(given), recency=0.5, noise=0.3)

    first, again, other = (findings(SMALL, model, given, seed) for seed in (1, 1, 2))

    assert first == again
    assert first["recency", "recipe"] != other["recency", "recipe"]


# --- what a reader sees ---------------------------------------------------------------------


def test_pictures_show_every_order_and_share() -> None:
    given = data()

    found = findings(Position(), replace(prompted(given), recency=0.5, noise=0.2), given)

    shares = found["recency", "prompt"].series
    assert shares is not None
    by_order = {(point.label, point.group): point.y for point in shares.points}
    assert 6 * 2 == len(by_order)
    assert by_order["NNPP", "positive"] > 0.6 > 0.4 > by_order["PPNN", "positive"]
    assert 1.0 == pytest.approx(by_order["NPNP", "negative"] + by_order["NPNP", "positive"])
    for part, rows in (("recency", 40), ("order_spread", 24)):
        dots = found[part, "recipe" if part == "recency" else "prompt"].series
        assert dots is not None
        assert rows == len({point.x for point in dots.points}) == len({point.label for point in dots.points})


def test_cases_are_answers_that_turn_with_the_order() -> None:
    given = data()

    cases = findings(Position(cases=3), replace(prompted(given), recency=0.7), given)[
        "recency", "prompt"
    ].cases

    assert 3 == len(cases)
    assert all(case.before != case.after for case in cases)
    assert all("NPNP 1-2-3-4 (in use)" in case.note for case in cases)


def test_items_are_the_same_under_every_order_and_no_variant_comes_twice() -> None:
    given = data()

    items = [r for r in SMALL.run(subject(prompted(given)), given, Seeds(0)) if isinstance(r, Item)]

    keys = [(item.example, item.variant) for item in items]
    assert 20 * (5 * 4 + 4) == len(keys) == len(set(keys))
    assert 20 == len({item.example for item in items})
    assert 24 == len({item.variant for item in items})


def test_texts_that_were_cut_are_told() -> None:
    class Cutting(PlantedPrompted):
        def score(self, texts: Sequence[Text]) -> Scores:
            return replace(super().score(texts), truncated=np.ones(len(texts), dtype=np.bool_))

    given = data()
    plain = prompted(given)

    found = findings(SMALL, Cutting(prompt=plain.prompt, truth=plain.truth), given)

    assert "400 texts were cut" in found["recency", "recipe"].note
    assert "80 texts were cut" in found["recency", "prompt"].note


def test_a_correction_in_force_is_not_asked_and_that_is_told() -> None:
    given = data()
    plain = subject(replace(prompted(given), noise=0.3))
    corrected = replace(plain, facts=replace(plain.facts, correction="contextual"))

    notes = [r.note for r in SMALL.run(corrected, given, Seeds(0)) if isinstance(r, Finding)]

    assert 4 == len(notes)
    assert all("asked without the correction in force (contextual)" in note for note in notes)


# --- edges ----------------------------------------------------------------------------------


def test_pairs_of_texts_are_asked_as_pairs() -> None:
    given = data(pair="therefore")

    found = findings(SMALL, replace(prompted(given), recency=0.6), given)

    assert found["recency", "recipe"].estimate.low > 0.3
    assert "\ntherefore" in found["recency", "prompt"].cases[0].text


def test_a_prompt_without_demonstrations_has_no_order_and_the_recipe_is_measured() -> None:
    given = data()
    model = replace(prompted(given, shots=0), recency=0.5)

    skipped = skips(SMALL, model, given)
    asked = replace(SMALL, shots=4)

    assert {(None, None)} == set(skipped)
    assert {("recency", None), ("order_spread", None), ("slot_effect", None)} == set(
        skips(asked, model, given)
    )
    assert not any(skip.applicable for skip in [*skipped.values(), *skips(asked, model, given).values()])
    assert "of 4 demonstrations" in findings(asked, model, given)["recency", "recipe"].note


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        (lambda one: one.label == "negative", "0 different texts of the label 'positive'"),
        (lambda one: int(one.id[5:]) < 16, "8 different texts of the label 'negative', enough for 4"),
    ],
)
def test_too_small_a_pool_skips_the_recipe_alone(train: Callable[[Example], bool], reason: str) -> None:
    given = data()
    model = replace(prompted(given), noise=0.2)
    small = replace(given, train=tuple(one for one in given.train if train(one)))

    skipped = skips(SMALL, model, small)

    assert [("recency", "recipe")] == list(skipped)
    assert reason in skipped["recency", "recipe"].reason
    assert skipped["recency", "recipe"].applicable
    assert ("recency", "prompt") in findings(SMALL, model, small)


def test_fewer_than_five_sets_are_not_asked_for() -> None:
    given = data()
    model = prompted(given)

    skipped = skips(replace(SMALL, sets=4), model, given)

    assert "set `sets` to 5" in skipped["recency", "recipe"].reason
    assert 20 * 4 == model.asked


def test_one_answer_to_everything_is_not_measured() -> None:
    given = data()

    found = outcomes(SMALL, replace(prompted(given), prior=1.0), given)

    assert all(isinstance(outcome, Skip) and "one answer" in outcome.reason for outcome in found)
    assert 4 == len(found)


def test_demonstrations_of_one_label_have_a_spread_and_no_recency() -> None:
    given = data()
    model = replace(prompted(given), noise=0.3)
    alike = tuple(one for one in given.train if one.label == "negative")[:4]
    model = replace(model, prompt=replace(model.prompt, demonstrations=alike))

    skipped = skips(SMALL, model, given)

    assert {("recency", "prompt"), ("slot_effect", "prompt")} == set(skipped)
    assert ("order_spread", "prompt") in findings(SMALL, model, given)


def test_sets_that_leave_no_room_are_a_skip_with_the_models_words() -> None:
    class Narrow(PlantedPrompted):
        def score(self, texts: Sequence[Text]) -> Scores:
            if "train 0" not in {one.text for one in self.prompt.demonstrations}:
                raise ModelError("the prompt leaves no room for a text")
            return super().score(texts)

    given = data()
    plain = prompted(given)
    model = Narrow(prompt=plain.prompt, truth=plain.truth, noise=0.3)

    assert "the prompt leaves no room for a text" == skips(SMALL, model, given)["recency", "recipe"].reason
    assert ("recency", "prompt") in findings(SMALL, model, given)


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


def test_too_few_orders_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"context\.position: orders: cannot be 1; give at least 2"):
        Position(orders=1)


@pytest.mark.parametrize("labels", [LABELS, THREE])
@pytest.mark.parametrize("probe", [SMALL, Position(items=1 + 1), Position(orders=3, own_orders=5)])
def test_no_more_is_asked_than_announced(labels: tuple[str, ...], probe: Position) -> None:
    given = data(labels=labels)
    model = prompted(given, shots=6)

    list(probe.run(subject(model), given, Seeds(0)))

    assert model.asked <= probe.demand(given, subject(model).facts).texts


# --- coverage -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("recency", [0.0, 0.4])
def test_intervals_hold_the_recency_of_the_recipe(recency: float) -> None:
    given = data()
    model = replace(prompted(given, shots=0), recency=recency, recency_spread=0.3, noise=0.2)

    held = [
        estimate.low <= recency <= estimate.high
        for seed in range(200)
        for found in [findings(Position(shots=4), replace(model, seed=10 * seed), given, seed)]
        for estimate in [found["recency", "recipe"].estimate]
    ]

    assert 0.91 <= np.mean(held) <= 0.98


@pytest.mark.slow
def test_intervals_hold_the_recency_of_the_prompt() -> None:
    given = data(1000)
    model = replace(prompted(given), recency=0.4, noise=0.2)
    probe = Position(sets=1, own_orders=4, draws=100)

    held = [
        estimate.low <= 0.4 <= estimate.high
        for seed in range(200)
        for found in [findings(probe, replace(model, seed=10 * seed), given, seed)]
        for estimate in [found["recency", "prompt"].estimate]
    ]

    assert 0.91 <= np.mean(held) <= 0.98
