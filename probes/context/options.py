"""Does the place of an option decide the answer to a multiple-choice question?

Each question is asked with its options in all cyclic orders, so that every option, and so the right one,
stands once at every letter; the answer is the letter that the model finds likeliest after `Answer:`.
`recall_spread` is the standard deviation over letters of the share answered rightly where the right option
has that letter (RStd), noise taken off; `move_gold_range` is the best of these shares minus the worst,
`choice_inconsistency` the share of questions whose chosen option is not the same in all orders, `accuracy`
that in the order given. Of the slice `pride` is what becomes of it when the liking for letters is learnt from
some questions (PriDe, `alpha` of them) and taken off the model's answers to the others: `accuracy_gain` is
their accuracy after that minus before, over all orders.
Why it matters: the order of options is an accident of whoever wrote the question, and models like some
letters. The score of a test then says where its right options stand, and a product that lets a model choose
from a list gets the item at a favoured place.
Not covered: other prompts than this one (demonstrations, instructions, chat templates), answers that a model
writes out, other symbols than A, B, C …, orders that are not cyclic. A question longer than the model takes
loses its beginning.
Source: Zheng et al. 2024 (arXiv:2309.03882): RStd, moving the right option, PriDe; questions whose options
speak of each other are left out as in their code. Unlike them: the right option is moved by turning all
options, not by exchanging two; recall is over all orders, so that each letter is right equally often; the
remaining questions are asked in all orders too; alpha is larger, since there are fewer questions. Intervals
are over questions: of `recall_spread` by test inversion, since noise alone spreads recalls, of
`move_gold_range` simultaneous over pairs of letters. Their p is of no difference between letters, each
question's hits shuffled among them; that of `accuracy_gain` of no gain, signs flipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from audit import stats
from audit.errors import ConfigError, shown
from audit.schema import Data, Demand, Estimate, Facts, Finding, Item, LanguageModel, Skip, Subject
from audit.seeds import Seeds
from probes import contexts
from probes.context import choices, pride, recalls, rotations, spread
from probes.context.rotations import Rotated

FEWEST = 10
"""Questions below which letters cannot be told apart."""
SET = "options"
"""Name of the set under `data.sets`."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Parameters.

    Edge rules: with fewer than 10 usable questions nothing is measured. Of equally likely letters the first
    is the answer. A model that always gives one letter is measured, and worst; one that is always right has
    zeros, with a width. A row that cannot be read is an error.
    """

    id: ClassVar[str] = "context.options"
    needs: ClassVar[frozenset[str]] = frozenset({"in-context", "set:options"})

    items: int = 60
    """Questions asked, each in as many orders as it has options."""
    alpha: float = 0.2
    """Share of the questions from which PriDe learns the liking for letters, in (0, 0.5]."""
    draws: int = 2000
    """Resamplings behind intervals and p."""
    cases: int = 5

    def __post_init__(self) -> None:
        contexts.check_least(
            self.id, items=(self.items, FEWEST), draws=(self.draws, 100), cases=(self.cases, 0)
        )
        if not 0 < self.alpha <= 0.5:
            raise ConfigError(
                f"{self.id}: alpha: cannot be {shown(self.alpha)}; give more than 0 and at most 0.5"
            )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Every letter after every question in every order."""
        questions, _ = choices.usable(data.sets.get(SET, ()))
        k = len(questions[0].choices) if questions else 0
        return Demand(texts=min(len(questions), self.items) * k * k)

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask the questions in all orders; then raw, then with the liking for letters taken off.

        Raises:
            DataError: a question cannot be read.
            ModelError: an answer is not finite.
        """
        if subject.language is None:
            why = "this model gives no probabilities of what follows a text"
            yield Skip(probe=self.id, reason=why, applicable=False)
        elif SET not in data.sets:
            yield Skip(probe=self.id, reason=f"needs data.sets.{SET}")
        else:
            yield from contexts.remarked(self._measure(subject.language, data, seeds), subject.facts)

    def _measure(self, model: LanguageModel, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        questions, left = choices.usable(data.sets[SET])
        if len(questions) < FEWEST:
            found = (
                f"data.sets.{SET} has {len(questions)} usable questions, and {FEWEST} are needed: give more"
            )
            yield Skip(probe=self.id, reason=f"{found}; {left}" if left else found)
            return
        picked = seeds.pick(questions, self.items, lambda one: one.id, self.id, "items")
        asked = rotations.ask(model, picked)
        yield from asked.records(self.id)
        yield self._accuracy(asked, left)
        yield self._spread(asked, seeds)
        yield self._range(asked, seeds)
        yield self._inconsistency(asked, seeds)
        yield from self._pride(asked, seeds)

    # --- raw ------------------------------------------------------------------------------

    def _accuracy(self, asked: Rotated, left: str) -> Finding:
        given = asked.right[:, 0]
        note = (
            f"in the order given; {asked.right.mean():.3f} over all {asked.k} orders, and guessing gives "
            f"{1 / asked.k:.3f}"
        )
        return Finding(
            probe=self.id,
            metric="accuracy",
            estimate=stats.share(int(given.sum()), given.size),
            unit="share",
            better="higher",
            note=f"{note}; {left}" if left else note,
        )

    def _spread(self, asked: Rotated, seeds: Seeds) -> Finding:
        recall = asked.right_at.mean(axis=1)
        of_letters = ", ".join(f"{id} {one:.3f}" for id, one in zip(choices.IDS, recall, strict=False))
        return Finding(
            probe=self.id,
            metric="recall_spread",
            estimate=recalls.estimate(asked.right_at, seeds.rng(self.id, "recall"), draws=self.draws),
            unit="points of share",
            better="lower",
            p=recalls.p(asked.right_at, seeds.rng(self.id, "recall p"), draws=self.draws),
            family="options",
            note=f"recall of {of_letters}; {recalls.deviation(recall):.3f} before noise is taken off; "
            f"a model that always answers one letter has {(asked.k - 1) ** 0.5 / asked.k:.3f}",
        )

    def _range(self, asked: Rotated, seeds: Seeds) -> Finding:
        accuracy = asked.right_at.mean(axis=1)
        best, worst = (choices.IDS[int(place)] for place in (accuracy.argmax(), accuracy.argmin()))
        return Finding(
            probe=self.id,
            metric="move_gold_range",
            estimate=spread.estimate(asked.right_at, seeds.rng(self.id, "range"), draws=self.draws),
            unit="points of share",
            better="lower",
            p=spread.p(asked.right_at, seeds.rng(self.id, "range p"), draws=self.draws),
            family="options",
            note=f"accuracy {accuracy.max():.3f} with the right option at {best}, {accuracy.min():.3f} at "
            f"{worst}; the best and the worst of {asked.k} lie apart by chance too, see the interval and p",
            series=rotations.accuracy_by_letter(asked),
        )

    def _inconsistency(self, asked: Rotated, seeds: Seeds) -> Finding:
        moved, k = asked.inconsistent, asked.k
        return Finding(
            probe=self.id,
            metric="choice_inconsistency",
            estimate=stats.share(int(moved.sum()), moved.size),
            unit="share",
            better="lower",
            note=f"over {k} orders; pure guessing, new in each order, gives {1 - float(k) ** (1 - k):.3f}, "
            "and a model that always answers one letter 1",
            cases=rotations.moved(asked, self.cases, seeds),
        )

    # --- with the liking for letters taken off ----------------------------------------------

    def _pride(self, asked: Rotated, seeds: Seeds) -> Iterator[Finding]:
        n = len(asked.questions)
        count = max(1, round(self.alpha * n))
        learnt = seeds.pick(range(n), count, lambda i: asked.questions[i].id, self.id, "pride")
        prior = pride.prior(asked.of(learnt).logs)  # (k,)
        raw = asked.of([i for i in range(n) if i not in set(learnt)])
        mended = replace(raw, logs=pride.debiased(raw.logs, prior))
        liking = ", ".join(f"{id} {one:.3f}" for id, one in zip(choices.IDS, prior, strict=False))
        from_what = (
            f"liking {liking}, learnt from {count} of {n} questions (alpha {self.alpha:g}, where the source "
            "takes 0.05 of many more)"
        )
        yield self._gain(raw, mended, from_what, seeds)
        yield self._mended_spread(raw, mended, from_what, seeds)

    def _gain(self, raw: Rotated, mended: Rotated, from_what: str, seeds: Seeds) -> Finding:
        gain = mended.right.mean(axis=1) - raw.right.mean(axis=1)  # (n,)
        estimate = stats.mean(gain, low=-1.0, high=1.0)
        first = mended.right[:, 0].mean() - raw.right[:, 0].mean()
        return Finding(
            probe=self.id,
            metric="accuracy_gain",
            slice="pride",
            estimate=estimate,
            unit="points of share",
            better="higher",
            p=stats.sign_flip_p(gain, rng=seeds.rng(self.id, "gain p")),
            family="options",
            note=f"PriDe {_verdict(estimate)}: accuracy {raw.right.mean():.3f} raw, "
            f"{mended.right.mean():.3f} after it, over all orders, and {first:+.3f} in the order given; "
            f"{from_what}",
        )

    def _mended_spread(self, raw: Rotated, mended: Rotated, from_what: str, seeds: Seeds) -> Finding:
        before, after = (
            recalls.estimate(one.right_at, seeds.rng(self.id, "pride", part), draws=self.draws)
            for part, one in (("raw", raw), ("mended", mended))
        )
        k = raw.k
        fall = stats.bootstrap(
            lambda hits: float(
                recalls.deviation(hits[:, :k].mean(axis=0)) - recalls.deviation(hits[:, k:].mean(axis=0))
            ),
            np.vstack([raw.right_at, mended.right_at]).T.astype(np.float64),  # (n, 2 k)
            rng=seeds.rng(self.id, "pride", "fall"),
            draws=self.draws,
            low=-recalls.largest(k),
            high=recalls.largest(k),
        )
        return Finding(
            probe=self.id,
            metric="recall_spread",
            slice="pride",
            estimate=after,
            unit="points of share",
            better="lower",
            p=recalls.p(mended.right_at, seeds.rng(self.id, "pride p"), draws=self.draws),
            family="options",
            note=f"PriDe {_verdict(fall)}: raw {before.value:.3f} [{before.low:.3f}, {before.high:.3f}] on "
            f"the same {before.n} questions, lower by {fall.value:.3f} [{fall.low:.3f}, {fall.high:.3f}] "
            f"before noise is taken off; {from_what}",
        )


def _verdict(gain: Estimate) -> str:
    """Say what an interval of a gain tells."""
    if gain.low > 0:
        return "helps"
    return "hurts" if gain.high < 0 else "may help or hurt, which cannot be told from these questions"
