"""`audit compare`: two finished runs become a record of their differences, judged and shown as a run is."""

from __future__ import annotations

import hashlib
import textwrap
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from audit import checklist, compare, config, data, gate, pairing, record
from audit.cli.run import finish, versions
from audit.errors import AuditError
from audit.schema import ChecklistItem, Finding, Item, Outcome, Record, Times, Usage, Verdict
from audit.seeds import Seeds
from probes import Catalogue
from reports import digits

ITEMS = ("8.1c", "T4")
"""Items of the checklist that only a comparison answers."""


def compare_runs(
    base: Path,
    candidate: Path,
    *,
    role: compare.Role,
    policy: str,
    out: Path,
    unsure: Literal["fail", "warn"],
) -> int:
    """Compare two run folders and return the exit code of the verdicts.

    Raises:
        DataError: a folder is no finished run, or the runs have nothing in common.
        ConfigError: the policy is none.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    first, second = record.read(base), record.read(candidate)
    name, rules = config.load_rules(policy, Path.cwd(), [*Catalogue(), *compare.PROBES])
    items = list(record.read_items(base)), list(record.read_items(candidate))
    outcomes = compare.compare(first, second, *items, role=role)
    texts = _texts(candidate, second)
    outcomes = tuple(pairing.texts_of(texts, o) if isinstance(o, Finding) else o for o in outcomes)
    verdicts = gate.judge(rules, outcomes, today=started.date())
    said = f"audit compare {base.name} {candidate.name} --role {role}"
    key = hashlib.sha256(f"{said}{record.digest(first)}{record.digest(second)}{policy}".encode()).hexdigest()
    origin = record.origin(candidate)
    with (
        record.open_folder(
            out,
            f"{second.name}-against-{first.name}",
            (candidate / origin.config).resolve(),
            key,
            started,
            command=said,
        ) as folder,
        record.Answers(folder / "items.jsonl") as answers,
    ):
        for pair in pairing.pair(*items):
            for one, other in zip(pair.base, pair.candidate, strict=True):
                answers.keep(replace(other, outcome=_became(one, other)))
    result = Record(
        name=f"{second.name} against {first.name}",
        config=_described(first, second, base, candidate, role),
        profile=second.profile,
        seed=second.seed,
        model=second.model,
        labels=second.labels,
        data=second.data,
        versions=versions(),
        probes={id: {} for id in compare.PROBES},
        about=compare.ABOUT,
        outcomes=outcomes,
        rules=name,
        verdicts=verdicts,
        checklist=_items(outcomes, verdicts, second),
        declared={},
        items=answers.digest(),
        times=Times(
            started=started.isoformat(timespec="seconds"),
            seconds=time.monotonic() - clock,
            probes={},
            usage=Usage(),
        ),
    )
    code = finish(folder, result, unsure)
    _say(outcomes)
    return code


def _say(outcomes: tuple[Outcome, ...]) -> None:
    """Print which model to prefer for what, and what the survey would have said."""
    told = [
        o for o in outcomes if isinstance(o, Finding) and o.probe in ("compare.frontier", "compare.survey")
    ]
    for one in told:
        where = "" if one.slice == "all" else f", {one.slice}"
        number = digits.interval(one.estimate, one.unit, signed=True)
        line = f"{one.metric.replace('_', ' ')}{where}: {number}, n = {one.estimate.n:,}. {one.note}"
        print(textwrap.fill(line, 100, initial_indent="- ", subsequent_indent="  "))


def _became(one: Item, other: Item) -> str:
    before, after = one.predicted == one.label, other.predicted == other.label
    if before == after:
        return "same" if one.predicted == other.predicted else "other"
    return "gained" if after else "lost"


def _items(
    outcomes: tuple[Outcome, ...], verdicts: tuple[Verdict, ...], candidate: Record
) -> tuple[ChecklistItem, ...]:
    found = checklist.gather(outcomes, verdicts, candidate.model, {})
    return tuple(item for item in found if item.id in ITEMS)


def _texts(folder: Path, result: Record) -> Mapping[str, str]:
    """Return the texts of the test examples, by id; none where config or data are no longer there."""
    place = (folder / record.origin(folder).config).resolve()
    try:
        settings = config.load(place, Catalogue())
        given = data.load(
            settings.task, settings.data, base=settings.base, seeds=Seeds(result.seed), limit=settings.limit
        )
    except (AuditError, OSError):
        return {}
    return {one.id: one.text if one.pair is None else f"{one.text}\n{one.pair}" for one in given.test}


def _described(first: Record, second: Record, base: Path, candidate: Path, role: str) -> str:
    """Return what was compared, where a run has its config."""
    lines = [f"role: {role}"]
    for name, folder, result in (("base", base, first), ("candidate", candidate, second)):
        lines += [
            f"{name}:",
            f"  run: {folder.name}",
            f"  model: {result.model.source} ({result.model.kind}, {result.model.dtype})",
            f"  weights: {result.model.weights}",
            f"  profile: {result.profile}",
            f"  digest: {record.digest(result)}",
        ]
    return "\n".join(lines) + "\n"
