"""What do a thousand answers cost?

Money comes from prices that were declared; only lengths and times are measured. `cost_per_1000` of the slice
`by token` is what the tokens of 1,000 requests like the test texts (the prompt counted, and the tokens of the
answer) come to at a price per token; `by machine` is the time of 1,000 requests at the price of an hour of
the machine that this audit runs on. Where both are declared, and what is paid each month whatever is asked,
`break_even` is the number of requests in a month from which the machine is cheaper than the price per token.
Why it matters: between a large model at a price per token and a small one of one's own, volume decides, and
the volume where it turns is rarely the one that was guessed.
Not covered: staff, training, data, taxes, discounts, other machines; tokens are counted by this model's
tokenizer, and another model at another price counts otherwise: compare costs of a request, not of a token.
Source: Yang et al. 2023 (arXiv:2304.13712), section 5.1, on cost; the sums are our own.
Times are of one request at a time without a kept prompt: a server that batches is cheaper (`at_once`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from audit import stats
from audit.errors import ConfigError, shown
from audit.schema import Data, Demand, Estimate, Facts, Finding, Item, Skip, Stopwatch, Subject, Text
from audit.seeds import Seeds
from probes.efficiency import pictures, requests

Floats = NDArray[np.float64]

FEWEST = 2
"""Requests below which a mean has no interval."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Parameters, all of them declared and none measured.

    Edge rules: without a price there is no cost, and a price needs a currency. A price of 0 costs nothing and
    is skipped. Where the price per token is not surely above the machine's own cost of a request, no number
    of requests is surely enough, and the break-even is skipped.
    """

    id: ClassVar[str] = "efficiency.cost"
    needs: ClassVar[frozenset[str]] = frozenset()

    currency: str | None = None
    """Of all prices, as its three letters: EUR."""
    input_price: float | None = None
    """For 1,000 tokens that go in."""
    output_price: float | None = None
    """For 1,000 tokens that come out."""
    output_tokens: int = 1
    """Tokens of an answer."""
    machine_per_hour: float | None = None
    """Of the machine that this audit runs on."""
    utilisation: float = 1.0
    """Share of the paid hours in which it answers."""
    at_once: int = 1
    """Requests that it answers side by side in the time of one."""
    fixed_per_month: float = 0.0
    """What one's own machine costs in a month, whatever is asked."""
    requests_per_month: int | None = None
    """What is expected, for the cost of a month."""
    requests: int = 100
    """Requests that are measured."""
    warmup: int = 10
    """Requests before them that are not counted."""

    def __post_init__(self) -> None:
        prices = {
            name: getattr(self, name)
            for name in ("input_price", "output_price", "machine_per_hour", "fixed_per_month")
        }
        for name, price in prices.items():
            if price is not None and not 0 <= price < float("inf"):
                _refuse(name, price, "give a price of at least 0")
        if self.currency is not None and not re.fullmatch("[A-Z]{3}", self.currency):
            _refuse("currency", self.currency, "give three letters, for instance EUR")
        if self.currency is None and any(prices.values()):
            named, price = next((name, price) for name, price in prices.items() if price)
            _refuse("currency", None, f"{named} is {price:g}, of what? give three letters, for instance EUR")
        if (self.input_price is None) != (self.output_price is None):
            _refuse(
                "input_price and output_price", [self.input_price, self.output_price], "give both, or none"
            )
        if not 0 < self.utilisation <= 1:
            _refuse("utilisation", self.utilisation, "give a share in (0, 1]")
        for name, least in (("requests", FEWEST), ("warmup", 0), ("output_tokens", 0), ("at_once", 1)):
            if getattr(self, name) < least:
                _refuse(name, getattr(self, name), f"give at least {least}")
        if self.requests_per_month is not None and self.requests_per_month < 1:
            _refuse("requests_per_month", self.requests_per_month, "give at least 1")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Requests are only put where a machine has a price; tokens are counted without the model."""
        if self.machine_per_hour is None:
            return Demand()
        return Demand(texts=min(self.requests, len(data.test)) + self.warmup)

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Measure what has a price."""
        watch = subject.stopwatch
        if self.input_price is None and self.machine_per_hour is None and not self.fixed_per_month:
            why = "no price is declared: give input_price and output_price, or machine_per_hour, and currency"
            yield Skip(probe=self.id, reason=why)
            return
        texts = requests.draw(data, seeds, self.requests)
        if watch is None or len(texts) < FEWEST:
            why = f"data.test has {len(texts)} texts, and a mean needs {FEWEST}"
            yield Skip(probe=self.id, reason=why if watch else "this model cannot be asked past its caches")
            return
        tokens = [n for n in map(watch.tokens, texts) if n is not None]
        by_token = self._by_token(np.array(tokens, dtype=np.float64)) if tokens else None
        by_machine = self._by_machine(watch, texts)
        if by_token is None:
            why = "input_price and output_price are not declared" if tokens else "this model has no tokens"
            yield from self._skips(why, "by token")
        else:
            note = f"{np.mean(tokens):.1f} tokens in and {self.output_tokens} out, on average"
            yield from self._costs("by token", by_token, 0.0, note)
        if by_machine is None:
            yield from self._skips("machine_per_hour is not declared", "by machine")
        else:
            yield from self._costs("by machine", by_machine, self.fixed_per_month, self._machine(watch))
        yield self._break_even(by_token, by_machine)

    # --- costs of requests ----------------------------------------------------------------

    def _by_token(self, read: Floats) -> Floats | None:
        """Return (n,) costs of the requests; None without a price."""
        if self.input_price is None or self.output_price is None:
            return None
        return np.asarray((read * self.input_price + self.output_tokens * self.output_price) / 1000)

    def _by_machine(self, watch: Stopwatch, texts: Sequence[Text]) -> Floats | None:
        """Return (n,) costs of the requests, each timed; None without a price."""
        if self.machine_per_hour is None:
            return None
        for i in range(self.warmup):
            watch.answer(texts[i % len(texts)])
        seconds = np.array([watch.answer(text) for text in texts])
        return np.asarray(seconds * self.machine_per_hour / 3600 / (self.at_once * self.utilisation))

    def _machine(self, watch: Stopwatch) -> str:
        return (
            f"{self.machine_per_hour:g} {self.currency} an hour, a share of {self.utilisation:g} in use, "
            f"{self.at_once} at once; {watch.machine}"
        )

    def _costs(self, name: str, costs: Floats, fixed: float, note: str) -> Iterator[Finding | Skip]:
        try:
            each = stats.mean(costs, low=0.0)
        except ValueError as error:
            why = "the price is 0" if not costs.any() else f"there is no interval: {error}"
            yield from self._skips(why, name)
            return
        yield Finding(
            probe=self.id,
            metric="cost_per_1000",
            slice=name,
            estimate=_scaled(each, 1000),
            unit=f"{self.currency} per 1000 requests",
            better="lower",
            note=note,
        )
        if self.requests_per_month is None:
            return
        yield Finding(
            probe=self.id,
            metric="cost_per_month",
            slice=name,
            estimate=_scaled(each, self.requests_per_month, fixed),
            unit=f"{self.currency} per month",
            better="lower",
            note=f"{self.requests_per_month:,} requests"
            + (f" and {fixed:g} whatever is asked" if fixed else ""),
        )

    # --- where it turns -------------------------------------------------------------------

    def _break_even(self, by_token: Floats | None, by_machine: Floats | None) -> Finding | Skip:
        if by_token is None or not self.fixed_per_month:
            why = "it takes input_price, output_price and fixed_per_month, and not all are declared"
            return self._skip(why, "break_even", None)
        try:
            saved = stats.mean(by_token if by_machine is None else by_token - by_machine)
        except ValueError as error:
            return self._skip(f"there is no interval: {error}", "break_even", None)
        if saved.low <= 0:
            low, value, high = (f"{1000 * x:.3g}" for x in (saved.low, saved.value, saved.high))
            why = (
                "the price per token is not surely above the machine's cost of a request, so no number of "
                f"requests is surely enough: 1000 save {value} ({low} to {high}) {self.currency}"
            )
            return self._skip(why, "break_even", None)
        fixed = self.fixed_per_month
        estimate = Estimate(
            value=fixed / saved.value,
            low=fixed / saved.high,
            high=fixed / saved.low,
            n=saved.n,
            level=saved.level,
            method=f"fixed cost by mean saving of a request ({saved.method})",
        )
        own = 0.0 if by_machine is None else float(by_machine.mean())
        return Finding(
            probe=self.id,
            metric="break_even",
            estimate=estimate,
            unit="requests per month",
            better="neither",
            note=f"above it one's own machine ({fixed:g} {self.currency} a month) is cheaper than tokens"
            + ("; its requests are taken to cost nothing more" if by_machine is None else ""),
            series=pictures.months(
                estimate.value,
                {"by token": (0.0, float(by_token.mean())), "by machine": (fixed, own)},
                str(self.currency),
            ),
        )

    # --- parts ----------------------------------------------------------------------------

    def _skips(self, why: str, name: str) -> Iterator[Skip]:
        yield self._skip(why, "cost_per_1000", name)
        if self.requests_per_month is not None:
            yield self._skip(why, "cost_per_month", name)

    def _skip(self, why: str, metric: str, name: str | None) -> Skip:
        return Skip(probe=self.id, metric=metric, slice=name, reason=why)


def _scaled(estimate: Estimate, factor: float, fixed: float = 0.0) -> Estimate:
    return replace(
        estimate,
        value=fixed + factor * estimate.value,
        low=fixed + factor * estimate.low,
        high=fixed + factor * estimate.high,
    )


def _refuse(name: str, found: object, advice: str) -> NoReturn:
    raise ConfigError(f"{Cost.id}: {name}: cannot be {shown(found)}; {advice}")
