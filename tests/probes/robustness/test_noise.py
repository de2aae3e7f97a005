"""Planted models: the probe finds the flaw that is there, and cannot be fooled into a green one."""

from __future__ import annotations

import csv
import datetime
import gzip
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit import gate
from audit.errors import ConfigError
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.load import open_subject
from audit.models.spec import ModelSpec
from audit.schema import Data, Example, Facts, Finding, Item, Rule, Scores, Skip, Subject, Text
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, coin, constant, findings, subject
from probes import lexicons, text
from probes.robustness.noise import Noise

PROSE = "I do not believe that the film is good, because the story is boring and the people are not funny"
ALL = Noise().kinds
WRONG = {form for forms in lexicons.load("misspellings").entries.values() for form in forms}


def data(n: int, sentence: Callable[[int], str] = lambda i: PROSE) -> Data:
    """Texts that end in their number, which no noise touches; even ones are negative, odd ones positive."""
    test = tuple(Example(id=f"e{i}", text=f"{sentence(i)} {i}", label=LABELS[i % 2]) for i in range(n))
    return Data(labels=LABELS, test=test)


def number(given: Text) -> int:
    """The number at the end of a text or pair."""
    last = given if isinstance(given, str) else given[1]
    return int(last.rsplit(maxsplit=1)[-1])


def answering(wrong: Callable[[str], bool], *, lower_cases: bool = False) -> Planted:
    """A model that knows the number's label and gives the other one where `wrong` says so."""

    def positive(given: Text) -> float:
        shown = given if isinstance(given, str) else "\n".join(given)
        return 0.9 if (number(given) % 2 == 1) != wrong(shown) else 0.1

    return Planted(positive=positive, lower_cases=lower_cases)


def flipping(q: float, seed: int = 0) -> Planted:
    """A model that is right on originals and flips each changed text with probability q."""
    return answering(lambda shown: not shown.startswith(PROSE) and coin(shown, seed) < q)


def outcomes(probe: Noise, model: Planted, given: Data, seed: int = 0) -> list[Finding | Skip]:
    results = probe.run(subject(model), given, Seeds(seed))
    return [result for result in results if not isinstance(result, Item)]


def skips(probe: Noise, model: Planted, given: Data) -> set[tuple[str | None, str]]:
    return {(s.metric, s.reason) for s in outcomes(probe, model, given) if isinstance(s, Skip)}


def items(probe: Noise, model: Planted, given: Data) -> list[Item]:
    return [r for r in probe.run(subject(model), given, Seeds(0)) if isinstance(r, Item)]


class Blind(Planted):
    """Reads the number alone, and its tokens are the number's."""

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        return [str(number(given)).encode() for given in texts]


# --- planted faults -----------------------------------------------------------------------


def test_a_model_that_reads_through_noise_never_flips() -> None:
    found = findings(Noise(), answering(lambda shown: False), data(200))

    assert {0.0} == {f.estimate.value for (metric, _), f in found.items() if metric == "flip_rate"}
    assert {0.0} == {f.estimate.value for (metric, _), f in found.items() if metric == "accuracy_drop"}
    assert 1.0 == found["worst_case_accuracy", "all"].estimate.value
    assert 1.0 == found["severity_retention", "all"].estimate.value
    assert set(ALL) == {name for metric, name in found if metric == "flip_rate"}


def test_no_interval_is_a_point() -> None:
    found = findings(Noise(), answering(lambda shown: False), data(200))

    assert [] == [key for key, f in found.items() if f.estimate.low == f.estimate.high]


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_known_flip_rate_lies_in_its_interval(repeats: int) -> None:
    found = findings(Noise(kinds=("typos", "mix"), repeats=repeats), flipping(0.3), data(400))

    for metric in ("flip_rate", "accuracy_drop"):
        for kind in ("typos", "mix"):
            estimate = found[metric, kind].estimate
            assert estimate.low <= 0.3 <= estimate.high
            assert estimate.high - estimate.low < 0.12


@pytest.mark.slow
def test_intervals_hold_the_truth_in_95_of_100_data_sets() -> None:
    probe = Noise(kinds=("lower_case",), severities=())
    given = data(100)
    held = []
    for seed in range(400):
        estimate = findings(probe, flipping(0.1, seed), given)["flip_rate", "lower_case"].estimate
        held.append(estimate.low <= 0.1 <= estimate.high)

    # 95 % of 400, give or take three standard errors and the steps of a binomial of 100.
    assert 0.915 <= np.mean(held) <= 0.985


def test_a_model_that_trips_over_misspellings_is_caught_where_texts_changed() -> None:
    def sentence(i: int) -> str:
        return "a friend" if i % 10 < 3 else "xqz"

    tripping = answering(lambda shown: any(word in WRONG for word in shown.split()))
    found = findings(Noise(kinds=("misspellings",), misspelling_rate=1.0), tripping, data(200, sentence))

    assert 0.3 == found["changed_rate", "misspellings"].estimate.value
    assert 1.0 == found["flip_rate", "misspellings"].estimate.value
    assert 60 == found["flip_rate", "misspellings"].estimate.n
    assert 1.0 == found["accuracy_drop", "misspellings"].estimate.value
    assert "over all texts the drop is 0.300" in found["accuracy_drop", "misspellings"].note
    assert 0.7 == found["worst_case_accuracy", "all"].estimate.value


def test_a_model_that_noise_puts_right_has_a_negative_drop_and_the_same_flips() -> None:
    found = findings(Noise(kinds=("upper_case",)), answering(lambda shown: shown.startswith(PROSE)), data(50))

    assert 1.0 == found["flip_rate", "upper_case"].estimate.value
    assert -1.0 == found["accuracy_drop", "upper_case"].estimate.value
    assert 0.0 == found["worst_case_accuracy", "all"].estimate.value
    assert 0.0 == found["worst_case_drop", "all"].estimate.value


def test_the_worst_case_counts_an_example_that_fails_under_any_kind() -> None:
    def wrong(shown: str) -> bool:
        loud, gappy = shown.isupper() and number(shown) % 10 == 0, "  " in shown and number(shown) % 10 == 1
        return loud or gappy

    found = findings(Noise(kinds=("upper_case", "spacing"), severities=()), answering(wrong), data(100))

    assert 0.1 == found["accuracy_drop", "upper_case"].estimate.value
    assert pytest.approx(0.1, abs=1e-9) == found["accuracy_drop", "spacing"].estimate.value
    assert 0.8 == found["worst_case_accuracy", "all"].estimate.value
    assert pytest.approx(0.2) == found["worst_case_drop", "all"].estimate.value


def test_p_is_mcnemars_and_the_note_corrects_it_for_the_kinds() -> None:
    found = findings(
        Noise(kinds=("upper_case", "lower_case")),
        answering(lambda shown: shown.isupper() and number(shown) < 6),
        data(40),
    )
    drop = found["accuracy_drop", "upper_case"]

    assert 2 * 0.5**6 == drop.p
    assert "noise" == drop.family
    assert "(Benjamini-Hochberg) 0.0625" in drop.note


# --- what cannot turn green ---------------------------------------------------------------


def test_case_is_not_tested_on_a_model_that_sees_none() -> None:
    uncased = answering(lambda shown: False, lower_cases=True)
    found = findings(Noise(), uncased, data(60))

    assert 0.0 == found["changed_rate", "upper_case"].estimate.value
    assert ("flip_rate", "upper_case") not in found
    assert ("accuracy_drop", "lower_case") not in found
    assert ("flip_rate", "typos") in found
    assert {"upper_case", "lower_case"} == {
        reason.partition(":")[0]
        for metric, reason in skips(Noise(), uncased, data(60))
        if metric == "flip_rate"
    }


def test_kinds_that_tested_nothing_are_not_named_in_the_worst_case() -> None:
    found = findings(Noise(), answering(lambda shown: False, lower_cases=True), data(60))

    assert (
        "all of typos, misspellings, spacing, contractions, fillers, mix;"
        in found["worst_case_drop", "all"].note
    )


def test_a_model_that_sees_none_of_the_noise_has_no_worst_case_and_no_curve() -> None:
    blind = Blind(positive=lambda t: 0.9 if number(t) % 2 else 0.1)
    found = findings(Noise(), blind, data(60))

    assert {"changed_rate"} == {metric for metric, _ in found}
    assert {"flip_rate", "accuracy_drop", "worst_case_accuracy", "worst_case_drop", "severity_retention"} == {
        metric for metric, _ in skips(Noise(), blind, data(60))
    }


def test_a_model_with_one_answer_does_not_look_robust() -> None:
    found = findings(Noise(), constant(), data(60))
    skipped = skips(Noise(), constant(), data(60))

    assert {"changed_rate", "worst_case_accuracy"} == {metric for metric, _ in found}
    assert 0.5 == found["worst_case_accuracy", "all"].estimate.value
    assert "always saying 'positive' would reach 0.500" in found["worst_case_accuracy", "all"].note
    assert {"flip_rate", "accuracy_drop", "worst_case_drop", "severity_retention"} == {m for m, _ in skipped}
    assert all("one answer, 'positive', to all 60 originals" in reason for _, reason in skipped)


def test_a_model_that_nearly_always_says_one_thing_has_it_in_the_note() -> None:
    found = findings(Noise(), Planted(positive=lambda t: 0.1 if number(t) == 0 else 0.9), data(60))

    assert "59 of 60 originals are answered 'positive'" in found["flip_rate", "mix"].note


@pytest.mark.parametrize("name", ["mix", "worst"])
@pytest.mark.parametrize("metric", ["flip_rate", "accuracy_drop"])
def test_the_gate_passes_neither_a_constant_model_nor_one_that_flips(metric: str, name: str) -> None:
    rule = Rule(probe="robustness.noise", metric=metric, slice=name, max=0.1)
    probe, given = Noise(severities=()), data(120)
    verdicts = {
        what: gate.judge([rule], outcomes(probe, model, given), today=datetime.date(2026, 1, 1))[0].status
        for what, model in [
            ("constant", constant()),
            ("flipping", flipping(0.4)),
            ("steady", answering(lambda shown: False)),
        ]
    }

    assert {"constant": "NOT MEASURED", "flipping": "FAIL", "steady": "PASS"} == verdicts


def test_one_kind_that_breaks_the_model_fails_the_worst() -> None:
    rule = Rule(probe="robustness.noise", metric="accuracy_drop", slice="worst", max=0.1)
    found = outcomes(Noise(severities=()), answering(str.isupper), data(120))
    verdict = gate.judge([rule], found, today=datetime.date(2026, 1, 1))[0]

    assert ("FAIL", "upper_case") == (verdict.status, verdict.slice)


# --- the severity curve -------------------------------------------------------------------


def test_retention_is_the_area_under_the_curve_by_the_clean_accuracy() -> None:
    # Right on the originals alone: the curve is 1 at 0 and 0 from 0.05 on, its area half of 0.05.
    brittle = answering(lambda shown: not shown.startswith(PROSE + " " + PROSE))
    finding = findings(Noise(), brittle, data(30, lambda i: f"{PROSE} {PROSE}"))["severity_retention", "all"]

    assert finding.series is not None
    assert [(0, 1), (0.05, 0), (0.1, 0), (0.2, 0), (0.3, 0), (0.5, 0)] == [
        (p.x, p.y) for p in finding.series.points
    ]
    assert 0.025 / 0.5 == pytest.approx(finding.estimate.value)
    assert all(p.low is not None and p.high is not None and p.low < p.high for p in finding.series.points)


def test_the_curve_shares_its_texts_with_the_kind_typos() -> None:
    variants = Counter(item.variant for item in items(Noise(), flipping(0.3), data(30)))
    found = findings(Noise(), flipping(0.3), data(30))
    curve = found["severity_retention", "all"].series

    assert {"original", *ALL, "typos@0.10", "typos@0.20", "typos@0.30", "typos@0.50"} == set(variants)
    assert curve is not None
    assert 1 - found["accuracy_drop", "typos"].estimate.value == pytest.approx(curve.points[1].y)


def test_no_severities_give_no_curve_and_say_so() -> None:
    skipped = skips(Noise(severities=()), flipping(0.3), data(30))

    assert {("severity_retention", "severities is empty, so no curve was asked for")} == skipped


def test_a_model_that_is_never_right_has_no_retention() -> None:
    skipped = skips(Noise(), answering(lambda shown: True), data(30))

    assert {"severity_retention"} == {metric for metric, _ in skipped}


# --- asking -------------------------------------------------------------------------------


class Counting(Planted):
    """Keeps what each call asked."""

    def score(self, texts: Sequence[Text]) -> Scores:
        self.__dict__.setdefault("calls", []).append(list(texts))
        return super().score(texts)


def test_everything_is_asked_in_one_call_and_nothing_unchanged_is_asked() -> None:
    model = Counting(positive=lambda t: 0.9 if number(t) % 2 else 0.1, lower_cases=True)
    given = data(40)
    list(Noise().run(subject(model), given, Seeds(0)))
    (call,) = model.__dict__["calls"]

    assert {example.text for example in given.test} == set(call[:40])
    assert not any(shown.isupper() for shown in call)
    assert len(call) <= Noise().demand(given, Facts(kind="fine-tuned", source="x")).texts == 40 * 13


@pytest.mark.parametrize(
    ("probe", "variants"), [(Noise(severities=()), 8), (Noise(), 12), (Noise(repeats=3), 30)]
)
def test_demand_counts_originals_and_variants(probe: Noise, variants: int) -> None:
    facts = Facts(kind="fine-tuned", source="x")

    assert 500 * (1 + variants) == probe.demand(data(600), facts).texts
    assert 30 * (1 + variants) == probe.demand(data(30), facts).texts


def test_the_order_of_the_examples_changes_nothing() -> None:
    given = data(90)
    shuffled = replace(given, test=given.test[::-1])
    probe = Noise(items=50, repeats=2, severities=(0.05, 0.3))

    assert list(probe.run(subject(flipping(0.3)), given, Seeds(1))) == list(
        probe.run(subject(flipping(0.3)), shuffled, Seeds(1))
    )


def test_another_seed_gives_other_noise() -> None:
    first = [i.content for i in items(Noise(kinds=("typos",)), flipping(0.3), data(20))]
    second = [
        r.content
        for r in Noise(kinds=("typos",)).run(subject(flipping(0.3)), data(20), Seeds(1))
        if isinstance(r, Item)
    ]

    assert first != second


def test_the_noise_of_an_example_does_not_hang_on_the_other_examples() -> None:
    few = {(i.example, i.variant): i.content for i in items(Noise(), flipping(0.3), data(10))}
    many = {(i.example, i.variant): i.content for i in items(Noise(), flipping(0.3), data(60))}

    assert few == {key: many[key] for key in few}


def test_both_parts_of_a_pair_are_changed() -> None:
    test = tuple(Example(id=f"e{i}", text=PROSE, pair=f"{PROSE} {i}", label=LABELS[i % 2]) for i in range(30))
    probe = Noise(kinds=("typos", "mix"), severities=())
    found = findings(probe, answering(lambda shown: not shown.startswith(PROSE)), replace(data(1), test=test))
    case = found["flip_rate", "typos"].cases[0]
    first, second = (case.changed or "").split("\n")

    assert 1.0 == found["flip_rate", "mix"].estimate.value
    assert PROSE != first
    assert not second.startswith(PROSE)
    assert first != re.sub(r" \d+$", "", second)


# --- repeats ------------------------------------------------------------------------------


def test_repeats_are_clustered_by_example() -> None:
    found = findings(Noise(repeats=3, typo_rate=0.1), flipping(0.3), data(80))

    assert 80 == found["flip_rate", "typos"].estimate.n
    assert "clustered" in found["flip_rate", "typos"].estimate.method
    assert "on the 240 of 240 texts" in found["flip_rate", "typos"].note
    assert "Wilson" == found["flip_rate", "upper_case"].estimate.method


def test_repeats_that_all_agree_are_no_more_examples() -> None:
    once = findings(Noise(kinds=("mix",)), answering(lambda s: number(s) < 30 and s.islower()), data(100))
    thrice = findings(
        Noise(kinds=("mix",), repeats=3), answering(lambda s: number(s) < 30 and s.islower()), data(100)
    )
    one, three = once["flip_rate", "mix"].estimate, thrice["flip_rate", "mix"].estimate

    assert one.value == pytest.approx(three.value)
    assert three.high - three.low >= (one.high - one.low) * 0.99


def test_each_draw_is_a_variant_of_its_own() -> None:
    variants = {
        item.variant for item in items(Noise(kinds=("mix", "lower_case"), repeats=2), flipping(0.3), data(9))
    }
    curve = {"typos@0.10", "typos@0.20", "typos@0.30", "typos@0.50", "typos"}

    assert {"original", "mix", "mix#2", "lower_case", *curve, *(f"{name}#2" for name in curve)} == variants


@pytest.mark.parametrize("repeats", [1, 3])
def test_two_examples_are_enough_to_run(repeats: int) -> None:
    found = findings(Noise(repeats=repeats), flipping(0.5), data(2))

    assert 2 == found["flip_rate", "typos"].estimate.n
    assert found["flip_rate", "typos"].estimate.high - found["flip_rate", "typos"].estimate.low > 0.6


def test_a_single_changed_example_is_one_unit_however_often_it_is_drawn() -> None:
    given = data(2)
    test = (given.test[0], replace(given.test[1], text="1"))
    model = answering(lambda shown: shown.startswith("x"))
    found = findings(Noise(kinds=("typos",), repeats=5), model, replace(given, test=test))

    assert 1 == found["flip_rate", "typos"].estimate.n
    assert 1 == found["accuracy_drop", "typos"].estimate.n


# --- degenerate data ----------------------------------------------------------------------


def test_without_labels_flips_alone_are_counted() -> None:
    given = data(40)
    bare = replace(given, test=tuple(replace(example, label=None) for example in given.test))
    found = findings(Noise(), flipping(0.3), bare)

    assert {"changed_rate", "flip_rate"} == {metric for metric, _ in found}
    assert {"accuracy_drop", "worst_case_accuracy", "worst_case_drop", "severity_retention"} == {
        metric for metric, _ in skips(Noise(), flipping(0.3), bare)
    }
    assert {"unlabelled"} == {
        i.outcome for i in items(Noise(), flipping(0.3), bare) if i.variant == "original"
    }


def test_examples_without_labels_are_left_out_of_accuracy() -> None:
    given = data(40)
    test = tuple(replace(e, label=None) if i < 10 else e for i, e in enumerate(given.test))
    found = findings(Noise(), flipping(0.3), replace(given, test=test))

    assert 40 == found["flip_rate", "mix"].estimate.n
    assert 30 == found["accuracy_drop", "mix"].estimate.n
    assert 30 == found["worst_case_accuracy", "all"].estimate.n


def test_no_examples_are_a_skip_of_everything() -> None:
    (only,) = outcomes(Noise(), flipping(0.3), replace(data(1), test=()))

    assert isinstance(only, Skip)
    assert only.metric is None
    assert "test examples" in only.reason


def test_no_classifier_is_a_skip_of_everything() -> None:
    bare = Subject(classifier=None, facts=Facts(kind="in-context", source="x"))
    (only,) = Noise().run(bare, data(3), Seeds(0))

    assert isinstance(only, Skip)
    assert "a classifier" in only.reason


def test_one_example_turns_nothing_green() -> None:
    found = findings(Noise(), flipping(0.3), data(1))

    assert {"changed_rate", "worst_case_accuracy"} == {metric for metric, _ in found}


def test_odd_texts_survive() -> None:
    odd = ["", "  ", "\n\n", "🙂🙃", "مرحبا بالعالم", "!?…", "x" * 10_000, "a\tb\nc", "1"]
    test = tuple(Example(id=f"{i}", text=t, label=LABELS[i % 2]) for i, t in enumerate(odd))
    model = Planted(positive=lambda t: coin(t, 3))
    found = findings(Noise(repeats=2), model, replace(data(1), test=test))

    assert found["changed_rate", "typos"].estimate.value < 1


# --- cases, items, pictures ---------------------------------------------------------------


def test_cases_are_flipped_examples_that_a_reader_can_check() -> None:
    found = findings(Noise(cases=3), flipping(0.3), data(200))
    given = {example.id: example for example in data(200).test}
    cases = found["flip_rate", "upper_case"].cases

    assert 3 == len(cases)
    for case in cases:
        example = given[case.example]
        assert (example.text, example.text.upper(), example.label) == (case.text, case.changed, case.label)
        assert example.label == case.before != case.after
        assert "upper_case" == case.note


def test_no_flips_have_no_cases() -> None:
    assert () == findings(Noise(), answering(lambda s: False), data(30))["flip_rate", "mix"].cases


def test_there_is_one_item_for_each_example_and_variant() -> None:
    kept = items(Noise(), flipping(0.3), data(25))
    keys = [(item.example, item.variant) for item in kept]

    assert 25 * 13 == len(keys) == len(set(keys))
    assert {"right", "flipped", "kept"} <= {item.outcome for item in kept} <= {
        "right", "wrong", "flipped", "kept", "unchanged",
    }  # fmt: skip


def test_items_agree_with_the_findings() -> None:
    found = findings(Noise(), flipping(0.3), data(60))
    outcomes = Counter(i.outcome for i in items(Noise(), flipping(0.3), data(60)) if i.variant == "mix")
    rate = found["flip_rate", "mix"].estimate

    assert (outcomes["flipped"] + outcomes["kept"], outcomes["flipped"]) == (
        rate.n,
        round(rate.value * rate.n),
    )


def test_an_unchanged_text_has_the_answer_of_its_original() -> None:
    kept = items(Noise(), answering(lambda s: False, lower_cases=True), data(10))
    original = {i.example: i for i in kept if i.variant == "original"}
    loud = [i for i in kept if i.variant == "upper_case"]

    assert {"unchanged"} == {i.outcome for i in loud}
    assert [i.probabilities for i in loud] == [original[i.example].probabilities for i in loud]
    assert all(i.content != original[i.example].content for i in loud)


@pytest.mark.parametrize(("kinds", "bearer"), [(ALL, "mix"), (("lower_case", "upper_case"), "upper_case")])
def test_the_mix_or_else_the_worst_carries_the_picture_of_all_kinds(
    kinds: tuple[str, ...], bearer: str
) -> None:
    found = findings(Noise(kinds=kinds), answering(str.isupper), data(50))
    drawn = {name: f.series for (metric, name), f in found.items() if metric == "flip_rate" and f.series}

    assert {bearer} == set(drawn)
    assert "dots" == drawn[bearer].kind
    assert [(i, kind) for i, kind in enumerate(kinds)] == [(p.x, p.label) for p in drawn[bearer].points]
    assert all(p.low is not None and p.low <= p.y for p in drawn[bearer].points)


# --- parameters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Noise(kinds=("typo",)), "kinds: 'typo' is not a kind of noise; did you mean 'typos'?"),
        (lambda: Noise(kinds=()), r"kinds: cannot be \(\); name each kind once"),
        (lambda: Noise(kinds=("mix", "mix")), "name each kind once"),
        (lambda: Noise(severities=(0.0, 0.1)), r"give rates in \(0, 1\]"),
        (lambda: Noise(severities=(0.5, 1.5)), r"give rates in \(0, 1\]"),
        (lambda: Noise(severities=(0.2, 0.1)), "give each once, rising"),
        (lambda: Noise(severities=(0.1, 0.1)), "give each once, rising"),
        (lambda: Noise(typo_rate=0.0), r"give rates in \(0, 1\]"),
        (lambda: Noise(items=0), "give at least 1 of each"),
        (lambda: Noise(repeats=0), "give at least 1 of each"),
        (lambda: Noise(cases=-1), "give 0 or more"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(make: Callable[[], Noise], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^robustness.noise: .*{said}"):
        make()


def test_rates_with_many_digits_are_variants_of_their_own() -> None:
    probe = Noise(kinds=("mix",), severities=(0.05, 0.104, 0.125))
    variants = {item.variant for item in items(probe, flipping(0.3), data(3))}

    assert {"original", "mix", "typos", "typos@0.104", "typos@0.125"} == variants


def test_the_mix_of_the_probe_is_the_canonical_one() -> None:
    probe = Noise(kinds=("mix",), misspelling_rate=1.0, spaces=1, cases=50)
    found = findings(probe, flipping(1.0), data(40))
    shown = {case.example: case.changed for case in found["flip_rate", "mix"].cases}
    names = ("robustness.noise", "e7", "mix", "0")

    assert text.mix(f"{PROSE} 7", Seeds(0).rng(*names)) == shown["e7"]


# --- a real model -------------------------------------------------------------------------


@pytest.mark.model
def test_an_uncased_encoder_reads_no_case_and_trips_over_typos(shared: Path) -> None:
    with gzip.open(shared / "data/sst2/test.tsv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[:400]
    test = tuple(
        Example(id=str(i), text=row["content"], label=LABELS[int(row["label"])]) for i, row in enumerate(rows)
    )
    encoder = open_subject(
        ModelSpec(kind="fine-tuned", source="models/sst2-minilm"),
        labels=LABELS,
        pair=False,
        prompt=None,
        base=shared,
        cache=Cache(None),
        ledger=Ledger(),
    )
    probe = Noise(items=60, kinds=("upper_case", "spacing", "typos"), typo_rate=0.3, severities=(0.5,))
    results = list(probe.run(encoder, Data(labels=LABELS, test=test), Seeds(7)))
    found = {(f.metric, f.slice): f.estimate for f in results if isinstance(f, Finding)}
    untested = {s.reason.partition(":")[0] for s in results if isinstance(s, Skip)}

    assert {"upper_case", "spacing"} == untested
    assert found["changed_rate", "typos"].value > 0.9
    assert found["flip_rate", "typos"].low > 0.05
    assert found["accuracy_drop", "typos"].low > 0
    assert found["severity_retention", "all"].high < 0.95
