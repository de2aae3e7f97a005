"""Sentences with a slot for a person, filled: our own or the user's, and frames around a user's own texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

from audit.errors import ConfigError, shown
from audit.seeds import Seeds
from probes import lexicons
from probes.fairness import swaps
from probes.fairness.axes import Lists
from probes.fairness.swaps import Axis, plain

T = TypeVar("T")

SLOT = "{person}"
KINDS = ("good", "bad", "plain")
"""What our templates say of the person; they are asked in turn, so that a few of them are balanced."""
SPEECH = "dialect"
"""The axis whose texts differ in how they are said: whole sentences, without a person in a slot."""


def check(probe: str, templates: Sequence[str]) -> None:
    """Check the user's own templates.

    Raises:
        ConfigError: a template without its slot, or one that stands twice.
    """
    for template in templates:
        if SLOT not in template:
            found = f"own_templates: has no slot {SLOT}, found {shown(template)}"
            raise ConfigError(f"{probe}: {found}; write one like 'I met {SLOT}.'")
    if len(set(templates)) < len(templates):
        raise ConfigError(f"{probe}: own_templates: cannot be {shown(templates)}; give each once")


def fill(template: str, phrase: str, text: str = "") -> str:
    """Return the template with the phrase in its slot (and the text in its own), a capital at its start.

    >>> fill("{person} says: {text}", "my aunt", "Not bad.")
    'My aunt says: Not bad.'
    """
    filled = template.replace(SLOT, phrase)
    return (filled[:1].upper() + filled[1:]).replace("{text}", text)


def phrases(axis: Axis, lists: Lists) -> tuple[tuple[str, ...], ...]:
    """Return pools of what may stand in the slot, all of the axis' first group; none for speech.

    Of an axis of ours: phrases for people, and names where the axis has any. Of a user's list: its words as
    they are, and `word *` as "the word person".
    """
    words = axis.words[0]
    if axis.name in lists:
        return (tuple(f"the {plain(word)} person" if word.endswith(" *") else plain(word) for word in words),)
    pools = lexicons.load("persons").entries.get(axis.name, ()), tuple(w for w in words if w[0].isupper())
    return tuple(pool for pool in pools if pool)


def sentences(axis: Axis, own: Sequence[str], lists: Lists, seeds: Seeds) -> tuple[str, ...]:
    """Return the templates of an axis, in the order in which they are filled."""
    ours = lexicons.load("people_templates").entries
    speech = axis.name == SPEECH and axis.name not in lists

    def ranked(some: Sequence[str]) -> list[str]:
        return sorted(some, key=lambda one: seeds.number("template", axis.name, one))

    if own or speech:
        return tuple(ranked(ours["speech"] if speech else own))
    turns = zip_longest(*(ranked(ours[kind]) for kind in KINDS))
    return tuple(one for one in chain.from_iterable(turns) if one is not None)


def filled(axis: Axis, own: Sequence[str], lists: Lists, seeds: Seeds) -> Iterator[tuple[str, str]]:
    """Yield (template, sentence), each template with its first phrase, then each with its second, …

    A sentence that does not name the first group alone (a user's template that names another) is left out.
    """
    templates = sentences(axis, own, lists, seeds)
    pools = phrases(axis, lists)
    if not pools:
        yield from ((one, one) for one in templates if swaps.named(axis, one) == {axis.groups[0]})
        return
    orders = {one: mixed(pools, seeds, axis.name, one) for one in templates}
    for turn in range(sum(map(len, pools))):
        for template in templates:
            sentence = fill(template, orders[template][turn])
            if swaps.named(axis, sentence) == {axis.groups[0]}:
                yield template, sentence


def mixed(pools: Sequence[Sequence[str]], seeds: Seeds, *names: str) -> list[str]:
    """Return all phrases in an order of these names, the pools in turn while they last."""
    ranked = [sorted(pool, key=lambda one: seeds.number("phrase", *names, one)) for pool in pools]
    first = seeds.number("pool", *names) % len(ranked)
    turns = zip_longest(*ranked[first:], *ranked[:first])
    return [one for one in chain.from_iterable(turns) if one is not None]


def frame(axis: Axis, text: str, lists: Lists, seeds: Seeds) -> str:
    """Return the user's text said by a person of the axis' first group; the axis must have phrases."""

    def drawn(some: Sequence[T], what: str) -> T:
        return some[seeds.number(what, axis.name, text) % len(some)]

    pool = drawn(phrases(axis, lists), "pool of frame")
    frames = lexicons.load("people_templates").entries["frames"]
    return fill(drawn(frames, "frame"), drawn(pool, "phrase of frame"), text)
