"""The drop and its parts: by hand, by another method, and by simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from audit import stats
from audit.schema import Estimate, Example, Scores
from audit.testing import LABELS, constant
from probes.calibration.answers import Answers
from probes.robustness import drops, sides
from probes.robustness.drops import Known
from probes.robustness.sides import Pair, Side

Numbers = NDArray[Any]
ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.booleans()), min_size=1, max_size=40)


def side(mark: str, truth: Numbers, right: Numbers) -> Side:
    """Answers that are right where it says so."""
    examples = tuple(
        Example(id=f"{mark}{i}", text=f"{mark} {i}", label=LABELS[t]) for i, t in enumerate(truth)
    )
    said = np.where(right == 1, truth, 1 - truth)
    scores = Scores(
        probabilities=np.where(np.eye(2)[said] == 1, 0.9, 0.1), truncated=np.zeros(len(truth), bool)
    )
    (empty,) = sides.ask(constant(), [(mark, mark, examples)])
    return replace(empty, scores=scores, answers=Answers(examples, LABELS, scores, truth))


def known(*both: tuple[Numbers, Numbers]) -> Known:
    home, away = (side(mark, *one) for mark, one in zip("ha", both, strict=True))
    assert home.answers is not None
    assert away.answers is not None
    return Known(pair=Pair(home=home, away=away), home=home.answers, away=away.answers)


def world(
    rng: np.random.Generator, n: int, positive: float, accuracy: tuple[float, float], *, fixed: bool = False
) -> tuple[Numbers, Numbers]:
    truth = (np.arange(n) < positive * n if fixed else rng.random(n) < positive).astype(np.intp)
    return truth, (rng.random(n) < np.array(accuracy)[truth]).astype(float)


@given(ROWS)
def test_the_parts_add_up_to_the_drop(rows: list[tuple[bool, int, bool]]) -> None:
    away = np.array([False, False, False, *(r[0] for r in rows), True, True, True])
    truth = np.array([0, 1, 2, *(r[1] for r in rows), 0, 1, 2])
    right = np.array([1, 0, 1, *(r[2] for r in rows), 0, 1, 1], dtype=float)
    parts = [part(away, truth, right, labels=3) for part in (drops.explained_part, drops.remaining_part)]

    assert drops.lost(away, right) == pytest.approx(sum(parts))


@given(ROWS)
def test_equal_mixes_explain_nothing(rows: list[tuple[bool, int, bool]]) -> None:
    truth = np.array([0, *(r[1] for r in rows)] * 2)
    away = np.arange(len(truth)) >= len(truth) / 2
    right = np.array([1, *(r[2] for r in rows), 0, *(r[0] for r in rows)], dtype=float)

    assert 0.0 == pytest.approx(drops.explained_part(away, truth, right, labels=3))


def test_a_label_that_is_missing_away_has_no_weight_to_give() -> None:
    away, truth = np.array([False, False, True]), np.array([0, 1, 0])

    assert np.isnan(drops.reweighted(away, truth, np.ones(3), labels=2))
    assert 1.0 == drops.reweighted(~away, truth, np.ones(3), labels=2)


def test_the_stratified_interval_is_about_newcombes_where_labels_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    both = known(world(rng, 400, 0.5, (0.9, 0.9)), world(rng, 300, 0.5, (0.7, 0.7)))
    found = drops.accuracy_drop(both, np.random.default_rng(1), draws=1000)
    other = stats.share_difference(int(both.home.correct.sum()), 400, int(both.away.correct.sum()), 300)

    assert other.value == pytest.approx(found.value)
    assert (other.low, other.high) == pytest.approx((found.low, found.high), abs=0.01)
    assert 300 == found.n


def test_a_side_that_is_all_right_keeps_its_width() -> None:
    rng = np.random.default_rng(0)
    both = known(world(rng, 50, 0.5, (0.8, 0.8)), world(rng, 50, 0.5, (1.0, 1.0)))
    found = drops.accuracy_drop(both, np.random.default_rng(1), draws=300)

    assert stats.share_difference(int(both.home.correct.sum()), 50, 50, 50) == found


def test_a_rare_label_away_is_an_error_and_no_number() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros(50, dtype=np.intp)
    truth[0] = 1
    both = known(world(rng, 50, 0.5, (0.8, 0.8)), (truth, np.ones(50)))

    with pytest.raises(ValueError, match="not finite on"):
        drops.explained(both, np.random.default_rng(1), draws=300)


@pytest.mark.parametrize("part", [drops.explained, drops.remaining])
def test_a_missing_label_away_is_an_error_that_names_it(part: Callable[..., Estimate]) -> None:
    home = world(np.random.default_rng(0), 50, 0.5, (0.8, 0.8))
    both = known(home, (np.zeros(50, dtype=np.intp), np.ones(50)))

    with pytest.raises(ValueError, match="no example of the label 'positive'"):
        part(both, np.random.default_rng(1), draws=300)


def test_a_difference_of_two_wilson_intervals_is_newcombes() -> None:
    found = stats.independent_difference(stats.share(45, 50), stats.share(70, 100))
    newcombe = stats.share_difference(45, 50, 70, 100)

    assert (newcombe.value, newcombe.low, newcombe.high) == pytest.approx(
        (found.value, found.low, found.high), abs=1e-6
    )
    assert 50 == found.n


def test_a_difference_keeps_the_sides_of_crooked_intervals() -> None:
    home = Estimate(value=0.0, low=0.0, high=0.04, n=100, method="x")
    away = Estimate(value=0.1, low=0.07, high=0.2, n=200, method="x")
    found = stats.independent_difference(away, home)

    assert (0.1, 0.1 - 0.05, 0.2) == pytest.approx((found.value, found.low, found.high))


@pytest.mark.slow
def test_intervals_hold_the_truth_in_95_of_100_data_sets() -> None:
    here, there = (0.95, 0.75), (0.85, 0.6)
    # home half and half, away three of four positive
    truths = (0.85 - 0.6625, 0.725 - 0.6625, 0.85 - 0.725)
    held = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        fixed = known(world(rng, 120, 0.5, here, fixed=True), world(rng, 100, 0.75, there, fixed=True))
        drawn = known(world(rng, 120, 0.5, here), world(rng, 100, 0.75, there))
        estimates = (
            drops.accuracy_drop(fixed, rng, draws=200),
            drops.explained(drawn, rng, draws=200),
            drops.remaining(drawn, rng, draws=200),
        )
        held.append([e.low <= truth <= e.high for e, truth in zip(estimates, truths, strict=True)])

    # 95 % of 200, give or take what 200 data sets leave open
    assert (np.mean(held, axis=0) >= 0.91).all()
    assert (np.mean(held, axis=0) <= 0.985).all()
