"""JUnit XML: always well formed, and never green where the gate is not."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.schema import Crash, Record
from reports import junit
from tests.reports import sample
from tests.reports.conftest import Golden

RECORD = sample.record()


def case(text: str, name: str) -> ElementTree.Element:
    found = ElementTree.fromstring(text).find(f".//testcase[@name='{name}']")
    assert found is not None
    return found


def test_the_xml_of_the_sample(record: Record, golden: Golden) -> None:
    golden("junit.xml", junit.render(record))


def test_there_is_one_case_for_each_rule_and_crash_and_one_for_coverage(record: Record) -> None:
    suite = ElementTree.fromstring(junit.render(record)).find("testsuite")

    assert suite is not None and str(len(record.verdicts) + 2) == suite.get("tests")
    assert len(record.verdicts) + 2 == len(suite.findall("testcase"))


def test_the_counts_are_those_of_the_cases(record: Record) -> None:
    suite = ElementTree.fromstring(junit.render(record)).find("testsuite")

    assert suite is not None
    assert ("4", "1", "2") == (suite.get("failures"), suite.get("errors"), suite.get("skipped"))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("robustness.noise/flip_rate@worst", "FAIL"),
        ("calibration.confidence/ece_debiased", "UNSURE"),
        ("efficiency.latency/p95_latency", "NOT MEASURED"),
    ],
)
def test_what_is_not_a_pass_is_a_failure_of_its_type(record: Record, rule: str, expected: str) -> None:
    failure = case(junit.render(record), rule).find("failure")

    assert failure is not None and expected == failure.get("type")


def test_a_pass_holds_its_numbers_and_nothing_else(record: Record) -> None:
    found = case(junit.render(record), "calibration.confidence/accuracy")

    values = {p.get("name"): p.get("value") for p in found.findall("properties/property")}
    assert ["properties"] == [child.tag for child in found]
    assert {"value": "0.889", "low": "0.874", "high": "0.902", "n": "1821"}.items() <= values.items()


def test_a_waived_rule_is_skipped_and_names_its_owner(record: Record) -> None:
    skipped = case(junit.render(record), "robustness.noise/accuracy_drop").find("skipped")

    assert skipped is not None and "waived by search team until 2026-12-31" in str(skipped.get("message"))


def test_what_does_not_apply_is_skipped_unless_it_is_required(record: Record) -> None:
    verdict = record.verdicts[-1]
    required = replace(verdict, rule=replace(verdict.rule, required=True))

    free = case(junit.render(record), verdict.rule.id)
    bound = case(junit.render(replace(record, verdicts=(required,))), verdict.rule.id)

    assert free.find("skipped") is not None and bound.find("failure") is not None


def test_a_crash_is_an_error_with_its_traceback(record: Record) -> None:
    error = case(junit.render(record), "runs to its end").find("error")

    assert error is not None and "Traceback" in str(error.text)


def test_open_rules_that_count_as_warnings_are_skipped_and_a_fail_is_not(record: Record) -> None:
    text = junit.render(record, open_is_warning=True)

    assert case(text, "calibration.confidence/ece_debiased").find("skipped") is not None
    assert case(text, "robustness.noise/flip_rate@worst").find("failure") is not None


@pytest.mark.parametrize("keep", [[], [4, 5, 6]], ids=["no rules", "none measured"])
def test_a_run_that_measured_nothing_is_red(record: Record, keep: list[int]) -> None:
    bare = replace(record, verdicts=tuple(record.verdicts[i] for i in keep), outcomes=())

    failure = case(junit.render(bare, open_is_warning=True), "a rule was measured").find("failure")

    assert failure is not None


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(), max_size=40))
def test_any_text_gives_well_formed_xml(text: str) -> None:
    hostile = replace(
        RECORD,
        name=text,
        times=replace(RECORD.times, started=text),
        verdicts=tuple(
            replace(v, reason=text, slice=text, rule=replace(v.rule, probe=text, slice=text))
            for v in RECORD.verdicts
        ),
        outcomes=(Crash(probe=text, error=text, traceback=text),),
    )

    ElementTree.fromstring(junit.render(hostile).encode("utf-8"))
