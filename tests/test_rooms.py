"""The rooms of the house: who imports whom, one home for each heavy library, one place that prints."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("audit", "probes", "reports", "configs")
FILES = [place for room in OURS for place in sorted((ROOT / room).rglob("*.py"))]

ALLOWED = {
    "probes/": ("audit.schema", "audit.stats", "audit.seeds", "audit.errors", "audit.correction", "probes"),
    "reports/": ("audit.schema", "reports"),
    "audit/models/": (
        "audit.models",
        "audit.schema",
        "audit.errors",
        "audit.seeds",
        "audit.places",
        "audit.correction",
    ),
    "audit/cli/": OURS,
    "audit/": ("audit",),
    "configs/": (),
}
"""Room → prefixes of our modules that it may import; the first room that fits holds."""

HOMES = {
    "textattack": ("probes/robustness/",),
    "netcal": ("probes/calibration/",),
    "relplot": ("probes/calibration/",),
    "fairlearn": ("probes/fairness/",),
    "torch": ("audit/models/", "audit/demo/"),
    "transformers": ("audit/models/", "audit/demo/"),
    "peft": ("audit/models/",),
    "pandas": ("audit/",),
    "datasets": ("audit/",),
    "jinja2": ("reports/",),
    "rich": ("reports/", "audit/cli/"),
    "typer": ("audit/cli/",),
    "statsmodels": ("audit/",),
}
"""Heavy library → the only rooms that import it."""

BROAD = ("audit/measure.py", "audit/cli/__init__.py", "probes/robustness/lockstep.py")
"""The only files with a broad except: the probe that crashes, the last line of defence, and the attack on one
example, whose error is counted and never the run's."""


def rel(place: Path) -> str:
    return place.relative_to(ROOT).as_posix()


def tree(place: Path) -> ast.Module:
    return ast.parse(place.read_text(encoding="utf-8"))


def imports(place: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions and for types only."""
    for node in ast.walk(tree(place)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{rel(place)} imports relatively"
            assert node.module is not None
            children = [f"{node.module}.{alias.name}" for alias in node.names]
            packages = [
                child for child in children if (ROOT / child.replace(".", "/")).with_suffix(".py").exists()
            ]
            folders = [child for child in children if (ROOT / child.replace(".", "/")).is_dir()]
            yield from packages or folders or [node.module]


def under(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize("place", FILES, ids=rel)
def test_a_room_imports_only_what_it_may(place: Path) -> None:
    allowed = ALLOWED[next(room for room in ALLOWED if rel(place).startswith(room))]
    strangers = [m for m in imports(place) if under(m, OURS) and not under(m, allowed)]

    assert [] == strangers


@pytest.mark.parametrize("place", FILES, ids=rel)
def test_a_heavy_library_is_imported_only_at_home(place: Path) -> None:
    away = [
        module
        for module in imports(place)
        if (rooms := HOMES.get(module.partition(".")[0])) and not rel(place).startswith(rooms)
    ]

    assert [] == away


@pytest.mark.parametrize("place", FILES, ids=rel)
def test_only_the_command_line_prints(place: Path) -> None:
    prints = [
        node.lineno
        for node in ast.walk(tree(place))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert prints == [] or rel(place).startswith("audit/cli/")


@pytest.mark.parametrize("place", FILES, ids=rel)
def test_only_three_files_catch_everything(place: Path) -> None:
    broad = [
        node.lineno
        for node in ast.walk(tree(place))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]

    assert broad == [] or rel(place) in BROAD


@pytest.mark.parametrize("place", FILES, ids=rel)
def test_no_module_takes_a_name_of_the_standard_library(place: Path) -> None:
    assert place.stem not in sys.stdlib_module_names


@pytest.mark.parametrize("place", FILES, ids=rel)
def test_no_module_is_a_drawer(place: Path) -> None:
    assert place.stem not in {"utils", "helpers", "common", "base", "manager", "core"}


@pytest.mark.parametrize("place", FILES, ids=rel)
def test_every_module_says_what_it_is(place: Path) -> None:
    assert ast.get_docstring(tree(place))


def test_probes_never_see_thresholds() -> None:
    names = {"Rule", "Verdict", "Waiver", "Record", "ChecklistItem"}
    seen = [
        rel(place)
        for place in FILES
        if rel(place).startswith("probes/")
        for node in ast.walk(tree(place))
        if isinstance(node, ast.ImportFrom) and any(alias.name in names for alias in node.names)
    ]

    assert [] == seen
