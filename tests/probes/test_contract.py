"""Every probe keeps the contract: path = id, frozen, seeded, order of examples irrelevant, said in words."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import yaml

from audit.profiles import PROFILES
from audit.testing import check_probe
from probes import BUILTIN, Catalogue

ROOT = Path(__file__).parents[2]
POLICIES = sorted((ROOT / "configs/policies").glob("*.yaml"))


@pytest.mark.parametrize("id", BUILTIN)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_probe_keeps_the_contract(id: str) -> None:
    check_probe(Catalogue()[id](), path=f"probes.{id}")


@pytest.mark.parametrize("id", BUILTIN)
def test_a_probe_is_tested_where_its_id_says(id: str) -> None:
    family, name = id.split(".")

    assert (ROOT / f"tests/probes/{family}/test_{name}.py").is_file()


@pytest.mark.parametrize("id", BUILTIN)
def test_every_file_of_a_probe_family_is_reachable(id: str) -> None:
    assert (ROOT / "probes" / Path(*id.split("."))).with_suffix(".py").is_file()


@pytest.mark.parametrize("kind", ["fine-tuned", "in-context"])
@pytest.mark.parametrize("name", PROFILES)
def test_profiles_name_probes_and_parameters_that_exist(
    name: str, kind: Literal["fine-tuned", "in-context"]
) -> None:
    for id, overlay in PROFILES[name].of(kind).items():
        probe = Catalogue()[id]
        assert set(overlay) <= set(probe.__dataclass_fields__)  # type: ignore[attr-defined]  # a dataclass


@pytest.mark.parametrize("policy", POLICIES, ids=lambda place: place.stem)
def test_policies_give_every_rule_a_reason(policy: Path) -> None:
    rules = yaml.safe_load(policy.read_text(encoding="utf-8"))

    assert rules
    assert all(rule["why"].strip() for rule in rules)
