"""Does the label that the demonstrations show most often become the answer?

Demonstration sets are drawn from the training data, and of each set several mixes are shown, from all of one
label over equally many to all of the other, each in its distinct orders; the same label-balanced test items
are asked under each. `majority_bias` is how much more often a label is answered when it is in the majority
than when all are shown equally often, over labels, mixes, orders and sets: 0 is a model that heeds the text
alone, and with two labels 0.5 one that always repeats the majority.
Why it matters: demonstrations are picked by hand or by search, seldom in balance; a prompt with three
positive examples and one negative one then finds more positives, whatever the texts say.
Not covered: the order of the demonstrations (context.position). A model that repeats the last label shows
some bias here too, for the majority more often stands last: read both. Mixes of other numbers of shots.
Source: Zhao et al. 2021 (arXiv:2102.09690), section 4. Unlike them: the bias is a mean over labels, so that
a liking for one label cancels, over all orders of each mix (or some with their rotations), and with an
interval over sets and items (two-way clustered, t(sets - 1)). With more than two labels a majority takes half
of the others' shots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    Point,
    PromptedClassifier,
    Series,
    Skip,
    Subject,
)
from audit.seeds import Seeds
from probes import contexts
from probes.contexts import Answers, Context
from probes.orders import Mix, how_many, label_orders, letters, mixes

Floats = NDArray[np.float64]

METRIC, SLICE = "majority_bias", "recipe"


@dataclass(frozen=True, kw_only=True)
class MajorityLabel:
    """Parameters.

    Edge rules: a prompt without demonstrations has no use for this probe, unless `shots` is given; fewer than
    five sets and a model that gives one answer to everything are skipped, saying why.
    A label without test items is left out of the balance of the items. Items are never among the
    demonstrations.
    """

    id: ClassVar[str] = "context.majority_label"
    needs: ClassVar[frozenset[str]] = frozenset({"in-context", "label"})

    sets: int = 5
    """Demonstration sets; every mix is made of each."""
    orders: int = 8
    """Orders of the labels of a mix; where there are more, rotations are taken together."""
    items: int = 60
    """Test items asked in every context."""
    shots: int | None = None
    """Demonstrations of a mix, made a multiple of the labels; None: 4. Two labels have one mix more than
    that."""
    majorities: int = 6
    """Labels tried in the majority; chosen by the seed where there are more."""

    def __post_init__(self) -> None:
        contexts.check_least(
            self.id,
            sets=(self.sets, 1),
            orders=(self.orders, 1),
            items=(self.items, 2),
            shots=(self.shots, 2),
            majorities=(self.majorities, 1),
        )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Every item under every order of every mix of every set."""
        labels = len(data.labels)
        tried = range(min(self.majorities, labels))
        each = sum(
            min(self.orders, how_many(mix.counts)) for mix in mixes(labels, self._shots(labels), tried)
        )
        return Demand(texts=contexts.most_items(len(data.test), labels, self.items) * self.sets * each)

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Draw sets and items, ask every item under every mix, then compare with the even mix."""
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
        labels = model.labels
        tried = seeds.pick(
            range(len(labels)), self.majorities, lambda place: labels[place], self.id, "labels"
        )
        shown = mixes(len(labels), self._shots(len(labels)), tried)
        each = max(count for mix in shown for count in mix.counts)
        sets = contexts.draw_sets(data.train, labels, each=each, count=self.sets, seeds=seeds)
        drawn = [one for each_set in sets for pool in each_set.values() for one in pool]
        items = contexts.balanced_items(data.test, labels, self.items, seeds, without=drawn)
        why = contexts.too_few(data.train, labels, each=each, asked=self.sets, found=len(sets))
        few = "data.test has fewer than 2 labelled texts that are not demonstrations"
        if why or len(items) < 2:
            yield self._skip(why or few)
            return
        asked = self._contexts(sets, shown, labels, seeds)
        try:
            answers = contexts.ask(model, [context for _, context in asked], items)
        except ModelError as error:  # the prompt in use fits; longer training texts may not
            yield self._skip(str(error))
            return
        yield from answers.records(self.id)
        yield (
            self._skip(answers.constant)
            if answers.constant
            else self._bias(answers, [mix for mix, _ in asked], shown)
        )

    def _shots(self, labels: int) -> int:
        return contexts.made_even(contexts.SHOTS if self.shots is None else self.shots, labels)

    def _contexts(
        self,
        sets: Sequence[Mapping[str, tuple[Example, ...]]],
        shown: Sequence[Mix],
        labels: tuple[str, ...],
        seeds: Seeds,
    ) -> list[tuple[Mix, Context]]:
        names = letters(labels)
        found = []
        for s, pools in enumerate(sets, 1):
            for mix in shown:
                rng = seeds.rng(self.id, "orders", mix.name, *(one.id for one in pools[labels[0]]))
                for order in label_orders(dict(zip(labels, mix.counts, strict=True)), self.orders, rng):
                    left = {label: iter(pool) for label, pool in pools.items()}
                    context = Context(
                        name=f"recipe {s}: {''.join(names[label] for label in order)}",
                        set=s,
                        demonstrations=tuple(next(left[label]) for label in order),
                    )
                    found.append((mix, context))
        return found

    def _bias(self, answers: Answers, of_context: Sequence[Mix], shown: Sequence[Mix]) -> Finding:
        shares = _shares(answers, of_context, shown)  # (m, g, n, k)
        even = next(i for i, mix in enumerate(shown) if mix.majority is None)
        gains: dict[int, list[Floats]] = {}
        for i, mix in enumerate(shown):
            if mix.majority is not None:
                gain = shares[i, :, :, mix.majority] - shares[even, :, :, mix.majority]  # (g, n)
                gains.setdefault(mix.majority, []).append(gain)
        table = np.mean([np.mean(of_label, axis=0) for of_label in gains.values()], axis=0)  # (g, n)
        by_set = table.mean(axis=1)
        return Finding(
            probe=self.id,
            metric=METRIC,
            slice=SLICE,
            estimate=stats.two_way_mean(table, low=-1.0, high=1.0),
            unit="points of share",
            better="zero",
            family="majority",
            note=f"{len(by_set)} sets, {len(answers.contexts)} contexts of {sum(shown[0].counts)} "
            f"demonstrations, {len(answers.items)} items, {len(gains)} labels in the majority in turn; by "
            f"set from {by_set.min():.3f} to {by_set.max():.3f}{answers.cut}",
            series=_picture(shares, shown, answers.labels),
        )

    def _skip(self, reason: str) -> Skip:
        return Skip(probe=self.id, metric=METRIC, slice=SLICE, reason=reason)


def _shares(answers: Answers, of_context: Sequence[Mix], shown: Sequence[Mix]) -> Floats:
    """Return (m, g, n, k): of the orders of a mix of a set, the share that answers each label to an item."""
    said = np.eye(len(answers.labels))[answers.predicted]  # (c, n, k)
    sets = sorted({context.set for context in answers.contexts})
    places = [(mix, context.set) for mix, context in zip(of_context, answers.contexts, strict=True)]
    return np.array(
        [
            [said[[i for i, place in enumerate(places) if place == (mix, s)]].mean(axis=0) for s in sets]
            for mix in shown
        ]
    )


def _picture(shares: Floats, shown: Sequence[Mix], labels: tuple[str, ...]) -> Series:
    points = []
    for x, mix in enumerate(shown):
        for place, label in enumerate(labels):
            e = stats.two_way_mean(shares[x, :, :, place], low=0.0, high=1.0)
            points.append(Point(x=x, y=e.value, low=e.low, high=e.high, n=e.n, label=mix.name, group=label))
    return Series(
        kind="dots",
        title="Answers by how often each label is shown",
        x=f"demonstrations of {', '.join(labels)}",
        y="share of answers",
        points=tuple(points),
        reading=f"Each row is a mix of demonstrations, counted as {' : '.join(labels)}. The items have "
        "equally many of each label. Marks that follow the counts are majority-label bias.",
    )
