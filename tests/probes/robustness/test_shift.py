"""Planted models: the probe finds the loss that is there, and cannot be fooled into a green one."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit.errors import ConfigError
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.load import open_subject
from audit.models.spec import ModelSpec
from audit.schema import Data, Example, Facts, Finding, Item, Scores, Skip, Subject, Text
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, check_probe, coin, constant, findings, prompted, subject
from probes.robustness.shift import COMPARED, DROPS, OWN, TOLD, Shift

FILM, KITCHEN = ("film", "plot", "actor", "scene"), ("kettle", "lid", "cable", "charger")
QUICK = Shift(draws=100)


def domain(words: Sequence[str], n: int, *, positive: float = 0.5, mark: str = "") -> tuple[Example, ...]:
    """Texts of two of the words and a number; the first are negative, a share of `positive` is positive."""

    def word(i: int, place: int) -> str:
        return words[int(coin((mark, i, place)) * len(words))]

    return tuple(
        Example(
            id=f"e{i}",
            text=f"the {word(i, 0)} and the {word(i, 1)} {mark}{i}",
            label=LABELS[int(i >= round((1 - positive) * n))],
        )
        for i in range(n)
    )


def data(
    n: int = 200, *, words: Sequence[str] = KITCHEN, positive: float = 0.5, name: str = "kitchen"
) -> Data:
    away = domain(words, n, positive=positive, mark="k")
    return Data(labels=LABELS, test=domain(FILM, n, mark="f"), shifts={name: away})


def is_film(text: Text) -> bool:
    return str(text).rsplit(maxsplit=1)[-1].startswith("f")


def knowing(
    given: Data,
    accuracy: Callable[[Text, str], float],
    *,
    confidence: Callable[[Text], float] = lambda text: 0.9,
    seed: int = 0,
) -> Planted:
    """A model that is right with a probability that depends on the text and its label."""
    everything = [*given.test, *(example for shift in given.shifts.values() for example in shift)]
    truth = {example.input: str(example.label) for example in everything}

    def positive(text: Text) -> float:
        right = coin(text, seed) < accuracy(text, truth[text])
        claimed = confidence(text)
        return claimed if (truth[text] == LABELS[1]) == right else 1 - claimed

    return Planted(positive=positive)


def losing(given: Data, here: float, there: float, seed: int = 0) -> Planted:
    return knowing(given, lambda text, label: here if is_film(text) else there, seed=seed)


def skips(probe: Shift, model: Planted, given: Data) -> dict[tuple[str | None, str | None], Skip]:
    return outcomes(probe, model, given)[1]


def outcomes(
    probe: Shift, model: Planted, given: Data
) -> tuple[dict[tuple[str, str], Finding], dict[tuple[str | None, str | None], Skip]]:
    """Findings and skips of one run."""
    results = list(probe.run(subject(model), given, Seeds(0)))
    return (
        {(f.metric, f.slice): f for f in results if isinstance(f, Finding)},
        {(s.metric, s.slice): s for s in results if isinstance(s, Skip)},
    )


def items(probe: Shift, model: Planted, given: Data) -> list[Item]:
    return [r for r in probe.run(subject(model), given, Seeds(0)) if isinstance(r, Item)]


class Logits(Planted):
    """Gives logits that are larger for the test set's texts."""

    def score(self, texts: Sequence[Text]) -> Scores:
        plain = super().score(texts)
        assert plain.logits is not None
        return replace(plain, logits=plain.logits + np.array([[5.0 if is_film(t) else 1.0] for t in texts]))


# --- the contract -------------------------------------------------------------------------


def test_the_probe_keeps_the_contract() -> None:
    check_probe(Shift(), path="probes.robustness.shift")


def test_the_order_of_examples_and_domains_changes_nothing() -> None:
    given = replace(data(40), shifts={**data(40).shifts, "other": domain(("sea", "hill"), 40, mark="o")})
    shifts = {name: given.shifts[name][::-1] for name in ("other", "kitchen")}
    turned = replace(given, test=given.test[::-1], shifts=shifts)
    model, probe = losing(given, 0.9, 0.7), Shift(draws=100, items=30)

    assert list(probe.run(subject(model), given, Seeds(3))) == list(
        probe.run(subject(model), turned, Seeds(3))
    )


# --- planted faults -----------------------------------------------------------------------


def test_a_planted_drop_lies_in_its_interval() -> None:
    given = data(400)
    found = findings(QUICK, losing(given, 0.9, 0.7), given)
    drop = found["accuracy_drop", "kitchen"].estimate

    assert drop.low <= 0.2 <= drop.high
    assert drop.low > 0.1
    assert 400 == drop.n
    assert found["accuracy", "kitchen"].estimate.low <= 0.7 <= found["accuracy", "kitchen"].estimate.high
    gain = found["accuracy_gain", "kitchen"].estimate
    assert gain.low <= 0.2 <= gain.high


def test_a_model_that_loses_nothing_has_a_drop_about_zero() -> None:
    given = data(300)
    found = findings(QUICK, losing(given, 0.85, 0.85), given)

    for metric in ("accuracy_drop", "remaining_drop", "label_shift_drop"):
        estimate = found[metric, "kitchen"].estimate
        assert estimate.low <= 0 <= estimate.high
        assert estimate.high < 0.1


def test_a_model_that_is_better_away_has_a_negative_drop() -> None:
    given = data(100)

    assert findings(QUICK, losing(given, 0.6, 0.9), given)["accuracy_drop", "kitchen"].estimate.high < 0


def test_a_drop_by_another_mix_of_labels_is_explained() -> None:
    given = data(400, positive=0.9)
    model = knowing(given, lambda text, label: 0.95 if label == "negative" else 0.55)
    found = findings(QUICK, model, given)
    drop, mix, rest = (found[m, "kitchen"].estimate for m in ("accuracy_drop", *DROPS[1:3]))
    # half and half 0.75, one in ten negative 0.59: all of it is the mix

    assert mix.low <= 0.16 <= mix.high
    assert mix.low > 0.08
    assert rest.low <= 0 <= rest.high
    assert drop.value == pytest.approx(mix.value + rest.value)


def test_confidence_that_stays_where_accuracy_falls_is_found() -> None:
    given = data(300)
    found = findings(QUICK, losing(given, 0.9, 0.65), given)
    error, rise = found["ece_debiased", "kitchen"].estimate, found["ece_rise", "kitchen"].estimate

    assert error.low <= 0.25 <= error.high
    assert error.low > 0.15
    assert rise.low <= 0.25 <= rise.high
    assert rise.low > 0.1


def test_calibration_that_holds_everywhere_does_not_rise() -> None:
    given = data(200)
    rise = findings(QUICK, losing(given, 0.9, 0.9), given)["ece_rise", "kitchen"].estimate

    assert rise.low <= 0 <= rise.high


def test_foreign_texts_are_told_by_a_lower_confidence() -> None:
    given = data(150)
    model = knowing(
        given,
        lambda text, label: 0.9,
        confidence=lambda text: 0.6 + 0.3 * coin(text, 5) + 0.1 * is_film(text),
    )
    found = findings(QUICK, model, given)
    auroc, fpr = found["ood_auroc", "kitchen"].estimate, found["ood_fpr95", "kitchen"].estimate
    # uniforms of width 0.3, one third of a width apart: 1 - (2/3)² / 2, and 1 - 1/3 - 0.05

    assert auroc.low <= 1 - 4 / 18 <= auroc.high
    assert fpr.low <= 2 / 3 - 0.05 <= fpr.high


def test_foreign_texts_are_told_by_energy_where_there_are_logits() -> None:
    given = data(40)
    plain = losing(given, 0.9, 0.9)
    found = findings(QUICK, Logits(positive=plain.positive), given)

    assert 1.0 == found["ood_auroc_energy", "kitchen"].estimate.value
    assert 0.0 == found["ood_fpr95_energy", "kitchen"].estimate.value
    assert found["ood_fpr95_energy", "kitchen"].estimate.high > 0
    assert found["ood_auroc", "kitchen"].estimate.low <= 0.5 <= found["ood_auroc", "kitchen"].estimate.high


def test_without_logits_there_is_no_energy() -> None:
    skipped = skips(QUICK, losing(data(40), 0.9, 0.9), data(40))

    assert {"ood_auroc_energy", "ood_fpr95_energy", "effective_robustness"} == {m for m, _ in skipped}
    assert not skipped["ood_auroc_energy", "kitchen"].applicable


def test_withholding_what_is_uncertain_helps_a_mixed_stream() -> None:
    given = data(60)
    sure = knowing(
        given,
        lambda text, label: 1.0 if is_film(text) else 0.6,
        confidence=lambda text: 0.95 if is_film(text) else 0.7,
    )
    found = findings(Shift(draws=100, coverage=0.5), sure, given)["selective_accuracy", "kitchen"]

    assert 1.0 == found.estimate.value
    assert found.estimate.low < 1
    assert "60 test texts and 60 of the domain" in found.note


# --- evidence of shift --------------------------------------------------------------------


def test_other_words_are_evidence_of_shift() -> None:
    auc = findings(QUICK, losing(data(40), 0.9, 0.7), data(40))["domain_auc", "kitchen"]

    assert auc.estimate.value > 0.99
    assert "Words tell the domain" in auc.note


def test_no_drop_is_claimed_where_there_is_no_measurable_shift() -> None:
    given = data(100, words=FILM)
    model = losing(given, 0.9, 0.6)
    found, skipped = outcomes(QUICK, model, given)
    auc = found["domain_auc", "kitchen"]

    assert auc.estimate.low <= 0.5 <= auc.estimate.high
    assert "No measurable shift" in auc.note
    assert {(metric, "kitchen") for metric in (*COMPARED, *TOLD)} == set(skipped)
    assert not any(skip.applicable for skip in skipped.values())
    assert "on the test set" in skipped["accuracy_drop", "kitchen"].reason
    assert {*OWN, "domain_auc", "worst_domain_accuracy"} == {metric for metric, _ in found}


def test_the_limit_of_evidence_is_a_parameter() -> None:
    given = data(60, words=(*FILM[:3], "kettle"))
    auc = findings(QUICK, losing(given, 0.9, 0.7), given)["domain_auc", "kitchen"].estimate.value
    below, above = Shift(draws=100, evidence=auc - 0.01), Shift(draws=100, evidence=auc + 0.01)

    assert ("accuracy_drop", "kitchen") in findings(below, losing(given, 0.9, 0.7), given)
    assert ("accuracy_drop", "kitchen") in skips(above, losing(given, 0.9, 0.7), given)


def test_texts_that_stand_in_both_domains_are_counted() -> None:
    given = data(40)
    copied = (*given.shifts["kitchen"], *(replace(e, id=f"c{e.id}") for e in given.test[:7]))
    found = findings(QUICK, losing(given, 0.9, 0.7), replace(given, shifts={"kitchen": copied}))

    assert "7 different texts stand in both" in found["domain_auc", "kitchen"].note


# --- several domains ----------------------------------------------------------------------


def three(n: int = 60) -> Data:
    return replace(data(n), shifts={**data(n).shifts, "sea": domain(("sea", "hill"), n, mark="s")})


def test_the_worst_domain_is_named_and_drawn_beside_the_others() -> None:
    given = three()
    model = knowing(
        given, lambda text, label: 0.9 if is_film(text) else 0.6 if "sea" in text or "hill" in text else 0.8
    )
    found = findings(QUICK, model, given)
    worst = found["worst_domain_accuracy", "all"]

    assert "that of sea" in worst.note
    assert worst.estimate.value == found["accuracy", "sea"].estimate.value
    assert worst.estimate.low < found["accuracy", "sea"].estimate.low
    assert worst.series is not None
    assert ["test", "kitchen", "sea"] == [point.label for point in worst.series.points]


def test_a_domain_may_be_called_test() -> None:
    given = data(20, name="test")
    worst = findings(QUICK, losing(given, 0.9, 0.6), given)["worst_domain_accuracy", "all"]

    assert worst.series is not None
    assert ["test set", "test"] == [point.label for point in worst.series.points]


def test_domains_may_use_the_same_ids() -> None:
    kept = items(QUICK, losing(three(40), 0.9, 0.6), three(40))
    keys = {(item.example, item.variant) for item in kept}

    assert 120 == len(kept) == len(keys)
    assert {"original", "shifts.kitchen", "shifts.sea"} == {item.variant for item in kept}
    assert {"right", "wrong"} == {item.outcome for item in kept}


def test_an_empty_domain_is_told_and_the_others_are_measured() -> None:
    given = replace(data(40), shifts={**data(40).shifts, "void": ()})
    found, skipped = outcomes(QUICK, losing(data(40), 0.9, 0.6), given)

    assert (None, "void") in skipped
    assert ("accuracy_drop", "kitchen") in found


# --- effective robustness -----------------------------------------------------------------

LINE = {f"m{i}": (0.5 + 0.08 * i, 0.4 + 0.08 * i) for i in range(6)}


def test_a_model_above_the_line_of_the_known_ones_is_effectively_robust() -> None:
    given = data(300)
    probe = Shift(draws=100, known={"kitchen": LINE})
    found = findings(probe, losing(given, 0.8, 0.85), given)["effective_robustness", "kitchen"]

    assert found.estimate.low <= 0.15 <= found.estimate.high
    assert found.estimate.low > 0.03
    assert "6 known models" in found.note


def test_four_known_models_are_no_line() -> None:
    probe = Shift(draws=100, known={"kitchen": dict(list(LINE.items())[:4])})
    skip = skips(probe, losing(data(30), 0.8, 0.8), data(30))["effective_robustness", "kitchen"]

    assert skip.applicable
    assert "5 models" in skip.reason
    assert "known.kitchen" in skip.reason


def test_known_models_of_a_domain_that_is_not_there_are_told() -> None:
    skipped = skips(Shift(draws=100, known={"kitchn": LINE}), losing(data(30), 0.8, 0.8), data(30))

    assert "no domain of data.shifts" in skipped["effective_robustness", "kitchn"].reason


# --- nothing green by accident ------------------------------------------------------------


@pytest.mark.parametrize(("here", "there"), [(1.0, 1.0), (1.0, 0.5), (0.5, 1.0), (0.0, 0.0)])
def test_no_interval_is_a_point(here: float, there: float) -> None:
    given = data(40)
    found = findings(QUICK, losing(given, here, there), given)

    assert [] == [key for key, f in found.items() if f.estimate.low == f.estimate.high]


def test_a_constant_model_has_no_drop_and_no_gain() -> None:
    given = data(40, positive=0.8)
    found, skipped = outcomes(QUICK, constant(), given)

    assert set(DROPS) <= {metric for metric, _ in skipped}
    assert all(skipped[metric, "kitchen"].applicable for metric in DROPS)
    assert 0.0 == found["accuracy_gain", "kitchen"].estimate.value
    assert 0.5 == found["ood_auroc", "kitchen"].estimate.value


def test_a_label_that_the_domain_lacks_leaves_the_drop_without_parts() -> None:
    given = data(40, positive=1.0)
    found, skipped = outcomes(QUICK, losing(given, 0.9, 0.6), given)

    assert "no example of the label 'negative'" in skipped["remaining_drop", "kitchen"].reason
    assert ("label_shift_drop", "kitchen") in skipped
    assert ("accuracy_drop", "kitchen") in found


def test_a_domain_without_labels_has_evidence_and_detection_only() -> None:
    given = data(40)
    bare = tuple(replace(example, label=None) for example in given.shifts["kitchen"])
    model = Logits(positive=losing(given, 0.9, 0.6).positive)
    unlabelled = replace(given, shifts={"kitchen": bare})
    found, skipped = outcomes(QUICK, model, unlabelled)

    assert {"domain_auc", *TOLD} == {metric for metric, _ in found}
    assert {*OWN, *COMPARED, "worst_domain_accuracy"} == {metric for metric, _ in skipped}


def test_examples_without_a_label_are_left_out_of_a_labelled_domain() -> None:
    given = data(60)
    some = tuple(replace(e, label=None) if i < 20 else e for i, e in enumerate(given.shifts["kitchen"]))
    found = findings(QUICK, losing(given, 0.9, 0.6), replace(given, shifts={"kitchen": some}))

    assert 40 == found["accuracy", "kitchen"].estimate.n


def test_a_few_texts_have_an_accuracy_only() -> None:
    given = data(19)
    found, skipped = outcomes(QUICK, losing(given, 0.9, 0.6), given)

    assert {"accuracy", "accuracy_gain", "worst_domain_accuracy"} == {metric for metric, _ in found}
    assert {"domain_auc", "ece_debiased", *COMPARED, *TOLD} == {metric for metric, _ in skipped}
    assert "needs 20 different texts" in skipped["accuracy_drop", "kitchen"].reason


def test_one_text_is_no_domain() -> None:
    given = data(40)
    found = findings(
        QUICK, losing(given, 0.9, 0.6), replace(given, shifts={"kitchen": given.shifts["kitchen"][:1]})
    )

    assert 1 == found["accuracy", "kitchen"].estimate.n
    assert ("accuracy_drop", "kitchen") not in found


def test_copies_of_a_text_are_no_more_texts() -> None:
    given = data(60)
    model = losing(given, 0.8, 0.6)

    def thrice(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        return tuple(replace(e, id=f"{e.id}-{copy}") for e in examples for copy in range(3))

    copied = Data(labels=LABELS, test=thrice(given.test), shifts={"kitchen": thrice(given.shifts["kitchen"])})
    once, many = findings(QUICK, model, given), findings(QUICK, model, copied)

    assert set(once) == set(many)
    for key in (("accuracy_drop", "kitchen"), ("ood_auroc", "kitchen"), ("remaining_drop", "kitchen")):
        one, three = once[key].estimate, many[key].estimate
        assert one.value == pytest.approx(three.value)
        assert one.n == three.n == 60
        assert three.high - three.low > 0.85 * (one.high - one.low)


def test_odd_texts_survive() -> None:
    odd = ["", "  ", "\n", "🙂🙃", "مرحبا بالعالم", "!?…", "x" * 10_000, "a\tb\nc"]
    away = tuple(Example(id=f"{i}", text=odd[i % 8] + "!" * (i // 8), label=LABELS[i % 2]) for i in range(40))
    given = replace(data(40), shifts={"odd": away})
    found = findings(QUICK, Planted(positive=lambda text: coin(text, 3)), given)

    assert ("domain_auc", "odd") in found


def test_texts_without_a_word_have_no_evidence_of_shift() -> None:
    def blank(mark: str) -> tuple[Example, ...]:
        return tuple(Example(id=f"{mark}{i}", text=" " * (i + 1), label=LABELS[i % 2]) for i in range(30))

    given = Data(labels=LABELS, test=blank("a"), shifts={"blank": blank("b")})
    found = findings(QUICK, Planted(positive=lambda text: coin(text, 3)), given)

    assert 0.5 == found["domain_auc", "blank"].estimate.value


def test_pairs_of_texts_are_measured() -> None:
    given = data(40)
    second = tuple(replace(e, pair="so it is") for e in given.test)
    away = tuple(replace(e, pair="so it is") for e in given.shifts["kitchen"])
    model = Planted(positive=lambda text: coin(text, 3))
    found = findings(QUICK, model, replace(given, test=second, shifts={"kitchen": away}))

    assert found["domain_auc", "kitchen"].estimate.value > 0.9


# --- asking -------------------------------------------------------------------------------


class Counting(Planted):
    """Keeps how many texts each call asked."""

    def score(self, texts: Sequence[Text]) -> Scores:
        self.__dict__.setdefault("calls", []).append(len(texts))
        return super().score(texts)


def test_everything_is_asked_in_one_call_within_the_plan() -> None:
    model, probe, given = Counting(positive=lambda text: coin(text, 1)), Shift(items=50, draws=100), three(80)
    list(probe.run(subject(model), given, Seeds(0)))

    assert [150] == model.__dict__["calls"]
    assert 150 == probe.demand(given, Facts(kind="fine-tuned", source="x")).texts


def test_another_seed_draws_other_examples() -> None:
    given, probe = data(60), Shift(items=20, draws=100)
    model = losing(given, 0.9, 0.6)
    first, second = ({r.example for r in probe.run(subject(model), given, Seeds(s)) if isinstance(r, Item)}
                     for s in (0, 1))  # fmt: skip

    assert first != second


def test_a_prompted_model_is_asked_with_its_own_prompt() -> None:
    given = replace(data(40), train=domain(("tree",), 4))
    found = findings(QUICK, prompted(given), given)

    assert {"accuracy_drop", "ood_auroc"} <= {metric for metric, _ in found}
    assert found["accuracy_drop", "kitchen"].estimate.value > 0.1  # it knows the test set's labels alone


@pytest.mark.parametrize("given", [replace(data(5), shifts={}), replace(data(5), test=())])
def test_without_test_set_or_domains_all_is_skipped(given: Data) -> None:
    assert {(None, None)} == set(skips(Shift(), constant(), given))


def test_without_a_classifier_all_is_skipped() -> None:
    bare = Subject(classifier=None, facts=Facts(kind="in-context", source="x"))
    (only,) = Shift().run(bare, data(3), Seeds(0))

    assert isinstance(only, Skip)
    assert "a classifier" in only.reason


# --- what a reader sees -------------------------------------------------------------------


def test_cases_are_the_surest_errors_of_the_domain() -> None:
    given = data(40)
    cases = findings(Shift(draws=100, cases=3), losing(given, 0.9, 0.6), given)["accuracy", "kitchen"].cases

    assert 3 == len(cases)
    assert all(case.before != case.label for case in cases)
    assert all(not is_film(case.text) for case in cases)


def test_the_calibration_of_each_domain_is_drawn() -> None:
    series = findings(QUICK, losing(data(40), 0.9, 0.6), data(40))["ece_debiased", "kitchen"].series

    assert series is not None
    assert "reliability" == series.kind
    assert "kitchen" in series.title
    assert 40 == sum(point.n for point in series.points)


def test_cut_texts_are_told_beside_the_accuracy() -> None:
    class Cutting(Planted):
        def score(self, texts: Sequence[Text]) -> Scores:
            return replace(super().score(texts), truncated=np.array([not is_film(t) for t in texts]))

    model = Cutting(positive=losing(data(40), 0.9, 0.6).positive)

    assert "40 of 40, on the test set 0 of 40" in findings(QUICK, model, data(40))["accuracy", "kitchen"].note


# --- parameters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Shift(items=0), "items: cannot be 0; give at least 1"),
        (lambda: Shift(bins=1), "bins: cannot be 1"),
        (lambda: Shift(least=19), "least: cannot be 19; give at least 20"),
        (lambda: Shift(draws=99), "draws: cannot be 99"),
        (lambda: Shift(cases=-1), "cases: cannot be -1"),
        (lambda: Shift(evidence=0.4), "evidence: cannot be 0.4"),
        (lambda: Shift(evidence=1.0), "evidence: cannot be 1.0"),
        (lambda: Shift(coverage=0.0), "coverage: cannot be 0.0"),
        (lambda: Shift(coverage=1.1), "coverage: cannot be 1.1"),
        (lambda: Shift(known={"k": {"m": (1.0, 0.5)}}), "known: k: m: cannot be"),
        (lambda: Shift(known={"k": {"m": (80.0, 70.0)}}), "known: k: m: cannot be"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(make: Callable[[], Shift], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^robustness.shift: {said}"):
        make()


# --- a real model -------------------------------------------------------------------------


@pytest.mark.model
def test_film_sentences_and_kitchen_reviews_differ_for_a_real_encoder(shared: Path) -> None:
    with gzip.open(shared / "data/sst2/test.tsv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[:200]
    test = tuple(
        Example(id=str(i), text=row["content"], label=LABELS[int(row["label"])]) for i, row in enumerate(rows)
    )
    reviews = []
    for label in LABELS:
        place = shared / f"data/amazon_multidomain/kitchen.{label}.txt.gz"
        with gzip.open(place, "rt", encoding="utf-8") as file:
            reviews += [Example(id=f"{label}{i}", text=next(file).strip(), label=label) for i in range(40)]
    encoder = open_subject(
        ModelSpec(kind="fine-tuned", source="models/sst2-minilm"),
        labels=LABELS,
        pair=False,
        prompt=None,
        base=shared,
        cache=Cache(None),
        ledger=Ledger(),
    )
    given = Data(labels=LABELS, test=test, shifts={"kitchen": tuple(reviews)})
    results = list(Shift(items=60, draws=200).run(encoder, given, Seeds(7)))
    found = {(f.metric, f.slice): f.estimate for f in results if isinstance(f, Finding)}

    assert found["domain_auc", "kitchen"].low > 0.9
    assert found["accuracy", "kitchen"].value > 0.6
    assert {*TOLD, "accuracy_drop", "ece_rise"} <= {metric for metric, _ in found}
