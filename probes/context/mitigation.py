"""What mends this prompt's bias, and by how much?

Each method is fitted without labels, and the answers to the same label-balanced test items are compared
before and after. `contextual` divides by the answer to inputs without content, `domain-context` by that to
strings of random words of the training texts, `pmi` by that to the prompt with an empty text, `batch` by the
mean answer to unlabelled training texts; `prototypical` takes the cluster that an answer falls into. Each is
fitted under each context by itself. `global-entropy` and `local-entropy` choose orders of the demonstrations
instead: of each set the four under which the answers to unlabelled training texts spread most, against all
its orders.
Of slices `prompt.METHOD` the numbers speak of the demonstrations in use, and their intervals of other items;
of slices `recipe.METHOD` they speak of other demonstrations drawn in the same way (label-balanced sets from
the training data, several orders of each), and their intervals of other sets and items. `accuracy_gain` is
paired item by item; `recency` is that of context.position, to be read beside `recency@recipe.raw`;
`ece_change` is the expected calibration error after minus before. `audit mitigate` writes out what was
fitted for the prompt.
Why it matters: these methods cost a few questions and no training. They can lift a small model from chance,
or hurt it, where their inputs are not free of a label or the labels are out of balance. Only measuring
tells.
Not covered: majority-label bias after mending. No label is used to fit, but the best of several methods
looks better than it is: measure a choice again on other data.
Source: Zhao et al. 2021 (arXiv:2102.09690), Fei et al. 2023 (arXiv:2305.19148), Holtzman et al. 2021
(arXiv:2104.08315), Zhou et al. 2024 (arXiv:2309.17249), Han et al. 2023 (arXiv:2205.10183), Lu et al. 2022
(arXiv:2104.08786). Unlike them: nothing is fitted on the test; the probing set of Lu et al. is of unlabelled
training texts and not of texts that the model made up, and what is reported is the mean over the chosen
orders; the premise of Holtzman et al. is the prompt with an empty text. Intervals over sets are two-way
clustered with t(sets - 1); that of the prompt's `accuracy_gain` is Newcombe's for pairs. Noise lifts a
calibration error over bins, the more the smaller it truly is, so `ece_change` understates an improvement;
its interval takes the sign of each bin's gap as known.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    PromptedClassifier,
    Skip,
    Subject,
)
from audit.seeds import Seeds
from probes import contexts
from probes.context import comparison, entropy, gains, mending, turning
from probes.context.blank import BLANKS, domain_texts
from probes.context.comparison import CHOICES, skips
from probes.context.mending import METHODS, Inputs
from probes.contexts import Context, Drawn


@dataclass(frozen=True, kw_only=True)
class Mitigation:
    """Parameters.

    Edge rules: fewer than five sets are skipped, saying why, and so is a method that cannot be fitted under
    every context. A model that gives one answer to everything has an accuracy, and its gain is measured like
    any other; where a method leaves it so, recency is skipped. A label without test items is left out of the
    balance. Items are never among the demonstrations, nor among what methods are fitted on. Under a
    correction in force nothing that was fitted is handed to `audit mitigate`.
    """

    id: ClassVar[str] = "context.mitigation"
    needs: ClassVar[frozenset[str]] = frozenset({"in-context", "label"})

    sets: int = 5
    """Demonstration sets drawn for the recipe; as context.position has, whose answers are then known."""
    orders: int = 8
    """Orders of each such set; the same."""
    items: int = 60
    """Test items asked under every order; the same."""
    own_items: int = 200
    """Test items asked under the prompt in use."""
    shots: int | None = None
    """Demonstrations of a set, made a multiple of the labels; None: as many as the prompt shows, or 4."""
    domain_strings: int = 20
    """Strings of random words, for `domain-context`."""
    fit_items: int = 30
    """Unlabelled training texts asked under every order."""
    own_fit_items: int = 100
    """Unlabelled training texts asked under the prompt in use."""
    keep: int = 4
    """Orders of a set that are chosen by their entropy."""
    bins: int = 10
    """Bins of equal width of the calibration error."""
    cases: int = 5

    def __post_init__(self) -> None:
        contexts.check_least(
            self.id,
            sets=(self.sets, 1),
            orders=(self.orders, 2),
            items=(self.items, 2),
            own_items=(self.own_items, 2),
            shots=(self.shots, 2),
            domain_strings=(self.domain_strings, 1),
            fit_items=(self.fit_items, mending.LEAST),
            own_fit_items=(self.own_fit_items, mending.LEAST),
            keep=(self.keep, 1),
            bins=(self.bins, 1),
            cases=(self.cases, 0),
        )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Every item, and all that methods are fitted on, under every order and the prompt in use."""

        def each(items: int, free: int) -> int:
            asked = contexts.most_items(len(data.test), len(data.labels), items)
            return asked + len(BLANKS) + self.domain_strings + min(free, len(data.train))

        recipe = self.sets * self.orders * each(self.items, self.fit_items)
        return Demand(texts=recipe + each(self.own_items, self.own_fit_items))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Draw sets, items and inputs, then ask of the recipe, then of the prompt."""
        model = subject.prompted
        if model is None:
            yield Skip(probe=self.id, reason="this model has no prompt to mend", applicable=False)
            return
        yield from contexts.remarked(self._measure(model, data, seeds, subject.facts), subject.facts)

    def _measure(
        self, model: PromptedClassifier, data: Data, seeds: Seeds, facts: Facts
    ) -> Iterator[Finding | Skip | Item]:
        drawn = contexts.draw(model, data, seeds, sets=self.sets, shots=self.shots, items=self.items)
        items = drawn.items
        own_items = contexts.balanced_items(
            data.test, model.labels, self.own_items, seeds, without=drawn.used
        )
        if min(len(items), len(own_items)) < 2:
            yield contexts.no_items(self.id)
            return
        most = max(self.fit_items, self.own_fit_items)
        inputs = Inputs(
            pair=items[0].pair is not None,
            domain=tuple(domain_texts(data.train, self.domain_strings, seeds)),
            free=mending.free_texts(data.train, most, seeds, without=[*drawn.used, *items, *own_items]),
        )
        why = contexts.no_recipe(model, self.shots) or drawn.why
        few_free = replace(inputs, free=inputs.free[: self.fit_items])
        yield from (skips("recipe", why) if why else self._recipe(model, drawn, few_free, seeds, facts))
        own_free = replace(inputs, free=inputs.free[: self.own_fit_items])
        yield from self._prompt(model, own_items, own_free, seeds, facts)

    # --- the recipe -----------------------------------------------------------------------

    def _recipe(
        self,
        model: PromptedClassifier,
        drawn: Drawn,
        inputs: Inputs,
        seeds: Seeds,
        facts: Facts,
    ) -> Iterator[Finding | Skip]:
        items = drawn.items
        under = turning.recipe(drawn.sets, model.labels, self.orders, seeds)
        try:
            asked = mending.ask(model, under, items, inputs)
        except ModelError as error:  # the prompt in use fits; longer training texts may not
            yield from skips("recipe", str(error))
            return
        raw = asked.answers
        held = {"raw": comparison.recipe_accuracy(raw)}
        results: list[Finding | Skip] = []
        for method in METHODS:
            try:
                mended = mending.mend(method, asked, seeds, facts).answers
            except ValueError as error:
                results += skips("recipe", str(error), method)
                continue
            held[method] = comparison.recipe_accuracy(mended)
            results += comparison.recipe(method, raw, mended, bins=self.bins)
        for name in CHOICES:
            try:
                chosen = entropy.chosen(name, asked, keep=self.keep)
            except ValueError as error:
                results += skips("recipe", str(error), name)
                continue
            held[name] = stats.two_way_mean(chosen, low=0.0, high=1.0)
            results += comparison.choice(name, raw, chosen, held[name], keep=self.keep)
        of = (
            f"{len(drawn.sets)} sets, {len(under)} contexts of {len(drawn.sets[0])} demonstrations, "
            f"{len(items)} items"
        )
        picture = gains.accuracy_by_method(held)
        yield comparison.accuracy("recipe.raw", held["raw"], of + raw.cut, picture)
        yield comparison.recency("raw", raw)
        yield from results

    # --- the prompt -----------------------------------------------------------------------

    def _prompt(
        self,
        model: PromptedClassifier,
        items: tuple[Example, ...],
        inputs: Inputs,
        seeds: Seeds,
        facts: Facts,
    ) -> Iterator[Finding | Skip | Item]:
        own = Context(name="prompt: raw", demonstrations=model.prompt.demonstrations)
        asked = mending.ask(model, [own], items, inputs)
        raw = asked.answers
        held = {"raw": stats.share(int(raw.right.sum()), raw.right.size)}
        yield from raw.records(self.id)
        results: list[Finding | Skip] = []
        for method in METHODS:
            try:
                found = mending.mend(method, asked, seeds, facts)
            except ValueError as error:
                results += skips("prompt", str(error), method)
                continue
            after = replace(found.answers, contexts=(replace(own, name=f"prompt: {method}"),))
            yield from after.records(self.id)
            held[method] = stats.share(int(after.right.sum()), after.right.size)
            results.append(comparison.accuracy(f"prompt.{method}", held[method], "after mending"))
            results += comparison.prompt(
                raw,
                after,
                found.corrections[0],
                bins=self.bins,
                cases=self.cases,
                seeds=seeds,
                # what was fitted on raw answers is none for a prompt under a correction
                offered=not facts.correction,
            )
        shown = len(own.demonstrations)
        note = f"{shown} demonstrations in their order, {len(items)} items{raw.cut}"
        yield comparison.accuracy("prompt.raw", held["raw"], note, gains.accuracy_by_method(held))
        yield from results
