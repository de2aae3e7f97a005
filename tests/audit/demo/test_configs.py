"""The two demonstration configs ask the same questions of two kinds of model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from audit.places import DEMO
from audit.spec import FileSpec

CONFIGS = Path(__file__).parents[3] / "configs"


def content(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    return read


def test_they_differ_in_the_model_alone() -> None:
    fine_tuned, in_context = content("demo-fine-tuned"), content("demo-in-context")
    assert ("fine-tuned", "in-context") == (fine_tuned.pop("model")["kind"], in_context.pop("model")["kind"])
    assert fine_tuned == in_context


@pytest.mark.parametrize("name", ["demo-fine-tuned", "demo-in-context"])
def test_every_source_is_a_part_of_the_demonstration(name: str) -> None:
    spec = FileSpec.model_validate(content(name))
    assert spec.data.train is not None
    data = (spec.data.test, spec.data.train, *spec.data.shifts.values())
    sources = {spec.model.source, *(one.source for one in data)}
    assert sources <= {f"demo:{part}" for part in DEMO}
    assert ("negative", "positive") == spec.task.labels
