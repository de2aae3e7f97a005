"""What a sample size can decide, before the run (sizes) and after it (`needed_n`, `decidable_margin`).

Normal approximations, standard library only, so that judging stays quick.
Read through `audit.stats`.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from audit.interval import WILSON
from audit.schema import Estimate


def pairs_needed(drop: float, discordance: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many items, answered twice, show a drop of this size (two-sided alpha).

    n = (z_{1-α/2} sqrt(d) + z_power sqrt(d - δ²))² / δ².

    Args:
        drop: difference of the two shares, in (0, discordance).
        discordance: share of items on which the two answers differ in being right, in (0, 1].

    Raises:
        ValueError: a drop not below the discordance that must bring it about.

    Source: Miettinen 1968; Connor 1987 (Biometrics 43:207-211).

    >>> pairs_needed(0.05, 0.10)
    312
    """
    if not 0 < drop < discordance <= 1:
        raise ValueError(f"needs 0 < drop < discordance ≤ 1, got drop {drop}, discordance {discordance}")
    return _up(_pairs(drop, discordance, alpha, power))


def smallest_drop(n: int, discordance: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest paired drop that n items show; the inverse of `pairs_needed`, in (0, 1].

    Where n is too small for any drop within the discordance, the drop brings the discordance with it
    (every item that changes gets worse), at most 1.

    Raises:
        ValueError: n below 1, or a discordance outside of (0, 1].
    """
    if n < 1 or not 0 < discordance <= 1:
        raise ValueError(f"needs n ≥ 1 and 0 < discordance ≤ 1, got n {n}, discordance {discordance}")
    least, most = 0.0, 1.0
    for _ in range(80):  # halving: the size falls as the drop grows
        middle = (least + most) / 2
        if _pairs(middle, max(discordance, middle), alpha, power) <= n:
            most = middle
        else:
            least = middle
    return most


def examples_needed(margin: float, p: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many items show that a share p is not worse than a limit `margin` away (one-sided alpha).

    n = (z_{1-α} + z_power)² p (1 - p) / m². Rules decide on the two-sided 95 % interval, of which one
    side is alpha 0.025: give that for what a rule decides.

    Raises:
        ValueError: a margin not above 0, or p outside of (0, 1).

    >>> examples_needed(0.05, 0.9)
    223
    """
    if not (margin > 0 and 0 < p < 1):
        raise ValueError(f"needs margin > 0 and 0 < p < 1, got margin {margin}, p {p}")
    return _up((_z(1 - alpha) + _z(power)) ** 2 * p * (1 - p) / margin**2)


def smallest_margin(n: int, p: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest distance from a limit that n items decide; the inverse of `examples_needed`.

    Raises:
        ValueError: n below 1, or p outside of (0, 1).
    """
    if n < 1 or not 0 < p < 1:
        raise ValueError(f"needs n ≥ 1 and 0 < p < 1, got n {n}, p {p}")
    return (_z(1 - alpha) + _z(power)) * math.sqrt(p * (1 - p) / n)


def group_needed(first: float, second: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return the size of each of two unpaired groups that shows shares `first` and `second` to differ.

    Raises:
        ValueError: equal shares, or a share outside of [0, 1].

    Source: Fleiss, Levin and Paik 2003, equation 4.14 (without continuity correction).

    >>> group_needed(0.9, 0.8)
    199
    """
    if first == second or not (0 <= first <= 1 and 0 <= second <= 1):
        raise ValueError(f"needs two different shares in [0, 1], got {first} and {second}")
    middle = (first + second) / 2
    null = _z(1 - alpha / 2) * math.sqrt(2 * middle * (1 - middle))
    other = _z(power) * math.sqrt(first * (1 - first) + second * (1 - second))
    return _up((null + other) ** 2 / (first - second) ** 2)


def questions_needed(
    difference: float,
    *,
    between: float,
    within: tuple[float, float],
    samples: tuple[float, float] = (1, 1),
    alpha: float = 0.05,
    power: float = 0.8,
) -> int:
    """Return how many questions show a difference of two models' mean scores (two-sided alpha).

    n = (z_{1-α/2} + z_power)² (ω² + σ_A² / K_A + σ_B² / K_B) / δ².

    Args:
        difference: δ, of mean scores.
        between: ω², variance over questions of the difference of the models' expected scores.
        within: (σ_A², σ_B²), mean variance of one model's score on one question.
        samples: (K_A, K_B), answers drawn for each question; `math.inf` for expected scores.

    Raises:
        ValueError: a difference of 0, a negative variance, or fewer than 1 sample.

    Source: Miller 2024 (arXiv:2411.00640), equation 9.
    """
    if difference == 0 or between < 0 or min(within) < 0 or min(samples) < 1:
        found = f"{difference}, {between}, {within}, {samples}"
        raise ValueError(f"needs difference ≠ 0, variances ≥ 0, samples ≥ 1, got {found}")
    variance = between + within[0] / samples[0] + within[1] / samples[1]
    return _up((_z(1 - alpha / 2) + _z(power)) ** 2 * variance / difference**2)


def needed_n(estimate: Estimate, limit: float) -> int | None:
    """Return the smallest n at which an interval of the same value lies wholly on one side of the limit.

    Exact for a plain Wilson interval: the limit leaves it at n = z² L (1 - L) / (p - L)². Otherwise the
    side that faces the limit shrinks as 1 / sqrt(n). In the units of `estimate.n` (items, clusters,
    contexts). None where the value is the limit, or so near that no n in reach (10⁹) decides.
    """
    gap = abs(estimate.value - limit)
    if gap < 1e-9 * max(estimate.high - estimate.low, abs(limit), 1e-9):
        return None
    if estimate.method == WILSON and 0 < limit < 1:
        n = _z(0.5 + estimate.level / 2) ** 2 * limit * (1 - limit) / gap**2
    else:
        side = estimate.high - estimate.value if limit > estimate.value else estimate.value - estimate.low
        n = estimate.n * (side / gap) ** 2
    return _up(n) if n <= 1e9 else None


def decidable_margin(estimate: Estimate, *, power: float = 0.8) -> float:
    """Return the smallest distance from a limit that this n decides with this power, in its unit.

    (z_{(1+level)/2} + z_power) · se, the standard error taken from the width of the interval.
    """
    z = _z(0.5 + estimate.level / 2)
    return (z + _z(power)) * (estimate.high - estimate.low) / (2 * z)


def _pairs(drop: float, discordance: float, alpha: float, power: float) -> float:
    null = _z(1 - alpha / 2) * math.sqrt(discordance)
    other = _z(power) * math.sqrt(max(discordance - drop**2, 0.0))
    return (null + other) ** 2 / drop**2


def _z(p: float) -> float:
    return NormalDist().inv_cdf(p)


def _up(n: float) -> int:
    # a whole number reached but for rounding stays
    return max(1, math.ceil(n - 1e-9 * n))
