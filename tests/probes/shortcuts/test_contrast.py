"""Contrast sets: a model blind to edits is found out, one that follows them is left alone."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit.errors import ConfigError
from audit.schema import Data, Example, Finding, Item, Skip, Text
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, check_probe, coin, constant, findings, hashed, subject
from probes.shortcuts.contrast import Contrast

METRICS = {"consistency", "missed_change_rate", "accuracy_drop"}


def data(n: int, edits: int = 1) -> Data:
    """n sets of an original, which is a test text too, and edits that have the other label."""
    rows = []
    for i in range(n):
        for j in range(edits + 1):
            label = LABELS[(i + (j > 0)) % 2]
            part = "original" if j == 0 else f"edit {j}"
            rows.append(
                Example(
                    id=f"r{i:03}-{j}",
                    text=f"{part} {label} {i}",
                    label=label,
                    meta={"batch_id": i, "part": part.split()[0]},
                )
            )
    test = tuple(Example(id=f"t{one.id}", text=one.text, label=one.label) for one in rows[:: edits + 1])
    return Data(labels=LABELS, test=test, sets={"contrast": tuple(rows)})


def answering(wrong: Callable[[str], bool]) -> Planted:
    """Reads the label that stands in the text, and says the other one where `wrong` holds."""

    def positive(text: Text) -> float:
        shown = text if isinstance(text, str) else text[0]
        return 0.9 if ("positive" in shown) != wrong(shown) else 0.1

    return Planted(positive=positive)


def blind(strength: float, seed: int = 0) -> Planted:
    """Gives an edit the label of its original (the other one) with probability `strength`."""
    return answering(lambda text: text.startswith("edit") and coin(text, seed) < strength)


def outcomes(probe: Contrast, model: Planted, given: Data) -> list[Finding | Skip]:
    return [r for r in probe.run(subject(model), given, Seeds(0)) if not isinstance(r, Item)]


def skips(probe: Contrast, model: Planted, given: Data) -> dict[str | None, Skip]:
    return {s.metric: s for s in outcomes(probe, model, given) if isinstance(s, Skip)}


def test_the_contract_holds() -> None:
    check_probe(Contrast(), path="probes.shortcuts.contrast")


# --- planted faults -----------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.1, 0.4])
def test_a_known_blindness_lies_in_its_intervals(strength: float) -> None:
    found = findings(Contrast(sets=400), blind(strength, 3), data(400))

    truths = {"consistency": 1 - strength, "missed_change_rate": strength, "accuracy_drop": strength}
    for metric, truth in truths.items():
        estimate = found[metric, "all"].estimate
        assert estimate.low <= truth <= estimate.high
        assert 400 == estimate.n
    assert (found["accuracy_drop", "all"].p or 1) < 0.001
    assert "higher" == found["consistency", "all"].better
    assert "lower" == found["accuracy_drop", "all"].better == found["missed_change_rate", "all"].better


def test_a_model_that_follows_edits_is_consistent_with_a_width() -> None:
    found = findings(Contrast(), answering(lambda text: False), data(100))

    assert 1.0 == found["consistency", "all"].estimate.value
    assert (
        0.0
        == found["accuracy_drop", "all"].estimate.value
        == found["missed_change_rate", "all"].estimate.value
    )
    assert 0.03 < found["missed_change_rate", "all"].estimate.high < 0.04
    assert found["accuracy_drop", "all"].estimate.low < 0 < found["accuracy_drop", "all"].estimate.high


def test_sets_of_several_edits_are_the_units() -> None:
    given = data(100, edits=3)

    found = findings(Contrast(), answering(lambda text: text.startswith("edit 2")), given)

    assert 0.0 == found["consistency", "all"].estimate.value
    assert 0.0 == found["missed_change_rate", "all"].estimate.value
    assert pytest.approx(1 / 3) == found["accuracy_drop", "all"].estimate.value
    assert 100 == found["accuracy_drop", "all"].estimate.n
    assert "on 300 edits of 100 sets" in found["accuracy_drop", "all"].note
    assert "0.750 of 400 members" in found["consistency", "all"].note


def test_errors_that_come_set_by_set_widen_the_interval() -> None:
    def of_the_set(text: str) -> bool:
        return text.startswith("edit") and coin(text.split()[-1]) < 0.4

    clustered = findings(Contrast(), answering(of_the_set), data(100, edits=4))[
        "accuracy_drop", "all"
    ].estimate
    single = findings(Contrast(), answering(of_the_set), data(100))["accuracy_drop", "all"].estimate

    assert pytest.approx(single.value) == clustered.value
    assert pytest.approx(single.high - single.low, rel=0.1) == clustered.high - clustered.low


def test_p_is_mcnemars_for_pairs() -> None:
    model = answering(lambda text: text.startswith("edit") and int(text.split()[-1]) < 6)

    assert 2 * 0.5**6 == findings(Contrast(), model, data(40))["accuracy_drop", "all"].p


# --- which rows are which -------------------------------------------------------------------


def test_originals_are_named_by_a_column_or_known_from_the_test_set() -> None:
    given = data(50)
    strangers = replace(given, test=tuple(replace(one, text=f"x {one.text}") for one in given.test))
    named = Contrast(origin="part")

    assert findings(Contrast(), blind(0.5), given) == findings(named, blind(0.5), strangers)
    assert {"accuracy_drop"} == set(skips(Contrast(), blind(0.5), strangers))
    assert "name a column in `origin`" in skips(Contrast(), blind(0.5), strangers)["accuracy_drop"].reason
    assert "write `original` in 'batch_id'" in (
        skips(Contrast(origin="batch_id"), blind(0.5), given)["accuracy_drop"].reason
    )


def test_sets_whose_labels_agree_have_no_change_to_miss() -> None:
    given = data(50)
    same = tuple(
        replace(one, label=LABELS[int(one.meta["batch_id"]) % 2])  # type: ignore[arg-type]
        for one in given.sets["contrast"]
    )
    skipped = skips(Contrast(), blind(0.5), replace(given, sets={"contrast": same}))

    assert {"missed_change_rate"} == set(skipped)
    assert not skipped["missed_change_rate"].applicable


def test_rows_without_group_or_label_and_copies_are_left_out() -> None:
    given = data(50)
    rows = given.sets["contrast"]
    odd = (
        replace(rows[0], id="copy"),
        replace(rows[1], id="no group", text="other", meta={}),
        replace(rows[1], id="no label", text="unlabelled", label=None),
        Example(id="alone", text="alone", label="positive", meta={"batch_id": "alone"}),
    )
    more = replace(given, sets={"contrast": rows + odd})

    assert findings(Contrast(), blind(0.5), given) == findings(Contrast(), blind(0.5), more)


def test_the_order_of_the_rows_changes_nothing() -> None:
    given = data(300, edits=2)
    turned = replace(given, sets={"contrast": given.sets["contrast"][::-1]})

    assert findings(Contrast(sets=100), blind(0.3), given) == findings(Contrast(sets=100), blind(0.3), turned)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "needs data.sets.contrast"),
        ({"contrast": {"label": None}}, "has no labels: name its column in `label`"),
        ({"contrast": {"meta": {}}}, "has no column 'batch_id': name its group column in `group`"),
        ({"contrast": {"meta": {"batch_id": 1}}}, "has 1 sets of at least 2"),
    ],
)
def test_what_a_file_lacks_is_said(change: dict[str, dict[str, object]], said: str) -> None:
    given = data(10)
    sets = {
        name: tuple(replace(one, **fields) for one in given.sets["contrast"])  # type: ignore[arg-type]
        for name, fields in change.items()
    }

    (skip,) = outcomes(Contrast(), blind(0.5), replace(given, sets=sets))

    assert isinstance(skip, Skip)
    assert said in skip.reason


# --- what cannot turn green -----------------------------------------------------------------


def test_one_answer_to_everything_has_no_drop_and_no_consistency() -> None:
    found = findings(Contrast(), constant(), data(50))
    skipped = skips(Contrast(), constant(), data(50))

    assert 0.0 == found["consistency", "all"].estimate.value
    assert 1.0 == found["missed_change_rate", "all"].estimate.value
    assert "one answer, 'positive', to all 100 members" in skipped["accuracy_drop"].reason


def test_sets_whose_edit_never_reached_the_model_are_left_out_and_counted() -> None:
    class Cut(Planted):
        """Cuts texts of sets below ten before the edit."""

        def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
            ends = [str(text).split()[-1] for text in texts]
            return super().fingerprint([e if int(e) < 10 else t for e, t in zip(ends, texts, strict=True)])

    found = findings(Contrast(), Cut(positive=blind(0.0).positive), data(50))

    assert 40 == found["consistency", "all"].estimate.n
    assert "10 sets left out whose edit never reached the model" in found["consistency", "all"].note
    (skip,) = outcomes(Contrast(), Cut(positive=blind(0.0).positive), data(10))
    assert isinstance(skip, Skip)
    assert "in 10 of 10 sets" in skip.reason


# --- what a reader sees -----------------------------------------------------------------------


def test_cases_show_the_original_and_the_edit_that_failed() -> None:
    cases = findings(Contrast(cases=3), blind(1.0), data(50))["consistency", "all"].cases

    assert 3 == len(cases)
    assert all(case.text.startswith("original") and (case.changed or "").startswith("edit") for case in cases)
    assert all(case.before == case.after != case.label for case in cases)


def test_the_picture_has_originals_edits_and_sets() -> None:
    series = findings(Contrast(), blind(0.5), data(100))["consistency", "all"].series

    assert series is not None
    by_name = {point.label: point for point in series.points}
    assert ["originals", "edits", "whole sets"] == list(by_name)
    assert 1.0 == by_name["originals"].y
    assert by_name["edits"].y == by_name["whole sets"].y


def test_items_say_what_each_member_is() -> None:
    items = [r for r in Contrast().run(subject(blind(0.5)), data(30), Seeds(0)) if isinstance(r, Item)]

    assert 60 == len(items) == len({item.example for item in items})
    assert {"original", "edited"} == {item.variant for item in items}
    assert {"right", "wrong"} == {item.outcome for item in items}


# --- edges ----------------------------------------------------------------------------------


def test_no_more_is_asked_than_announced() -> None:
    probe, given, model = Contrast(sets=20), data(50, edits=2), hashed()

    list(probe.run(subject(model), given, Seeds(0)))

    assert 60 == model.asked == probe.demand(given, subject(model).facts).texts


@pytest.mark.parametrize(
    ("wrong", "said"), [({"sets": 1}, "sets: cannot be 1"), ({"group": " "}, "name a column")]
)
def test_bad_parameters_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Contrast(**wrong)  # type: ignore[arg-type]

    assert said in str(error.value)


def test_real_counterfactual_reviews_come_as_pairs_of_an_original_and_its_edit(shared: Path) -> None:
    def read(name: str) -> list[dict[str, str]]:
        with gzip.open(
            shared / f"data/cad/sentiment/{name}.tsv.gz", "rt", encoding="utf-8", newline=""
        ) as file:
            return list(csv.DictReader(file, delimiter="\t"))

    rows = tuple(
        Example(id=f"r{i}", text=r["Text"], label=r["Sentiment"].lower(), meta={"batch_id": r["batch_id"]})
        for i, r in enumerate(read("paired_test"))
    )
    test = tuple(
        Example(id=f"t{i}", text=r["Text"], label=r["Sentiment"].lower())
        for i, r in enumerate(read("orig_test"))
    )
    given = Data(labels=LABELS, test=test, sets={"contrast": rows})

    found = findings(Contrast(sets=488), hashed(), given)

    # of 488, one is the same text under both labels, and of another the original differs in the two files
    assert 487 == found["consistency", "all"].estimate.n == found["missed_change_rate", "all"].estimate.n
    assert 486 == found["accuracy_drop", "all"].estimate.n
    assert found["consistency", "all"].estimate.low <= 0.25 <= found["consistency", "all"].estimate.high


@pytest.mark.slow
def test_intervals_hold_the_drop_of_sets_of_several_edits() -> None:
    given = data(60, edits=3)

    def model(seed: int) -> Planted:
        """An edit fails by its set half of the time, else by itself."""

        def wrong(text: str) -> bool:
            number = text.split()[-1]
            salt = number if coin(number, seed + 1) < 0.5 else text
            return text.startswith("edit") and coin(salt, seed) < 0.3

        return answering(wrong)

    held = [
        estimate.low <= 0.3 <= estimate.high
        for seed in range(200)
        for estimate in [findings(Contrast(), model(10 * seed), given)["accuracy_drop", "all"].estimate]
    ]

    assert 0.91 <= np.mean(held) <= 0.98
