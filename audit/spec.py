"""The parts of model.yaml, as values: what each key is called and what it may hold.

`audit.config.load` reads a file into these and checks what no single key can know by itself.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from audit.models.spec import HelperSpec, ModelSpec, Strict

FileFormat = Literal["csv", "tsv", "jsonl", "parquet"]
SetFormat = Literal["bbq", "crows-pairs", "stereoset", "truthfulqa", "winogender", "xstest"]
"""Benchmark sets that probes ask for by name; their rows are kept as they are."""
Column = Annotated[str, Field(min_length=1)]
Word = Annotated[str, Field(min_length=1, pattern=r"\S")]


def _limit(value: object) -> object:
    if value is None or value == "all" or (type(value) is int and value >= 1):
        return value
    raise ValueError("must be a whole number of at least 1, or `all`")


class SourceSpec(Strict):
    """One source of examples."""

    source: Word
    """File (csv, tsv, jsonl, parquet, each also .gz), saved `datasets` folder, `demo:NAME`, or hub name."""
    split: str | None = None
    """Which split of a hub data set or a saved folder."""
    subset: str | None = None
    """Which configuration of a hub data set (`mnli` of `nyu-mll/glue`)."""
    format: Literal[FileFormat, SetFormat] | None = None
    """How to read the file where its name does not say so, or the name of a benchmark set."""
    columns: tuple[Column, ...] | None = None
    """Names of the columns of a csv or tsv file without a header."""
    text: Column | None = None
    text_pair: Column | None = None
    label: Column | None = None
    """Of this source, where it differs from `task`; `label: null` says that it has no labels."""
    id: Column | None = None
    labels: dict[str, str] | None = None
    """Label value in this source (a name, or a number) → label of the task."""
    drop_missing: bool = False
    """True: rows without a text or a label are dropped and counted; otherwise they are an error."""

    @field_validator("columns")
    @classmethod
    def _distinct(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return _once(value, "column") if value else value


class TaskSpec(Strict):
    """`task`: the labels, and the columns that hold text and label unless a source says otherwise."""

    type: Literal["classification"] = "classification"
    labels: tuple[Word, ...] = Field(min_length=2)
    text: Column = "text"
    text_pair: Column | None = None
    """Column of the second text, for pair tasks (premise and hypothesis)."""
    label: Column | None = "label"
    id: Column | None = None

    @field_validator("labels")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _once(value, "label")


class DataSpec(Strict):
    """`data`."""

    test: SourceSpec
    train: SourceSpec | None = None
    shifts: dict[Word, SourceSpec] = Field(default_factory=dict)
    sets: dict[Word, SourceSpec] = Field(default_factory=dict)
    groups: tuple[Column, ...] = ()
    """Columns that say which group an example speaks of."""
    limit: Annotated[int | Literal["all"] | None, BeforeValidator(_limit)] = None
    """Examples of the test set and of each shift, at most; None: the profile's limit."""
    seed: int = Field(7, ge=0, le=2**63 - 1)


class HelpersSpec(Strict):
    """`helpers`."""

    toxicity: HelperSpec | None = None
    nli: HelperSpec | None = None
    encoder: HelperSpec | None = None
    masked_lm: HelperSpec | None = None
    neighbours: HelperSpec | None = None
    """A file: word → its neighbours as JSON, or word vectors as text."""


class RuleSpec(Strict):
    """One rule of a policy; exactly one of `max` and `min`."""

    probe: str
    metric: Word
    slice: Word = "all"
    max: float | None = Field(None, allow_inf_nan=False)
    min: float | None = Field(None, allow_inf_nan=False)
    why: str = ""
    required: bool = False
    min_n: int = Field(1, ge=1)


class PolicySpec(Strict):
    """The rules of a file or of the `rules` key."""

    rules: tuple[RuleSpec, ...]


class WaiverSpec(Strict):
    """A rule that somebody answers for until a day."""

    rule: str
    owner: Word
    reason: Word
    expires: str

    @field_validator("expires")
    @classmethod
    def _day(cls, value: str) -> str:
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a day as YYYY-MM-DD") from None
        return day.isoformat()


class FileSpec(Strict):
    """The whole of model.yaml."""

    version: Literal[1] = 1
    name: str | None = None
    model: ModelSpec
    helpers: HelpersSpec = HelpersSpec()
    task: TaskSpec
    data: DataSpec
    profile: str = "standard"
    probes: dict[str, dict[str, Any] | None] | None = None
    rules: Any = "default"
    baseline: str | None = None
    waivers: tuple[WaiverSpec, ...] = ()
    declared: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        # it becomes the name of a folder
        if value is not None and not re.fullmatch(r"\w[\w .-]{0,99}", value):
            raise ValueError(
                "must be letters, digits, spaces, dots and hyphens, 100 at most, a letter or digit first"
            )
        return value


def _once(words: tuple[str, ...], what: str) -> tuple[str, ...]:
    """Return `words`.

    Raises:
        ValueError: one stands twice.
    """
    for i, word in enumerate(words):
        if word in words[:i]:
            raise ValueError(f"names the {what} {word!r} twice")
    return words
