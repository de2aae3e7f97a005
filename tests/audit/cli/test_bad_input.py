"""Bad input is met at the border: one clear line, exit 2, no traceback, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from audit.cli import call
from tests.audit.cli.conftest import Bench, Lines, sentences

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
GOOD = sentences(40)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data__tets": 1}, ["data.tets", "did you mean 'test'"]),
        ({"probes": {"robustness.noize": {}}}, ["robustness.noize", "did you mean 'robustness.noise'"]),
        ({"probes": {"robustness.noise": {"itmes": 3}}}, ["itmes", "did you mean 'items'"]),
        ({"profile": "quik"}, ["quik", "did you mean 'quick'"]),
        ({"rules": "strickt"}, ["strickt", "did you mean 'strict'"]),
        ({"data__limit": "many"}, ["data.limit", "many"]),
        ({"data__limit": 0}, ["data.limit", "0"]),
        ({"model__kind": 3}, ["model.kind", "3"]),
        ({"model": "x"}, ["model"]),
        ({"task__labels": ["one"]}, ["task.labels"]),
        ({"task__text": "txet"}, ["txet", "did you mean 'text'"]),
        ({"task__label": "lable"}, ["lable", "did you mean 'label'"]),
        ({"task__labels": ["negative", "good"]}, ["positive"]),
        ({"data__test": {"source": "nothing.csv"}}, ["nothing.csv"]),
        ({"data__groups": ["gender"]}, ["gender"]),
        ({"model__source": "python:judge:nothing"}, ["nothing"]),
        ({"model__source": "python:nowhere:f"}, ["nowhere"]),
        ({"model__source": "empty"}, ["empty"]),
        ({"model__source": "python:judge:unnormalised"}, ["sum"]),
        ({"model__source": "python:judge:nan"}, ["nan"]),
        ({"model__source": "python:judge:three"}, ["3", "2"]),
        ({"waivers": [{"rule": "x/y", "owner": "a", "reason": "b", "expires": "2030-01-01"}]}, ["x/y"]),
        ({"rules": [{"probe": "robustness.noise", "metric": "flip_rate"}]}, ["max", "min"]),
        ({"rules": "~nobody-of-that-name/rules.yaml"}, ["rules", "no such user"]),
        ({"model__source": "~nobody-of-that-name/model"}, ["model.source", "no such user"]),
        ({"data__test": {"source": "~nobody-of-that-name/test.csv"}}, ["data.test", "no such user"]),
        ({"data__test": {"source": f"{'x' * 300}.csv"}}, ["data.test", "too long"]),
        ({"data__test": {"source": " "}}, ["data.test.source", "blank"]),
    ],
    ids=str,
)
def test_a_wrong_config_or_model_is_one_line_and_exit_2(
    bench: Bench, complaint: Lines, changes: dict[str, object], words: list[str]
) -> None:
    (bench.folder / "empty").mkdir()
    bench.set(**changes)

    assert bench.run() == 2
    (line,) = complaint()
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], ["test.csv"]),
        ([(text, "positive") for text, _ in GOOD], ["positive"]),
        ([*GOOD, ("x", "neutral")], ["neutral", "negative", "positive"]),
        ([*GOOD, ("x", "")], ["label"]),
    ],
    ids=["no rows", "one class", "unknown label", "no label"],
)
def test_wrong_data_are_one_line_and_exit_2(
    bench: Bench, complaint: Lines, rows: list[tuple[str, str]], words: list[str]
) -> None:
    bench.rows(rows)

    assert bench.run() == 2
    (line,) = complaint()
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("import sys\nsys.exit(0)", ["SystemExit"]),
        ("weights = open('weights.bin')", ["weights.bin"]),
        ("slip_of_the_pen", ["slip_of_the_pen"]),
        ("raise ValueError('one\\ntwo')", ["ValueError: one"]),
        ("def f(:", ["SyntaxError"]),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_in_one_line(
    bench: Bench, complaint: Lines, monkeypatch: pytest.MonkeyPatch, module: str, words: list[str]
) -> None:
    (bench.folder / "mine.py").write_text(module, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    bench.set(model__source="python:mine:f")

    assert bench.run() == 2
    (line,) = complaint()
    assert [] == [word for word in ("model.source", "mine", *words) if word not in line]


def test_a_model_that_ends_the_process_is_never_green(bench: Bench, complaint: Lines) -> None:
    text = "\nimport sys\n\ndef leaves(texts):\n    sys.exit(0)\n"
    judge = bench.folder / "judge.py"
    judge.write_text(judge.read_text(encoding="utf-8") + text, encoding="utf-8")
    bench.set(model__source="python:judge:leaves")

    assert bench.run() == 4
    assert len(complaint()) == 1


def test_an_empty_file_is_one_line_and_exit_2(bench: Bench, complaint: Lines) -> None:
    (bench.folder / "test.csv").write_bytes(b"")

    assert bench.run() == 2
    assert len(complaint()) == 1


def test_ids_that_repeat_are_one_line_and_exit_2(bench: Bench, complaint: Lines) -> None:
    bench.rows([(text, label) for text, label in GOOD], header=("text", "label"))
    bench.set(task__id="label")

    assert bench.run() == 2
    (line,) = complaint()
    assert "rows 1 and 3 have the same id" in line


def test_odd_texts_are_audited_like_any_other(bench: Bench) -> None:
    odd = [
        ("", "negative"),
        ("🙂🙃🏳️‍🌈", "positive"),
        ("مرحبا بالعالم fine", "positive"),
        ("x" * 100_000, "negative"),
        ("<script>alert(1)</script>", "negative"),
        ("line\nbreak\ttab\x0b", "positive"),
    ]
    bench.rows([*sentences(60), *odd])

    assert bench.run() in (0, 1, 3)
    assert "<script>alert(1)" not in (bench.folders()[0] / "report.html").read_text(encoding="utf-8")


def test_bytes_that_are_no_utf8_are_replaced_and_counted(bench: Bench) -> None:
    raw = (bench.folder / "test.csv").read_bytes()
    (bench.folder / "test.csv").write_bytes(raw.replace(b"today", b"tod\xe4y", 3))

    assert bench.run() in (0, 1, 3)
    assert "UTF-8" in (bench.folders()[0] / "record.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be read as one" * 30, b"\x00" * 4096]
)
def test_an_unreadable_cache_is_one_line_and_exit_2(bench: Bench, complaint: Lines, content: bytes) -> None:
    (bench.folder / "scores.sqlite").write_bytes(content)

    assert bench.run() == 2
    (line,) = complaint()
    assert "--cache" in line


def test_a_file_where_run_folders_go_is_one_line_and_exit_2(bench: Bench, complaint: Lines) -> None:
    bench.out.write_text("in the way")

    assert bench.run() == 2
    assert len(complaint()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_is_one_line_and_exit_2(bench: Bench, complaint: Lines) -> None:
    bench.out.mkdir(mode=0o500)

    assert bench.run() == 2
    assert len(complaint()) == 1


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Path:
    """A file system of 64 kB."""
    place = tmp_path / "tiny"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.decode().strip()}")
    yield place  # type: ignore[misc]  # a fixture that cleans up
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_exit_4_and_the_same_command_resumes(
    bench: Bench, complaint: Lines, tiny_disk: Path
) -> None:
    code = call(
        ["run", str(bench.config), "--out", str(tiny_disk / "out"), "--cache", str(bench.folder / "c.sqlite")]
    )
    (line,) = complaint()

    assert code == 4
    assert "run the same command again" in line
    assert not list((tiny_disk / "out").glob("*/record.json"))


def test_a_full_disk_under_the_cache_is_exit_4(bench: Bench, complaint: Lines, tiny_disk: Path) -> None:
    code = call(["run", str(bench.config), "--out", str(bench.out), "--cache", str(tiny_disk / "c.sqlite")])

    assert code == 4
    assert len(complaint()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "nothing.yaml"],
        ["run", "."],
        ["rnu", "model.yaml"],
        ["run", "model.yaml", "--profile-everything"],
        ["run", "model.yaml", "--unsure", "maybe"],
        ["report", "nowhere"],
        ["gate", "nowhere", "--policy", "default"],
        ["gate", "nowhere"],
        ["verify", "nowhere"],
        ["probes", "robustness.noize"],
        ["init", "x.yaml"],
        ["init", "x.yaml", "--kind", "tuned", "--source", "a", "--test", "b", "--labels", "c,d"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_one_line_and_exit_2(
    arguments: list[str], complaint: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert call(arguments) == 2
    assert len(complaint()) == 1


def test_no_command_shows_the_help_and_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert call([]) == 2
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize("labels", ["a", "a,a", "a,b,a", ","])
def test_a_config_is_not_started_with_labels_that_cannot_be(
    labels: str, complaint: Lines, tmp_path: Path
) -> None:
    place = tmp_path / "model.yaml"
    flags = ["--kind", "fine-tuned", "--source", "m", "--test", "t.csv", "--labels", labels]

    assert call(["init", str(place), *flags]) == 2
    (line,) = complaint()
    assert "--labels" in line
    assert not place.exists()


def test_paths_given_to_init_are_written_as_the_config_will_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("configs", "models", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "data/test.csv").touch()
    flags = ["--kind", "fine-tuned", "--source", "models", "--test", "data/test.csv", "--labels", "a,b"]

    assert call(["init", "configs/model.yaml", *flags, "--train", "hub/name"]) == 0
    written = yaml.safe_load((tmp_path / "configs/model.yaml").read_text(encoding="utf-8"))
    assert "../models" == written["model"]["source"]
    assert ["../data/test.csv", "hub/name"] == [written["data"][key]["source"] for key in ("test", "train")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"schema": 1, "name": "tr',
        b"[]",
        b'{"schema": 99}',
        b"\xff\xfe\x00",
        b'{"schema": 1, "x": ' + b"[" * 100_000,
    ],
    ids=["empty", "cut", "a list", "another schema", "bytes", "deep"],
)
def test_a_broken_record_is_one_line_and_exit_2_and_differs_from_its_seal(
    content: bytes, complaint: Lines, tmp_path: Path
) -> None:
    (tmp_path / "record.json").write_bytes(content)
    (tmp_path / "seal.json").write_text('{"record.json": "another"}', encoding="utf-8")

    assert call(["report", str(tmp_path)]) == 2
    assert call(["gate", str(tmp_path), "--policy", "default"]) == 2
    assert len(complaint()) == 2
    assert call(["verify", str(tmp_path)]) == 5
    assert [] == complaint()


@pytest.mark.parametrize("seal", ["", "[1]", "[" * 100_000])
def test_a_broken_seal_is_one_line_and_exit_2(seal: str, complaint: Lines, tmp_path: Path) -> None:
    (tmp_path / "seal.json").write_text(seal, encoding="utf-8")

    assert call(["verify", str(tmp_path)]) == 2
    (line,) = complaint()
    assert "seal.json" in line
