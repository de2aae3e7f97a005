"""A swap changes who a text speaks of, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import ConfigError
from audit.schema import Text
from probes import lexicons
from probes.fairness import axes, swaps
from probes.fairness.swaps import Axis

GENDER = axes.load("gender", {})
OURS = [axes.load(name, {}) for name in axes.OURS]
GROUPS = [(axis, group) for axis in OURS for group in axis.groups]


def ids(value: object) -> str:
    return value.name if isinstance(value, Axis) else str(value)


@pytest.mark.parametrize(
    ("female", "male"),
    [
        ("She knows her film, and the film is hers.", "He knows his film, and the film is his."),
        ("I saw her.", "I saw him."),
        ("We gave her the book.", "We gave him the book."),
        ("They told her that it works.", "They told him that it works."),
        ("Her own mother left her and came back", "His own father left him and came back"),
        ("HER FILM", "HIS FILM"),
        ("It is hers, she made it herself.", "It is his, he made it himself."),
        ("she 's a waitress , her lines are dull .", "he 's a waiter , his lines are dull ."),
        ("My Sister's girlfriend", "My Brother's boyfriend"),
        ("That woman is an actress.", "That man is an actor."),
    ],
)
def test_gender_is_turned_both_ways(female: str, male: str) -> None:
    assert male == swaps.turned(GENDER, female, "male")
    assert female == swaps.turned(GENDER, male, "female")


@pytest.mark.parametrize(
    ("name", "group", "before", "after"),
    [
        ("religion", "jewish", "A Christian family.", "A Jewish family."),
        ("religion", "buddhist", "the christian  woman", "the buddhist  woman"),
        ("religion", "muslim", "MOST CHRISTIANS", "MOST MUSLIMS"),
        ("nationality", "american", "a German student", "an American student"),
        ("nationality", "german", "An American student", "A German student"),
        ("nationality", "british", "AN AMERICAN MAN", "A BRITISH MAN"),
        ("age", "old", "Younger people and a teenager", "Older people and a pensioner"),
        ("disability", "not disabled", "a disabled man", "an able-bodied man"),
        ("dialect", "dialect", "This isn't good, because you all want to go", None),
    ],
)
def test_the_article_and_the_case_follow(name: str, group: str, before: str, after: str | None) -> None:
    expected = "This ain't good, 'cause y'all wanna go" if after is None else after

    assert expected == swaps.turned(axes.load(name, {}), before, group)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("religion", "Christian faith, and Christian Bale"),
        ("nationality", "a German film and German shepherds"),
        ("age", "an old joke and a young wine"),
        ("disability", "blind rage, deaf ears, hearing the music"),
        ("gender", "manly, the-her-o, mankind, mothership, women-only"),
        ("gender", ""),
        ("gender", "🙂 مرحبا"),
    ],
)
def test_what_is_no_person_stays(name: str, text: str) -> None:
    axis = axes.load(name, {})

    assert frozenset() == swaps.named(axis, text)
    assert [text] * len(axis.groups) == [swaps.turned(axis, text, group) for group in axis.groups]


def test_a_name_is_found_as_a_name_and_not_before_a_surname() -> None:
    axis = Axis(name="gender", groups=("female", "male"), words=(("Emily",), ("Peter",)))

    assert "Peter is late" == swaps.turned(axis, "Emily is late", "male")
    assert "PETER is late" == swaps.turned(axis, "EMILY is late", "male")
    assert "Emily Brown is late" == swaps.turned(axis, "Emily Brown is late", "male")
    assert "emily is late" == swaps.turned(axis, "emily is late", "male")


def test_both_parts_of_a_pair_are_turned_together() -> None:
    pair: Text = ("She sings.", "A woman sings.")

    assert ("He sings.", "A man sings.") == swaps.turned(GENDER, pair, "male")
    assert {"female", "male"} == swaps.named(GENDER, ("She sings.", "A man sings."))


def test_lists_of_different_lengths_are_counted_round() -> None:
    axis = Axis(name="pet", groups=("cat", "dog"), words=(("cat", "kitten", "kitty"), ("dog",)))

    assert "a dog, a dog" == swaps.turned(axis, "a kitty, a cat", "dog")
    assert "a cat" == swaps.turned(axis, "a dog", "cat")


@given(st.data(), st.sampled_from(GROUPS))
def test_a_text_turned_names_this_group_alone_or_nobody(
    data: st.DataObject, target: tuple[Axis, str]
) -> None:
    axis, group = target
    listed = [swaps.plain(word) for words in axis.words for word in words]
    others = ["the", "a", "an", "and", "good", "People", "man", "🙂", ".", "\n", "'"]
    words = data.draw(st.lists(st.sampled_from(others) | st.sampled_from(listed) | st.text(max_size=5)))

    turned = swaps.turned(axis, " ".join(words), group)

    assert turned == swaps.turned(axis, turned, group)
    assert swaps.named(axis, turned) <= {group}


@pytest.mark.parametrize("axis", OURS, ids=ids)
def test_there_and_back_gives_every_listed_word_again(axis: Axis) -> None:
    lost = []
    for home, words in zip(axis.groups, axis.words, strict=True):
        for word in words:
            after = {"*": " people", "+": " film", ".": "."}.get(word[-1], "")
            text = f"I know {swaps.plain(word)}{after}"
            for away in axis.groups:
                there = swaps.turned(axis, text, away)
                back = swaps.turned(axis, there, home)
                if back != text or (away != home and there == text):
                    lost.append((text, there, back))

    assert [] == lost


@pytest.mark.parametrize("axis", OURS, ids=ids)
def test_our_groups_have_as_many_words_each_and_none_twice(axis: Axis) -> None:
    words = [word for some in axis.words for word in some]

    assert 1 == len({len(some) for some in axis.words})
    assert len(set(words)) == len(words)


def test_there_are_twenty_names_or_more_of_each_group_of_like_length() -> None:
    groups = lexicons.load("names").entries
    means = [sum(map(len, names)) / len(names) for names in groups.values()]
    letters = [name for names in groups.values() for name in names if not (name.isalpha() and name.istitle())]

    assert 10 == len(groups)
    assert all(len(names) >= 20 for names in groups.values())
    assert max(means) - min(means) <= 0.75
    assert [] == letters


def test_mentions_finds_whole_words_in_either_case() -> None:
    assert swaps.mentions(("beard",), "His BEARD!")
    assert not swaps.mentions(("beard",), "bearded")
    assert swaps.mentions(("years old",), ("a", "ten years old"))
    assert not swaps.mentions((), "anything")


# --- the user's lists ---------------------------------------------------------------------


def test_the_users_list_replaces_ours() -> None:
    axis = axes.load("gender", {"gender": {"her": ("aunty",), "him": ("uncle",)}})

    assert ("her", "him") == axis.groups
    assert "my mother" == swaps.turned(axis, "my mother", "him")


@pytest.mark.parametrize(
    ("names", "lists", "said"),
    [
        (("gendr",), {}, "'gendr' is not an axis; did you mean 'gender'?"),
        (("caste",), {}, "'caste' is not an axis; known are gender"),
        ((), {}, "name at least one, each once"),
        (("age", "age"), {}, "name at least one, each once"),
        (("gender",), {"gendr": {"a": ("x",), "b": ("y",)}}, "did you mean 'gender'?"),
        (("gender",), {"age": {"a": ("x",), "b": ("y",)}}, "add it to axes, which are gender"),
        (("age",), {"age": {"a": ("x",)}}, "give at least two groups"),
        (("age",), {"age": {"a": ("x",), "b": ()}}, "lists.age.b: has no words, found ()"),
        (("age",), {"age": {"a": ("x",), "b": ("",)}}, "lists.age.b: cannot hold ''"),
        (("age",), {"age": {"a": ("x",), "b": (" y",)}}, "lists.age.b: cannot hold ' y'"),
        (("age",), {"age": {"a": ("x",), "b": ("x",)}}, "'x' stands in a and in b"),
    ],
)
def test_bad_axes_and_lists_are_refused(names: tuple[str, ...], lists: axes.Lists, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        axes.check("p", names, lists)

    assert said in str(error.value)
