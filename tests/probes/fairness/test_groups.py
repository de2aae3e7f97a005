"""Planted gaps between groups are found with their size, an even model is left alone, empty is not green."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from audit import gate
from audit.errors import ConfigError
from audit.schema import Data, Example, Facts, Finding, Item, Rule, Scores, Skip, Subject, Text
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, check_probe, coin, constant, findings, hashed, sample_data, subject
from probes.fairness.group_gaps import ANSWERED, RANKED
from probes.fairness.groups import Groups

QUICK = Groups(draws=100)


def data(
    n: int, groups: Callable[[int], Mapping[str, str]], label: Callable[[int], int] = lambda i: i % 2
) -> Data:
    """Texts that say their number, label and groups."""
    test = tuple(
        Example(
            id=f"e{i}",
            text=f"{i} {LABELS[label(i)]} {' '.join(groups(i).values())}",
            label=LABELS[label(i)],
            groups=groups(i),
        )
        for i in range(n)
    )
    return Data(labels=LABELS, test=test)


def halves(i: int) -> dict[str, str]:
    return {"sex": "women" if i // 2 % 2 else "men"}


def crossed(i: int) -> dict[str, str]:
    return {**halves(i), "age": "old" if i // 4 % 2 else "young"}


def erring(share: Callable[[str], float], seed: int = 0) -> Planted:
    """A model that is wrong in the share of texts that the text itself names, 0.8 sure of all."""

    def positive(text: Text) -> float:
        assert isinstance(text, str)
        wrong = coin(text, seed) < share(text)
        return 0.8 if ("positive" in text) != wrong else 0.2

    return Planted(positive=positive)


def even(seed: int = 0) -> Planted:
    return erring(lambda text: 0.1, seed)


def outcomes(probe: Groups, model: Planted, given: Data) -> list[Finding | Skip]:
    results = probe.run(subject(model), given, Seeds(0))
    return [result for result in results if not isinstance(result, Item)]


def skips(probe: Groups, model: Planted, given: Data) -> dict[tuple[str | None, str | None], Skip]:
    return {(s.metric, s.slice): s for s in outcomes(probe, model, given) if isinstance(s, Skip)}


# --- planted faults -----------------------------------------------------------------------


def test_a_planted_gap_is_found_with_its_size_and_an_even_model_is_left_alone() -> None:
    given = data(1200, halves)
    uneven = erring(lambda text: 0.3 if "women" in text else 0.05)
    found, clean = findings(QUICK, uneven, given), findings(QUICK, even(), given)

    gap = found["accuracy_gap", "sex"]
    assert gap.estimate.low <= 0.25 <= gap.estimate.high
    assert gap.estimate.high - gap.estimate.low < 0.12
    worst = found["worst_group_gap", "sex"].estimate
    assert worst.low <= 0.125 <= worst.high
    odds = found["equalized_odds_excess", "sex"].estimate
    assert 0.15 < odds.value < 0.3
    assert {1 / 101} == {
        found[m, "sex"].p for m in ("accuracy_gap", "worst_group_gap", "equalized_odds_excess")
    }
    assert 600 == gap.estimate.n
    assert clean["accuracy_gap", "sex"].estimate.low == 0
    assert all(f.p is not None and f.p > 0.01 for f in clean.values())
    assert abs(clean["accuracy_gap_excess", "sex"].estimate.value) < 0.03


def test_the_excess_is_the_gap_less_its_mean_under_chance() -> None:
    found = findings(QUICK, erring(lambda text: 0.3 if "women" in text else 0.05), data(600, halves))
    gap, excess = found["accuracy_gap", "sex"].estimate, found["accuracy_gap_excess", "sex"].estimate

    assert 0.005 < gap.value - excess.value < 0.04
    assert pytest.approx(gap.high - excess.high) == gap.value - excess.value


def test_a_fault_that_only_an_intersection_shows_is_found_there() -> None:
    def wrong(text: str) -> float:
        return 0.4 if ("women" in text) == ("old" in text) else 0.0

    found = findings(QUICK, erring(wrong), data(1200, crossed))

    assert found["accuracy_gap", "sex"].estimate.high < 0.15
    assert found["accuracy_gap", "age"].estimate.high < 0.15
    together = found["accuracy_gap", "age × sex"]
    assert together.estimate.low > 0.3
    assert {"age", "sex", "age × sex"} == {name for _, name in found}
    picture = found["worst_group_gap", "age × sex"].series
    assert picture is not None
    assert 4 == len(picture.points)


def test_negatives_of_a_group_that_score_high_lower_its_bpsn_area() -> None:
    def positive(text: Text) -> float:
        assert isinstance(text, str)
        level = 0.6 if "positive" in text else 0.3 if "women" not in text else 0.5
        return level + 0.2 * coin(text)

    found = findings(QUICK, Planted(positive=positive), data(800, halves))

    gap = found["bpsn_auc_gap", "sex"]
    # of women one negative in eight outscores a positive of men; of all negatives one in sixteen
    assert gap.estimate.low <= 1 / 16 <= gap.estimate.high
    assert gap.estimate.low > 0.02
    assert 1 / 101 == gap.p
    assert "AUC" == gap.unit


def test_unequal_base_rates_are_no_fault_of_the_model() -> None:
    def label(i: int) -> int:
        return int(coin(i) < (0.8 if i // 2 % 2 else 0.3))

    found = findings(QUICK, erring(lambda text: 0.0), data(1600, halves, label))
    parity = found["demographic_parity_difference", "sex"]

    assert parity.estimate.value > 0.4
    assert "neither" == parity.better
    assert 1.0 == parity.p
    assert "no fault by itself" in parity.note
    assert found["equalized_odds_excess", "sex"].estimate.value == 0


def test_confidence_that_means_less_for_one_group_is_found() -> None:
    given = data(800, halves)
    found = findings(QUICK, erring(lambda text: 0.3 if "women" in text else 0.05), given)
    gap = found["calibration_gap", "sex"].estimate

    assert gap.low <= 0.25 <= gap.high
    assert gap.low > 0.1


def test_cases_are_errors_of_the_worst_group() -> None:
    found = findings(QUICK, erring(lambda text: 0.3 if "women" in text else 0.05), data(600, halves))
    cases = found["worst_group_gap", "sex"].cases

    assert 5 == len(cases)
    assert all("women" in case.text and case.before != case.label for case in cases)
    assert {"sex: women"} == {case.note for case in cases}


def test_every_p_stands_beside_its_corrected_form() -> None:
    gone = findings(QUICK, erring(lambda text: 0.3 if "women" in text else 0.05), data(800, crossed))
    found = list(gone.values())
    said = [
        re.search(r"p ([\d.e-]+).*among all (\d+) gaps \(Benjamini-Hochberg\) ([\d.e-]+)$", one.note)
        for one in found
    ]

    expected = multipletests([one.p for one in found], method="fdr_bh")[1]
    for one, match, q in zip(found, said, expected, strict=True):
        assert match is not None and one.p is not None
        assert pytest.approx(one.p, rel=0.01) == float(match[1])
        assert str(len(found)) == match[2]
        assert pytest.approx(q, rel=0.01) == float(match[3])
    assert any(float(q) > one.p for one, q in zip(found, expected, strict=True) if one.p)


# --- what cannot turn green ---------------------------------------------------------------


def test_a_model_of_one_answer_has_no_gap_that_looks_fair() -> None:
    given = data(400, halves)

    assert {} == findings(QUICK, constant(), given)
    reasons = skips(QUICK, constant(), given)
    assert set(ANSWERED) | set(RANKED) == {metric for metric, _ in reasons}
    assert "no evidence of fairness" in reasons["accuracy_gap", "sex"].reason
    assert all(skip.applicable for skip in reasons.values())


def test_a_model_no_better_than_one_answer_is_flagged() -> None:
    found = findings(QUICK, erring(lambda text: 0.6), data(400, halves))

    assert all("no evidence of fairness" in found[metric, "sex"].note for metric in ANSWERED)
    assert (
        "no evidence of fairness"
        not in findings(QUICK, even(), data(400, halves))["worst_group_gap", "sex"].note
    )


def test_without_group_columns_the_skip_names_the_key() -> None:
    given = data(60, lambda i: {})
    [skip] = outcomes(QUICK, even(), given)

    assert isinstance(skip, Skip)
    assert "data.groups" in skip.reason


def test_a_column_that_is_not_there_is_named() -> None:
    reasons = skips(replace(QUICK, columns=("sex", "creed")), even(), data(400, halves))

    assert "'creed'" in reasons[None, "creed"].reason


def test_columns_choose() -> None:
    found = findings(replace(QUICK, columns=("age",)), even(), data(800, crossed))

    assert {"age"} == {name for _, name in found}


def test_small_groups_are_shown_and_not_compared() -> None:
    def groups(i: int) -> dict[str, str]:
        return {"sex": "others"} if i < 12 else halves(i)

    wrong_of_few = erring(lambda text: 1.0 if "others" in text else 0.05)
    gap = findings(QUICK, wrong_of_few, data(600, groups))["worst_group_gap", "sex"]

    assert gap.estimate.high < 0.1
    assert "too few to be compared: others" in gap.note
    assert gap.series is not None
    [few] = [point for point in gap.series.points if point.label == "others (n=12)"]
    assert few.y == 0
    assert few.high is not None
    assert few.high > 0.2


def test_too_few_of_all_groups_is_a_skip_with_the_sizes() -> None:
    reasons = skips(QUICK, even(), data(80, halves))

    assert "men 40, women 40" in reasons["accuracy_gap", "sex"].reason
    assert reasons["accuracy_gap", "sex"].applicable


def test_small_intersections_do_not_spoil_the_verdict_of_columns() -> None:
    given = data(300, crossed)
    rule = Rule(probe="fairness.groups", metric="accuracy_gap", slice="worst", max=0.5)
    [verdict] = gate.judge([rule], outcomes(QUICK, even(), given), today=datetime.date(2026, 1, 1))

    assert not skips(QUICK, even(), given)["accuracy_gap", "age × sex"].applicable
    assert "PASS" == verdict.status


def test_a_single_group_has_nobody_to_compare_with() -> None:
    reasons = skips(QUICK, even(), data(300, lambda i: {"sex": "women"}))

    assert "nobody to compare" in reasons["accuracy_gap", "sex"].reason
    assert not reasons["accuracy_gap", "sex"].applicable


def test_a_group_without_one_label_is_in_no_rate_of_that_label() -> None:
    def label(i: int) -> int:
        return 1 if i // 2 % 2 else i % 2  # women are all positive

    given = data(800, halves, label)
    reasons = skips(QUICK, even(), given)

    assert ("equalized_odds_excess", "sex") in reasons
    assert ("subgroup_auc_gap", "sex") not in reasons  # men have both
    assert ("accuracy_gap", "sex") in findings(QUICK, even(), given)


def test_copies_of_a_text_count_once() -> None:
    given = data(400, halves)
    doubled = replace(given, test=given.test + tuple(replace(one, id=f"{one.id}'") for one in given.test))

    once, twice = (findings(QUICK, even(), one)["accuracy_gap", "sex"].estimate for one in (given, doubled))
    assert once == twice


def test_examples_without_a_group_are_counted_in_the_note() -> None:
    found = findings(QUICK, even(), data(500, lambda i: {} if i < 30 else halves(i)))

    assert "30 examples have no group" in found["accuracy_gap", "sex"].note


class Three:
    """A classifier of three labels that is right in 9 of 10, of the third label for women in half."""

    labels = ("low", "middle", "high")

    def score(self, texts: list[Text]) -> Scores:
        """Answer by the words of the text."""
        rows = np.full((len(texts), 3), 0.1)
        for i, text in enumerate(texts):
            assert isinstance(text, str)
            right = self.labels.index(text.split()[1])
            share = 0.5 if right == 2 and "women" in text else 0.1
            rows[i, (right + 1) % 3 if coin(text) < share else right] = 0.8
        return Scores(probabilities=rows, truncated=np.zeros(len(texts), dtype=np.bool_))

    def fingerprint(self, texts: list[Text]) -> list[bytes]:
        """Hash the texts."""
        return [str(text).encode() for text in texts]


def test_with_three_labels_the_worst_of_one_against_the_rest_counts() -> None:
    labels = Three.labels
    test = tuple(
        Example(id=f"e{i}", text=f"{i} {labels[i % 3]} {sex}", label=labels[i % 3], groups={"sex": sex})
        for i in range(1200)
        for sex in [("women", "men")[i // 3 % 2]]
    )
    asked = Subject(classifier=Three(), facts=Facts(kind="fine-tuned", source="planted"))  # type: ignore[arg-type]  # lists only
    results = list(QUICK.run(asked, Data(labels=labels, test=test), Seeds(0)))
    found = {f.metric: f for f in results if isinstance(f, Finding)}
    lacking = [s for s in results if isinstance(s, Skip)]

    assert "true positive rate of 'high'" in found["equalized_odds_excess"].note
    assert found["equalized_odds_excess"].estimate.value == pytest.approx(0.38, abs=0.1)
    assert set(RANKED) == {s.metric for s in lacking}
    assert not any(s.applicable or s.slice for s in lacking)


# --- contract -----------------------------------------------------------------------------


def test_the_probe_keeps_the_contract() -> None:
    check_probe(Groups(), path="probes.fairness.groups")
    check_probe(Groups(least=5, draws=100), path="probes.fairness.groups")


def test_the_sample_is_measured_where_few_are_enough() -> None:
    found = findings(Groups(least=5, draws=100), hashed(), sample_data())

    assert {"side"} == {name for _, name in found}
    assert set(ANSWERED) | set(RANKED) == {metric for metric, _ in found}
    assert all(f.estimate.low < f.estimate.high for f in found.values())


def test_every_answer_is_an_item() -> None:
    results = list(QUICK.run(subject(even()), data(60, halves), Seeds(0)))

    assert 60 == sum(isinstance(result, Item) for result in results)


@pytest.mark.parametrize(
    "bad", [{"least": 1}, {"draws": 99}, {"cases": -1}, {"columns": ("sex", "sex")}], ids=str
)
def test_bad_parameters_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        Groups(**bad)  # type: ignore[arg-type]  # that is the test


def test_a_positive_label_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'positive'"):
        outcomes(replace(QUICK, positive="positiv"), even(), data(400, halves))


def test_either_label_can_be_the_positive_one() -> None:
    given = data(800, halves)
    here, there = (findings(replace(QUICK, positive=label), even(), given) for label in LABELS)
    # true positives of one label are the true negatives of the other
    assert here["equalized_odds_excess", "sex"].estimate.value == pytest.approx(
        there["equalized_odds_excess", "sex"].estimate.value
    )
