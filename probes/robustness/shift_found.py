"""How the numbers of robustness.shift become findings, skips and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from audit import stats
from audit.schema import Better, Case, Estimate, Finding, Point, Series, Skip
from probes.calibration import pictures
from probes.calibration.answers import Answers, share
from probes.calibration.ece import Bins
from probes.robustness.sides import Pair

ID = "robustness.shift"


def finding(
    metric: str,
    pair: Pair,
    estimate: Estimate,
    *,
    unit: str = "points of share",
    better: Better = "lower",
    note: str = "",
    cases: tuple[Case, ...] = (),
    series: Series | None = None,
) -> Finding:
    """Return a finding on the other domain, by default a difference of shares of which less is better."""
    return Finding(
        probe=ID,
        metric=metric,
        slice=pair.away.name,
        estimate=estimate,
        unit=unit,
        better=better,
        note=note,
        cases=cases,
        series=series,
    )


def skips(pair: Pair, why: str, *metrics: str, applicable: bool = True) -> Iterator[Skip]:
    """Yield what was not measured of the other domain."""
    for metric in metrics:
        yield Skip(probe=ID, metric=metric, slice=pair.away.name, reason=why, applicable=applicable)


def worst(domains: Mapping[str, Answers], level: float = 0.95) -> tuple[Estimate, str]:
    """Return the lowest accuracy of several domains with its interval, and the domain's name.

    The lowest of noisy numbers lies too low, so each domain has an interval of level 1 - (1 - level) / m, all
    of which hold at once; the lowest accuracy lies between their lowest low and their lowest high.
    """
    wide = 1 - (1 - level) / len(domains)
    held = {name: _share(answers, wide) for name, answers in domains.items()}
    name = min(held, key=lambda name: (held[name].value, name))
    estimate = Estimate(
        value=held[name].value,
        low=min(e.low for e in held.values()),
        high=min(e.high for e in held.values()),
        n=held[name].n,
        level=level,
        method=f"{held[name].method}, simultaneous for {len(held)} domains, n is the worst domain's",
    )
    return estimate, name


def accuracies(domains: Mapping[str, Answers]) -> Series:
    """Return the accuracy of each domain as dots, in the order given."""
    held = {name: share(answers, answers.correct) for name, answers in domains.items()}
    return Series(
        kind="dots",
        title="Accuracy by domain",
        x="domain",
        y="accuracy (share)",
        points=tuple(
            Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=name)
            for i, (name, e) in enumerate(held.items())
        ),
        reading="Each dot is the accuracy on one domain with its 95 % interval, the test set first. Domains"
        " also differ in how hard they are and in what always giving the commonest label would score.",
    )


def reliability(bins: Bins, domain: str) -> Series:
    """Return accuracy over confidence in one domain, in bins."""
    drawn = pictures.reliability(bins, ())
    return replace(
        drawn,
        title=f"Accuracy at each confidence: {domain}",
        reading="On the diagonal the model is right as often as it claims; below it the model is"
        " overconfident in this domain. A mark whose interval crosses the diagonal shows no fault by itself.",
    )


def _share(answers: Answers, level: float) -> Estimate:
    if answers.clusters is None:
        return stats.share(int(answers.correct.sum()), answers.n, level=level)
    if answers.distinct == 1:
        return stats.share(int(answers.correct[0]), 1, level=level)
    return stats.clustered_share(answers.correct, answers.clusters, level=level)
