"""Each correction, fitted on what a model answers under one context, and applied to its answers there.

Letters: c contexts, n items, k labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit import correction
from audit.schema import (
    Correction,
    CorrectionKind,
    Example,
    Facts,
    PromptedClassifier,
    Text,
    content_hash,
)
from audit.seeds import Seeds
from probes.context.blank import BLANKS, blank_texts
from probes.contexts import Answers, Context

Floats = NDArray[np.float64]

METHODS: tuple[CorrectionKind, ...] = ("contextual", "domain-context", "pmi", "batch", "prototypical")
"""What is fitted, in the order of the pages."""
LEAST = 10
"""Unlabelled texts below which nothing is fitted on them."""
STREAM = "unlabelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the model is asked beside the items, so that corrections can be fitted."""

    pair: bool
    """Whether the task has pairs of texts."""
    domain: tuple[Text, ...]
    """Random words of the training texts."""
    free: tuple[Text, ...]
    """Training texts that are neither demonstrations nor items; what their labels are is not used."""

    @property
    def blank(self) -> tuple[Text, ...]:
        """Inputs without content; the empty one among them is the premise of `pmi`."""
        return tuple(blank_texts(self.pair))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A model's answers under c contexts."""

    answers: Answers
    """To the items."""
    blank: Floats
    """(c, b, k) to inputs without content."""
    domain: Floats
    """(c, d, k) to random words."""
    free: Floats
    """(c, m, k) to unlabelled texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What one method makes of the answers."""

    answers: Answers
    corrections: tuple[Correction, ...]
    """(c,) one for each context."""


def free_texts(
    train: Sequence[Example], count: int, seeds: Seeds, *, without: Iterable[Example]
) -> tuple[Text, ...]:
    """Return up to `count` different training texts, none of them among `without`, chosen by id."""
    found: dict[str, Text] = {}
    taken = {content_hash(one.input) for one in without}
    for one in sorted(train, key=lambda one: (seeds.number(STREAM, one.id), one.id)):
        content = content_hash(one.input)
        if content not in taken:
            found.setdefault(content, one.input)
    return tuple(list(found.values())[:count])


def ask(
    model: PromptedClassifier, contexts: Sequence[Context], items: Sequence[Example], inputs: Inputs
) -> Asked:
    """Ask the items and all that corrections are fitted on under every context, raw, in one call.

    Raises:
        ModelError: demonstrations that leave no room for a text.
    """
    parts: list[Sequence[Text]] = [
        [item.input for item in items],
        inputs.blank,
        inputs.domain,
        inputs.free,
    ]
    prompts = [replace(model.prompt, demonstrations=each.demonstrations) for each in contexts]
    scores = model.score_prompts(prompts, [text for part in parts for text in part])
    p = np.stack([each.probabilities for each in scores])  # (c, t, k)
    cuts = np.cumsum([len(part) for part in parts])[:-1]
    of_items, blank, domain, free = np.split(p, cuts, axis=1)
    answers = Answers(
        contexts=tuple(contexts),
        items=tuple(items),
        labels=model.labels,
        probabilities=of_items,
        truncated=sum(int(each.truncated[: len(items)].sum()) for each in scores),
    )
    return Asked(answers=answers, blank=blank, domain=domain, free=free)


def mend(method: CorrectionKind, asked: Asked, seeds: Seeds, facts: Facts) -> Mended:
    """Fit a method under each context by itself and apply it there.

    Raises:
        ValueError: a context under which it cannot be fitted, and why.
    """
    raw, found = asked.answers, []
    for place, context in enumerate(raw.contexts):
        rng = seeds.rng(STREAM, "mixture", context.name)
        try:
            found.append(fit(method, asked, place, rng, facts))
        except ValueError as error:
            where = f"{context.name}: " if len(raw.contexts) > 1 else ""
            raise ValueError(f"{where}{error}") from error
    q = np.stack([correction.apply(one, p) for one, p in zip(found, raw.probabilities, strict=True)])
    return Mended(answers=replace(raw, probabilities=q), corrections=tuple(found))


def fit(
    method: CorrectionKind, asked: Asked, place: int, rng: np.random.Generator, facts: Facts
) -> Correction:
    """Fit a method on the answers under the context at `place`.

    Raises:
        ValueError: too few inputs, or answers that the method can make nothing of.
    """
    labels, blank, domain, free = asked.answers.labels, asked.blank, asked.domain, asked.free
    words = ", ".join(map(repr, BLANKS))
    texts = f"{free.shape[1]} training texts, labels unused"
    if method in ("batch", "prototypical") and free.shape[1] < LEAST:
        raise ValueError(too_few(free.shape[1]))
    match method:
        case "contextual":
            on = f"{len(BLANKS)} inputs without content ({words})"
            return correction.contextual(blank[place], labels=labels, fitted_on=on, facts=facts)
        case "domain-context":
            if not domain.shape[1]:
                raise ValueError("the training texts have no words: give training data with texts")
            on = f"{domain.shape[1]} strings of random words of the training texts"
            return correction.domain_context(domain[place], labels=labels, fitted_on=on, facts=facts)
        case "pmi":
            premise = blank[place, BLANKS.index("")]
            on = "the prompt with an empty text"
            return correction.pmi(premise, labels=labels, fitted_on=on, facts=facts)
        case "batch":
            return correction.batch(free[place], labels=labels, fitted_on=texts, facts=facts)
        case "prototypical":
            return correction.prototypical(free[place], rng, labels=labels, fitted_on=texts, facts=facts)
        case "temperature":
            raise ValueError("a temperature changes no answer")


def too_few(free: int) -> str:
    """Say why nothing is fitted on so many unlabelled texts."""
    what = "training texts that are neither demonstrations nor test items"
    return f"needs {LEAST} {what}, there are {free}: give more training data"
