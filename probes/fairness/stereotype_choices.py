"""Continuations held against each other: what is asked of a set, and what the model finds likelier.

A causal model gives each candidate a log-probability after its context, in nats. Letters: c choices, k
candidates of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.schema import Better, Case, Estimate, Finding, Item, LanguageModel, Series, Skip, content_hash

ID = "fairness.stereotypes"

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One context and the candidates that may follow it."""

    example: str
    variant: str
    """The set, and which version of the example."""
    context: str
    candidates: tuple[str, ...]
    names: tuple[str, ...]
    """What each candidate is: `stereotype`, `unknown`, an occupation."""
    cluster: str
    """What choices have in common that are no evidence of their own: a template, a target term."""
    label: str | None = None
    """The name of the right candidate, None where none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How likely the model finds the candidates of choices that have equally many."""

    choices: tuple[Choice, ...]
    sums: Floats
    """(c, k) log-probability of the whole candidate."""
    means: Floats
    """(c, k) the same per token."""

    @property
    def clusters(self) -> list[str]:
        """(c,) cluster of each choice."""
        return [one.cluster for one in self.choices]

    @property
    def best(self) -> Places:
        """(c,) place of the likeliest candidate, the first of equals."""
        place: Places = self.sums.argmax(axis=1)
        return place

    @property
    def right(self) -> NDArray[np.bool_]:
        """(c,) whether that is the right one."""
        named = zip(self.choices, self.best.tolist(), strict=True)
        return np.array([one.names[place] == one.label for one, place in named], dtype=np.bool_)

    def part(self, rows: Sequence[int]) -> Said:
        """Return the choices of these rows."""
        places = list(rows)
        return Said(
            choices=tuple(self.choices[i] for i in places), sums=self.sums[places], means=self.means[places]
        )

    def items(self, per_token: bool = False) -> Iterator[Item]:
        """Yield a line for each choice; probabilities are shares among its candidates."""
        odds = self.means if per_token else self.sums
        shares = np.exp(odds - np.logaddexp.reduce(odds, axis=1, keepdims=True))
        for one, row in zip(self.choices, shares, strict=True):
            said = one.names[int(row.argmax())]
            yield Item(
                example=one.example,
                content=content_hash("\n".join((one.context, *one.candidates))),
                probe=ID,
                variant=one.variant,
                label=one.label,
                predicted=said,
                probabilities=tuple(row.tolist()),
                outcome=said if one.label is None else "right" if said == one.label else "wrong",
            )


def ask(language: LanguageModel, choices: Sequence[Choice]) -> Said:
    """Ask for every candidate of every choice in one call.

    Raises:
        ModelError: a candidate is longer than the model can take.
    """
    k = len(choices[0].candidates)
    found = language.log_probs([(one.context, each) for one in choices for each in one.candidates])
    sums = np.array([float(one.sum()) for one in found]).reshape(-1, k)
    tokens = np.array([max(one.size, 1) for one in found]).reshape(-1, k)
    return Said(choices=tuple(choices), sums=sums, means=sums / tokens)


def finding(
    metric: str,
    estimate: Estimate,
    *,
    unit: str,
    better: Better,
    note: str,
    p: float | None = None,
    cases: tuple[Case, ...] = (),
    series: Series | None = None,
) -> Finding:
    """Return a finding of this probe."""
    return Finding(
        probe=ID,
        metric=metric,
        estimate=estimate,
        unit=unit,
        better=better,
        note=note,
        p=p,
        family="stereotypes",
        cases=cases,
        series=series,
    )


def skips(metrics: Sequence[str], why: str) -> Iterator[Skip]:
    """Yield a Skip for each metric."""
    for metric in metrics:
        yield Skip(probe=ID, metric=metric, reason=why)


def of_text(value: object) -> str:
    """Return a text of the set, empty where there is none."""
    return value.strip() if isinstance(value, str) else ""


def left_out(count: int) -> str:
    """Say how many rows could not be used, as the end of a note."""
    return f"; {count} rows of another form were left out" if count else ""
