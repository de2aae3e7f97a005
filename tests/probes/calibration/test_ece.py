"""Bins, and what is measured on them: exact vectors, oracles, ties and edges."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.calibration import ece, selective
from probes.calibration.ece import Floats

# METHODS 12: 20 answers at 5 levels of confidence
CONFIDENCE = np.array([0.55] * 2 + [0.65] * 3 + [0.75] * 3 + [0.85] * 4 + [0.95] * 8)
CORRECT = np.array([1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0], dtype=float)


def by_width(bins: int) -> ece.Bins:
    return ece.bin_up(CONFIDENCE, CORRECT, ece.width_edges(bins))


def by_mass(bins: int) -> ece.Bins:
    return ece.bin_up(CONFIDENCE, CORRECT, ece.mass_edges(CONFIDENCE, bins))


def sample(n: int, seed: int = 0, gap: float = 0.0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 1, n)
    return confidence, (rng.random(n) < confidence + gap).astype(float)


def test_ece_1_of_the_vector_is_065() -> None:
    assert by_width(1).measure(ece.ece) == pytest.approx(0.065, abs=1e-12)


@pytest.mark.parametrize("bins", [10, 15])
def test_ece_of_the_vector_is_070_with_10_and_15_bins(bins: int) -> None:
    assert by_width(bins).measure(ece.ece) == pytest.approx(0.070, abs=1e-12)


def test_mce_of_the_vector_is_100() -> None:
    assert by_width(10).measure(ece.mce) == pytest.approx(0.100, abs=1e-12)


def test_ace_of_the_vector_is_065() -> None:
    assert by_width(10).measure(ece.ace) == pytest.approx(0.065, abs=1e-12)


def test_rmsce_of_the_vector() -> None:
    assert by_width(10).measure(ece.rmsce) == pytest.approx(0.0747217, abs=5e-8)


def test_kumar_square_of_the_vector_is_below_zero() -> None:
    assert ece.kumar_squared(by_width(10)) == pytest.approx(-0.0715, abs=1e-12)


@pytest.mark.parametrize(("bins", "expected"), [(5, 0.065), (10, 0.070)])
def test_equal_mass_keeps_ties_together(bins: int, expected: float) -> None:
    assert by_mass(bins).measure(ece.ece) == pytest.approx(expected, abs=1e-12)


def test_equal_mass_is_none_of_the_values_that_parted_ties_give() -> None:
    rng = np.random.default_rng(1)
    parted = []
    for _ in range(200):
        order = np.lexsort((rng.random(20), CONFIDENCE))
        pairs = (CONFIDENCE - CORRECT)[order].reshape(10, 2)
        parted.append(np.abs(pairs.sum(axis=1)).sum() / 20)
    assert min(parted) >= 0.175 - 1e-9
    assert max(parted) <= 0.245 + 1e-9
    assert by_mass(10).measure(ece.ece) < min(parted)


def test_equal_mass_of_one_confidence_is_one_bin() -> None:
    same = np.full(30, 0.7)
    assert ece.mass_edges(same, 10).tolist() in ([0.0, 0.7, 1.0], [0.0, 1.0])
    assert len(ece.bin_up(same, np.ones(30), ece.mass_edges(same, 10)).n) == 1


def test_equal_mass_with_fewer_examples_than_bins_has_a_bin_for_each() -> None:
    few = np.array([0.6, 0.7, 0.9])
    assert len(ece.bin_up(few, np.ones(3), ece.mass_edges(few, 10)).n) == 3


def test_equal_mass_fills_bins_evenly_without_ties() -> None:
    confidence, correct = sample(1000)
    assert ece.bin_up(confidence, correct, ece.mass_edges(confidence, 10)).n.tolist() == [100.0] * 10


def test_an_edge_belongs_to_the_bin_on_its_right_and_one_to_the_last() -> None:
    assert ece.places(np.array([0.0, 0.2, 0.4, 0.999, 1.0]), ece.width_edges(5)).tolist() == [0, 1, 2, 4, 4]


def test_kumar_square_needs_a_bin_of_two() -> None:
    lone = ece.bin_up(np.array([0.3, 0.9]), np.array([1.0, 0.0]), ece.width_edges(10))
    with pytest.raises(ValueError, match="no bin holds 2"):
        ece.kumar_squared(lone)


def test_kumar_square_is_unbiased() -> None:
    found = []
    for seed in range(400):
        confidence, correct = sample(300, seed, -0.1)
        found.append(ece.kumar_squared(ece.bin_up(confidence, correct, ece.width_edges(10))))
    # a gap of -0.1 everywhere: 0.01; the standard error of the mean of 400 is about 0.0003
    assert np.mean(found) == pytest.approx(0.01, abs=0.0012)


@pytest.mark.parametrize("bins", [10, 15])
@pytest.mark.parametrize("grid", [1e-9, 1 / 30])  # the second lies on the edges of 10 and 15 bins
@pytest.mark.parametrize("name", ["ECE", "ACE", "MCE"])
def test_ours_is_netcal_to_1e_12(bins: int, grid: float, name: Literal["ECE", "ACE", "MCE"]) -> None:
    confidence, correct = sample(700, 3)
    confidence = np.round(confidence / grid) * grid
    mine = ece.bin_up(confidence, correct, ece.width_edges(bins))
    statistic = {"ECE": ece.ece, "ACE": ece.ace, "MCE": ece.mce}[name]
    theirs = ece.netcal_error(name, confidence, correct, bins=bins)
    assert mine.measure(statistic) == pytest.approx(theirs, abs=1e-12)


def test_mce_of_large_bins_is_netcal_with_its_threshold() -> None:
    confidence, correct = sample(60, 5)
    mine = ece.bin_up(confidence, correct, ece.width_edges(15)).keep(10).measure(ece.mce)
    assert ece.netcal_error("MCE", confidence, correct, bins=15, least=10) == pytest.approx(mine, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_netcal_takes_answers_that_are_all_right_or_all_wrong(value: float) -> None:
    confidence = np.array([0.6, 0.8, 1.0])
    expected = np.abs(confidence - value).mean()
    assert ece.netcal_error("ECE", confidence, np.full(3, value), bins=15) == pytest.approx(expected)


def test_netcal_is_never_given_labels_where_it_would_change_its_meaning() -> None:
    from netcal.metrics import ECE

    p = np.array([[0.2, 0.8, 0.0], [0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.3, 0.2]])
    labels = np.array([1, 0, 1, 1])  # two of three classes: netcal refuses
    with pytest.raises(RuntimeError):
        ECE(bins=15).measure(p, labels)
    correct = (p.argmax(axis=1) == labels).astype(float)
    # 0.2 + 0.3 + 0.4 + 0.5, each alone in its bin
    assert ece.netcal_error("ECE", p.max(axis=1), correct, bins=15) == pytest.approx(0.35)


def test_classwise_is_the_mean_of_netcal_over_classes() -> None:
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(4), 300)
    right = np.eye(4)[rng.integers(0, 4, 300)]
    mine = ece.classwise(ece.classwise_places(p, 15), right - p)
    theirs = [ece.netcal_error("ECE", p[:, i], right[:, i], bins=15) for i in range(4)]
    assert mine == pytest.approx(np.mean(theirs), abs=1e-12)


def test_p_of_perfect_calibration_is_uniform() -> None:
    edges, rng = ece.width_edges(10), np.random.default_rng(4)
    found = []
    for seed in range(200):
        confidence, correct = sample(100, seed)
        null = ece.consistent(confidence, edges, rng, draws=99)
        found.append(ece.consistency_p(ece.bin_up(confidence, correct, edges).measure(ece.ece), null))
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.06)
    assert np.mean(found) == pytest.approx(0.5, abs=0.07)


def test_p_is_never_zero() -> None:
    assert ece.consistency_p(1.0, np.zeros(99)) == pytest.approx(0.01)


def test_null_does_not_depend_on_how_many_rows_fit_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    confidence, _ = sample(100)
    whole = ece.consistent(confidence, ece.width_edges(10), np.random.default_rng(1), draws=50)
    monkeypatch.setattr(ece, "CELLS", 700)
    parts = ece.consistent(confidence, ece.width_edges(10), np.random.default_rng(1), draws=50)
    assert np.array_equal(whole, parts)


NULL = [  # METHODS 3.3: n, bins, equal width, mean and 95th percentile; confidences uniform on [0.5, 1]
    (100, 10, True, 0.071, 0.115),
    (500, 10, True, 0.032, 0.053),
    (500, 10, False, 0.044, 0.063),
    (500, 15, True, 0.040, 0.060),
    (1000, 15, True, 0.028, 0.041),
    (5000, 10, False, 0.014, 0.020),
]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "bins", "width", "mean", "high"), NULL)
def test_null_ece_is_that_of_the_table(n: int, bins: int, width: bool, mean: float, high: float) -> None:
    found = []
    for seed in range(600):
        confidence, correct = sample(n, seed)
        edges = ece.width_edges(bins) if width else ece.mass_edges(confidence, bins)
        found.append(ece.bin_up(confidence, correct, edges).measure(ece.ece))
    assert np.mean(found) == pytest.approx(mean, abs=0.002)
    assert np.quantile(found, 0.95) == pytest.approx(high, abs=0.005)


# --- selective accuracy ---------------------------------------------------------------------


def test_selective_area_and_top_tenth_are_helms_where_ties_keep_their_order() -> None:
    rank = selective.ranks(CONFIDENCE - np.arange(20) * 1e-9)
    assert selective.area(rank, CORRECT) == pytest.approx(0.890203, abs=5e-7)
    assert selective.accuracy_at(rank, CORRECT, 3 / 20) == 1.0  # HELM's acc@10% counts 0.1 n + 1


def test_selective_accuracy_of_a_tie_is_its_mean() -> None:
    assert selective.accuracy_at(selective.ranks(CONFIDENCE), CORRECT, 3 / 20) == pytest.approx(7 / 8)


def test_selective_area_is_the_mean_over_orders_of_the_ties() -> None:
    rng = np.random.default_rng(0)
    shuffled = [
        selective.area(selective.ranks(CONFIDENCE - rng.permutation(20) * 1e-9), CORRECT) for _ in range(1500)
    ]
    honest = selective.area(selective.ranks(CONFIDENCE), CORRECT)
    assert honest == pytest.approx(np.mean(shuffled), abs=5 * np.std(shuffled) / np.sqrt(1500))


def test_full_coverage_is_accuracy() -> None:
    assert selective.accuracy_at(selective.ranks(CONFIDENCE), CORRECT, 1.0) == pytest.approx(0.75)


def test_the_smallest_coverage_answers_one() -> None:
    assert selective.accuracy_at(np.array([0, 1]), np.array([1.0, 0.0]), 1e-9) == 1.0


# --- properties -------------------------------------------------------------------------------

ANSWERS = st.lists(
    st.tuples(st.floats(0, 1, allow_subnormal=False), st.booleans()), min_size=1, max_size=60
).map(lambda rows: (np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])))


@given(ANSWERS, st.integers(1, 20))
@settings(deadline=None)
def test_errors_lie_in_range_and_in_order(answers: tuple[Floats, Floats], bins: int) -> None:
    for edges in (ece.width_edges(bins), ece.mass_edges(answers[0], bins)):
        held = ece.bin_up(*answers, edges)
        whole = abs(float((answers[0] - answers[1]).mean()))
        error, square, largest = (held.measure(s) for s in (ece.ece, ece.rmsce, ece.mce))
        assert whole - 1e-9 <= error <= square + 1e-9
        assert square <= largest + 1e-9
        assert largest <= 1 + 1e-9
        assert held.n.sum() == len(answers[0])


@given(ANSWERS)
@settings(deadline=None)
def test_equal_mass_never_parts_equal_confidences(answers: tuple[Floats, Floats]) -> None:
    place = ece.places(answers[0], ece.mass_edges(answers[0], 10))
    homes = {(float(c), int(b)) for c, b in zip(answers[0], place, strict=True)}
    assert len(homes) == len(set(answers[0].tolist()))


@given(ANSWERS)
@settings(deadline=None)
def test_order_changes_nothing(answers: tuple[Floats, Floats]) -> None:
    order = np.random.default_rng(0).permutation(len(answers[0]))
    here = selective.area(selective.ranks(answers[0]), answers[1])
    there = selective.area(selective.ranks(answers[0][order]), answers[1][order])
    assert here == pytest.approx(there, abs=1e-12)


def test_relplot_and_netcal_import_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from probes.calibration import smooth

        assert smooth.smooth_ece(CONFIDENCE, CORRECT).error > 0
