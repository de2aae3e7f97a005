"""Does the model state what is not so, and how confidently?

TruthfulQA, where the data has it (data.sets.truthfulqa), is asked as the authors now recommend: is the best
answer likelier than the best incorrect one (`binary_accuracy`)? MC1 asks whether one true answer is likelier
than all false ones, MC2 what share of the probability lies on true ones. Our own questions of general
knowledge (slice `ours`) are asked in the same way, and also to be answered in the model's own words, in its
chat template where it has one: right, wrong and abstained are counted apart. `overconfidence` is the mean
probability of the answer chosen, among the two, minus the share that is right. For self-consistency some
answers are written again, at random: what a model knows comes out alike, what it invents does not.
`selfcheck_auroc` says if that tells wrong answers from right ones: 0.5 is no better than chance, and only
above it is consistency of use as a check.
Why it matters: a fluent wrong answer is believed; and a model that abstains where it does not know can be
used where one that guesses cannot, at the same accuracy.
Not covered: long texts, faithfulness to a given source, questions of the user's own field, answers that are
right in words our list does not know (counted as wrong), likelihoods within a chat template. TruthfulQA's
answers in the model's own words are not judged: that takes a judge.
Source: Lin, Hilton & Evans 2022 (arXiv:2109.07958), with the six question-answer pairs of the paper before
every question and sums of log-probabilities without length normalisation; the two answers of the binary form
of January 2025, each read alone and not shown as options, so that their order cannot matter. Unlike them, a
tie is a wrong answer. Self-consistency: Manakul et al. 2023 (arXiv:2303.08896), with unigrams, and with NLI
where helpers.nli names a model; the greedy answer is checked, and its score is the mean over its tokens. Our
own questions: written for this project (probes/lexicons/general_knowledge.txt).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from audit.errors import ConfigError
from audit.schema import (
    Classifier,
    Data,
    Demand,
    Example,
    Facts,
    Finding,
    Item,
    LanguageModel,
    Skip,
    Subject,
)
from audit.seeds import Seeds
from probes import contexts
from probes.safety import asking, chosen, consistency, multiple, truthful, written
from probes.safety.chosen import Pairs, Question
from probes.safety.truthful import Truth
from probes.safety.written import Written

SET, OURS = "truthfulqa", "ours"
"""Name of the data set, which is also its slice, and the slice of our own questions."""


@dataclass(frozen=True, kw_only=True)
class Hallucination:
    """Parameters; questions are chosen by id. Fewer than two questions of a kind are skipped."""

    id: ClassVar[str] = "safety.hallucination"
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    questions: int = 200
    """Questions of each set asked in binary form."""
    multiple: int = 100
    """Of these, TruthfulQA questions asked with all their answers, for MC1 and MC2; 0 for none."""
    written: int = 60
    """Of our own questions, how many are answered in the model's own words; 0 for none."""
    checked: int = 40
    """Of these, how many are answered again for self-consistency; 0 for none."""
    samples: int = 5
    """Such answers to each."""
    temperature: float = 1.0
    """Of the samples; the answer that is checked is the likeliest (temperature 0)."""
    max_new_tokens: int = 24
    """Of an answer."""
    frame: str | None = None
    """What goes around a question that is answered in words, with {text}; None for the model's own chat
    template where it has one."""
    draws: int = 2000
    """Resamplings behind the interval of `selfcheck_auroc`."""
    cases: int = 5

    def __post_init__(self) -> None:
        contexts.check_least(
            self.id,
            questions=(self.questions, 2),
            multiple=(self.multiple, 0),
            written=(self.written, 0),
            checked=(self.checked, 0),
            samples=(self.samples, 1),
            max_new_tokens=(self.max_new_tokens, 1),
            draws=(self.draws, 100),
            cases=(self.cases, 0),
        )
        if not 0 < self.temperature <= 2:
            raise ConfigError(f"{self.id}: temperature: cannot be {self.temperature!r}; give one in (0, 2]")
        asking.check_frame(self.id, self.frame)

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Every choice of every question, and every answer to be written."""
        rows = data.sets.get(SET, ())
        most = max((len(truthful.read(row).texts) for row in rows), default=0) if self.multiple else 0
        asked, own = min(len(rows), self.questions), len(written.known())
        answers = min(self.written, own)
        again = min(self.checked, answers)
        return Demand(
            texts=2 * asked
            + most * min(self.multiple, asked)
            + 2 * min(self.questions, own)
            + answers
            + again,
            generated=(answers + again * self.samples) * self.max_new_tokens,
        )

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask TruthfulQA, then our own questions, then have answers written.

        Raises:
            DataError: a row of TruthfulQA cannot be read.
            ModelError: an answer is not finite.
        """
        model = subject.language
        if model is None:
            why = f"a {subject.facts.kind} classifier states nothing"
            yield Skip(probe=self.id, reason=why, applicable=False)
            return
        yield from contexts.remarked(
            self._measure(model, subject.helpers.get("nli"), data, seeds), subject.facts
        )

    def _measure(
        self, model: LanguageModel, nli: Classifier | None, data: Data, seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        if data.sets.get(SET):
            yield from self._truthfulqa(model, data.sets[SET], seeds)
        else:
            why = f"needs data.sets.{SET}: {{source: TruthfulQA.csv, format: truthfulqa}}"
            yield from self._skips(why, SET, "binary_accuracy", "overconfidence", "mc1", "mc2")
        yield from self._ours(model, nli, seeds)

    # --- TruthfulQA -----------------------------------------------------------------------

    def _truthfulqa(
        self, model: LanguageModel, rows: Sequence[Example], seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        picked = seeds.pick(rows, self.questions, lambda row: row.id, self.id, SET)
        truths = [truthful.read(row) for row in sorted(picked, key=lambda row: row.id)]
        whole = {one.id for one in seeds.pick(truths, self.multiple, lambda one: one.id, self.id, "multiple")}
        asked = [_question(one, one.texts if one.id in whole else one.binary or ()) for one in truths]
        found = chosen.log_probs(model, asked)
        logs = {
            one.id: dict(zip((choice[1:] for choice in one.choices), row.tolist(), strict=True))
            for one, row in zip(asked, found, strict=True)
        }
        yield from self._best([(one, one.binary) for one in truths if one.binary], logs)
        kept = [one for one in truths if one.id in whole]
        yield from multiple.findings(self.id, SET, kept, [logs[one.id] for one in kept])

    def _best(
        self, two: Sequence[tuple[Truth, tuple[str, str]]], logs: Mapping[str, Mapping[str, float]]
    ) -> Iterator[Finding | Skip | Item]:
        """The best answer against the best incorrect one."""
        if not two:
            why = f"data.sets.{SET} has no best incorrect answers: give the revision of January 2025"
            yield from self._skips(why, SET, "binary_accuracy", "overconfidence")
            return
        answers = Pairs(
            questions=tuple(_question(one, texts) for one, texts in two),
            logs=np.array([[logs[one.id][text] for text in texts] for one, texts in two]),
        )
        declining = np.array([written.declines(texts[0]) for _, texts in two])
        note = f"; {declining.sum()} of the best answers decline to answer, and "
        yield from self._binary(
            answers, SET, f"{note}{(answers.right & declining).sum()} of them were chosen"
        )

    # --- two choices ----------------------------------------------------------------------

    def _binary(self, answers: Pairs, slice: str, more: str) -> Iterator[Finding | Skip | Item]:
        yield from answers.records(self.id, f"{slice}/binary")
        if len(set(answers.clusters)) < 2:
            why = "there is one question, and 2 are needed for an interval: give more"
            yield from self._skips(why, slice, "binary_accuracy", "overconfidence")
            return
        yield Finding(
            probe=self.id,
            metric="binary_accuracy",
            slice=slice,
            estimate=chosen.share(answers.right, answers.clusters),
            unit="share",
            better="higher",
            note=f"guessing gives 0.500{answers.ties}{more}",
            cases=answers.surest_errors(self.cases),
        )
        yield Finding(
            probe=self.id,
            metric="overconfidence",
            slice=slice,
            estimate=chosen.mean(answers.confidence - answers.right, answers.clusters, low=-1.0, high=1.0),
            unit="points of share",
            better="zero",
            note=f"mean probability {answers.confidence.mean():.3f} of the answer chosen, among the two, "
            f"minus accuracy {answers.right.mean():.3f}",
            series=chosen.reliability(answers, f"How sure, and how often right ({slice})"),
        )

    # --- our own questions ------------------------------------------------------------------

    def _ours(
        self, model: LanguageModel, nli: Classifier | None, seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        known = written.known()
        picked = seeds.pick(known, self.questions, lambda one: one.text, self.id, OURS)
        asked = [
            Question(
                id=one.id,
                prompt=truthful.prompt(one.text),
                choices=(f" {one.right}", f" {one.wrong}"),
                cluster=one.text,
            )
            for one in picked
        ]
        yield from self._binary(chosen.pairs(model, asked), OURS, "")
        told = seeds.pick(known, self.written, lambda one: one.text, self.id, "written")
        if len(told) < 2:
            why = f"{len(told)} answers are to be written, and 2 are needed: raise `written`"
            yield from self._skips(why, OURS, "right_rate", "wrong_rate", "abstain_rate")
            yield from self._skips(why, None, "selfcheck_score", "selfcheck_auroc")
            return
        frame = asking.framed(self.frame, model)
        prompts = tuple(frame.around(truthful.prompt(one.text)) for one in told)
        said = model.generate(prompts, max_new_tokens=self.max_new_tokens)
        answers = Written(
            questions=tuple(told), prompts=prompts, said=tuple(written.answer(texts[0]) for texts in said)
        )
        yield from written.records(self.id, f"{OURS}/written", answers)
        yield from written.rates(self.id, OURS, answers, frame.aside, self.cases)
        yield from self._consistency(model, nli, answers, seeds)

    def _consistency(
        self, model: LanguageModel, nli: Classifier | None, answers: Written, seeds: Seeds
    ) -> Iterator[Finding | Skip]:
        if not self.checked:
            why = "no answers are to be written again: raise `checked`"
            yield from self._skips(why, None, "selfcheck_score", "selfcheck_auroc")
            return
        places = seeds.pick(
            range(len(answers.questions)),
            self.checked,
            lambda i: answers.questions[i].text,
            self.id,
            "checked",
        )
        some = Written(
            questions=tuple(answers.questions[i] for i in places),
            prompts=tuple(answers.prompts[i] for i in places),
            said=tuple(answers.said[i] for i in places),
        )
        drawn = model.generate(
            some.prompts,
            max_new_tokens=self.max_new_tokens,
            samples=self.samples,
            temperature=self.temperature,
            seed=seeds.number(self.id, "samples"),
        )
        samples = [[written.answer(text) for text in texts] for texts in drawn]
        yield from consistency.check(self.id, some, samples, nli, seeds, draws=self.draws, cases=self.cases)

    def _skips(self, why: str, slice: str | None, *metrics: str) -> Iterator[Skip]:
        for metric in metrics:
            yield Skip(probe=self.id, metric=metric, slice=slice, reason=why)


def _question(truth: Truth, answers: Sequence[str]) -> Question:
    return Question(
        id=truth.id,
        prompt=truthful.prompt(truth.text),
        choices=tuple(f" {answer}" for answer in answers),
        cluster=truth.text,
    )
