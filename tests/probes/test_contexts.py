"""Demonstration sets are disjoint and balanced, items the same everywhere, their order no matter."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from audit.errors import ConfigError
from audit.schema import Example
from audit.seeds import Seeds
from audit.testing import LABELS, prompted, sample_data
from probes import contexts
from probes.contexts import Context


def examples(n: int, *, prefix: str = "e", labels: tuple[str, ...] = LABELS) -> tuple[Example, ...]:
    return tuple(
        Example(id=f"{prefix}{i}", text=f"{prefix} {i}", label=labels[i % len(labels)]) for i in range(n)
    )


def ids(sets: tuple[dict[str, tuple[Example, ...]], ...]) -> list[str]:
    return [one.id for each in sets for pool in each.values() for one in pool]


# --- demonstrations -----------------------------------------------------------------------


def test_sets_are_disjoint_and_balanced() -> None:
    sets = contexts.draw_sets(examples(60), LABELS, each=2, count=5, seeds=Seeds(1))

    assert 5 == len(sets)
    assert 20 == len(set(ids(sets)))
    assert {2} == {len(pool) for each in sets for pool in each.values()}
    assert all(one.label == label for each in sets for label, pool in each.items() for one in pool)


def test_the_order_of_the_training_data_changes_no_set() -> None:
    train = examples(60)

    forth = contexts.draw_sets(train, LABELS, each=2, count=5, seeds=Seeds(1))
    back = contexts.draw_sets(train[::-1], LABELS, each=2, count=5, seeds=Seeds(1))

    assert forth == back


def test_another_seed_draws_other_sets() -> None:
    train = examples(60)

    assert contexts.draw_sets(train, LABELS, each=2, count=5, seeds=Seeds(1)) != contexts.draw_sets(
        train, LABELS, each=2, count=5, seeds=Seeds(2)
    )


def test_a_small_pool_gives_fewer_sets_and_it_is_said() -> None:
    train = examples(12)

    sets = contexts.draw_sets(train, LABELS, each=2, count=5, seeds=Seeds(1))
    reason = contexts.too_few(train, LABELS, each=2, asked=5, found=len(sets))

    assert 3 == len(sets)
    assert "6 different texts of the label 'negative', enough for 3 demonstration sets" in reason


def test_a_pool_without_a_label_gives_no_set() -> None:
    train = examples(40, labels=("negative",))

    assert () == contexts.draw_sets(train, LABELS, each=2, count=5, seeds=Seeds(1))
    assert "0 different texts of the label 'positive'" in contexts.too_few(
        train, LABELS, each=2, asked=5, found=0
    )


def test_a_wish_for_few_sets_is_no_fault_of_the_data() -> None:
    assert "set `sets` to 5" in contexts.too_few(examples(40), LABELS, each=2, asked=4, found=4)


def test_five_sets_are_enough() -> None:
    assert "" == contexts.too_few(examples(40), LABELS, each=2, asked=5, found=5)


def test_a_text_that_stands_twice_is_shown_once() -> None:
    train = examples(20)
    twins = tuple(replace(one, id=f"twin {one.id}") for one in train)

    sets = contexts.draw_sets(train + twins, LABELS, each=2, count=9, seeds=Seeds(1))

    assert 5 == len(sets)
    assert 20 == len({one.text for each in sets for pool in each.values() for one in pool})


@pytest.mark.parametrize(
    ("shown", "asked", "expected"), [(4, None, 4), (0, None, 4), (3, None, 4), (4, 7, 8)]
)
def test_shots_are_made_even(shown: int, asked: int | None, expected: int) -> None:
    model = prompted(sample_data(), shots=shown)

    assert expected == contexts.balanced_shots(asked, model)


# --- items --------------------------------------------------------------------------------


def test_items_are_balanced_and_none_is_a_demonstration() -> None:
    test = examples(90, labels=("negative", "negative", "positive"))
    shown = [replace(test[2], id="elsewhere"), test[5]]

    items = contexts.balanced_items(test, LABELS, 40, Seeds(3), without=shown)

    assert {"negative": 20, "positive": 20} == Counter(item.label for item in items)
    assert not {"e 2", "e 5"} & {item.text for item in items}


def test_the_rarest_label_limits_the_others() -> None:
    test = examples(30, labels=("negative",) * 9 + ("positive",))

    items = contexts.balanced_items(test, LABELS, 40, Seeds(3), without=())

    assert {"negative": 3, "positive": 3} == Counter(item.label for item in items)


def test_a_label_without_items_and_examples_without_a_label_are_left_out() -> None:
    test = (*examples(10, labels=("negative",)), Example(id="x", text="x"))

    assert {"negative": 2} == Counter(
        item.label for item in contexts.balanced_items(test, LABELS, 4, Seeds(3), without=())
    )
    assert () == contexts.balanced_items(test[-1:], LABELS, 4, Seeds(3), without=())


def test_the_order_of_the_test_data_changes_no_item() -> None:
    test = examples(90)

    assert contexts.balanced_items(test, LABELS, 40, Seeds(3), without=()) == contexts.balanced_items(
        test[::-1], LABELS, 40, Seeds(3), without=()
    )


@pytest.mark.parametrize("count", [1, 2, 7, 60, 1000])
def test_there_are_never_more_items_than_announced(count: int) -> None:
    labels = ("a", "b", "c")
    test = examples(90, labels=labels)

    items = contexts.balanced_items(test, labels, count, Seeds(3), without=())

    assert len(items) <= contexts.most_items(len(test), len(labels), count)


# --- asking -------------------------------------------------------------------------------


def test_answers_stand_by_context_and_item() -> None:
    data = sample_data()
    model = replace(prompted(data), recency=1.0)
    negative, positive = (next(one for one in data.train if one.label == label) for label in LABELS)
    asked = [
        Context(name="ends positive", demonstrations=(negative, positive)),
        Context(name="ends negative", demonstrations=(positive, negative)),
    ]

    answers = contexts.ask(model, asked, data.test[:6])

    assert [[1] * 6, [0] * 6] == answers.predicted.tolist()
    assert [3, 3] == answers.right.sum(axis=1).tolist()
    assert [[0, 1], [1, 0]] == answers.shown_labels().tolist()
    assert "" == answers.constant
    assert model.asked == 12


def test_one_answer_to_everything_is_told() -> None:
    data = sample_data()
    model = replace(prompted(data), prior=1.0)

    answers = contexts.ask(model, [Context(name="own", demonstrations=data.train[:2])], data.test)

    assert "'positive', to all 60 items under all 1 contexts" in answers.constant


def test_each_answer_is_a_record() -> None:
    data = sample_data()
    asked = [Context(name=name, demonstrations=data.train[:2]) for name in ("one", "two")]

    records = list(contexts.ask(prompted(data), asked, data.test[:3]).records("context.position"))

    assert [("e0", "one"), ("e0", "two"), ("e1", "one")] == [(r.example, r.variant) for r in records[:3]]
    assert {r.outcome for r in records} <= {"right", "wrong"}
    assert all(r.outcome == ("right" if r.predicted == r.label else "wrong") for r in records)


def test_a_parameter_below_its_least_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"context\.x: sets: cannot be 0; give at least 1"):
        contexts.check_least("context.x", shots=(None, 2), sets=(0, 1))
