"""Do the label words themselves pull the answer?

The prompt in use (slice `prompt`) and the same prompt without demonstrations (`zero-shot`) are asked two
things. First, inputs that say nothing of any label: strings of random words of the training texts, and `N/A`,
the empty text and `[MASK]`. `prior_shift` is how far the mean answer to the strings lies from even shares, in
total variation: 0 is a prompt that prefers no label. Second, test items with equally many of each label:
`label_skew` is how far the shares of answers lie from those of the items, in total variation. Where the
prompt's demonstrations show every label, its label words are replaced by A, B, C … in demonstrations and
answer alike: `symbol_effect` is the accuracy with symbols minus that with words, `symbol_flip_rate` the share
of answers that change. With six labels or more, `prior_correlation` and `frequency_correlation` say whether
labels are answered more often whose words are likelier without content, or commoner in English.
Why it matters: a model prefers words that it has read more often, so of two prompts that mean the same the
one with `great` for `positive` finds more positives. Corrections (`contextual`, `domain-context`) mend much.
Not covered: the pull of demonstrations apart from that of words (context.position, context.majority_label);
other prompts, other words of the same meaning; label words in the template or the instruction, which stay. An
input without content is not free of it: `N/A` is mildly negative, and random words of a domain that is mostly
negative may be so in earnest. A symbol has a pull of its own, and a small model may not learn what it stands
for: a fall with symbols is no merit of the words, a rise is a fault of theirs. `frequency_correlation` knows
English only. A language written without spaces has no random words; its strings are whole texts.
Source: Zhao et al. 2021 (arXiv:2102.09690), sections 4 and 5, answers averaged as probabilities, then
normalised; Fei et al. 2023 (arXiv:2305.19148) for the strings, here of training texts, never of the test.
Unlike them: the numbers have intervals, `prior_shift` of other strings, the others of other items; a total
variation lies above 0 by chance, and its interval holds at 0 too (`probes/context/variation.py` tells how);
Spearman's correlation, not Pearson's, with an interval from bounds on ranks, as noise mixes ranks. p: of
`symbol_effect` McNemar's, of correlations by permuting labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.errors import ModelError
from audit.schema import (
    Data,
    Demand,
    Facts,
    Finding,
    Item,
    PromptedClassifier,
    Skip,
    Subject,
)
from audit.seeds import Seeds
from probes import contexts
from probes.context import bars, blank, label_words, variation
from probes.context.bars import Prior
from probes.contexts import Answers, Context

Places = NDArray[np.intp]

OF_ITEMS = ("label_skew", "symbol_effect", "symbol_flip_rate", "prior_correlation", "frequency_correlation")
"""What needs labelled items."""
SYMBOLS = OF_ITEMS[1:3]
CORRELATIONS = OF_ITEMS[3:]
MANY = 6
"""Labels below which a correlation over labels says nothing."""
FAMILY = "label words"


@dataclass(frozen=True, kw_only=True)
class CommonToken:
    """Parameters.

    Edge rules: a prompt without demonstrations is measured as `prompt`, and `zero-shot` does not apply. A
    label without test items is left out of the balance of the items; with items of one label only, nothing
    is said of answers. A model that gives one answer to everything keeps its `label_skew`; its
    `symbol_effect` is skipped where it does so with words and with symbols.
    """

    id: ClassVar[str] = "context.common_token"
    needs: ClassVar[frozenset[str]] = frozenset({"in-context", "label"})

    items: int = 120
    """Test items, asked with demonstrations, without, and with symbols."""
    strings: int = 20
    """Strings of random words of the training texts."""
    cases: int = 5
    draws: int = 2000
    """Resamplings behind intervals and p."""

    def __post_init__(self) -> None:
        contexts.check_least(
            self.id,
            items=(self.items, 2),
            strings=(self.strings, 2),
            cases=(self.cases, 0),
            draws=(self.draws, 100),
        )

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Items three times, inputs without content twice."""
        items = contexts.most_items(len(data.test), len(data.labels), self.items)
        return Demand(texts=3 * items + 2 * (len(blank.BLANKS) + self.strings))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask inputs without content, then items, then items with symbols."""
        model = subject.prompted
        if model is None:
            yield Skip(probe=self.id, reason="this model has no label words", applicable=False)
            return
        yield from contexts.remarked(self._measure(model, data, seeds), subject.facts)

    def _measure(
        self, model: PromptedClassifier, data: Data, seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        own = model.prompt.demonstrations
        asked = [Context(name="prompt", demonstrations=own)]
        if own:
            asked.append(Context(name="zero-shot", demonstrations=()))
        else:
            why = "the prompt shows no demonstrations: what is said of `prompt` is said of `zero-shot`"
            yield from self._skips("zero-shot", why, "prior_shift", *OF_ITEMS, applicable=False)
        priors = self._priors(model, asked, data, seeds)
        for name, prior in priors.items():
            yield self._shift(name, prior, model, seeds)
        items = contexts.balanced_items(data.test, model.labels, self.items, seeds, without=own)
        if len({item.label for item in items}) < 2:
            why = "data.test has fewer than 2 labels among the texts that are not demonstrations"
            for name in priors:
                yield from self._skips(name, why, *OF_ITEMS)
            return
        answers = contexts.ask(model, asked, items)
        yield from answers.records(self.id)
        for c, name in enumerate(priors):
            yield self._skew(answers, c, seeds)
            yield from self._correlations(answers, c, priors[name], model, seeds)
        yield from self._symbols(model, answers, seeds)

    # --- inputs without content -----------------------------------------------------------

    def _priors(
        self, model: PromptedClassifier, asked: list[Context], data: Data, seeds: Seeds
    ) -> dict[str, Prior]:
        """Return the answers to inputs without content under each context, all asked in one call."""
        blanks = blank.blank_texts("{pair}" in model.prompt.template)
        strings = blank.domain_texts(data.train, self.strings, seeds)
        prompts = [replace(model.prompt, demonstrations=each.demonstrations) for each in asked]
        scores = model.score_prompts(prompts, blanks + strings)
        return {
            each.name: Prior(
                blanks=one.probabilities[: len(blanks)], strings=one.probabilities[len(blanks) :]
            )
            for each, one in zip(asked, scores, strict=True)
        }

    def _shift(self, name: str, prior: Prior, model: PromptedClassifier, seeds: Seeds) -> Finding | Skip:
        p_cf, labels = prior.p_cf, model.labels
        away = variation.total_variation(p_cf, np.full(len(labels), 1 / len(labels)))
        each = ", ".join(f"{label} {p:.3f}" for label, p in zip(labels, p_cf, strict=True))
        note = f"three inputs without content (N/A, empty, [MASK]) give {away:.3f}: {each}"
        if not len(prior.strings):
            why = f"data.train has no words to make strings of: give training data; {note}, without interval"
            return Skip(probe=self.id, metric="prior_shift", slice=name, reason=why)
        return Finding(
            probe=self.id,
            metric="prior_shift",
            slice=name,
            estimate=variation.of_probabilities(
                prior.strings, seeds.rng(self.id, "prior_shift", name), draws=self.draws
            ),
            unit="points of share",
            better="lower",
            note=f"of {len(prior.strings)} strings of random words; {note}",
            series=bars.priors(prior, model.prompt.verbalizers),
        )

    # --- items ----------------------------------------------------------------------------

    def _skew(self, answers: Answers, c: int, seeds: Seeds) -> Finding:
        name, predicted, truth = answers.contexts[c].name, answers.predicted[c], _truth(answers)
        said = np.bincount(predicted, minlength=len(answers.labels))
        excess = said - np.bincount(truth, minlength=len(answers.labels))
        most = int(excess.argmax())
        cut = f"; {answers.truncated} texts were cut to the model's length" if answers.truncated else ""
        return Finding(
            probe=self.id,
            metric="label_skew",
            slice=name,
            estimate=variation.of_answers(
                predicted,
                truth,
                len(answers.labels),
                seeds.rng(self.id, "label_skew", name),
                draws=self.draws,
            ),
            unit="points of share",
            better="lower",
            note=f"{answers.labels[most]!r} is answered to {said[most]} of {len(truth)} items and is the "
            f"label of {said[most] - excess[most]}; accuracy {answers.right[c].mean():.3f}{cut}",
            cases=bars.wrongly(answers, c, most, self.cases, seeds) if excess[most] > 0 else (),
            series=bars.shares(predicted, truth, answers.labels),
        )

    def _correlations(
        self, answers: Answers, c: int, prior: Prior, model: PromptedClassifier, seeds: Seeds
    ) -> Iterator[Finding | Skip]:
        name, labels = answers.contexts[c].name, answers.labels
        if len(labels) < MANY:
            why = f"{len(labels)} labels are too few for a correlation over labels, which takes {MANY}"
            yield from self._skips(name, why, *CORRELATIONS, applicable=False)
            return
        words = [model.prompt.verbalizers[label][0] for label in labels]
        commonness = (prior.p_cf, np.array([label_words.zipf(word) for word in words]))
        for metric, common in zip(CORRELATIONS, commonness, strict=True):
            stream = (self.id, metric, name)
            try:
                found = label_words.correlation(
                    common, answers.predicted[c], _truth(answers), seeds, *stream, draws=self.draws
                )
            except ValueError as error:
                yield from self._skips(name, f"there is no correlation: {error}", metric)
                continue
            yield Finding(
                probe=self.id,
                metric=metric,
                slice=name,
                estimate=found.estimate,
                unit="rank correlation, -1 to 1",
                better="lower",
                p=found.p,
                family=FAMILY,
                note=f"over {len(labels)} labels; the interval is of other items, p of other labels",
            )

    # --- symbols --------------------------------------------------------------------------

    def _symbols(
        self, model: PromptedClassifier, words: Answers, seeds: Seeds
    ) -> Iterator[Finding | Skip | Item]:
        own = words.contexts[0]
        if len(words.contexts) > 1:
            why = "without demonstrations nothing says what a symbol stands for"
            yield from self._skips("zero-shot", why, *SYMBOLS, applicable=False)
        if not set(words.labels) <= set(own.labels):
            why = "the prompt does not show every label, so nothing says what each symbol stands for"
            yield from self._skips("prompt", why, *SYMBOLS, applicable=False)
            return
        try:
            sibling = model.with_prompt(label_words.with_symbols(model.prompt))
            symbols = contexts.ask(sibling, [replace(own, name="symbols")], words.items)
        except (ModelError, ValueError) as error:  # a tokenizer may not tell the symbols apart
            yield from self._skips("prompt", f"symbols cannot be asked: {error}", *SYMBOLS)
            return
        yield from symbols.records(self.id)
        yield from self._compared(words, symbols)

    def _compared(self, words: Answers, symbols: Answers) -> Iterator[Finding | Skip]:
        stuck = [len(np.unique(each.predicted[0])) < 2 for each in (words, symbols)]
        if all(stuck):
            why = "the model gives one answer to every item, with words and with symbols: see label_skew"
            yield from self._skips("prompt", why, *SYMBOLS)
            return
        before, after = words.right[0], symbols.right[0]
        lost, won = int((before & ~after).sum()), int((after & ~before).sum())
        kept, never = int((before & after).sum()), int((~before & ~after).sum())
        note = f"accuracy {before.mean():.3f} with words, {after.mean():.3f} with symbols"
        for one, named in zip(stuck, ("words", "symbols"), strict=True):
            note += f"; with {named} the model gives one answer to every item" if one else ""
        yield Finding(
            probe=self.id,
            metric="symbol_effect",
            slice="prompt",
            estimate=stats.paired_difference(kept, won, lost, never),
            unit="points of share",
            better="neither",
            p=stats.mcnemar(won, lost).p,
            family=FAMILY,
            note=note,
        )
        changed = words.predicted[0] != symbols.predicted[0]
        yield Finding(
            probe=self.id,
            metric="symbol_flip_rate",
            slice="prompt",
            estimate=stats.share(int(changed.sum()), changed.size),
            unit="share",
            better="neither",
            note=f"answers of another label with symbols than with words; {note}",
        )

    def _skips(self, name: str, reason: str, *metrics: str, applicable: bool = True) -> Iterator[Skip]:
        for metric in metrics:
            yield Skip(probe=self.id, metric=metric, slice=name, reason=reason, applicable=applicable)


def _truth(answers: Answers) -> Places:
    """Return (n,) places of the labels of the items."""
    return np.array([answers.labels.index(str(item.label)) for item in answers.items], dtype=np.intp)
