"""Which examples a prompt shows, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from audit.errors import ConfigError
from audit.models.spec import DemonstrationSpec, PromptSpec
from audit.schema import Example, Prompt
from audit.seeds import Seeds

STREAM = "model.prompt.demonstrations"
"""Name of the random stream."""


def draw_demonstrations(
    spec: DemonstrationSpec, train: Sequence[Example], labels: tuple[str, ...], seeds: Seeds
) -> tuple[Example, ...]:
    """Draw `spec.shots` examples and put them into a random order; the order of `train` changes nothing.

    Balanced, each label has the same number of shots, and labels drawn at random have one more where `shots`
    is no multiple of them. Otherwise the draw is plain, at the prior of `train` (Zhao et al. 2021). A file
    of the user's own (`spec.source` is not `train`) is not drawn from: give it to `make_prompt` as it is.

    Raises:
        ConfigError: `train` has fewer examples than are needed, in all or of one label.
    """
    if spec.shots == 0:
        return ()
    known = [example for example in train if example.label in labels]
    if spec.balanced:
        drawn = _balanced(spec.shots, known, labels, seeds)
    else:
        _check(spec.shots, len(known), "examples")
        drawn = seeds.pick(known, spec.shots, _key, STREAM)
    return tuple(
        sorted(drawn, key=lambda example: (seeds.number(STREAM, "order", _key(example)), _key(example)))
    )


def make_prompt(spec: PromptSpec, demonstrations: Sequence[Example]) -> Prompt:
    """Put the user's words and the demonstrations together."""
    return Prompt(
        template=spec.template,
        verbalizers=spec.verbalizers,
        demonstrations=tuple(demonstrations),
        instruction=spec.instruction,
        separator=spec.separator,
        chat=spec.chat,
        alternatives=spec.alternatives,
    )


def _balanced(shots: int, known: list[Example], labels: tuple[str, ...], seeds: Seeds) -> list[Example]:
    each, over = divmod(shots, len(labels))
    more = seeds.pick(labels, over, str, STREAM, "more")
    drawn: list[Example] = []
    for label in labels:
        of_label = [example for example in known if example.label == label]
        count = each + (label in more)
        _check(count, len(of_label), f"examples of the label {label!r}")
        drawn += seeds.pick(of_label, count, _key, STREAM)
    return drawn


def _key(example: Example) -> str:
    return example.id


def _check(wanted: int, found: int, what: str) -> None:
    if found < wanted:
        raise ConfigError(
            f"model.prompt.demonstrations: too few to draw from: data.train has {found} {what}, {wanted} are "
            "needed; give more training data or fewer shots"
        )
