"""Does the answer follow a small change that matters?

Contrast sets from a file, `data.sets.contrast`: rows that share a group are an original text and edits of it
that people made, small ones that mostly change the label. `consistency` is the share of sets of which every
member is answered rightly, `accuracy_drop` the accuracy on originals minus that on their edits, and
`missed_change_rate` the share of the sets with different labels whose members all get one answer. Sets are
the units of the intervals; p is of no drop (McNemar's, or sign flips by set where a set has several edits).
Why it matters: a model that leans on a shortcut is right on the originals and blind to the words that were
edited; test data of the same source as the training data cannot show that.
Not covered: edits of other kinds than the file has. The edits are the file's: without a file nothing is
measured, and edits that were written against one model are harder for that one.
Source: Gardner et al. 2020 (arXiv:2004.02709) on contrast sets and consistency; Kaushik, Hovy and Lipton
2020 (arXiv:1909.12434) for counterfactually augmented pairs. Unlike them: members that the model cannot tell
apart, since the edit lies behind the point where it cuts a text, take their set out and are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from audit import stats
from audit.errors import ConfigError
from audit.schema import Data, Demand, Facts, Finding, Item, Skip, Subject
from audit.seeds import Seeds
from probes import variants
from probes.shortcuts import families
from probes.shortcuts.families import Answers, Family

SET = "contrast"


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Parameters.

    Edge rules: rows without a group or a label are left out, and so are sets of one text. Fewer than two sets
    are skipped; a model that gives one answer to everything has no drop.
    """

    id: ClassVar[str] = "shortcuts.contrast"
    needs: ClassVar[frozenset[str]] = frozenset({"set:contrast"})

    group: str = "batch_id"
    """Column of the set that says which rows belong together."""
    origin: str | None = None
    """Column that reads `original` for the originals; None: they are the texts that stand in data.test, after
    sampling."""
    sets: int = 200
    """Contrast sets asked, chosen by name."""
    cases: int = 5

    def __post_init__(self) -> None:
        for name, low in {"sets": 2, "cases": 0}.items():
            if getattr(self, name) < low:
                raise ConfigError(f"{self.id}: {name}: cannot be {getattr(self, name)}; give at least {low}")
        if not self.group.strip():
            raise ConfigError(f"{self.id}: group: cannot be {self.group!r}; name a column")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Count the members of the largest sets."""
        sizes = sorted((len(one.members) for one in self._families(data)), reverse=True)
        return Demand(texts=sum(sizes[: self.sets]))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask all members of all chosen sets in one call, then count by set."""
        model = subject.classifier
        found = self._families(data)
        if model is None or len(found) < 2:
            why = "there are no answers without a classifier" if model is None else self._lacking(data, found)
            yield Skip(probe=self.id, reason=why)
            return
        chosen = seeds.pick(found, self.sets, lambda one: one.name, self.id)
        told = families.apart(model, chosen)
        if len(told) < 2:
            why = f"in {len(chosen) - len(told)} of {len(chosen)} sets the edits never reached the model"
            yield Skip(probe=self.id, reason=f"{why}: give shorter texts, or a larger max_length")
            return
        answers = families.ask(model, told)
        yield from answers.records(self.id)
        left = len(chosen) - len(told)
        note = answers.cut + (f"; {left} sets left out whose edit never reached the model" if left else "")
        yield self._consistency(answers, seeds, note)
        yield self._missed(answers, note)
        yield self._drop(answers, seeds, note)

    def _families(self, data: Data) -> tuple[Family, ...]:
        known = frozenset(one.input for one in data.test)
        return families.gather(data.sets.get(SET, ()), self.group, origin=self.origin, known=known)

    def _lacking(self, data: Data, found: tuple[Family, ...]) -> str:
        rows = data.sets.get(SET, ())
        if not rows:
            return f"needs data.sets.{SET}: rows of contrast sets with a group column and labels"
        if all(one.label is None for one in rows):
            return f"data.sets.{SET} has no labels: name its column in `label` of that source"
        if not any(families.value(one, self.group) for one in rows):
            return f"data.sets.{SET} has no column {self.group!r}: name its group column in `group`"
        return f"data.sets.{SET} has {len(found)} sets of at least 2 labelled texts, and 2 are needed"

    # --- numbers --------------------------------------------------------------------------

    def _consistency(self, answers: Answers, seeds: Seeds, note: str) -> Finding:
        return Finding(
            probe=self.id,
            metric="consistency",
            estimate=stats.share(int(answers.whole.sum()), answers.whole.size),
            unit="share",
            better="higher",
            note=f"{answers.right.mean():.3f} of {answers.right.size} members are answered rightly{note}",
            cases=families.broken(answers, self.cases, seeds),
            series=families.picture(answers),
        )

    def _missed(self, answers: Answers, note: str) -> Finding | Skip:
        metric = "missed_change_rate"
        changing = [p for one, p in zip(answers.families, answers.places, strict=True) if one.changes]
        if not changing:
            why = "no set has members of different labels, so there is no change to miss"
            return Skip(probe=self.id, metric=metric, reason=why, applicable=False)
        missed = [len(set(answers.predicted[places].tolist())) == 1 for places in changing]
        return Finding(
            probe=self.id,
            metric=metric,
            estimate=stats.share(sum(missed), len(missed)),
            unit="share",
            better="lower",
            note=f"of the {len(missed)} sets whose members have different labels{note}",
        )

    def _drop(self, answers: Answers, seeds: Seeds, note: str) -> Finding | Skip:
        before, after, names = answers.paired()
        how = "name a column in `origin`" if self.origin is None else f"write `original` in {self.origin!r}"
        why = "" if names else f"no set has an original that is known as one, and an edit of it: {how}"
        if why := answers.constant or why:
            return Skip(probe=self.id, metric="accuracy_drop", reason=why)
        counted = np.ones_like(before)
        if len(set(names)) == len(names):
            p = variants.drop_p(before, after, counted, seeds.rng(self.id))
        else:
            gaps = before[0].astype(np.float64) - after[0]
            p = stats.sign_flip_p(gaps, rng=seeds.rng(self.id), clusters=names)
        return Finding(
            probe=self.id,
            metric="accuracy_drop",
            estimate=variants.drop(before, after, counted, names),
            unit="points of share",
            better="lower",
            p=p,
            family="contrast",
            note=f"from {before.mean():.3f} on originals to {after.mean():.3f} on {after.size} edits of "
            f"{len(set(names))} sets{note}",
        )
