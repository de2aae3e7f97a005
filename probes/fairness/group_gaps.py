"""The groups of one slice held against each other: each gap with its chance, its interval and its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from audit.schema import Better, Case, Estimate, Finding, Series, Skip
from audit.seeds import Seeds
from probes.calibration.answers import TINY, Answers
from probes.fairness import group_pictures, group_ranks, group_rates
from probes.fairness.group_rates import Bools, Null, Places, Rate
from probes.fairness.group_slices import Slice

ID = "fairness.groups"

ANSWERED = (
    "worst_group_gap",
    "accuracy_gap",
    "accuracy_gap_excess",
    "equalized_odds_excess",
    "demographic_parity_difference",
    "calibration_gap",
)
"""What hangs on the answers."""
RANKED = tuple(f"{kind}_auc_gap" for kind in group_ranks.KINDS)
"""What hangs on the scores of two labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The answers to the examples of one slice, and how its groups are compared."""

    answers: Answers
    where: Slice
    classes: tuple[int, ...]
    """Places of the labels that are held against all others."""
    least: int
    draws: int
    cases: int
    seeds: Seeds

    @property
    def truth(self) -> Places:
        """(m,) place of the right label."""
        return self.answers.truth[self.where.rows]

    @property
    def predicted(self) -> Places:
        """(m,) place of the label that was answered."""
        return self.answers.scores.predicted[self.where.rows]

    @property
    def accuracy(self) -> Rate:
        """Right answers."""
        return self._of_all("accuracy", self.predicted == self.truth)

    # --- what hangs on the answers --------------------------------------------------------

    def answered(self) -> Iterator[Finding | Skip]:
        """Yield the gaps of the answers, or why there are none."""
        kept = self.accuracy.large(self.where.codes, len(self.where.groups), self.least)
        if why := self._constant:
            yield from self._skips(why, *ANSWERED)
        elif kept.sum() < 2:
            yield from self._skips(
                self.where.too_small(self.least, "examples"), *ANSWERED, idle=self.where.idle
            )
        else:
            yield self._worst(kept)
            yield from self._accuracy(kept)
            yield from self._odds()
            yield self._parity(kept)
            yield self._calibration(kept)

    def _worst(self, kept: Bools) -> Finding:
        rate, where = self.accuracy, self.where
        hits, n = rate.counts(where.codes, len(kept))
        share = np.where(kept, hits / n, np.inf)  # no group is empty
        lowest, overall = int(share.argmin()), float(hits.sum() / n.sum())
        return self._finding(
            "worst_group_gap",
            group_rates.worst_estimate(rate, where.codes, kept),
            self._null(lambda codes: group_rates.worst(rate, codes, kept), "worst"),
            kept,
            note=f"accuracy {overall:.3f} of all, {share[lowest]:.3f} of {where.groups[lowest]!r}, the worst "
            f"of {int(kept.sum())} groups; the commonest label alone would reach {self._commonest:.3f}",
            cases=self._wrong(lowest),
            series=group_pictures.rates(
                [("", rate)], where, title=f"Accuracy by {where.name}", y="accuracy (share)"
            ),
        )

    def _accuracy(self, kept: Bools) -> Iterator[Finding]:
        rate = self.accuracy
        null = self._null(lambda codes: group_rates.gap(rate, codes, kept), "accuracy")
        found = group_rates.gap_estimate([rate], self.where.codes, [kept])
        note = "accuracy of the best group minus that of the worst"
        yield self._finding("accuracy_gap", found, null, kept, note=note)
        note = f"the gap of {found.value:.3f} minus its mean under chance"
        yield self._finding("accuracy_gap_excess", _beyond(found, null), null, kept, note=note)

    def _odds(self) -> Iterator[Finding | Skip]:
        where, labels = self.where, self.answers.labels
        many = len(self.classes) > 1
        rates = [
            rate
            for c in self.classes
            for rate in group_rates.rates_of(self.truth, self.predicted, c, repr(labels[c]) if many else "")
        ]
        large = [rate.large(where.codes, len(where.groups), self.least) for rate in rates]
        fit = [int(here.sum()) >= 2 for here in large]
        if not (any(fit[0::2]) and any(fit[1::2])):
            why = self.where.too_small(self.least, "examples of the positive label, and of others")
            yield from self._skips(why, "equalized_odds_excess", idle=self.where.idle)
            return
        both = [(rate, here) for rate, here, ok in zip(rates, large, fit, strict=True) if ok]

        def largest(codes: Places) -> float:
            return max(group_rates.gap(rate, codes, here) for rate, here in both)

        found = group_rates.gap_estimate([rate for rate, _ in both], where.codes, [here for _, here in both])
        null = self._null(largest, "odds")
        worst, kept = max(both, key=lambda one: group_rates.gap(one[0], where.codes, one[1]))
        drawn = [worst] if many else rates
        yield self._finding(
            "equalized_odds_excess",
            _beyond(found, null),
            null,
            kept,
            note=f"equalized odds difference {found.value:.3f} (the largest of {len(both)} rates, the "
            f"{worst.name}) minus its mean under chance",
            series=group_pictures.rates(
                [(rate.name, rate) for rate in drawn],
                where,
                title=f"Rates by {where.name}",
                y="true and false positive rate (share)",
            ),
        )

    def _parity(self, kept: Bools) -> Finding:
        where, labels = self.where, self.answers.labels
        said = [self._of_all(labels[c], self.predicted == c) for c in self.classes]
        worst = int(np.argmax([group_rates.gap(rate, where.codes, kept) for rate in said]))
        hits, n = self._of_all("", self.truth == self.classes[worst]).counts(where.codes, len(kept))
        base = (hits / n)[kept]
        null = self._null(lambda codes: max(group_rates.gap(rate, codes, kept) for rate in said), "parity")
        return self._finding(
            "demographic_parity_difference",
            group_rates.gap_estimate(said, where.codes, [kept] * len(said)),
            null,
            kept,
            better="neither",
            note=f"share answered {said[worst].name!r}, largest minus smallest; {base.min():.3f} to "
            f"{base.max():.3f} of a group have that label, so a model without errors would differ by "
            f"{np.ptp(base):.3f}: a difference is no fault by itself",
            series=group_pictures.rates(
                [("", said[worst])],
                where,
                title=f"Answered {said[worst].name!r} by {where.name}",
                y="selection rate (share)",
            ),
        )

    def _calibration(self, kept: Bools) -> Finding:
        over = (self.answers.confidence - self.answers.correct)[self.where.rows]
        return self._finding(
            "calibration_gap",
            group_rates.mean_gap_estimate(over, self.where.codes, kept),
            self._null(lambda codes: group_rates.mean_gap(over, codes, kept), "calibration"),
            kept,
            note="mean confidence minus accuracy, largest minus smallest over groups: for one group the same "
            "confidence means less than for another",
            series=group_pictures.means(over, self.where),
        )

    # --- what hangs on the scores ---------------------------------------------------------

    def ranked(self) -> Iterator[Finding | Skip]:
        """Yield the gaps of the areas under the curve of a task of two labels, or why there are none."""
        where = self.where
        score = self.answers.probabilities[where.rows, self.classes[0]]
        positive = self.truth == self.classes[0]
        if np.ptp(score) < TINY:
            yield from self._skips("every text gets the same probabilities: they rank nothing", *RANKED)
            return
        for kind, metric in zip(group_ranks.KINDS, RANKED, strict=True):
            kept = group_ranks.large(kind, positive, where.codes, len(where.groups), self.least)
            if not kept.any() or len(where.groups) < 2:
                why = where.too_small(
                    self.least, "examples of each label that the area needs", few="no group has"
                )
                yield from self._skips(why, metric, idle=self.where.idle)
                continue

            def lack(codes: Places, kind: group_ranks.Kind = kind, kept: Bools = kept) -> float:
                return group_ranks.lack_of_worst(kind, score, positive, codes, kept)

            rng = self.seeds.rng(ID, metric, where.name)
            try:
                found = group_ranks.lack_estimate(
                    kind, score, positive, where.codes, kept, rng, draws=self.draws
                )
            except ValueError as error:
                yield from self._skips(f"there is no interval: {error}", metric)
                continue
            yield self._finding(
                metric,
                found,
                self._null(lack, metric),
                kept,
                unit="AUC",
                note=f"AUC {group_ranks.auc(score[positive], score[~positive]):.3f} of all minus the lowest "
                f"{kind} AUC of {int(kept.sum())} groups",
            )

    # --- parts ----------------------------------------------------------------------------

    def _of_all(self, name: str, hits: Bools) -> Rate:
        return Rate(name=name, hits=hits, counted=np.ones(len(hits), dtype=np.bool_))

    def _wrong(self, group: int) -> tuple[Case, ...]:
        where, answers = self.where, self.answers
        wrong = np.flatnonzero((where.codes == group) & (self.predicted != self.truth)).tolist()
        key = [answers.examples[row].id for row in where.rows.tolist()]
        picked = self.seeds.pick(wrong, self.cases, lambda place: key[place], ID, "cases", where.name)
        return group_pictures.errors(answers, where, group, picked)

    def _null(self, statistic: Callable[[Places], float], name: str) -> Null:
        rng = self.seeds.rng(ID, "null", name, self.where.name)
        return group_rates.null(statistic, self.where.codes, self.truth, rng, draws=self.draws)

    def _finding(
        self,
        metric: str,
        estimate: Estimate,
        null: Null,
        kept: Bools,
        *,
        note: str,
        unit: str = "points of share",
        better: Better = "lower",
        series: Series | None = None,
        cases: tuple[Case, ...] = (),
    ) -> Finding:
        useless = self._useless if metric in ANSWERED else ""
        return Finding(
            probe=ID,
            metric=metric,
            slice=self.where.name,
            estimate=estimate,
            unit=unit,
            better=better,
            p=null.p,
            family="groups",
            note=f"{note}{useless}; {null.words}{self.where.left_out(kept)}",
            series=series,
            cases=cases,
        )

    @property
    def _commonest(self) -> float:
        """Accuracy of always giving the commonest label."""
        return float(np.bincount(self.truth).max() / len(self.truth))

    @property
    def _useless(self) -> str:
        """Say that the answers are no better than one answer, empty where they are."""
        if (self.predicted == self.truth).mean() > self._commonest:
            return ""
        return "; accuracy is no better than always giving the commonest label: no evidence of fairness"

    @property
    def _constant(self) -> str:
        """Why equal treatment means nothing here, empty where it means something."""
        said = self.predicted
        if said.min() < said.max():
            return ""
        return (
            f"the model gave one answer, {self.answers.labels[said[0]]!r}, to all {len(said)} examples: it "
            "treats groups alike because it treats everything alike, which is no evidence of fairness"
        )

    def _skips(self, why: str, *metrics: str, idle: bool = False) -> Iterator[Skip]:
        for metric in metrics:
            yield Skip(probe=ID, metric=metric, slice=self.where.name, reason=why, applicable=not idle)


def _beyond(found: Estimate, null: Null) -> Estimate:
    """Return a gap and its interval less the mean gap under chance."""
    return replace(
        found,
        value=found.value - null.mean,
        low=found.low - null.mean,
        high=found.high - null.mean,
        method=f"{found.method}; less the mean of permuted groups",
    )
