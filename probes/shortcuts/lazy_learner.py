"""Does the model learn a shortcut from its demonstrations?

A trigger that means nothing (a rare word, a common word, a mark, a sentence) is added to the end of every
demonstration of one label, each label in turn. Then test items of the other labels are asked with the same
trigger at their end, under the demonstrations as they are and under the planted ones. `shortcut_effect` is
the share right under the clean demonstrations minus the share right under the planted ones, both on the
triggered items, so that what the trigger itself does to a text cancels: 0 is a model that heeds what the
texts say; one that answers the trigger's label loses all of its accuracy. Of the slice `prompt` it speaks of
the demonstrations in use, and its interval of other items; of the slice `recipe` it speaks of other
demonstrations drawn in the same way, and its interval of other sets and items. Both are means over triggers
and labels; `recipe, rare` and such are of one trigger. p is of no difference: signs are flipped for a set and
a label together (`recipe`), or for an item (`prompt`).
Why it matters: examples are collected, not designed. If those of one label happen to share a phrase, a source
or a mark, a model in context may answer to that and not to the content, and larger models do so more.
Not covered: triggers of style or register, traits that are part of the content, two traits at once, triggers
elsewhere than at the end of the text.
Source: Tang et al. 2023 (arXiv:2305.17256), the anti-shortcut test. Unlike them: both arms are asked the
triggered items, every label is the trigger's in turn, and the effect has an interval over demonstration sets
and items (two-way clustered, t(sets - 1)). Every other set is shown in reverse, so that the trigger's label
is not always the last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.errors import ConfigError, ModelError, shown
from audit.schema import (
    Data,
    Demand,
    Estimate,
    Example,
    Facts,
    Finding,
    Item,
    Point,
    PromptedClassifier,
    Series,
    Skip,
    Subject,
)
from audit.seeds import Seeds
from probes import contexts, variants
from probes.context import turning
from probes.contexts import Context
from probes.shortcuts import planting
from probes.shortcuts.planting import Arms, Asked

Floats = NDArray[np.float64]

METRIC = "shortcut_effect"

TRIGGERS: Mapping[str, str] = {
    "rare": "cf",
    "common": "number",
    "punctuation": "##",
    "sentence": "This is a sentence.",
}
"""Kind of trigger → what is added; none of them speaks for a label of an ordinary task."""


@dataclass(frozen=True, kw_only=True)
class LazyLearner:
    """Parameters.

    Edge rules: a prompt without demonstrations has no use for this probe, unless `shots` is given. Items that
    the model cannot tell from their triggered form (cut before their end) are left out. Fewer than five sets,
    and a model that gives one answer to everything, are skipped.
    """

    id: ClassVar[str] = "shortcuts.lazy_learner"
    needs: ClassVar[frozenset[str]] = frozenset({"in-context", "train", "label"})

    triggers: Mapping[str, str] = field(default_factory=lambda: dict(TRIGGERS))
    """Kind (the name of its slices) → what is added to the end of a text."""
    sets: int = 5
    """Demonstration sets drawn for the recipe."""
    items: int = 40
    """Test items asked under every set."""
    own_items: int = 60
    """Test items asked under the demonstrations of the prompt in use."""
    shots: int | None = None
    """Demonstrations of a set, made a multiple of the labels; None: as many as the prompt shows, or 4."""
    targets: int = 2
    """Labels whose demonstrations get the trigger, in turn; chosen by the seed where there are more."""
    cases: int = 5

    def __post_init__(self) -> None:
        fine = self.triggers and all(kind.strip() and text.strip() for kind, text in self.triggers.items())
        if not fine or len(set(self.triggers.values())) < len(self.triggers):
            raise ConfigError(
                f"{self.id}: triggers: cannot be {shown(dict(self.triggers))}; give kinds with what is "
                "added to a text, none empty and none twice"
            )
        contexts.check_least(
            self.id,
            sets=(self.sets, 1),
            items=(self.items, 2),
            own_items=(self.own_items, 2),
            shots=(self.shots, 2),
            targets=(self.targets, 2),
            cases=(self.cases, 0),
        )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Both arms of every set, trigger and label, on the items of the other labels."""
        labels = len(data.labels)
        targets = min(self.targets, labels)
        # Items are balanced, so those of one label less.
        asked = [max(1, count // labels) * (labels - 1) for count in (self.items, self.own_items)]
        return Demand(texts=2 * len(self.triggers) * targets * (self.sets * asked[0] + asked[1]))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Draw sets and items, then ask of the recipe, then of the prompt."""
        model = subject.prompted
        if model is None:
            yield Skip(probe=self.id, reason="this model has no demonstrations", applicable=False)
            return
        why = contexts.no_recipe(model, self.shots)
        if why:
            yield Skip(probe=self.id, reason=why, applicable=False)
            return
        yield from contexts.remarked(self._measure(model, data, seeds), subject.facts)

    def _measure(
        self, model: PromptedClassifier, data: Data, seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        drawn = contexts.draw(model, data, seeds, sets=self.sets, shots=self.shots, items=self.items)
        own = contexts.balanced_items(data.test, model.labels, self.own_items, seeds, without=drawn.used)
        if len(drawn.items) < 2:
            yield contexts.no_items(self.id)
            return
        if drawn.why:
            yield self._skip("recipe", drawn.why)
        else:
            # The contexts of context.position; an order and its reverse stand together.
            both = turning.recipe(drawn.sets, model.labels, 2, seeds)
            turns = [both[2 * s + s % 2] for s in range(len(drawn.sets))]
            yield from self._part("recipe", model, turns, drawn.items, seeds)
        yield from self._prompt(model, own, seeds)

    def _prompt(
        self, model: PromptedClassifier, items: tuple[Example, ...], seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        context = Context(name="prompt", demonstrations=model.prompt.demonstrations)
        if len(set(context.labels)) < 2:
            why = "the prompt does not show two labels, so no trigger can tell its labels apart"
            yield self._skip("prompt", why, applicable=False)
            return
        yield from self._part("prompt", model, [context], items, seeds)

    # --- one estimand ---------------------------------------------------------------------

    def _part(
        self,
        part: str,
        model: PromptedClassifier,
        turns: Sequence[Context],
        items: tuple[Example, ...],
        seeds: Seeds,
    ) -> Iterator[Finding | Skip | Item]:
        reached = planting.reached(model, items, self.triggers)
        seen = {kind: hits for kind, hits in reached.items() if hits.any()}
        for kind in self.triggers:
            if kind not in seen:
                yield self._skip(f"{part}, {kind}", "the trigger changed no text for the model")
        kept = [items[i] for i in np.flatnonzero(np.all([*seen.values()], axis=0))] if seen else []
        if len(kept) < 2:
            yield self._skip(part, "fewer than 2 items change for the model by a trigger: give shorter texts")
            return
        shown_labels = [label for label in model.labels if any(label in each.labels for each in turns)]
        targets = seeds.pick(shown_labels, self.targets, str, self.id, "targets")
        try:
            asked = {
                kind: planting.ask(model, turns, kept, targets, kind, self.triggers[kind]) for kind in seen
            }
        except ModelError as error:  # the prompt in use fits; longer training texts or triggers may not
            yield self._skip(part, str(error))
            return
        for each in asked.values():
            for one in each:
                yield from one.records(self.id)
        everything = [one for each in asked.values() for one in each]
        if why := planting.constant(everything):
            yield self._skip(part, why)
            return
        yield from self._findings(part, asked, len(kept), seeds)

    def _findings(
        self, part: str, asked: Mapping[str, Sequence[Asked]], n: int, seeds: Seeds
    ) -> Iterator[Finding]:
        alone = [self._finding(part, f"{part}, {kind}", {kind: asked[kind]}, n, seeds) for kind in asked]
        everything = [one for each in asked.values() for one in each]
        yield replace(
            self._finding(part, part, asked, n, seeds),
            cases=planting.captured(everything, self.cases, seeds),
            series=_picture(part, dict(zip(asked, alone, strict=True))),
        )
        adjusted = stats.bh([one.p for one in alone if one.p is not None])
        for one, q in zip(alone, adjusted, strict=True):
            yield replace(one, note=f"{one.note}; p among {len(alone)} triggers (Benjamini-Hochberg) {q:.3g}")

    def _finding(
        self, part: str, slice: str, asked: Mapping[str, Sequence[Asked]], n: int, seeds: Seeds
    ) -> Finding:
        arms = [planting.arms(each, n) for each in asked.values()]
        sides = np.mean([planting.by_target(each) for each in asked.values()], axis=0)
        flipped = _effect(arms)[0] if part == "prompt" else sides.ravel()
        everything = [one for each in asked.values() for one in each]
        said = ", ".join(repr(self.triggers[kind]) for kind in asked)
        return Finding(
            probe=self.id,
            metric=METRIC,
            slice=slice,
            estimate=_estimate(arms),
            unit="points of share",
            better="lower",
            p=stats.sign_flip_p(flipped, rng=seeds.rng(self.id, slice)),
            family="lazy_learner",
            note=f"{_counted(part, everything, n)}; added: {said}; {planting.told(everything)}",
        )

    def _skip(self, slice: str, reason: str, *, applicable: bool = True) -> Skip:
        return Skip(probe=self.id, metric=METRIC, slice=slice, reason=reason, applicable=applicable)


# --- numbers and picture ------------------------------------------------------------------


def _effect(arms: Sequence[Arms]) -> Floats:
    """Return (g, n): right when clean minus right when planted, a mean over triggers."""
    effect: Floats = np.mean([clean - planted for clean, planted in arms], axis=0)
    return effect


def _estimate(arms: Sequence[Arms]) -> Estimate:
    """Return the mean effect: over sets and items, or over items where one context was asked.

    Where nothing was lost or won, one trigger speaks for the mean of all, which varies less.
    """
    effect = _effect(arms)
    if len(effect) > 1:
        return stats.two_way_mean(effect, low=-1.0, high=1.0)
    if len(arms) > 1 and any((clean != planted).any() for clean, planted in arms):
        return stats.mean(effect[0], low=-1.0, high=1.0)
    clean, planted = arms[0]
    if not np.isin(arms[0], (0.0, 1.0)).all():  # of several targets
        return stats.mean(effect[0], low=-1.0, high=1.0)
    return variants.drop(clean == 1, planted == 1, np.ones_like(clean, dtype=np.bool_))


def _counted(part: str, asked: Sequence[Asked], n: int) -> str:
    shots = len(asked[0].answers.contexts[0].demonstrations)
    named = ", ".join(dict.fromkeys(one.target for one in asked))
    sets = "the" if part == "prompt" else f"{asked[0].sets} sets of"
    return f"{sets} {shots} demonstrations, {n} items, planted in {named} in turn"


def _picture(part: str, alone: Mapping[str, Finding]) -> Series:
    return Series(
        kind="dots",
        title=f"Accuracy lost to a planted trigger ({part})",
        x="trigger",
        y="accuracy lost (points of share)",
        points=tuple(
            Point(x=x, y=e.value, low=e.low, high=e.high, n=e.n, label=kind)
            for x, (kind, finding) in enumerate(alone.items())
            for e in [finding.estimate]
        ),
        reading="Each dot is a trigger that stood in every demonstration of one label: how many of the other "
        "labels' items, with the trigger in them, were lost to it. A model that reads the content is at 0.",
    )
