"""The reader sees what was changed, all of it, and nothing that comes from the text is markup."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from reports import diff
from reports.plain import clean

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=80)


def words(markup: str, tag: str) -> list[str]:
    return re.findall(f"<{tag}>(.*?)</{tag}>", markup, flags=re.DOTALL)


def bare(markup: str) -> str:
    return html.unescape(re.sub(r"</?(?:ins|del)>", "", markup))


def test_a_changed_word_is_struck_on_one_side_and_underlined_on_the_other() -> None:
    before, after = diff.changed("a thoughtful piece", "a thoughtfull piece", 500)

    assert ["thoughtful"] == words(before.html, "del") and ["thoughtfull"] == words(after.html, "ins")


def test_equal_texts_have_no_marks() -> None:
    before, after = diff.changed("same text", "same text", 500)

    assert before == after and "<" not in before.html


def test_a_doubled_space_is_marked() -> None:
    _, after = diff.changed("a b", "a  b", 500)

    assert ["  "] == words(after.html, "ins")


@given(TEXT, TEXT)
def test_short_texts_are_shown_whole_and_escaped(before: str, after: str) -> None:
    first, second = diff.changed(before, after, 500)

    assert (clean(before), clean(after)) == (bare(first.html), bare(second.html))


@given(TEXT, TEXT)
def test_no_tag_but_our_own_is_ever_written(before: str, after: str) -> None:
    first, second = diff.changed(before, after, 20)

    tags = set(re.findall(r"<[^>]*>", first.html + second.html))
    assert tags <= {"<ins>", "</ins>", "<del>", "</del>", '<span class="cut">', "</span>"}


@given(st.lists(TEXT, min_size=1), TEXT, TEXT, st.integers(130, 200))
def test_what_is_left_out_is_counted(lead: list[str], before: str, after: str, most: int) -> None:
    text = "".join(lead) + before
    first, _ = diff.changed(text, "".join(lead) + after, most)

    shown = len(html.unescape(re.sub(r"<span.*?</span>|</?(?:ins|del)>", "", first.html)))
    counted = int(first.left_out.split()[0].replace(",", "")) if first.left_out else 0
    assert len(clean(text)) == len(text) - text.count("\r\n") + 7 * len(
        re.findall("[\u202a-\u202e\u2066-\u2069]", text)
    )
    assert shown + counted >= len(text) - text.count("\r\n")


def test_a_change_deep_in_a_long_text_is_shown() -> None:
    text = "word " * 20_000
    before, after = diff.changed(text, text[:60_000] + "CHANGED " + text[60_000:], 1_000)

    assert ["CHANGED"] == [word.strip() for word in words(after.html, "ins")]
    assert "99,000 of 100,000 characters are not shown" == before.left_out


def test_a_long_text_without_a_change_is_cut_with_a_count() -> None:
    shown = diff.whole("x" * 100_000, 1_200)

    assert "98,800 of 100,000 characters are not shown" == shown.left_out and "…" in shown.html


def test_a_hundred_thousand_equal_signs_are_compared_in_time() -> None:
    before, _ = diff.changed("!? " * 33_000, "?! " * 33_000, 1_200)

    assert "not shown" in before.left_out
