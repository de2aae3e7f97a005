"""Files, saved data sets and the hub → Data: labelled examples, seeded samples, hashes of what was read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from audit.errors import DataError, shown
from audit.hub import read_hub, read_saved
from audit.places import locate
from audit.reading import Table, read_file
from audit.rows import Role, arrange
from audit.schema import Data, Example, Source
from audit.seeds import Seeds
from audit.spec import DataSpec, FileFormat, SourceSpec, TaskSpec


def load(task: TaskSpec, data: DataSpec, *, base: Path, seeds: Seeds, limit: int | None) -> Data:
    """Read everything that the config names.

    Args:
        task: labels, and the columns of sources that do not say otherwise.
        data: the sources.
        base: folder that relative paths start from.
        seeds: the root of the sample; the same rows in another order give the same sample.
        limit: examples of the test set and of each shift, at most, at the natural prior; None for all.
            Train and sets are kept whole: probes draw what they need.

    Raises:
        DataError: a source is missing, unreadable or does not fit the task.
        ConfigError: a part of the demonstration that was not brought.
    """
    reader = _Reader(task=task, groups=data.groups, base=base, seeds=seeds)
    test, source = reader.read("test", data.test, "test", limit)
    sources = [source]
    train: tuple[Example, ...] = ()
    if data.train is not None:
        train, source = reader.read("train", data.train, "train", None)
        sources = [overlapping(sources[0], test, train, "data.train"), source]
    shifts: dict[str, tuple[Example, ...]] = {}
    for name, spec in data.shifts.items():
        shifts[name], source = reader.read(f"shifts.{name}", spec, "shift", limit)
        sources.append(source)
    sets: dict[str, tuple[Example, ...]] = {}
    for name, spec in data.sets.items():
        sets[name], source = reader.read(f"sets.{name}", spec, "set", None)
        sources.append(source)
    return Data(labels=task.labels, test=test, train=train, shifts=shifts, sets=sets, sources=tuple(sources))


def load_source(
    name: str, spec: SourceSpec, task: TaskSpec, *, base: Path, seeds: Seeds
) -> tuple[tuple[Example, ...], Source]:
    """Read one source by itself and whole, in its order, for instance a file of demonstrations.

    Args:
        name: for messages and the `Source`, as a key of the config: `model.prompt.demonstrations.from`.
        spec: the source.
        task: as in `load`, like `base` and `seeds`.

    Raises:
        DataError: as `load`.
    """
    reader = _Reader(task=task, groups=(), base=base, seeds=seeds, under="")
    return reader.read(name, spec, "train", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    task: TaskSpec
    groups: tuple[str, ...]
    base: Path
    seeds: Seeds
    under: str = "data."
    """What stands before the name of a source to make it a key of the config."""

    def read(
        self, name: str, spec: SourceSpec, role: Role, limit: int | None
    ) -> tuple[tuple[Example, ...], Source]:
        """Return the examples of one source, and what became of it."""
        where = f"{self.under}{name}: {spec.source}"
        table = self._table(spec, where)
        rows = arrange(table, spec, self.task, role=role, groups=self.groups, where=where)
        kept, notes = rows.whole(drop=spec.drop_missing)
        if role == "test" and rows.labels is not None:
            _refuse_one_class({rows.labels[row] for row in kept}, f"{len(kept)} rows", where)
        ids = rows.identify(kept)
        chosen: Sequence[int] = range(len(kept))
        if limit is not None and limit < len(kept):
            # sampled before examples are built: 200,000 rows cost their columns and not their objects
            chosen = _sample(ids, limit, self.seeds.number("sample", name))
            notes.append(f"a sample of {limit} of {len(kept)}, drawn by the seed at the natural prior")
        examples = tuple(rows.example(kept[place], ids[place]) for place in chosen)
        counts = Counter(example.label for example in examples)
        if role == "test" and rows.labels is not None:
            _refuse_one_class(set(counts), f"the {len(examples)} sampled (data.limit)", where)
            notes += [
                f"no example of the label {shown(label)}" for label in self.task.labels if not counts[label]
            ]
        source = Source(
            name=name,
            path=spec.source,
            sha256=table.sha256,
            rows=table.rows,
            used=len(examples),
            counts={label: counts[label] for label in self.task.labels if counts[label]},
            notes=(*rows.notes, *notes, *_oddities(examples)),
        )
        return examples, source

    def _table(self, spec: SourceSpec, where: str) -> Table:
        place = locate(spec.source, self.base, where)
        if place is None:
            return read_hub(spec.source, subset=spec.subset, split=spec.split, base=self.base, where=where)
        if spec.subset is not None:
            raise DataError(f"{where}: `subset` is for a hub data set, and this is a local one; remove it")
        if place.is_dir():
            return read_saved(place, split=spec.split, where=where)
        if spec.split is not None:
            raise DataError(f"{where}: `split` is for data sets of `datasets`, and this is a file; remove it")
        kind = spec.format if spec.format in get_args(FileFormat) else None
        return read_file(place, format=kind, columns=spec.columns, where=where)


def _sample(ids: Sequence[str], limit: int, seed: int) -> list[int]:
    """Return the places of `limit` ids, in their order; which ones hangs on the ids and not on their order.

    What `Seeds.pick` does, at half its time for 200,000 ids: the names are hashed once, as the key.
    """
    key = seed.to_bytes(8, "big")
    ranks = [
        hashlib.blake2b(id.encode("utf-8", "surrogatepass"), key=key, digest_size=8).digest() for id in ids
    ]
    return sorted(sorted(range(len(ids)), key=ranks.__getitem__)[:limit])


def _refuse_one_class(labels: set[str | None], what: str, where: str) -> None:
    if len(labels) == 1:
        raise DataError(
            f"{where}: {what} have one label only, got {shown(next(iter(labels)))};"
            " right and wrong cannot be told apart on one class: give rows of at least two"
        )


def overlapping(source: Source, test: Sequence[Example], others: Sequence[Example], where: str) -> Source:
    """Return the test source with a note on texts that the model was taught or shown, if there are any."""
    seen = {example.input for example in others}
    both = sum(example.input in seen for example in test)
    note = f"texts that stand in {where} too: {both} of {len(test)}"
    return replace(source, notes=(*source.notes, note)) if both else source


def _oddities(examples: Sequence[Example]) -> list[str]:
    empty = sum(not example.text.strip() for example in examples)
    repeated = len(examples) - len({example.input for example in examples})
    broken = sum("\ufffd" in example.text or "\ufffd" in (example.pair or "") for example in examples)
    found = {
        "empty texts, kept": empty,
        "repeated texts, kept": repeated,
        "texts with the replacement character \ufffd": broken,
    }
    return [f"{what}: {count}" for what, count in found.items() if count]
