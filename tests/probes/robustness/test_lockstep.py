# ruff: noqa: NPY002 - the global generator is what is tested
"""Many searches in lockstep: each finds what it finds alone, whatever its neighbours do."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest

from audit.schema import Text
from audit.testing import coin
from probes.robustness.lockstep import Ask, Broken, Search, drive


def answer(texts: list[Text]) -> np.ndarray:
    p = np.array([coin(text) for text in texts])
    return np.stack([1 - p, p], axis=1)


class Model:
    """Counts its calls and remembers how many texts each had."""

    def __init__(self, bad: str = "") -> None:
        self.calls: list[int] = []
        self.threads: set[int] = set()
        self.bad = bad

    def __call__(self, texts: list[Text]) -> np.ndarray:
        self.calls.append(len(texts))
        self.threads.add(threading.get_ident())
        if self.bad and any(self.bad in text for text in texts):
            raise RuntimeError(f"cannot read {self.bad}")
        return answer(texts)


def climb(name: str, steps: int) -> Search[tuple[str, float]]:
    """A search that walks at random and asks for two texts at each step."""

    def run(ask: Ask) -> tuple[str, float]:
        here, best = name, 0.0
        for _ in range(steps):
            options = [here + random.choice("ab"), here + "xyz"[np.random.randint(3)]]
            found = ask(options)
            assert (2, 2) == found.shape
            here = options[int(found[:, 1].argmax())]
            best = float(found[:, 1].max())
        return here, best

    return Search(run=run, seed=int(1000 * coin(name)))


def alone(search: Search[tuple[str, float]]) -> tuple[str, float]:
    random.seed(search.seed)
    np.random.seed(search.seed)
    return search.run(answer)


SEARCHES = [climb(f"s{i}", steps=i % 7) for i in range(40)]


@pytest.mark.parametrize("lanes", [1, 3, 64])
def test_each_search_finds_what_it_finds_alone(lanes: int) -> None:
    assert [alone(search) for search in SEARCHES] == drive(SEARCHES, Model(), lanes=lanes)


def test_one_call_answers_all_live_searches() -> None:
    model = Model()
    drive([climb(f"s{i}", steps=5) for i in range(10)], model, lanes=64)

    assert [20] * 5 == model.calls
    assert {threading.get_ident()} == model.threads


def test_no_more_searches_live_than_lanes() -> None:
    model = Model()
    drive([climb(f"s{i}", steps=5) for i in range(10)], model, lanes=4)

    assert 8 == max(model.calls)


def test_heavy_searches_live_alone() -> None:
    model = Model()
    heavy = [Search(run=climb(f"s{i}", steps=3).run, seed=0, weight=9.0) for i in range(3)]
    drive(heavy, model, lanes=4)

    assert [2] * 9 == model.calls


def test_no_searches_no_calls() -> None:
    model = Model()

    assert [] == drive([], model, lanes=4)
    assert [] == model.calls


def test_a_search_that_never_asks_has_its_result() -> None:
    assert [None] == drive([Search(run=lambda ask: None, seed=0)], Model(), lanes=4)


def test_an_error_in_a_search_is_its_own() -> None:
    def run(ask: Ask) -> tuple[str, float]:
        ask(["a"])
        raise ValueError("no\nway")

    searches = [SEARCHES[1], Search(run=run, seed=0), SEARCHES[2]]

    assert [alone(SEARCHES[1]), Broken(error="ValueError: no way"), alone(SEARCHES[2])] == drive(
        searches, Model(), lanes=4
    )


def test_a_text_that_breaks_the_model_is_an_error_of_its_search() -> None:
    searches = [SEARCHES[1], climb("bad", 3), SEARCHES[2]]

    assert [alone(SEARCHES[1]), Broken(error="RuntimeError: cannot read bad"), alone(SEARCHES[2])] == drive(
        searches, Model("bad"), lanes=4
    )


def test_a_model_that_is_broken_for_all_breaks_the_run() -> None:
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="cannot read s"):
        drive(SEARCHES, Model("s"), lanes=4)

    assert before == threading.active_count()


def test_a_model_that_never_answered_breaks_the_run() -> None:
    with pytest.raises(RuntimeError, match="cannot read s"):
        drive(SEARCHES[:2], Model("s"), lanes=1)


def test_an_interrupt_leaves_no_thread_behind() -> None:
    before = threading.active_count()

    def interrupted(texts: list[Text]) -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(SEARCHES, interrupted, lanes=8)

    assert before == threading.active_count()


def test_the_random_numbers_of_the_caller_go_on_as_if_nothing_had_happened() -> None:
    random.seed(5)
    np.random.seed(5)
    expected = (random.random(), float(np.random.rand()))
    random.seed(5)
    np.random.seed(5)
    drive(SEARCHES, Model(), lanes=8)

    assert expected == (random.random(), float(np.random.rand()))
