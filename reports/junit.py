"""The verdicts as JUnit XML, for the test view of a CI system.

JUnit knows no UNSURE. A suite that CI shows green must not hide an open question, so UNSURE and NOT MEASURED
are failures of that type, and a run in which no rule was measured holds a failure that says so.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from audit.schema import Crash, Record, Verdict
from reports import wording
from reports.digits import interval, plural
from reports.plain import clean


def render(record: Record, *, open_is_warning: bool = False) -> str:
    """Return one test case for each rule and each crash, and one that asks whether anything was measured.

    FAIL, UNSURE and NOT MEASURED are failures; waived ones are skipped with the waiver, NOT APPLICABLE ones
    with the reason; a crash is an error. Properties hold the numbers in full digits.

    Args:
        record: all that the run learned.
        open_is_warning: True under `--unsure=warn`: UNSURE and NOT MEASURED are then skipped with the reason.
    """
    suite = Element("testsuite", name=clean(record.name), timestamp=clean(record.times.started))
    suite.set("time", f"{record.times.seconds:.3f}")
    seconds = dict(record.times.probes)
    for verdict in record.verdicts:
        # A probe's time is counted once, with its first rule.
        _rule(suite, record, verdict, seconds.pop(verdict.rule.probe, 0.0), forgiven=open_is_warning)
    for outcome in record.outcomes:
        if outcome.kind == "crash":
            _crash(suite, outcome)
    _coverage(suite, record)
    counts = {"tests": "testcase", "failures": "*/failure", "errors": "*/error", "skipped": "*/skipped"}
    for name, path in counts.items():
        suite.set(name, str(len(suite.findall(path))))
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return clean('<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n")


def _rule(suite: Element, record: Record, verdict: Verdict, seconds: float, *, forgiven: bool) -> None:
    rule = verdict.rule
    # CI systems keep the first of two cases with one name, so a floor and a ceiling need two.
    alone = [other.rule.id for other in record.verdicts].count(rule.id) == 1
    name, classname = clean(rule.id if alone else rule.full_id), clean(rule.probe)
    case = SubElement(suite, "testcase", classname=classname, name=name, time=f"{seconds:.3f}")
    _properties(case, verdict)
    unit = wording.unit_of(record, rule.probe, rule.metric)
    asked = wording.question(rule, unit)
    found = "" if verdict.estimate is None else interval(verdict.estimate, unit, limit=wording.limit_of(rule))
    message = clean(f"{asked} {found + ': ' if found else ''}{verdict.reason}")
    if verdict.status == "PASS":
        return
    if verdict.waiver is not None:
        waiver = verdict.waiver
        by = f"{verdict.status}, waived by {waiver.owner} until {waiver.expires}: {waiver.reason}. "
        SubElement(case, "skipped", message=clean(by) + message)
    elif verdict.status == "NOT APPLICABLE" and not rule.required:
        SubElement(case, "skipped", message=f"NOT APPLICABLE: {message}")
    elif verdict.status != "FAIL" and forgiven:
        SubElement(case, "skipped", message=f"{verdict.status}, accepted as a warning: {message}")
    else:
        failure = SubElement(case, "failure", type=verdict.status, message=message)
        needed = wording.needed(verdict.needed_n, None if verdict.estimate is None else verdict.estimate.n)
        failure.text = clean("\n".join(part for part in (asked, found, verdict.reason, needed) if part))


def _properties(case: Element, verdict: Verdict) -> None:
    rule, estimate = verdict.rule, verdict.estimate
    values: dict[str, str] = {"status": verdict.status, "limit": repr(wording.limit_of(rule))}
    if estimate is not None:
        numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
        values |= {name: repr(float(x)) for name, x in numbers.items()}
        values |= {"n": str(estimate.n), "level": repr(estimate.level), "method": estimate.method}
    if verdict.slice is not None:
        values["slice"] = verdict.slice
    if verdict.needed_n is not None:
        values["needed_n"] = str(verdict.needed_n)
    properties = SubElement(case, "properties")
    for name, value in values.items():
        SubElement(properties, "property", name=name, value=clean(value))


def _crash(suite: Element, crash: Crash) -> None:
    case = SubElement(suite, "testcase", classname=clean(crash.probe), name="runs to its end", time="0.000")
    error = SubElement(case, "error", type="crash", message=clean(crash.error))
    error.text = clean(crash.traceback)


def _coverage(suite: Element, record: Record) -> None:
    case = SubElement(suite, "testcase", classname="audit", name="a rule was measured", time="0.000")
    if not any(verdict.status in ("PASS", "FAIL", "UNSURE") for verdict in record.verdicts):
        message = f"none of {plural(len(record.verdicts), 'rule')} was measured; nothing measured is no pass"
        SubElement(case, "failure", type="NOT MEASURED", message=message)
