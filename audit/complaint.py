"""What pydantic found, said in one line of plain words with the path of the key."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from audit.errors import ConfigError, did_you_mean, shown

KINDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping (`key: value` lines)",
    "model_type": "must be a mapping (`key: value` lines)",
    "dataclass_type": "must be a mapping (`key: value` lines)",
    "finite_number": "must be a finite number",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must not be blank",
}
"""Type of pydantic's error → what the value must be."""


def complain(error: ValidationError, name: str, shape: type[object], at: str = "") -> ConfigError:
    """Return the first thing to mend, and how many more there are.

    A key that does not exist comes first: a misspelt key is also a missing one, and only the former says so.

    Args:
        name: the file.
        shape: what was validated.
        at: path of the key that held it, empty for the whole file.
    """
    found = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return ConfigError(f"{name}: {_sentence(found[0], shape, at)}{more}")


def unknown(name: str, place: str, word: str, known: Sequence[str], what: str) -> ConfigError:
    """Return the error of a word that does not exist, with the nearest that does.

    Args:
        name: the file.
        place: the path of the key that is the word, or the path of the key that holds it and the word.
        what: what it is not, `a probe`.
    """
    hint = did_you_mean(word, list(known)) or f"; known are {', '.join(known) or 'none'}"
    return ConfigError(f"{name}: {place} is not {what}{hint}")


def path(*parts: str | int) -> str:
    """Return `data.shifts.amazon`, `rules[2].max`; empty parts are left out."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part and part != "[key]":
            word = part if len(part) <= 80 and part.isprintable() else shown(part)
            text += f".{word}" if text else word
    return text


def _sentence(one: ErrorDetails, shape: type[object], at: str) -> str:
    place = path(at, *one["loc"])
    got, kind, context = one["input"], one["type"], one.get("ctx", {})
    if kind == "extra_forbidden":
        *parents, last = one["loc"]
        known = _keys(shape, parents)
        owner = path(at, *parents) or "the file"
        hint = did_you_mean(str(last), known) or f"; its keys are {', '.join(known)}"
        return f"{place} is not a key of {owner}{hint}"
    if kind == "missing":
        return f"{place} is missing; add it"
    if kind == "literal_error":
        words = str(context["expected"])
        hint = did_you_mean(got, re.findall("'(.*?)'", words)) if isinstance(got, str) else ""
        return f"{place} must be {words}, got {shown(got)}{hint}"
    if kind == "value_error":
        said = str(context["error"])
        colon = "" if said.startswith(("must ", "names ")) else ":"
        return f"{place}{colon} {said}, got {shown(got)}"
    if kind == "too_short":
        return f"{place} must have at least {context['min_length']} entries, got {shown(got)}; add more"
    if kind in KINDS:
        quote = "; put it in quotes" if kind == "string_type" and isinstance(got, int | float) else ""
        if kind == "model_type" and isinstance(got, str) and "source" in _keys(shape, one["loc"]):
            quote = f"; write `{{source: {shown(got)[1:-1]}}}`"
        return f"{place} {KINDS[kind]}, got {shown(got)}{quote}"
    said = one["msg"].replace("Input should", "must").replace("String should", "must")
    return f"{place} {said[:1].lower()}{said[1:]}, got {shown(got)}"


def _keys(shape: object, parents: Sequence[str | int]) -> list[str]:
    """Return the keys that the model at `parents` inside `shape` may have."""
    for part in parents:
        shape = _inside(shape, part)
    model = _model(shape)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _inside(shape: object, part: str | int) -> object:
    model = _model(shape)
    if model is None:  # dict[str, X], tuple[X, ...], or one of these or None
        kept = [kind for kind in _choices(shape) if typing.get_origin(kind) is not None]
        inner = typing.get_args(kept[0]) if kept else ()
        holds = [kind for kind in inner if kind is not Ellipsis]
        return holds[-1] if holds else None
    named: Mapping[str, object] = {f.alias or n: f.annotation for n, f in model.model_fields.items()}
    return named.get(str(part))


def _model(shape: object) -> type[BaseModel] | None:
    for kind in _choices(shape):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _choices(shape: object) -> tuple[object, ...]:
    """Return the members of a union, or the type itself."""
    return typing.get_args(shape) if typing.get_origin(shape) in (typing.Union, types.UnionType) else (shape,)
