"""Rows of multiple-choice data become questions; what does not fit is named, and nothing is guessed."""

from __future__ import annotations

import pytest

from audit.errors import DataError
from audit.schema import Example, Json
from probes.context.choices import Question, read, usable

FRUIT: list[Json] = ["apple", "pear", "plum"]
LINES = "\nA. apple\nB. pear\nC. plum"
HUB: dict[str, Json] = {"text": FRUIT, "label": ["1", "2", "3"]}


def row(meta: dict[str, Json], id: str = "q1") -> Example:
    return Example(id=id, text="Which one grows on a pear tree?", meta=meta)


@pytest.mark.parametrize(
    "meta",
    [
        {"choices": FRUIT, "answer": 1},
        {"choices": FRUIT, "answer": 1.0},
        {"choices": FRUIT, "answer": "1"},
        {"choices": FRUIT, "answer": "B"},
        {"choices": FRUIT, "answer": " pear "},
        {"choices": FRUIT, "answerKey": "B", "subject": "botany"},
        {"choices": HUB, "answerKey": "2"},
        {"choices": {"text": FRUIT}, "answerKey": "B"},
        {"choices": {"text": FRUIT, "label": ["A", "B", "C"]}, "answerKey": "B"},
        {"options": FRUIT, "answer": "B"},
        {"options": LINES, "answer": "B. pear"},
        {"options": LINES, "answer": "B) pear?"},
        {"options": LINES, "answer": "B"},
        {"options": ".\n(A) apple\n(B) pear\n(C) plum", "answer": "pear"},
        {"choices": None, "options": LINES, "answer": None, "answerKey": "B"},
    ],
)
def test_the_usual_shapes_are_read(meta: dict[str, Json]) -> None:
    question = read(row(meta))

    assert ("apple", "pear", "plum") == question.choices
    assert 1 == question.gold
    assert "q1" == question.id


def test_numbers_are_choices_and_a_text_goes_before_an_index() -> None:
    assert ("1", "2.5") == read(row({"choices": [1, 2.5], "answer": 0})).choices
    assert 0 == read(row({"choices": ["1", "2", "3"], "answer": "1"})).gold
    assert 1 == read(row({"choices": ["1", "2", "3"], "answer": 1})).gold


def test_a_choice_may_have_several_lines() -> None:
    question = read(
        row(
            {
                "options": "A. sort it\n then print\nB. print\n then sort it",
                "answer": "A. sort it\n then print",
            }
        )
    )

    assert ("sort it\n then print", "print\n then sort it") == question.choices
    assert 0 == question.gold


def test_a_text_that_looks_like_a_line_is_a_text() -> None:
    assert 1 == read(row({"choices": ["B. Jones", "A. Smith"], "answer": "A. Smith"})).gold


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"choices": FRUIT}, r"has no `answer`, got the columns \['choices'\]; add it"),
        ({"answer": 1}, "cannot read its choices, got None; give 2 to 26 texts"),
        ({"choices": ["one"], "answer": 0}, r"cannot read its choices, got \['one'\]"),
        ({"choices": ["one", ""], "answer": 0}, "cannot read its choices"),
        ({"choices": ["one", True], "answer": 0}, "cannot read its choices"),
        ({"choices": ["one"] * 27, "answer": 0}, "cannot read its choices"),
        ({"choices": "apple, pear", "answer": 0}, "cannot read its choices, got 'apple, pear'"),
        ({"options": "C. plum\nD. fig", "answer": "C. plum"}, "cannot read its choices"),
        ({"choices": FRUIT, "answer": 3}, "is none of its choices, got 3 for 3 choices; give the index"),
        ({"choices": FRUIT, "answer": -1}, "is none of its choices"),
        ({"choices": FRUIT, "answer": 0.5}, "is none of its choices"),
        ({"choices": FRUIT, "answer": True}, "is none of its choices"),
        ({"choices": FRUIT, "answer": [1]}, "is none of its choices"),
        ({"choices": FRUIT, "answer": "D"}, "is none of its choices, got 'D'"),
        ({"choices": FRUIT, "answer": "D. fig"}, "is none of its choices"),
        ({"choices": FRUIT, "answer": ""}, "is none of its choices"),
        ({"choices": ["C", "A", "B"], "answer": "A"}, "means two of its choices, got 'A'"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_id(meta: dict[str, Json], said: str) -> None:
    with pytest.raises(DataError, match=rf"^data\.sets\.options: example 'q1': .*{said}"):
        read(row(meta))


def test_the_prompt_turns_the_choices_and_not_the_letters() -> None:
    question = Question(id="q", text="Which? ", choices=("x", "y", "z"), gold=0)

    assert "Question: Which?\nA. x\nB. y\nC. z\nAnswer:" == question.prompt(0)
    assert "Question: Which?\nA. z\nB. x\nC. y\nAnswer:" == question.prompt(2)


@pytest.mark.parametrize(
    "last",
    [
        "All of the above",
        "none of the above.",
        "all the above",
        "Both A and B",
        "A, B",
        "A & C",
        "B or C only",
    ],
)
def test_choices_that_speak_of_others_are_left_out(last: str) -> None:
    kept, told = usable(
        [row({"choices": FRUIT, "answer": 0}, "q1"), row({"choices": ["x", "y", last], "answer": 0}, "q2")]
    )

    assert ["q1"] == [question.id for question in kept]
    assert "questions left out: 1 whose choices speak of others by their place" == told


@pytest.mark.parametrize("last", ["the sky above", "a and b", "A flat and B", "none of them", "Y and Z"])
def test_choices_that_speak_of_themselves_are_kept(last: str) -> None:
    kept, told = usable([row({"choices": ["x", "y", last], "answer": 0})])

    assert 1 == len(kept)
    assert "" == told


def test_equal_choices_copies_and_other_numbers_of_choices_are_left_out() -> None:
    rows = [
        row({"choices": ["plum", "pear", "apple"], "answer": 1}, "q5"),
        row({"choices": FRUIT, "answer": 1}, "q4"),
        row({"choices": ["x", "x", "y"], "answer": 2}, "q3"),
        row({"choices": ["x", "y"], "answer": 0}, "q2"),
        row({"choices": ["u", "v", "w"], "answer": 0}, "q1"),
    ]

    kept, told = usable(rows)

    assert ["q1", "q4"] == [question.id for question in kept]
    assert told.endswith(
        "1 that are copies, 1 with another number of choices than 3, 1 with two equal choices"
    )
    assert (kept, told) == usable(rows[::-1])


def test_no_rows_are_no_questions() -> None:
    assert ((), "") == usable([])
