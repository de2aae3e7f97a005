"""Which column of a model is which label of the task: by a map, by name, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from audit.errors import ModelError, did_you_mean, shown


def columns(
    names: Sequence[str], labels: Sequence[str], label_map: Mapping[str, str] | None, *, name: str
) -> tuple[int, ...]:
    """Return, for each label of the task, the model's column (0 … k-1).

    A name that `label_map` holds is mapped by it; all others must equal a label but for case. Nothing is
    guessed from the order: LABEL_0 says nothing, and a swapped label would make a good model look broken.

    Args:
        names: the model's own names of its columns, in their order.
        name: the model as the config names it, for messages.

    Raises:
        ModelError: another number of columns than labels, an ambiguous name, or a map that does not fit.

    >>> columns(["POSITIVE", "NEGATIVE"], ["negative", "positive"], None, name="m")
    (1, 0)
    """
    both = f"the model's are {shown(list(names))}, task.labels are {shown(list(labels))}"
    if len(names) != len(labels):
        raise ModelError(
            f"{name}: the model has {len(names)} labels and the task {len(labels)}: {both}; "
            "list in task.labels every label that the model knows"
        )
    given = dict(label_map or {})
    _check_map(given, names, labels, name=name)
    by_case = {label.casefold(): label for label in labels}
    # Two labels that differ in case alone are told apart by exact spelling only.
    loose = len(by_case) == len(labels)
    found: dict[str, int] = {}
    for column, own in enumerate(names):
        label = given.get(own) or (own if own in labels else by_case.get(own.casefold()) if loose else None)
        if label is not None:
            found.setdefault(label, column)
    if len(found) != len(labels):
        # JSON's braces are YAML too, and every name is quoted as it needs.
        example = json.dumps(dict(zip(names, labels, strict=True)), ensure_ascii=False)
        raise ModelError(
            f"{name}: the model's labels cannot be told by name: {both}; say which is which with "
            f"model.label_map, for instance {example} (check the order: it is not known)"
        )
    return tuple(found[label] for label in labels)


def _check_map(given: dict[str, str], names: Sequence[str], labels: Sequence[str], *, name: str) -> None:
    for own, label in given.items():
        if own not in names:
            hint = did_you_mean(own, list(names))
            raise ModelError(
                f"{name}: model.label_map names a label that the model has not: {shown(own)}{hint}; "
                f"the model's are {shown(list(names))}"
            )
        if label not in labels:
            hint = did_you_mean(label, list(labels))
            raise ModelError(
                f"{name}: model.label_map maps to a label that the task has not: {shown(label)}{hint}; "
                f"task.labels are {shown(list(labels))}"
            )
    twice = [label for label in labels if list(given.values()).count(label) > 1]
    if twice:
        raise ModelError(
            f"{name}: model.label_map gives the label {shown(twice[0])} to two columns: {shown(given)}; "
            "map each column to a label of its own"
        )
