"""Does a score rank a group's examples as well as all others'? Areas under the ROC curve, within and across.

Subgroup: positives and negatives of the group. BPSN: positives of all others over negatives of the group; low
where the group's negatives score too high (false positives on the group). BNSP: positives of the group over
negatives of all others; low where the group's positives score too low.

Source: Borkan et al. 2019 (arXiv:1903.04561).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from audit import stats
from audit.schema import Estimate
from probes.fairness.group_rates import Bools, Floats, Places, held

Kind = Literal["subgroup", "bpsn", "bnsp"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def auc(above: Floats, below: Floats) -> float:
    """Return the share of pairs in which the first scores higher, ties counting half; NaN without pairs.

    >>> auc(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
    0.875
    """
    if not (above.size and below.size):
        return float("nan")
    ranked = np.sort(below)
    less, upto = np.searchsorted(ranked, above, "left"), np.searchsorted(ranked, above, "right")
    return float((less + upto).mean() / (2 * below.size))


def part(kind: Kind, positive: Bools, inside: Bools) -> tuple[Bools, Bools]:
    """Return the (n,) examples that should score higher, and the (n,) that should score lower."""
    above = positive & (~inside if kind == "bpsn" else inside)
    below = ~positive & (~inside if kind == "bnsp" else inside)
    return above, below


def lack(kind: Kind, score: Floats, positive: Bools, inside: Bools) -> float:
    """Return the AUC of all minus the AUC of this kind; NaN where there are no pairs."""
    above, below = part(kind, positive, inside)
    return auc(score[positive], score[~positive]) - auc(score[above], score[below])


def large(kind: Kind, positive: Bools, codes: Places, groups: int, least: int) -> Bools:
    """Return (g,) for which groups both sides of the comparison hold at least so many."""
    enough = [
        min(int(side.sum()) for side in part(kind, positive, codes == g)) >= least for g in range(groups)
    ]
    return np.array(enough, dtype=np.bool_)


def lack_of_worst(kind: Kind, score: Floats, positive: Bools, codes: Places, kept: Bools) -> float:
    """Return the AUC of all minus the lowest AUC of this kind over the (g,) kept groups."""
    sides = (part(kind, positive, codes == g) for g in np.flatnonzero(kept).tolist())
    lowest = min(auc(score[above], score[below]) for above, below in sides)
    return auc(score[positive], score[~positive]) - lowest


def lack_estimate(
    kind: Kind,
    score: Floats,
    positive: Bools,
    codes: Places,
    kept: Bools,
    rng: np.random.Generator,
    *,
    draws: int,
) -> Estimate:
    """Return `lack_of_worst`, in [-1, 1], with an interval for the true one.

    A percentile bootstrap for each group, stratified by group × label, Bonferroni over groups: the true
    maximum lies between the largest lower and the largest upper end.

    Raises:
        ValueError: as `stats.bootstrap`.
    """
    places = np.flatnonzero(kept).tolist()
    found = []
    least = np.inf
    for g in places:
        inside = codes == g
        found.append(
            stats.bootstrap(
                lambda s, y, a: lack(kind, s, y, a),
                score,
                positive,
                inside,
                rng=rng,
                strata=(2 * positive + inside).tolist(),
                draws=draws,
                level=1 - 0.05 / len(places),
                method="percentile",
                low=-1.0,
                high=1.0,
            )
        )
        least = min(least, *(int(side.sum()) for side in part(kind, positive, inside)))
    many = f", Bonferroni over {len(places)} groups" if len(places) > 1 else ""
    return held(
        max(one.value for one in found),
        max(one.low for one in found),
        max(one.high for one in found),
        n=int(least),
        method=f"percentile bootstrap, {draws} draws by group × label{many}, n is the smallest side",
    )
