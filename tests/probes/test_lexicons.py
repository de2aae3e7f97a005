"""Our word lists are what they say, and a list that is not is refused with the line to mend."""

from __future__ import annotations

from pathlib import Path

import pytest
from wordfreq import zipf_frequency

from audit.errors import DataError
from probes import lexicons

NAMES = sorted(place.stem for place in lexicons.HERE.glob("*.txt"))
HEADER = "# source: a test\n# licence: Apache-2.0\n"


def written(folder: Path, text: str | bytes, name: str = "list") -> Path:
    place = folder / f"{name}.txt"
    place.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_list_of_ours_loads_and_says_source_and_licence(name: str) -> None:
    lexicon = lexicons.load(name)

    assert lexicon.source
    assert lexicon.licence
    assert lexicon.entries


@pytest.mark.parametrize("name", ["contractions", "expansions", "fillers", "keyboard", "misspellings"])
def test_the_lists_of_the_edits_are_our_own_words(name: str) -> None:
    lexicon = lexicons.load(name)

    assert lexicon.source.startswith("written for this project")
    assert lexicon.licence == "Apache-2.0"


def test_the_misspellings_are_many_lower_case_words() -> None:
    entries = lexicons.load("misspellings").entries
    words = [*entries, *(form for forms in entries.values() for form in forms)]

    assert len(entries) >= 1_000
    assert [] == [word for word in words if not (word.isalpha() and word.islower())]
    assert [] == [word for word, forms in entries.items() if len(set(forms)) != len(forms) or not forms]


def test_a_wrong_form_is_no_common_word_and_never_right_elsewhere() -> None:
    entries = lexicons.load("misspellings").entries
    pairs = [(word, form) for word, forms in entries.items() for form in forms]

    assert [] == [pair for pair in pairs if pair[1] in entries]
    assert [] == [pair for pair in pairs if zipf_frequency(pair[1], "en") > 3.2]
    assert [] == [pair for pair in pairs if zipf_frequency(pair[1], "en") > zipf_frequency(pair[0], "en") - 1]


def test_neighbouring_keys_are_neighbours_of_each_other() -> None:
    keys = lexicons.load("keyboard").entries

    assert set("abcdefghijklmnopqrstuvwxyz") == set(keys)
    assert [] == [(a, b) for a, near in keys.items() for b in near if a not in keys[b] or a == b]


def test_no_contraction_stands_in_both_lists() -> None:
    both, out = lexicons.load("contractions").entries, lexicons.load("expansions").entries

    assert set() == set(both) & set(out)


def test_a_list_of_the_users_own_is_read(tmp_path: Path) -> None:
    written(tmp_path, f"{HEADER}\n one : a | b c \ntwo\n# done\n")

    assert {"one": ("a", "b c"), "two": ()} == dict(lexicons.load("list", tmp_path).entries)


def test_a_missing_list_is_named_with_its_neighbour() -> None:
    with pytest.raises(DataError, match=r"'misspelings' is not a word list of 'lexicons'; did you mean"):
        lexicons.load("misspelings")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# licence: MIT\nword\n", "has no line '# source: …'"),
        ("# source: me\nword\n", "has no line '# licence: …'"),
        ("# source:\n# licence: MIT\nword\n", "has no line '# source: …'"),
        (HEADER, "has no words"),
        (f"{HEADER}word: a |\n", "line 3: a word or form is empty, found 'word: a |'"),
        (f"{HEADER}word:\n", "line 3: a word or form is empty"),
        (f"{HEADER}: a\n", "line 3: a word or form is empty"),
        (f"{HEADER}word: a\nother: b\nword: c\n", "line 5: 'word' stands here twice"),
        (b"# source: me\n\xff\n", "is not UTF-8"),
    ],
)
def test_a_broken_list_is_refused_with_file_and_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    written(tmp_path, text)

    with pytest.raises(DataError) as error:
        lexicons.load("list", tmp_path)

    assert str(error.value).startswith("list.txt")
    assert said in str(error.value)
