"""Each edit keeps what it promises, whatever the text; the word diff marks what changed and no more."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import lexicons, text

LEFT_ALONE = [
    "https://example.org/a-path?with=letters", "www.example.org", "someone@example.org", "@handle", "#tag",
    "<unk>", "3rd", "2024", "B2B", "-0.5", "🙂🙃", "…!?", "",
]  # fmt: skip
NEIGHBOURS = lexicons.load("keyboard").entries
CONTRACTIONS = lexicons.load("contractions").entries
FILLERS = tuple(lexicons.load("fillers").entries)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def strong(most: int = 3) -> dict[str, Callable[[str, int], str]]:
    """Every edit by name, as strong as it gets."""
    return {
        "typos": lambda t, seed: text.typos(t, rng(seed), 1.0),
        "misspellings": lambda t, seed: text.misspellings(t, rng(seed), 1.0),
        "lower_case": lambda t, seed: text.lower_case(t),
        "upper_case": lambda t, seed: text.upper_case(t),
        "spacing": lambda t, seed: text.spacing(t, rng(seed), most),
        "contract": lambda t, seed: text.contract(t),
        "expand": lambda t, seed: text.expand(t),
        "contractions": lambda t, seed: text.contractions(t),
        "fillers": lambda t, seed: text.fillers(t, rng(seed), 1.0),
        "mix": lambda t, seed: text.mix(t, rng(seed)),
    }


seeds = st.integers(0, 2**32)
rates = st.floats(0, 1)
letters = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=12)
words = st.sampled_from(
    [*itertools.islice(lexicons.load("misspellings").entries, 0, None, 9), "I", "a", "The"]
)
sentences = st.lists(words | letters, max_size=12).map(" ".join)
anything = st.text(max_size=80) | sentences


# --- all edits ----------------------------------------------------------------------------


@pytest.mark.parametrize("edit", strong())
@given(given_text=anything, seed=seeds)
def test_the_same_seed_gives_the_same_string(edit: str, given_text: str, seed: int) -> None:
    assert strong()[edit](given_text, seed) == strong()[edit](given_text, seed)


@pytest.mark.parametrize("edit", strong())
@given(given_text=anything, seed=seeds)
def test_line_breaks_stay_where_they_are(edit: str, given_text: str, seed: int) -> None:
    parts = f"{given_text}\n\n{given_text}".split("\n")

    assert len(parts) == len(strong()[edit]("\n".join(parts), seed).split("\n"))


@pytest.mark.parametrize("edit", strong())
@pytest.mark.parametrize(
    "given_text", ["", " ", "\n", "\t\n ", "🙂🙃", "!?… --", "12 %", "你好世界", "\u200f"]
)
def test_a_text_without_words_of_the_alphabet_survives(edit: str, given_text: str) -> None:
    assert given_text.split() == strong(1)[edit](given_text, 1).split() or edit == "typos"
    assert bool(given_text.strip()) == bool(strong()[edit](given_text, 1).strip())


@pytest.mark.parametrize("edit", ["typos", "misspellings", "fillers"])
@given(given_text=anything, seed=seeds)
def test_a_rate_of_zero_changes_nothing(edit: str, given_text: str, seed: int) -> None:
    assert given_text == getattr(text, edit)(given_text, rng(seed), 0.0)


@pytest.mark.parametrize("edit", strong())
@pytest.mark.parametrize("given_text", ["x" * 100_000, "do not " * 14_000, " " * 100_000, "it's\n" * 20_000])
def test_a_hundred_thousand_characters_take_seconds_at_most(edit: str, given_text: str) -> None:
    start = time.process_time()

    strong()[edit](given_text, 0)

    assert time.process_time() - start < 5


# --- typos --------------------------------------------------------------------------------


def test_a_tenth_of_a_thousand_letters_is_mistyped() -> None:
    # 95 % of a binomial of 1,000 at 0.1 lie in 82..119 (METHODS 2.5).
    prose = "stone brick " * 100
    counts = [
        sum(
            a != b
            for a, b in zip(prose, text.typos(prose, rng(seed), 0.1, slips=("neighbour",)), strict=True)
        )
        for seed in range(400)
    ]

    assert 0.92 <= np.mean([82 <= count <= 119 for count in counts]) <= 0.98
    assert 100 == pytest.approx(np.mean(counts), abs=4 * np.sqrt(90 / 400))


def test_the_four_slips_are_equally_frequent() -> None:
    # No letter stands twice; the last of the ten has none to swap with and is dropped instead.
    edited = text.typos("background " * 20_000, rng(0), 0.01).split()
    kinds = {9: "drop", 11: "double"}
    counts = Counter(
        kinds.get(len(word)) or ("swap" if sorted(word) == sorted("background") else "neighbour")
        for word in edited
        if word != "background"
    )
    shares = {slip: count / counts.total() for slip, count in counts.items()}

    assert (
        pytest.approx({"neighbour": 0.25, "swap": 0.225, "drop": 0.275, "double": 0.25}, abs=0.04) == shares
    )


@given(given_text=anything, seed=seeds, rate=rates)
def test_typos_keep_white_space_and_the_number_of_words(given_text: str, seed: int, rate: float) -> None:
    edited = text.typos(given_text, rng(seed), rate)

    assert len(given_text.split()) == len(edited.split())
    assert [c for c in given_text if c.isspace()] == [c for c in edited if c.isspace()]


@given(given_text=anything, seed=seeds, rate=rates)
def test_a_swap_keeps_the_letters_of_each_word(given_text: str, seed: int, rate: float) -> None:
    edited = text.typos(given_text, rng(seed), rate, slips=("swap",))

    assert [Counter(word.lower()) for word in given_text.split()] == [
        Counter(word.lower()) for word in edited.split()
    ]


@given(given_text=sentences, seed=seeds, rate=rates, slip=st.sampled_from(["neighbour", "swap"]))
def test_letters_keep_their_case(given_text: str, seed: int, rate: float, slip: text.Slip) -> None:
    edited = text.typos(given_text, rng(seed), rate, slips=(slip,))

    assert [c.isupper() for c in given_text] == [c.isupper() for c in edited]


@given(given_text=sentences, seed=seeds)
def test_a_neighbour_touches_the_key_of_the_letter(given_text: str, seed: int) -> None:
    edited = text.typos(given_text, rng(seed), 1.0, slips=("neighbour",))

    pairs = [(a.lower(), b.lower()) for a, b in zip(given_text, edited, strict=True) if a != " "]
    assert [] == [(a, b) for a, b in pairs if b not in NEIGHBOURS[a]]


@given(given_text=sentences, seed=seeds, low=rates, high=rates)
def test_a_higher_rate_strikes_the_same_letters_and_more(
    given_text: str, seed: int, low: float, high: float
) -> None:
    low, high = sorted((low, high))
    few = text.typos(given_text, rng(seed), low, slips=("neighbour",))
    many = text.typos(given_text, rng(seed), high, slips=("neighbour",))

    assert all(m == f for o, f, m in zip(given_text, few, many, strict=True) if f != o)


@pytest.mark.parametrize("token", LEFT_ALONE)
def test_addresses_numbers_and_marks_are_left_alone(token: str) -> None:
    edited = text.typos(f"before {token} after", rng(1), 1.0)

    assert f" {token} " in edited
    assert not edited.startswith("before ")


def test_a_letter_with_a_combining_mark_is_left_alone() -> None:
    assert "e\u0301" == text.typos("e\u0301", rng(0), 1.0)
    assert "नि" == text.typos("नि", rng(0), 1.0)


@pytest.mark.parametrize("word", ["שלום", "مرحبا", "привет", "naïve"])
def test_other_scripts_are_mistyped_without_a_keyboard(word: str) -> None:
    edited = {text.typos(word, rng(seed), 1.0) for seed in range(20)}

    assert word not in edited
    assert [] == [each for each in edited if not each.isalpha()]


@pytest.mark.parametrize("word", ["a", "I", "an", "ought"])
def test_a_word_never_vanishes(word: str) -> None:
    edited = [text.typos(word, rng(seed), 1.0, slips=("drop",)) for seed in range(20)]

    assert {1} == {len(each) for each in edited}


# --- misspellings -------------------------------------------------------------------------


@given(given_text=sentences, seed=seeds, rate=rates)
def test_only_words_of_the_list_are_misspelt_and_only_as_it_says(
    given_text: str, seed: int, rate: float
) -> None:
    entries = lexicons.load("misspellings").entries
    edited = text.misspellings(given_text, rng(seed), rate)

    pairs = list(zip(given_text.split(" "), edited.split(" "), strict=True))
    assert [] == [(a, b) for a, b in pairs if a != b and b.lower() not in entries[a.lower()]]
    assert [] == [(a, b) for a, b in pairs if a[:1].isupper() != b[:1].isupper()]


def test_a_full_rate_misspells_every_word_of_the_list_in_its_case() -> None:
    assert "Teh BECUASE freind, xyz" == text.misspellings(
        "The BECAUSE friend, xyz",
        rng(0),
        1.0,
        words={"the": ("teh",), "because": ("becuase",), "friend": ("freind",)},
    )


def test_the_rate_is_of_the_words_that_the_list_knows() -> None:
    edited = text.misspellings("friend stranger " * 10_000, rng(0), 0.2, words={"friend": ("freind",)})

    assert 2_000 == pytest.approx(edited.count("freind"), abs=4 * np.sqrt(10_000 * 0.16))


def test_forms_of_one_word_are_equally_frequent() -> None:
    edited = text.misspellings("the " * 10_000, rng(0), 1.0, words={"the": ("teh", "hte")})

    assert 5_000 == pytest.approx(edited.count("teh"), abs=4 * 50)


@pytest.mark.parametrize(
    "token", ["its-the", "the's", "http://the/the", "the@the", "the_the", "the.the", "the2"]
)
def test_a_part_of_something_longer_is_no_word(token: str) -> None:
    assert token == text.misspellings(token, rng(0), 1.0)


def test_a_word_before_a_full_stop_is_a_word() -> None:
    assert "freind. freind? (freind)" == text.misspellings("friend. friend? (friend)", rng(0), 1.0)


# --- spacing and fillers ------------------------------------------------------------------


@given(given_text=anything, seed=seeds, most=st.integers(1, 5))
def test_spacing_never_merges_or_splits_words(given_text: str, seed: int, most: int) -> None:
    assert given_text.split() == text.spacing(given_text, rng(seed), most).split()


@given(given_text=sentences, seed=seeds)
def test_spacing_comes_back_by_spacing_of_one(given_text: str, seed: int) -> None:
    assert given_text == text.spacing(text.spacing(given_text, rng(seed), 3), rng(seed), 1)


def test_gaps_have_one_two_and_three_spaces_equally_often() -> None:
    gaps = Counter(map(len, text.spacing("a " * 9_000 + "a", rng(0), 3).split("a")[1:-1]))

    assert {1, 2, 3} == set(gaps)
    assert 3_000 == pytest.approx(gaps[3], abs=4 * np.sqrt(2_000))


def test_tabs_and_the_ends_of_lines_keep_their_spacing() -> None:
    assert "  a\tb  \n  c  " == text.spacing("  a\tb  \n  c  ", rng(0), 3)


@given(given_text=sentences, seed=seeds, rate=rates)
def test_fillers_keep_the_old_words_in_their_order(given_text: str, seed: int, rate: float) -> None:
    found = iter(text.fillers(given_text, rng(seed), rate, words=("qq", "vv ww")).split())

    assert all(word in found for word in given_text.split())


def test_a_full_rate_fills_every_gap_between_words() -> None:
    assert "a um b, um c . d\n e" == text.fillers("a b, c . d\n e", rng(0), 1.0, words=("um",))


def test_the_rate_of_fillers_is_of_gaps() -> None:
    edited = text.fillers("a " * 10_000 + "a", rng(0), 0.1, words=("um",))

    assert 1_000 == pytest.approx(edited.count("um"), abs=4 * 30)


def test_a_tokenised_negation_is_not_torn_apart() -> None:
    assert "does n't" == text.fillers("does n't", rng(0), 1.0)


def test_every_filler_is_said_at_times() -> None:
    edited = text.fillers("a " * 1_000 + "a", rng(0), 1.0)

    assert [] == [filler for filler in FILLERS if f" {filler} " not in edited]


# --- contractions -------------------------------------------------------------------------


@pytest.mark.parametrize(("short", "long"), [(short, forms[0]) for short, forms in CONTRACTIONS.items()])
def test_every_listed_pair_goes_both_ways(short: str, long: str) -> None:
    assert f"well {short} here" == text.contract(f"well {long} here")
    assert f"well {long} here" == text.expand(f"well {short} here")
    assert f"well {short} here" == text.contractions(f"well {long} here")
    assert f"well {long} here" == text.contractions(f"well {short} here")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("DO NOT do that", "DON'T do that"),
        ("Do not do that", "Don't do that"),
        ("I am not here", "I'm not here"),
        ("it is not bad", "it isn't bad"),
        ("I will not go", "I won't go"),
        ("I will go", "I'll go"),
        ("can not", "can't"),
        ("do   not", "don't"),
        ("that is what it is.", "that's what it is."),
        ("undo not, redo nothing", "undo not, redo nothing"),
        ("it is n't", "it is n't"),
    ],
)
def test_long_forms_are_drawn_together(before: str, after: str) -> None:
    assert after == text.contract(before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("DON'T", "DO NOT"),
        ("I'M HERE", "I AM HERE"),
        ("It’s bad", "It is bad"),
        ("does n't", "does not"),
        ("it 's bad", "it is bad"),
        ("we've seen", "we have seen"),
        ("I gonna go", "I going to go"),
        ("don't you think", "don't you think"),
        ("Isn't it", "Isn't it"),
        ("it's been good", "it's been good"),
        ("the film's plot", "the film's plot"),
        ("rock'n'roll isn'tx", "rock'n'roll isn'tx"),
    ],
)
def test_contractions_are_written_out(before: str, after: str) -> None:
    assert after == text.expand(before)


def test_a_curly_apostrophe_stays_curly() -> None:
    assert "we don’t, it’s" == text.contract("we do not, it’s")


def test_both_ways_turns_each_place_once() -> None:
    assert "I do not think it isn't good" == text.contractions("I don't think it is not good")


@given(
    given_text=st.lists(st.sampled_from(["it", "do", "dont", "knot", "isle", "film's", "'", "🙂", "."])).map(
        " ".join
    )
)
def test_a_text_without_contractions_stays(given_text: str) -> None:
    assert given_text == text.contract(given_text) == text.expand(given_text) == text.contractions(given_text)


@given(
    given_text=st.lists(st.sampled_from([*CONTRACTIONS, "been", "good", "film"]), max_size=8).map(" ".join)
)
def test_writing_out_twice_is_writing_out_once(given_text: str) -> None:
    assert text.expand(given_text) == text.expand(text.expand(given_text))


# --- mix ----------------------------------------------------------------------------------


@given(given_text=sentences, seed=seeds)
def test_the_mix_is_lower_case_and_keeps_the_number_of_words(given_text: str, seed: int) -> None:
    edited = text.mix(given_text, rng(seed))

    assert edited == edited.lower()
    assert len(edited.split()) == len(text.contract(given_text.lower()).split())


def test_the_mix_draws_together_after_lower_case_and_misspells_before_spacing() -> None:
    edited = text.mix("I DO NOT believe that the film is good, because it is boring. " * 20, rng(0))

    assert "don't" in edited
    assert "beleive" in edited
    assert "   " in edited
    assert "DO" not in edited


# --- case, pairs, diff --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "expected"),
    [("THE", "TEH"), ("The", "Teh"), ("the", "teh"), ("I", "Teh"), ("tHE", "teh"), ("", "teh")],
)
def test_a_word_takes_the_case_of_its_model(model: str, expected: str) -> None:
    assert expected == text.in_case_of("teh", model)


def test_both_parts_of_a_pair_are_edited_each_with_its_own_draws() -> None:
    first, second = "a plain sentence", "a plain sentence"
    edited = text.on_both(lambda t, r: text.typos(t, r, 0.5), (first, second), rng(1), rng(2))

    assert (text.typos(first, rng(1), 0.5), text.typos(second, rng(2), 0.5)) == edited
    assert edited[0] != edited[1]


@pytest.mark.parametrize(
    ("before", "after", "spans"),
    [
        ("a good film", "a good film", ()),
        ("a good film", "a   good film", ()),
        ("a good film", "a godo film", ((2, 6),)),
        ("a good film", "a very very good film", ((2, 11),)),
        ("a good film", "A good Film", ((0, 1), (7, 11))),
        ("a good film", "a film", ()),
        ("", "new", ((0, 3),)),
        ("old", "", ()),
        ("one\ntwo", "one\n2", ((4, 5),)),
    ],
)
def test_the_diff_marks_what_is_new(before: str, after: str, spans: tuple[tuple[int, int], ...]) -> None:
    assert spans == text.changed_words(before, after)


@given(before=sentences, after=sentences)
def test_what_the_diff_leaves_unmarked_stood_before(before: str, after: str) -> None:
    spans = text.changed_words(before, after)
    unmarked = [c for i, c in enumerate(after) if not any(low <= i < high for low, high in spans)]
    kept = iter(before.split())

    assert all(word in kept for word in "".join(unmarked).split())


def test_the_diff_of_long_texts_takes_seconds_at_most() -> None:
    before = "the film and the plot " * 4_000
    start = time.process_time()

    text.changed_words(before, text.typos(before, rng(0), 0.1))

    assert time.process_time() - start < 10
