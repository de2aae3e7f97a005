"""What README, CONTRIBUTING and CHANGELOG say is so: commands, options, files, names, limits and codes."""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from audit import config, record
from audit.cli import app, call
from audit.demo.parts import PARTS
from audit.policy import policies
from audit.profiles import PROFILES
from audit.schema import Status
from probes import BUILTIN, Catalogue

ROOT = Path(__file__).parents[1]
README, CONTRIBUTING, CHANGELOG = (
    (ROOT / f"{name}.md").read_text(encoding="utf-8") for name in ("README", "CONTRIBUTING", "CHANGELOG")
)
DOCS = README + CONTRIBUTING + CHANGELOG
CODE = set(re.findall(r"(?<!`)`([^`\n]+)`(?!`)", DOCS))
"""Whatever stands between single backticks."""
PATHS = sorted(word for word in CODE if re.fullmatch(r"\.?[\w-]+/([\w.-]+/?)*", word))
PATHS = [path for path in PATHS if not path.startswith(("audit-out/", ".venv"))]  # made by a run, by make
NAMES = sorted(word for word in CODE if re.fullmatch(r"(audit|probes|reports)(\.[A-Za-z_]+)+", word))
NAMES.remove("audit.probes")  # the group of entry points
COMMANDS = [str(command.callback.__name__) for command in app.registered_commands if command.callback]

Help = Callable[..., str]


@pytest.fixture
def help_of(capsys: pytest.CaptureFixture[str]) -> Help:
    def said(*command: str) -> str:
        call([*command, "--help"])
        return capsys.readouterr().out

    return said


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def table(head: str) -> list[list[str]]:
    """The cells of the table of the README whose first column is called `head`."""
    rows = re.search(rf"^\| {head} \|.*\n\|[- |]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert rows, f"no table of {head}"
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[1].splitlines()]


# --- commands -----------------------------------------------------------------------------


def test_the_table_of_commands_is_that_of_the_command_line(help_of: Help) -> None:
    shown = re.findall(r"^  (\w+)  ", help_of().partition("Commands:")[2], re.MULTILINE)

    assert shown == COMMANDS
    assert sorted(shown) == sorted(row[0].strip("`").split()[1] for row in table("command"))


def test_every_option_that_is_named_exists(help_of: Help) -> None:
    lines = re.findall(r"`(audit [^`\n]*)`", DOCS) + re.findall(r"^audit .*", "".join(blocks("sh")), re.M)
    named = {(line.split()[1], option) for line in lines for option in re.findall(r"--[a-z-]+", line)}
    named = {(command, option) for command, option in named if command in COMMANDS}
    offered = {
        (command, option) for command in COMMANDS for option in re.findall("--[a-z-]+", help_of(command))
    }

    assert {("gate", "--policy"), ("verify", "--digest"), ("demo", "--from"), ("run", "--out")} <= named
    assert set() == named - offered


@pytest.mark.parametrize(
    ("command", "option"),
    [("run", "--unsure"), ("run", "--cache"), ("verify", "--cache"), ("verify", "--config")],
)
def test_an_option_that_the_text_explains_exists(command: str, option: str, help_of: Help) -> None:
    assert f"`{option}" in README
    assert option in help_of(command)


def test_every_verb_of_make_is_a_target() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"^make ([\w-]+)|`make ([\w-]+)`", DOCS, re.MULTILINE))

    assert (
        {"demo", "setup", "check", "test", "test-slow", "test-tf5"} <= {a or b for a, b in named} <= targets
    )


def test_ci_runs_every_verb_that_must_be_green() -> None:
    verbs = re.findall(r"^make [\w-]+", CONTRIBUTING, re.MULTILINE)
    lines = re.findall(
        r"^make (?:-j\d )?([\w -]+)", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE
    )
    run = {f"make {verb}" for line in lines for verb in line.split()} - {"make setup-tf5"}  # part of test-tf5

    assert "make check" in verbs
    assert set(verbs) == run


def test_every_extra_that_is_named_can_be_installed() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = {
        name for line in re.findall(r'pip install -e "\.\[([\w,]+)\]"', DOCS) for name in line.split(",")
    }

    assert asked and asked <= set(extras)
    assert all(f"`{name}`" in README for name in extras if name not in ("all", "test"))


# --- configs ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda place: place.stem)
def test_every_config_that_ships_loads(place: Path) -> None:
    catalogue = Catalogue()

    assert set(BUILTIN) == {
        probe.id for probe in config.load(place, catalogue, default=catalogue.builtin).probes
    }


def test_the_twenty_lines_of_the_readme_load(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    (tmp_path / "model.yaml").write_text(block, encoding="utf-8")
    read = config.load(tmp_path / "model.yaml", Catalogue(), default=Catalogue().builtin)

    assert 20 == len(block.splitlines())
    assert ("in-context", 1500, 7) == (read.model.kind, read.limit, read.data.seed)


def test_profiles_and_policies_are_those_of_the_readme() -> None:
    (block,) = blocks("yaml")
    said = {key: line for line in block.splitlines() for key in ("profile", "rules") if line.startswith(key)}

    assert all(name in said["profile"] for name in PROFILES)
    assert all(name in said["rules"] for name in policies() if name != "regression")  # for compare


# --- names, files and figures -----------------------------------------------------------------


def is_there(name: str) -> bool:
    module, _, last = name.rpartition(".")
    if importlib.util.find_spec(module) is None:
        return False
    return hasattr(importlib.import_module(module), last) or importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_dotted_name_is_a_module_or_stands_in_one(name: str) -> None:
    assert is_there(name)


def test_the_documents_name_what_a_probe_of_another_package_needs() -> None:
    assert {"audit.testing.check_probe", "audit.testing.knowing", "audit.seeds"} <= set(NAMES)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("id", BUILTIN)
def test_every_probe_is_announced(id: str) -> None:
    assert f"`{id}`" in README
    assert f"`{id}`" in CHANGELOG


def test_the_files_of_a_run_are_those_of_the_table() -> None:
    named = {name for row in table("file") for name in re.findall("`(.*?)`", row[0])}

    pages = {"report.html", "checklist.md", "checklist.json", "junit.xml"}
    assert {*record.SEALED, "seal.json", *pages} == named


def test_the_verdicts_of_the_table_are_those_of_the_gate() -> None:
    assert list(get_args(Status)) == [row[0] for row in table("verdict")]


def test_the_exit_codes_of_the_table_are_the_six_of_the_contract() -> None:
    assert ["0", "1", "2", "3", "4", "5"] == [row[0] for row in table("exit code")]


def test_the_size_of_the_demonstration_is_right() -> None:
    said = re.search(r"about (\d+) MB of models and text", README)

    assert said and abs(int(said[1]) - sum(part.megabytes for part in PARTS)) < 5


def test_the_sample_of_the_terminal_speaks_of_rules_that_exist() -> None:
    (sample,) = blocks("text")
    _, rules = config.load_rules("default", ROOT, Catalogue())
    ids = re.findall(r"^ +([\w.]+/[\w@]+)", sample, re.MULTILINE)

    assert 3 == len(ids)
    assert set(ids) <= {rule.id for rule in rules}
    assert all(len(line) <= 100 for line in sample.splitlines())


def test_files_have_at_most_as_many_lines_as_the_rule_says() -> None:
    said = re.search(r"at most (\d+) lines \(`(.*?)`", CONTRIBUTING)
    assert said
    places = [place for room in ("audit", "probes", "reports") for place in (ROOT / room).rglob("*.py")]
    long = [p for p in places if len(p.read_text(encoding="utf-8").splitlines()) > int(said[1])]

    assert [ROOT / said[2]] == long


# --- the shell ----------------------------------------------------------------------------


RUN = "mkdir -p audit-out/m-1 && touch audit-out/m-1/junit.xml audit-out/m-1/report.html"


@pytest.mark.parametrize(
    ("code", "made", "kept"),
    [(0, RUN, ["junit.xml", "report.html"]), (3, RUN, ["junit.xml", "report.html"]), (2, ":", [])],
)
def test_the_snippet_for_ci_keeps_the_files_and_the_exit_code(
    code: int, made: str, kept: list[str], tmp_path: Path
) -> None:
    snippet = next(block for block in blocks("sh") if "junit.xml" in block)
    script = f"set -eu\naudit() {{ {made}; return {code}; }}\n{snippet}"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (code, "") == (done.returncode, done.stderr)
    assert kept == sorted(place.name for place in (tmp_path / "kept").iterdir())
