"""Does the model take shared words for a reason?

Pairs of sentences from templates of our own have every word of the second in the first. Half of them are
entailed and half are not, for three heuristics: the words stand there in any order (`lexical_overlap`), side
by side (`subsequence`), or as a clause (`constituent`). `overlap_gap` is the accuracy on entailed pairs minus
that on the others: near 0 is a model that reads, near 1 one that says entailment to whatever shares its
words. `template_accuracy` is the accuracy itself, 0.5 by chance; a gap near 0 with an accuracy near 0.5 is no
understanding either. `quartile_gap` asks the same of the test pairs: how much more often entailment is
answered in the quarter of them that shares most words than in the quarter that shares least, among pairs of
equal label, a mean over entailed pairs and others.
Why it matters: shared words go with entailment in most collections, so a model can score well on test data
without reading; on real pairs it then says yes to the opposite of what a text says.
Not covered: pairs that share no words, paraphrase tasks, other languages than English. In real pairs shared
words may go with other things that make a pair hard, so `quartile_gap` is no proof by itself.
Source: McCoy, Pavlick and Linzen 2019 (arXiv:1902.01007), HANS. Sentences and words are ours, five templates
for each heuristic and answer, so numbers are not comparable with theirs; as there, three labels become two
by the largest probability. Intervals draw templates (or first texts), not pairs: pairs of one template are
alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.errors import ConfigError
from audit.schema import Classifier, Data, Demand, Example, Facts, Finding, Item, Skip, Subject, Text
from audit.seeds import Seeds
from probes.shortcuts import entailing, sentences
from probes.shortcuts.entailing import Answers
from probes.shortcuts.sentences import HEURISTICS

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

NAMES = ("entailment", "yes")
"""Labels that mean entailment, where the config does not name one; case means nothing."""
FEWEST = 10
"""Test pairs that each quarter must have of entailed pairs and of others."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Parameters.

    Edge rules: only for tasks of pairs with a label that means entailment. Without labelled test pairs, or
    where too many share equally many words, there is no `quartile_gap`. A model that gives one answer to
    templates and test pairs alike, or that never says entailment to a template, has no gap.
    """

    id: ClassVar[str] = "shortcuts.overlap"
    needs: ClassVar[frozenset[str]] = frozenset()

    entailment: str | None = None
    """The label that means entailment; None: the one called `entailment` or `yes`."""
    each: int = 6
    """Pairs of each of the 30 templates."""
    items: int = 400
    """Test pairs asked, chosen by id."""
    draws: int = 2000
    """Resamplings behind an interval."""
    cases: int = 5

    def __post_init__(self) -> None:
        for name, low in {"each": 1, "items": 1, "draws": 100, "cases": 0}.items():
            if getattr(self, name) < low:
                raise ConfigError(f"{self.id}: {name}: cannot be {getattr(self, name)}; give at least {low}")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Templates and test pairs, where the task has pairs."""
        paired = sum(one.pair is not None for one in data.test)
        return Demand(
            texts=(len(sentences.templates()) * self.each + min(self.items, paired)) if paired else 0
        )

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask templates and test pairs in one call."""
        model = subject.classifier
        tested = [one for one in data.test if one.pair is not None]
        if model is None or not tested:
            why = (
                "there are no answers without a classifier" if model is None else "the task has single texts"
            )
            yield Skip(probe=self.id, reason=why, applicable=model is None)
            return
        label = self._label(model)
        if label is None:
            named = "none is called entailment" if self.entailment is None else f"not {self.entailment!r}"
            why = f"the labels are {', '.join(model.labels)}, {named}: name yours in `entailment`"
            yield Skip(probe=self.id, reason=why)
            return
        chosen = seeds.pick(tested, self.items, lambda one: one.id, self.id)
        chosen.sort(key=lambda one: one.id)
        answers = entailing.ask(model, sentences.pairs(self.each, seeds), chosen, label)
        yield from answers.records(self.id)
        yield from self._templates(answers, seeds)
        yield self._quartiles(answers, seeds)

    def _label(self, model: Classifier) -> str | None:
        if self.entailment is not None:
            return self.entailment if self.entailment in model.labels else None
        return next((label for label in model.labels if label.lower() in NAMES), None)

    # --- templates ------------------------------------------------------------------------

    def _templates(self, answers: Answers, seeds: Seeds) -> Iterator[Finding | Skip]:
        said, entailed, names = answers.said, answers.entailed, answers.names
        if why := answers.constant:
            yield self._skip("overlap_gap", why)
            yield self._skip("template_accuracy", why)
            return
        for slice in ("all", *HEURISTICS):
            mine = np.array([slice in ("all", pair.template.heuristic) for pair in answers.pairs])
            right = (said == entailed)[mine].astype(np.float64)
            truth, own = entailed[mine], [name for name, here in zip(names, mine, strict=True) if here]
            told = f"right on {right[truth].mean():.3f} of entailed pairs and {right[~truth].mean():.3f} of "
            note = f"{told}the others; {len(right)} pairs of {len(set(own))} templates"
            yield Finding(
                probe=self.id,
                metric="template_accuracy",
                slice=slice,
                estimate=stats.clustered_share(right, own),
                unit="share",
                better="higher",
                note=f"{note}; 0.5 by chance",
            )
            if not said.any():
                why = "no pair of any template was answered with entailment, so no lack of it is a merit"
                yield self._skip("overlap_gap", why, slice)
                continue
            yield Finding(
                probe=self.id,
                metric="overlap_gap",
                slice=slice,
                estimate=stats.bootstrap(
                    _gap,
                    right,
                    truth,
                    rng=seeds.rng(self.id, slice),
                    clusters=own,
                    strata=truth.tolist(),
                    draws=self.draws,
                    low=-1.0,
                    high=1.0,
                ),
                unit="points of share",
                better="lower",
                note=note,
                cases=entailing.taken_in(answers, self.cases, seeds) if slice == "all" else (),
                series=entailing.by_heuristic(answers) if slice == "all" else None,
            )

    # --- test pairs -----------------------------------------------------------------------

    def _quartiles(self, answers: Answers, seeds: Seeds) -> Finding | Skip:
        tested, said, truth = answers.tested()
        if not tested:
            return self._skip("quartile_gap", "the test pairs have no labels: give labels")
        shared = np.array([sentences.overlap(*_both(one)) or 0.0 for one in tested])
        low, high = np.quantile(shared, [0.25, 0.75])
        side = np.where(shared >= high, 1, np.where(shared <= low, -1, 0))
        sizes = [int(((side == end) & (truth == kind)).sum()) for end in (1, -1) for kind in (True, False)]
        why = f"quarters have {', '.join(map(str, sizes))} pairs (most and least shared, entailed and not)"
        if low == high or min(sizes) < FEWEST:
            return self._skip("quartile_gap", f"{why}, and {FEWEST} of each are needed: give more test pairs")
        if answers.constant:
            return self._skip("quartile_gap", answers.constant)
        kept = side != 0
        firsts: list[Text] = [one.text for one, here in zip(tested, kept, strict=True) if here]
        return Finding(
            probe=self.id,
            metric="quartile_gap",
            estimate=stats.bootstrap(
                _pull,
                said[kept].astype(np.float64),
                side[kept],
                truth[kept],
                rng=seeds.rng(self.id, "quartiles"),
                clusters=firsts,
                draws=self.draws,
                low=-1.0,
                high=1.0,
            ),
            unit="points of share",
            better="lower",
            note=f"pairs that share {high:.2f} of their words or more against {low:.2f} or less; {why}",
        )

    def _skip(self, metric: str, reason: str, slice: str | None = None) -> Skip:
        return Skip(probe=self.id, metric=metric, slice=slice, reason=reason)


# --- numbers ------------------------------------------------------------------------------


def _gap(right: Floats, entailed: Bools) -> float:
    """Return the accuracy on entailed pairs minus that on the others."""
    return float(right[entailed].mean() - right[~entailed].mean())


def _pull(said: Floats, side: NDArray[np.int64], truth: Bools) -> float:
    """Return how much more often entailment is said where most is shared, a mean over both truths; NaN if a
    cell is empty."""
    gaps = []
    for kind in (True, False):
        here = truth == kind
        most, least = said[here & (side > 0)], said[here & (side < 0)]
        if not most.size or not least.size:
            return float("nan")
        gaps.append(most.mean() - least.mean())
    return float(np.mean(gaps))


def _both(example: Example) -> tuple[str, str]:
    return example.text, example.pair or ""
