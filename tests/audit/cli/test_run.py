"""`audit run` as a user runs it: the folder, the exit code, the second run, the killed run."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from audit import record
from audit.cli import call
from tests.audit.cli.conftest import Bench, Lines

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
MODULE = [sys.executable, "-c", "from audit.cli import main; main()"]


def test_a_run_leaves_everything_that_is_read_of_it(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    code = bench.run()
    (folder,) = bench.folders()
    names = {place.name for place in folder.iterdir()}

    assert code in (0, 1, 3)
    assert {
        "origin.json", "items.jsonl", "record.json", "seal.json", "report.html", "checklist.md",
        "checklist.json", "junit.xml",
    } == names  # fmt: skip
    assert "digest" in capsys.readouterr().out


def test_the_record_holds_what_was_run(bench: Bench) -> None:
    bench.run()
    result = record.read(bench.folders()[0])

    assert result.config == bench.config.read_text(encoding="utf-8")
    assert list(result.probes) == ["calibration.confidence", "robustness.noise"]
    assert result.probes["robustness.noise"]["items"] == 40
    assert result.data[0].rows == 80
    assert len(result.verdicts) == 30  # of the default policy
    assert result.times.usage.scored > 0


def test_answers_stand_beside_the_record(bench: Bench) -> None:
    bench.run()
    items = list(record.read_items(bench.folders()[0]))
    clean = [item for item in items if item.probe == "calibration.confidence"]

    assert len(clean) == 80
    assert {item.outcome for item in clean} == {"right", "wrong"}


def test_junit_counts_every_rule(bench: Bench) -> None:
    bench.run()
    tree = ElementTree.parse(bench.folders()[0] / "junit.xml")

    assert len(tree.getroot().findall(".//testcase")) >= 5


def test_a_second_run_gives_the_same_record_and_asks_nothing(bench: Bench) -> None:
    bench.run()
    bench.run()
    first, second = (record.read(folder) for folder in bench.folders())

    assert record.digest(first) == record.digest(second)
    assert second.times.usage.scored == 0


def test_another_order_of_rows_gives_the_same_numbers(bench: Bench) -> None:
    from tests.audit.cli.conftest import sentences

    bench.run()
    bench.rows(sentences()[::-1])
    bench.run()
    first, second = (record.read(folder) for folder in bench.folders())

    assert [v.estimate for v in first.verdicts] == [v.estimate for v in second.verdicts]


def test_a_killed_run_is_resumed_by_the_same_command(bench: Bench) -> None:
    """The record is that of a run that was never killed, and at most one batch is scored twice."""
    bench.set(model__source="python:judge:killed", model__batch_tokens=20)
    killed = subprocess.run([*MODULE, *bench.arguments()], capture_output=True, text=True, cwd=bench.folder)
    asked = [int(line) for line in (bench.folder / "batches").read_text().split()]

    assert killed.returncode == 9
    assert len(asked) == 4
    assert len(bench.folders()) == 1

    (bench.folder / "batches.spared").touch()
    resumed = subprocess.run([*MODULE, *bench.arguments()], capture_output=True, text=True, cwd=bench.folder)
    total = sum(int(line) for line in (bench.folder / "batches").read_text().split())
    after = record.read(bench.folders()[0])

    assert resumed.returncode in (0, 1, 3), resumed.stderr
    assert len(bench.folders()) == 1

    (bench.folder / "scores.sqlite").unlink()
    subprocess.run([*MODULE, *bench.arguments()], capture_output=True, text=True, cwd=bench.folder)
    whole = record.read(bench.folders()[1])

    assert record.digest(after) == record.digest(whole)
    assert total - whole.times.usage.scored <= max(asked)


def test_a_constant_model_is_never_promoted(bench: Bench) -> None:
    bench.set(model__source="python:judge:constant")

    assert bench.run() != 0


def test_an_inverted_limit_fails(bench: Bench) -> None:
    rule = {"probe": "calibration.confidence", "metric": "accuracy", "min": 0.999}
    bench.set(rules=[rule])

    assert bench.run() == 1


def test_a_limit_far_on_the_good_side_passes(bench: Bench) -> None:
    bench.set(rules=[{"probe": "calibration.confidence", "metric": "accuracy", "min": 0.3}])

    assert bench.run() == 0


def test_a_waived_failure_passes_and_is_printed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    rule = {"probe": "calibration.confidence", "metric": "accuracy", "min": 0.999}
    waiver = {
        "rule": "calibration.confidence/accuracy",
        "owner": "Ada",
        "reason": "known",
        "expires": "2999-01-01",
    }
    bench.set(rules=[rule], waivers=[waiver])

    assert bench.run() == 0
    assert "Ada" in capsys.readouterr().out


def test_no_rule_at_all_is_not_green(bench: Bench) -> None:
    bench.set(rules=[])

    assert bench.run() == 3
    assert bench.run("--unsure", "warn") == 3


def test_a_rule_whose_probe_did_not_run_is_not_green(bench: Bench) -> None:
    bench.set(
        probes={"calibration.confidence": {"draws": 200}},
        rules=[{"probe": "robustness.noise", "metric": "flip_rate", "slice": "mix", "max": 0.9}],
    )

    assert bench.run() == 3


def test_a_crash_of_the_model_is_exit_4_and_in_the_record(bench: Bench) -> None:
    bench.set(model__source="python:judge:broken")

    assert bench.run() == 4
    result = record.read(bench.folders()[0])
    assert {"crash"} == {outcome.kind for outcome in result.outcomes}
    assert {"NOT MEASURED"} == {verdict.status for verdict in result.verdicts}


def test_ctrl_c_is_exit_4_and_resumable(bench: Bench, complaint: Lines) -> None:
    bench.set(model__source="python:judge:stopped")

    assert bench.run() == 4
    (line,) = complaint()
    assert "run the same command again" in line


def test_report_renders_again_without_the_model(bench: Bench) -> None:
    bench.run()
    (folder,) = bench.folders()
    before = (folder / "report.html").read_text(encoding="utf-8")
    (folder / "report.html").unlink()
    (bench.folder / "judge.py").unlink()

    assert call(["report", str(folder)]) == 0
    assert (folder / "report.html").read_text(encoding="utf-8") == before


def test_report_imports_no_torch(bench: Bench) -> None:
    bench.run()
    program = (
        "import sys; from audit.cli import call; call(sys.argv[1:]);"
        "print(sorted({'torch', 'transformers', 'pandas', 'netcal', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "report", str(bench.folders()[0])], capture_output=True, text=True
    )

    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_gate_judges_again_without_the_model(bench: Bench) -> None:
    bench.run()
    (folder,) = bench.folders()
    (bench.folder / "judge.py").unlink()
    policy = bench.folder / "p.yaml"
    policy.write_text("- {probe: calibration.confidence, metric: accuracy, min: 0.3, why: test}\n")
    harsh = bench.folder / "h.yaml"
    harsh.write_text("- {probe: calibration.confidence, metric: accuracy, min: 0.999, why: test}\n")
    before = (folder / "record.json").read_bytes()

    assert call(["gate", str(folder), "--policy", str(policy)]) == 0
    assert call(["gate", str(folder), "--policy", str(harsh)]) == 1
    assert (folder / "record.json").read_bytes() == before


def test_verify_matches_a_run_as_it_was(bench: Bench) -> None:
    bench.run()

    assert call(["verify", str(bench.folders()[0]), "--cache", str(bench.folder / "scores.sqlite")]) == 0


@pytest.mark.parametrize("name", ["record.json", "items.jsonl", "origin.json"])
def test_verify_sees_a_changed_file(bench: Bench, name: str) -> None:
    bench.run()
    place = bench.folders()[0] / name
    raw = place.read_text(encoding="utf-8")
    place.write_text(raw.replace("0.", "0.0", 1) if name != "origin.json" else raw + " ", encoding="utf-8")

    assert call(["verify", str(bench.folders()[0]), "--cache", str(bench.folder / "scores.sqlite")]) in (2, 5)


def test_verify_sees_other_data_other_thresholds_and_another_model(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.audit.cli.conftest import sentences

    bench.run()
    folder = bench.folders()[0]
    bench.rows(sentences(78))
    bench.set(rules="strict")
    judge = bench.folder / "judge.py"
    judge.write_text(judge.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    capsys.readouterr()

    assert call(["verify", str(folder), "--cache", str(bench.folder / "scores.sqlite")]) == 5
    differs = [
        line.split()[1].rstrip(":")
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("differs")
    ]
    assert {"config", "thresholds", "data", "model"} <= set(differs)


def test_verify_sees_another_digest(bench: Bench) -> None:
    bench.run()

    assert call(["verify", str(bench.folders()[0]), "--digest", "0" * 64]) == 5


def test_items_are_json_lines(bench: Bench) -> None:
    bench.run()
    lines = (bench.folders()[0] / "items.jsonl").read_text(encoding="utf-8").splitlines()

    assert all(abs(sum(json.loads(line)["probabilities"]) - 1) < 1e-9 for line in lines)


def test_the_run_folder_names_no_path_of_the_machine(bench: Bench) -> None:
    bench.run()
    text = "".join(place.read_text(encoding="utf-8") for place in bench.folders()[0].iterdir())

    assert str(Path.home()) not in text
    assert str(bench.folder) not in text


def test_verify_reads_the_model_again_though_size_and_time_are_as_they_were(bench: Bench) -> None:
    import os

    bench.run()
    judge = bench.folder / "judge.py"
    then = judge.stat()
    judge.write_text(judge.read_text(encoding="utf-8").replace("< 0.1", "< 0.2"), encoding="utf-8")
    os.utime(judge, ns=(then.st_atime_ns, then.st_mtime_ns))
    arguments = ["verify", str(bench.folders()[0]), "--cache", str(bench.folder / "scores.sqlite")]

    assert then.st_size == judge.stat().st_size
    assert call(arguments) == 5


def test_help_answers_without_heavy_imports() -> None:
    program = (
        "import sys; from audit.cli import call; call(['--help']);"
        "print(sorted({'torch', 'transformers', 'pandas', 'numpy', 'pydantic', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
