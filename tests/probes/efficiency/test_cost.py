"""Declared prices and planted lengths and times: the sums are those of a hand calculator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from audit.errors import ConfigError
from audit.schema import Facts, Skip
from audit.testing import check_probe
from probes.efficiency.cost import Cost
from tests.probes.efficiency.watches import Watch, data, found, results, skipped

API = Cost(currency="EUR", input_price=0.5, output_price=2.0, output_tokens=3)
OWN = Cost(currency="EUR", machine_per_hour=3.6)


def test_tokens_cost_what_their_prices_say() -> None:
    cost = found(API, Watch(length=lambda text: 90 + 20 * (len(str(text)) % 2)), data(100))[
        "cost_per_1000", "by token"
    ]
    lengths = [90 + 20 * (len(one.text) % 2) for one in data(100).test]

    # 1000 requests: tokens in times 0.5, 3 tokens out times 2.
    assert pytest.approx(0.5 * np.mean(lengths) + 3 * 2.0) == cost.estimate.value
    assert "EUR per 1000 requests" == cost.unit
    assert cost.estimate.low < cost.estimate.value < cost.estimate.high
    assert "lower" == cost.better


def test_the_machines_time_costs_what_its_hour_does() -> None:
    watch = Watch(one=lambda rng: rng.uniform(0.4, 0.6))
    cost = found(OWN, watch, data(100))["cost_per_1000", "by machine"].estimate

    # Half a second at a thousandth of a EUR a second, a thousand times.
    assert cost.low <= 0.5 <= cost.high
    assert 110 == len(watch.asked)


@pytest.mark.parametrize(
    ("probe", "factor"),
    [
        (Cost(currency="EUR", machine_per_hour=3.6, utilisation=0.5), 2.0),
        (Cost(currency="EUR", machine_per_hour=3.6, at_once=4), 0.25),
        (Cost(currency="EUR", machine_per_hour=7.2), 2.0),
    ],
)
def test_idle_hours_and_company_change_the_share_of_a_request(probe: Cost, factor: float) -> None:
    plain = found(OWN, Watch(), data(100))["cost_per_1000", "by machine"].estimate
    other = found(probe, Watch(), data(100))["cost_per_1000", "by machine"].estimate

    assert pytest.approx(factor * plain.value) == other.value


def test_requests_that_warm_the_model_up_cost_nothing() -> None:
    cost = found(OWN, Watch(cold=10), data(100))["cost_per_1000", "by machine"].estimate

    assert cost.value < 0.1


def test_a_month_costs_its_requests_and_what_is_paid_whatever_is_asked() -> None:
    probe = Cost(
        currency="EUR",
        input_price=0.5,
        output_price=2.0,
        machine_per_hour=3.6,
        fixed_per_month=40.0,
        requests_per_month=5000,
    )
    costs = found(probe, Watch(), data(100))

    for name, fixed in (("by token", 0.0), ("by machine", 40.0)):
        each = costs["cost_per_1000", name].estimate
        assert pytest.approx(5 * each.value + fixed) == costs["cost_per_month", name].estimate.value
        assert pytest.approx(5 * each.high + fixed) == costs["cost_per_month", name].estimate.high
    assert "EUR per month" == costs["cost_per_month", "by token"].unit


# --- break-even ---------------------------------------------------------------------------


def test_it_turns_where_the_saved_tokens_have_paid_the_fixed_cost() -> None:
    probe = Cost(currency="EUR", input_price=1.0, output_price=0.0, fixed_per_month=100.0)
    watch = Watch(length=lambda text: 99 + 2 * (len(str(text)) % 2))
    turn = found(probe, watch, data(100))["break_even", "all"]
    mean = np.mean([99 + 2 * (len(one.text) % 2) for one in data(100).test])

    # A request costs about a tenth of a EUR, so some thousand requests cost a hundred.
    assert pytest.approx(100.0 / (mean / 1000)) == turn.estimate.value
    assert turn.estimate.low < turn.estimate.value < turn.estimate.high
    assert "requests per month" == turn.unit
    assert "taken to cost nothing more" in turn.note
    assert turn.series is not None
    months = {(p.group, p.x): p.y for p in turn.series.points}
    assert pytest.approx(months["by token", turn.estimate.value]) == months["by machine", turn.estimate.value]


def test_the_machines_own_cost_of_a_request_moves_the_turn_away() -> None:
    def probe(hourly: float | None) -> Cost:
        return Cost(
            currency="EUR",
            input_price=1.0,
            output_price=0.0,
            fixed_per_month=100.0,
            machine_per_hour=hourly,
        )

    watch = Watch(length=lambda text: 99 + 2 * (len(str(text)) % 2), one=lambda rng: rng.uniform(0.4, 0.6))
    free, paid = (
        found(probe(hourly), watch, data(100))["break_even", "all"].estimate for hourly in (None, 360.0)
    )

    # Half a second at a tenth of a EUR a second is half of what the tokens cost.
    assert pytest.approx(2 * free.value, rel=0.1) == paid.value


def test_a_machine_that_is_dearer_for_each_request_never_pays() -> None:
    probe = Cost(
        currency="EUR", input_price=0.001, output_price=0.0, fixed_per_month=100.0, machine_per_hour=3600.0
    )
    skip = skipped(probe, Watch(), data(100))["break_even", "all"]

    assert "no number of requests is surely enough" in skip.reason


def test_without_a_fixed_cost_nothing_turns() -> None:
    assert "fixed_per_month" in skipped(API, Watch(), data(100))["break_even", "all"].reason


# --- what has no price --------------------------------------------------------------------


def test_without_a_price_there_is_no_cost_and_nothing_is_asked() -> None:
    watch = Watch()
    (skip,) = results(Cost(), watch, data(100))

    assert isinstance(skip, Skip)
    assert "no price is declared" in skip.reason
    assert skip.applicable
    assert [] == watch.asked


def test_the_price_that_is_missing_is_named() -> None:
    assert "machine_per_hour" in skipped(API, Watch(), data(100))["cost_per_1000", "by machine"].reason
    assert "input_price" in skipped(OWN, Watch(), data(100))["cost_per_1000", "by token"].reason


def test_a_price_of_0_is_no_cost_of_0() -> None:
    free = Cost(input_price=0.0, output_price=0.0)

    assert {} == found(free, Watch(), data(100))
    assert "the price is 0" == skipped(free, Watch(), data(100))["cost_per_1000", "by token"].reason


def test_texts_that_are_all_equally_long_have_no_interval() -> None:
    skip = skipped(API, Watch(length=lambda text: 30), data(100))["cost_per_1000", "by token"]

    assert "no spread" in skip.reason


def test_a_model_without_tokens_has_no_cost_by_token() -> None:
    skip = skipped(API, Watch(length=lambda text: None), data(100))["cost_per_1000", "by token"]

    assert "this model has no tokens" == skip.reason


@pytest.mark.parametrize(("watch", "n", "said"), [(None, 80, "past its caches"), (Watch(), 1, "1 texts")])
def test_nothing_to_measure_is_no_cost(watch: Watch | None, n: int, said: str) -> None:
    (skip,) = results(API, watch, data(n))

    assert isinstance(skip, Skip)
    assert said in skip.reason


def test_demand_is_of_timed_requests_alone() -> None:
    facts = Facts(kind="fine-tuned", source="x")

    assert 0 == API.demand(data(300), facts).texts
    assert 110 == OWN.demand(data(300), facts).texts


def test_the_probe_keeps_the_contract() -> None:
    check_probe(API, path="probes.efficiency.cost")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: Cost(input_price=0.5, output_price=1.0),
            "currency: cannot be None; input_price is 0.5, of what",
        ),
        (lambda: Cost(machine_per_hour=3.0), "currency: cannot be None; machine_per_hour is 3, of what"),
        (lambda: Cost(fixed_per_month=3.0), "currency: cannot be None; fixed_per_month is 3, of what"),
        (lambda: Cost(currency="euro"), "currency: cannot be 'euro'; give three letters"),
        (lambda: Cost(currency="EUR", input_price=1.0), r"input_price and output_price: .* give both"),
        (lambda: Cost(currency="EUR", machine_per_hour=-1.0), "machine_per_hour: cannot be -1.0"),
        (lambda: Cost(currency="EUR", machine_per_hour=float("nan")), "machine_per_hour: cannot be nan"),
        (lambda: Cost(utilisation=0.0), "utilisation: cannot be 0.0"),
        (lambda: Cost(utilisation=1.5), "utilisation: cannot be 1.5"),
        (lambda: Cost(at_once=0), "at_once: cannot be 0"),
        (lambda: Cost(requests=1), "requests: cannot be 1"),
        (lambda: Cost(requests_per_month=0), "requests_per_month: cannot be 0"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(make: Callable[[], Cost], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^efficiency.cost: {said}"):
        make()
