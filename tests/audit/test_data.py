"""Files and folders become examples; what does not fit is named with its row, and nothing is guessed."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.data import load, load_source
from audit.errors import AuditError, ConfigError, DataError
from audit.labels import read_labels
from audit.rows import FIRST_TEXT
from audit.schema import Data, content_hash
from audit.seeds import Seeds
from audit.spec import DataSpec, SetFormat, SourceSpec, TaskSpec

TASK: dict[str, Any] = {"labels": ("negative", "positive")}
ROWS = [{"text": f"text {i}", "label": ("negative", "positive")[i % 2], "stars": i} for i in range(10)]


def jsonl(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


class Desk:
    """A folder, and `load` on one file in it."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def put(self, name: str, content: bytes | str) -> str:
        (self.base / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    def load(
        self,
        name: str,
        content: bytes | str,
        task: dict[str, Any] = TASK,
        limit: int | None = None,
        seed: int = 7,
        more: dict[str, Any] | None = None,
        **spec: Any,
    ) -> Data:
        test = {"source": self.put(name, content), **spec}
        data = DataSpec.model_validate({"test": test, **(more or {})})
        return load(TaskSpec.model_validate(task), data, base=self.base, seeds=Seeds(seed), limit=limit)

    def refused(self, *given: Any, **more: Any) -> str:
        with pytest.raises(DataError) as caught:
            self.load(*given, **more)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# --- formats ------------------------------------------------------------------------------


def as_parquet(place: Path) -> bytes:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), place / "x")
    return (place / "x").read_bytes()


def delimited(mark: str) -> bytes:
    lines = [["text", "label", "stars"], *([str(one) for one in row.values()] for row in ROWS)]
    return "\n".join(mark.join(line) for line in lines).encode()


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", lambda _: jsonl(ROWS)),
        ("a.ndjson", lambda _: jsonl(ROWS)),
        ("a.csv", lambda _: delimited(",")),
        ("a.tsv", lambda _: delimited("\t")),
        ("a.parquet", as_parquet),
    ],
)
def test_every_format_gives_the_same_examples(
    desk: Desk, name: str, content: Callable[[Path], bytes], gz: bool
) -> None:
    raw = content(desk.base)
    data = desk.load(name + ".gz" * gz, gzip.compress(raw, mtime=0) if gz else raw)
    assert [(one.text, one.label, str(one.meta["stars"])) for one in data.test] == [
        (row["text"], row["label"], str(row["stars"])) for row in ROWS
    ]
    assert data.sources[0].counts == {"negative": 5, "positive": 5}


def test_the_format_can_be_told(desk: Desk) -> None:
    assert len(desk.load("a.txt", delimited("\t"), format="tsv").test) == 10


def test_an_unknown_ending_asks_for_the_format(desk: Desk) -> None:
    assert "say `format: csv`" in desk.refused("a.txt", delimited("\t"))


def test_a_hash_is_of_the_content_and_not_of_its_packing_or_the_limit(desk: Desk) -> None:
    plain = desk.load("a.jsonl", jsonl(ROWS)).sources[0].sha256
    packed = desk.load("b.jsonl.gz", gzip.compress(jsonl(ROWS), mtime=0), limit=4).sources[0].sha256
    other = desk.load("a.jsonl", jsonl(ROWS[:9])).sources[0].sha256
    assert plain == packed != other


def test_tsv_keeps_stray_quotes(desk: Desk) -> None:
    data = desk.load("a.tsv", 'text\tlabel\n"a stray\tnegative\nquote" here\tpositive\n')
    assert [one.text for one in data.test] == ['"a stray', 'quote" here']


def test_csv_keeps_quoted_commas_quotes_and_lines(desk: Desk) -> None:
    data = desk.load("a.csv", 'text,label\n"a, ""b""\r\nc",negative\r\nd,positive\r\n')
    assert [one.text for one in data.test] == ['a, "b"\r\nc', "d"]


def test_csv_text_is_never_taken_for_a_number_or_a_gap(desk: Desk) -> None:
    data = desk.load("a.csv", "text,label\nNA,negative\nnull,positive\n007,positive\n1e5,positive\n")
    assert [one.text for one in data.test] == ["NA", "null", "007", "1e5"]


def test_columns_name_a_file_without_a_header(desk: Desk) -> None:
    data = desk.load("a.csv", "negative,a\npositive,b\n", columns=["label", "text"])
    assert [(one.text, one.label) for one in data.test] == [("a", "negative"), ("b", "positive")]


def test_columns_of_a_jsonl_are_refused(desk: Desk) -> None:
    assert "`columns` names those of a csv or tsv" in desk.refused("a.jsonl", jsonl(ROWS), columns=["a"])


def test_a_byte_order_mark_is_no_text(desk: Desk) -> None:
    assert len(desk.load("a.csv", b"\xef\xbb\xbf" + delimited(",")).test) == 10
    assert len(desk.load("b.csv", delimited(",").decode().encode("utf-16")).test) == 10


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "", "the file is empty"),
        ("a.jsonl", " \n\n", "the file is empty"),
        ("a.csv", "text,label\n", "no rows, only 'text', 'label'"),
        (
            "a.csv",
            "text,label\na,negative,x\n",
            "line 2 has 3 fields and not 2 ('text', 'label'), got ['a', 'neg",
        ),
        ("a.tsv", "text\tlabel\na\tnegative\nb\n", "line 3 has 1 fields and not 2"),
        ("a.csv", 'text,label\n"a,negative\nb,positive\n', "not valid csv: unexpected end of data"),
        ("a.csv", "text,text,label\na,b,negative\n", "two columns are called 'text'; rename one"),
        (
            "a.jsonl",
            b'{"text": "a", "label": "negative"}\n{"text": \n',
            "line 2 is not JSON: Expecting value",
        ),
        ("a.jsonl", b"[1]\n", "line 1 must be an object ({...}), got [1]"),
        ("a.jsonl", b"[" * 100_000, "line 1 is not JSON: nested too deeply"),
        ("a.jsonl", b'{"text": ' + b"9" * 5000 + b"}", "line 1 is not JSON"),
        ("a.jsonl.gz", gzip.compress(jsonl(ROWS), mtime=0)[:40], "cannot be read"),
        ("a.parquet", b"not parquet", "not valid parquet"),
    ],
)
def test_broken_files_are_refused_with_their_line(desk: Desk, name: str, content: Any, expected: str) -> None:
    said = desk.refused(name, content)
    assert expected in said
    assert said.startswith(f"data.test: {name}: ")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"caf\xe9 ol\xe9", "caf\ufffd ol\ufffd"),
        ("😀 🏳️‍🌈".encode(), "😀 🏳️‍🌈"),
        ("\u202eשלום עולם مرحبا".encode(), "\u202eשלום עולם مرحبا"),
        ("a\u2028b\x85c".encode(), "a\u2028b\x85c"),
        (b"x" * 100_000, "x" * 100_000),
        (b"x" * 300_000, "x" * 300_000),
    ],
)
def test_odd_texts_are_kept(desk: Desk, content: bytes, text: str) -> None:
    data = desk.load("a.csv", b"text,label\n" + content + b",negative\nb,positive\n")
    assert data.test[0].text == text


def test_bytes_that_are_not_utf8_are_counted(desk: Desk) -> None:
    content = b"text,label\n" + b"caf\xe9 \xe9," + b"negative\nwas \xef\xbf\xbd,positive\n"
    notes = desk.load("a.csv", content).sources[0].notes
    assert "places that are not UTF-8, replaced by \ufffd: 2" in notes
    assert "texts with the replacement character \ufffd: 2" in notes


def test_half_characters_are_replaced_and_counted(desk: Desk) -> None:
    content = b'{"text": "a\\ud800b", "label": 0}\n{"text": "c", "label": 1}\n'
    data = desk.load("a.jsonl", content)
    data.test[0].text.encode()
    assert "\ufffd" in data.test[0].text
    assert "texts with the replacement character \ufffd: 1" in data.sources[0].notes


# --- texts and missing values --------------------------------------------------------------


def two(**first: Any) -> list[Any]:
    return [{"text": "a", "label": "negative", **first}, {"text": "b", "label": "positive"}]


def test_empty_texts_are_kept_and_counted(desk: Desk) -> None:
    data = desk.load("a.jsonl", jsonl(two(text="")))
    assert data.test[0].text == ""
    assert "empty texts, kept: 1" in data.sources[0].notes


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_text_is_refused_unless_dropped(desk: Desk, missing: object) -> None:
    rows = [*two(), {"text": missing, "label": "negative"}]
    assert "row 3 has no text; mend the file, or say `drop_missing: true`" in desk.refused(
        "a.jsonl", jsonl(rows)
    )
    source = desk.load("a.jsonl", jsonl(rows), drop_missing=True).sources[0]
    assert (source.rows, source.used) == (3, 2)
    assert "rows without a text or a label, dropped: 1" in source.notes


def test_a_missing_label_is_refused_unless_dropped(desk: Desk) -> None:
    content = "text,label\na,negative\nb,positive\nc,\nd,\n"
    assert "row 3 has no label (and 1 more rows miss something)" in desk.refused("a.csv", content)
    assert desk.load("a.csv", content, drop_missing=True).sources[0].used == 2


def test_dropping_everything_is_refused(desk: Desk) -> None:
    rows = [{"text": None, "label": "negative"}] * 3
    assert "every row misses its text" in desk.refused("a.jsonl", jsonl(rows), drop_missing=True)


def test_numbers_as_texts_are_read_as_written(desk: Desk) -> None:
    data = desk.load("a.jsonl", jsonl(two(text=12)))
    assert data.test[0].text == "12"
    assert "texts that are numbers, read as written: 1" in data.sources[0].notes


@pytest.mark.parametrize("text", [True, ["a"], {"a": 1}])
def test_what_is_no_text_is_refused(desk: Desk, text: object) -> None:
    assert "row 1 has no text in 'text', got" in desk.refused("a.jsonl", jsonl(two(text=text)))


def test_a_missing_column_names_the_nearest_and_all(desk: Desk) -> None:
    said = desk.refused("a.csv", "texts,label\na,negative\n")
    assert said.startswith("data.test: a.csv: no column 'text'; did you mean 'texts'?")
    assert said.endswith("its columns are 'texts', 'label'; set `text`")


def test_pairs_have_two_texts(desk: Desk) -> None:
    data = desk.load(
        "a.csv", "p,h,label\na,b,negative\nc,d,positive\n", {**TASK, "text": "p", "text_pair": "h"}
    )
    assert [one.input for one in data.test] == [("a", "b"), ("c", "d")]


def test_a_source_overrides_the_columns_of_the_task(desk: Desk) -> None:
    desk.put("b.csv", "review,stars\nx,1\n")
    shift = {"source": "b.csv", "text": "review", "label": "stars"}
    data = desk.load("a.jsonl", jsonl(two()), more={"shifts": {"b": shift}})
    assert [(one.text, one.label) for one in data.shifts["b"]] == [("x", "positive")]


def test_a_source_may_have_no_labels(desk: Desk) -> None:
    desk.put("b.csv", "text,label\nx,whatever\n")
    data = desk.load("a.jsonl", jsonl(two()), more={"shifts": {"b": {"source": "b.csv", "label": None}}})
    assert data.shifts["b"][0].label is None
    assert data.shifts["b"][0].meta == {"label": "whatever"}


# --- labels --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "labels", "mapping", "expected"),
    [
        (["negative", " positive "], "negative positive", None, "negative positive"),
        ([0, 1], "negative positive", None, "negative positive"),
        (["0", "1.0"], "negative positive", None, "negative positive"),
        ([0.0, 1.0], "negative positive", None, "negative positive"),
        ([False, True], "negative positive", None, "negative positive"),
        (["False", "TRUE"], "negative positive", None, "negative positive"),
        ([2, 0, 1], "a b c", None, "c a b"),
        (["1", "2"], "1 2", None, "1 2"),
        ([1, 2.0], "1 2", None, "1 2"),
        ([True, "false"], "true false", None, "true false"),
        (["pos", "neg"], "negative positive", {"pos": "positive", "neg": "negative"}, "positive negative"),
        ([4, "1", 1.0], "a b", {"4": "a", "1": "b"}, "a b b"),
        ([True, False], "a b", {"true": "a", "False": "b"}, "a b"),
        (["a", "x"], "a b", {"x": "b"}, "a b"),
        ([1, 0], "a b", {"0": "b", "1": "a"}, "a b"),
    ],
)
def test_labels_are_names_numbers_or_what_the_config_says(
    values: list[object], labels: str, mapping: dict[str, str] | None, expected: str
) -> None:
    assert read_labels(values, labels.split(), mapping, where="x").labels == tuple(expected.split())


@pytest.mark.parametrize("value", [None, "", "  ", float("nan")])
def test_a_missing_label_is_none(value: object) -> None:
    assert read_labels([value], ["a", "b"], None, where="x").labels == (None,)


def test_numbers_read_as_places_are_noted() -> None:
    notes = read_labels([0], ["a", "b"], None, where="x").notes
    assert notes == ("label numbers read as places in task.labels: 0 = a, 1 = b",)


def test_names_leave_no_note() -> None:
    assert read_labels(["a"], ["a", "b"], None, where="x").notes == ()


@pytest.mark.parametrize(
    ("value", "labels", "mapping", "expected"),
    [
        (
            "positiv",
            ["negative", "positive"],
            None,
            "row 2 has the label 'positiv'; known are 'negative', 'positi",
        ),
        ("Positive", ["negative", "positive"], None, "did you mean 'positive'?"),
        (2, ["a", "b"], None, "if the numbers start at one, say `labels: {1: a, 2: b}`"),
        (-1, ["a", "b"], None, "has the label -1"),
        (0.5, ["a", "b"], None, "has the label 0.5"),
        (0, ["1", "2"], None, "has the label 0; known are '1', '2'"),
        (True, ["a", "b", "c"], None, "has the label True"),
        ([0], ["a", "b"], None, "has the label [0]"),
        ("z", ["a", "b"], {"0": "a", "1": "b"}, "has the label 'z'; known are '0', '1', 'a', 'b'"),
        (1, ["a", "b"], {"0": "a"}, "has the label 1"),
        ("a", ["a", "b"], {"0": "c"}, "labels.0 is not a label of the task, got 'c'; known are a, b"),
    ],
)
def test_an_unknown_label_is_refused_with_its_row(
    value: object, labels: list[str], mapping: dict[str, str] | None, expected: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_labels([labels[0], value], labels, mapping, where="x")
    assert expected in str(caught.value)


def test_a_source_that_names_its_numbers_is_read_by_name() -> None:
    found = read_labels([0, 1], ["negative", "positive"], None, names=["positive", "negative"], where="x")
    assert found.labels == ("positive", "negative")


def test_a_source_that_shares_only_some_names_is_refused() -> None:
    with pytest.raises(DataError, match="neutral is not a label of the task"):
        read_labels([0], ["a", "b"], None, names=["a", "neutral"], where="x")


def test_a_source_with_names_of_its_own_is_read_by_place_and_noted() -> None:
    found = read_labels([1], ["negative", "positive"], None, names=["neg", "pos"], where="x")
    assert found.labels == ("positive",)
    assert "the source calls them neg, pos" in found.notes[0]


def test_an_unknown_label_is_refused_even_where_the_sample_leaves_it_out(desk: Desk) -> None:
    rows = [*ROWS * 20, {"text": "z", "label": "neutral"}]
    assert "row 201 has the label 'neutral'" in desk.refused("a.jsonl", jsonl(rows), limit=2)


def test_one_class_only_is_refused(desk: Desk) -> None:
    said = desk.refused("a.jsonl", jsonl(ROWS[::2]))
    assert "5 rows have one label only, got 'negative'" in said


def test_a_sample_of_one_class_is_refused(desk: Desk) -> None:
    assert "the 1 sampled (data.limit) have one label only" in desk.refused("a.jsonl", jsonl(ROWS), limit=1)


def test_a_shift_may_have_one_class(desk: Desk) -> None:
    desk.put("b.jsonl", jsonl(ROWS[::2]))
    assert (
        len(desk.load("a.jsonl", jsonl(ROWS), more={"shifts": {"b": {"source": "b.jsonl"}}}).shifts["b"]) == 5
    )


def test_a_label_without_examples_is_noted(desk: Desk) -> None:
    data = desk.load("a.jsonl", jsonl(ROWS), {"labels": ("negative", "neutral", "positive")})
    assert "no example of the label 'neutral'" in data.sources[0].notes


# --- ids, groups, meta ---------------------------------------------------------------------


def test_an_id_is_the_hash_of_the_content_with_a_counter_for_repeats(desk: Desk) -> None:
    rows = [{"text": "a", "label": "negative"}, {"text": "a", "label": "positive"}, *two()]
    one = content_hash("a")
    data = desk.load("a.jsonl", jsonl(rows))
    assert sorted(example.id for example in data.test) == sorted(
        [one, f"{one}-2", f"{one}-3", content_hash("b")]
    )
    assert "repeated texts, kept: 2" in data.sources[0].notes


def test_ids_of_repeats_do_not_hang_on_their_order(desk: Desk) -> None:
    rows = [{"text": "a", "label": i % 2, "n": i} for i in range(6)]
    first = desk.load("a.jsonl", jsonl(rows)).test
    second = desk.load("b.jsonl", jsonl(rows[::-1])).test
    assert {one.id: one.meta["n"] for one in first} == {one.id: one.meta["n"] for one in second}


def test_an_id_column_gives_ids(desk: Desk) -> None:
    data = desk.load("a.jsonl", jsonl(ROWS), {**TASK, "id": "stars"})
    assert [one.id for one in data.test] == [str(i) for i in range(10)]
    assert data.test[0].meta == {}


def test_equal_ids_are_refused_with_their_rows(desk: Desk) -> None:
    content = "id,text,label\n7,a,negative\n8,b,positive\n7,c,positive\n"
    assert "rows 1 and 3 have the same id '7'" in desk.refused("a.csv", content, {**TASK, "id": "id"})


def test_a_missing_id_is_refused(desk: Desk) -> None:
    content = "id,text,label\n7,a,negative\n,b,positive\n"
    assert "row 2 has no id" in desk.refused("a.csv", content, {**TASK, "id": "id"})


def test_group_columns_become_groups_where_they_have_a_value(desk: Desk) -> None:
    rows = [{**row, "gender": ("f", None)[i % 2], "age": 30.0} for i, row in enumerate(ROWS)]
    data = desk.load("a.jsonl", jsonl(rows), more={"groups": ["gender", "age"]})
    assert [dict(one.groups) for one in data.test[:2]] == [{"gender": "f", "age": "30"}, {"age": "30"}]
    assert data.test[0].meta == {"stars": 0}


def test_a_missing_group_column_is_refused(desk: Desk) -> None:
    assert "no column 'sex'" in desk.refused("a.jsonl", jsonl(ROWS), more={"groups": ["sex"]})


def test_meta_is_json(desk: Desk) -> None:
    rows = two(spans=[[0, 1]], deep={"a": [None]}, gap=float("nan"))
    meta = desk.load("a.jsonl", jsonl(rows)).test[0].meta
    assert meta == {"spans": [[0, 1]], "deep": {"a": [None]}, "gap": None}


# --- sampling ------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, database=None)
@given(seed=st.integers(0, 2**63 - 1), order=st.randoms(use_true_random=False))
def test_a_sample_does_not_hang_on_the_order_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, seed: int, order: random.Random
) -> None:
    desk = Desk(tmp_path_factory.mktemp("sample"))
    rows = [{"text": f"t{i // 2}", "label": i % 2} for i in range(60)]
    shuffled = order.sample(rows, len(rows))
    first = desk.load("a.jsonl", jsonl(rows), limit=25, seed=seed).test
    second = desk.load("b.jsonl", jsonl(shuffled), limit=25, seed=seed).test
    assert {(one.id, one.text, one.label) for one in first} == {
        (one.id, one.text, one.label) for one in second
    }


def test_a_sample_keeps_the_natural_prior(desk: Desk) -> None:
    rows = [{"text": f"t{i}", "label": int(i % 10 == 0)} for i in range(5000)]
    shares = [
        desk.load("a.jsonl", jsonl(rows), limit=1000, seed=seed).sources[0].counts["positive"]
        for seed in range(8)
    ]
    # 100 expected; the deviation of a draw without putting back is 8.5, of the mean of eight draws 3
    assert 90 < sum(shares) / 8 < 110


def test_a_sample_is_noted_and_keeps_the_order_of_the_file(desk: Desk) -> None:
    data = desk.load("a.jsonl", jsonl(ROWS), limit=6)
    stars = [one.meta["stars"] for one in data.test]
    assert stars == sorted(stars, key=lambda one: int(str(one)))
    assert "a sample of 6 of 10, drawn by the seed at the natural prior" in data.sources[0].notes
    assert (data.sources[0].rows, data.sources[0].used) == (10, 6)


def test_another_seed_draws_another_sample(desk: Desk) -> None:
    drawn = {
        tuple(one.id for one in desk.load("a.jsonl", jsonl(ROWS), limit=6, seed=s).test) for s in range(9)
    }
    assert len(drawn) > 1


def test_train_and_sets_are_whole_and_shifts_are_limited(desk: Desk) -> None:
    source = {"source": desk.put("b.jsonl", jsonl(ROWS))}
    more = {"train": source, "shifts": {"s": source}, "sets": {"t": source}}
    data = desk.load("a.jsonl", jsonl(ROWS), limit=6, more=more)
    assert [len(one) for one in (data.test, data.train, data.shifts["s"], data.sets["t"])] == [6, 10, 6, 10]
    assert [one.name for one in data.sources] == ["test", "train", "shifts.s", "sets.t"]


def test_test_texts_that_stand_in_train_are_counted(desk: Desk) -> None:
    more = {"train": {"source": desk.put("b.jsonl", jsonl(ROWS[:3]))}}
    data = desk.load("a.jsonl", jsonl(ROWS), more=more)
    assert "texts that stand in data.train too: 3 of 10" in data.sources[0].notes


def test_a_file_of_demonstrations_is_read_in_its_order(desk: Desk) -> None:
    spec = SourceSpec(source=desk.put("d.jsonl", jsonl(ROWS[:3])))
    task = TaskSpec.model_validate(TASK)
    shown, source = load_source("demonstrations.from", spec, task, base=desk.base, seeds=Seeds(7))
    assert [one.text for one in shown] == ["text 0", "text 1", "text 2"]
    assert source.used == 3


def test_a_broken_file_of_demonstrations_is_named_by_its_key(desk: Desk) -> None:
    spec = SourceSpec(source=desk.put("d.jsonl", b"{"))
    task = TaskSpec.model_validate(TASK)
    with pytest.raises(
        DataError, match=r"^model\.prompt\.demonstrations\.from: d\.jsonl: line 1 is not JSON"
    ):
        load_source("model.prompt.demonstrations.from", spec, task, base=desk.base, seeds=Seeds(7))


# --- places --------------------------------------------------------------------------------


def saved(base: Path, *, splits: bool) -> str:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["positive", "negative"])}
    )
    one = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features=features)
    (datasets.DatasetDict({"dev": one, "extra": one}) if splits else one).save_to_disk(str(base / "saved"))
    return "saved"


def from_folder(base: Path, **spec: Any) -> Data:
    data = DataSpec.model_validate({"test": {"source": "saved", **spec}})
    return load(TaskSpec.model_validate(TASK), data, base=base, seeds=Seeds(7), limit=None)


def test_a_saved_data_set_is_read_by_the_names_of_its_labels(tmp_path: Path) -> None:
    saved(tmp_path, splits=False)
    assert [(one.text, one.label) for one in from_folder(tmp_path).test] == [
        ("a", "positive"),
        ("b", "negative"),
    ]


def test_a_saved_data_set_with_splits_wants_one(tmp_path: Path) -> None:
    saved(tmp_path, splits=True)
    assert len(from_folder(tmp_path, split="dev").test) == 2
    with pytest.raises(DataError, match="`split` must be one of dev, extra, got 'def'; did you mean 'dev'"):
        from_folder(tmp_path, split="def")


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    with pytest.raises(DataError, match="is a folder, and not one saved by `datasets`"):
        from_folder(tmp_path)


def test_a_broken_saved_data_set_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "state.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read by `datasets`"):
        from_folder(tmp_path)


@pytest.mark.parametrize("source", ["tset.jsonl", "./no", "/no/where", "a/b/c", "folder/no.csv.gz", "~/no"])
def test_a_file_that_is_not_there_is_not_looked_up_on_the_hub(tmp_path: Path, source: str) -> None:
    (tmp_path / "test.jsonl").write_bytes(jsonl(ROWS))
    data = DataSpec.model_validate({"test": {"source": source}})
    with pytest.raises(DataError, match="no such file") as caught:
        load(TaskSpec.model_validate(TASK), data, base=tmp_path, seeds=Seeds(7), limit=None)
    assert ("did you mean 'test.jsonl'" in str(caught.value)) == (source == "tset.jsonl")


def test_a_source_that_can_be_nothing_is_refused(tmp_path: Path) -> None:
    data = DataSpec.model_validate({"test": {"source": "two words"}})
    with pytest.raises(DataError, match="neither a file that exists nor a name on the hub"):
        load(TaskSpec.model_validate(TASK), data, base=tmp_path, seeds=Seeds(7), limit=None)


def test_a_hub_that_cannot_be_reached_is_one_clear_line(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    code = (
        "from pathlib import Path\n"
        "from audit.data import load\nfrom audit.spec import *\nfrom audit.seeds import Seeds\n"
        "data = DataSpec.model_validate({'test': {'source': 'someone/something'}})\n"
        "load(TaskSpec(labels=('a', 'b')), data, base=Path('.'), seeds=Seeds(7), limit=None)\n"
    )
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=offline, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("audit.errors.DataError: data.test: someone/something: no such file, and the hub")


def test_a_demo_part_that_is_not_here_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = DataSpec.model_validate({"test": {"source": "demo:movies/test"}})
    with pytest.raises(ConfigError, match="run `audit demo` first"):
        load(TaskSpec.model_validate(TASK), data, base=tmp_path, seeds=Seeds(7), limit=None)


def test_a_split_of_a_file_is_refused(desk: Desk) -> None:
    assert "`split` is for data sets of `datasets`" in desk.refused("a.jsonl", jsonl(ROWS), split="test")


# --- benchmark sets ------------------------------------------------------------------------


def test_every_named_set_has_a_text_column() -> None:
    assert set(FIRST_TEXT) == set(get_args(SetFormat))


def test_a_benchmark_set_keeps_its_rows_as_they_are(desk: Desk) -> None:
    desk.put("c.csv", ",sent_more,sent_less,label\n0,a,b,x\n1,a,c,y\n")
    more = {"sets": {"pairs": {"source": "c.csv", "format": "crows-pairs"}}}
    first, second = desk.load("a.jsonl", jsonl(ROWS), more=more).sets["pairs"]
    assert first.meta == {"column 1": "0", "sent_more": "a", "sent_less": "b", "label": "x"}
    assert (first.text, first.label) == ("a", None)
    assert first.id != second.id


def test_a_benchmark_set_is_no_test_set(desk: Desk) -> None:
    assert "`format: bbq` is for data.sets" in desk.refused("a.jsonl", jsonl(ROWS), format="bbq")


# --- anything ------------------------------------------------------------------------------

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(),
    st.text(max_size=4),
    st.lists(st.none(), max_size=1),
    st.sampled_from(["negative", "positive", "0", "1", "1.0"]),
)


@settings(max_examples=150, deadline=None, database=None)
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(["text", "label", "id", "g"]), VALUES), max_size=5),
    id=st.sampled_from([None, "id"]),
    drop=st.booleans(),
)
def test_any_rows_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], id: str | None, drop: bool
) -> None:
    desk = Desk(tmp_path_factory.mktemp("any"))
    try:
        data = desk.load(
            "a.jsonl", jsonl(rows), {**TASK, "id": id}, more={"groups": ["g"]}, drop_missing=drop
        )
    except DataError:
        return
    json.dumps([one.meta for one in data.test], allow_nan=False)
    assert len({one.id for one in data.test}) == len(data.test)
    assert all(one.label in data.labels for one in data.test)


@settings(max_examples=150, deadline=None, database=None)
@given(
    content=st.binary(max_size=60),
    name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.csv.gz"]),
)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    desk = Desk(tmp_path_factory.mktemp("bytes"))
    try:
        desk.load(name, content)
    except AuditError:
        return


# --- real files ----------------------------------------------------------------------------


def real(shared: Path, task: dict[str, Any], **test: Any) -> Data:
    data = DataSpec.model_validate({"test": test})
    return load(TaskSpec.model_validate(task), data, base=shared / "data", seeds=Seeds(7), limit=None)


def test_sst2_loads(shared: Path) -> None:
    data = real(shared, TASK, source="sst2/test.tsv.gz", text="content")
    assert len(data.test) == 1821
    assert data.sources[0].counts == {"negative": 912, "positive": 909}


def test_the_training_phrases_of_sst2_load(shared: Path) -> None:
    assert len(real(shared, TASK, source="sst2/train.tsv.gz", text="sentence").test) == 67349


def test_ag_news_loads_without_a_header(shared: Path) -> None:
    labels = ("World", "Sports", "Business", "Sci/Tech")
    data = real(
        shared,
        {"labels": labels, "text": "description"},
        source="ag_news/test.csv.gz",
        columns=("class", "title", "description"),
        label="class",
        labels={str(i): label for i, label in enumerate(labels, 1)},
    )
    assert data.sources[0].counts == dict.fromkeys(labels, 1900)


def test_the_pairs_of_cb_load(shared: Path) -> None:
    task = {
        "labels": ("contradiction", "entailment", "neutral"),
        "text": "premise",
        "text_pair": "hypothesis",
    }
    data = real(shared, task, source="fewshot_prompts/cb_val.jsonl")
    assert len(data.test) == 56
    assert data.test[0].pair == "Valence was helping"


# --- speed ---------------------------------------------------------------------------------

MEASURE = """
import sys, time
from pathlib import Path
from audit.data import load
from audit.seeds import Seeds
from audit.spec import DataSpec, TaskSpec
begun = time.process_time()
data = DataSpec.model_validate({"test": {"source": sys.argv[1]}})
load(TaskSpec(labels=("negative", "positive")), data, base=Path(), seeds=Seeds(7), limit=None)
assert "torch" not in sys.modules
# Not ru_maxrss: that of a child starts at what its parent held when it was forked.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(time.process_time() - begun, int(peak.split()[1]) / 1024)
"""


@pytest.mark.slow
def test_200_000_rows_load_in_5_seconds_and_a_gigabyte(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(0)
    words = [f"word{i}" for i in range(5000)]
    rows = [
        {"id": i, "text": " ".join(draw.choices(words, k=25)), "label": i % 2, "n": 0.5}
        for i in range(200_000)
    ]
    place = desk.base / desk.put("big.jsonl", jsonl(rows))
    done = subprocess.run([sys.executable, "-c", MEASURE, place], capture_output=True, text=True, check=True)
    # time of the CPU: reading waits for nothing, and a busy machine must not fail it
    seconds, megabytes = map(float, done.stdout.split())
    with capsys.disabled():
        print(f"\n200,000 rows, all kept: {seconds:.2f} s of CPU, peak {megabytes:.0f} MB")
    assert seconds < 5
    assert megabytes < 1000
