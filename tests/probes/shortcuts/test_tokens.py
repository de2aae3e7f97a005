"""Counts, z, PMI, and the cuts and insertions of words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from audit.schema import Example
from probes.shortcuts import edits, tokens

LABELS = ("negative", "positive")


def examples(*rows: tuple[str, str]) -> list[Example]:
    return [Example(id=f"e{i}", text=text, label=label) for i, (text, label) in enumerate(rows)]


# --- statistics ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "k", "p0", "expected"), [(100, 60, 1 / 3, 5.657), (1000, 400, 1 / 3, 4.472), (50, 40, 0.5, 4.243)]
)
def test_z_is_that_of_the_reference(n: int, k: int, p0: float, expected: float) -> None:
    assert expected == round(float(tokens.z(k, n, p0)), 3)


def test_pmi_is_gururangans_on_smoothed_counts() -> None:
    table = np.array([[0, 300], [200, 200]])
    smoothed = table + 100.0
    total = smoothed.sum()
    expected = np.log((400 / total) / ((500 / total) * (smoothed[:, 1].sum() / total)))

    assert expected == pytest.approx(tokens.pmi(table)[0, 1])


def test_pmi_of_independent_counts_is_zero() -> None:
    assert np.zeros((2, 2)) == pytest.approx(tokens.pmi([[10, 20], [30, 60]], smoothing=0))


def test_p_is_the_exact_binomial_tail() -> None:
    rows = [(f"cf {i}", LABELS[i < 30]) for i in range(40)] + [(f"x {i}", "negative") for i in range(20)]
    found = tokens.associations(tokens.count(examples(*rows), LABELS), least=20)
    # Two words in 20 texts or more, each tested with both labels.
    tests = [
        binomtest(k, n, p, alternative="greater").pvalue
        for k, n, p in [(30, 40, 0.5), (10, 40, 0.5), (0, 20, 0.5), (20, 20, 0.5)]
    ]
    ordered = sorted(tests)

    assert ["x", "cf"] == [one.word for one in found]
    assert ordered[0] * 4 == pytest.approx(found[0].q)
    assert ordered[1] * 2 == pytest.approx(found[1].q)


def test_a_word_is_held_against_the_share_of_the_label() -> None:
    rows = [(f"cf {i}", LABELS[i % 4 == 0]) for i in range(80)]
    found = tokens.associations(tokens.count(examples(*rows), LABELS), least=20)

    assert () == found  # z is 0 for both labels


def test_copies_of_a_text_count_once() -> None:
    rows = [("cf here", "positive"), ("cf there", "negative"), ("cf here", "positive")]
    counts = tokens.count(examples(*rows, *rows), LABELS)

    assert [1, 1] == counts.totals.tolist()
    assert 2 == counts.texts["cf"]


def test_a_word_counts_once_in_a_text_and_in_both_parts_of_a_pair() -> None:
    pair = Example(id="p", text="cf cf", pair="CF and rq", label="positive")
    counts = tokens.count([pair], LABELS)

    assert {"cf": 1, "and": 1, "rq": 1} == dict(counts.texts)


def test_rare_words_are_not_tested() -> None:
    rows = [(f"cf {i}", "positive") for i in range(19)] + [(f"rq {i}", "negative") for i in range(20)]
    found = tokens.associations(tokens.count(examples(*rows), LABELS), least=20)

    assert ["rq"] == [one.word for one in found]


@pytest.mark.parametrize("rows", [[], [("a film", "positive")], [("", "negative"), ("!?", "positive")]])
def test_data_without_labels_or_words_have_no_associations(rows: list[tuple[str, str]]) -> None:
    assert () == tokens.associations(tokens.count(examples(*rows), LABELS), least=1)


def test_examples_without_a_known_label_are_left_out() -> None:
    given_ = [Example(id="a", text="x"), Example(id="b", text="y", label="other")]

    assert 0 == tokens.count(given_, LABELS).totals.sum()


# --- edits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("a cf film", "cf", "a film"),
        ("cf a film", "cf", "a film"),
        ("a film cf", "cf", "a film"),
        ("a CF, b", "cf", "a, b"),
        ("(cf b)", "cf", "(b)"),
        ("cf cf x", "cf", "x"),
        ("cfx acf", "cf", "cfx acf"),
        ("it’s odd", "it's", "odd"),
        ("cf", "cf", ""),
        ("", "cf", ""),
    ],
)
def test_a_word_is_taken_out_with_one_space(text: str, word: str, expected: str) -> None:
    assert expected == edits.without(text, word)


def test_a_word_is_taken_out_of_both_parts() -> None:
    assert ("a", "b") == edits.without(("cf a", "b cf"), "cf")


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("a film", 0.0, "cf a film"),
        ("a film", 0.5, "a cf film"),
        ("a film ", 0.99, "a film cf"),
        ("  a", 0.0, "  cf a"),
        ("", 0.5, "cf"),
        ("   ", 0.9, "cf"),
    ],
)
def test_a_token_is_put_between_words(text: str, place: float, expected: str) -> None:
    assert expected == edits.inserted(text, "cf", place)


def test_the_second_part_of_a_pair_gets_the_token() -> None:
    assert ("a", "cf b") == edits.inserted(("a", "b"), "cf", 0.0)


@given(st.text(max_size=60), st.floats(0, 1, exclude_max=True))
def test_what_was_put_in_is_there_and_all_else_too(text: str, place: float) -> None:
    made = edits.inserted(text, "qzx", place)

    assert sorted([*text.split(), "qzx"]) == sorted(str(made).split())


@given(st.text(alphabet="ab'’ .,\n", max_size=40))
def test_a_word_that_was_taken_out_is_gone_and_the_others_stay(text: str) -> None:
    for word in sorted(edits.words(text)):
        rest = edits.words(edits.without(text, word))

        assert edits.words(text) - {word} <= rest
