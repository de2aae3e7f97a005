"""Does the order of the demonstrations decide the answer?

The same demonstrations are shown in several orders, each with its reverse, and the same label-balanced test
items are asked under each. `recency` is the share of answers that are the last demonstration's label minus
the share that are the first's: 1 is a model that always repeats the last label, -1 one that always repeats
the first, 0 one that favours neither end. Of the slice `prompt` it speaks of the demonstrations in use, tried
in all orders up to a budget, and its interval of other items; of the slice `recipe` it speaks of other
demonstrations drawn in the same way (label-balanced sets from the training data), and its interval of other
sets and items. `order_spread` is the accuracy of the best order minus that of the worst, `slot_effect` the
pull of the last place minus that of the first, in log-odds.
Why it matters: an order is an accident of whoever wrote the prompt. It can move a small model from nearly all
answers of one label to nearly all of the other, and a prompt tried in one order tells nothing of it.
Not covered: which examples are shown and how many of each label (context.majority_label), where evidence
stands in a long text, the order of answer options.
Source: Zhao et al. 2021 (arXiv:2102.09690), section 4, and Lu et al. 2022 (arXiv:2104.08786) on orders.
Unlike them: orders whose first and last labels are equal are left out of `recency`, since they say nothing of
first against last and would shrink it by a factor that hangs on the number of shots; and each order comes
with its reverse, so that a liking for one label cancels. The interval over sets is two-way clustered with
t(sets - 1); p is of no difference between the ends, signs flipped for an order and its reverse together
(`recipe`) or for an item (`prompt`); the interval of `order_spread` holds for all pairs of orders at once,
since a maximum of noisy numbers lies too high.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

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
from probes.context import pictures, slots, spread, turning
from probes.context.turning import ends, turned
from probes.contexts import Answers, Drawn

Floats = NDArray[np.float64]

METRICS = {"recipe": ("recency",), "prompt": ("recency", "order_spread", "slot_effect")}
"""Slice → what is measured of it."""


@dataclass(frozen=True, kw_only=True)
class Position:
    """Parameters.

    Edge rules: fewer than five sets, demonstrations of one label, and a model that gives one answer to
    everything are skipped, saying why; a prompt of one demonstration has no order to try, and a prompt
    without any has no use for this probe, unless `shots` is given. A label without test items is left out of
    the balance. Items are never among the demonstrations.
    """

    id: ClassVar[str] = "context.position"
    needs: ClassVar[frozenset[str]] = frozenset({"in-context", "label"})

    sets: int = 5
    """Demonstration sets drawn for the recipe."""
    orders: int = 8
    """Orders of each such set."""
    own_orders: int = 24
    """Orders of the prompt's own demonstrations, the one in use among them; 24 are all of four."""
    items: int = 60
    """Test items asked under every order."""
    shots: int | None = None
    """Demonstrations of a set, made a multiple of the labels; None: as many as the prompt shows, or 4."""
    draws: int = 2000
    """Resamplings behind `order_spread`."""
    cases: int = 5

    def __post_init__(self) -> None:
        contexts.check_least(
            self.id,
            sets=(self.sets, 1),
            orders=(self.orders, 2),
            own_orders=(self.own_orders, 2),
            items=(self.items, 2),
            shots=(self.shots, 2),
            draws=(self.draws, 100),
            cases=(self.cases, 0),
        )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Every item under every order."""
        items = contexts.most_items(len(data.test), len(data.labels), self.items)
        return Demand(texts=items * (self.sets * self.orders + self.own_orders))

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
        if len(drawn.items) < 2:
            yield contexts.no_items(self.id)
            return
        yield from self._skips("recipe", drawn.why) if drawn.why else self._recipe(model, drawn, seeds)
        yield from self._prompt(model, drawn.items, seeds)

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
        if answers.constant:
            yield from self._skips("recipe", answers.constant)
            return
        said = ends(answers)  # (c, n) of -1, 0, 1
        of_set = np.array([context.set for context in answers.contexts])
        table = np.stack([said[of_set == s].mean(axis=0) for s in range(1, len(drawn.sets) + 1)])  # (g, n)
        pairs = said.reshape(-1, 2, len(items)).mean(axis=(1, 2))  # an order and its reverse stand together
        yield Finding(
            probe=self.id,
            metric="recency",
            slice="recipe",
            estimate=stats.two_way_mean(table, low=-1.0, high=1.0),
            unit="points of share",
            better="zero",
            p=stats.sign_flip_p(pairs, rng=seeds.rng(self.id, "recipe")),
            family="position",
            note=f"{len(drawn.sets)} sets of {len(drawn.sets[0])} demonstrations, {len(asked)} orders in "
            f"all, {len(items)} items; by set from {table.mean(axis=1).min():.3f} to "
            f"{table.mean(axis=1).max():.3f}{answers.cut}",
            series=pictures.accuracy_by_context(answers),
        )

    # --- the prompt -----------------------------------------------------------------------

    def _prompt(
        self, model: PromptedClassifier, items: tuple[Example, ...], seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        own = model.prompt.demonstrations
        if len(own) < 2:
            why = f"the prompt has {len(own)} demonstrations, so there is no order to change"
            for metric in METRICS["prompt"]:  # of no slice: a rule on it is then not applicable
                yield Skip(probe=self.id, metric=metric, reason=why, applicable=False)
            return
        answers = contexts.ask(model, turned("prompt", 0, own, model.labels, self.own_orders, seeds), items)
        yield from answers.records(self.id)
        if answers.constant:
            yield from self._skips("prompt", answers.constant)
            return
        yield from self._own_recency(answers, seeds)
        yield self._spread(answers, seeds)
        yield from self._slots(answers)

    def _spread(self, answers: Answers, seeds: Seeds) -> Finding:
        estimate = spread.estimate(answers.right, seeds.rng(self.id, "spread"), draws=self.draws)
        accuracy = answers.right.mean(axis=1)
        return Finding(
            probe=self.id,
            metric="order_spread",
            slice="prompt",
            estimate=estimate,
            unit="points of share",
            better="lower",
            p=spread.p(answers.right, seeds.rng(self.id, "spread p"), draws=self.draws),
            family="position",
            note=f"accuracy {accuracy[0]:.3f} in the order in use, {accuracy.min():.3f} to "
            f"{accuracy.max():.3f} over {len(accuracy)} orders; the best and the worst of many lie apart by "
            "chance too, see the interval and p",
            series=pictures.accuracy_by_context(answers),
        )

    def _own_recency(self, answers: Answers, seeds: Seeds) -> Iterator[Finding | Skip]:
        shown = answers.shown_labels()
        differ = shown[:, 0] != shown[:, -1]  # (c,)
        if not differ.any():
            why = "no order tried begins and ends with different labels: show more than one label"
            yield from self._skips("prompt", why, "recency")
            return
        said = ends(answers)[differ].mean(axis=0)  # (n,)
        yield Finding(
            probe=self.id,
            metric="recency",
            slice="prompt",
            estimate=stats.mean(said, low=-1.0, high=1.0),
            unit="points of share",
            better="zero",
            p=stats.sign_flip_p(said, rng=seeds.rng(self.id, "prompt")),
            family="position",
            note=f"{differ.sum()} of {len(differ)} orders begin and end with different labels{answers.cut}",
            cases=pictures.turned(answers, self.cases, seeds),
            series=pictures.shares_by_order(answers),
        )

    def _slots(self, answers: Answers) -> Iterator[Finding | Skip]:
        shown = answers.shown_labels()
        if (shown == shown[:1]).all():
            yield from self._skips("prompt", "all demonstrations show one label", "slot_effect")
            return
        try:
            found = slots.slot_effects(answers)
        except ValueError as error:
            yield from self._skips("prompt", f"there is no interval: {error}", "slot_effect")
            return
        yield Finding(
            probe=self.id,
            metric="slot_effect",
            slice="prompt",
            estimate=found.last_minus_first,
            unit="log-odds",
            better="zero",
            note="the pull of the last place minus that of the first; the other places are in the picture",
            series=slots.picture(found.effects),
        )

    # --- parts ----------------------------------------------------------------------------

    def _skips(self, part: str, reason: str, *metrics: str) -> Iterator[Skip]:
        for metric in metrics or METRICS[part]:
            yield Skip(probe=self.id, metric=metric, slice=part, reason=reason)
