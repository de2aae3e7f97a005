"""What the answers of a run cost: counted once, for all scorers of the run."""

from __future__ import annotations

from collections import Counter

from audit.models.engine import Meter
from audit.schema import Text, Usage, content_hash


class Ledger:
    """What the answers of a run have cost so far; shared by all scorers of the run."""

    def __init__(self, meter: Meter | None = None) -> None:
        """Count from zero, telling `meter` of each step."""
        self._counts: Counter[str] = Counter()
        self._seconds = 0.0
        self._cut: set[str] = set()
        self._meter = meter

    def usage(self) -> Usage:
        """Return the counts so far; asked = repeated + cached + scored once all calls have ended."""
        return Usage(**self._counts, truncated=len(self._cut), seconds=self._seconds)

    def cut(self, text: Text) -> None:
        """Count a text that lost its end; the same text counts once."""
        self._cut.add(content_hash(text))

    def answered(self, *, repeated: int, cached: int) -> None:
        """Count texts that needed no model."""
        self._counts.update(asked=repeated + cached, repeated=repeated, cached=cached)
        self._tell(texts=repeated + cached, scored=0, tokens=0)

    def plan(self, *, prompts: int, texts: int, tokens: int, whole: int) -> None:
        """Say what is about to be asked: `tokens`, where whole prompts would have `whole`."""
        if self._meter is not None and tokens:
            self._meter.say(
                f"{texts:,} questions under {prompts:,} prompt{'s' * (prompts > 1)}: {tokens:,} tokens, "
                f"{whole - tokens:,} saved by what the prompts share"
            )

    def asked(self, *, texts: int, scored: int, tokens: int, saved: int, seconds: float) -> None:
        """Count a batch: `scored` distinct token sequences that answered `texts` texts."""
        self._counts.update(
            asked=texts, repeated=texts - scored, scored=scored, tokens=tokens, tokens_saved=saved
        )
        self._seconds += seconds
        self._tell(texts=texts, scored=scored, tokens=tokens)

    def _tell(self, *, texts: int, scored: int, tokens: int) -> None:
        if self._meter is not None and texts:
            self._meter.advance(texts=texts, scored=scored, tokens=tokens)
