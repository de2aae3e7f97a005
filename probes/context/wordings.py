"""The prompt in use in other words: other templates, or its labels shuffled among the demonstrations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from audit.schema import Example, Prompt, PromptedClassifier
from probes.contexts import Answers, Context
from probes.orders import how_many


def templates(prompt: Prompt, limit: int) -> dict[str, Prompt]:
    """Return the prompt under each different template of its own, the one in use first, by name.

    Args:
        limit: at most so many, at least 1.
    """
    listed = dict.fromkeys((prompt.template, *prompt.alternatives))
    return {
        f"template {i}" + (" (in use)" if i == 1 else ""): replace(prompt, template=one, alternatives=())
        for i, one in enumerate(list(listed)[:limit], 1)
    }


def shuffles(prompt: Prompt, count: int, rng: np.random.Generator) -> dict[str, Prompt]:
    """Return up to `count` prompts whose labels stand at other demonstrations, each as often as before.

    No two are alike; fewer where there are fewer ways, none where all demonstrations have one label.
    """
    labels = [str(one.label) for one in prompt.demonstrations]
    wanted = min(count, how_many(Counter(labels).values()) - 1)
    found: dict[tuple[str, ...], Prompt] = {}
    while len(found) < wanted:
        drawn = tuple(labels[i] for i in rng.permutation(len(labels)))
        if list(drawn) != labels:
            pairs = zip(prompt.demonstrations, drawn, strict=True)
            shown = tuple(replace(one, label=label) for one, label in pairs)
            found[drawn] = replace(prompt, demonstrations=shown, alternatives=())
    return {f"labels shuffled {i}": one for i, one in enumerate(found.values(), 1)}


def ask(model: PromptedClassifier, asked: Mapping[str, Prompt], items: tuple[Example, ...]) -> Answers:
    """Ask every item under every prompt; its name is that of the context.

    Raises:
        ModelError: a prompt that leaves no room for a text.
    """
    scores = model.score_prompts(list(asked.values()), [item.input for item in items])
    return Answers(
        contexts=tuple(Context(name=name, demonstrations=one.demonstrations) for name, one in asked.items()),
        items=items,
        labels=model.labels,
        probabilities=np.stack([each.probabilities for each in scores]),
        truncated=sum(int(each.truncated.sum()) for each in scores),
    )
