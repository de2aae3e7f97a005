from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from audit.permutation import permutation_p, sign_flip_p

Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(77)


def gap(values: np.ndarray, groups: np.ndarray) -> float:
    return abs(float(values[groups == "a"].mean() - values[groups == "b"].mean()))


def test_sign_flip_p_is_the_share_of_all_sign_patterns(rng: Rng) -> None:
    x = rng.normal(size=10) + 0.4
    sums = np.abs(np.array(list(product([-1, 1], repeat=10))) @ x)
    assert (sums >= abs(x.sum()) - 1e-12).mean() == pytest.approx(
        sign_flip_p(x, rng=rng, draws=40_000), abs=0.01
    )


def test_a_shift_that_everyone_shares_has_the_smallest_p(rng: Rng) -> None:
    assert 1 / 1001 == sign_flip_p(np.ones(40), rng=rng, draws=1000)


@pytest.mark.parametrize("differences", [[0.0] * 5, [1.0, -1.0], [0.3]])
def test_no_shift_has_p_of_one(rng: Rng, differences: list[float]) -> None:
    assert 1.0 == sign_flip_p(differences, rng=rng, draws=500)


def test_sign_and_order_of_differences_do_not_matter(rng: Rng) -> None:
    x = rng.normal(size=30) + 0.2
    one = sign_flip_p(x, rng=np.random.default_rng(1))
    assert one == sign_flip_p(rng.permutation(x), rng=np.random.default_rng(1))
    assert one == pytest.approx(sign_flip_p(-x, rng=np.random.default_rng(1)), abs=0.02)


def test_clusters_flip_together(rng: Rng) -> None:
    # three templates with ten items each can only give 2 of 8 patterns: never below 0.25
    x, names = np.ones(30), np.repeat(["x", "y", "z"], 10).tolist()
    assert 0.25 == pytest.approx(sign_flip_p(x, rng=rng, clusters=names), abs=0.02)
    assert sign_flip_p(x, rng=rng) < 0.001


def test_many_differences_are_drawn_in_parts_within_memory(rng: Rng) -> None:
    x = rng.normal(size=50_000)
    assert 0 < sign_flip_p(x, rng=rng, draws=200) <= 1


@pytest.mark.parametrize(
    ("differences", "clusters", "message"),
    [([], None, "shape"), ([float("inf")], None, "not finite"), ([1.0, 2.0], ["a"], "1 names for 2")],
)
def test_sign_flip_refuses_what_is_no_difference(
    rng: Rng, differences: list[float], clusters: list[str] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        sign_flip_p(differences, rng=rng, clusters=clusters)


def test_groups_that_differ_are_found(rng: Rng) -> None:
    values = np.r_[rng.normal(size=40), rng.normal(size=40) + 2]
    assert 1 / 501 == permutation_p(gap, values, ["a"] * 40 + ["b"] * 40, rng=rng, draws=500)


def test_under_the_null_hypothesis_p_is_at_most_alpha_in_alpha_of_the_runs(rng: Rng) -> None:
    groups = ["a"] * 15 + ["b"] * 15
    p = np.array([permutation_p(gap, rng.normal(size=30), groups, rng=rng, draws=39) for _ in range(400)])
    assert 0.20 == pytest.approx((p <= 0.20).mean(), abs=0.06)


def test_groups_that_differ_only_through_their_labels_are_not_blamed(rng: Rng) -> None:
    label = np.repeat([0, 1], 60)
    groups = np.where(rng.random(120) < np.where(label == 1, 0.9, 0.1), "a", "b")
    values = label + 0.1 * rng.normal(size=120)  # depends on the label alone
    assert permutation_p(gap, values, groups, rng=rng, draws=300) < 0.01
    assert permutation_p(gap, values, groups, rng=rng, draws=300, within=label.tolist()) > 0.05


def test_within_keeps_the_groups_of_each_label(rng: Rng) -> None:
    values, groups = np.array([0, 0, 0, 1, 1, 1]), np.array(["a", "a", "b", "b", "b", "a"])
    seen: set[int] = set()

    def counting(v: np.ndarray, g: np.ndarray) -> float:
        seen.add(int(((v == 0) & (g == "a")).sum()))
        return 0.0

    assert 1.0 == permutation_p(counting, values, groups, rng=rng, draws=50, within=values.tolist())
    assert {2} == seen


def test_the_order_of_rows_does_not_matter(rng: Rng) -> None:
    values, groups = rng.normal(size=30), rng.choice(["a", "b"], 30)
    within, order = [i % 2 for i in range(30)], rng.permutation(30)
    one = permutation_p(gap, values, groups, rng=np.random.default_rng(1), within=within)
    other = permutation_p(
        gap, values[order], groups[order], rng=np.random.default_rng(1), within=[within[i] for i in order]
    )
    assert one == other


def test_a_draw_without_an_answer_counts_against_the_finding(rng: Rng) -> None:
    first = iter([1.0])
    assert 1.0 == permutation_p(lambda v, g: next(first, float("nan")), [1, 2], ["a", "b"], rng=rng, draws=20)


def test_an_observed_statistic_that_is_not_finite_is_refused(rng: Rng) -> None:
    with pytest.raises(ValueError, match="nan"):
        permutation_p(lambda v, g: float("nan"), [1, 2], ["a", "b"], rng=rng)


def test_groups_of_another_length_are_refused(rng: Rng) -> None:
    with pytest.raises(ValueError, match="share a first axis"):
        permutation_p(gap, [1, 2, 3], ["a", "b"], rng=rng)


def test_group_names_of_any_kind_may_be_permuted(rng: Rng) -> None:
    groups = np.array(["a", None, 3, "a"], dtype=object)
    assert (
        0
        < permutation_p(lambda v, g: float(v[g == "a"].sum()), [1.0, 2, 3, 4], groups, rng=rng, draws=50)
        <= 1
    )
