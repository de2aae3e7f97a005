"""How far does accuracy hang on which demonstrations, in which order, in which words?

Demonstration sets are drawn from the training data (label-balanced), each is shown in several orders, and the
same label-balanced test items are asked under all. Of these contexts the slice `recipe` gives the mean
`accuracy`; `accuracy_sd`, the standard deviation of true accuracy over contexts, which is what would be left
if each were asked without end; and `worst_context_gain`, the accuracy of the worst context that was tried
minus that of always answering the commonest label. Of the prompt in use, `template_spread` (of the slice
`templates`) is the accuracy of its best template minus that of its worst, the prompt's own demonstrations in
all; and `label_reliance` (of the slice `labels`) is its accuracy minus the mean accuracy with the same labels
shuffled among the demonstrations: 0 is a model that does not heed which text has which label.
Why it matters: a prompt that was tried in one form is one draw. Accuracy can differ by tens of points between
forms that look alike, so that a good number may be luck, and the next edit of the prompt may lose it.
Not covered: what moves the answers (context.position, context.majority_label); templates that the user does
not list; other numbers of demonstrations; training texts of another kind.
Source: Zhao et al. 2021 (arXiv:2102.09690) and Lu et al. 2022 (arXiv:2104.08786) on the spread; Min et al.
2022 (arXiv:2202.12837) on labels. Unlike the first two, the standard deviation has the luck of the items
taken off and an interval over sets, which five sets leave wide. Unlike Min et al., labels are shuffled and
not drawn anew, so that each stands as often as before and a liking for the majority does not show. Intervals:
of `accuracy` two-way clustered with t(sets - 1); of `accuracy_sd` from mean squares of sets, orders, items;
of `worst_context_gain` and `template_spread` for all contexts or templates at once, since extremes of noisy
numbers lie too far out; of `label_reliance` over items, for the shuffles that were tried. p of
`template_spread` is of templates that are right equally often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from audit import stats
from audit.errors import ModelError
from audit.schema import (
    Data,
    Demand,
    Example,
    Facts,
    Finding,
    Item,
    Prompt,
    PromptedClassifier,
    Skip,
    Subject,
)
from audit.seeds import Seeds
from probes import contexts
from probes.context import components, pictures, spread, turning, wordings
from probes.contexts import Answers, Drawn

METRICS = {
    "recipe": ("accuracy", "accuracy_sd", "worst_context_gain"),
    "templates": ("template_spread",),
    "labels": ("label_reliance",),
}
"""Slice → what is measured of it."""


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Parameters.

    Edge rules: fewer than five sets and a model that gives one answer to everything are skipped, saying why,
    but for `accuracy` and `worst_context_gain`, which then show it. A prompt without other templates, or
    whose demonstrations are none or of one label, has nothing to change there. Items are never among the
    demonstrations.
    """

    id: ClassVar[str] = "context.sensitivity"
    needs: ClassVar[frozenset[str]] = frozenset({"in-context", "label"})

    sets: int = 5
    """Demonstration sets drawn for the recipe."""
    orders: int = 8
    """Orders of each such set."""
    templates: int = 8
    """Templates asked, the one in use among them; of more the first."""
    shuffles: int = 3
    """Other ways of giving the prompt's labels to its demonstrations."""
    items: int = 60
    """Test items asked in every context."""
    shots: int | None = None
    """Demonstrations of a set, made a multiple of the labels; None: as many as the prompt shows, or 4."""
    draws: int = 2000
    """Resamplings behind `worst_context_gain` and `template_spread`."""

    def __post_init__(self) -> None:
        contexts.check_least(
            self.id,
            sets=(self.sets, 1),
            orders=(self.orders, 2),
            templates=(self.templates, 2),
            shuffles=(self.shuffles, 1),
            items=(self.items, 2),
            shots=(self.shots, 2),
            draws=(self.draws, 100),
        )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Every item in every context, under every template, and with every way of giving labels."""
        items = contexts.most_items(len(data.test), len(data.labels), self.items)
        return Demand(texts=items * (self.sets * self.orders + self.templates + 1 + self.shuffles))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Draw sets and items, then ask of the recipe, of the templates and of the labels."""
        model = subject.prompted
        if model is None:
            yield Skip(probe=self.id, reason="this model has no demonstrations", applicable=False)
            return
        yield from contexts.remarked(self._measure(model, data, seeds), subject.facts)

    def _measure(
        self, model: PromptedClassifier, data: Data, seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        drawn = contexts.draw(model, data, seeds, sets=self.sets, shots=self.shots, items=self.items)
        if len(drawn.items) < 2:
            yield contexts.no_items(self.id)
            return
        none = contexts.no_recipe(model, self.shots)
        if none:
            for metric in METRICS["recipe"]:  # of no slice: a rule on it is then not applicable
                yield Skip(probe=self.id, metric=metric, reason=none, applicable=False)
        else:
            yield from self._skips("recipe", drawn.why) if drawn.why else self._recipe(model, drawn, seeds)
        yield from self._templates(model, drawn.items, seeds)
        yield from self._labels(model, drawn.items, seeds)

    # --- the recipe -----------------------------------------------------------------------

    def _recipe(
        self, model: PromptedClassifier, drawn: Drawn, seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        items = drawn.items
        asked = turning.recipe(drawn.sets, model.labels, self.orders, seeds)
        try:
            answers = contexts.ask(model, asked, items)
        except ModelError as error:  # the prompt in use fits; longer training texts may not
            yield from self._skips("recipe", str(error))
            return
        yield from answers.records(self.id)
        right = answers.right.reshape(len(drawn.sets), -1, len(items))  # every set has as many orders
        yield self._accuracy(answers, right)
        yield self._sd(answers, right)
        yield self._worst(answers, seeds)

    def _accuracy(self, answers: Answers, right: components.Bools) -> Finding:
        held = answers.right.mean(axis=1)  # (c,)
        return Finding(
            probe=self.id,
            metric="accuracy",
            slice="recipe",
            estimate=stats.two_way_mean(right.mean(axis=1), low=0.0, high=1.0),
            unit="share",
            better="higher",
            note=f"{len(held)} contexts: {len(right)} sets of {len(answers.contexts[0].demonstrations)} "
            f"demonstrations in {right.shape[1]} orders; {held.min():.3f} to {held.max():.3f}, standard "
            f"deviation {held.std(ddof=1):.3f} with the luck of the {len(answers.items)} items in it"
            f"{answers.cut}",
            series=pictures.accuracy_by_context(answers),
        )

    def _sd(self, answers: Answers, right: components.Bools) -> Finding | Skip:
        kinds = [str(item.label) for item in answers.items]
        few = len(kinds) < 2 * len(set(kinds))
        why = answers.constant or ("there is one item of each label: give more test data" if few else "")
        if why:
            return Skip(probe=self.id, metric="accuracy_sd", slice="recipe", reason=why)
        return Finding(
            probe=self.id,
            metric="accuracy_sd",
            slice="recipe",
            estimate=components.accuracy_sd(right, kinds),
            unit="points of share",
            better="lower",
            note=f"over any set in any order; the observed {answers.right.mean(axis=1).std(ddof=1):.3f} has "
            "the luck of the items in it. More sets make the interval shorter, more items hardly",
        )

    def _worst(self, answers: Answers, seeds: Seeds) -> Finding:
        held = answers.right.mean(axis=1)
        base = max(Counter(item.label for item in answers.items).values()) / len(answers.items)
        return Finding(
            probe=self.id,
            metric="worst_context_gain",
            slice="recipe",
            estimate=components.worst_gain(
                answers.right, base, seeds.rng(self.id, "worst"), draws=self.draws
            ),
            unit="points of share",
            better="higher",
            note=f"{answers.contexts[int(held.argmin())].name} has an accuracy of {held.min():.3f}, always "
            f"the commonest label {base:.3f}; the worst of {len(held)} contexts lies low by chance too",
        )

    # --- the prompt in use ----------------------------------------------------------------

    def _templates(
        self, model: PromptedClassifier, items: tuple[Example, ...], seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        asked = wordings.templates(model.prompt, self.templates)
        if len(asked) < 2:
            why = "the prompt has one template: list model.prompt.alternatives, others that you might use"
            yield from self._skips("templates", why, applicable=False)
            return
        answers = yield from self._answers("templates", model, asked, items)
        if answers is None:
            return
        held = answers.right.mean(axis=1)
        left = len({model.prompt.template, *model.prompt.alternatives}) - len(asked)
        yield Finding(
            probe=self.id,
            metric="template_spread",
            slice="templates",
            estimate=spread.estimate(answers.right, seeds.rng(self.id, "spread"), draws=self.draws),
            unit="points of share",
            better="lower",
            p=spread.p(answers.right, seeds.rng(self.id, "spread p"), draws=self.draws),
            family="sensitivity",
            note=f"accuracy {held[0]:.3f} with the template in use, {held.min():.3f} to {held.max():.3f} "
            f"over {len(held)} templates{f'; {left} more were not asked' if left else ''}{answers.cut}",
            series=replace(
                pictures.accuracy_by_context(answers),
                title="Accuracy under each template",
                x="template",
                reading="; ".join(f"{name} is {prompt.template!r}" for name, prompt in asked.items())
                + ". All rows ask the same items, so rows whose intervals overlap may still differ.",
            ),
        )

    def _labels(
        self, model: PromptedClassifier, items: tuple[Example, ...], seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        own = model.prompt.demonstrations
        rng = seeds.rng(self.id, "shuffles", *(one.id for one in own))
        others = wordings.shuffles(model.prompt, self.shuffles, rng)
        if not others:
            why = "all demonstrations show one label" if own else "the prompt has no demonstrations"
            yield from self._skips("labels", f"{why}, so no labels can be shuffled", applicable=False)
            return
        asked = {"labels as they are": replace(model.prompt, alternatives=()), **others}
        answers = yield from self._answers("labels", model, asked, items)
        if answers is None:
            return
        true, shuffled = answers.right[0], answers.right[1:].mean(axis=0)  # (n,)
        shown = answers.shown_labels()
        changed = (shown[1:] != shown[0]).sum(axis=1).mean()
        yield Finding(
            probe=self.id,
            metric="label_reliance",
            slice="labels",
            estimate=stats.mean(true - shuffled, low=-1.0, high=1.0),
            unit="points of share",
            better="neither",
            note=f"accuracy {true.mean():.3f} with the labels as they are, {shuffled.mean():.3f} over "
            f"{len(others)} shuffles, which change {changed:.1f} of {len(own)} labels on average; near 0 the "
            f"model does not heed which text has which label{answers.cut}",
        )

    def _answers(
        self,
        part: str,
        model: PromptedClassifier,
        asked: Mapping[str, Prompt],
        items: tuple[Example, ...],
    ) -> Generator[Skip | Item, None, Answers | None]:
        """Ask and record; None where that tells nothing, with the reasons given."""
        try:
            answers = wordings.ask(model, asked, items)
        except ModelError as error:  # the prompt in use fits; another template may not
            yield from self._skips(part, str(error))
            return None
        yield from answers.records(self.id)
        if answers.constant:
            yield from self._skips(part, answers.constant)
            return None
        return answers

    def _skips(self, part: str, reason: str, *, applicable: bool = True) -> Iterator[Skip]:
        for metric in METRICS[part]:
            yield Skip(probe=self.id, metric=metric, slice=part, reason=reason, applicable=applicable)
