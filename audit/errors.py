"""The error tree. The command line prints each of these as one line and exits 2.

    AuditError
    ├── ConfigError   model.yaml or a policy says what cannot be meant
    ├── DataError     a data file is missing, unreadable or does not fit the task
    ├── ModelError    a model cannot be loaded or answers what cannot be an answer
    └── PluginError   a third party's probe cannot be imported

A message has four parts in this order: what is wrong, where, what was found, what to do.
Any other exception is a bug: it keeps its traceback in the record and exits 4.
"""

from __future__ import annotations


class AuditError(Exception):
    """What the user can mend; the text is one line."""


class ConfigError(AuditError):
    """model.yaml or a policy says what cannot be meant."""


class DataError(AuditError):
    """A data file is missing, unreadable or does not fit the task."""


class ModelError(AuditError):
    """A model cannot be loaded, or its first answer cannot be an answer."""


class PluginError(AuditError):
    """A third party's probe cannot be imported."""


def shown(value: object) -> str:
    """Return `repr(value)` cut to 80 characters, for messages."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def did_you_mean(word: str, known: list[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest of `known`, or an empty string."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
