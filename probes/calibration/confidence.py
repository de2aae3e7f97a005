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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from audit import stats
from audit.schema import (
    Data,
    Demand,
    Facts,
    Finding,
    Item,
    Skip,
    Subject,
    content_hash,
)
from audit.seeds import Seeds
from probes.calibration import ece, pictures, selective, smooth, temperature
from probes.calibration.answers import TINY, Answers, ask, baseline, items, surest_errors
from probes.calibration.ece import Bins, Statistic
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
        if answers.n < self.least:
            reason = f"needs {self.least} examples, has {answers.n}: raise data.limit or bring more"
            for metric in self._metrics():
                yield Skip(probe=self.id, metric=metric, reason=reason)
            return
        yield from self._binned(answers, seeds)
        yield from self._extremes(answers, seeds)
        yield from self._means(answers)
        yield from self._ordered(answers, seeds)
        yield from self._tempered(answers, seeds)

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
        accuracy = stats.share(int(answers.correct.sum()), answers.n)
        yield finding("accuracy", accuracy, better="higher", note=note)
        cut = stats.share(int(answers.scores.truncated.sum()), answers.n)
        yield finding("truncated_rate", cut, note="Texts that were cut to the model's length.")
        if answers.scores.mass is not None and answers.n > 1:
            mass = stats.mean(np.clip(answers.scores.mass, 0, 1), low=0, high=1)
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
        truth = self._truth(wide, ece.ece, seeds)
        yield true_error(self._width, truth, measured, answers.n, note=expected)
        fine = ece.bin_up(confidence, correct, ece.mass_edges(confidence, self.bins_mass))
        yield true_error(self._mass, self._truth(fine, ece.ece, seeds), fine.measure(ece.ece), answers.n)
        sleek = smooth.smooth_ece(confidence, correct)
        curve = smooth.curve(confidence, correct, sleek.bandwidth, rng=seeds.rng(self.id, "curve"))
        yield true_error(
            "ece_debiased",
            truth,
            truth.value,
            answers.n,
            p=ece.consistency_p(measured, null),
            series=pictures.reliability(wide, curve),
            note=f"What is left of {self._width} ({measured:.3f}) when binning noise is taken out.",
        )
        number = seeds.number(self.id, "smooth")
        limits = smooth.true_smooth_ece(
            confidence, correct, sleek.bandwidth, bins=self.bins_width, seed=number
        )
        note = f"Bandwidth {sleek.bandwidth:.3f}, chosen by the data."
        yield true_error("smooth_ece", limits, sleek.error, answers.n, note=note)
        unweighted = ece.netcal_error("ACE", confidence, correct, bins=self.bins_width)
        note = "Mean over occupied bins, however few examples they hold."
        yield true_error(
            "ace_unweighted", self._truth(wide, ece.ace, seeds), unweighted, answers.n, note=note
        )

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
            yield true_error("mce", self._truth(kept, ece.mce, seeds), largest, int(kept.n.sum()), note=note)
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
        yield true_error("rmsce_debiased", self._truth(fine, ece.rmsce, seeds), value, answers.n, note=note)

    def _means(self, answers: Answers) -> Iterator[Finding]:
        """What is a mean over examples."""
        p, right, confidence = answers.probabilities, answers.right, answers.confidence
        squares = np.clip(((p - right) ** 2).sum(axis=1), 0, 2)
        brier = stats.mean(squares, low=0, high=2)
        yield finding("brier", brier, unit="squared error, 0 to 2")
        top = stats.mean((confidence - answers.correct) ** 2, low=0, high=1)
        yield finding("brier_top", top, unit="squared error, 0 to 1")
        lost = -np.log(np.maximum((p * right).sum(axis=1), TINY)) + 0.0
        nll = stats.mean(lost, low=0, high=float(-np.log(TINY)))
        yield finding("nll", nll, unit="nats", note=f"Probabilities are cut at {TINY:g}.")
        over = stats.mean(confidence - answers.correct, low=-1, high=1)
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
            draws=self.draws // 4,
            low=0,
            high=1,
        )
        value = ece.classwise(place, gaps)
        note = f"Mean over {len(answers.labels)} labels; {apart.value:.3f} with the bootstrap's bias removed."
        estimate = widened(value, apart.low, apart.high, n=answers.n, method=apart.method)
        yield finding("ece_classwise", estimate, note=note)
        rank, correct = selective.ranks(answers.confidence), answers.correct
        kept = stats.bootstrap(
            lambda r, c: selective.accuracy_at(r, c, self.coverage),
            rank,
            correct,
            rng=seeds.rng(self.id, "selective"),
            draws=self.draws,
            low=0,
            high=1,
        )
        note = (
            f"Of the {self.coverage:g} of the examples with the greatest confidence; ties count their mean."
        )
        picture = pictures.withheld(answers.confidence, correct)
        yield finding("selective_accuracy", kept, better="higher", note=note, series=picture)
        area = stats.bootstrap(
            selective.area, rank, correct, rng=seeds.rng(self.id, "area"), draws=self.draws, low=0, high=1
        )
        note = "Mean accuracy over every share of answered examples, from the most confident one to all."
        yield finding("selective_area", area, better="higher", note=note)

    def _tempered(self, answers: Answers, seeds: Seeds) -> Iterator[Finding | Skip]:
        """Fit a temperature on some texts, and judge it on the others. Equal texts stay on one side."""
        fits = temperature.split(
            [content_hash(example.input) for example in answers.examples],
            self.temperature_split,
            key=lambda content: seeds.number(self.id, "temperature", content),
        )
        sides = int(fits.sum()), int((~fits).sum())
        reason = ""
        if min(sides) < self.least:
            reason = f"needs {self.least} examples on each side of the split, has {sides[0]} and {sides[1]}"
        elif np.ptp(answers.probabilities[fits], axis=1).max() < TINY:
            reason = "every answer is even over the labels: no temperature changes it"
        if reason:
            yield from (Skip(probe=self.id, metric=metric, reason=reason) for metric in TEMPERED)
            return
        odds = temperature.log_odds(answers.probabilities, answers.scores.logits)
        fitted = temperature.fit(odds[fits], answers.truth[fits])
        note = f"Fitted on {sides[0]} examples; above 1 softens the confidence, below 1 sharpens it."
        note += " The search ended at its border." if fitted.on_edge else ""
        yield finding(
            "temperature",
            fitted.estimate,
            unit="temperature",
            better="neither",
            note=note,
            correction={"kind": "temperature", "temperature": fitted.estimate.value, "fitted_on": sides[0]},
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
            yield true_error(metric, self._truth(bins, ece.ece, seeds), value, len(judged), note=note)

    def _truth(self, bins: Bins, statistic: Statistic, seeds: Seeds) -> Truth:
        return invert(bins, statistic, seed=seeds.number(self.id, "inversion"), draws=self.draws)
