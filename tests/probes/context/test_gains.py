"""Parts of a calibration error against their sum, words against intervals."""

from __future__ import annotations

import numpy as np
import pytest

from audit.schema import Estimate, Example
from probes.calibration import ece
from probes.context import gains
from probes.contexts import Answers, Context


def answers(confidence: list[float], correct: list[int], sets: tuple[int, ...] = (1,)) -> Answers:
    """The first label with this confidence; right where the item has it."""
    items = tuple(
        Example(id=f"i{i}", text=f"item {i}", label="a" if hit else "b") for i, hit in enumerate(correct)
    )
    p = np.array(confidence)
    return Answers(
        contexts=tuple(Context(name=f"c{s}", set=s, demonstrations=()) for s in sets),
        items=items,
        labels=("a", "b"),
        probabilities=np.stack([np.stack([p, 1 - p], axis=1)] * len(sets)),
        truncated=0,
    )


def test_the_parts_of_an_error_have_it_for_their_mean() -> None:
    # METHODS, section 12
    confidence = [0.55] * 2 + [0.65] * 3 + [0.75] * 3 + [0.85] * 4 + [0.95] * 8
    correct = [1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0]

    parts = gains.error_parts(answers(confidence, correct), 10)

    assert (1, 20) == parts.shape
    assert 0.07 == pytest.approx(parts.mean())


def test_the_mean_is_that_of_the_calibration_probe_on_any_answers() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 300)
    correct = (rng.random(300) < confidence**2).astype(int)

    parts = gains.error_parts(answers(confidence.tolist(), correct.tolist()), 15)

    expected = ece.netcal_error("ECE", confidence, correct.astype(np.float64), bins=15)
    assert expected == pytest.approx(parts.mean())


def test_contexts_of_a_set_count_by_their_mean() -> None:
    given = answers([0.6, 0.7], [1, 0], sets=(1, 1, 2))
    rows = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])

    assert [[0.5, 0.0], [1.0, 1.0]] == gains.by_set(rows, given).tolist()


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.01, 0.3, "helps: "), (-0.3, -0.01, "hurts here: "), (-0.1, 0.3, "cannot be told: ")],
)
def test_words_follow_the_interval(low: float, high: float, word: str) -> None:
    gain = Estimate(value=(low + high) / 2, low=low, high=high, n=5, method="t")

    said = gains.said(gain, 0.5, 0.6)

    assert said.startswith(f"{word}accuracy 0.500 becomes 0.600")
    assert f"{low:.3f} to {high:.3f}" in said


def test_an_interval_that_ends_at_zero_does_not_tell() -> None:
    gain = Estimate(value=0.1, low=0.0, high=0.2, n=5, method="t")

    assert gains.said(gain, 0.5, 0.6).startswith("cannot be told")
