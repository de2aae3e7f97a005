"""Can half of the input be answered as well as all of it?

A warning of the data, never of the model, which is not asked. From one field alone (the first text, or the
second) a linear model over words and word pairs is fitted to the labelled examples and scored on such as it
has not seen, in five folds. `partial_input_gain` is its share right minus that of always giving the
commonest label: 0 is a field that tells nothing by itself.
Why it matters: where the hypothesis alone gives the label away, a model that never reads the premise scores
well, and accuracy on these data does not show that the two were compared.
Not covered: whether the model in question takes that way (shortcuts.artifacts), fields other than the two
texts, what only a better reader than a linear model could get from one field.
Source: Gururangan et al. 2018 (arXiv:1803.02324) and Poliak et al. 2018 (arXiv:1805.01042), there with
fastText and an encoder. Unlike them: logistic regression on TF-IDF weights, and copies of a text stay in one
fold, so that no text is answered from memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from audit.errors import ConfigError, shown
from audit.schema import Case, Data, Demand, Example, Facts, Finding, Skip, Subject, content_hash
from audit.seeds import Seeds
from probes import contexts, variants

Places = NDArray[np.intp]
Field = Literal["first text", "second text"]
FIELDS: tuple[Field, ...] = ("first text", "second text")


@dataclass(frozen=True, kw_only=True)
class PartialInput:
    """Parameters.

    Edge rules: a task of one text has no part to leave out and is not applicable. Examples without a label or
    a second text are left out. A field with fewer different texts than folds, and data of one label, are
    skipped.
    """

    id: ClassVar[str] = "shortcuts.partial_input"
    needs: ClassVar[frozenset[str]] = frozenset()

    items: int = 2000
    """Labelled pairs, of the training data, else of the test set; chosen by id."""
    folds: int = 5
    cases: int = 5

    def __post_init__(self) -> None:
        contexts.check_least(self.id, items=(self.items, 20), folds=(self.folds, 2), cases=(self.cases, 0))
        if self.folds > 20:
            raise ConfigError(f"{self.id}: folds: cannot be {shown(self.folds)}; give at most 20")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Nothing: no model is asked."""
        return Demand()

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip]:
        """Fit and score on each field alone."""
        source, pairs = _pairs(data)
        if not pairs:
            paired = any(one.pair is not None for one in (*data.train, *data.test))
            why = (
                "no pair of texts has a label: give labels"
                if paired
                else "the task has one text, so nothing can be left out"
            )
            yield Skip(probe=self.id, reason=why, applicable=paired)
            return
        chosen = seeds.pick(pairs, self.items, lambda one: one.id, self.id)
        chosen.sort(key=lambda one: one.id)
        for field in FIELDS:
            yield self._gain(source, field, chosen, seeds)

    def _gain(self, source: str, field: Field, chosen: Sequence[Example], seeds: Seeds) -> Finding | Skip:
        texts = [_field(one, field) for one in chosen]
        labels = sorted({str(one.label) for one in chosen})
        fold = np.array([seeds.number(self.id, field, content_hash(text)) % self.folds for text in texts])
        if len(labels) < 2 or len(set(fold.tolist())) < self.folds:
            why = f"the {field}s of {source} have fewer than two labels, or too few different texts for folds"
            return Skip(probe=self.id, metric="partial_input_gain", slice=field, reason=why)
        truth = np.array([labels.index(str(one.label)) for one in chosen], dtype=np.intp)
        common = int(np.bincount(truth).argmax())
        said = _answers(texts, truth, fold, common)
        right, plain = (said == truth)[None], (truth == common)[None]
        return Finding(
            probe=self.id,
            metric="partial_input_gain",
            slice=field,
            estimate=variants.drop(right, plain, np.ones_like(right), texts),
            unit="points of share",
            better="neither",
            note=f"of the data ({len(texts)} examples of {source}), not of the model: a linear model reading "
            f"the {field} alone is right on {right.mean():.3f}, the commonest label on {plain.mean():.3f}",
            cases=self._cases(chosen, field, said, labels, truth, seeds),
        )

    def _cases(
        self,
        chosen: Sequence[Example],
        field: Field,
        said: Places,
        labels: Sequence[str],
        truth: Places,
        seeds: Seeds,
    ) -> tuple[Case, ...]:
        hits = np.flatnonzero(said == truth).tolist()
        picked = seeds.pick(hits, self.cases, lambda i: chosen[i].id, self.id, "cases", field)
        return tuple(
            Case(
                example=chosen[i].id,
                text=_field(chosen[i], field),
                label=chosen[i].label,
                before=labels[said[i]],
                note=f"answered from the {field} alone by the linear model",
            )
            for i in picked
        )


def _pairs(data: Data) -> tuple[str, list[Example]]:
    """Return labelled pairs of the training data, else of the test set, and where they are from."""
    for source, examples in (("data.train", data.train), ("data.test", data.test)):
        pairs = [one for one in examples if one.pair is not None and one.label in data.labels]
        if pairs:
            return source, pairs
    return "data.test", []


def _field(example: Example, field: Field) -> str:
    return example.text if field == "first text" else example.pair or ""


def _answers(texts: Sequence[str], truth: Places, fold: Places, common: int) -> Places:
    """Return (n,) what a linear model says of each text that it was not fitted to.

    Args:
        common: the commonest label, said where there is nothing to fit.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    said = np.full_like(truth, common)
    for f in np.unique(fold):
        inside, outside = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        seen = truth[inside]
        words = any(any(c.isalnum() for c in texts[i]) for i in inside.tolist())
        if len(np.unique(seen)) < 2 or not words:
            continue
        pattern = r"\w+"  # the default drops words of one letter
        vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=pattern)
        model = make_pipeline(vectors, LogisticRegression(max_iter=1000))
        model.fit([texts[i] for i in inside.tolist()], seen)
        said[outside] = model.predict([texts[i] for i in outside.tolist()])
    return said
