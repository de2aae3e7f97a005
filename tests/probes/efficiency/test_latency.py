"""Planted stopwatches: percentiles and the line lie where they were put; what was not timed has no number."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from audit import gate
from audit.errors import ConfigError
from audit.schema import Facts, Finding, Rule, Skip
from audit.testing import check_probe
from probes.efficiency.latency import PERCENTILES, Latency
from tests.probes.efficiency.watches import Watch, data, found, results, skipped

ONE = Latency(writes=0, batches=0)
"""Only single requests."""


def writing(**more: object) -> Watch:
    """A language model: 100 ms and 2 ms a token to the first token, 40 ms to each further one."""
    planted: dict[str, object] = {
        "kept": lambda rng: 0.001 * rng.lognormal(0.0, 0.3),
        "first": lambda rng: 0.1 * rng.lognormal(0.0, 0.05),
        "of_prompt": 0.002,
    }
    return Watch(**(planted | more))  # type: ignore[arg-type]


# --- percentiles --------------------------------------------------------------------------


def test_known_percentiles_lie_in_their_intervals() -> None:
    times = found(ONE, Watch(), data(300))

    for metric, share in PERCENTILES.items():
        truth = 10.0 * np.exp(0.3 * norm.ppf(share))
        estimate = times[metric, "one text"].estimate
        assert estimate.low <= truth <= estimate.high, metric
        assert 300 == estimate.n


def test_a_slow_tail_shows_in_p95_and_not_in_the_median() -> None:
    tail = Watch(one=lambda rng: 1.0 if rng.random() < 0.2 else 0.010)
    times = found(ONE, tail, data(200))

    assert 10.0 == times["p50_latency", "one text"].estimate.value
    assert 1000.0 == times["p95_latency", "one text"].estimate.low


def test_every_number_has_its_unit_and_direction() -> None:
    times = found(ONE, Watch(), data(80)).values()

    assert {("milliseconds", "lower")} == {(f.unit, f.better) for f in times}


@pytest.mark.parametrize(
    ("n", "missing"), [(298, {"p99_latency"}), (299, set()), (58, {"p95_latency", "p99_latency"})]
)
def test_a_percentile_that_too_few_requests_bound_is_skipped(n: int, missing: set[str]) -> None:
    skips = skipped(ONE, Watch(), data(n))

    assert missing == {metric for metric, name in skips if name == "one text"}
    assert all(skips[metric, "one text"].applicable for metric in missing)


def test_a_skip_says_how_many_requests_it_takes() -> None:
    skip = skipped(ONE, Watch(), data(100))["p99_latency", "one text"]

    assert "it takes 299 requests to bound it, and 100 were timed" in skip.reason


def test_requests_that_warm_the_model_up_are_not_counted() -> None:
    watch = Watch(cold=10)
    times = found(replace(ONE, requests=60), watch, data(80))

    assert times["p95_latency", "one text"].estimate.high < 100
    assert 70 == len(watch.asked)


def test_without_warming_up_the_cold_start_shows() -> None:
    times = found(replace(ONE, requests=60, warmup=0), Watch(cold=10), data(80))

    assert 60_000.0 == times["p95_latency", "one text"].estimate.value


def test_no_text_is_timed_twice() -> None:
    watch = Watch()
    results(replace(ONE, warmup=0), watch, data(70))

    assert 70 == len(watch.asked) == len(set(watch.asked))


def test_the_order_of_the_examples_changes_nothing() -> None:
    given = data(70)
    turned = replace(given, test=given.test[::-1])

    assert results(ONE, Watch(), given) == results(ONE, Watch(), turned)


def test_a_machine_that_slows_down_shows_in_the_note() -> None:
    watch = Watch()
    watch.one = lambda rng: 0.010 if len(watch.asked) <= 60 else 0.030
    note = found(ONE, watch, data(100))["p50_latency", "one text"].note

    assert "median 10 in the first half, 30 in the second" in note
    assert "a machine" in note


def test_the_median_bears_the_curve_of_percentiles() -> None:
    series = found(ONE, Watch(), data(300))["p50_latency", "one text"].series

    assert series is not None
    assert ("curve", "milliseconds") == (series.kind, series.y)
    assert [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99] == [point.x for point in series.points]
    assert sorted(point.y for point in series.points) == [point.y for point in series.points]


def test_a_curve_of_few_requests_leaves_out_its_ends() -> None:
    series = found(ONE, Watch(), data(30))["p50_latency", "one text"].series

    assert series is not None
    assert [0.1, 0.25, 0.5, 0.75, 0.9] == [point.x for point in series.points]


@pytest.mark.parametrize(("limit", "status"), [(8.0, "FAIL"), (30.0, "PASS"), (16.4, "UNSURE")])
def test_a_rule_is_judged_on_the_interval_of_p95(limit: float, status: str) -> None:
    rule = Rule(probe="efficiency.latency", metric="p95_latency", slice="one text", max=limit, min_n=59)
    outcomes = [r for r in results(ONE, Watch(), data(300)) if isinstance(r, Finding | Skip)]

    assert status == gate.judge([rule], outcomes, today=datetime.date(2026, 1, 1))[0].status


def test_an_objective_that_too_few_requests_can_settle_is_not_measured() -> None:
    rule = Rule(probe="efficiency.latency", metric="p95_latency", slice="one text", max=1e6)
    outcomes = [r for r in results(ONE, Watch(), data(58)) if isinstance(r, Finding | Skip)]
    verdict = gate.judge([rule], outcomes, today=datetime.date(2026, 1, 1))[0]

    assert "NOT MEASURED" == verdict.status
    assert "59 requests" in verdict.reason


# --- prompts and writing ------------------------------------------------------------------


def test_a_kept_prompt_is_timed_beside_the_whole_request() -> None:
    times = found(ONE, writing(), data(80))

    assert (
        times["p50_latency", "prompt kept"].estimate.high < 2 < times["p50_latency", "one text"].estimate.low
    )


def test_a_classifier_has_no_prompt_and_writes_nothing() -> None:
    skips = skipped(Latency(), Watch(), data(80))

    for name in ("prompt kept", "first token", "per token"):
        assert set(PERCENTILES) == {metric for metric, where in skips if where == name}
        assert not skips["p50_latency", name].applicable
    assert not skips["fit_per_token", "all"].applicable


def test_first_token_and_further_ones_are_apart() -> None:
    watch = writing(length=lambda text: 50)
    times = found(Latency(rounds=0), watch, data(300))
    first, rest = (times["p50_latency", name].estimate for name in ("first token", "per token"))

    assert first.low <= 1000 * (0.1 + 50 * 0.002) <= first.high
    # A request's mean over 15 tokens, lognormal(0, 0.1) each.
    assert rest.low <= 40.0 * np.exp(0.005) <= rest.high
    assert 60 == first.n == rest.n


def test_prompts_are_as_long_as_requests_and_leave_room_to_write() -> None:
    watch = writing(length=lambda text: 100)
    results(replace(Latency(), rounds=0), watch, data(70), max_length=64)

    assert {(48, 16)} == set(watch.written)


def test_the_planted_line_lies_in_its_intervals() -> None:
    times = found(Latency(), writing(), data(80))

    assert (
        times["fit_per_prompt_token", "all"].estimate.low
        <= 2.0
        <= times["fit_per_prompt_token", "all"].estimate.high
    )
    assert times["fit_per_token", "all"].estimate.low <= 40.2 <= times["fit_per_token", "all"].estimate.high
    assert times["fit_overhead", "all"].estimate.low <= 100.0 <= times["fit_overhead", "all"].estimate.high
    assert "milliseconds per token" == times["fit_per_token", "all"].unit


def test_sizes_that_the_model_cannot_take_are_left_out_of_the_line() -> None:
    watch = writing()
    times = found(replace(Latency(), writes=1), watch, data(80), max_length=150)

    assert {32, 128} == {read for read, _ in watch.written[2:]}
    assert ("fit_per_prompt_token", "all") in times


@pytest.mark.parametrize(
    ("probe", "longest", "said"),
    [
        (Latency(rounds=0), 1000, "rounds is 0"),
        (Latency(new_tokens=2), 20, "the model can take none of the sizes"),
        (Latency(rounds=1, new_tokens=2), 35, "do not determine a line"),
    ],
)
def test_a_line_that_cannot_be_drawn_is_skipped(probe: Latency, longest: int, said: str) -> None:
    skips = skipped(probe, writing(), data(80), max_length=longest)

    assert said in skips["fit_per_token", "all"].reason


def test_a_model_without_room_for_the_new_tokens_writes_nothing() -> None:
    watch = writing()
    skips = skipped(Latency(), watch, data(80), max_length=16)

    assert [] == watch.written
    assert "new_tokens is 16: lower it" in skips["p50_latency", "first token"].reason


def test_prompts_of_one_length_have_no_term_for_the_prompt() -> None:
    listed = results(Latency(grid_read=(32,)), writing(), data(80))
    reasons = {s.metric: s.reason for s in listed if isinstance(s, Skip)}

    assert "equally long" in reasons["fit_per_prompt_token"]
    assert "fit_per_token" in {f.metric for f in listed if isinstance(f, Finding)}


def test_no_writes_ask_for_nothing_written() -> None:
    watch = writing()
    skips = skipped(Latency(writes=0), watch, data(80))

    assert [] == watch.written
    assert skips["p50_latency", "per token"].applicable
    assert "writes is 0" in skips["fit_overhead", "all"].reason


# --- several texts in one call ------------------------------------------------------------


def test_throughput_is_texts_and_tokens_by_the_time_of_a_call() -> None:
    watch = Watch(one=lambda rng: 0.010 * rng.uniform(0.9, 1.1), length=lambda text: 30)
    times = found(replace(Latency(), batches=20), watch, data(80))

    assert times["throughput", "all"].estimate.low <= 100 <= times["throughput", "all"].estimate.high
    assert (
        times["token_throughput", "all"].estimate.low
        <= 3000
        <= times["token_throughput", "all"].estimate.high
    )
    assert "higher" == times["throughput", "all"].better
    assert "8 texts in one call" in times["throughput", "all"].note


def test_a_slow_call_weighs_as_long_as_it_lasts() -> None:
    watch = Watch()
    watch.one = lambda rng: 0.1 if len(watch.calls) % 2 else 0.9 + 0.01 * rng.random()
    rate = found(replace(ONE, batches=20), watch, data(80))["throughput", "all"].estimate

    # half of the calls at 10 texts a second, half at a ninth of that: 2 texts take a second
    assert rate.low <= 2.0 <= rate.high < 4


def test_the_first_call_warms_up_and_all_are_full() -> None:
    watch = Watch()
    times = found(replace(Latency(), batch=3, batches=4), watch, data(5))

    assert [3] * 5 == [len(call) for call in watch.calls]
    assert 4 == times["throughput", "all"].estimate.n


def test_a_model_without_tokens_has_a_throughput_of_texts_alone() -> None:
    watch = Watch(length=lambda text: None)
    skip = skipped(Latency(), watch, data(80))["token_throughput", "all"]

    assert ("throughput", "all") in found(Latency(), watch, data(80))
    assert not skip.applicable


def test_calls_that_all_take_as_long_have_no_interval() -> None:
    watch = Watch(one=lambda rng: 0.25)

    assert "no spread" in skipped(Latency(), watch, data(80))["throughput", "all"].reason


# --- what there is nothing to time of -----------------------------------------------------


@pytest.mark.parametrize(("watch", "n", "said"), [(None, 80, "past its caches"), (Watch(), 0, "no texts")])
def test_nothing_to_time_is_no_number(watch: Watch | None, n: int, said: str) -> None:
    (skip,) = results(Latency(), watch, data(n))

    assert isinstance(skip, Skip)
    assert said in skip.reason


def test_one_text_is_too_little_for_any_percentile() -> None:
    assert {} == found(ONE, Watch(), data(1))


@pytest.mark.parametrize("kind", ["fine-tuned", "in-context"])
def test_demand_counts_what_is_asked(kind: str) -> None:
    watch = writing() if kind == "in-context" else Watch()
    probe = Latency(rounds=1, grid_read=(8,), grid_written=(2, 8))  # two requests: no interval, no draws
    results(probe, watch, data(80))
    demand = probe.demand(data(80), Facts(kind=kind, source="x"))  # type: ignore[arg-type]
    kept = len(watch.asked) if kind == "in-context" else 0

    assert len(watch.asked) + kept + sum(map(len, watch.calls)) == demand.texts
    assert sum(written for _, written in watch.written) == demand.generated


def test_the_probe_keeps_the_contract() -> None:
    check_probe(Latency(), path="probes.efficiency.latency")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Latency(requests=0), "requests: cannot be 0; give at least 1"),
        (lambda: Latency(warmup=-1), "warmup: cannot be -1; give at least 0"),
        (lambda: Latency(new_tokens=1), "new_tokens: cannot be 1; give at least 2"),
        (lambda: Latency(batch=0), "batch: cannot be 0"),
        (lambda: Latency(grid_read=()), r"grid_read: cannot be \(\); give at least 1 different numbers"),
        (lambda: Latency(grid_read=(0, 8)), "grid_read: cannot be"),
        (lambda: Latency(grid_written=(8,)), "grid_written: .*give at least 2 different numbers"),
        (lambda: Latency(grid_written=(8, 8)), "grid_written: cannot be"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(make: Callable[[], Latency], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^efficiency.latency: {said}"):
        make()
