"""A run with a clock in it: other times, the same digest, and the limit of the user's own."""

from __future__ import annotations

import pytest

import probes
from audit import record
from audit.schema import Finding
from tests.audit.cli.conftest import Bench

EFFICIENCY = {
    "efficiency.latency": "Latency",
    "efficiency.cost": "Cost",
    "efficiency.footprint": "Footprint",
}
TIMED = {"efficiency.latency": {"requests": 70, "batches": 2}}
OTHERS = {
    "efficiency.cost": {"currency": "EUR", "machine_per_hour": 2.0, "requests": 20},
    "efficiency.footprint": {},
}


def at_most(limit: float) -> list[dict[str, object]]:
    """A rule on the time that 95 requests of 100 keep to."""
    rule = {"probe": "efficiency.latency", "metric": "p95_latency", "slice": "one text", "max": limit}
    return [{**rule, "min_n": 59}]


@pytest.fixture
def timed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(probes, "BUILTIN", {**probes.BUILTIN, **EFFICIENCY})
    return bench


def test_two_runs_have_other_times_and_one_digest(timed: Bench) -> None:
    timed.set(probes=TIMED | OTHERS, rules=at_most(60_000))
    codes = [timed.run(), timed.run()]
    first, second = (record.read(folder) for folder in timed.folders())
    times = [
        [one.estimate.value for one in run.outcomes if isinstance(one, Finding) and "latency" in one.metric]
        for run in (first, second)
    ]

    assert [0, 0] == codes
    assert times[0] != times[1]
    assert record.digest(first) == record.digest(second)


def test_a_limit_that_no_machine_keeps_fails(timed: Bench) -> None:
    timed.set(probes=TIMED, rules=at_most(1e-6))

    assert 1 == timed.run()


def test_a_price_without_a_currency_is_refused_in_one_line(
    timed: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    timed.set(probes={"efficiency.cost": {"machine_per_hour": 2.0}}, rules=[])

    assert 2 == timed.run()
    assert "machine_per_hour is 2, of what?" in capsys.readouterr().err
