"""Nonsense in a config is a ConfigError or a Config, and never anything else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.config import Config, load
from audit.document import parse
from audit.errors import ConfigError

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """A probe as `load` sees one."""

    id: ClassVar[str] = "robustness.noise"
    needs: ClassVar[frozenset[str]] = frozenset()
    items: int = 5
    severities: tuple[float, ...] = (0.1,)
    kinds: tuple[str, ...] = ("typos",)
    recipes: tuple[str, ...] = ()


COMMON = """
task:
  {type: classification, labels: [negative, positive], text: text, text_pair: null, label: label, id: null}
data:
  test: {source: a.csv, labels: {0: negative, 1: positive}, columns: [label, text], drop_missing: true}
  train: {source: a.csv}
  shifts: {other: {source: b.jsonl, split: null, label: null}}
  sets: {pairs: {source: c.csv, format: crows-pairs}}
  groups: [gender]
  limit: 500
  seed: 7
version: 1
name: whole
helpers: {nli: {source: x}}
profile: quick
probes: {robustness.noise: {items: 7, severities: [0.1, 0.2]}}
rules: [{probe: robustness.noise, metric: flip_rate, max: 0.1, min_n: 3, why: so}]
waivers: [{rule: robustness.noise/flip_rate, owner: a, reason: b, expires: 2026-12-31}]
declared: {slo: {p95_latency_ms: 300}, human_feedback: {used: true}}
"""
PROMPTED = """
model:
  kind: in-context
  source: m
  prompt:
    template: "{text}:"
    alternatives: ["{text} is"]
    verbalizers: {negative: [" bad"], positive: [" good", " fine"]}
    demonstrations: {from: train, shots: 2}
"""
TUNED = "model: {kind: fine-tuned, source: m, label_map: {A: negative, B: positive}, max_length: 9}"
VALID: list[Any] = [parse(text + COMMON, "valid") for text in (PROMPTED, TUNED)]

JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [0, -1, 2**63, 10**40, 1e308, -0.0, "", " ", "\n", "é", "\u202e", "😀", "a" * 5000, "../..", "demo:x"]
    ),
    st.text(max_size=8),
    st.floats(allow_nan=False, allow_infinity=False),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
)


def places(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def within(value: Any, at: Path_) -> Any:
    for key in at:
        value = value[key]
    return value


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A valid config with one to three places deleted, renamed, replaced, wrapped, swapped or added to."""
    config = copy.deepcopy(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 3))):
        known = list(places(config))
        if not known:
            break
        *parents, last = draw(st.sampled_from(known))
        owner = within(config, tuple(parents))
        match draw(st.sampled_from(["delete", "replace", "rename", "wrap", "swap", "add"])):
            case "delete":
                del owner[last]
            case "replace":
                owner[last] = draw(JUNK)
            case "rename" if isinstance(owner, dict):
                owner[draw(st.text(max_size=12) | st.just(f"{last}s"))] = owner.pop(last)
            case "wrap":
                owner[last] = draw(st.sampled_from([[owner[last]], {"x": owner[last]}, str(owner[last])]))
            case "swap":
                owner[last] = copy.deepcopy(within(config, draw(st.sampled_from(known))))
            case _ if isinstance(owner, dict):
                owner[draw(st.text(max_size=12))] = draw(JUNK)
            case _:
                owner.append(draw(JUNK))
    return config


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutation") / "model.yaml"


def settle(place: Path, content: bytes) -> str:
    """Return what became of a config: read, or refused in one line that names the file."""
    place.write_bytes(content)
    try:
        config = load(place, {Noise.id: Noise})  # type: ignore[dict-item]  # without run and demand
    except ConfigError as error:
        said = str(error)
        assert "\n" not in said
        assert len(said) < 1000
        said.encode()
        return said
    assert isinstance(config, Config)
    json.dumps(config.declared, allow_nan=False)
    return ""


@pytest.mark.parametrize("valid", VALID)
def test_the_configs_that_are_mutated_are_valid(place: Path, valid: Any) -> None:
    assert settle(place, json.dumps(valid).encode()) == ""


@settings(max_examples=700, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(config=mutated())
def test_a_mutated_config_is_read_or_refused(place: Path, config: Any) -> None:
    settle(place, json.dumps(config, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(data=st.data())
def test_a_config_with_junk_in_its_text_is_read_or_refused(place: Path, data: st.DataObject) -> None:
    text = (data.draw(st.sampled_from([PROMPTED, TUNED])) + COMMON).encode()
    spot = data.draw(st.integers(0, len(text)))
    junk = data.draw(
        st.binary(max_size=4)
        | st.sampled_from([b"\x00", b"\xff", b"*a", b"&a ", b"!!x ", b"[" * 99, b"%", b"\t"])
    )
    cut = data.draw(st.integers(0, 30))
    settle(place, text[:spot] + junk + text[spot + cut :])
