"""The prompt that the tests of in-context models ask, and how they ask it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.prompted import open_prompted
from audit.models.spec import ModelSpec
from audit.schema import Example, Prompt, Subject, Text

if TYPE_CHECKING:
    from tests.audit.models.conftest import Plain

Tiny = Callable[..., Path]
Reference = Callable[[Path], "Plain"]

LABELS = ("negative", "positive")
FORMS = ((" Negative", " really bad"), (" Positive", " really good", " Neutral"))
"""Single tokens and several, with a shared beginning across labels."""
DEMONSTRATIONS = (
    Example(id="a", text="dull , flat", label="negative"),
    Example(id="b", text="a fine film", label="positive"),
)
PROMPT = Prompt(
    template="Review: {text}\nSentiment:",
    verbalizers=dict(zip(LABELS, FORMS, strict=True)),
    demonstrations=DEMONSTRATIONS,
    instruction="Say what the review is.",
)
SHOWN = (
    "Say what the review is."
    "\n\nReview: dull , flat\nSentiment: Negative"
    "\n\nReview: a fine film\nSentiment: Positive"
    "\n\nReview: "
)
TEXTS = [
    "a moving film",
    "long",
    "far too long and far too dull , the film , the whole of it",
    "",
    "😀 שלום .",
]


def opened(
    folder: Path,
    prompt: Prompt | None = PROMPT,
    *,
    cache: Cache | None = None,
    ledger: Ledger | None = None,
    pair: bool = False,
    **spec: object,
) -> Subject:
    return open_prompted(
        ModelSpec.model_validate({"kind": "in-context", "source": str(folder), "device": "cpu", **spec}),
        labels=LABELS,
        pair=pair,
        prompt=prompt,
        base=folder,
        cache=cache or Cache(None),
        ledger=ledger or Ledger(),
    )


def logits(subject: Subject, texts: Sequence[Text]) -> np.ndarray:
    assert subject.classifier is not None
    found = subject.classifier.score(texts).logits
    assert found is not None
    return found


def changed(**fields: object) -> Prompt:
    return dataclasses.replace(PROMPT, **fields)  # type: ignore[arg-type]
