"""Stopwatches that tell planted times: the truth is known, and nothing waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from audit.schema import Data, Example, Facts, Finding, Item, Probe, Sizes, Skip, Subject, Text
from audit.seeds import Seeds

Draw = Callable[[np.random.Generator], float]


@dataclass(kw_only=True)
class Watch:
    """Says the times that it is told to say."""

    one: Draw = lambda rng: 0.010 * rng.lognormal(0.0, 0.3)
    """Seconds of a request."""
    kept: Draw | None = None
    """Seconds of a request whose prompt is kept; None where there is no prompt."""
    first: Draw | None = None
    """Seconds to the first token; None for a model that does not write."""
    rest: Draw = lambda rng: 0.040 * rng.lognormal(0.0, 0.1)
    """Seconds from one token to the next."""
    of_prompt: float = 0.0
    """Seconds for each token of a prompt that is written after."""
    cold: int = 0
    """So many requests at the beginning take a minute each."""
    length: Callable[[Text], int | None] = lambda text: len(str(text).split())
    """Tokens of a text."""
    held: Sizes = field(default_factory=Sizes)
    seed: int = 0
    machine: str = "a machine"
    asked: list[Text] = field(default_factory=list)
    """Texts of single requests, in order."""
    calls: list[list[Text]] = field(default_factory=list)
    """Texts of calls with several."""
    written: list[tuple[int, int]] = field(default_factory=list)
    """(read, written) of each request that wrote."""

    def __post_init__(self) -> None:
        """Start the random stream."""
        self._rng = np.random.default_rng(self.seed)

    @property
    def keeps_prompt(self) -> bool:
        """Whether there is a prompt."""
        return self.kept is not None

    @property
    def writes(self) -> bool:
        """Whether it writes."""
        return self.first is not None

    def tokens(self, text: Text) -> int | None:
        """Count words."""
        return self.length(text)

    def answer(self, text: Text) -> float:
        """Draw a time."""
        self.asked.append(text)
        return 60.0 if len(self.asked) <= self.cold else self.one(self._rng)

    def answer_kept(self, text: Text) -> float:
        """Draw a time."""
        assert self.kept is not None
        return self.kept(self._rng)

    def answer_together(self, texts: Sequence[Text]) -> float:
        """Draw a time for each."""
        self.calls.append(list(texts))
        return sum(self.one(self._rng) for _ in texts)

    def write(self, prompt: str, *, read: int, written: int) -> tuple[float, ...]:
        """Draw times."""
        assert self.first is not None
        self.written.append((read, written))
        begun = self.first(self._rng) + self.of_prompt * read
        return (begun, *(self.rest(self._rng) for _ in range(written - 1)))

    def sizes(self) -> Sizes:
        """Say what was planted."""
        return self.held


def data(n: int) -> Data:
    """Texts of 1 to 20 words, no two alike."""
    test = tuple(Example(id=f"e{i}", text=" ".join(["word"] * (i % 20) + [str(i)])) for i in range(n))
    return Data(labels=("a", "b"), test=test)


def results(
    probe: Probe, watch: Watch | None, given: Data, *, seed: int = 0, max_length: int | None = None
) -> list[Finding | Skip | Item]:
    """Run a probe on nothing but a stopwatch."""
    kind = "in-context" if watch is not None and watch.writes else "fine-tuned"
    facts = Facts(kind=kind, source="planted", max_length=max_length)  # type: ignore[arg-type]
    return list(probe.run(Subject(classifier=None, stopwatch=watch, facts=facts), given, Seeds(seed)))


def found(probe: Probe, watch: Watch | None, given: Data, **more: int) -> dict[tuple[str, str], Finding]:
    """Return findings by (metric, slice)."""
    listed = results(probe, watch, given, **more)
    return {(f.metric, f.slice): f for f in listed if isinstance(f, Finding)}


def skipped(probe: Probe, watch: Watch | None, given: Data, **more: int) -> dict[tuple[str, str], Skip]:
    """Return skips by (metric, slice); `all` for a metric that was skipped whole."""
    listed = results(probe, watch, given, **more)
    return {(str(s.metric), s.slice or "all"): s for s in listed if isinstance(s, Skip)}
