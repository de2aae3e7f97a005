"""Does the model's confidence mean what it says?

Asks each test example once and holds the largest probability against being right: calibration errors with
and without bins, their excess over binning noise, signed overconfidence, proper scores, accuracy when the
least confident answers are withheld, and how far one temperature, fitted on one part of the examples and
judged on the other, would help.
Why it matters: people and programs act on a confidence (accept, defer, abstain); a model that says 0.99
and is right four times in five turns every threshold into a trap.
Not covered: confidence that a model states in words, shift (see robustness.shift), groups, calibration of
the whole probability vector beyond the classwise error; a model that always gives the base rate is
calibrated and useless, so read the accuracy first.
Source: Guo et al. 2017 (arXiv:1706.04599) for ECE, MCE and temperature; Kumar et al. 2019
(arXiv:1909.10155) for equal-mass bins and the debiased mean square; Błasiok & Nakkiran 2023
(arXiv:2309.12236) for smECE; Nixon et al. 2019 for the classwise error; HELM for selective accuracy. Unlike
them: the interval of each error over bins is that of the true error by test inversion, since bootstraps of
such errors add their noise once more; equal confidences are never parted; p is of consistency resampling, the
null hypothesis being perfect calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from audit import correction, stats
from audit.schema import (
    Data,
    Demand,
    Estimate,
    Facts,
    Finding,
    Item,
    Skip,
    Subject,
    content_hash,
)
from audit.seeds import Seeds
from probes.calibration import ece, pictures, selective, smooth, temperature
from probes.calibration.answers import TINY, Answers, ask, baseline, gain, items, share, surest_errors
from probes.calibration.ece import Bins, Floats, Places, Statistic
from probes.calibration.found import ID, finding, true_error, widened
from probes.calibration.inversion import Truth, invert

TEMPERED = ("temperature", "ece_before_temperature", "ece_after_temperature")


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """Holds confidence against accuracy.

    Edge rules: with fewer than `least` examples what is binned or resampled is skipped, saying why. Bins are
    closed on the left and 1.0 lies in the last. Of equal probabilities the first label is the answer. All
    right, all wrong and one constant confidence are measured like anything else, with intervals that keep
    their width.
    """

    id: ClassVar[str] = ID
    needs: ClassVar[frozenset[str]] = frozenset({"label"})

    bins_width: int = 15
    """Bins of equal width, as in most of the literature."""
    bins_mass: int = 10
    """Bins of equally many examples, as HELM's."""
    mce_least: int = 10
    """Smaller bins are left out of the largest error."""
    draws: int = 2000
    """Simulations behind each interval."""
    null_draws: int = 1000
    """Simulations of a perfectly calibrated model, for p."""
    coverage: float = 0.8
    """Share of the examples that are answered in `selective_accuracy`."""
    temperature_split: float = 0.5
    """Share of the distinct texts that fit the temperature; the others judge it."""
    least: int = 20
    """Below this number of examples accuracy, truncation and verbalizer mass are measured, and no more."""
    cases: int = 5

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Each test example once."""
        return Demand(texts=len(data.test))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Yield the clean answers, then the findings."""
        labelled = sum(example.label is not None for example in data.test)
        if subject.classifier is None or not labelled:
            missing = "labelled test examples" if subject.classifier else "a classifier"
            yield Skip(probe=self.id, reason=f"needs {missing}: there are none")
            return
        answers = ask(subject.classifier, data.test)
        yield from items(self.id, answers)
        yield from self._plain(answers, unlabelled=len(data.test) - labelled)
        if answers.distinct < self.least:
            reason = (
                f"needs {self.least} different texts, has {answers.distinct}: raise data.limit or bring more"
            )
            for metric in self._metrics():
                yield Skip(probe=self.id, metric=metric, reason=reason)
            return
        yield from self._binned(answers, seeds)
        yield from self._extremes(answers, seeds)
        yield from self._means(answers)
        yield from self._ordered(answers, seeds)
        yield from self._tempered(answers, seeds, subject.facts)

    def _metrics(self) -> tuple[str, ...]:
        """Return the metrics that need `least` examples."""
        errors = (self._width, self._mass, "ece_debiased", "smooth_ece", "mce", "ace_unweighted")
        means = ("rmsce_debiased", "brier", "brier_top", "nll", "overconfidence", "ece_classwise")
        return (*errors, *means, "selective_accuracy", "selective_area", *TEMPERED)

    @property
    def _width(self) -> str:
        return f"ece_width{self.bins_width}"

    @property
    def _mass(self) -> str:
        return f"ece_mass{self.bins_mass}"

    def _plain(self, answers: Answers, *, unlabelled: int) -> Iterator[Finding]:
        """Accuracy, what was cut, and how much of the model's mind the label words have."""
        note = baseline(answers) + (f" {unlabelled} without a label are left out." if unlabelled else "")
        yield finding("accuracy", share(answers, answers.correct), better="higher", note=note)
        note = "Accuracy minus that of always giving the majority label, on the same examples."
        yield finding("accuracy_gain", gain(answers), unit="points of share", better="higher", note=note)
        cut = share(answers, answers.scores.truncated.astype(np.float64))
        yield finding("truncated_rate", cut, note="Texts that were cut to the model's length.")
        if answers.scores.mass is not None and answers.distinct > 1:
            mass = stats.mean(np.clip(answers.scores.mass, 0, 1), clusters=answers.clusters, low=0, high=1)
            note = "Probability on all label words together; the rest goes to words that are no answer."
            yield finding("verbalizer_mass", mass, better="higher", note=note)

    def _binned(self, answers: Answers, seeds: Seeds) -> Iterator[Finding | Skip]:
        confidence, correct = answers.confidence, answers.correct
        edges = ece.width_edges(self.bins_width)
        wide = ece.bin_up(confidence, correct, edges)
        measured = ece.netcal_error("ECE", confidence, correct, bins=self.bins_width)
        null = ece.consistent(confidence, edges, seeds.rng(self.id, "null"), draws=self.null_draws)
        expected = (
            f"A perfectly calibrated model with these confidences would show {null.mean():.3f} on average and"
            f" at least {np.quantile(null, 0.95):.3f} in one sample of twenty."
        )
        truth = self._truth(wide, ece.ece, seeds, answers)
        yield true_error(self._width, truth, measured, note=expected)
        fine = ece.bin_up(confidence, correct, ece.mass_edges(confidence, self.bins_mass))
        yield true_error(self._mass, self._truth(fine, ece.ece, seeds, answers), fine.measure(ece.ece))
        sleek = smooth.smooth_ece(confidence, correct)
        curve = smooth.curve(confidence, correct, sleek.bandwidth, rng=seeds.rng(self.id, "curve"))
        yield true_error(
            "ece_debiased",
            truth,
            truth.value,
            p=ece.consistency_p(measured, null),
            series=pictures.reliability(wide, curve),
            note=f"What is left of {self._width} ({measured:.3f}) when binning noise is taken out.",
        )
        number = seeds.number(self.id, "smooth")
        limits = smooth.true_smooth_ece(
            confidence, correct, sleek.bandwidth, bins=self.bins_width, seed=number, weight=answers.weight
        )
        note = f"Bandwidth {sleek.bandwidth:.3f}, chosen by the data."
        yield true_error("smooth_ece", limits, sleek.error, note=note)
        unweighted = ece.netcal_error("ACE", confidence, correct, bins=self.bins_width)
        note = "Mean over occupied bins, however few examples they hold."
        yield true_error("ace_unweighted", self._truth(wide, ece.ace, seeds, answers), unweighted, note=note)

    def _extremes(self, answers: Answers, seeds: Seeds) -> Iterator[Finding | Skip]:
        """The largest error of a bin, and the mean square, to which large errors count most."""
        confidence, correct = answers.confidence, answers.correct
        wide = ece.bin_up(confidence, correct, ece.width_edges(self.bins_width))
        kept = wide.keep(self.mce_least)
        if kept.n.size:
            largest = ece.netcal_error("MCE", confidence, correct, bins=self.bins_width, least=self.mce_least)
            worst = int(np.abs(kept.gap).argmax())
            note = (
                f"{len(kept.n)} of {len(wide.n)} occupied bins hold at least {self.mce_least} examples; the"
                f" worst lies at confidence {kept.confidence[worst]:.3f} and holds {kept.n[worst]:.0f}."
            )
            yield true_error("mce", self._truth(kept, ece.mce, seeds, answers), largest, note=note)
        else:
            reason = f"no bin holds {self.mce_least} examples: raise data.limit or lower mce_least"
            yield Skip(probe=self.id, metric="mce", reason=reason)
        fine = ece.bin_up(confidence, correct, ece.mass_edges(confidence, self.bins_width))
        if fine.n.max() < 2:
            yield Skip(probe=self.id, metric="rmsce_debiased", reason="no bin holds 2 examples")
            return
        square = ece.kumar_squared(fine)
        note = f"The unbiased mean square is {square:.5f}" + ("; below 0 counts as 0." if square < 0 else ".")
        value = float(np.sqrt(max(0.0, square)))
        yield true_error("rmsce_debiased", self._truth(fine, ece.rmsce, seeds, answers), value, note=note)

    def _means(self, answers: Answers) -> Iterator[Finding]:
        """What is a mean over examples."""
        p, right, confidence = answers.probabilities, answers.right, answers.confidence
        squares = np.clip(((p - right) ** 2).sum(axis=1), 0, 2)
        brier = stats.mean(squares, clusters=answers.clusters, low=0, high=2)
        yield finding("brier", brier, unit="squared error, 0 to 2")
        top = stats.mean((confidence - answers.correct) ** 2, clusters=answers.clusters, low=0, high=1)
        yield finding("brier_top", top, unit="squared error, 0 to 1")
        lost = -np.log(np.maximum((p * right).sum(axis=1), TINY)) + 0.0
        nll = stats.mean(lost, clusters=answers.clusters, low=0, high=float(-np.log(TINY)))
        yield finding("nll", nll, unit="nats", note=f"Probabilities are cut at {TINY:g}.")
        over = stats.mean(confidence - answers.correct, clusters=answers.clusters, low=-1, high=1)
        yield finding(
            "overconfidence",
            over,
            unit="points of share",
            better="zero",
            note=f"Mean confidence {confidence.mean():.3f} minus accuracy {answers.correct.mean():.3f}.",
            cases=surest_errors(answers, self.cases),
        )

    def _ordered(self, answers: Answers, seeds: Seeds) -> Iterator[Finding]:
        """What is resampled: the classwise error, and accuracy when the least confident are withheld."""
        place = ece.classwise_places(answers.probabilities, self.bins_width)
        gaps = answers.right - answers.probabilities
        apart = stats.bootstrap_unbiased(
            ece.classwise,
            place,
            gaps,
            rng=seeds.rng(self.id, "classwise"),
            clusters=answers.clusters,
            draws=self.draws // 4,
            low=0,
            high=1,
        )
        value = ece.classwise(place, gaps)
        note = f"Mean over {len(answers.labels)} labels; {apart.value:.3f} with the bootstrap's bias removed."
        estimate = widened(value, apart.low, apart.high, n=apart.n, method=apart.method)
        yield finding("ece_classwise", estimate, note=note)
        rank, correct = selective.ranks(answers.confidence), answers.correct

        def drawn(statistic: Callable[[Places, Floats], float], name: str) -> Estimate:
            rng, copies = seeds.rng(self.id, name), answers.clusters
            return stats.bootstrap(
                statistic, rank, correct, rng=rng, clusters=copies, draws=self.draws, low=0, high=1
            )

        kept = drawn(lambda r, c: selective.accuracy_at(r, c, self.coverage), "selective")
        note = f"Of the {self.coverage:g} of the examples with the most confidence; ties count their mean."
        picture = pictures.withheld(answers.confidence, correct)
        yield finding("selective_accuracy", kept, better="higher", note=note, series=picture)
        note = "Mean accuracy over every share of answered examples, from the most confident one to all."
        yield finding("selective_area", drawn(selective.area, "area"), better="higher", note=note)

    def _tempered(self, answers: Answers, seeds: Seeds, facts: Facts) -> Iterator[Finding | Skip]:
        """Fit a temperature on some texts, and judge it on the others. Equal texts stay on one side."""
        contents = np.array([content_hash(example.input) for example in answers.examples])
        fits = temperature.split(
            contents.tolist(),
            self.temperature_split,
            key=lambda content: seeds.number(self.id, "temperature", content),
        )
        sides = len(set(contents[fits])), len(set(contents[~fits]))
        reason = ""
        if min(sides) < self.least:
            reason = f"needs {self.least} texts on each side of the split, has {sides[0]} and {sides[1]}"
        elif np.ptp(answers.probabilities[fits], axis=1).max() < TINY:
            reason = "every answer is even over the labels: no temperature changes it"
        if reason:
            yield from (Skip(probe=self.id, metric=metric, reason=reason) for metric in TEMPERED)
            return
        odds = temperature.log_odds(answers.probabilities, answers.scores.logits)
        fitted = temperature.fit(odds[fits], answers.truth[fits], contents=contents[fits].tolist())
        note = f"Fitted on {sides[0]} examples; above 1 softens the confidence, below 1 sharpens it."
        note += " The search ended at its border." if fitted.on_edge else ""
        yield finding(
            "temperature",
            fitted.estimate,
            unit="temperature",
            better="neither",
            note=note,
            correction=correction.temperature(
                fitted.estimate.value,
                labels=answers.labels,
                fitted_on=f"{sides[0]} labelled test examples",
                facts=facts,
            ),
        )
        judged = answers.correct[~fits]
        after = temperature.tempered(odds[~fits], fitted.estimate.value).max(axis=1)
        for metric, confidence, state in (
            ("ece_before_temperature", answers.confidence[~fits], "as given"),
            ("ece_after_temperature", np.clip(after, 0, 1), f"at temperature {fitted.estimate.value:.4g}"),
        ):
            bins = ece.bin_up(confidence, judged, ece.width_edges(self.bins_width))
            value = ece.netcal_error("ECE", confidence, judged, bins=self.bins_width)
            note = f"Confidence {state}, on the {len(judged)} examples that did not fit it."
            yield true_error(metric, self._truth(bins, ece.ece, seeds, answers), value, note=note)

    def _truth(self, bins: Bins, statistic: Statistic, seeds: Seeds, answers: Answers) -> Truth:
        seed = seeds.number(self.id, "inversion")
        return invert(bins.weighed(answers.weight), statistic, seed=seed, draws=self.draws)
