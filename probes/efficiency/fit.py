"""A line through the times of writing: what is paid once, for each token read, for each token written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit import stats
from audit.schema import Estimate
from audit.seeds import Seeds

Floats = NDArray[np.float64]

TERMS = ("overhead", "per_token", "per_prompt_token")
"""In the order of the coefficients; the last one is missing where all prompts were equally long."""


DRAWS = 1000
"""Resamplings behind an interval; more would move its ends by less than the clock does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Time of a request: overhead + per_prompt_token · read + per_token · (written - 1).

    In the unit of the times that it was fitted to.
    """

    overhead: float
    """What is paid once; reading the prompt is in it where all prompts were equally long."""
    per_token: float
    """For each token written after the first."""
    per_prompt_token: float = 0.0
    """For each token read."""

    def at(self, read: float, written: float) -> float:
        """Return the time of a request of this size.

        >>> line = Line(overhead=0.0, per_token=0.081, per_prompt_token=0.323 / 1024)  # HELM's davinci
        >>> round(line.at(1000, 2), 3)
        0.396
        """
        return self.overhead + self.per_prompt_token * read + self.per_token * (written - 1)


def line(read: ArrayLike, written: ArrayLike, times: ArrayLike) -> Line:
    """Fit by least squares.

    Args:
        read: (n,) tokens of the prompts.
        written: (n,) tokens written.
        times: (n,) of the whole request.

    Raises:
        ValueError: fewer sizes than terms, so that no line is determined.

    >>> found = line([512, 512, 512], [2, 8, 32], [0.077, 0.203, 0.707])  # GPT-J
    >>> round(found.per_token, 6), round(found.overhead, 6)
    (0.021, 0.056)
    """
    terms = _solve(np.asarray(read), np.asarray(written), np.asarray(times), prompts=_differ(read))
    if not np.isfinite(terms).all():
        raise ValueError("the sizes do not determine a line: write at least two different numbers of tokens")
    return Line(**dict(zip(TERMS, terms.tolist(), strict=False)))


def estimates(
    read: ArrayLike, written: ArrayLike, times: ArrayLike, seeds: Seeds, *names: str
) -> dict[str, Estimate]:
    """Return each term of the line with a bootstrap interval over requests.

    Raises:
        ValueError: as `line`, or fewer than 2 requests.
    """
    line(read, written, times)
    prompts = _differ(read)

    def term(place: int) -> Estimate:
        return stats.bootstrap(
            lambda r, w, s: float(_solve(r, w, s, prompts=prompts)[place]),
            read,
            written,
            times,
            rng=seeds.rng(*names, TERMS[place]),
            draws=DRAWS,
        )

    return {TERMS[place]: term(place) for place in range(3 if prompts else 2)}


def grid(reads: Sequence[int], writes: Sequence[int], rounds: int) -> list[tuple[int, int]]:
    """Return the sizes in the order they are timed: round by round, so that a drift meets all alike."""
    return [(read, written) for _ in range(rounds) for read in reads for written in writes]


def _differ(read: ArrayLike) -> bool:
    return bool(np.ptp(np.asarray(read, dtype=np.float64)) > 0)


def _solve(read: Floats, written: Floats, times: Floats, *, prompts: bool) -> Floats:
    """Return (2,) or (3,) terms by the normal equations; NaN where the rows do not determine them."""
    columns = np.stack([written, read] if prompts else [written], axis=1).astype(np.float64)  # (n, slopes)
    middle = columns.mean(axis=0)
    apart = columns - middle
    gram = apart.T @ apart
    # The share of the columns' spread that is their own; 0 where one follows from the others.
    if np.linalg.det(gram) <= 1e-9 * gram.diagonal().prod():
        return np.full(len(middle) + 1, np.nan)
    slopes = np.linalg.solve(gram, apart.T @ (times - times.mean()))
    overhead = times.mean() - slopes @ middle + slopes[0]  # the first token is no further one
    return np.array([overhead, *slopes])
