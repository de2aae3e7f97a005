"""`audit compare` as a user runs it: two runs, one folder with the page, an exit code by the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import record
from audit.cli import call
from audit.schema import Finding
from tests.audit.cli.conftest import Bench, sentences

PROBES = {"calibration.confidence": {"draws": 100, "null_draws": 50}, "robustness.noise": {"items": 60}}


@pytest.fixture
def folders(bench: Bench) -> tuple[Path, Path]:
    """A good run and a bad one of the same data."""
    bench.rows(sentences(300))
    for name, model in (("good", "keyword"), ("bad", "constant")):
        bench.set(name=name, model__source=f"python:judge:{model}", probes=PROBES)
        bench.run()
    bad, good = bench.folders()
    assert ("bad", "good") == (bad.name[:3], good.name[:4])
    return good, bad


def compare(bench: Bench, base: Path, candidate: Path, *more: str) -> int:
    return call(["compare", str(base), str(candidate), "--out", str(bench.out), *more])


def test_a_worse_candidate_fails_and_the_page_shows_what_it_lost(
    bench: Bench, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = folders
    code = compare(bench, good, bad)
    (place,) = [one for one in bench.folders() if one.name.startswith("bad-against-good")]
    result = record.read(place)
    page = (place / "report.html").read_text()

    assert 1 == code
    assert "compare.answers/accuracy_difference" in capsys.readouterr().out
    (lost,) = [
        one
        for one in result.outcomes
        if isinstance(one, Finding) and (one.metric, one.slice) == ("accuracy_difference", "all")
    ]
    assert lost.estimate.high < -0.2
    assert all("The" in case.text for case in lost.cases)  # the texts, not only their ids
    assert lost.cases[0].text in page
    assert ["8.1c", "T4"] == [item.id for item in result.checklist]
    assert {"gained", "lost", "same"} >= {one.outcome for one in record.read_items(place)}


def test_a_run_compared_with_itself_is_no_regression(bench: Bench, folders: tuple[Path, Path]) -> None:
    good, _ = folders
    compare(bench, good, good)
    (place,) = [one for one in bench.folders() if one.name.startswith("good-against-good")]
    statuses = {v.rule.full_id: v.status for v in record.read(place).verdicts}

    assert "PASS" == statuses["compare.answers/brier_difference:max"]
    assert "FAIL" not in statuses.values()


def test_a_comparison_can_be_rendered_judged_and_verified_again(
    bench: Bench, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    good, bad = folders
    compare(bench, good, bad)
    (place,) = [one for one in bench.folders() if one.name.startswith("bad-against-good")]
    (tmp_path / "p.yaml").write_text(
        "- {probe: compare.answers, metric: accuracy_difference, min: -0.9, why: test}"
    )

    assert 0 == call(["report", str(place)])
    assert 0 == call(["verify", str(place)])
    assert 0 == call(["gate", str(place), "--policy", str(tmp_path / "p.yaml")])


def test_without_the_data_examples_are_named_by_id(bench: Bench, folders: tuple[Path, Path]) -> None:
    good, bad = folders
    (bench.folder / "test.csv").unlink()
    compare(bench, good, bad)
    (place,) = [one for one in bench.folders() if one.name.startswith("bad-against-good")]
    (lost,) = [
        one
        for one in record.read(place).outcomes
        if isinstance(one, Finding) and (one.metric, one.slice) == ("accuracy_difference", "all")
    ]

    assert all(case.text == f"(example {case.example})" for case in lost.cases)


@pytest.mark.parametrize(
    ("base", "policy", "said"),
    [
        ("nowhere", "regression", "no such run folder"),
        ("", "regresion", "did you mean 'regression'"),
    ],
)
def test_bad_input_is_one_line_and_exit_two(
    bench: Bench, folders: tuple[Path, Path], base: str, policy: str, said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    good, bad = folders
    code = compare(bench, Path(base) if base else good, bad, "--policy", policy)
    error = capsys.readouterr().err

    assert 2 == code
    assert said in error
    assert 1 == error.count("\n")
