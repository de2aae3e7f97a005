"""Does it matter where in a long context the evidence stands?

A trial is a list of made-up facts, "The key is in the kitchen.", one a line, with things and places drawn
anew. Five questions ask for the facts at the depths 0 (the first line), 0.25, 0.5, 0.75 and 1 (the last), and
the answer is the likeliest of some places that all stand in the list, the right one among them. `accuracy` is
the share of right answers at each depth, `depth_range` that of the best depth minus that of the worst, and
`middle_drop` the mean of both ends minus the middle: above zero, evidence is lost in the middle.
Why it matters: a model that reads the ends of a long text better than its middle answers by where a passage
was put, and retrieved passages, long prompts and conversations put it anywhere.
Not covered: lists longer than was asked, and other texts than lists; the model's chat template; facts that
must be combined; the order of demonstrations (context.position).
Source: Liu et al. 2023 (arXiv:2307.03172), their key-value retrieval. Unlike them: short plain words in place
of random ids, which a small model can copy; the answer is chosen by likelihood and not written, so chance is
known; and the same list serves all depths, so that trials are compared with themselves. Trials are the unit:
`accuracy` has Wilson's interval, `middle_drop` that of t over trials with p of signs flipped; the interval of
`depth_range` holds for all pairs of depths at once, since a maximum of noisy numbers lies too high, and its p
is of answers shuffled among the depths of a trial. Cochran's Q stands in its note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.errors import ConfigError, ModelError, shown
from audit.schema import (
    Case,
    Data,
    Demand,
    Facts,
    Finding,
    Item,
    LanguageModel,
    Point,
    Series,
    Skip,
    Subject,
    content_hash,
)
from audit.seeds import Seeds
from probes import contexts, lexicons
from probes.context import spread

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
SPARE = 2
"""Tokens that a model may put around a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One fact of a trial to be found."""

    trial: int
    depth: float
    context: str
    """All facts of the trial."""
    asked: str
    """Follows the context, ends where the place begins."""
    right: str
    candidates: tuple[str, ...]
    """Places in the order of their facts, the right one among them."""


@dataclass(frozen=True, kw_only=True)
class EvidencePosition:
    """Parameters.

    Edge rules: where the model finds the evidence no more often than chance, `depth_range` and `middle_drop`
    are skipped, for then nothing can be lost. So is all of it where a list may not fit into the model, with a
    letter counted as a token, since its first facts would be cut off.
    """

    id: ClassVar[str] = "context.evidence_position"
    needs: ClassVar[frozenset[str]] = frozenset({"in-context"})

    facts: int = 20
    """Facts in a list: the length of the context."""
    trials: int = 40
    """Lists, each asked at five depths."""
    candidates: int = 4
    """Places to choose from, the right one among them; chance is one in so many."""
    draws: int = 2000
    """Resamplings behind `depth_range`."""
    cases: int = 5

    def __post_init__(self) -> None:
        contexts.check_least(
            self.id,
            facts=(self.facts, len(DEPTHS)),
            trials=(self.trials, 2),
            candidates=(self.candidates, 2),
            draws=(self.draws, 100),
            cases=(self.cases, 0),
        )
        known = min(len(words) for words in lexicons.load("evidence").entries.values())
        for name, value, most in (
            ("facts", self.facts, known),
            ("candidates", self.candidates, self.facts),
        ):
            if value > most:
                raise ConfigError(f"{self.id}: {name}: cannot be {shown(value)}; give at most {most}")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Every candidate for every question of every trial."""
        return Demand(texts=self.trials * len(DEPTHS) * self.candidates)

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Make up the lists, ask at all depths, then compare the depths of each list."""
        if subject.language is None:
            why = "this model gives no log-probabilities of texts"
            yield Skip(probe=self.id, reason=why, applicable=False)
            return
        found = self._measure(subject.language, seeds, subject.facts.max_length)
        yield from contexts.remarked(found, subject.facts)

    def _measure(
        self, language: LanguageModel, seeds: Seeds, room: int | None
    ) -> Iterator[Finding | Skip | Item]:
        asked = [one for trial in range(self.trials) for one in self._questions(trial, seeds)]
        pairs = [(one.context, f"{one.asked} {place}") for one in asked for place in one.candidates]
        longest = max(len(context) + len(end) for context, end in pairs) + SPARE
        if room is not None and room < longest:  # plain letters: no token is shorter than one
            why = f"{self.facts} facts and a question may take {longest} tokens, and the model takes {room}: "
            cut = "a list that was cut would look like evidence lost; set `facts` lower"
            yield Skip(probe=self.id, reason=why + cut)
            return
        try:
            found = language.log_probs(pairs)
        except ModelError as error:
            yield Skip(probe=self.id, reason=str(error))
            return
        # the question's own tokens are the same for each candidate, so they change no comparison
        sums = np.array([float(one.sum()) for one in found]).reshape(len(asked), self.candidates)
        said = [one.candidates[int(place)] for one, place in zip(asked, sums.argmax(axis=1), strict=True)]
        yield from self._records(asked, said, sums)
        hits = np.array([one.right == answer for one, answer in zip(asked, said, strict=True)])
        right = hits.reshape(self.trials, len(DEPTHS)).T  # (5, t)
        yield from self._accuracy(right)
        whole = stats.mean(right.mean(axis=0), low=0.0, high=1.0)
        if whole.low <= 1 / self.candidates:
            why = (
                f"the model finds the evidence nowhere (accuracy {whole.value:.3f}, from {whole.low:.3f} to "
                f"{whole.high:.3f}, at chance {1 / self.candidates:.3f}), so none can be lost: set `facts` "
                "lower, or `trials` higher if it finds some"
            )
            yield from (Skip(probe=self.id, metric=one, reason=why) for one in ("depth_range", "middle_drop"))
            return
        yield self._range(right, seeds)
        yield self._drop(right, asked, said, seeds)

    def _questions(self, trial: int, seeds: Seeds) -> Iterator[Question]:
        rng = seeds.rng(self.id, "trial", str(trial))
        words = lexicons.load("evidence").entries
        objects, places = (
            [words[kind][i] for i in rng.permutation(len(words[kind]))[: self.facts]]
            for kind in ("objects", "places")
        )
        context = "\n".join(
            f"The {thing} is in the {place}." for thing, place in zip(objects, places, strict=True)
        )
        for depth in DEPTHS:
            at = round(depth * (self.facts - 1))
            others = [i for i in range(self.facts) if i != at]
            chosen = sorted([at, *(others[i] for i in rng.permutation(len(others))[: self.candidates - 1])])
            yield Question(
                trial=trial,
                depth=depth,
                context=context,
                asked=f"\n\nQuestion: Where is the {objects[at]}?\nAnswer: The {objects[at]} is in the",
                right=places[at],
                candidates=tuple(places[i] for i in chosen),
            )

    # --- what is said -----------------------------------------------------------------------

    def _records(self, asked: Sequence[Question], said: Sequence[str], sums: Floats) -> Iterator[Item]:
        shares = np.exp(sums - np.logaddexp.reduce(sums, axis=1, keepdims=True))
        for one, answer, row in zip(asked, said, shares, strict=True):
            yield Item(
                example=f"trial {one.trial + 1}",
                content=content_hash(one.context + one.asked),
                probe=self.id,
                variant=_slice(one.depth),
                label=one.right,
                predicted=answer,
                probabilities=tuple(row.tolist()),  # of the candidates, in the order of their facts
                outcome="right" if answer == one.right else "wrong",
            )

    def _accuracy(self, right: Bools) -> Iterator[Finding]:
        for depth, row in zip(DEPTHS, right, strict=True):
            yield Finding(
                probe=self.id,
                metric="accuracy",
                slice=_slice(depth),
                estimate=stats.share(int(row.sum()), row.size),
                unit="share",
                better="higher",
                note=f"{self.facts} facts; chance is {1 / self.candidates:.3f}",
            )

    def _range(self, right: Bools, seeds: Seeds) -> Finding:
        q, p = cochran(right)
        return Finding(
            probe=self.id,
            metric="depth_range",
            estimate=spread.estimate(right, seeds.rng(self.id, "range"), draws=self.draws),
            unit="points of share",
            better="lower",
            p=spread.p(right, seeds.rng(self.id, "range p"), draws=self.draws),
            family="evidence",
            note=f"accuracy by depth {', '.join(f'{row.mean():.3f}' for row in right)}; Cochran's Q {q:.2f}, "
            f"p {p:.4f}; the best and the worst of five lie apart by chance too, see the interval and p",
            series=_picture(right, 1 / self.candidates),
        )

    def _drop(self, right: Bools, asked: Sequence[Question], said: Sequence[str], seeds: Seeds) -> Finding:
        drop = (right[0] + right[-1].astype(np.float64)) / 2 - right[len(DEPTHS) // 2]  # (t,)
        return Finding(
            probe=self.id,
            metric="middle_drop",
            estimate=stats.mean(drop, low=-1.0, high=1.0),
            unit="points of share",
            better="zero",
            p=stats.sign_flip_p(drop, rng=seeds.rng(self.id, "drop")),
            family="evidence",
            note="accuracy at both ends minus accuracy in the middle",
            cases=self._lost(right, asked, said, seeds),
        )

    def _lost(
        self, right: Bools, asked: Sequence[Question], said: Sequence[str], seeds: Seeds
    ) -> tuple[Case, ...]:
        """Return lists with a right answer at both ends and a wrong one in the middle."""
        middle = len(DEPTHS) // 2
        lost = np.flatnonzero(right[0] & right[-1] & ~right[middle]).tolist()
        picked = seeds.pick(lost, self.cases, str, self.id, "cases")
        places = [trial * len(DEPTHS) + middle for trial in picked]
        return tuple(
            Case(
                example=f"trial {asked[i].trial + 1}",
                text=asked[i].context + asked[i].asked,
                label=asked[i].right,
                before=said[i],
                note="the first and the last fact of this list were found",
            )
            for i in places
        )


def cochran(right: Bools) -> tuple[float, float]:
    """Return Cochran's Q that k depths are right equally often, and its p; 0 and 1 where no trial differs.

    Args:
        right: (k, t) answers to the same trials.

    Source: Cochran 1950; chi-square with k - 1 degrees of freedom.
    """
    from scipy.special import chdtrc

    k = len(right)
    by_depth, by_trial = right.sum(axis=1).astype(np.float64), right.sum(axis=0).astype(np.float64)
    spare = float((by_trial * (k - by_trial)).sum())
    if spare == 0:
        return 0.0, 1.0
    q = k * (k - 1) * float(((by_depth - by_depth.mean()) ** 2).sum()) / spare
    return q, float(chdtrc(k - 1, q))


def _slice(depth: float) -> str:
    return f"depth {depth:.2f}"


def _picture(right: Bools, chance: float) -> Series:
    held = [stats.share(int(row.sum()), row.size) for row in right]
    return Series(
        kind="dots",
        title="Accuracy by where the evidence stands",
        x="depth in the context",
        y="accuracy (share)",
        points=tuple(
            Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=_slice(depth))
            for i, (depth, e) in enumerate(zip(DEPTHS, held, strict=True))
        ),
        reading=f"Depth 0.00 is the first line of the list, 1.00 the last; guessing gives {chance:.3f}. The "
        "same lists are asked at all depths. A model that reads all of it has all marks in line.",
    )
