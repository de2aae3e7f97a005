"""Does it hold where the texts come from elsewhere?

Each domain of `data.shifts` is held against the test set; all texts are asked in one call. First the evidence
of shift: the AUC with which a simple classifier tells texts of both apart by their words. Where that is below
`evidence` there is no measurable shift, and no drop is reported. Then the drop in accuracy (test set minus
domain, positive is worse), split into what another mix of labels explains and what remains; calibration error
there and its rise; whether the model's confidence (or energy) tells foreign texts; accuracy of a stream
of both when the least confident answers are withheld; and, where five models or more are `known` on both, the
accuracy above what theirs let one expect. A style is a domain like any other.
Why it matters: users do not write like the test set, and confidence often stays where accuracy falls.
Not covered: what a language model read in training (a domain is other than the declared data, not unknown to
it); label guidelines that differ between domains and look like shift; shift over time, unless the periods are
given as domains; near copies between domains (exact copies are counted in a note).
Source: Taori et al. 2020 (arXiv:2007.00644) for effective robustness; Hendrycks & Gimpel 2017
(arXiv:1610.02136) and Liu et al. 2020 (arXiv:2010.03759) for detection; Rabanser et al. 2019
(arXiv:1810.11953) for evidence of shift; Koh et al. 2021 (WILDS, arXiv:2012.07421) for the worst domain.
Unlike them: calibration errors have the interval of the true error by test inversion, and every difference
has an interval. That of `accuracy_drop` takes the mix of labels of both samples as given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from audit.errors import ConfigError, shown
from audit.schema import Data, Demand, Estimate, Facts, Finding, Item, Skip, Subject
from audit.seeds import Seeds
from probes.calibration.answers import Answers, baseline, gain, share, surest_errors
from probes.contexts import check_least
from probes.robustness import domains, drops, effective, foreign, shift_found, sides
from probes.robustness.drops import Known
from probes.robustness.shift_found import ID, finding, skips
from probes.robustness.sides import Pair, Side

PARTS = ("label_shift_drop", "remaining_drop")
DROPS = ("accuracy_drop", *PARTS, "effective_robustness")
COMPARED = (*DROPS, "ece_rise", "selective_accuracy")
"""What needs labels on both sides and speaks of the difference between them."""
OWN = ("accuracy", "accuracy_gain", "ece_debiased")
TOLD = (*foreign.CONFIDENCE, *foreign.ENERGY)


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Parameters.

    Edge rules: a domain without labels has evidence and detection only; one with fewer than `least` different
    texts has its accuracy only. A model that gives one answer to everything has no drop. Of equal
    probabilities the first label is the answer.
    """

    id: ClassVar[str] = ID
    needs: ClassVar[frozenset[str]] = frozenset({"label", "shift"})

    items: int = 500
    """Examples asked of the test set and of each domain, chosen by id; all where there are fewer."""
    evidence: float = 0.6
    """AUC of the domain classifier below which there is no measurable shift."""
    coverage: float = 0.8
    """Share of a mixed stream that is answered in `selective_accuracy`."""
    known: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    """Domain → model → its accuracy on the test set and in the domain, shares; for `effective_robustness`."""
    bins: int = 15
    """Bins of equal width of the calibration error."""
    least: int = 20
    """Different texts of a side below which only accuracy is measured."""
    draws: int = 2000
    """Resamplings behind each interval."""
    cases: int = 5
    """Wrong answers shown for each domain, the most confident first."""

    def __post_init__(self) -> None:
        check_least(
            self.id,
            items=(self.items, 1),
            bins=(self.bins, 2),
            least=(self.least, 20),
            draws=(self.draws, 100),
            cases=(self.cases, 0),
        )
        if not 0.5 <= self.evidence < 1:
            raise ConfigError(f"{self.id}: evidence: cannot be {shown(self.evidence)}; give 0.5 to below 1")
        if not 0 < self.coverage <= 1:
            raise ConfigError(
                f"{self.id}: coverage: cannot be {shown(self.coverage)}; give a share in (0, 1]"
            )
        for domain, models in self.known.items():
            for model, pair in models.items():
                if not all(0 < accuracy < 1 for accuracy in pair):
                    where = f"{self.id}: known: {domain}: {model}"
                    raise ConfigError(f"{where}: cannot be {shown(pair)}; give two shares between 0 and 1")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Count the chosen examples of the test set and of every domain."""
        sizes = [len(data.test), *(len(examples) for examples in data.shifts.values())]
        return Demand(texts=sum(min(self.items, size) for size in sizes))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask the test set and all domains in one call, then go through the domains by name."""
        test = tuple(example for example in data.test if example.label is not None)
        if subject.classifier is None or not data.shifts or not test:
            lacking = "labelled test examples" if data.shifts else "another domain under data.shifts"
            lacking = lacking if subject.classifier else "a classifier"
            yield Skip(probe=self.id, reason=f"there is no drop without {lacking}: name one in model.yaml")
            return
        wanted = [("test", "original", sides.choose(test, self.items, seeds, self.id))]
        for name, examples in sorted(data.shifts.items()):
            if examples:
                chosen = sides.choose(examples, self.items, seeds, self.id, name)
                wanted.append((name, f"shifts.{name}", chosen))
            else:
                yield Skip(probe=self.id, slice=name, reason=f"data.shifts.{name} has no examples")
        for name in sorted(set(self.known) - set(data.shifts)):
            why = f"known.{name} is no domain of data.shifts: name it as there"
            yield Skip(probe=self.id, metric="effective_robustness", slice=name, reason=why)
        home, *others = sides.ask(subject.classifier, wanted)
        for side in (home, *others):
            yield from sides.records(side, self.id)
        yield from self._worst(home, others)
        error = self._error(home, seeds)
        for away in others:
            yield from self._domain(Pair(home=home, away=away), error, seeds)

    def _error(self, side: Side, seeds: Seeds) -> Estimate | None:
        """Return the calibration error of a side, None where it has no labels or too few texts."""
        if side.answers is None or side.distinct < self.least:
            return None
        return foreign.true_error(side.answers, seeds, bins=self.bins, draws=self.draws)

    def _worst(self, home: Side, others: list[Side]) -> Iterator[Finding | Skip]:
        # A domain called "test" must not take the place of the test set.
        first = "test set" if any(side.name == "test" for side in others) else "test"
        named = [(first, home), *((side.name, side) for side in others)]
        answers = {name: side.answers for name, side in named if side.answers is not None}
        if len(answers) < 2:
            why = "no domain has labels, so no accuracy is known there: give labels"
            yield Skip(probe=self.id, metric="worst_domain_accuracy", reason=why)
            return
        estimate, name = shift_found.worst(answers)
        yield Finding(
            probe=self.id,
            metric="worst_domain_accuracy",
            estimate=estimate,
            unit="share",
            better="higher",
            note=f"The lowest accuracy, that of {name}, among the test set and all labelled domains.",
            series=shift_found.accuracies(answers),
        )

    # --- one domain -----------------------------------------------------------------------

    def _domain(self, pair: Pair, home_error: Estimate | None, seeds: Seeds) -> Iterator[Finding | Skip]:
        home, away = pair.home.answers, pair.away.answers
        assert home is not None, "the test examples were chosen for their labels"
        if away is None:
            why = "the domain has no labels, so no accuracy is known there: give labels"
            yield from skips(pair, why, *OWN, *COMPARED)
        else:
            yield from self._accuracy(pair, home, away)
        if why := self._few(pair):
            labelled = () if away is None else ("ece_debiased", *COMPARED)
            yield from skips(pair, why, "domain_auc", *labelled, *TOLD)
            return
        evidence = self._evidence(pair, seeds)
        yield evidence
        error = self._error(pair.away, seeds)
        if away is not None and error is not None:
            yield foreign.calibration(pair, away, error, bins=self.bins)
        if evidence.estimate.value < self.evidence:
            yield from self._no_shift(pair, evidence.estimate)
            return
        if away is not None:
            known = Known(pair=pair, home=home, away=away)
            yield from self._drops(known, seeds)
            if home_error is not None and error is not None:
                yield foreign.rise(pair, home_error, error)
            yield foreign.withheld(known, seeds, coverage=self.coverage, draws=self.draws)
        yield from foreign.told(pair, seeds, draws=self.draws)

    def _few(self, pair: Pair) -> str:
        """Say why there are too few texts for more than an accuracy, empty where there are enough."""
        short = min((pair.home, pair.away), key=lambda side: side.distinct)
        if short.distinct >= self.least:
            return ""
        where = "data.test" if short is pair.home else f"data.shifts.{short.name}"
        return (
            f"needs {self.least} different texts on each side, {where} has {short.distinct}: raise "
            "data.limit or bring more"
        )

    def _accuracy(self, pair: Pair, home: Answers, away: Answers) -> Iterator[Finding]:
        cut = [int(answers.scores.truncated.sum()) for answers in (home, away)]
        note = f"{baseline(away)} On the test set the accuracy is {home.correct.mean():.3f}."
        if sum(cut):
            note += f" Cut to the model's length: {cut[1]} of {away.n}, on the test set {cut[0]} of {home.n}."
        held, cases = share(away, away.correct), surest_errors(away, self.cases)
        yield finding("accuracy", pair, held, unit="share", better="higher", note=note, cases=cases)
        note = "Accuracy minus that of always giving the domain's majority label, on the same examples."
        yield finding("accuracy_gain", pair, gain(away), better="higher", note=note)

    def _evidence(self, pair: Pair, seeds: Seeds) -> Finding:
        auc = domains.separation(pair, seeds, ID, "domains", pair.away.name, draws=self.draws)
        if auc.value < self.evidence:
            note = f"No measurable shift: words tell the domain with an AUC below {self.evidence:g}."
        else:
            note = (
                f"Words tell the domain from the test set; an AUC below {self.evidence:g} would be no shift."
            )
        if pair.shared:
            note += f" {pair.shared} different texts stand in both."
        return finding("domain_auc", pair, auc, unit="AUC", better="neither", note=note)

    def _no_shift(self, pair: Pair, auc: Estimate) -> Iterator[Skip]:
        """Nothing to compare; the accuracies are told, so that a drop for another reason is not hidden."""
        why = f"no measurable shift: words tell the domain with an AUC of {auc.value:.3f}"
        home, away = pair.home.answers, pair.away.answers
        if home is not None and away is not None:
            why += (
                f"; accuracy is {away.correct.mean():.3f} here and {home.correct.mean():.3f} on the test set"
            )
        metrics = TOLD if away is None else (*COMPARED, *TOLD)
        yield from skips(pair, why, *metrics, applicable=False)

    # --- accuracy -------------------------------------------------------------------------

    def _drops(self, known: Known, seeds: Seeds) -> Iterator[Finding | Skip]:
        pair = known.pair
        if why := pair.constant:
            yield from skips(pair, why, *DROPS)
            return
        rng = seeds.rng(ID, "accuracy_drop", pair.away.name)
        drop = drops.accuracy_drop(known, rng, draws=self.draws)
        here, there = known.home.correct.mean(), known.away.correct.mean()
        note = f"Accuracy is {here:.3f} on the test set and {there:.3f} here."
        yield finding("accuracy_drop", pair, drop, note=note)
        yield from self._parts(known, seeds)
        yield self._effective(known)

    def _parts(self, known: Known, seeds: Seeds) -> Iterator[Finding | Skip]:
        pair = known.pair
        streams = [seeds.rng(ID, part, pair.away.name) for part in PARTS]
        try:
            mix = drops.explained(known, streams[0], draws=self.draws)
            rest = drops.remaining(known, streams[1], draws=self.draws)
        except ValueError as error:
            yield from skips(pair, f"labels cannot be re-weighted: {error}", *PARTS)
            return
        note = "What another mix of labels explains of the drop; it goes when labels are re-weighted."
        yield finding(PARTS[0], pair, mix, better="neither", note=note)
        note = "The drop if the domain had the labels of the test set in the same shares."
        yield finding(PARTS[1], pair, rest, note=note)

    def _effective(self, known: Known) -> Finding | Skip:
        pair, models = known.pair, self.known.get(known.pair.away.name, {})
        held = [share(answers, answers.correct) for answers in (known.home, known.away)]
        try:
            found = effective.above_line(held[0], held[1], models.values())
        except ValueError as error:
            why = f"{error}: give their accuracies under known.{pair.away.name}"
            return Skip(probe=self.id, metric="effective_robustness", slice=pair.away.name, reason=why)
        note = f"Accuracy above what the line through {len(models)} known models gives for its test accuracy."
        return finding("effective_robustness", pair, found, better="higher", note=note)
