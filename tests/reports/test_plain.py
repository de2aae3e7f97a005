"""Text from elsewhere cannot steer what shows it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reports.plain import clean, one_line

ANYTHING = st.text(st.characters(), max_size=60)


@given(ANYTHING)
def test_cleaned_text_can_be_written_as_utf8(text: str) -> None:
    clean(text).encode("utf-8")


@given(ANYTHING)
def test_cleaned_text_holds_no_control_character_but_tab_and_line_feed(text: str) -> None:
    assert not {ord(sign) for sign in clean(text)} & ({*range(32), *range(127, 160)} - {9, 10})


@given(ANYTHING)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(text) == clean(clean(text))


def test_an_escape_sequence_becomes_visible() -> None:
    assert "␛[31mred␇" == clean("\x1b[31mred\x07")


def test_a_mark_that_reorders_a_line_is_named() -> None:
    assert "a⟨U+202E⟩b" == clean("a\u202eb")


def test_a_lone_surrogate_is_replaced() -> None:
    assert "a\ufffdb" == clean("a\ud800b")


def test_windows_line_ends_become_line_feeds() -> None:
    assert "a\nb" == clean("a\r\nb")


def test_joined_emoji_and_right_to_left_letters_stay() -> None:
    assert "👩‍👩‍👧 שלום" == clean("👩‍👩‍👧 שלום")


def test_one_line_has_no_line_end() -> None:
    assert "a b c" == one_line(" a\n\tb\u2028c ")
