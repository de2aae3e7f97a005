from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import ModelError
from audit.models.label import columns

names = st.lists(st.text("abcXYZ é", min_size=1, max_size=6), min_size=2, max_size=6, unique_by=str.casefold)


@given(names, st.randoms())
def test_every_label_finds_the_column_of_its_name(own: list[str], random: object) -> None:
    labels = sorted(own)
    assert labels == [own[column] for column in columns(own, labels, None, name="m")]


@given(names)
def test_case_does_not_matter(own: list[str]) -> None:
    labels = [name.upper() for name in own]
    if len(set(map(str.casefold, labels))) == len(labels):
        assert tuple(range(len(own))) == columns(own, labels, None, name="m")


@given(names.flatmap(lambda own: st.tuples(st.just(own), st.permutations(range(len(own))))))
def test_map_is_followed(case: tuple[list[str], list[int]]) -> None:
    labels, order = case
    own = [f"LABEL_{i}" for i in range(len(labels))]
    given_map = {own[column]: label for label, column in zip(labels, order, strict=True)}
    assert tuple(order) == columns(own, labels, given_map, name="m")


def test_labels_that_differ_in_case_alone_are_told_apart() -> None:
    assert (1, 0) == columns(["us", "US"], ["US", "us"], None, name="m")


def test_map_may_name_only_what_names_do_not_tell() -> None:
    assert (1, 0) == columns(
        ["positive", "LABEL_1"], ["negative", "Positive"], {"LABEL_1": "negative"}, name="m"
    )


@pytest.mark.parametrize(
    ("own", "labels", "given_map", "found"),
    [
        (["a", "b", "c"], ["a", "b"], None, "the model has 3 labels and the task 2"),
        (["LABEL_0", "LABEL_1"], ["no", "yes"], None, r'm: .*LABEL_0.*yes.*label_map.*\{"LABEL_0": "no"'),
        (["LABEL_0", "LABEL_1"], ["0", "1"], None, "cannot be told by name"),
        (["a", "b"], ["a", "c"], {"B": "c"}, r"has not: 'B'.*\['a', 'b'\]"),
        (["positive", "b"], ["a", "c"], {"positve": "c"}, "did you mean 'positive'"),
        (["a", "b"], ["good", "bad"], {"a": "god", "b": "bad"}, "did you mean 'good'"),
        (["a", "b"], ["good", "bad"], {"a": "good", "b": "good"}, "'good' to two columns"),
        (["a", "b"], ["a", "b"], {"a": "b"}, "cannot be told by name"),
        (["A", "a"], ["x", "a"], None, "cannot be told by name"),
    ],
)
def test_what_cannot_be_told_is_refused(
    own: list[str], labels: list[str], given_map: dict[str, str] | None, found: str
) -> None:
    with pytest.raises(ModelError, match=found):
        columns(own, labels, given_map, name="m")
