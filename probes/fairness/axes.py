"""The axes along which people are compared, made of our word lists or of the user's own."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from audit.errors import ConfigError, did_you_mean, shown
from probes import lexicons
from probes.fairness.swaps import Axis, plain

OURS = ("gender", "ethnicity", "religion", "nationality", "age", "disability", "dialect")

LISTS = {
    "religion": "religions",
    "nationality": "nationalities",
    "age": "ages",
    "disability": "disabilities",
    "dialect": "dialects",
}
"""Axis → its list, where it is one list."""

Lists = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Axis → group → words."""


def load(name: str, lists: Lists) -> Axis:
    """Return an axis, the user's own where `lists` has it."""
    if name in lists:
        own = lists[name]
        return Axis(name=name, groups=tuple(own), words=tuple(tuple(words) for words in own.values()))
    return _ours(name)


@functools.cache
def _ours(name: str) -> Axis:
    if name in LISTS:
        return _made(name, lexicons.load(LISTS[name]).entries)
    names = lexicons.load("names").entries  # "european female" → names
    if name == "gender":
        lists = [lexicons.load(list).entries for list in ("pronouns", "kinship", "occupations")]
        return _made(
            name,
            {
                gender: [word for entries in lists for word in entries[gender]]
                + [one for group, some in names.items() if group.endswith(f" {gender}") for one in some]
                for gender in ("female", "male")
            },
        )
    return _made(
        name,
        {
            group: [*names[f"{group} female"], *names[f"{group} male"], *words]
            for group, words in lexicons.load("backgrounds").entries.items()
        },
    )


def _made(name: str, groups: Mapping[str, Sequence[str]]) -> Axis:
    return Axis(name=name, groups=tuple(groups), words=tuple(tuple(words) for words in groups.values()))


def check(probe: str, axes: Sequence[str], lists: Lists) -> None:
    """Check the axes that are asked for and the user's lists.

    Raises:
        ConfigError: an axis that nobody knows or that stands twice, a list without its axis, fewer than two
            groups, a group without words, an empty word, a word of two groups.
    """
    if not axes or len(set(axes)) < len(axes):
        raise ConfigError(f"{probe}: axes: cannot be {shown(axes)}; name at least one, each once")
    known = [*OURS, *lists]
    for axis in axes:
        if axis not in known:
            hint = did_you_mean(axis, known) or f"; known are {', '.join(known)}, or give its words in lists"
            raise ConfigError(f"{probe}: axes: {shown(axis)} is not an axis{hint}")
    for axis, groups in lists.items():
        at = f"{probe}: lists.{axis}"
        if axis not in axes:
            hint = did_you_mean(axis, list(axes)) or f"; add it to axes, which are {', '.join(axes)}"
            raise ConfigError(f"{at}: {shown(axis)} is not among the axes{hint}")
        _check_groups(at, groups)


def _check_groups(at: str, groups: Mapping[str, tuple[str, ...]]) -> None:
    if len(groups) < 2:
        raise ConfigError(f"{at}: cannot be {shown(list(groups))}; give at least two groups")
    homes: dict[str, str] = {}
    for group, words in groups.items():
        if not words:
            raise ConfigError(f"{at}.{group}: has no words, found {shown(words)}; give at least one")
        for word in words:
            if not plain(word).strip() or word != word.strip():
                raise ConfigError(f"{at}.{group}: cannot hold {shown(word)}; give words without outer spaces")
            other = homes.setdefault(word, group)
            if other != group:
                raise ConfigError(
                    f"{at}: {shown(word)} stands in {other} and in {group}; leave it out of one"
                )
