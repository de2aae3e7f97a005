"""Texts without meaning: words in shuffled blocks, marks, and random words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MARKS = "?!.,;:-"


def shuffled(text: str, rng: np.random.Generator, size: int) -> str:
    """Return `text` with its words in another order, in blocks of `size` words that stay together.

    Promises: the words stay the same ones. With two blocks or more that differ, some word moves; the last
    block may be shorter. Where no word can move the text stays as it is; else white space becomes single
    spaces.

    >>> shuffled("a b c", np.random.default_rng(0), 3)
    'a b c'
    """
    words = text.split()
    blocks = [words[i : i + size] for i in range(0, len(words), size)]
    order = rng.permutation(len(blocks)).tolist()
    for turn in range(len(blocks)):  # a permutation may change nothing; a turned one then does
        turned = [word for i in order[turn:] + order[:turn] for word in blocks[i]]
        if turned != words:
            return " ".join(turned)
    return text


def marks(length: int, rng: np.random.Generator) -> str:
    """Return that many punctuation marks."""
    return "".join(MARKS[i] for i in rng.integers(len(MARKS), size=length))


def random_words(vocabulary: Sequence[str], length: int, rng: np.random.Generator) -> str:
    """Return that many words of the vocabulary, each drawn alike.

    Args:
        vocabulary: at least one word, in an order that does not hang on that of the data.
    """
    return " ".join(vocabulary[i] for i in rng.integers(len(vocabulary), size=length))
