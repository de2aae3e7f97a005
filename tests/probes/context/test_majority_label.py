"""Planted majority copying: found within its interval where it is, and not where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from audit.errors import ConfigError, ModelError
from audit.schema import Data, Example, Finding, Item, Scores, Skip, Text
from audit.seeds import Seeds
from audit.testing import LABELS, PlantedPrompted, check_probe, constant, findings, prompted, subject
from probes.context.majority_label import MajorityLabel

THREE = ("angry", "bored", "calm")
KEY = ("majority_bias", "recipe")
SMALL = MajorityLabel(orders=2, items=20)


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


def skip(probe: MajorityLabel, model: PlantedPrompted, given: Data) -> Skip:
    (found,) = (r for r in probe.run(subject(model), given, Seeds(0)) if not isinstance(r, Item))
    assert isinstance(found, Skip)
    return found


def test_the_contract_holds() -> None:
    check_probe(MajorityLabel(), path="probes.context.majority_label")


# --- planted faults -----------------------------------------------------------------------


@pytest.mark.parametrize("majority", [0.3, 0.6])
@pytest.mark.parametrize("labels", [LABELS, THREE])
def test_a_known_majority_bias_lies_in_its_interval(majority: float, labels: tuple[str, ...]) -> None:
    given = data(labels=labels)
    truth = majority * (1 - 1 / len(labels))  # what it said before was the same label once in k

    finding = findings(MajorityLabel(), replace(prompted(given), majority=majority, noise=0.2), given)[KEY]

    assert 0 < finding.estimate.low <= truth <= finding.estimate.high
    assert finding.estimate.high - finding.estimate.low < 0.12
    assert 5 == finding.estimate.n
    assert "zero" == finding.better


def test_a_model_that_repeats_the_majority_reaches_one_half() -> None:
    given = data()

    estimate = findings(MajorityLabel(), replace(prompted(given), majority=1.0), given)[KEY].estimate

    assert 0.5 == pytest.approx(estimate.value, abs=0.01)


@pytest.mark.parametrize("flaw", [{"noise": 0.3}, {"noise": 0.2, "prior": 0.7}])
def test_a_model_without_the_bias_shows_none(flaw: dict[str, float]) -> None:
    given = data()

    estimate = findings(MajorityLabel(), replace(prompted(given), **flaw), given)[KEY].estimate  # type: ignore[arg-type]

    assert estimate.low < 0 < estimate.high
    assert abs(estimate.value) < 0.05


def test_a_model_that_heeds_the_text_alone_is_at_zero_with_a_width() -> None:
    given = data()

    estimate = findings(MajorityLabel(), prompted(given), given)[KEY].estimate

    assert 0.0 == estimate.value
    assert estimate.high > 0.1


def test_repeating_the_last_label_shows_as_the_share_by_which_majorities_stand_last() -> None:
    given = data()
    truth = 0.8 * ((1 + 3 / 4) / 2 - 1 / 2)  # of 4:0 all, of 3:1 three orders in four, of 2:2 half

    estimate = findings(MajorityLabel(), replace(prompted(given), recency=0.8), given)[KEY].estimate

    assert estimate.low <= truth <= estimate.high
    assert estimate.low > 0


# --- what a reader sees ---------------------------------------------------------------------


def test_the_picture_shows_each_label_in_each_mix() -> None:
    given = data()

    finding = findings(MajorityLabel(), replace(prompted(given), majority=0.6, noise=0.2), given)[KEY]

    assert finding.series is not None
    share = {(point.label, point.group): point.y for point in finding.series.points}
    assert ["4:0", "3:1", "2:2", "1:3", "0:4"] == list(dict.fromkeys(mix for mix, _ in share))
    assert share["4:0", "negative"] > 0.7
    assert share["1:3", "negative"] < 0.3
    assert 0.1 > abs(share["2:2", "negative"] - 0.5)
    assert "5 sets, 80 contexts of 4 demonstrations, 60 items" in finding.note


def test_items_are_the_same_in_every_context_and_no_variant_comes_twice() -> None:
    given = data()

    items = [r for r in SMALL.run(subject(prompted(given)), given, Seeds(0)) if isinstance(r, Item)]

    keys = [(item.example, item.variant) for item in items]
    assert 20 * 5 * (1 + 2 + 2 + 2 + 1) == len(keys) == len(set(keys))
    assert 20 == len({item.example for item in items})


def test_texts_that_were_cut_are_told() -> None:
    class Cutting(PlantedPrompted):
        def score(self, texts: Sequence[Text]) -> Scores:
            return replace(super().score(texts), truncated=np.ones(len(texts), dtype=np.bool_))

    given = data()
    plain = prompted(given)

    note = findings(SMALL, Cutting(prompt=plain.prompt, truth=plain.truth), given)[KEY].note

    assert "800 texts were cut" in note


# --- edges ----------------------------------------------------------------------------------


def test_pairs_of_texts_are_asked_as_pairs() -> None:
    given = data(pair="therefore")

    assert findings(SMALL, replace(prompted(given), majority=0.8), given)[KEY].estimate.low > 0.2


def test_of_many_labels_some_are_tried_in_the_majority() -> None:
    labels = tuple("abcdefgh")
    given = data(800, labels)
    model = replace(prompted(given), majority=0.8, noise=0.1)
    probe = replace(SMALL, majorities=2)

    finding = findings(probe, model, given)[KEY]

    assert "2 labels in the majority in turn" in finding.note
    assert finding.estimate.low > 0.4
    assert model.asked <= probe.demand(given, subject(model).facts).texts


def test_too_small_a_pool_is_a_skip_that_names_the_label() -> None:
    given = data()
    small = replace(given, train=tuple(one for one in given.train if one.label == "negative"))

    found = skip(SMALL, prompted(given), small)

    assert KEY == (found.metric, found.slice)
    assert found.applicable
    assert "0 different texts of the label 'positive'" in found.reason


def test_fewer_than_five_sets_are_not_asked_for() -> None:
    given = data()
    model = prompted(given)

    assert "set `sets` to 5" in skip(replace(SMALL, sets=4), model, given).reason
    assert 0 == model.asked


def test_one_answer_to_everything_is_not_measured() -> None:
    given = data()

    assert "one answer, 'positive'" in skip(SMALL, replace(prompted(given), prior=1.0), given).reason


def test_sets_that_leave_no_room_are_a_skip_with_the_models_words() -> None:
    class Narrow(PlantedPrompted):
        def score(self, texts: Sequence[Text]) -> Scores:
            raise ModelError("the prompt leaves no room for a text")

    given = data()

    assert (
        "the prompt leaves no room for a text"
        == skip(SMALL, Narrow(prompt=prompted(given).prompt), given).reason
    )


def test_a_model_without_a_prompt_is_not_applicable() -> None:
    (found,) = SMALL.run(subject(constant()), data(), Seeds(0))

    assert isinstance(found, Skip)
    assert not found.applicable


def test_a_prompt_without_demonstrations_is_asked_only_where_shots_are_given() -> None:
    given = data()
    model = replace(prompted(given, shots=0), noise=0.3)

    assert not skip(SMALL, model, given).applicable
    assert isinstance(findings(replace(SMALL, shots=4), model, given)[KEY], Finding)


def test_a_single_item_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"context\.majority_label: items: cannot be 1; give at least 2"):
        MajorityLabel(items=1)


@pytest.mark.parametrize("labels", [LABELS, THREE])
@pytest.mark.parametrize("probe", [SMALL, MajorityLabel(shots=8, items=10), MajorityLabel(orders=1)])
def test_no_more_is_asked_than_announced(labels: tuple[str, ...], probe: MajorityLabel) -> None:
    given = data(labels=labels)
    model = prompted(given)

    list(probe.run(subject(model), given, Seeds(0)))

    assert 0 < model.asked <= probe.demand(given, subject(model).facts).texts


# --- coverage -------------------------------------------------------------------------------


def held(model: PlantedPrompted, given: Data, truth: float) -> float:
    """Return the share of 200 seeds whose interval holds the truth."""
    estimates = [findings(SMALL, replace(model, seed=10 * s), given, s)[KEY].estimate for s in range(200)]
    return float(np.mean([estimate.low <= truth <= estimate.high for estimate in estimates]))


@pytest.mark.slow
@pytest.mark.parametrize("labels", [LABELS, THREE])
def test_intervals_hold_the_majority_bias(labels: tuple[str, ...]) -> None:
    given = data(labels=labels)
    model = replace(prompted(given), majority=0.5, majority_spread=0.4, noise=0.3)

    assert 0.91 <= held(model, given, 0.5 * (1 - 1 / len(labels))) <= 0.98


@pytest.mark.slow
def test_intervals_of_a_model_without_the_bias_hold_zero_at_least_as_often_as_they_say() -> None:
    # where only items vary, and sets do not, t(4) is too wide
    given = data()

    assert held(replace(prompted(given), noise=0.3), given, 0.0) >= 0.93
