"""Two sides: chosen by id, asked in one call, resampled each for itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit.schema import Example
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, coin, constant
from probes.robustness import sides
from probes.robustness.sides import Bools, Floats, Pair


def texts(mark: str, n: int) -> tuple[Example, ...]:
    return tuple(Example(id=f"e{i}", text=f"{mark} {i}", label=LABELS[i % 2]) for i in range(n))


def pair(home: tuple[Example, ...], away: tuple[Example, ...]) -> Pair:
    model = Planted(positive=lambda text: coin(text, 1))
    first, second = sides.ask(model, [("test", "original", home), ("sea", "shifts.sea", away)])
    return Pair(home=first, away=second)


def gap(away: Bools, x: Floats) -> float:
    return float(x[~away].mean() - x[away].mean())


def test_each_side_has_the_answers_to_its_own_texts() -> None:
    both = pair(texts("a", 5), texts("b", 3))

    assert [coin(f"b {i}", 1) for i in range(3)] == both.away.scores.probabilities[:, 1].tolist()
    assert [False] * 5 + [True] * 3 == both.is_away.tolist()
    assert (8,) == both.confidence.shape
    assert both.logits is not None
    assert (8, 2) == both.logits.shape


def test_a_side_without_labels_has_no_answers() -> None:
    bare = tuple(replace(example, label=None) for example in texts("b", 3))
    both = pair(texts("a", 5), bare)

    assert both.away.answers is None
    assert both.home.answers is not None
    assert {"unlabelled"} == {item.outcome for item in sides.records(both.away, "x")}


def test_items_say_what_was_right() -> None:
    both = pair(texts("a", 9), texts("b", 9))
    kept = list(sides.records(both.away, "x"))
    assert both.away.answers is not None

    assert both.away.answers.correct.sum() == sum(item.outcome == "right" for item in kept)
    assert {"shifts.sea"} == {item.variant for item in kept}


def test_labelled_examples_are_chosen_before_others() -> None:
    mixed = (*texts("a", 4), Example(id="x", text="no label"))

    assert ["e0", "e1", "e2", "e3"] == [e.id for e in sides.choose(mixed, 9, Seeds(0), "p")]
    assert ["x"] == [e.id for e in sides.choose(mixed[4:], 9, Seeds(0), "p")]


def test_the_choice_does_not_hang_on_the_order() -> None:
    given = texts("a", 50)

    assert sides.choose(given, 10, Seeds(1), "p") == sides.choose(given[::-1], 10, Seeds(1), "p")
    assert sides.choose(given, 10, Seeds(1), "p") != sides.choose(given, 10, Seeds(2), "p")


def test_shared_texts_are_counted_once() -> None:
    home = texts("a", 5)
    away = (*texts("b", 3), replace(home[0], id="c1"), replace(home[0], id="c2"))

    assert 1 == pair(home, away).shared


def test_a_model_of_one_answer_is_named() -> None:
    first, second = sides.ask(constant(), [("test", "o", texts("a", 4)), ("sea", "s", texts("b", 4))])

    assert "'positive', to all 8 texts" in Pair(home=first, away=second).constant
    assert "" == pair(texts("a", 20), texts("b", 20)).constant


def test_the_sides_are_drawn_each_for_itself() -> None:
    both = pair(texts("a", 200), texts("b", 50))
    x = np.concatenate(
        [np.random.default_rng(0).normal(1, 1, 200), np.random.default_rng(1).normal(0, 1, 50)]
    )
    found = both.bootstrap(gap, x, rng=np.random.default_rng(2), draws=1000, low=-9, high=9)
    error = (x[:200].var(ddof=1) / 200 + x[200:].var(ddof=1) / 50) ** 0.5

    assert 50 == found.n
    assert 2 * 1.96 * error == pytest.approx(found.high - found.low, rel=0.12)


def test_copies_are_drawn_together() -> None:
    both = pair(texts("a", 40), texts("b", 40))
    x = np.random.default_rng(0).normal(0, 1, 80)
    once = both.bootstrap(gap, x, rng=np.random.default_rng(2), draws=1000, low=-9, high=9)
    copied = pair(
        tuple(replace(e, id=f"{e.id}.{c}") for e in texts("a", 40) for c in range(4)),
        tuple(replace(e, id=f"{e.id}.{c}") for e in texts("b", 40) for c in range(4)),
    )
    four = copied.bootstrap(gap, np.repeat(x, 4), rng=np.random.default_rng(2), draws=1000, low=-9, high=9)

    assert once.n == four.n == 40
    assert once.high - once.low == pytest.approx(four.high - four.low, rel=0.12)


def test_copies_with_two_labels_stand_in_two_strata() -> None:
    home = (*texts("a", 20), Example(id="twin", text="a 0", label=LABELS[1]))
    both = pair(home, texts("b", 20))
    labels = [LABELS.index(str(e.label)) for e in (*home, *both.away.examples)]
    x = np.random.default_rng(0).normal(0, 1, 41)
    found = both.bootstrap(gap, x, rng=np.random.default_rng(2), draws=200, low=-9, high=9, within=labels)

    assert found.low < found.high
