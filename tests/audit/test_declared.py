"""Declared prices reach the probe that works out the cost; a declared objective becomes a rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import config, declared
from audit.errors import ConfigError
from audit.schema import Json
from probes import Catalogue

CONFIG = """
model: {kind: fine-tuned, source: m}
task: {labels: [no, yes]}
data: {test: {source: test.csv}}
probes: {PROBES}
declared: {price_per_1k_tokens: {input: 0.5, output: 1}, currency: EUR, slo: {p95_latency_ms: 300}}
"""


def loaded(folder: Path, probes: str) -> config.Config:
    place = folder / "model.yaml"
    place.write_text(CONFIG.replace("{PROBES}", probes))
    return config.load(place, Catalogue())


def test_prices_become_parameters_of_the_cost_and_the_configs_own_win(tmp_path: Path) -> None:
    cost, other = (
        loaded(tmp_path, "{efficiency.cost: {%s}}" % more).probes[0]  # noqa: UP031 - braces
        for more in ("", "input_price: 2.0, output_price: 3.0")
    )

    assert (0.5, "EUR") == (cost.input_price, cost.currency)  # type: ignore[attr-defined]  # of Cost
    assert 2.0 == other.input_price  # type: ignore[attr-defined]  # of Cost


def test_an_objective_is_a_rule_where_latency_is_measured(tmp_path: Path) -> None:
    last = loaded(tmp_path, "{efficiency.latency: {}}").rules[-1]

    assert ("efficiency.latency/p95_latency@one text", 300.0, 59) == (last.id, last.max, last.min_n)
    rules = loaded(tmp_path, "{calibration.confidence: {}}").rules
    assert all(rule.probe != "efficiency.latency" for rule in rules)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"price_per_1k_tokens": {"input": 0.5}}, "a price has no unit; add `currency: EUR`"),
        ({"machine_price_per_hour": -1, "currency": "EUR"}, "machine_price_per_hour: -1 is no price"),
        ({"machine_price_per_hour": "2", "currency": "EUR"}, "'2' is no price"),
        ({"fixed_per_month": True, "currency": "EUR"}, "is no price"),
    ],
)
def test_a_price_that_cannot_be_meant_is_refused(said: dict[str, Json], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        declared.parameters(said, "model.yaml")


@pytest.mark.parametrize("value", [0, -3, "fast", True])
def test_an_objective_that_is_no_time_is_refused(value: Json) -> None:
    with pytest.raises(ConfigError, match=r"declared\.slo\.p95_latency_ms"):
        declared.objective({"slo": {"p95_latency_ms": value}}, "model.yaml")


def test_a_price_of_nothing_needs_no_currency() -> None:
    assert {"efficiency.cost": {"input_price": 0.0}} == declared.parameters(
        {"price_per_1k_tokens": {"input": 0.0}}, "model.yaml"
    )
    assert {} == declared.parameters({"human_feedback": {"used": True}}, "model.yaml")
