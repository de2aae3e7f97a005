"""Inputs without content: what a prompted model answers to them is the prompt's, not a text's.

Not quite free of content: `N/A` is mildly negative, and an empty text leaves a hole in a template. Strings of
random words of the domain say little of any label, and look more like what the model is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from audit.schema import Example, Text
from audit.seeds import Seeds

BLANKS = ("N/A", "", "[MASK]")
STREAM = "domain strings"
"""Name of the random stream; all probes draw from the same one, so that they ask the same strings."""


def blank_texts(pair: bool) -> list[Text]:
    """Return the three content-free inputs, for pair tasks with both slots filled.

    Source: Zhao et al. 2021 (arXiv:2102.09690), section 5. Both slots as in the code of Fei et al. 2023;
    Zhao's leaves the second one as it is.

    >>> blank_texts(False)
    ['N/A', '', '[MASK]']
    """
    return [(blank, blank) if pair else blank for blank in BLANKS]


def domain_texts(train: Sequence[Example], count: int, seeds: Seeds) -> list[Text]:
    """Return `count` strings of random words of the training texts, none where these have no words.

    Words stand between spaces and are drawn with replacement, each as often as it is used; a string has the
    mean number of words of the training texts (at least 1) and ends in " .". For pair tasks each slot is
    drawn from its own texts. The order of `train` changes nothing, and a larger count begins with the strings
    of a smaller one. A language written without spaces has no such words: its strings are whole texts.

    Source: Fei et al. 2023 (arXiv:2305.19148), section 4. Unlike their code, the words never come from the
    test.
    """
    slots = [[one.text for one in train]]
    if any(one.pair is not None for one in train):
        slots.append([one.pair or "" for one in train])
    pools = [_Pool(texts) for texts in slots]
    if not all(pool.words for pool in pools):
        return []
    drawn: list[Text] = []
    for i in range(count):
        rng = seeds.rng(STREAM, str(i))
        parts = [pool.string(rng) for pool in pools]
        drawn.append((parts[0], parts[1]) if len(parts) > 1 else parts[0])
    return drawn


class _Pool:
    """The words of some texts, how often each is used, and the texts' mean length."""

    def __init__(self, texts: Sequence[str]) -> None:
        used = Counter(word for text in texts for word in text.split())
        self.words = sorted(used)
        self._upto = np.cumsum([used[word] for word in self.words])
        self._length = max(1, round(used.total() / len(texts))) if texts else 0

    def string(self, rng: np.random.Generator) -> str:
        """Return random words and a full stop."""
        places = np.searchsorted(self._upto, rng.integers(0, self._upto[-1], self._length), side="right")
        return " ".join(self.words[place] for place in places) + " ."
