"""The line finds what is paid once, for each token read, and for each token written."""

from __future__ import annotations

import numpy as np
import pytest

from audit.seeds import Seeds
from probes.efficiency import fit


def test_the_published_times_of_gpt_j_lie_on_a_line() -> None:
    line = fit.line([512] * 3, [2, 8, 32], [0.077, 0.203, 0.707])

    assert pytest.approx(0.021, abs=1e-12) == line.per_token
    assert pytest.approx(0.056, abs=1e-12) == line.overhead
    assert 0.0 == line.per_prompt_token


def test_a_request_of_helms_davinci_takes_what_helm_says() -> None:
    davinci = fit.Line(overhead=0.0, per_token=0.081, per_prompt_token=0.323 / 1024)

    assert pytest.approx(0.396, abs=5e-4) == davinci.at(1000, 2)


def test_times_on_a_line_give_the_line() -> None:
    truth = fit.Line(overhead=5.0, per_token=40.0, per_prompt_token=3.0)
    sizes = fit.grid((32, 128), (2, 8, 32), rounds=1)
    read, written = zip(*sizes, strict=True)
    line = fit.line(read, written, [truth.at(*size) for size in sizes])

    assert pytest.approx((5.0, 40.0, 3.0)) == (line.overhead, line.per_token, line.per_prompt_token)


@pytest.mark.parametrize(("read", "written"), [([8, 16, 32], [4, 4, 4]), ([8, 16], [2, 4])])
def test_sizes_that_determine_no_line_are_refused(read: list[int], written: list[int]) -> None:
    with pytest.raises(ValueError, match="do not determine a line"):
        fit.line(read, written, [1.0] * len(read))


def test_every_round_meets_every_size_before_the_next_begins() -> None:
    sizes = fit.grid((8, 16), (2, 4), rounds=2)

    assert [(8, 2), (8, 4), (16, 2), (16, 4)] == sizes[:4] == sizes[4:]


def noisy(rounds: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read, written and times of 20 + 3 a token read + 40 a token written, give or take 15."""
    sizes = np.array(fit.grid((32, 128, 256), (2, 8, 32), rounds), dtype=np.float64)
    truth = fit.Line(overhead=20.0, per_token=40.0, per_prompt_token=3.0)
    noise = np.random.default_rng(seed).normal(0, 15, len(sizes))
    return sizes[:, 0], sizes[:, 1], np.array([truth.at(*size) for size in sizes]) + noise


def test_the_planted_terms_lie_in_their_intervals() -> None:
    terms = fit.estimates(*noisy(4, seed=1), Seeds(0), "t")

    assert terms["per_token"].low <= 40.0 <= terms["per_token"].high
    assert terms["per_prompt_token"].low <= 3.0 <= terms["per_prompt_token"].high
    assert terms["overhead"].low <= 20.0 <= terms["overhead"].high
    assert 36 == terms["per_token"].n


def test_prompts_of_one_length_leave_their_term_out() -> None:
    read, written, times = noisy(4, seed=1)
    some = read == 32
    terms = fit.estimates(read[some], written[some], times[some], Seeds(0), "t")

    assert ["overhead", "per_token"] == list(terms)


@pytest.mark.slow
def test_intervals_of_the_line_hold_the_truth() -> None:
    truth = {"overhead": 20.0, "per_token": 40.0, "per_prompt_token": 3.0}
    held = []
    for seed in range(40):
        terms = fit.estimates(*noisy(3, seed), Seeds(seed), "t")
        held += [terms[term].low <= value <= terms[term].high for term, value in truth.items()]

    # 120 intervals, three of a run and so not independent: 95 %, give or take three standard errors.
    assert 0.87 <= np.mean(held)
