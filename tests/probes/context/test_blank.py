"""Inputs without content: the three of the paper, and strings of the training texts' words."""

from __future__ import annotations

from collections import Counter

from audit.schema import Example
from audit.seeds import Seeds
from probes.context.blank import blank_texts, domain_texts

TRAIN = tuple(
    Example(id=f"t{i}", text=text)
    for i, text in enumerate(["a fine film", "a dull film with a weak plot", "fine"])
)


def words(text: object) -> list[str]:
    assert isinstance(text, str)
    return text.split(" ")


# --- blanks -------------------------------------------------------------------------------


def test_single_texts_are_the_three_of_the_paper() -> None:
    assert ["N/A", "", "[MASK]"] == blank_texts(False)


def test_pairs_have_both_slots_filled() -> None:
    assert [("N/A", "N/A"), ("", ""), ("[MASK]", "[MASK]")] == blank_texts(True)


# --- strings ------------------------------------------------------------------------------


def test_strings_are_as_long_as_the_mean_text_and_end_in_a_full_stop() -> None:
    drawn = domain_texts(TRAIN, 20, Seeds(0))

    assert 20 == len(drawn)
    assert {5} == {len(words(text)) for text in drawn}  # (3 + 7 + 1) / 3 is 3.7
    assert {"."} == {words(text)[-1] for text in drawn}


def test_strings_are_made_of_training_words_as_often_as_these_are_used() -> None:
    counts = Counter(word for text in domain_texts(TRAIN, 5000, Seeds(0)) for word in words(text)[:-1])

    assert {"a", "fine", "film", "dull", "with", "weak", "plot"} == set(counts)
    assert abs(counts["a"] / 20_000 - 3 / 11) < 0.02
    assert abs(counts["plot"] / 20_000 - 1 / 11) < 0.02


def test_the_order_of_the_training_data_changes_nothing() -> None:
    assert domain_texts(TRAIN, 20, Seeds(3)) == domain_texts(TRAIN[::-1], 20, Seeds(3))


def test_another_seed_gives_other_strings() -> None:
    assert domain_texts(TRAIN, 20, Seeds(3)) != domain_texts(TRAIN, 20, Seeds(4))


def test_more_strings_begin_with_the_same_ones() -> None:
    assert domain_texts(TRAIN, 5, Seeds(3)) == domain_texts(TRAIN, 20, Seeds(3))[:5]


def test_each_slot_of_a_pair_has_its_own_words_and_length() -> None:
    train = [
        Example(id="t", text="one two three", pair="four"),
        Example(id="u", text="one two three", pair=""),
    ]

    drawn = domain_texts(train, 30, Seeds(0))

    assert all(isinstance(pair, tuple) for pair in drawn)
    assert {"one", "two", "three", "."} == {word for pair in drawn for word in words(pair[0])}
    assert {"four ."} == {pair[1] for pair in drawn}


def test_no_training_data_and_empty_texts_give_no_strings() -> None:
    assert [] == domain_texts((), 20, Seeds(0))
    assert [] == domain_texts([Example(id="t", text=" "), Example(id="u", text="")], 20, Seeds(0))
    assert [] == domain_texts([Example(id="t", text="a", pair="")], 20, Seeds(0))


def test_odd_texts_survive() -> None:
    train = [Example(id="t", text="🙂🙃 مرحبا <b>"), Example(id="u", text="x" * 10_000)]

    assert 20 == len(domain_texts(train, 20, Seeds(0)))
