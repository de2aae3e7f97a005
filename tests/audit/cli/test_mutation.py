"""Two hundred mutated configs through the command line: never a traceback, never exit 0 on nonsense."""

from __future__ import annotations

import contextlib
import copy
import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.cli import call
from tests.audit.cli.conftest import CONFIG, JUDGE, Bench, sentences
from tests.audit.test_config_mutation import JUNK, places, within

# The one rule cannot be met, so that an exit code of 0 means that a mutation turned the audit green.
HARSH: dict[str, Any] = {
    **CONFIG,
    "name": "harsh",
    "probes": {"robustness.noise": {"items": 2, "kinds": ["typos"], "severities": []}},
    "rules": [{"probe": "robustness.noise", "metric": "flip_rate", "slice": "typos", "max": -1, "why": "no"}],
}
FREE = ("rules", "waivers")
"""Parts that may rightly turn the audit green."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutation")
    (folder / "judge.py").write_text(JUDGE, encoding="utf-8")
    Bench(folder=folder).rows(sentences(20))
    return folder


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    picks=st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from("drw"), JUNK), min_size=1, max_size=3),
)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_no_mutation_gives_a_traceback_or_a_green_audit(
    place: Path, picks: list[tuple[int, str, Any]]
) -> None:
    config = copy.deepcopy(HARSH)
    for number, what, junk in picks:
        known = [path for path in places(config) if path[0] not in FREE or len(path) == 1]
        *parents, last = known[number % len(known)]
        owner = within(config, tuple(parents))
        if what == "d" and last not in FREE:
            del owner[last]
        elif what == "r" and last not in FREE:
            owner[last] = junk
        elif isinstance(owner, dict) and last not in FREE:
            owner[f"{last}s"] = owner.pop(last)
    bench = Bench(folder=place)
    bench.config.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8", errors="replace")
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        code = call(bench.arguments())

    assert code in (1, 2, 3, 4), said.getvalue()
    assert "Traceback" not in said.getvalue()
    assert "a bug" not in said.getvalue(), said.getvalue()
