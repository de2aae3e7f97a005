"""Does the model treat the labelled groups of people alike?

The test examples are parted by the columns of `data.groups`, and by each pair of these columns. Of every
group: accuracy, the share that is answered with the positive label, true and false positive rate, confidence
against accuracy, and for two labels how well the score ranks the group within itself and against all others.
Compared are groups with enough examples (and for rates, with enough of the label in question); smaller ones
are shown with their intervals and never compared. The positive label of a task of two is the second one; with
more labels each is held against all others in turn, and the largest gap counts.
Why it matters: a good average can hide a group for which the model fails. And the largest of several gaps is
never zero by chance alone, so a gap says little until one knows how large it is where groups mean nothing.
Not covered: what the model would say if the same text spoke of another group (see fairness.counterfactual),
groups that nobody labelled, three columns at once, harm by what is said of a group. Unequal shares of an
answer (demographic parity) are no fault where the base rates of the groups differ.
Source: fairlearn's definitions (Weerts et al. 2023, arXiv:2303.16626) of demographic parity, equalized odds
(Hardt et al. 2016, worst case) and max - min; Borkan et al. 2019 (arXiv:1903.04561) for AUC across groups
(BPSN: negatives of the group against positives of others, BNSP the reverse). Unlike them: empty and small
groups are never a 0; p and the mean under chance come from permuting groups among examples of equal label,
which keeps base rates, and is shown beside its Benjamini-Hochberg form over all gaps of a run; `_excess` is
the gap minus that mean; intervals hold for all groups at once (Bonferroni), since a maximum of noisy gaps
lies too high; copies of a text count once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from audit import stats
from audit.errors import ConfigError, did_you_mean, shown
from audit.schema import Data, Demand, Facts, Finding, Item, Skip, Subject
from audit.seeds import Seeds
from probes.calibration.answers import Answers, ask, items
from probes.fairness import group_slices
from probes.fairness.group_gaps import ID, RANKED, Comparison


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Parameters.

    Edge rules: fewer than two groups of `least` examples give a Skip, and so does a model that gives one
    answer to everything, for it treats all alike and is of use to nobody. `n` of a gap is its smallest group.
    """

    id: ClassVar[str] = ID
    needs: ClassVar[frozenset[str]] = frozenset({"label"})

    columns: tuple[str, ...] = ()
    """Group columns to look at; empty for all of `data.groups`."""
    intersections: bool = True
    """Whether to look at pairs of columns too."""
    positive: str | None = None
    """The label that counts as selected; None: the second of two, each in turn of more."""
    least: int = 100
    """Examples that a group needs to be compared, for a rate of the label in question."""
    draws: int = 1000
    """Permutations behind each p, and resamplings behind the AUC intervals."""
    cases: int = 5
    """Wrong answers shown for the worst group of each slice."""

    def __post_init__(self) -> None:
        for name, value, bound in (
            ("least", self.least, 2),
            ("draws", self.draws, 100),
            ("cases", self.cases, 0),
        ):
            if value < bound:
                raise ConfigError(f"{self.id}: {name}: cannot be {shown(value)}; give at least {bound}")
        if len(set(self.columns)) < len(self.columns):
            raise ConfigError(f"{self.id}: columns: {shown(self.columns)} names one twice; name each once")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Each test example once."""
        return Demand(texts=len(data.test))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask every labelled example once, then compare the groups of each slice."""
        examples = group_slices.once(data.test)
        known = group_slices.columns(examples)
        if subject.classifier is None or not examples or not known:
            what = "a classifier" if subject.classifier is None else "labelled test examples"
            why = "no labelled test example has a group: name their columns in data.groups"
            why = why if subject.classifier and examples else f"needs {what}: there are none"
            yield Skip(probe=self.id, reason=why)
            return
        classes = self._classes(subject.classifier.labels)
        for name in self.columns:
            if name not in known:
                why = f"no test example has the group column {name!r}: name it in data.groups"
                yield Skip(probe=self.id, slice=name, reason=why)
        answers = ask(subject.classifier, examples)
        yield from items(self.id, answers)
        wanted = [name for name in known if name in (self.columns or known)]
        compared = list(self._compared(answers, wanted, classes, seeds))
        ps = [one.p for one in compared if isinstance(one, Finding) and one.p is not None]
        adjusted = iter(stats.bh(ps).tolist())
        for one in compared:
            if isinstance(one, Finding) and one.p is not None:
                among = f"among all {len(ps)} gaps (Benjamini-Hochberg) {next(adjusted):.3g}"
                one = replace(one, note=f"{one.note}; {among}")
            yield one
        if len(answers.labels) > 2:
            why = f"an area under the curve is of two labels, and this task has {len(answers.labels)}"
            for metric in RANKED:
                yield Skip(probe=self.id, metric=metric, reason=why, applicable=False)

    def _compared(
        self, answers: Answers, wanted: Sequence[str], classes: Sequence[int], seeds: Seeds
    ) -> Iterator[Finding | Skip]:
        for where in group_slices.slices(answers.examples, wanted, crossed=self.intersections):
            compared = Comparison(
                answers=answers,
                where=where,
                classes=tuple(classes),
                least=self.least,
                draws=self.draws,
                cases=self.cases,
                seeds=seeds,
            )
            yield from compared.answered()
            if len(answers.labels) == 2:
                yield from compared.ranked()

    def _classes(self, labels: Sequence[str]) -> list[int]:
        """Return the places of the labels that are held against all others."""
        if self.positive is not None and self.positive not in labels:
            hint = did_you_mean(self.positive, list(labels)) or f"; the labels are {', '.join(labels)}"
            raise ConfigError(f"{self.id}: positive: {shown(self.positive)} is no label of the task{hint}")
        if self.positive is not None:
            return [labels.index(self.positive)]
        return [1] if len(labels) == 2 else list(range(len(labels)))
