"""A trigger planted in the demonstrations of one label, and what it costs on items of the other labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit.schema import Case, Example, Item, PromptedClassifier
from audit.seeds import Seeds
from probes import contexts
from probes.contexts import Answers, Context

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Arms = tuple[Floats, Floats]
"""(g, n) and (g, n): the share right when clean, and when planted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Answers to triggered items of other labels than the target, under g contexts and the same planted."""

    trigger: str
    """What was added."""
    target: str
    """The label whose demonstrations got the trigger."""
    places: tuple[int, ...]
    """(m,) places of the items among all n."""
    answers: Answers
    """2 g contexts, the clean ones first, by m items."""

    @property
    def sets(self) -> int:
        """The number g of contexts of each arm."""
        return len(self.answers.contexts) // 2

    @property
    def right(self) -> tuple[Bools, Bools]:
        """(g, m) right with clean demonstrations, and right with the trigger in them."""
        right = self.answers.right
        return right[: self.sets], right[self.sets :]

    @property
    def captured(self) -> Bools:
        """(g, m) right when clean, and the target when planted."""
        target = self.answers.predicted == self.answers.labels.index(self.target)
        hits: Bools = self.right[0] & target[self.sets :]
        return hits

    def records(self, probe: str) -> Iterator[Item]:
        """Yield one item for each answer."""
        return self.answers.records(probe)


def with_trigger(example: Example, trigger: str) -> Example:
    """Return the example with the trigger at its end; of a pair, at the end of the second text."""

    def ended(text: str) -> str:
        return f"{text} {trigger}" if text.strip() else trigger

    if example.pair is None:
        return replace(example, text=ended(example.text))
    return replace(example, pair=ended(example.pair))


def reached(
    prompted: PromptedClassifier, items: Sequence[Example], triggers: Mapping[str, str]
) -> dict[str, Bools]:
    """Return, for each kind of trigger, (n,) whether the model can tell the triggered item from the plain."""
    plain = prompted.fingerprint([item.input for item in items])
    found = {}
    for kind, trigger in triggers.items():
        marks = prompted.fingerprint([with_trigger(item, trigger).input for item in items])
        found[kind] = np.array([a != b for a, b in zip(plain, marks, strict=True)], dtype=np.bool_)
    return found


def ask(
    prompted: PromptedClassifier,
    shown: Sequence[Context],
    items: Sequence[Example],
    targets: Sequence[str],
    kind: str,
    trigger: str,
) -> list[Asked]:
    """Ask triggered items of other labels under clean and planted contexts, target by target.

    One call for each target, since each has its own items.
    """
    found = []
    for target in targets:
        places = tuple(i for i, item in enumerate(items) if item.label != target)
        if not places:
            continue
        clean = [replace(each, name=f"{each.name}, {kind}, {target}: clean") for each in shown]
        planted = [_planted(each, kind, trigger, target) for each in shown]
        triggered = [with_trigger(items[i], trigger) for i in places]
        answers = contexts.ask(prompted, [*clean, *planted], triggered)
        found.append(Asked(trigger=trigger, target=target, places=places, answers=answers))
    return found


def _planted(context: Context, kind: str, trigger: str, target: str) -> Context:
    shown = tuple(
        with_trigger(one, trigger) if one.label == target else one for one in context.demonstrations
    )
    return replace(context, name=f"{context.name}, {kind}, {target}: planted", demonstrations=shown)


# --- numbers ----------------------------------------------------------------------------------


def arms(asked: Sequence[Asked], n: int) -> Arms:
    """Return (g, n) right when clean and (g, n) right when planted, means over targets but its label.

    Args:
        asked: of one trigger; each of the n items has at least one target that is not its label.
    """
    clean, planted, count = np.zeros((asked[0].sets, n)), np.zeros((asked[0].sets, n)), np.zeros(n)
    for one in asked:
        places = list(one.places)
        clean[:, places] += one.right[0]
        planted[:, places] += one.right[1]
        count[places] += 1
    return clean / count, planted / count


def by_target(asked: Sequence[Asked]) -> Floats:
    """Return (g, targets): right when clean minus right when planted, for each set and target."""
    return np.array([(one.right[0].astype(np.float64) - one.right[1]).mean(axis=1) for one in asked]).T


def constant(asked: Sequence[Asked]) -> str:
    """Say why an effect of zero means nothing where the model gave one answer to everything; else empty."""
    said = {int(place) for one in asked for place in np.unique(one.answers.predicted)}
    if len(said) > 1:
        return ""
    return (
        f"the model gave one answer, {asked[0].answers.labels[said.pop()]!r}, to everything, with the "
        "trigger in its demonstrations and without: see its accuracy, and use a prompt under which it tells "
        "texts apart"
    )


def told(asked: Sequence[Asked]) -> str:
    """Say how often both arms were right, and where the lost answers went."""
    clean, planted = (np.concatenate([one.right[arm].ravel() for one in asked]) for arm in (0, 1))
    captured = sum(int(one.captured.sum()) for one in asked)
    gone = int((clean & ~planted).sum())
    cut = sum(one.answers.truncated for one in asked)
    return (
        f"right with clean demonstrations {clean.mean():.3f}, which is the most that can be lost, with the "
        f"trigger in them {planted.mean():.3f}; of {gone} answers lost {captured} became the trigger's label"
        + (f"; {cut} texts were cut to the model's length" if cut else "")
    )


def captured(asked: Sequence[Asked], count: int, seeds: Seeds) -> tuple[Case, ...]:
    """Return up to `count` items that the trigger turned from right to its label, each item once."""
    found: dict[str, Case] = {}
    for one in asked:
        for c, i in np.argwhere(one.captured).tolist():
            item = one.answers.items[i]
            context = one.answers.contexts[one.sets + c]
            case = Case(
                example=item.id,
                text="\n".join(part for part in (item.text, item.pair) if part),
                label=item.label,
                before=item.label,
                after=one.target,
                note=f"before: demonstrations as they are; after: {one.trigger!r} at the end of each one of "
                f"the label {one.target!r} ({context.name.partition(',')[0]})",
            )
            found.setdefault(item.id, case)
    return tuple(seeds.pick(list(found.values()), count, lambda case: case.example, "contexts", "cases"))
