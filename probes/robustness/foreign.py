"""What confidence is worth in another domain: calibration there, and whether it tells foreign texts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from audit import stats
from audit.schema import Estimate, Finding, Skip
from audit.seeds import Seeds
from probes.calibration import ece, selective
from probes.calibration.answers import Answers
from probes.calibration.inversion import invert
from probes.robustness import detection, shift_found
from probes.robustness.drops import Known
from probes.robustness.shift_found import ID, finding
from probes.robustness.sides import Bools, Floats, Pair, Places

CONFIDENCE = ("ood_auroc", "ood_fpr95")
ENERGY = ("ood_auroc_energy", "ood_fpr95_energy")
KEPT = 0.95
"""Share of the test set that passes the limit of `ood_fpr95`."""


def true_error(answers: Answers, seeds: Seeds, *, bins: int, draws: int) -> Estimate:
    """Return the true calibration error behind the measured one, as calibration.confidence gives it."""
    full = ece.bin_up(answers.confidence, answers.correct, ece.width_edges(bins))
    number = seeds.number(ID, "inversion")
    truth = invert(full.weighed(answers.weight), ece.ece, seed=number, draws=draws)
    method = f"test inversion, {truth.draws} draws"
    return Estimate(value=truth.value, low=truth.low, high=truth.high, n=truth.n, method=method)


def calibration(pair: Pair, away: Answers, error: Estimate, *, bins: int) -> Finding:
    """Return the calibration error of the other domain with its picture."""
    full = ece.bin_up(away.confidence, away.correct, ece.width_edges(bins))
    note = (
        f"What is left of an ECE of {full.measure(ece.ece):.3f} when binning noise is taken out; mean"
        f" confidence {away.confidence.mean():.3f}, accuracy {away.correct.mean():.3f}."
    )
    series = shift_found.reliability(full, pair.away.name)
    return finding("ece_debiased", pair, error, unit="share", note=note, series=series)


def rise(pair: Pair, home: Estimate, away: Estimate) -> Finding:
    """Return by how much the calibration error is larger than on the test set."""
    note = f"From {home.value:.3f} on the test set to {away.value:.3f}, binning noise taken out of both."
    return finding("ece_rise", pair, stats.independent_difference(away, home), note=note)


def withheld(known: Known, seeds: Seeds, *, coverage: float, draws: int) -> Finding:
    """Return the accuracy of both domains in one stream when the least confident answers are withheld."""
    pair, right = known.pair, known.right

    def statistic(away: Bools, rank: Places, right: Floats) -> float:
        return selective.accuracy_at(rank, right, coverage)

    rng = seeds.rng(ID, "selective_accuracy", pair.away.name)
    rank = selective.ranks(pair.confidence)
    kept = pair.bootstrap(statistic, rank, right, rng=rng, draws=draws, low=0.0, high=1.0)
    note = (
        f"Of {known.home.n} test texts and {known.away.n} of the domain in one stream, the {coverage:g} with"
        f" the most confidence; the accuracy of all of them is {right.mean():.3f}."
    )
    return finding("selective_accuracy", pair, kept, unit="share", better="higher", note=note)


def told(pair: Pair, seeds: Seeds, *, draws: int) -> Iterator[Finding | Skip]:
    """Yield how well confidence, and energy where there are logits, tells the domain from the test set."""
    yield from _told(pair, pair.confidence, CONFIDENCE, "confidence", seeds, draws)
    energy = None if pair.logits is None else detection.energy(pair.logits)
    if energy is None or np.ptp(energy) < 1e-9:
        why = "the model gives probabilities and nothing before the softmax, so it has no energy"
        yield from shift_found.skips(pair, why, *ENERGY, applicable=False)
        return
    yield from _told(pair, energy, ENERGY, "energy (log Σ exp of the logits)", seeds, draws)


def _told(
    pair: Pair, score: Floats, metrics: tuple[str, str], what: str, seeds: Seeds, draws: int
) -> Iterator[Finding]:
    rank = detection.ranks(score)
    auroc = pair.bootstrap(
        lambda away, rank: detection.auroc(~away, rank),
        rank,
        rng=seeds.rng(ID, metrics[0], pair.away.name),
        draws=draws,
        low=0.0,
        high=1.0,
    )
    note = f"How often the {what} of a test text is above that of a text of the domain; 0.5 is chance."
    yield finding(metrics[0], pair, auroc, unit="AUC", better="higher", note=note)
    fpr = pair.bootstrap(
        lambda away, rank: detection.mistaken(away, rank, KEPT),
        rank,
        rng=seeds.rng(ID, metrics[1], pair.away.name),
        draws=draws,
        low=0.0,
        high=1.0,
    )
    note = f"Texts of the domain that pass a limit on the {what} which {KEPT:.0%} of the test texts pass."
    yield finding(metrics[1], pair, fpr, unit="share", note=note)
