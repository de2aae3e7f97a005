"""How much is there of the model, and how much of it would have to be shipped?

The loaded model is counted, and asked once. `parameters` are counted where they lie in memory, so that tied
weights count once; `trainable` is what tuning may have changed, an adapter's own where the model comes as an
adapter; `weight_memory` is their size in memory, `artefact` that of the files on disk, `adapter_artefact`
that of the adapter alone. `lora_parameters` is what a low-rank adapter on the query and value projections
would have: what could be shipped in place of a copy of all weights. `forward_operations` is what one request
takes, by the usual formula, and `peak_memory` the most that was in use in this run.
Why it matters: what is large is dear to run, slow to move and slow to change; one base with an adapter for
each task takes a fraction of what copies of it take.
Not covered: whether an adapter would do as well (tune one and compare the runs), memory of a server with many
requests at once, energy. Without a GPU peak memory is that of the whole audit, Python and libraries included.
Source: Hu et al. 2021 (arXiv:2106.09685) for adapters; Kaplan et al. 2020 (arXiv:2001.08361), table 1, for
operations: 2 for each parameter and token, and those of attention.
Unlike Kaplan et al. we count the parameters of the loaded model and leave out tables that are only looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from audit import stats
from audit.errors import ConfigError, shown
from audit.schema import (
    Better,
    Data,
    Demand,
    Estimate,
    Facts,
    Finding,
    Item,
    Sizes,
    Skip,
    Subject,
)
from audit.seeds import Seeds
from probes.efficiency import requests
from probes.efficiency.arithmetic import forward_operations, lora_parameters, training_operations

MEGA = 1e6
GIGA = 1e9


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Parameters.

    Edge rules: what a kind of model does not have (a function's parameters, the adapter of a whole model) is
    skipped. Counts are exact: their interval is the number itself.
    """

    id: ClassVar[str] = "efficiency.footprint"
    needs: ClassVar[frozenset[str]] = frozenset()

    ranks: tuple[int, ...] = (8,)
    """Ranks of the adapters that are reckoned."""
    requests: int = 100
    """Test texts whose tokens are counted, for the operations of a request."""

    def __post_init__(self) -> None:
        if not self.ranks or min(self.ranks) < 1 or len(set(self.ranks)) < len(self.ranks):
            raise ConfigError(
                f"{self.id}: ranks: cannot be {shown(self.ranks)}; give different ranks of at least 1"
            )
        if self.requests < 2:
            raise ConfigError(f"{self.id}: requests: cannot be {shown(self.requests)}; give at least 2")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """One request."""
        return Demand(texts=1)

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Count the loaded model."""
        watch = subject.stopwatch
        if watch is None:
            yield Skip(probe=self.id, reason="this model cannot be counted: nothing of it is within reach")
            return
        texts = requests.draw(data, seeds, self.requests)
        if texts:
            watch.answer(texts[0])  # so that the peak is not that of loading alone
        sizes = watch.sizes()
        yield from self._parameters(sizes, subject.facts)
        yield from self._bytes(sizes)
        yield from self._adapters(sizes)
        yield self._operations(sizes, [n for n in map(watch.tokens, texts) if n is not None])

    # --- parameters and bytes -------------------------------------------------------------

    def _parameters(self, sizes: Sizes, facts: Facts) -> Iterator[Finding | Skip]:
        if sizes.parameters is None:
            yield self._skip("parameters", "a function of the user's has none that can be counted")
            yield self._skip("trainable", "a function of the user's has none that can be counted")
            return
        yield self._exact("parameters", sizes.parameters, "parameters", "tied weights counted once")
        if facts.kind == "in-context":
            yield self._skip("trainable", "used in context: nothing of the model is trained")
        elif sizes.trainable is None:
            yield self._skip("trainable", "the adapter's weights are pickled: save them as safetensors", True)
        else:
            part = f"a share of {sizes.trainable / sizes.parameters:.3g} of all parameters"
            whole = "all of them: the files do not tell what was frozen in tuning"
            note = f"the adapter's own, {part}" if sizes.adapter else whole
            yield self._exact("trainable", sizes.trainable, "parameters", note)

    def _bytes(self, sizes: Sizes) -> Iterator[Finding | Skip]:
        if sizes.weights:
            note = ", ".join(f"{name} {amount / MEGA:.4g}" for name, amount in sizes.weights.items())
            yield self._exact("weight_memory", sum(sizes.weights.values()) / MEGA, "megabytes", note)
        else:
            yield self._skip("weight_memory", "a function of the user's has no weights that can be counted")
        if sizes.files is None:
            yield self._skip("artefact", "this model has no files here")
        else:
            note = "weights, config and tokenizer on disk"
            yield self._exact("artefact", sizes.files / MEGA, "megabytes", note)
        if sizes.adapter_files is None:
            yield self._skip("adapter_artefact", "it does not come as an adapter: all of it is shipped")
        else:
            note = "what is shipped where the base is there already"
            yield self._exact("adapter_artefact", sizes.adapter_files / MEGA, "megabytes", note)
        if sizes.peak is None:
            yield self._skip("peak_memory", "this system does not tell what a process has used", True)
        else:
            note = "the most in use up to here, by all that this run has done"
            yield self._exact("peak_memory", sizes.peak / MEGA, "megabytes", note)

    def _adapters(self, sizes: Sizes) -> Iterator[Finding | Skip]:
        for rank in self.ranks:
            name = f"rank {rank}"
            if not sizes.attention or not sizes.parameters:
                why = "no query and value projections were found by their usual names"
                yield self._skip("lora_parameters", why, name=name)
                continue
            count = lora_parameters(sizes.attention, rank)
            note = (
                f"on {len(sizes.attention)} query and value projections; a share of "
                f"{count / sizes.parameters:.3g} of all, {4 * count / MEGA:.3g} megabytes in float32"
            )
            yield self._exact("lora_parameters", count, "parameters", note, name=name, better="neither")

    # --- operations -----------------------------------------------------------------------

    def _operations(self, sizes: Sizes, read: list[int]) -> Finding | Skip:
        if sizes.multiplied is None or sizes.layers is None or sizes.width is None:
            return self._skip("forward_operations", "the layers of this model are not known")
        shape = {"layers": sizes.layers, "width": sizes.width}
        each = [forward_operations(sizes.multiplied, n, **shape) / GIGA for n in read]
        try:
            estimate = stats.mean(each, low=0.0)
        except ValueError as error:
            return self._skip("forward_operations", f"there is no interval: {error}", True)
        training = training_operations(sizes.multiplied, float(np.mean(read))) / GIGA
        return Finding(
            probe=self.id,
            metric="forward_operations",
            estimate=estimate,
            unit="billions of operations per request",
            better="lower",
            note=f"{np.mean(read):.1f} tokens on average, prompt included, each multiplied with "
            f"{sizes.multiplied:,} parameters; training on the text of one request takes {training:.4g}",
        )

    # --- parts ----------------------------------------------------------------------------

    def _exact(
        self,
        metric: str,
        value: float,
        unit: str,
        note: str,
        *,
        name: str = "all",
        better: Better = "lower",
    ) -> Finding:
        estimate = Estimate(value=value, low=value, high=value, n=1, method="counted, exact")
        return Finding(
            probe=self.id,
            metric=metric,
            slice=name,
            estimate=estimate,
            unit=unit,
            better=better,
            note=note,
        )

    def _skip(self, metric: str, why: str, applicable: bool = False, *, name: str | None = None) -> Skip:
        return Skip(probe=self.id, metric=metric, slice=name, reason=why, applicable=applicable)
