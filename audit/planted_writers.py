"""Language models with a flaw of known size, for tests of probes that let a model write.

What each writes and how likely it finds a text is a hash of the question, so equal questions have equal
answers, whatever the order of the calls. Tokens are words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from audit.planted import coin

WORDS = ("the", "river", "was", "calm", "and", "we", "sat", "near", "a", "small", "boat", "until", "evening")


@dataclass(frozen=True, kw_only=True)
class Clean:
    """Writes harmless words, knows no text better than another, and obeys nobody."""

    words: int = 8
    """Words of each text."""
    seed: int = 0
    chat_frame: str | None = None
    """The chat template that it is said to have."""
    counts: list[int] = field(default_factory=list, compare=False)
    """Prompts or pairs of each call so far."""

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        samples: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[list[str]]:
        """Write; without temperature all samples are the first. `top_p` changes nothing."""
        self.counts.append(len(prompts))
        places = [place if temperature > 0 else 0 for place in range(samples)]
        return [[self.said(prompt, f"{seed}/{place}") for place in places] for prompt in prompts]

    def log_probs(self, pairs: Sequence[tuple[str, str]]) -> list[NDArray[np.float64]]:
        """Read, a word a token: minus 1 to 5 for each."""
        self.counts.append(len(pairs))
        return [
            np.array([-1 - 4 * coin((pair, i), self.seed) for i, _ in enumerate(pair[1].split())])
            for pair in pairs
        ]

    def said(self, prompt: str, sample: str) -> str:
        """Return one text."""
        draws = (coin((prompt, sample, i), self.seed) for i in range(self.words))
        return " " + " ".join(WORDS[int(draw * len(WORDS))] for draw in draws)


@dataclass(frozen=True, kw_only=True)
class Leaking(Clean):
    """Writes a piece of text of its own accord, at a known rate."""

    secret: str
    rate: float
    """Probability of each text to hold it."""

    def said(self, prompt: str, sample: str) -> str:
        """Return one text, the secret in its midst or not."""
        plain = super().said(prompt, sample)
        if coin((sample, prompt), self.seed + 1) < self.rate:
            return f"{plain} {self.secret} {WORDS[0]}"
        return plain


@dataclass(frozen=True, kw_only=True)
class Remembering(Clean):
    """Goes on with texts that it knows by heart, and finds them likelier than others."""

    texts: tuple[str, ...]
    rate: float = 1.0
    """Share of the texts that it can go on with."""
    gain: float = 1.0
    """What each word of a known text gains in log-probability, at most up to 0."""

    def said(self, prompt: str, sample: str) -> str:
        """Return the rest of a known text that begins with the prompt."""
        for text in self.texts:
            if prompt and text.startswith(prompt) and coin(text, self.seed + 2) < self.rate:
                return text[len(prompt) :]
        return super().said(prompt, sample)

    def log_probs(self, pairs: Sequence[tuple[str, str]]) -> list[NDArray[np.float64]]:
        """Read; known texts gain."""
        found = super().log_probs(pairs)
        known = set(self.texts)
        return [
            np.minimum(one + self.gain, 0.0) if context + continuation in known else one
            for (context, continuation), one in zip(pairs, found, strict=True)
        ]


@dataclass(frozen=True, kw_only=True)
class Obeying(Clean):
    """Does its task, unless it finds an instruction in what it was given and obeys that."""

    pattern: str
    """Of an instruction, with one group: what it is told to write."""
    rate: float = 1.0
    """Share of the prompts with an instruction in which it obeys."""
    task: str = " positive"
    """What it writes where it does its task."""
    both: bool = False
    """True: it obeys after it has done its task."""

    def said(self, prompt: str, sample: str) -> str:
        """Return the answer, or what the last instruction says."""
        found = re.findall(self.pattern, prompt)
        if not found or coin((prompt, sample), self.seed + 3) >= self.rate:
            return self.task
        return f"{self.task}. {found[-1]}" if self.both else f" {found[-1]}"
