"""Templates are filled in all their slots, balanced, and refused without one."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from audit.errors import ConfigError
from audit.seeds import Seeds
from probes import lexicons
from probes.fairness import answered, axes, passages, swaps, templates
from probes.fairness.swaps import Axis

SEEDS = Seeds(0)
OURS = [axes.load(name, {}) for name in axes.OURS]
SLOTTED = [axis for axis in OURS if axis.name != templates.SPEECH]


def name(axis: Axis) -> str:
    return axis.name


def test_our_templates_have_one_slot_each_and_none_stands_twice() -> None:
    entries = lexicons.load("people_templates").entries
    slotted = [one for kind in templates.KINDS for one in entries[kind]]

    assert [] == [one for one in slotted if one.count(templates.SLOT) != 1]
    assert len(set(slotted)) == len(slotted) == 75
    assert {25} == {len(entries[kind]) for kind in templates.KINDS}
    assert [] == [one for one in entries["frames"] if one.count(templates.SLOT) != 1 or "{text}" not in one]


def test_every_form_of_the_dialect_is_said_in_several_sentences_one_in_each() -> None:
    speech = lexicons.load("people_templates").entries["speech"]
    standard = axes.load(templates.SPEECH, {}).words[0]

    held = [[form for form in standard if swaps.mentions([form], one)] for one in speech]

    assert [] == [one for one, forms in zip(speech, held, strict=True) if len(forms) != 1]
    count = Counter(form for forms in held for form in forms)
    assert [] == [form for form in standard if not 4 <= count[form] <= 8]


@pytest.mark.parametrize("axis", OURS, ids=name)
def test_no_flip_in_our_templates_is_evidence_of_fewer_than_one_in_twenty(axis: Axis) -> None:
    # The policy's limit on flips: with fewer templates no model could ever keep it.
    choice = passages.Choice(items=80, lists={}, exclude=(), own_templates=())
    asked = passages.of_templates(axis, choice, SEEDS).passages

    assert 80 == len(asked)
    flips = answered.share(np.zeros(80, dtype=bool), [passage.cluster for passage in asked])
    assert (80 if axis.name == templates.SPEECH else 75) == flips.n
    assert flips.high < 0.05


@pytest.mark.parametrize("axis", OURS, ids=name)
def test_no_bare_template_names_a_group(axis: Axis) -> None:
    bare = [one for kind in templates.KINDS for one in lexicons.load("people_templates").entries[kind]]

    assert [] == [one for one in bare if swaps.named(axis, one)]


@pytest.mark.parametrize("axis", OURS, ids=name)
def test_every_template_of_ours_is_filled_and_names_the_first_group(axis: Axis) -> None:
    found = list(islice(templates.filled(axis, (), {}, SEEDS), 600))

    assert len(templates.sentences(axis, (), {}, SEEDS)) == len({template for template, _ in found})
    assert [] == [said for _, said in found if swaps.named(axis, said) != {axis.groups[0]}]
    assert [] == [said for _, said in found if "{" in said or said[0].islower()]


@pytest.mark.parametrize("axis", SLOTTED, ids=name)
def test_a_phrase_for_a_person_changes_with_every_group(axis: Axis) -> None:
    same = [
        (phrase, group)
        for pool in templates.phrases(axis, {})
        for phrase in pool
        for group in axis.groups[1:]
        if swaps.turned(axis, phrase, group) == phrase
    ]

    assert [] == same


def test_the_first_templates_are_good_bad_and_plain_in_turn() -> None:
    entries = lexicons.load("people_templates").entries
    kinds = {one: kind for kind in templates.KINDS for one in entries[kind]}

    first = [kinds[one] for one in templates.sentences(SLOTTED[0], (), {}, SEEDS)]

    assert ["good", "bad", "plain"] * 25 == first


def test_names_and_phrases_take_turns() -> None:
    order = templates.mixed((["a", "b"], ["X", "Y", "Z"]), SEEDS, "t")

    assert {"a", "b", "X", "Y", "Z"} == set(order)
    assert {True, False} == {one.isupper() for one in order[:2]}


def test_a_user_list_stands_in_the_slot_as_it_is() -> None:
    lists = {"pet": {"cat": ("my cat", "feline *"), "dog": ("my dog", "canine *")}}
    axis = axes.load("pet", lists)

    assert (("my cat", "the feline person"),) == templates.phrases(axis, lists)
    said = {said for _, said in templates.filled(axis, ("I met {person}.",), lists, SEEDS)}
    assert {"I met my cat.", "I met the feline person."} == said


def test_a_user_template_that_names_another_group_is_left_out() -> None:
    own = ("{person} met her.", "{person} met him.", "{person} ran.")

    found = {template for template, _ in templates.filled(OURS[0], own, {}, SEEDS)}

    assert {"{person} met her.", "{person} ran."} == found


def test_braces_in_a_users_text_stay() -> None:
    said = templates.frame(OURS[0], "{person} {text} {x}", {}, SEEDS)

    assert said.endswith("{person} {text} {x}")


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (("I met somebody.",), "own_templates: has no slot {person}, found 'I met somebody.'"),
        (("{person} ran.", "{person} ran."), "give each once"),
    ],
)
def test_bad_templates_are_refused(own: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        templates.check("p", own)

    assert said in str(error.value)
