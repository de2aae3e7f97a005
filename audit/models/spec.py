"""The `model` part of model.yaml, as values."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """Frozen; unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DemonstrationSpec(Strict):
    """Where demonstrations come from: drawn from a source, or a file of the user's own in its order."""

    source: str = Field("train", alias="from")
    """`train`, or the path of a data file of the user's own, used in its order."""
    shots: int = Field(4, ge=0, le=256)
    balanced: bool = True
    """Equal shares of each label, as far as `shots` allows; the order is then a seeded shuffle."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class PromptSpec(Strict):
    """`model.prompt`."""

    instruction: str = ""
    template: str
    alternatives: tuple[str, ...] = ()
    separator: str = "\n\n"
    verbalizers: dict[str, tuple[str, ...]]
    demonstrations: DemonstrationSpec = DemonstrationSpec.model_validate({})
    correction: str | None = None
    """A file that `audit mitigate` wrote for this prompt over this model."""
    chat: bool = False


class ModelSpec(Strict):
    """`model`."""

    kind: Literal["fine-tuned", "in-context"]
    source: str
    """Hub name, local folder, .gguf file, `sklearn:FILE`, `python:module:function`, or `demo:NAME`."""
    revision: str | None = None
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = "float32"
    device: str = "auto"
    label_map: dict[str, str] | None = None
    """Name in the model's config (LABEL_0) → label of the task."""
    prompt: PromptSpec | None = None
    max_length: int | None = Field(None, ge=2)
    allow_pickle: bool = False
    """Asked for: load a joblib file or pickled weights, which can run code."""
    trust_remote_code: bool = False
    batch_tokens: int | None = Field(None, ge=16)


class HelperSpec(Strict):
    """A second model that a probe asks about the first one's answers."""

    source: str = Field(min_length=1, pattern=r"\S")
    revision: str | None = None
    device: str = "auto"
