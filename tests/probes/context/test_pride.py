"""PriDe learns what a letter has whatever stands there, and takes just that off."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from probes.context import pride

LIKING = np.array([0.4, 0.3, 0.2, 0.1])


def logs(n: int = 20, *, noise: float = 0.0) -> NDArray[np.float64]:
    """(n, 4, 4) answers made of the liking times what each choice has, in all turns."""
    rng = np.random.default_rng(0)
    content = rng.normal(size=(n, 4))
    odds = np.stack([np.roll(content, -turn, axis=1) for turn in range(4)], axis=1) + np.log(LIKING)
    odds += noise * rng.normal(size=odds.shape)
    whole: NDArray[np.float64] = odds - np.logaddexp.reduce(odds, axis=2, keepdims=True)
    return whole


def test_the_liking_is_found_exactly_where_it_is_a_factor() -> None:
    assert LIKING == pytest.approx(pride.prior(logs(1)))
    assert LIKING == pytest.approx(pride.prior(logs()))


def test_the_liking_is_a_mean_of_probabilities_over_questions() -> None:
    answers = np.log([[[0.9, 0.1], [0.9, 0.1]], [[0.5, 0.5], [0.5, 0.5]]])

    assert [0.7, 0.3] == pytest.approx(pride.prior(answers).tolist())


def test_without_the_liking_the_same_choice_is_made_in_all_turns() -> None:
    mended = pride.debiased(logs(), LIKING)

    chosen = (mended.argmax(axis=2) + np.arange(4)) % 4
    assert (chosen == chosen[:, :1]).all()
    assert np.ones((20, 4)) == pytest.approx(np.exp(mended).sum(axis=2))


def test_an_even_prior_changes_nothing() -> None:
    answers = logs(noise=1.0)

    assert answers == pytest.approx(pride.debiased(answers, np.full(4, 0.25)))
