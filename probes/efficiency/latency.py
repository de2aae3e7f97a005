"""How long does one answer take?

Requests are put to the model one at a time, as a server without any cache answers them, after a few that are
not counted; the clock runs from the text to the probabilities. `p95_latency` is the time that 95 requests of
100 keep to, likewise 50, 90 and 99, of the slices `one text`; `prompt kept`, where the prompt before the text
was read beforehand; `first token`, after a prompt as long as a request; and `per token`, a request's mean
over the tokens after its first. A line through the times of writing parts what is paid once, for each token
read and for each token written (`fit_…`). `throughput` is of several texts put in one call.
Why it matters: whoever waits, waits for the slow ones, and a mean hides them. A model that is right and late
is of no use where the answer has a deadline.
Not covered: network and queue of a real service, many users at once, any machine but the one named beside
the numbers, energy. Intervals take requests as independent; a machine that slows down as it grows warm
shows in the note, as the medians of both halves.
Source: Liang et al. 2022 (HELM, arXiv:2211.09110), whose appendix on efficiency has a line through lengths of
prompt and output; David and Nagaraja 2003, section 7.1, for intervals of percentiles by order statistics.
Unlike HELM we time the machine at hand and add no idealised one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.errors import ConfigError, shown
from audit.schema import Data, Demand, Facts, Finding, Item, Skip, Stopwatch, Subject, Text
from audit.seeds import Seeds
from probes.efficiency import fit, pictures, requests
from probes.efficiency.percentiles import fewest, percentile

PERCENTILES = {"p50_latency": 0.5, "p90_latency": 0.9, "p95_latency": 0.95, "p99_latency": 0.99}
"""Metric → share of requests."""
WRITING = ("first token", "per token")
"""Slices of a model that writes."""
FITS = {term: "milliseconds" + " per token" * (term != "overhead") for term in fit.TERMS}
"""Term of the line → its unit."""
MS = 1000.0
Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Parameters.

    Edge rules: a percentile is skipped below the number of requests that bound it from above (59 for p95, 299
    for p99). No text is timed twice, so there are no more requests than test texts. Sizes of the line that
    are longer than the model can take are left out.
    """

    id: ClassVar[str] = "efficiency.latency"
    needs: ClassVar[frozenset[str]] = frozenset()

    requests: int = 300
    """Requests that are timed; 59 give p95, 299 p99."""
    warmup: int = 10
    """Requests before them that are not counted."""
    writes: int = 60
    """Requests that write, of a language model; 0 for none, then there is no line either."""
    new_tokens: int = 16
    """Tokens that each of them writes."""
    grid_read: tuple[int, ...] = (32, 128, 256)
    """Tokens of the prompts of the line."""
    grid_written: tuple[int, ...] = (2, 8, 32)
    """Tokens written for the line."""
    rounds: int = 3
    """Times that each size of the line is asked; 0 for no line."""
    batch: int = 8
    """Texts of one call, for the throughput."""
    batches: int = 5
    """Such calls; 0 for no throughput."""

    def __post_init__(self) -> None:
        for name, bound in (
            ("requests", 1),
            ("warmup", 0),
            ("writes", 0),
            ("new_tokens", 2),
            ("rounds", 0),
            ("batch", 1),
            ("batches", 0),
        ):
            if getattr(self, name) < bound:
                _refuse(name, getattr(self, name), f"give at least {bound}")
        for name, fewest_sizes in (("grid_read", 1), ("grid_written", 2)):
            sizes = getattr(self, name)
            if min(sizes, default=0) < 1 or not fewest_sizes <= len(sizes) == len(set(sizes)):
                _refuse(name, sizes, f"give at least {fewest_sizes} different numbers, each at least 1")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """All requests, those that are not counted too."""
        texts = min(self.requests, len(data.test)) + self.warmup
        together = self.batch * (self.batches + 1) if self.batches else 0
        if facts.kind == "fine-tuned":
            return Demand(texts=texts + together)
        line = self.rounds * len(self.grid_read) * sum(self.grid_written)
        written = (self.writes + 1) * self.new_tokens + line if self.writes else 0
        return Demand(texts=2 * texts + together, generated=written)

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Time single requests, then writing, then calls with several texts."""
        watch = subject.stopwatch
        if watch is None:
            yield Skip(probe=self.id, reason="this model cannot be asked past its caches, so not be timed")
            return
        texts = requests.draw(data, seeds, self.requests)
        if not texts:
            yield Skip(probe=self.id, reason="data.test has no texts to time")
            return
        yield from self._single(watch, texts)
        yield from self._writing(watch, texts, subject.facts, seeds)
        yield from self._together(watch, texts, seeds)

    # --- one request at a time ------------------------------------------------------------

    def _single(self, watch: Stopwatch, texts: Sequence[Text]) -> Iterator[Finding | Skip]:
        whole: list[float] = []
        kept: list[float] = []
        for i in range(-self.warmup, len(texts)):
            text = texts[i % len(texts)]
            # Both kinds in turn, so that a machine that slows down does so for both.
            seconds = watch.answer(text)
            after = watch.answer_kept(text) if watch.keeps_prompt else None
            if i >= 0:
                whole.append(seconds)
                kept += [] if after is None else [after]
        tokens = [n for n in map(watch.tokens, texts) if n is not None]
        size = f" of {median(tokens):.0f} tokens (median), prompt included" if tokens else ""
        yield from self._percentiles("one text", whole, f"requests{size}, one at a time; {watch.machine}")
        if kept:
            said = f"the prompt was read before, only the text is read; {watch.machine}"
            yield from self._percentiles("prompt kept", kept, said)
        else:
            why = "no prompt stands before the text that a server could keep"
            yield from self._skips(why, "prompt kept", *PERCENTILES, applicable=False)

    def _percentiles(self, name: str, seconds: Sequence[float], said: str) -> Iterator[Finding | Skip]:
        times = [MS * one for one in seconds]
        halves = ""
        if len(times) >= 10:
            first, second = times[: len(times) // 2], times[len(times) // 2 :]
            halves = f"; median {median(first):.4g} in the first half, {median(second):.4g} in the second"
        for metric, share in PERCENTILES.items():
            least = fewest(share)
            if len(times) < least:
                more = "writes" if name in WRITING else "requests, or give more test texts"
                why = f"it takes {least} requests to bound it, and {len(times)} were timed: raise {more}"
                yield from self._skips(why, name, metric)
                continue
            yield Finding(
                probe=self.id,
                metric=metric,
                slice=name,
                estimate=percentile(times, share),
                unit="milliseconds",
                better="lower",
                note=f"{said}{halves}",
                series=pictures.times(name, times) if share == 0.5 else None,
            )

    # --- writing --------------------------------------------------------------------------

    def _writing(
        self, watch: Stopwatch, texts: Sequence[Text], facts: Facts, seeds: Seeds
    ) -> Iterator[Finding | Skip]:
        longest = facts.max_length
        why = "" if watch.writes else "this model does not write text, or not token by token"
        why = why or ("" if self.writes else "writes is 0, so nothing was written")
        if not why and longest is not None and longest <= self.new_tokens:
            why = f"the model can take {longest} tokens, and new_tokens is {self.new_tokens}: lower it"
        if why:
            for name in WRITING:
                yield from self._skips(why, name, *PERCENTILES, applicable=watch.writes)
            yield from self._skips(why, None, *(f"fit_{term}" for term in FITS), applicable=watch.writes)
            return
        yield from self._tokens(watch, texts, longest)
        yield from self._line(watch, _joined(texts[0]), longest, seeds)

    def _tokens(
        self, watch: Stopwatch, texts: Sequence[Text], longest: int | None
    ) -> Iterator[Finding | Skip]:
        first: list[float] = []
        rest: list[float] = []
        for i in range(-1, min(self.writes, len(texts))):
            text = texts[max(i, 0)]
            # As long as a request, cut where the model would have no room to write.
            read = watch.tokens(text) or 1
            read = read if longest is None else max(1, min(read, longest - self.new_tokens))
            steps = watch.write(_joined(text), read=read, written=self.new_tokens)
            if i >= 0:  # the one before is not counted
                first.append(steps[0])
                rest.append(float(np.mean(steps[1:])))
        yield from self._percentiles("first token", first, "after a prompt as long as a request")
        speed = f"{1 / median(rest):.3g} tokens a second"
        yield from self._percentiles(
            "per token",
            rest,
            f"each request's mean over {self.new_tokens - 1} tokens after its first; {speed}",
        )

    def _line(
        self, watch: Stopwatch, prompt: str, longest: int | None, seeds: Seeds
    ) -> Iterator[Finding | Skip]:
        sizes = [
            (read, written)
            for read, written in fit.grid(self.grid_read, self.grid_written, self.rounds)
            if longest is None or read + written <= longest
        ]
        why = "" if self.rounds else "rounds is 0"
        if why := why or ("" if sizes else "the model can take none of the sizes: name smaller ones"):
            yield from self._skips(f"there is no line: {why}", None, *(f"fit_{term}" for term in FITS))
            return
        times = [MS * sum(watch.write(prompt, read=read, written=written)) for read, written in sizes]
        read, written = zip(*sizes, strict=True)
        try:
            terms = fit.estimates(read, written, times, seeds, self.id, "line")
        except ValueError as error:
            yield from self._skips(f"there is no line: {error}", None, *(f"fit_{term}" for term in FITS))
            return
        line = fit.Line(**{term: estimate.value for term, estimate in terms.items()})
        for term, unit in FITS.items():
            if term not in terms:
                why = "all prompts of the line were equally long: name more in grid_read"
                yield from self._skips(why, None, f"fit_{term}")
                continue
            yield Finding(
                probe=self.id,
                metric=f"fit_{term}",
                estimate=terms[term],
                unit=unit,
                better="lower",
                note=f"least squares over {len(sizes)} requests; if it went on so, reading 1,000 tokens and "
                f"writing 100 would take {line.at(1000, 100) / MS:.3g} seconds",
                series=pictures.line(sizes, times, line) if term == "per_token" else None,
            )

    # --- several texts in one call --------------------------------------------------------

    def _together(self, watch: Stopwatch, texts: Sequence[Text], seeds: Seeds) -> Iterator[Finding | Skip]:
        names = ("throughput", "token_throughput")
        if not self.batches:
            yield from self._skips("batches is 0, so no call had several texts", "all", *names)
            return
        calls = [
            [texts[(self.batch * i + j) % len(texts)] for j in range(self.batch)]
            for i in range(-1, self.batches)
        ]
        # The first one is not counted.
        seconds = np.array([watch.answer_together(call) for call in calls][1:])
        read = [[watch.tokens(text) for text in call] for call in calls[1:]]
        note = f"{self.batch} texts in one call, {self.batches} calls; {watch.machine}"
        texts_each = np.full(self.batches, float(self.batch))
        yield self._rate("throughput", texts_each, seconds, "texts per second", note, seeds)
        if any(n is None for call in read for n in call):
            yield from self._skips("this model has no tokens", None, "token_throughput", applicable=False)
            return
        tokens = np.array([sum(n or 0 for n in call) for call in read], dtype=np.float64)
        said = f"read, padding not counted; {note}"
        yield self._rate("token_throughput", tokens, seconds, "tokens per second", said, seeds)

    def _rate(
        self, metric: str, done: Numbers, seconds: Numbers, unit: str, note: str, seeds: Seeds
    ) -> Finding | Skip:
        """Return what was done in all by the time it took in all: slow calls weigh as long as they last."""
        rng = seeds.rng(self.id, metric)
        try:
            estimate = stats.bootstrap(_by_time, done, seconds, rng=rng, draws=fit.DRAWS, low=0.0)
        except ValueError as error:
            return Skip(probe=self.id, metric=metric, reason=f"there is no interval: {error}")
        return Finding(probe=self.id, metric=metric, estimate=estimate, unit=unit, better="higher", note=note)

    def _skips(self, why: str, name: str | None, *metrics: str, applicable: bool = True) -> Iterator[Skip]:
        for metric in metrics:
            yield Skip(probe=self.id, metric=metric, slice=name, reason=why, applicable=applicable)


def _by_time(done: Numbers, seconds: Numbers) -> float:
    return float(done.sum() / seconds.sum())


def _joined(text: Text) -> str:
    return text if isinstance(text, str) else "\n".join(text)


def _refuse(name: str, found: object, advice: str) -> None:
    raise ConfigError(f"{Latency.id}: {name}: cannot be {shown(found)}; {advice}")
