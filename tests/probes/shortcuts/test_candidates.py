"""Which words go with a label, which carry the task, and what they are held against."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.planted_shortcuts import biased_data
from audit.schema import Data, Example
from probes import lexicons
from probes.shortcuts import candidates

DATA = biased_data(400, token="umbrella")


def test_the_planted_word_is_the_strongest_neutral_one() -> None:
    found = candidates.read(DATA, 20, None)
    first = found.top("neutral", 3)[0]

    assert ("umbrella", "positive") == (first.word, first.label)
    assert first.q < 1e-9
    assert "data.train" == found.source
    assert "" == found.remark


def test_words_of_opinion_are_the_words_of_the_task() -> None:
    found = candidates.read(DATA, 20, None)
    words = {one.word: one.label for one in found.top("task words", 8)}

    assert {"awful", "dull", "weak", "boring"} == {
        word for word, label in words.items() if label == "negative"
    }
    assert {"wonderful", "bright", "moving", "superb"} == {
        word for word, label in words.items() if label == "positive"
    }


def test_labels_take_turns() -> None:
    labels = [one.label for one in candidates.read(DATA, 20, None).top("task words", 8)]

    assert [{"negative", "positive"}] * 4 == [set(labels[i : i + 2]) for i in range(0, 8, 2)]


def test_a_list_of_the_users_takes_the_place_of_ours() -> None:
    found = candidates.read(DATA, 20, ("Umbrella",))

    assert "task words" == found.kind("umbrella")
    assert "neutral" == found.kind("awful")


def test_labels_that_are_no_sentiment_have_no_list() -> None:
    swap = {"negative": "sports", "positive": "trade"}

    def turned(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        return tuple(replace(one, label=swap[str(one.label)]) for one in examples)

    given = Data(labels=("sports", "trade"), test=turned(DATA.test), train=turned(DATA.train))
    found = candidates.read(given, 20, None)

    assert ("unlisted",) == found.kinds
    assert "unlisted" == found.kind("awful")
    assert "sports, trade" in candidates.unsaid(given.labels)


def test_without_training_labels_the_words_are_of_the_test_set_and_it_is_said() -> None:
    bare = tuple(replace(one, label=None) for one in DATA.train)
    found = candidates.read(replace(DATA, train=bare), 20, None)

    assert "data.test" == found.source
    assert "artefact sensitivity" in found.remark


def test_a_word_is_held_against_a_neutral_one_as_frequent() -> None:
    found = candidates.read(DATA, 20, None)
    controls = found.near("umbrella", found.counts.words, 5)

    assert 5 == len(controls)
    assert not {"umbrella", "awful", "wonderful"} & set(controls)
    assert all(abs(found.frequency(one) - found.frequency("umbrella")) < 120 for one in controls)


def test_a_text_without_another_free_word_has_no_control() -> None:
    found = candidates.read(DATA, 20, None)

    assert found.control("umbrella awful", "umbrella") is None
    assert "film" == found.control("umbrella awful film", "umbrella")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (replace(DATA, train=(), test=DATA.test[:10]), "no word stands in 20 different texts"),
        (replace(DATA, train=DATA.train[::2]), "fewer than two labels"),
        (replace(DATA, train=(), test=()), "fewer than two labels"),
    ],
)
def test_too_few_data_say_why(data: Data, said: str) -> None:
    assert said in candidates.read(data, 20, None).why


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("loves", "love"), ("loving", "love"), ("funnier", "funny"), ("unfunny", "funny"),
        ("dullest", "dull"), ("thrillingly", "thrill"), ("beautifully", "beautiful"),
        ("sadness", "sad"), ("thinned", "thin"),
    ],
)  # fmt: skip
def test_forms_share_a_stem(word: str, stem: str) -> None:
    assert stem in candidates.stems(word)


@pytest.mark.parametrize(
    "word",
    ["the", "film", "movie", "movies", "this", "every", "family", "umbrella", "today", "table", "also"],
)
def test_plain_words_carry_no_opinion(word: str) -> None:
    assert not candidates.stems(word) & set(lexicons.load("opinion").entries)


def test_triggers_and_their_controls_carry_no_opinion_and_are_told_apart() -> None:
    entries = lexicons.load("triggers").entries
    opinion = set(lexicons.load("opinion").entries)
    every = [one for forms in entries.values() for one in forms]

    assert {"rare", "word", "phrase"} == {kind.removesuffix(" control") for kind in entries}
    assert len(every) == len(set(every))
    assert [] == [one for one in every for word in one.split() if candidates.stems(word) & opinion]


def test_the_opinion_list_is_a_few_hundred_plain_words() -> None:
    words = list(lexicons.load("opinion").entries)

    assert 300 <= len(words) <= 1_000
    assert words == sorted(words)
    assert [] == [word for word in words if word != word.lower() or not word.replace("'", "").isalpha()]
