"""Many searches at once: what all of them ask for next is one question to the model.

A search is ordinary code that asks a model and goes on with the answer, for instance TextAttack's. Here each
runs in a thread of its own and stops wherever it asks; when all have stopped, the union of their questions
is asked in one call, and each goes on with its part of the answer. Only one thread runs at a time, in a fixed
order, so nothing depends on the machine's timing; each search has its own state of Python's and numpy's
global random numbers, so nothing depends on its neighbours either.
"""

from __future__ import annotations

import itertools
import queue
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from audit.schema import Text

T = TypeVar("T")
R = TypeVar("R")
Floats = NDArray[np.float64]
Ask = Callable[[Sequence[Text]], Floats]
"""(n,) texts → (n, k) probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Generic[T]):
    """One search that is still to run."""

    run: Callable[[Ask], T]
    """Asks as often as it likes and returns what it found."""
    seed: int
    """Of its random numbers, in [0, 2^32)."""
    weight: float = 1.0
    """How much memory it takes, by that of a short text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A search that ended in an error."""

    error: str
    """One line."""


def drive(searches: Sequence[Search[T]], score: Ask, *, lanes: int) -> list[T | Broken]:
    """Run all searches and return what each found, in their order.

    Args:
        searches: any number.
        score: answers texts in one call; it runs in the caller's thread.
        lanes: most searches that are live at once; their weights add up to no more than this either, unless
            a single one is heavier.

    An error in a search, or in the answer to its questions alone, is a `Broken` in its place. A call that
    fails for every one of several live searches, or before the model ever answered, is raised: then it is
    the model that broke, not an example.
    """
    waiting = list(enumerate(searches))[::-1]
    results: dict[int, T | Broken] = {}
    live: list[_Lane[T]] = []
    answered = False
    try:
        while waiting or live:
            while waiting and _fits(waiting[-1][1], live, lanes):
                place, search = waiting.pop()
                live.append(_Lane(place, search))
                live[-1].start()
            asking = [lane for lane in live if lane.question is not None]
            for lane, answer in zip(asking, _answers(asking, score, answered), strict=True):
                answered = answered or not isinstance(answer, Exception)
                lane.go_on(answer)
            results |= {lane.place: lane.found() for lane in live if lane.ended}
            live = [lane for lane in live if not lane.ended]
    finally:
        for lane in live:
            lane.stop()
    return [results[place] for place in range(len(searches))]


def _fits(search: Search[T], live: Sequence[_Lane[T]], lanes: int) -> bool:
    heavy = search.weight + sum(lane.search.weight for lane in live)
    return not live or (len(live) < lanes and heavy <= lanes)


def _answers(asking: Sequence[_Lane[T]], score: Ask, answered: bool) -> list[Floats | Exception]:
    """Return each lane's part of one answer; where that call fails, ask for each lane by itself."""
    questions = [lane.question or [] for lane in asking]
    sizes = [len(question) for question in questions]
    if not sum(sizes):
        return [np.empty((0, 0)) for _ in questions]
    whole = _tried(lambda: score(list(itertools.chain.from_iterable(questions))))
    if not isinstance(whole, Exception):
        return list(np.split(whole, np.cumsum(sizes)[:-1]))
    if len(asking) == 1:
        if not answered:
            raise whole
        return [whole]
    alone = [_tried(partial(score, question)) for question in questions]
    if all(isinstance(answer, Exception) for answer in alone):
        raise whole
    return alone


def _tried(call: Callable[[], R]) -> R | Exception:
    """Return what the call returns, or its error: one example's error is never the run's."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - it is counted and shown
        return error


def _broken(error: Exception) -> Broken:
    return Broken(error=f"{type(error).__name__}: {' '.join(str(error).split())}"[:200])


class _Stop(BaseException):
    """Raised inside a search that nobody waits for any more; no search catches it by accident."""


class _Lane(Generic[T]):
    """A search in its thread; `question` is what it waits for, None while it does not."""

    def __init__(self, place: int, search: Search[T]) -> None:
        self.place = place
        self.search = search
        self.question: list[Text] | None = None
        self.ended = False
        self._result: T | Broken = Broken(error="stopped")
        self._dice = _Dice(search.seed)
        self._answers: queue.SimpleQueue[Floats | BaseException] = queue.SimpleQueue()
        self._said: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"search {place}", daemon=True)

    def start(self) -> None:
        """Run to the first question or to the end."""
        with self._dice:
            self._thread.start()
            self._said.get()

    def go_on(self, answer: Floats | Exception) -> None:
        """Hand over the answer and run to the next question or to the end."""
        self.question = None
        with self._dice:
            self._answers.put(answer)
            self._said.get()

    def found(self) -> T | Broken:
        """Return what the search ended with."""
        self._thread.join()
        return self._result

    def stop(self) -> None:
        """End the thread wherever it is."""
        self._answers.put(_Stop())
        if self._thread.ident is not None:
            self._thread.join()

    # --- in the search's own thread -------------------------------------------------------

    def _work(self) -> None:
        try:
            found = _tried(lambda: self.search.run(self._ask))
            self._result = _broken(found) if isinstance(found, Exception) else found
        except _Stop:
            return
        finally:
            self.ended = True
            self._said.put(None)

    def _ask(self, texts: Sequence[Text]) -> Floats:
        self.question = list(texts)
        self._said.put(None)
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer


class _Dice:
    """The global random numbers of one search: in place inside `with`, put away outside.

    The state is that after `random.seed(seed)` and `numpy.random.seed(seed)`, which is how a run of
    TextAttack alone would be seeded.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.MT19937()
        self._python = random.Random(seed).getstate()  # noqa: S311 - attacks, nothing secret
        with self:
            np.random.seed(seed)  # noqa: NPY002 - TextAttack and SciPy draw from the global generator

    def __enter__(self) -> None:
        self._outer = random.getstate(), np.random.mtrand.get_bit_generator()
        random.setstate(self._python)
        np.random.mtrand.set_bit_generator(self._bits)

    def __exit__(self, *_: object) -> None:
        self._python = random.getstate()
        random.setstate(self._outer[0])
        np.random.mtrand.set_bit_generator(self._outer[1])
