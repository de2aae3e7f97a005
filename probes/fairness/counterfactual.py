"""Does the answer change when a text speaks of other people?

Words that name a group (names, pronouns, kinship, occupations, religions, nationalities, dialect, age,
disability) are put in the place of another group's, all else stays, and the model is asked again: in the
user's own texts that name one group, in own texts with a person put before ("Emily says: …"), and in
templates. `flip_rate` is the share of swaps that change the answer, `ctf_gap` the mean absolute change of
probability, `mean_shift` the signed one: what a group gets more than the others in the same text. Its p is of
no shift (signs flipped by text or template). Only swaps that reach the model's tokens count; `n` counts own
texts or templates. The tool does not know which label is good for a person: read the shift with that in mind.
Of two labels the shift is the last one's probability, and the first one's is its opposite; of more labels it
is that of the answer which all versions of a text get together.
Why it matters: two people who wrote or did the same must get the same answer.
Not covered: texts that name several groups or hold a word that makes a swap change what is true (left out by
rule, see asymmetric.txt and `exclude`), full names, groups and languages that our lists lack, groups by label
(fairness.groups). Names stand for class and time as well as for a group: try a second list. A model without
a shift on one origin of texts can have one on another.
Source: Garg et al. 2019 (arXiv:1809.10610) for the counterfactual token fairness gap; Kiritchenko and
Mohammad 2018 (arXiv:1805.04508) for templates: ours are new, and clustered by template, not by sentence.
Lists and templates were written for this project, under its licence. Unlike Garg, both directions are asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from audit import stats
from audit.errors import ConfigError, shown
from audit.schema import Data, Demand, Facts, Finding, Item, Skip, Subject
from audit.seeds import Seeds
from probes import contexts, variants
from probes.fairness import answered, axes, passages, templates, witnesses
from probes.fairness.answered import Answered
from probes.fairness.axes import OURS, Lists
from probes.fairness.passages import Choice, Collected

METRICS = ("flip_rate", "ctf_gap", "mean_shift")


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """Parameters; each slice is an axis in one origin of texts (`gender in templates`).

    Edge rules: a model that gives one answer to everything asked is skipped as a whole; a slice with one
    answer has no flip rate, and its other numbers say so. Of an axis of two groups one shift is given, the
    other's is its opposite.
    """

    id: ClassVar[str] = "fairness.counterfactual"
    needs: ClassVar[frozenset[str]] = frozenset()

    axes: tuple[str, ...] = OURS
    lists: Lists = field(default_factory=dict)
    """Axis → group → words, your own, in the place of ours; words at one place are counterparts. A new axis
    must stand in `axes` too. In templates the words of the first group stand where a person would."""
    exclude: tuple[str, ...] = ()
    """Words and ids of examples that make a swap asymmetric; the texts are left out."""
    items: int = 200
    """Most texts of each axis and origin; each is asked once for every group."""
    min_affected: int = 20
    """Fewer texts or templates that a swap reached make no number."""
    templates: bool = True
    insertions: bool = True
    """Whether a person is put before own texts that name nobody."""
    own_templates: tuple[str, ...] = ()
    """Sentences with `{person}`, in the place of ours."""
    searched: int = 5000
    """Most test examples searched for words of an axis."""
    cases: int = 5

    def __post_init__(self) -> None:
        axes.check(self.id, self.axes, self.lists)
        templates.check(self.id, self.own_templates)
        if not all(word.strip() for word in self.exclude):
            raise ConfigError(f"{self.id}: exclude: cannot hold {shown('')}; give words or ids of examples")
        contexts.check_least(
            self.id,
            items=(self.items, 2),
            min_affected=(self.min_affected, 2),
            searched=(self.searched, 1),
            cases=(self.cases, 0),
        )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Every version of every text, were all of them to name a group."""
        own = min(self.items, len(data.test)) * (1 + self.insertions)
        each = own + self.items * self.templates
        return Demand(texts=each * sum(len(axes.load(name, self.lists).groups) for name in self.axes))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask all axes in one call, then compare by axis and origin."""
        if subject.classifier is None:
            yield Skip(
                probe=self.id, reason="there are no answers without a classifier: name one in model.yaml"
            )
            return
        answers = answered.ask(subject.classifier, self._collected(data, seeds))
        said = {label for one in answers for label in witnesses.answers_given(one)}
        if len(said) == 1:
            count = sum(one.p.shape[0] * one.p.shape[1] for one in answers)
            reason = (
                f"the model gave one answer, {said.pop()!r}, to all {count} texts, so an unchanged answer "
            )
            reason += (
                "says nothing of fairness: see its accuracy, and give templates or texts that it tells apart"
            )
            yield Skip(probe=self.id, reason=reason)
        else:
            yield from self._compared(answers, seeds)
        for one in answers:
            yield from witnesses.items(one, self.id)

    def _collected(self, data: Data, seeds: Seeds) -> list[Collected]:
        """Collect the texts of every axis, by names under the probe's own stream."""
        here = Seeds(seeds.number(self.id))
        choice = Choice(
            items=self.items, lists=self.lists, exclude=self.exclude, own_templates=self.own_templates
        )
        examples = passages.distinct(data.test)
        paired = any(example.pair is not None for example in examples)
        found: list[Collected] = []
        for name in self.axes:
            axis = axes.load(name, self.lists)
            own, put = passages.of_texts(axis, examples, choice, here, searched=self.searched)
            found += [own, put] if self.insertions else [own]
            if not self.templates:
                continue
            why = "templates are single texts, and this task asks about pairs" if paired else ""
            bare = Collected(axis=axis, origin="templates", passages=(), why=why)
            found.append(bare if why else passages.of_templates(axis, choice, here))
        return found

    def _compared(self, answers: Sequence[Answered], seeds: Seeds) -> Iterator[Finding | Skip]:
        flips: list[Finding] = []
        shifts: list[Finding] = []
        for one in answers:
            if why := self._too_few(one):
                for metric in METRICS:
                    idle = one.affected == 0 or one.asked.origin != "templates"
                    yield Skip(
                        probe=self.id, metric=metric, slice=one.asked.slice, reason=why, applicable=not idle
                    )
                continue
            if one.one_answer:
                why = f"every text was answered {one.one_answer!r}, so an unchanged answer says nothing"
                yield Skip(probe=self.id, metric="flip_rate", slice=one.asked.slice, reason=why)
            else:
                flips.append(self._flip_rate(one, seeds))
            yield self._gap(one)
            shifts += self._shifts(one, seeds)
        yield from variants.pictured(flips, bearer="", title="Flips by axis and origin", x="axis and origin")
        adjusted = stats.bh([shift.p for shift in shifts if shift.p is not None])
        for i, (shift, p) in enumerate(zip(shifts, adjusted, strict=True)):
            note = f"{shift.note}; p among all groups, axes and origins (Benjamini-Hochberg) {p:.3g}"
            series = witnesses.picture(shifts) if i == 0 else None
            yield replace(shift, note=note, series=series)

    def _too_few(self, one: Answered) -> str:
        if one.asked.why:
            return one.asked.why
        count, asked = one.affected, len(one.passages)
        if count >= self.min_affected:
            return ""
        what = "templates" if one.asked.origin == "templates" else "texts"
        more = f"; left out: {one.asked.left_out}" if one.asked.left_out else ""
        return (
            f"swaps of {asked} texts changed {count} {what} for the model, fewer than {self.min_affected}: "
            f"give more texts that name one group, or lists of your own{more}"
        )

    # --- numbers --------------------------------------------------------------------------

    def _flip_rate(self, one: Answered, seeds: Seeds) -> Finding:
        rows, _ = one.pairs
        return Finding(
            probe=self.id,
            metric="flip_rate",
            slice=one.asked.slice,
            estimate=answered.share(one.flipped, one.clusters(rows)),
            unit="share",
            better="lower",
            note=witnesses.directions(one),
            cases=witnesses.flips(one, self.cases, seeds, self.id),
        )

    def _gap(self, one: Answered) -> Finding:
        rows, _ = one.pairs
        return Finding(
            probe=self.id,
            metric="ctf_gap",
            slice=one.asked.slice,
            estimate=answered.mean(one.moved, one.clusters(rows), low=0.0),
            unit="points of share",
            better="lower",
            note="mean absolute change of probability over swaps; never 0 for a model that reads the words"
            + witnesses.flag(one),
        )

    def _shifts(self, one: Answered, seeds: Seeds) -> Iterator[Finding]:
        groups = one.groups[:1] if len(one.groups) == 2 else one.groups
        for g, group in enumerate(groups):
            rows, values = one.shifts(g)
            clusters = one.clusters(rows)
            estimate = answered.mean(values, clusters, low=-1.0)
            yield Finding(
                probe=self.id,
                metric="mean_shift",
                slice=f"{one.asked.axis.name}/{group} in {one.asked.origin}",
                estimate=estimate,
                unit="points of share",
                better="zero",
                p=stats.sign_flip_p(
                    values, rng=seeds.rng(self.id, one.asked.slice, group), clusters=clusters
                ),
                family="counterfactual",
                note=witnesses.favoured(one, g, estimate) + witnesses.flag(one),
                cases=witnesses.largest(one, g, self.cases),
            )
