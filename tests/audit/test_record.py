"""A record comes back as it was, equal runs have equal digests, and a run folder is whole or resumable."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import record
from audit.errors import DataError
from audit.schema import (
    Case,
    ChecklistItem,
    Correction,
    Crash,
    Estimate,
    Facts,
    Finding,
    Item,
    Point,
    Record,
    Rule,
    Series,
    Skip,
    Source,
    Times,
    Usage,
    Verdict,
    Waiver,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SHARE = st.floats(0, 1)


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    low, value, high = sorted(draw(st.tuples(SHARE, SHARE, SHARE)))
    return Estimate(value=value, low=low, high=high, n=draw(st.integers(1, 10**9)), method=draw(TEXT))


POINTS = st.builds(
    Point, x=SHARE, y=SHARE, low=st.none() | SHARE, n=st.integers(0, 99), label=TEXT, group=TEXT
)
SERIES = st.builds(
    Series,
    kind=st.sampled_from(["reliability", "bars"]),
    title=TEXT,
    x=TEXT,
    y=TEXT,
    points=st.tuples(POINTS),
)
CASES = st.builds(Case, example=TEXT, text=TEXT, changed=st.none() | TEXT)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT, lambda inner: st.lists(inner, max_size=3)
)
FINDINGS = st.builds(
    Finding,
    probe=TEXT,
    metric=TEXT,
    estimate=estimates(),
    unit=TEXT,
    better=st.sampled_from(["lower", "zero"]),
    p=st.none() | SHARE,
    cases=st.tuples(CASES),
    series=st.none() | SERIES,
    correction=st.none()
    | st.builds(
        Correction,
        parameters=st.dictionaries(TEXT, JSON, max_size=2),
        labels=st.tuples(TEXT, TEXT),
        fitted_on=TEXT,
        prompt=TEXT,
        weights=TEXT,
    ),
)
OUTCOMES = st.lists(
    FINDINGS
    | st.builds(Skip, probe=TEXT, reason=TEXT, metric=st.none() | TEXT, applicable=st.booleans())
    | st.builds(Crash, probe=TEXT, error=TEXT, traceback=TEXT),
    max_size=4,
).map(tuple)


def a_record(**changes: object) -> Record:
    rule = Rule(probe="p", metric="m", max=0.3)
    base = Record(
        name="n",
        config="version: 1\n",
        profile="quick",
        seed=7,
        model=Facts(kind="fine-tuned", source="x", notes=("a",)),
        labels=("a", "b"),
        data=(Source(name="test", path="t.csv", sha256="0", rows=2, used=2, counts={"a": 1, "b": 1}),),
        versions={"python": "3.11"},
        probes={"p": {"items": 5, "kinds": ["x", 0.5, None]}},
        about={"p": "Why?"},
        outcomes=(),
        rules="default",
        verdicts=(
            Verdict(
                rule=rule,
                status="FAIL",
                reason="r",
                estimate=Estimate(value=0.5, low=0.4, high=0.6, n=9, method="w"),
                waiver=Waiver(rule=rule.id, owner="o", reason="r", expires="2026-01-01"),
            ),
        ),
        checklist=(ChecklistItem(id="T1", clause="c", question="q", status="FAIL", evidence=("e",)),),
        declared={"slo": {"p95_latency_ms": 300}},
        times=Times(started="2026", seconds=1.5, probes={"p": 1.0}, usage=Usage(asked=3, seconds=0.5)),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # the tests give valid fields


@given(OUTCOMES, TEXT)
def test_a_record_comes_back_as_it_was(outcomes: tuple[Finding | Skip | Crash, ...], name: str) -> None:
    before = a_record(outcomes=outcomes, name=name)

    assert record.loads(record.dumps(before)) == before


def test_the_digest_does_not_see_times() -> None:
    later = Times(started="2027", seconds=9.0, probes={}, usage=Usage(cached=3))

    assert record.digest(a_record()) == record.digest(a_record(times=later))


def test_the_digest_sees_everything_else() -> None:
    changed = [a_record(seed=8), a_record(items="x"), a_record(labels=("b", "a")), a_record(verdicts=())]

    assert len({record.digest(r) for r in [a_record(), *changed]}) == 5


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"schema": 99}', '{"schema": 1, "name": 3}'])
def test_what_is_no_record_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(DataError) as caught:
        record.loads(text)

    assert "\n" not in str(caught.value)


def test_a_number_that_is_no_estimate_is_refused() -> None:
    raw = json.loads(record.dumps(a_record()))
    raw["verdicts"][0]["estimate"]["low"] = 0.9

    with pytest.raises(DataError, match="damaged"):
        record.loads(json.dumps(raw))


def opened(root: Path, name: str, config: Path, key: str) -> Path:
    """The folder that a run is given, and leaves unfinished."""
    with record.open_folder(root, name, config, key, NOW) as folder:
        return folder


def test_an_unfinished_run_of_the_same_question_is_continued(tmp_path: Path) -> None:
    config = tmp_path / "model.yaml"
    first = opened(tmp_path / "out", "m", config, "key")

    assert first == opened(tmp_path / "out", "m", config, "key")
    assert first != opened(tmp_path / "out", "m", config, "other")


def test_a_folder_at_work_is_given_to_nobody_else(tmp_path: Path) -> None:
    config = tmp_path / "model.yaml"
    with record.open_folder(tmp_path / "out", "m", config, "key", NOW) as first:
        second = opened(tmp_path / "out", "m", config, "key")

        assert first != second
        assert second == opened(tmp_path / "out", "m", config, "key")


def test_a_run_that_breaks_off_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    config = tmp_path / "model.yaml"
    first = opened(tmp_path / "out", "m", config, "key")
    with (
        pytest.raises(FileNotFoundError),
        record.open_folder(tmp_path / "out", "m", config, "key", NOW) as second,
    ):
        (second / "nothing").read_bytes()

    assert [first, first] == [second, opened(tmp_path / "out", "m", config, "key")]


def test_a_finished_run_is_never_written_over(tmp_path: Path) -> None:
    first = opened(tmp_path / "out", "m", tmp_path / "model.yaml", "key")
    with record.Answers(first / "items.jsonl"):
        pass
    record.write(first, a_record(), {"report.html": "<p>"})

    assert first != opened(tmp_path / "out", "m", tmp_path / "model.yaml", "key")
    assert record.read(first) == a_record()


def test_the_origin_names_the_config_from_the_run_folder(tmp_path: Path) -> None:
    folder = opened(tmp_path / "out", "m", tmp_path / "model.yaml", "key")

    assert record.origin(folder).config == "../../model.yaml"


def test_an_unfinished_run_cannot_be_read_and_says_so(tmp_path: Path) -> None:
    folder = opened(tmp_path, "m", tmp_path / "model.yaml", "key")

    with pytest.raises(DataError, match="run the same command again"):
        record.read(folder)


@given(st.lists(st.tuples(st.text(), st.text(), SHARE), max_size=5))
def test_answers_come_back_as_they_were(rows: list[tuple[str, str, float]]) -> None:
    import tempfile

    items = [
        Item(
            example=a,
            content="c",
            probe="p",
            variant=b,
            label=None,
            predicted="x",
            probabilities=(p, 1 - p),
            outcome="o",
        )
        for a, b, p in rows
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with record.Answers(folder / "items.jsonl") as answers:
            for item in items:
                answers.keep(item)

        assert list(record.read_items(folder)) == items
        assert record.file_hash(folder / "items.jsonl") == answers.digest()


def test_a_broken_answer_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text("{}\n")

    with pytest.raises(DataError, match="line 1"):
        list(record.read_items(tmp_path))


def test_a_name_of_odd_characters_makes_a_plain_folder(tmp_path: Path) -> None:
    folder = opened(tmp_path, "../ä b/c", tmp_path / "m.yaml", "key")

    assert folder.parent == tmp_path
