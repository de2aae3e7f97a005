"""Ways in which an audit could say yes without reason: each test holds one of them shut.

The comment above a test names the kind of defect. First come those known from audit tools at large, then what
was looked for here.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from audit import checklist, gate, measure, record, stats
from audit.cli import call
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.load import open_subject
from audit.models.parts import CausalParts, causal_key
from audit.models.prompted import prompt_hash
from audit.models.spec import ModelSpec
from audit.schema import (
    Crash,
    Data,
    Demand,
    Estimate,
    Example,
    Facts,
    Finding,
    Item,
    Outcome,
    Prompt,
    Record,
    Rule,
    Skip,
    Status,
    Subject,
    Verdict,
    Waiver,
)
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, constant, findings, hashed, knowing, sample_data, subject
from probes.calibration import temperature
from probes.calibration.confidence import Confidence
from probes.robustness.noise import Noise
from reports import junit
from tests.audit.cli.conftest import JUDGE, Bench, sentences
from tests.reports import sample

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

DAY = date(2026, 11, 23)
ACCURACY = {"probe": "calibration.confidence", "metric": "accuracy"}
FLIPS = {"probe": "robustness.noise", "metric": "flip_rate", "max": 0.9}
QUICK = {"calibration.confidence": {"draws": 100, "null_draws": 50}}
MODELS = '''

def leaves(texts):
    raise SystemExit(0)


def hardly_varies(texts):
    """One answer, and the other to one text in a hundred; as sure of it as its answers are right."""
    return [[0.95, 0.05] if "number 7 " in text else [0.05, 0.95] for text in texts]


def other_way(texts):
    return [row[::-1] for row in keyword(texts)]
'''
CALIBRATION, NOISE = Confidence(draws=100, null_draws=50), Noise(items=200, severities=(0.2,))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A folder where `audit run model.yaml` works, with models that are wrong in known ways."""
    monkeypatch.setattr(sys, "path", [p for p in sys.path if not (Path(p) / "judge.py").exists()])
    monkeypatch.delitem(sys.modules, "judge", raising=False)
    (tmp_path / "judge.py").write_text(JUDGE + MODELS, encoding="utf-8")
    made = Bench(folder=tmp_path)
    made.rows(sentences())
    made.set(probes=QUICK, rules=[{**ACCURACY, "min": 0.3}])
    return made


def result(bench: Bench) -> Record:
    return record.read(bench.folders()[-1])


def estimate(low: float, value: float, high: float, n: int = 400) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=n, method="test")


def finding(e: Estimate, slice: str = "all", **changes: Any) -> Finding:
    given: dict[str, Any] = {"probe": "p.q", "metric": "m", "unit": "share", "better": "lower", **changes}
    return Finding(slice=slice, estimate=e, **given)


def judge(rule: Rule, *outcomes: Outcome, waivers: tuple[Waiver, ...] = ()) -> Verdict:
    return gate.judge([rule], outcomes, waivers=waivers, today=DAY)[0]


GOOD, ACROSS, BAD = estimate(0.02, 0.05, 0.08), estimate(0.05, 0.08, 0.13), estimate(0.12, 0.15, 0.19)
LIMIT = Rule(probe="p.q", metric="m", max=0.1)
WORST = replace(LIMIT, slice="worst")
CRASH = Crash(probe="p.q", error="ValueError: x", traceback="…")


# --- known from audit tools at large --------------------------------------------------------------


# A group without a row gets the best score, and passes.
def test_a_group_without_a_row_is_not_measured(bench: Bench) -> None:
    rows = [(text, label, "a") for text, label in sentences()]
    (bench.folder / "test.csv").write_text(
        "text,label,side\n" + "".join(f"{text},{label},{side}\n" for text, label, side in rows)
    )
    bench.set(data__groups=["side"], probes=QUICK, rules=[{**ACCURACY, "slice": "side=b", "min": 0.1}])

    assert 3 == bench.run()
    assert "NOT MEASURED" == result(bench).verdicts[0].status


# A command that reports failures and leaves with 0.
def test_a_broken_rule_leaves_with_1_and_so_does_judging_it_again(bench: Bench) -> None:
    bench.set(probes=QUICK, rules=[{**ACCURACY, "min": 0.999}])
    policy = bench.folder / "same.yaml"
    policy.write_text("- {probe: calibration.confidence, metric: accuracy, min: 0.999}\n")

    assert 1 == bench.run()
    assert 1 == call(["gate", str(bench.folders()[0]), "--policy", str(policy)])


# A detector that crashed is logged and not shown, and the page congratulates.
def test_a_crash_stands_on_the_page_in_junit_and_in_the_exit_code(bench: Bench) -> None:
    bench.set(model__source="python:judge:broken", probes=QUICK, rules=[{**ACCURACY, "min": 0.3}])
    code = bench.run()
    (folder,) = bench.folders()
    page = (folder / "report.html").read_text(encoding="utf-8")
    suite = ElementTree.parse(folder / "junit.xml").getroot().find("testsuite")

    assert 4 == code
    assert "<h1>INCOMPLETE</h1>" in page and "the weights are gone" in page and "PROMOTE" not in page
    assert suite is not None and "1" == suite.get("errors")


# The same: an item of the checklist is green though one of its probes broke.
def test_an_item_of_the_checklist_is_not_green_where_one_of_its_probes_crashed() -> None:
    steady = finding(GOOD, probe="robustness.noise", metric="flip_rate")
    broken = Crash(probe="robustness.adversarial", error="no attack", traceback="…")
    rule = Rule(probe="robustness.noise", metric="flip_rate", max=0.1)
    verdicts = gate.judge([rule], [steady, broken], today=DAY)
    items = checklist.gather([steady, broken], verdicts, Facts(kind="fine-tuned", source="x"), {})
    item = next(item for item in items if item.id == "T1")

    assert "PASS" == verdicts[0].status
    assert "NOT MEASURED" == item.status
    assert any("no attack" in line for line in item.evidence)


# Ranks of a false discovery rate from a single argsort; an error on an empty list.
def test_p_values_are_adjusted_by_their_own_ranks() -> None:
    assert [0.5, 0.03, 0.045] == pytest.approx(stats.bh([0.5, 0.01, 0.03]).tolist())
    assert [] == stats.bh([]).tolist()


# "Passed" leaves out what did not run.
def test_a_rule_whose_probe_did_not_run_is_not_passed_over(bench: Bench) -> None:
    bench.set(probes=QUICK, rules=[{**ACCURACY, "min": 0.3}, {**FLIPS, "slice": "mix"}])

    assert 3 == bench.run()
    assert ["PASS", "NOT MEASURED"] == [verdict.status for verdict in result(bench).verdicts]


# No attack was tried, and the rate of success is 0.
def test_where_nothing_could_be_changed_there_is_no_flip_rate() -> None:
    digits = [Example(id=str(i), text=str(i), label=LABELS[i % 2]) for i in range(40)]
    data = replace(sample_data(), test=tuple(digits))
    probe = Noise(kinds=("upper_case", "contractions"), severities=())
    outcomes = [o for o in probe.run(subject(hashed()), data, Seeds(1)) if not isinstance(o, Item)]
    rules = [Rule(probe=probe.id, metric="flip_rate", slice=s, max=0.1) for s in ("upper_case", "worst")]

    assert {"changed_rate"} == {o.metric for o in outcomes if isinstance(o, Finding)}
    assert ["NOT MEASURED"] * 2 == [v.status for v in gate.judge(rules, outcomes, today=DAY)]


# A calibrator is judged on what it was fitted on.
def test_no_text_both_fits_and_judges_a_temperature() -> None:
    texts = [f"text {i % 50}" for i in range(100)]
    fits = temperature.split(texts, 0.5, key=lambda text: hash(text))

    assert set() == {t for t, fit in zip(texts, fits, strict=True) if fit} & {
        t for t, fit in zip(texts, fits, strict=True) if not fit
    }


# A calibration error of 0.0 where all answers are right, or all wrong.
@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_all_right_or_all_wrong_is_no_perfect_calibration(accuracy: float) -> None:
    data = sample_data(100)
    found = findings(CALIBRATION, knowing(data, accuracy=accuracy, confidence=0.9), data)

    assert 0.05 < found["ece_debiased", "all"].estimate.value


# A bootstrap of no failures is the interval from 0 to 0.
def test_no_failure_in_fifty_leaves_room_for_some() -> None:
    none = np.zeros(50)
    drawn = stats.bootstrap(lambda x: float(x.mean()), none, rng=np.random.default_rng(1), low=0, high=1)
    together = stats.clustered_share(none, list(range(50)))

    assert all(0.05 < e.high < 0.10 for e in (stats.share(0, 50), drawn, together))


# Five answers to one prompt count as five prompts.
def test_repeated_draws_of_a_text_are_one_unit() -> None:
    data = sample_data(60)
    found = findings(Noise(repeats=5, severities=()), hashed(), data)

    assert {True} == {f.estimate.n <= 60 for f in found.values()}


# Where all scores are equal the interval is a point.
@pytest.mark.parametrize("model", [constant(0.9), constant(1.0), hashed()])
@pytest.mark.parametrize("probe", [CALIBRATION, NOISE], ids=lambda probe: probe.id)
def test_no_interval_is_a_point(probe: Confidence | Noise, model: Planted) -> None:
    found = findings(probe, model, sample_data(60)).values()
    points = [f.metric for f in found if f.estimate.low == f.estimate.high]

    assert found
    assert [] == points


# An interval is worked out, and the point is graded.
def test_a_value_inside_the_limit_with_an_interval_across_it_is_unsure() -> None:
    assert "UNSURE" == judge(LIMIT, finding(ACROSS)).status


# Errors are missing from the number of cases by which the passes are divided.
def test_every_row_asked_is_a_row_counted(bench: Bench) -> None:
    bench.run()
    found = result(bench)
    asked = [item for item in record.read_items(bench.folders()[0]) if item.variant == "original"]
    accuracy = next(o for o in found.outcomes if isinstance(o, Finding) and o.metric == "accuracy")

    assert 80 == len(asked) == accuracy.estimate.n
    assert accuracy.estimate.value == sum(item.predicted == item.label for item in asked) / 80


# Labels written as words go through a parser of numbers; every row is skipped, and the empty table is fine.
def test_labels_written_as_words_keep_every_row(bench: Bench) -> None:
    bench.run()

    assert {"negative": 40, "positive": 40} == result(bench).data[0].counts


# A change that the tokenizer undoes counts as robustness.
def test_a_change_that_the_model_cannot_see_is_no_robustness() -> None:
    model = Planted(positive=lambda text: 0.9 if "fine" in text else 0.1, lower_cases=True)
    probe = Noise(kinds=("upper_case", "fillers"), severities=())
    outcomes = [o for o in probe.run(subject(model), sample_data(60), Seeds(1)) if not isinstance(o, Item)]
    named = judge(Rule(probe=probe.id, metric="flip_rate", slice="upper_case", max=0.2), *outcomes)
    every = judge(Rule(probe=probe.id, metric="flip_rate", slice="worst", max=0.2), *outcomes)

    assert "NOT MEASURED" == named.status
    assert ("PASS", True) == (every.status, "nothing to test in upper_case" in every.reason)


# --- what a rule can miss -------------------------------------------------------------------------


# A probe stopped yielding a metric, or never knew it: the rule on it is met by nobody.
def test_a_metric_that_the_probe_does_not_give_is_not_measured_and_says_what_it_gave(bench: Bench) -> None:
    bench.set(probes=QUICK, rules=[{**ACCURACY, "metric": "acuracy", "min": 0.3}])

    assert 3 == bench.run()
    assert 3 == bench.run("--unsure", "warn")
    assert "accuracy@all" in result(bench).verdicts[0].reason


# A slice fell out for a reason of its own, and "every slice" holds for the rest.
@pytest.mark.parametrize(
    ("skip", "status"),
    [
        (Skip(probe="p.q", metric="m", slice="b", reason="no labels"), "NOT MEASURED"),
        (Skip(probe="p.q", slice="b", reason="no labels"), "NOT MEASURED"),
        (Skip(probe="p.q", metric="m", reason="no labels"), "NOT MEASURED"),
        (Skip(probe="p.q", metric="m", slice="b", reason="no-op", applicable=False), "PASS"),
        (Skip(probe="p.q", metric="other", slice="b", reason="no labels"), "PASS"),
        (Skip(probe="p.other", metric="m", slice="b", reason="no labels"), "PASS"),
    ],
)
def test_every_slice_means_those_that_were_skipped_too(skip: Skip, status: Status) -> None:
    assert status == judge(WORST, finding(GOOD, "a"), skip).status


def test_a_slice_without_labels_keeps_the_worst_drop_from_passing() -> None:
    rows = [Example(id=f"u{i}", text=f"I do not think so, {i}") for i in range(40)]
    rows += [Example(id=f"l{i}", text=f"Fine, or poor: {i}", label=LABELS[i % 2]) for i in range(40)]
    model = Planted(positive=lambda text: 0.9 if int("".join(filter(str.isdigit, str(text)))) % 2 else 0.1)
    probe = Noise(kinds=("upper_case", "contractions"), severities=())
    data = replace(sample_data(), test=tuple(rows))
    outcomes = [o for o in probe.run(subject(model), data, Seeds(1)) if not isinstance(o, Item)]
    verdict = judge(Rule(probe=probe.id, metric="accuracy_drop", slice="worst", max=0.2), *outcomes)

    assert "NOT MEASURED" == verdict.status
    assert "contractions" in verdict.reason


# A limit in percent on a number that is a share: nothing can break it.
@pytest.mark.parametrize(
    ("limits", "unit"),
    [
        ({"max": 5.0}, "share"),
        ({"max": 1.0}, "share"),
        ({"min": 0.0}, "share"),
        ({"max": 5.0}, "points of share"),
        ({"min": -5.0}, "points of share"),
    ],
)
def test_a_limit_that_no_number_can_break_passes_nobody(limits: dict[str, float], unit: str) -> None:
    verdict = judge(Rule(probe="p.q", metric="m", **limits), finding(GOOD, unit=unit))

    assert "NOT MEASURED" == verdict.status
    assert "asks for nothing" in verdict.reason


def test_a_limit_in_another_unit_may_be_large() -> None:
    assert "PASS" == judge(replace(LIMIT, max=300.0), finding(GOOD, unit="milliseconds")).status


# A probe gives a shorter interval than the one that rules are meant for.
def test_an_interval_of_half_the_level_passes_nobody() -> None:
    verdict = judge(LIMIT, finding(replace(GOOD, level=0.5)))

    assert ("NOT MEASURED", True) == (verdict.status, "interval of 50%" in verdict.reason)


# A limit that is no number is met, or missed, by everything.
@pytest.mark.parametrize("limit", [".nan", ".inf", "-.inf", "1e999"])
def test_a_limit_that_is_not_finite_is_refused(bench: Bench, limit: str) -> None:
    text = bench.config.read_text(encoding="utf-8").replace("min: 0.3", f"min: {limit}")
    bench.config.write_text(text, encoding="utf-8")

    assert f"min: {limit}" in text
    assert 2 == bench.run()


# --- waivers --------------------------------------------------------------------------------------


# A waiver for the ceiling of a metric waives its floor as well.
def test_a_waiver_of_one_limit_does_not_waive_the_other() -> None:
    floor = Rule(probe="p.q", metric="m", min=0.2)
    waiver = Waiver(rule="p.q/m:max", owner="a", reason="b", expires="2999-01-01")
    ceiling, low = gate.judge([LIMIT, floor], [finding(BAD)], waivers=(waiver,), today=DAY)

    assert ("FAIL", waiver) == (ceiling.status, ceiling.waiver)
    assert ("FAIL", None) == (low.status, low.waiver)


def test_a_waiver_that_could_mean_two_limits_is_refused(bench: Bench) -> None:
    waiver = {"rule": "calibration.confidence/accuracy", "owner": "a", "reason": "b", "expires": "2999-01-01"}
    rules = [{**ACCURACY, "min": 0.999}, {**ACCURACY, "max": 0.1}]
    bench.set(probes=QUICK, rules=rules, waivers=[waiver])
    refused = bench.run()
    bench.set(probes=QUICK, rules=rules, waivers=[{**waiver, "rule": f"{waiver['rule']}:max"}])

    assert (2, 1) == (refused, bench.run())
    assert [False, True] == [verdict.waiver is not None for verdict in result(bench).verdicts]


# A waiver given for one limit goes on under another; or is lost without a word.
def test_judging_again_keeps_a_waiver_for_the_same_limit_only(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    waiver = {"rule": "calibration.confidence/accuracy", "owner": "a", "reason": "b", "expires": "2999-01-01"}
    bench.set(probes=QUICK, rules=[{**ACCURACY, "min": 0.999}], waivers=[waiver])
    policy = bench.folder / "p.yaml"
    codes = [bench.run()]
    for limit in ("0.999, why: in other words", "0.99"):
        policy.write_text(f"- {{probe: calibration.confidence, metric: accuracy, min: {limit}}}\n")
        codes.append(call(["gate", str(bench.folders()[0]), "--policy", str(policy)]))

    assert [0, 0, 1] == codes
    assert 1 == capsys.readouterr().out.count(
        "waiver of calibration.confidence/accuracy was for another limit"
    )


# --- exit code, JUnit, page -----------------------------------------------------------------------

STATUSES: tuple[Status, ...] = ("PASS", "FAIL", "UNSURE", "NOT MEASURED", "NOT APPLICABLE")
WAIVER = Waiver(rule="p.q/m", owner="a", reason="b", expires="2999-01-01")


# CI shows a green suite where the command leaves with another code than 0, or the other way round.
@pytest.mark.parametrize("warn", [False, True])
def test_junit_is_green_exactly_where_the_exit_code_is_0(warn: bool) -> None:
    kept = [
        (s, w) for s in STATUSES for w in (None, WAIVER) if w is None or s not in ("PASS", "NOT APPLICABLE")
    ]
    pairs = [*((one,) for one in kept), *itertools.product(kept, repeat=2)]
    disagreeing = [
        (pair, crashes)
        for pair in pairs
        for crashes in ((), (CRASH,))
        if _is_green(_junit(pair, crashes, warn)) != (_code(pair, crashes, warn) == 0)
    ]

    assert 100 < 2 * len(pairs)
    assert [] == disagreeing


Cases = tuple[tuple[Status, Waiver | None], ...]


def _verdicts(cases: Cases) -> tuple[Verdict, ...]:
    return tuple(Verdict(rule=LIMIT, status=status, reason="r", waiver=waiver) for status, waiver in cases)


def _code(cases: Cases, crashes: tuple[Crash, ...], warn: bool) -> int:
    return gate.exit_code(_verdicts(cases), crashes, unsure="warn" if warn else "fail")


def _junit(cases: Cases, crashes: tuple[Crash, ...], warn: bool) -> str:
    run = replace(sample.record(), verdicts=_verdicts(cases), outcomes=crashes)
    return junit.render(run, open_is_warning=warn)


def _is_green(text: str) -> bool:
    suite = ElementTree.fromstring(text).find("testsuite")
    assert suite is not None
    return ("0", "0") == (suite.get("failures"), suite.get("errors"))


# Two cases with one name: CI systems keep the first, and the failure of the second is gone.
def test_a_floor_and_a_ceiling_of_one_metric_are_two_cases_with_two_names() -> None:
    verdicts = gate.judge([LIMIT, Rule(probe="p.q", metric="m", min=0.2)], [finding(GOOD)], today=DAY)
    text = junit.render(replace(sample.record(), verdicts=verdicts, outcomes=(finding(GOOD),)))
    names = [case.get("name") for case in ElementTree.fromstring(text).iter("testcase")]

    assert ["p.q/m:max", "p.q/m:min"] == names[:2]
    assert len(names) == len(set(names))


# The policy was changed after the run, and the old run is shown as if it had been judged by the new one.
def test_a_page_that_is_rendered_again_shows_the_rules_of_the_run(bench: Bench) -> None:
    policy = bench.folder / "p.yaml"
    policy.write_text("- {probe: calibration.confidence, metric: accuracy, min: 0.999}\n")
    bench.set(probes=QUICK, rules="p.yaml")
    bench.run()
    (folder,) = bench.folders()
    before = (folder / "report.html").read_bytes()
    policy.write_text("- {probe: calibration.confidence, metric: accuracy, min: 0.1}\n")
    call(["report", str(folder)])

    assert before == (folder / "report.html").read_bytes()
    assert b"<h1>BLOCK</h1>" in before


# --- models ---------------------------------------------------------------------------------------


# The model's code ends the process, and 0 is what it leaves behind.
def test_a_model_that_ends_the_process_is_no_success(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.set(model__source="python:judge:leaves", probes=QUICK, rules=[{**ACCURACY, "min": 0.3}])

    assert 4 == bench.run()
    assert "asked to end the process" in capsys.readouterr().err


# A useless model is calibrated and steady: always the commonest label, with its share as confidence.
@pytest.mark.parametrize("model", ["constant", "hardly_varies", "other_way"])
def test_a_model_that_is_no_better_than_the_commonest_label_is_not_promoted(bench: Bench, model: str) -> None:
    common = [row for row in sentences(840) if row[1] == "positive"]
    rare = [row for row in sentences(40) if row[1] == "negative"]
    bench.rows([*common, *rare])
    bench.set(model__source=f"python:judge:{model}", probes={**QUICK, "robustness.noise": {"items": 120}})
    code = bench.run()
    gain = next(v for v in result(bench).verdicts if v.rule.metric == "accuracy_gain")

    assert "default" == result(bench).rules
    assert 0 != code
    assert gain.status in ("UNSURE", "FAIL")


def test_a_model_that_knows_its_task_is_better_than_the_commonest_label() -> None:
    data = sample_data(200)
    gain = findings(CALIBRATION, knowing(data, accuracy=0.9, confidence=0.9), data)["accuracy_gain", "all"]

    assert 0.2 < gain.estimate.low <= gain.estimate.value < 0.5


# --- examples -------------------------------------------------------------------------------------


# A small test set, copied until it is large enough.
@pytest.mark.parametrize(
    "probe", [CALIBRATION, NOISE, Noise(repeats=2)], ids=["calibration", "noise", "repeats"]
)
def test_copies_of_a_text_are_no_more_texts(probe: Confidence | Noise) -> None:
    few = tuple(replace(e, text=f"{e.text} {e.id}") for e in sample_data(30).test)
    copied = tuple(replace(e, id=f"{e.id}/{i}") for e in few for i in range(8))
    model = hashed(2)
    once = findings(probe, model, replace(sample_data(), test=few))
    often = findings(probe, model, replace(sample_data(), test=copied))

    assert {key for key in once if key[0] not in TEMPERATURES} <= set(often)
    assert [] == [key for key, found in often.items() if found.estimate.n > 30]
    assert 0.6 * _width(once[SHOWN[probe.id]]) < _width(often[SHOWN[probe.id]])


def _width(found: Finding) -> float:
    return found.estimate.high - found.estimate.low


TEMPERATURES = ("temperature", "ece_before_temperature", "ece_after_temperature")
SHOWN = {"calibration.confidence": ("accuracy", "all"), "robustness.noise": ("worst_case_accuracy", "all")}


def test_copies_do_not_reach_the_smallest_n_of_a_rule(bench: Bench) -> None:
    bench.rows(sentences(20) * 4)
    bench.set(probes=QUICK, rules=[{**ACCURACY, "min": 0.1, "min_n": 60}])

    assert 3 == bench.run()
    assert (20, "UNSURE") == _first(result(bench))


def _first(run: Record) -> tuple[int, str]:
    verdict = run.verdicts[0]
    assert verdict.estimate is not None
    return verdict.estimate.n, verdict.status


# The model is tested on what it was taught.
def test_test_texts_that_stand_in_the_training_data_are_told(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(bench.folder / "test.csv", bench.folder / "train.csv")
    bench.set(data__train={"source": "train.csv"}, probes=QUICK, rules=[{**ACCURACY, "min": 0.3}])
    bench.run()
    note = "texts that stand in data.train too: 80 of 80"

    assert note in capsys.readouterr().err
    assert note in (bench.folders()[0] / "report.html").read_text(encoding="utf-8")


# --- cache and resume -----------------------------------------------------------------------------


# An unfinished run of another question is continued.
def test_an_unfinished_run_of_another_config_is_left_alone(bench: Bench) -> None:
    bench.set(model__source="python:judge:stopped", name="x", probes=QUICK)
    stopped = bench.run()
    bench.set(name="x", probes=QUICK)
    bench.run()

    assert 4 == stopped
    assert [False, True] == [(place / "record.json").exists() for place in bench.folders()]


# The cache answers for another model that lies in the same place.
def test_a_model_replaced_by_one_of_the_same_size_and_time_is_asked_again(bench: Bench) -> None:
    bench.run()
    place = bench.folder / "judge.py"
    then = place.stat()
    text = place.read_text(encoding="utf-8")
    place.write_text(text.replace("< 0.1", "< 0.9"), encoding="utf-8")
    os.utime(place, ns=(then.st_atime_ns, then.st_mtime_ns))
    sys.modules.pop("judge", None)
    shutil.rmtree(bench.folder / "__pycache__", ignore_errors=True)
    bench.run()
    first, second = (record.read(folder) for folder in bench.folders())

    assert then.st_size == place.stat().st_size
    assert second.times.usage.scored > 0
    assert _accuracy(first) > 0.8 > 0.3 > _accuracy(second)


def _accuracy(run: Record) -> float:
    return next(o.estimate.value for o in run.outcomes if isinstance(o, Finding) and o.metric == "accuracy")


# The cache answers with the columns of another order of the labels.
def test_the_order_of_the_labels_is_part_of_a_question(bench: Bench) -> None:
    spec = ModelSpec(kind="fine-tuned", source="python:judge:keyword")
    cache, text = Cache(None), "The film is fine"
    (bench.folder / "judge.py").write_text("def keyword(texts):\n    return [[0.2, 0.8] for _ in texts]\n")

    def answer(*labels: str) -> str:
        model = open_subject(
            spec, labels=labels, pair=False, prompt=None, base=bench.folder, cache=cache, ledger=Ledger()
        ).classifier
        assert model is not None
        return model.labels[int(model.score([text]).predicted[0])]

    assert ("positive", "negative") == (answer("negative", "positive"), answer("positive", "negative"))


# The cache answers for another number format, or another prompt.
def test_number_format_and_every_part_of_a_prompt_are_part_of_a_question() -> None:
    parts = CausalParts(
        name="m", folder=Path(), gguf=None, weights="w", tokens="t", configs="c", add_bos=None
    )
    specs = [ModelSpec(kind="in-context", source="m", dtype=d) for d in ("float32", "bfloat16", "float16")]
    plain = Prompt(template="{text}:", verbalizers={"a": (" A",), "b": (" B",)})
    shown = (Example(id="1", text="x", label="a"), Example(id="2", text="y", label="b"))
    prompts = [
        plain,
        replace(plain, template="{text}?"),
        replace(plain, instruction="Say."),
        replace(plain, separator="\n"),
        replace(plain, chat=True),
        replace(plain, verbalizers={"a": (" A", " a"), "b": (" B",)}),
        replace(plain, verbalizers={"a": (" B",), "b": (" A",)}),
        replace(plain, demonstrations=shown),
        replace(plain, demonstrations=shown[::-1]),
        replace(plain, demonstrations=(replace(shown[0], label="b"), shown[1])),
    ]

    assert 3 == len({causal_key(parts, spec) for spec in specs})
    assert len(prompts) == len({prompt_hash(prompt) for prompt in prompts})


# --- probes that misbehave ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Odd:
    """A third party's probe that does what no probe should."""

    id: ClassVar[str] = "p.q"
    needs: ClassVar[frozenset[str]] = frozenset()
    give: Callable[[], Iterator[Any]]

    def demand(self, data: Data, facts: Facts) -> Demand:
        return Demand()

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        yield from self.give()


def _nothing_to_say() -> Iterator[Any]:
    yield finding(GOOD)
    yield None


def _no_number() -> Iterator[Any]:
    yield finding(GOOD)
    yield finding(estimate(float("nan"), float("nan"), float("nan")), "b")


# A probe answers for another one, twice with the better number first, with NaN, or with nothing at all.
@pytest.mark.parametrize(
    "give",
    [
        lambda: iter([finding(GOOD), finding(GOOD, probe="p.other")]),
        lambda: iter([finding(GOOD), finding(BAD)]),
        _no_number,
        _nothing_to_say,
    ],
    ids=["another's", "twice", "nan", "nothing"],
)
def test_a_probe_that_misbehaves_has_crashed_and_passes_nothing(give: Callable[[], Iterator[Any]]) -> None:
    measured = measure.measure(
        [Odd(give=give)],
        subject(hashed()),
        sample_data(),
        Seeds(1),
        keep=lambda item: None,
        before=lambda probe: None,
    )
    verdict = judge(LIMIT, *measured.outcomes)

    assert ["finding", "crash"] == [outcome.kind for outcome in measured.outcomes]
    assert "NOT MEASURED" == verdict.status
    assert 4 == gate.exit_code([verdict], measured.outcomes, unsure="warn")
