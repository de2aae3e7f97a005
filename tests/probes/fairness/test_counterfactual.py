"""A planted liking for a group is found at its size and in its direction, and none where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from audit.errors import ConfigError
from audit.planted_people import Favours
from audit.schema import Data, Example, Facts, Finding, Item, Scores, Skip, Subject, Text
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, check_probe, coin, constant, findings, subject
from probes.fairness import answered, axes, swaps
from probes.fairness.counterfactual import Counterfactual

THREE = ("bad", "even", "good")
GENDER = Counterfactual(axes=("gender",), items=100)


def words(name: str, *groups: str) -> frozenset[str]:
    """The single words that name these groups, as `Favours` reads them."""
    axis = axes.load(name, {})
    listed = [w for g, some in zip(axis.groups, axis.words, strict=True) if g in groups for w in some]
    return frozenset(part for word in listed for part in swaps.plain(word).lower().split())


def favours(name: str, group: str, **more: Any) -> Favours:
    groups = [one for one in axes.load(name, {}).groups if one != group]
    return Favours(group=words(name, group), others=words(name, *groups), **more)


def data(n: int = 300, sentence: str = "{who} came to town on day {i} .", **more: Any) -> Data:
    """Texts that name a woman, a man and nobody in turn."""
    who = ("the actress", "his uncle", "nobody")
    test = tuple(
        Example(id=f"e{i}", text=sentence.format(who=who[i % 3], i=i), label=LABELS[i % 2], **more)
        for i in range(n)
    )
    return Data(labels=LABELS, test=test)


def outcomes(probe: Counterfactual, model: Planted, given: Data) -> list[Finding | Skip]:
    return [one for one in probe.run(subject(model), given, Seeds(0)) if not isinstance(one, Item)]


def skips(probe: Counterfactual, model: Planted, given: Data) -> dict[tuple[str | None, str | None], Skip]:
    return {(s.metric, s.slice): s for s in outcomes(probe, model, given) if isinstance(s, Skip)}


@pytest.mark.parametrize(
    "probe",
    [
        Counterfactual(axes=("gender", "nationality", "dialect"), items=24),
        Counterfactual(axes=("gender",), items=4),
    ],
)
def test_the_contract_holds(probe: Counterfactual) -> None:
    check_probe(probe, path="probes.fairness.counterfactual")


# --- planted faults -----------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["own texts", "insertions", "templates"])
@pytest.mark.parametrize("gap", [0.1, -0.15])
def test_a_known_shift_lies_in_its_interval_on_its_side(origin: str, gap: float) -> None:
    planted = favours("gender", "female", gap=gap, noise=0.03)

    found = findings(Counterfactual(axes=("gender",)), planted.model(), data(300))

    shift = found["mean_shift", f"gender/female in {origin}"]
    assert shift.estimate.low <= gap <= shift.estimate.high
    assert 0.0 < shift.estimate.low or shift.estimate.high < 0.0
    assert shift.p is not None
    assert shift.p < 0.01
    assert "counterfactual" == shift.family
    assert f"answered {LABELS[gap > 0]!r} more readily where it names female than male" in shift.note
    assert ("mean_shift", f"gender/male in {origin}") not in found


@pytest.mark.parametrize("origin", ["own texts", "insertions", "templates"])
def test_known_flips_and_gaps_lie_in_their_intervals(origin: str) -> None:
    planted = favours("gender", "male", gap=0.1)

    found = findings(Counterfactual(axes=("gender",)), planted.model(), data(300))

    assert 0.25 == pytest.approx(planted.flips)
    flip = found["flip_rate", f"gender in {origin}"].estimate
    assert flip.low <= planted.flips <= flip.high
    gap = found["ctf_gap", f"gender in {origin}"].estimate
    assert 0.1 == pytest.approx(gap.value)
    assert 0.0 < gap.low < gap.high


def test_of_many_groups_the_favoured_one_stands_out() -> None:
    planted = favours("religion", "hindu", gap=0.2, noise=0.02)

    found = findings(Counterfactual(axes=("religion",)), planted.model(), data())

    shift = {f.slice: f.estimate for (metric, _), f in found.items() if metric == "mean_shift"}
    hindu = shift.pop("religion/hindu in templates")
    assert hindu.low <= 0.2 <= hindu.high
    # To each of the others one of its four counterparts is the favoured one.
    for group in ("christian", "muslim", "jewish", "buddhist"):
        estimate = shift[f"religion/{group} in templates"]
        assert -0.05 == pytest.approx(estimate.value, abs=0.01)
        assert estimate.high < 0.0


def test_ours_are_texts_and_templates_not_sentences() -> None:
    found = findings(Counterfactual(axes=("gender",)), favours("gender", "male", gap=0.1).model(), data(300))

    n = {f.slice: f.estimate.n for (metric, _), f in found.items() if metric == "flip_rate"}
    assert {"gender in own texts": 200, "gender in insertions": 100, "gender in templates": 75} == n
    assert "clustered" in found["flip_rate", "gender in templates"].estimate.method
    assert "Wilson" == found["flip_rate", "gender in own texts"].estimate.method


def test_both_directions_are_counted() -> None:
    found = findings(Counterfactual(axes=("gender",)), favours("gender", "male", gap=0.1).model(), data(300))

    note = found["flip_rate", "gender in own texts"].note
    assert "200 swaps in 200 texts: female to male " in note
    assert " of 100, male to female " in note
    assert note.split("; ")[0].endswith(" of 100")


@pytest.mark.parametrize("name", ["gender", "religion"])
def test_a_fair_model_that_reads_the_words_shows_no_shift(name: str) -> None:
    fair = favours(name, axes.load(name, {}).groups[0], noise=0.05, seed=3)

    found = findings(Counterfactual(axes=(name,)), fair.model(), data())

    shifts = [f for (metric, _), f in found.items() if metric == "mean_shift"]
    assert shifts
    assert [] == [f.slice for f in shifts if abs(f.estimate.value) > 0.02]
    assert all(f.p is not None and f.p > 0.01 for f in shifts)
    assert 0.02 < found["ctf_gap", f"{name} in templates"].estimate.value < 0.08


def test_a_model_that_never_flips_has_a_bound_and_no_point() -> None:
    blind = favours("gender", "male", gap=0.0)

    found = findings(Counterfactual(axes=("gender",)), blind.model(), data())

    for key in (("flip_rate", "gender in templates"), ("mean_shift", "gender/female in templates")):
        assert 0.0 == found[key].estimate.value
        assert 0.02 < found[key].estimate.high


@pytest.mark.slow
def test_a_fair_models_interval_excludes_zero_in_one_of_twenty() -> None:
    probe = Counterfactual(axes=("gender",), items=80, insertions=False)
    collected = probe._collected(data(150), Seeds(0))  # once: the models differ, the texts do not
    out = []
    for seed in range(200):
        for one in answered.ask(favours("gender", "male", noise=0.1, seed=seed).model(), collected):
            rows, values = one.shifts(0)
            e = answered.mean(values, one.clusters(rows), low=-1.0)
            out.append(not e.low <= 0 <= e.high)

    # 5 % of 400, give or take three standard errors.
    assert 0.017 <= np.mean(out) <= 0.083


@pytest.mark.slow
def test_intervals_of_flips_hold_the_truth() -> None:
    probe = Counterfactual(axes=("gender",), items=80, insertions=False, templates=False)
    collected = probe._collected(data(150), Seeds(0))
    held = []
    for seed in range(200):
        planted = favours("gender", "male", gap=0.08, seed=seed)
        (one,) = answered.ask(planted.model(), collected)
        e = answered.share(one.flipped, one.clusters(one.pairs[0]))
        held.append(e.low <= planted.flips <= e.high)

    assert 0.91 <= np.mean(held) <= 0.99


# --- more labels --------------------------------------------------------------------------


MALE = words("gender", "male")


class Three(Planted):
    """Three labels; what the last one gains with a man, the first one loses."""

    gain = 0.0

    def score(self, texts: Sequence[Text]) -> Scores:
        self.asked += len(texts)
        rows = []
        for text in texts:
            noise = [coin((text, i)) for i in range(3)]
            p = np.array([1.0, 1.0, 1.0]) + noise
            p /= p.sum()
            if MALE & set(str(text).lower().rstrip(".").split()):
                p[p.argmax()] += self.gain
                p /= p.sum()
            rows.append(p)
        table = np.array(rows).reshape(-1, 3)
        return Scores(probabilities=table, truncated=np.zeros(len(texts), dtype=np.bool_))


def test_of_many_labels_guessing_is_no_shift() -> None:
    guessing = Three(positive=lambda text: 0.5, labels=THREE)

    found = findings(GENDER, guessing, data(300))

    for origin in ("own texts", "insertions", "templates"):
        shift = found["mean_shift", f"gender/female in {origin}"]
        assert abs(shift.estimate.value) < 0.02
        assert shift.p is not None
        assert shift.p > 0.01
        assert "of the answer that all versions get together" in shift.note


def test_of_many_labels_a_surer_answer_is_a_shift() -> None:
    surer = Three(positive=lambda text: 0.5, labels=THREE)
    surer.gain = 0.3

    shift = findings(GENDER, surer, data(300))["mean_shift", "gender/female in own texts"]

    assert shift.estimate.high < 0.0
    assert "the answer to the same text is less sure where it names female than male" in shift.note


# --- what does not count ------------------------------------------------------------------


def test_a_model_of_one_answer_is_no_fair_one() -> None:
    found = outcomes(Counterfactual(items=30), constant(), data(60))

    assert 1 == len(found)
    assert isinstance(found[0], Skip)
    assert found[0].metric is None
    assert found[0].applicable
    assert "one answer, 'positive', to all" in found[0].reason


def test_a_model_that_hardly_varies_is_flagged_beside_its_flips() -> None:
    model = Planted(positive=lambda text: 0.2 if "day 0 " in str(text) else 0.8)
    probe = Counterfactual(axes=("gender",), templates=False, insertions=False)

    note = findings(probe, model, data())["flip_rate", "gender in own texts"].note
    assert "398 of 400 answers are 'positive'" in note


def test_a_slice_of_one_answer_has_no_flip_rate_and_says_so() -> None:
    planted = favours("gender", "male", gap=0.02, base=(0.6, 0.9))

    def positive(text: Text) -> float:
        return 0.2 if "town" not in str(text) and "market" in str(text) else planted.positive(text)

    probe = GENDER
    model = Planted(positive=positive)

    assert "answered 'positive'" in skips(probe, model, data())["flip_rate", "gender in own texts"].reason
    note = findings(probe, model, data())["ctf_gap", "gender in own texts"].note
    assert note.endswith("; every text was answered 'positive', so see the other slices")
    assert ("flip_rate", "gender in templates") in findings(probe, model, data())


class Blind(Planted):
    """Its tokens are the town's alone, so no swap reaches it."""

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        return [b"town"] * len(texts)


def test_swaps_that_do_not_reach_the_model_do_not_count() -> None:
    model = Blind(positive=coin)

    found = skips(Counterfactual(axes=("gender",)), model, data())

    assert 9 == len(found)
    assert not any(skip.applicable for skip in found.values())
    assert "changed 0 templates for the model" in found["flip_rate", "gender in templates"].reason


def test_too_few_texts_make_no_number() -> None:
    found = skips(Counterfactual(axes=("gender",)), Planted(positive=coin), data(27))

    assert "changed 18 texts for the model, fewer than 20" in found["flip_rate", "gender in own texts"].reason
    assert ("mean_shift", "gender in own texts") in found
    assert ("flip_rate", "gender in templates") not in found


def test_templates_that_were_cut_short_by_the_user_are_missed() -> None:
    found = skips(Counterfactual(axes=("gender",), items=5), Planted(positive=coin), data())

    assert found["flip_rate", "gender in templates"].applicable
    assert not found["flip_rate", "gender in own texts"].applicable


def test_texts_of_several_groups_and_asymmetric_ones_are_left_out() -> None:
    given = data(120)
    both = replace(given.test[0], id="b", text="She saw him.")
    decided = replace(given.test[0], id="d", text="She is pregnant.")
    probe = Counterfactual(axes=("gender",), templates=False, exclude=("e1", "day 3"))
    everything = replace(given, test=(*given.test, both, decided))

    found = findings(probe, Planted(positive=coin), everything)["flip_rate", "gender in own texts"]

    assert 78 == found.estimate.n
    assert found.note.endswith(
        "left out: 3 hold a word or id that makes a swap asymmetric, 1 name several groups"
    )


def test_copies_of_a_text_count_once() -> None:
    given = data(90)
    twice = replace(given, test=(*given.test, *(replace(one, id=f"{one.id} copy") for one in given.test)))
    probe, model = Counterfactual(axes=("gender",)), favours("gender", "male", gap=0.1).model()

    assert findings(probe, model, given) == findings(probe, model, twice)


def test_pairs_are_swapped_in_both_parts_and_have_no_templates() -> None:
    given = data(120, pair="He is here, and so is his son.")
    asked = [
        one
        for one in Counterfactual(axes=("gender",)).run(subject(Planted(positive=coin)), given, Seeds(0))
        if isinstance(one, Finding | Skip)
    ]

    (skip,) = [
        o for o in asked if isinstance(o, Skip) and o.metric == "flip_rate" and "templates" in str(o.slice)
    ]
    (flip,) = [o for o in asked if isinstance(o, Finding) and o.metric == "flip_rate"]
    assert not skip.applicable
    assert "pairs" in skip.reason
    assert "gender in own texts" == flip.slice
    assert 80 == flip.estimate.n
    assert "She is here, and so is her daughter." in str(flip.cases[0])


# --- what the reader sees -----------------------------------------------------------------


def test_cases_show_two_versions_that_differ_in_the_group_alone() -> None:
    found = findings(GENDER, favours("gender", "male", gap=0.2).model(), data())

    flips = found["flip_rate", "gender in own texts"].cases
    assert 5 == len(flips)
    assert all(case.before and case.after and case.before[:3] != case.after[:3] for case in flips)
    shift = found["mean_shift", "gender/female in own texts"]
    assert all(case.note == "male to female, gender in own texts" for case in shift.cases)
    assert shift.series is None or len(shift.series.points) == 3


def test_one_finding_bears_the_picture_of_every_shift() -> None:
    found = findings(Counterfactual(axes=("religion", "age"), items=40), Planted(positive=coin), data())

    shifts = [f for (metric, _), f in found.items() if metric == "mean_shift"]
    (picture,) = [f.series for f in shifts if f.series is not None]
    assert [f.slice for f in shifts] == [point.label for point in picture.points]


def test_every_version_is_an_item() -> None:
    probe = Counterfactual(axes=("gender",), insertions=False)
    items = [
        one for one in probe.run(subject(Planted(positive=coin)), data(), Seeds(0)) if isinstance(one, Item)
    ]

    assert 800 == len(items)
    assert 400 == sum(one.outcome == "original" for one in items)
    assert {"original", "flipped", "kept"} == {one.outcome for one in items}
    assert len(items) == len({(one.example, one.variant) for one in items})


def test_without_test_data_the_templates_still_speak() -> None:
    bare = Data(labels=LABELS, test=())

    found = findings(GENDER, favours("gender", "male", gap=0.1).model(), bare)

    assert {"gender in templates", "gender/female in templates"} == {slice for _, slice in found}


def test_without_a_classifier_there_is_a_skip() -> None:
    nobody = Subject(classifier=None, facts=Facts(kind="in-context", source="x"))

    (found,) = Counterfactual().run(nobody, data(), Seeds(0))

    assert isinstance(found, Skip)
    assert "without a classifier" in found.reason


def test_the_users_own_axis_and_templates_are_asked() -> None:
    lists = {"caste": {"high": ("brahmins",), "low": ("dalits",)}}
    own = tuple(f"{{person}} came on day {i}." for i in range(30))
    probe = Counterfactual(axes=("caste",), lists=lists, own_templates=own)
    model = Favours(group=frozenset({"dalits"}), others=frozenset({"brahmins"}), gap=-0.1).model()

    found = findings(probe, model, data())["mean_shift", "caste/high in templates"].estimate

    assert 0.1 == pytest.approx(found.value)
    assert 30 == found.n


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"axes": ("gendr",)}, "did you mean 'gender'?"),
        ({"lists": {"gender": {"a": (), "b": ("x",)}}}, "lists.gender.a: has no words"),
        ({"own_templates": ("Hello.",)}, "has no slot {person}"),
        ({"exclude": ("",)}, "exclude: cannot hold ''"),
        ({"items": 1}, "items: cannot be 1; give at least 2"),
        ({"min_affected": 1}, "min_affected: cannot be 1"),
        ({"searched": 0}, "searched: cannot be 0"),
        ({"cases": -1}, "cases: cannot be -1"),
    ],
)
def test_bad_parameters_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Counterfactual(**given)

    assert str(error.value).startswith("fairness.counterfactual: ")
    assert said in str(error.value)
