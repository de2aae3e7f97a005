"""The domain classifier: at chance where there is nothing, sure where there is something."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from audit.schema import Example
from audit.seeds import Seeds
from audit.testing import LABELS, constant
from probes.robustness import domains, sides
from probes.robustness.sides import Pair

WORDS = tuple(f"word{i}" for i in range(40))


def texts(n: int, seed: int, *, own: float = 0.0) -> tuple[Example, ...]:
    """Six words each; one is the domain's own with probability `own`."""
    rng = np.random.default_rng(seed)
    said = [[*rng.choice(WORDS, 6), *(["kettle"] if rng.random() < own else [])] for _ in range(n)]
    return tuple(Example(id=f"{seed}-{i}", text=" ".join(one), label=LABELS[0]) for i, one in enumerate(said))


def pair(home: tuple[Example, ...], away: tuple[Example, ...]) -> Pair:
    first, second = sides.ask(constant(), [("test", "original", home), ("sea", "shifts.sea", away)])
    return Pair(home=first, away=second)


def test_two_draws_of_one_domain_are_not_told_apart() -> None:
    found = domains.separation(pair(texts(200, 1), texts(200, 2)), Seeds(0), "x", draws=500)

    assert found.low <= 0.5 <= found.high
    assert found.high - found.low < 0.15


@pytest.mark.parametrize("own", [0.3, 0.6])
def test_a_word_of_its_own_in_some_texts_tells_that_share(own: float) -> None:
    # texts with the word are told, the others are at chance: own + (1 - own) / 2
    found = domains.separation(pair(texts(300, 1), texts(300, 2, own=own)), Seeds(0), "x", draws=500)

    assert found.low <= own + (1 - own) / 2 <= found.high


def test_domains_without_a_common_word_are_always_told() -> None:
    away = tuple(Example(id=f"a{i}", text=f"kettle lid {i}", label=LABELS[0]) for i in range(60))
    found = domains.separation(pair(texts(60, 1), away), Seeds(0), "x", draws=300)

    assert 1.0 == found.value
    assert found.low < 1


def test_the_auc_is_the_mean_over_the_parts() -> None:
    rng = np.random.default_rng(0)
    fold, away, rank = np.arange(200) % 5, rng.random(200) < 0.4, rng.integers(0, 12, 200)
    expected = [roc_auc_score(away[fold == part], rank[fold == part]) for part in range(5)]

    assert np.mean(expected) == pytest.approx(domains.auc(away, fold, rank))


def test_equal_texts_share_a_part_and_parts_are_even() -> None:
    said = [f"t{i % 50}" for i in range(150)]
    away = np.array([i % 50 >= 25 for i in range(150)])
    part = domains.folds(said, away, Seeds(0), "x")

    assert {(f"t{i}", int(part[i])) for i in range(50)} == set(zip(said, part.tolist(), strict=True))
    assert [15] * 5 == np.bincount(part[~away], minlength=5).tolist()
    assert [15] * 5 == np.bincount(part[away], minlength=5).tolist()


def test_parts_do_not_hang_on_the_order() -> None:
    said = [f"t{i}" for i in range(40)]
    away = np.arange(40) >= 20
    part = domains.folds(said, away, Seeds(0), "x")

    assert part.tolist() == domains.folds(said[::-1], away[::-1], Seeds(0), "x")[::-1].tolist()
    assert part.tolist() != domains.folds(said, away, Seeds(1), "x").tolist()


def test_the_same_texts_on_both_sides_are_not_told_apart() -> None:
    given = texts(100, 1)
    found = domains.separation(pair(given, given), Seeds(0), "x", draws=300)

    assert 0.5 == pytest.approx(found.value)


def test_texts_without_a_word_are_at_chance() -> None:
    blank = [Example(id=f"b{i}", text=" " * i, label=LABELS[0]) for i in range(80)]
    found = domains.separation(pair(tuple(blank[:40]), tuple(blank[40:])), Seeds(0), "x", draws=300)

    assert 0.5 == found.value
    assert found.low < 0.5 < found.high
