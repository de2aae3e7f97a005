"""YAML in, plain JSON values out, with every complaint at its line and column.

Stricter than YAML 1.1 where YAML 1.1 surprises: only `true` and `false` are booleans (`labels: [no, yes]`
stays two words), dates and `1:30` stay text, `010` is ten, `1e-3` is a number. Keys are always text as
written. Refused: duplicate keys, tags, aliases, several documents, numbers that are not finite.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import yaml

from audit.errors import ConfigError, shown
from audit.schema import Json

LARGEST = 1_000_000
"""Bytes; a config is written by hand, so a larger file is a mistake (a data file, most often)."""
DEEPEST = 40
"""Levels of nesting; more would end in the recursion limit of Python."""

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,30}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_UNFIT = re.compile("[\x00\ud800-\udfff]")


def read(path: Path) -> str:
    """Return the text of a config file.

    Raises:
        ConfigError: no such file, a folder, unreadable, too large, or not UTF-8.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder, not a file; name the YAML file in it")
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `audit init` writes one") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    if len(raw) > LARGEST:
        raise ConfigError(f"{path}: is larger than {LARGEST:,} bytes; is it a data file?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = shown(raw[error.start : error.end])
        raise ConfigError(f"{path}: line {line} is not UTF-8, got {found}; save the file as UTF-8") from None


def parse(text: str, name: str) -> Json:
    """Return the one document in `text`.

    Args:
        name: the file, for messages.

    Raises:
        ConfigError: no YAML, no content, or anything the module's docstring refuses.
    """
    try:
        node = _Composer(text).get_single_node()
    except yaml.reader.ReaderError as error:
        line, column = _place(text, int(error.position))
        what = shown(chr(error.character) if isinstance(error.character, int) else error.character)
        raise ConfigError(
            f"{name}: line {line}, column {column}: {what} is not allowed in YAML; remove it"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{name}: {spot}: not valid YAML: {problem}; mend the line") from None
    except (ValueError, OverflowError) as error:
        # PyYAML hands "\\UFFFFFFFF" to chr() unchecked
        raise ConfigError(f"{name}: not valid YAML: {error}; mend the escape sequence") from None
    if node is None:
        raise ConfigError(f"{name}: the file is empty; `audit init` writes one to start from")
    return _value(node, name)


class _Composer(yaml.SafeLoader):
    """Composes nodes only; no tag is resolved and nothing is constructed by PyYAML."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.level = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases (they can make a short file endless), tags, and bottomless nesting."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stub of PyYAML leaves it open
        why = None
        if isinstance(event, yaml.AliasEvent):
            why = "aliases (*name) are not supported"
        elif getattr(event, "tag", None) is not None:
            why = "tags (!name) are not supported"
        elif self.level > DEEPEST:
            why = f"nested deeper than {DEEPEST} levels"
        if why:
            raise yaml.MarkedYAMLError(problem=why, problem_mark=event.start_mark)
        self.level += 1
        node = super().compose_node(parent, index)
        self.level -= 1
        return node


def _value(node: yaml.Node, name: str) -> Json:
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, name) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Json] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused(key, name, "a key must be a word, not a list or a mapping")
            word = _text(key, name)
            if word in mapping:
                raise _refused(key, name, f"the key {shown(word)} stands here twice; remove one")
            mapping[word] = _value(value, name)
        return mapping
    return _scalar(node, name)


def _scalar(node: yaml.Node, name: str) -> Json:
    text = _text(node, name)
    if getattr(node, "style", None) is not None:  # quoted or a block: always text
        return text
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    elif not _ENDLESS.fullmatch(text):
        return text
    raise _refused(node, name, f"{shown(text)} is not a finite number; give one, or put it in quotes")


def _text(node: yaml.Node, name: str) -> str:
    text = str(node.value)
    if _UNFIT.search(text):
        raise _refused(node, name, f"{shown(text)} holds a character that no text can hold; remove it")
    return text


def _refused(node: yaml.Node, name: str, why: str) -> ConfigError:
    mark = node.start_mark
    return ConfigError(f"{name}: line {mark.line + 1}, column {mark.column + 1}: {why}")


def _place(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
