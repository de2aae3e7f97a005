"""Two runs are compared on the items that both have, and the difference has the interval of pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import pairing, stats
from audit.errors import DataError
from audit.schema import Finding, Item, Skip

LABELS = ("negative", "positive")


def item(
    number: int,
    right: bool,
    *,
    sure: float = 0.8,
    probe: str = "calibration.confidence",
    variant: str = "original",
    content: str = "",
    label: str | None = "positive",
    outcome: str = "right",
) -> Item:
    predicted = "positive" if right else "negative"
    probabilities = (1 - sure, sure) if right else (sure, 1 - sure)
    return Item(
        example=f"e{number:03}",
        content=content or f"c{number}",
        probe=probe,
        variant=variant,
        label=label,
        predicted=predicted,
        probabilities=probabilities,
        outcome=outcome,
    )


def found(base: list[Item], candidate: list[Item]) -> dict[tuple[str, str], Finding]:
    results = pairing.findings(pairing.pair(base, candidate), LABELS)
    return {(one.metric, one.slice): one for one in results if isinstance(one, Finding)}


def runs(both: int, gained: int, lost: int, neither: int) -> tuple[list[Item], list[Item]]:
    rows = (
        [(True, True)] * both + [(False, True)] * gained + [(True, False)] * lost + [(False, False)] * neither
    )
    return [item(i, a) for i, (a, _) in enumerate(rows)], [item(i, b) for i, (_, b) in enumerate(rows)]


def test_the_difference_is_that_of_pairs_and_mcnemar_tests_it() -> None:
    one = found(*runs(70, 10, 2, 18))["accuracy_difference", "all"]

    assert pytest.approx(0.08) == one.estimate.value
    assert (100, "Newcombe, paired") == (one.estimate.n, one.estimate.method)
    assert 0.03857 == round(one.p or 0, 5)  # 10 against 2, METHODS' vector
    assert "gained 10 right answers and lost 2" in one.note
    assert ["e080", "e081"] == [case.example for case in one.cases]


@given(st.tuples(*[st.integers(0, 40)] * 4))
def test_turned_round_the_difference_changes_its_sign(counts: tuple[int, int, int, int]) -> None:
    both, gained, lost, neither = counts
    if not sum(counts):
        return
    there = found(*runs(both, gained, lost, neither))["accuracy_difference", "all"].estimate
    back = found(*runs(both, lost, gained, neither))["accuracy_difference", "all"].estimate

    assert pytest.approx(-back.value) == there.value
    assert pytest.approx((-back.high, -back.low)) == (there.low, there.high)


def test_equal_runs_differ_in_nothing() -> None:
    same = [item(i, i % 3 > 0) for i in range(60)]
    results = found(same, same)

    assert 0.0 == results["accuracy_difference", "all"].estimate.value
    assert (
        results["accuracy_difference", "all"].estimate.low
        < 0
        < results["accuracy_difference", "all"].estimate.high
    )
    assert 0.0 == results["disagreement", "all"].estimate.value
    brier = results["brier_difference", "all"].estimate
    assert (0.0, stats.share(0, 60).high) == (brier.value, brier.high)


def test_a_candidate_that_is_surer_of_the_same_wrong_answers_has_a_worse_brier_score() -> None:
    base = [item(i, i % 2 > 0, sure=0.6) for i in range(80)]
    worse = [item(i, i % 2 > 0, sure=0.95) for i in range(80)]
    one = found(base, worse)["brier_difference", "all"]

    expected = np.mean([0.05**2 - 0.4**2, 0.95**2 - 0.6**2])
    assert pytest.approx(expected) == one.estimate.value
    assert one.estimate.low > 0


def test_only_items_of_the_same_id_and_content_are_paired() -> None:
    base = [item(i, True) for i in range(10)]
    candidate = [item(i, True, content="another" if i < 4 else "") for i in range(2, 12)]
    one = found(base, candidate)["accuracy_difference", "all"]

    assert 6 == one.estimate.n
    assert "8 items are in one run only" in one.note


def test_runs_without_a_common_item_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="no item in common"):
        pairing.pair([item(1, True)], [item(2, True)])


def test_items_without_a_label_and_answers_under_other_prompts_are_not_compared() -> None:
    plain = [item(1, True)]
    strange = [item(2, True, probe="context.position", variant="a"), item(3, True, label=None)]
    (one,) = pairing.pair([*plain, *strange], [*plain, *strange])

    assert ("all", 1) == (one.slice, len(one.base))


def test_attacks_are_compared_by_what_survives_though_their_texts_differ() -> None:
    def attack(number: int, kept: bool, content: str) -> Item:
        return item(
            number,
            kept,
            probe="robustness.adversarial",
            variant="pruthi",
            content=content,
            outcome="kept" if kept else "flipped",
        )

    base = [attack(i, i < 10, f"b{i}") for i in range(40)]
    candidate = [attack(i, i < 30, f"c{i}") for i in range(40)]
    one = found(base, candidate)["survival_difference", "robustness.adversarial pruthi"]

    assert (pytest.approx(0.5), 40) == (one.estimate.value, one.estimate.n)
    assert "30 answers of the candidate survive the attack and 10 of the base" in one.note


def test_the_texts_of_lost_examples_are_shown_where_they_are_known() -> None:
    one = found(*runs(5, 0, 2, 0))["accuracy_difference", "all"]
    shown = pairing.texts_of({"e005": "a fine film"}, one)

    assert ["a fine film", "(example e006)"] == [case.text for case in shown.cases]


def test_one_item_has_no_spread() -> None:
    results = pairing.findings(pairing.pair([item(1, True)], [item(1, False)]), LABELS)

    assert ["brier_difference"] == [one.metric for one in results if isinstance(one, Skip)]
