"""One prompt over one causal model, as an Engine: texts in, log-probabilities of the classes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.errors import ModelError, shown
from audit.models.causal import Causal
from audit.models.engine import Encoded, Row
from audit.models.joining import Joint, join, split
from audit.models.pieces import Layout, Pieces, fill, fit, lay_out
from audit.models.tree import Tree
from audit.models.trie import Segments
from audit.schema import Prompt, Text

LEAST = 16
"""Tokens of a text that must be left after cutting; with fewer, the answer is about the prompt alone."""


class Asking:
    """An Engine that scores verbalizers.

    A class's number is the logarithm of the summed probabilities of its forms, each the product of its
    tokens' probabilities over the full vocabulary; `mass` is the sum over all classes, before normalising.
    All forms are scored whole, in one pass: their tokens hang on the text as a tree.
    """

    def __init__(self, causal: Causal, prompt: Prompt) -> None:
        """Tokenise the prompt.

        Raises:
            ModelError: verbalizers that cannot be told apart, or a prompt without room for a text.
        """
        layout = lay_out(prompt, causal.chat)
        self.batch_tokens = causal.batch_tokens
        self._causal = causal
        self._layout = layout
        pieces = causal.pieces
        segments = _segments(layout, pieces)
        prefix = tuple(token for segment in segments for token in segment)
        self._starts = not layout.segments
        tail = self._follow([fill(layout.section, ("", "")) + layout.tail])[0]
        # A text without a token needs one to be asked after, and so does a model that shares nothing.
        cut = len(prefix) if causal.shares and tail else len(prefix) - 1 if causal.shares else 0
        self.beginning, self._carried = _cut(segments, max(0, cut))
        self._prefix = prefix[: max(0, cut)]
        self.prefix_tokens = len(self._prefix)
        self._branches = branch(form_ids(layout.forms, pieces.follow, name=causal.name))
        self.notes = (*causal.notes, *self._merging())
        self._room = self._space(len(prefix), len(tail))

    def encode(self, texts: Sequence[Text]) -> list[Encoded]:
        """Tokenise the test item of each text; one that is too long loses its end, the template stays.

        Raises:
            ModelError: a text and a template that together have no token at all.
        """
        ids = self._items(texts)
        found = [Encoded(ids=one) for one in ids]
        for i, one in enumerate(ids):
            if self._room is not None and len(one) > self._room:
                kept = fit(texts[i], self._room, lambda text: len(self._items([text])[0]))
                found[i] = Encoded(ids=self._items([kept])[0], truncated=True)
            elif not one:
                raise ModelError(
                    f"{self._causal.name}: nothing is left to ask: the text {shown(texts[i])} has no token, "
                    "and model.prompt.template adds none; write some words into the template"
                )
        return found

    def forward(self, batch: Sequence[Encoded]) -> list[Row]:
        """Ask once; k log-probabilities in the order of the labels, before normalising."""
        joints = self.joints(batch)
        return self.rows(split(joints, self._causal.read([one.tree for one in joints], self._prefix)))

    def joints(self, batch: Sequence[Encoded], behind: tuple[int, ...] = ()) -> list[Joint]:
        """Return `trees`, those of texts that begin alike as one."""
        return join(self.trees(batch, behind), [one.ids for one in batch])

    def trees(self, batch: Sequence[Encoded], behind: tuple[int, ...] = ()) -> list[Tree]:
        """Return each text with the verbalizers after it, on a beginning in a pool."""
        return [self._branches.after(one.ids, behind) for one in batch]

    def rows(self, reads: Sequence[NDArray[np.float64]]) -> list[Row]:
        """Return the answers that the trees' log-probabilities make."""
        return [self._branches.row(read) for read in reads]

    def longest(self, text: int) -> int:
        """Return the tokens of a whole sequence whose text has so many."""
        return len(self._prefix) + text + self._branches.depth

    def _items(self, texts: Sequence[Text]) -> list[tuple[int, ...]]:
        """What each text adds to the shared prefix."""
        layout = self._layout
        parts = [fill(layout.section, text) + layout.tail for text in texts]
        return [(*self._carried, *ids) for ids in self._follow(parts)]

    def _follow(self, parts: list[str]) -> list[tuple[int, ...]]:
        """Tokenise test items: after the prompt's pieces, or as the beginning where there are none."""
        pieces = self._causal.pieces
        if not self._starts:
            return pieces.follow(parts)
        return [pieces.start(part)[len(pieces.empty) :] for part in parts]

    def _space(self, prefix: int, tail: int) -> int | None:
        """Return the tokens that a test item may have, None for no limit."""
        context = self._causal.context
        if context is None:
            return None
        need = prefix + tail + self._branches.depth
        if context - need < LEAST:
            raise ModelError(
                f"{self._causal.name}: the prompt leaves no room for a text: instruction, demonstrations, "
                f"template and label have {need} tokens of {context}, and a text needs {LEAST}; "
                "use fewer shots (model.prompt.demonstrations.shots) or a model with a longer context"
            )
        return context - len(self._prefix) - self._branches.depth

    def _merging(self) -> tuple[str, ...]:
        """Notes of labels that the tokenizer would join with the template's end if they were one string."""
        pieces, tail = self._causal.pieces, self._layout.tail
        notes = []
        for forms in self._layout.forms.values():
            for form in forms:
                joined, apart = pieces.follow([tail + form, tail]), pieces.follow([form])[0]
                if joined[0] != (*joined[1], *apart):
                    notes.append(
                        f"the tokenizer would join {shown(form)} with the template's end "
                        f"{shown(tail[-12:])}; they are asked as two pieces"
                    )
        return tuple(notes)


@dataclass(frozen=True, slots=True)
class Branches:
    """Verbalizers as a tree of tokens that follows a text."""

    ids: tuple[int, ...]
    """Tokens that have something after them; the last ones of the forms are only read."""
    parents: tuple[int, ...]
    """Places in `ids`, -1 for the text's last token."""
    forms: tuple[tuple[tuple[tuple[int, int], ...], ...], ...]
    """For each label and form: (place, token) to be read, one for each of its tokens."""
    depth: int
    """Tokens of the longest form that go through the model."""

    def after(self, ids: tuple[int, ...], behind: tuple[int, ...] = ()) -> Tree:
        """Hang the branches on a text; an empty one is asked at the end of the prefix."""
        n = len(ids)
        chain = range(-1, n - 1)
        reads = tuple(
            (n + place if place >= 0 else n - 1, token)
            for forms in self.forms
            for form in forms
            for place, token in form
        )
        parents = tuple(n + parent if parent >= 0 else n - 1 for parent in self.parents)
        return Tree((*ids, *self.ids), (*chain, *parents), reads, behind)

    def row(self, read: NDArray[np.float64]) -> Row:
        """Sum what was read: over a form's tokens, then (as probabilities) over a label's forms."""
        ends = np.cumsum([len(form) for forms in self.forms for form in forms])[:-1]
        sums = iter([float(part.sum()) for part in np.split(read, ends)])
        classes = [np.logaddexp.reduce([next(sums) for _ in forms]) for forms in self.forms]
        # Rounding may lift a sum of all but certain probabilities over one.
        mass = min(1.0, float(np.exp(np.logaddexp.reduce(classes))))
        return Row(logits=tuple(float(one) for one in classes), mass=mass)


def _segments(layout: Layout, pieces: Pieces) -> Segments:
    """Tokenise what stands before every test item; BOS alone where nothing does."""
    shared = layout.shared
    if not shared:
        return (pieces.empty,) if pieces.empty else ()
    ids = iter([pieces.start(shared[0]), *pieces.follow(shared[1:])])
    return tuple(tuple(token for _ in segment for token in next(ids)) for segment in layout.segments)


def _cut(segments: Segments, keep: int) -> tuple[Segments, tuple[int, ...]]:
    """Return the first `keep` tokens, in their segments, and the others."""
    kept: list[tuple[int, ...]] = []
    for segment in segments:
        kept.append(segment[: max(0, keep)])
        keep -= len(segment)
    rest = tuple(token for one, part in zip(segments, kept, strict=True) for token in one[len(part) :])
    return tuple(part for part in kept if part), rest


def branch(forms: Sequence[Sequence[tuple[int, ...]]]) -> Branches:
    """Join forms that begin alike.

    >>> branch([[(5, 6)], [(5, 7), (8,)]])
    Branches(ids=(5,), parents=(-1,), forms=((((-1, 5), (0, 6)),), (((-1, 5), (0, 7)), ((-1, 8),))), depth=1)
    """
    places: dict[tuple[int, ...], int] = {(): -1}
    ids: list[int] = []
    parents: list[int] = []
    for form in (form for many in forms for form in many):
        for end in range(1, len(form)):
            if form[:end] not in places:
                places[form[:end]] = len(ids)
                ids.append(form[end - 1])
                parents.append(places[form[: end - 1]])
    reads = tuple(
        tuple(tuple((places[form[:end]], token) for end, token in enumerate(form)) for form in many)
        for many in forms
    )
    depth = max(len(form) - 1 for many in forms for form in many)
    return Branches(tuple(ids), tuple(parents), reads, depth)


def form_ids(
    forms: Mapping[str, tuple[str, ...]], follow: Callable[[list[str]], list[tuple[int, ...]]], *, name: str
) -> list[list[tuple[int, ...]]]:
    """Tokenise the forms of each label, each distinct one once.

    Raises:
        ModelError: a form without a token, or one that is another, or begins another.
    """
    tokens = {label: dict(zip(follow(list(many)), many, strict=True)) for label, many in forms.items()}
    every = [(label, ids, form) for label, many in tokens.items() for ids, form in many.items()]
    for label, ids, form in every:
        where = f"{name}: model.prompt.verbalizers.{label}"
        if not ids:
            raise ModelError(f"{where}: a form has no token: found {shown(form)}; write a word")
        for other, longer, text in every:
            if (label, ids) == (other, longer) or longer[: len(ids)] != ids:
                continue
            if longer == ids:
                raise ModelError(
                    f"{where}: {shown(form)} has the same tokens as {shown(text)} of {other}; "
                    "the labels cannot be told apart: give them different words"
                )
            raise ModelError(
                f"{where}: {shown(form)} is the beginning of {shown(text)} of {other}, so its probability "
                "counts both; drop one of them or add what ends it, for instance a full stop"
            )
    return [list(many) for many in tokens.values()]
