"""What a stopwatch says of sizes comes out as findings; what it does not say has no number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from audit.errors import ConfigError
from audit.schema import Sizes, Skip
from audit.testing import check_probe
from probes.efficiency.footprint import Footprint
from tests.probes.efficiency.watches import Watch, data, found, results, skipped

BERT = Sizes(
    parameters=109_483_778,
    trainable=109_483_778,
    multiplied=85_646_594,
    weights={"float32": 437_935_112},
    files=438_900_000,
    layers=12,
    width=768,
    attention=((768, 768),) * 24,
    peak=900_000_000,
)
ADAPTER = replace(BERT, trainable=296_450, adapter=296_450, adapter_files=1_190_000)


def test_counts_come_out_as_they_are() -> None:
    counts = {key: f.estimate.value for key, f in found(Footprint(), Watch(held=BERT), data(60)).items()}

    assert 109_483_778 == counts["parameters", "all"] == counts["trainable", "all"]
    assert 437.935112 == counts["weight_memory", "all"]
    assert 438.9 == counts["artefact", "all"]
    assert 900.0 == counts["peak_memory", "all"]
    assert 294_912 == counts["lora_parameters", "rank 8"]


def test_an_exact_count_says_that_it_is_exact() -> None:
    finding = found(Footprint(), Watch(held=BERT), data(60))["parameters", "all"]

    assert "counted, exact" == finding.estimate.method
    assert finding.estimate.low == finding.estimate.high


def test_an_adapter_is_what_is_trained_and_shipped() -> None:
    counts = found(Footprint(), Watch(held=ADAPTER), data(60))

    assert 296_450 == counts["trainable", "all"].estimate.value
    assert "the adapter's own, a share of 0.00271" in counts["trainable", "all"].note
    assert 1.19 == counts["adapter_artefact", "all"].estimate.value


def test_a_whole_model_has_no_adapter_to_ship() -> None:
    skip = skipped(Footprint(), Watch(held=BERT), data(60))["adapter_artefact", "all"]

    assert not skip.applicable
    assert "all of it is shipped" in skip.reason


def test_a_pickled_adapter_is_not_measured() -> None:
    pickled = replace(ADAPTER, trainable=None, adapter=None)
    skip = skipped(Footprint(), Watch(held=pickled), data(60))["trainable", "all"]

    assert skip.applicable
    assert "pickled" in skip.reason


def test_a_prompt_trains_nothing() -> None:
    watch = Watch(held=replace(BERT, trainable=0), first=lambda rng: 0.1)
    skip = skipped(Footprint(), watch, data(60))["trainable", "all"]

    assert not skip.applicable


@pytest.mark.parametrize("rank", [1, 4, 64])
def test_adapters_grow_with_their_rank(rank: int) -> None:
    counts = found(Footprint(ranks=(rank, 2 * rank)), Watch(held=BERT), data(60))

    assert 24 * rank * 1536 == counts["lora_parameters", f"rank {rank}"].estimate.value
    assert 24 * 2 * rank * 1536 == counts["lora_parameters", f"rank {2 * rank}"].estimate.value


def test_the_operations_of_a_request_follow_from_its_length() -> None:
    finding = found(Footprint(), Watch(held=BERT), data(60))["forward_operations", "all"]
    lengths = np.array([len(one.text.split()) for one in data(60).test])
    expected = np.mean(2 * 85_646_594 * lengths + 2 * 12 * lengths**2 * 768) / 1e9

    assert pytest.approx(expected) == finding.estimate.value
    assert finding.estimate.low < expected < finding.estimate.high
    assert 60 == finding.estimate.n


def test_a_function_of_the_users_has_only_files_and_a_peak() -> None:
    watch = Watch(held=Sizes(files=2000, peak=10**8), length=lambda text: None)
    skips = skipped(Footprint(), watch, data(60))

    assert {("artefact", "all"), ("peak_memory", "all")} == set(found(Footprint(), watch, data(60)))
    assert not any(skip.applicable for skip in skips.values())


def test_texts_that_are_all_equally_long_have_no_interval_of_operations() -> None:
    skip = skipped(Footprint(), Watch(held=BERT, length=lambda text: 12), data(60))[
        "forward_operations", "all"
    ]

    assert "no spread" in skip.reason


def test_without_texts_the_model_is_counted_all_the_same() -> None:
    assert ("parameters", "all") in found(Footprint(), Watch(held=BERT), data(0))


def test_a_model_out_of_reach_is_not_counted() -> None:
    (skip,) = results(Footprint(), None, data(60))

    assert isinstance(skip, Skip)


def test_the_model_is_asked_once() -> None:
    watch = Watch(held=BERT)
    results(Footprint(), watch, data(60))

    assert 1 == len(watch.asked)


def test_the_probe_keeps_the_contract() -> None:
    check_probe(Footprint(), path="probes.efficiency.footprint")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Footprint(ranks=()), r"ranks: cannot be \(\)"),
        (lambda: Footprint(ranks=(0,)), "ranks: cannot be"),
        (lambda: Footprint(ranks=(8, 8)), "ranks: cannot be"),
        (lambda: Footprint(requests=1), "requests: cannot be 1"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(make: Callable[[], Footprint], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^efficiency.footprint: {said}"):
        make()
