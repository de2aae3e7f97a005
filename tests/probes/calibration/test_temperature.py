"""One temperature: planted ones are found, and the split keeps equal texts together."""

from __future__ import annotations

import numpy as np
import pytest

from probes.calibration import temperature
from probes.calibration.ece import Floats, Places


def drawn(n: int, k: int, scale: float, seed: int = 0) -> tuple[Floats, Places]:
    """Logits that are `scale` times too large for the labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, k))
    p = temperature.tempered(logits, 1.0)
    truth = (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return logits * scale, truth


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("k", [2, 10])
def test_planted_temperature_is_in_the_interval(scale: float, k: int) -> None:
    fitted = temperature.fit(*drawn(2000, k, scale))
    assert fitted.estimate.low <= scale <= fitted.estimate.high
    assert fitted.estimate.value == pytest.approx(scale, rel=0.12)
    assert not fitted.on_edge


@pytest.mark.slow
def test_interval_holds_the_planted_temperature_95_times_in_100() -> None:
    found = [temperature.fit(*drawn(300, 3, 2.0, seed)).estimate for seed in range(600)]
    assert np.mean([e.low <= 2.0 <= e.high for e in found]) == pytest.approx(0.95, abs=0.025)


def test_fit_is_the_minimum_of_the_loss() -> None:
    odds, truth = drawn(400, 3, 2.0)

    def loss(t: float) -> float:
        return float(-np.log(temperature.tempered(odds, t)[np.arange(400), truth]).mean())

    best = temperature.fit(odds, truth).estimate.value
    assert loss(best) <= min(loss(best * 0.99), loss(best * 1.01), loss(1.0))


def test_temperature_leaves_the_answer() -> None:
    odds, _ = drawn(100, 5, 2.0)
    assert (temperature.tempered(odds, 7.0).argmax(axis=1) == odds.argmax(axis=1)).all()


def test_log_probabilities_give_the_same_temperature_as_logits() -> None:
    odds, truth = drawn(300, 3, 1.5)
    p = temperature.tempered(odds, 1.0)
    from_p = temperature.fit(temperature.log_odds(p, None), truth).estimate.value
    assert from_p == pytest.approx(temperature.fit(odds, truth).estimate.value, rel=1e-6)


def test_logits_that_are_not_those_of_the_answer_are_left_aside() -> None:
    p = np.array([[0.7, 0.3], [0.2, 0.8]])
    assert np.allclose(temperature.log_odds(p, np.array([[9.0, 0.0], [0.0, 9.0]])), np.log(p))


@pytest.mark.parametrize(("right", "edge"), [(True, 0.05), (False, 20.0)])
def test_all_right_wants_the_coldest_and_all_wrong_the_hottest(right: bool, edge: float) -> None:
    odds, _ = drawn(50, 3, 1.0)
    truth = odds.argmax(axis=1) if right else odds.argmin(axis=1)
    fitted = temperature.fit(odds, truth)
    assert fitted.on_edge
    assert fitted.estimate.value == pytest.approx(edge)


def test_even_answers_have_no_temperature() -> None:
    with pytest.raises(ValueError, match="even"):
        temperature.fit(np.zeros((30, 2)), np.zeros(30, dtype=np.intp))


def test_equal_texts_stay_on_one_side_whatever_the_order() -> None:
    contents = [f"text {i % 40}" for i in range(100)]
    side = dict(zip(contents, temperature.split(contents, 0.5, key=hash_of), strict=True))
    back = dict(zip(contents[::-1], temperature.split(contents[::-1], 0.5, key=hash_of), strict=True))
    assert side == back
    assert sum(side.values()) == 20


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode(), "big") * 2654435761 % 2**32
