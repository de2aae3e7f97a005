"""Commands on a finished run: `gate`, `report`, `verify`. None of them loads a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from audit import config, document, gate, record
from audit.cli.run import judged_again, pages, show, waivers_kept
from audit.errors import AuditError, DataError
from audit.schema import Record


def gate_run(folder: Path, *, policy: str, unsure: Literal["fail", "warn"]) -> int:
    """Judge a finished run under other rules; the run folder stays as it is.

    Waivers of the run hold on for rules that are the same; those that do not are named.
    """
    from audit.compare import PROBES
    from probes import Catalogue

    result = record.read(folder)
    name, rules = config.load_rules(policy, Path.cwd(), [*Catalogue(), *PROBES])
    again = judged_again(result, name, rules, datetime.now(UTC))
    code = gate.exit_code(again.verdicts, again.outcomes, unsure=unsure)
    show(again, code)
    kept = [waiver.rule for waiver in waivers_kept(result, rules)]
    lost = [v for v in result.verdicts if v.waiver is not None and v.rule.full_id not in kept]
    for verdict in lost:
        print(f"the run's waiver of {verdict.rule.id} was for another limit and does not hold here")
    return code


def report_run(folder: Path) -> int:
    """Render the pages of a finished run again."""
    result = record.read(folder)
    for name, text in pages(result, record.origin(folder)).items():
        record.put(folder / name, text)
        print(folder / name)
    return 0


def verify_run(folder: Path, *, config: Path | None, cache: Path | None, digest: str | None) -> int:
    """Hold a run against its seal, its config, its data and its model; 0 when all match, else 5.

    A fault is told as soon as it is found, and what cannot be read after it does not hide it.
    """
    seal = _seal(folder)
    faults = _told(_files(folder, seal))
    try:
        result = record.read(folder)
        faults += _told(_digests(folder, result, seal, digest))
        faults += _told(_sources(folder, result, config, cache))
    except AuditError as error:
        if not faults:
            raise
        print("unknown  the rest: " + " ".join(str(error).split()))
    return 5 if faults else 0


Check = tuple[str, str]
"""What was checked, and what is wrong with it; empty for nothing."""


def _told(checks: Sequence[Check]) -> int:
    """Print each check and return the number of faults."""
    for name, fault in checks:
        print(f"{'differs' if fault else 'matches':<8} {name}{': ' + fault if fault else ''}")
    return sum(bool(fault) for _, fault in checks)


def _seal(folder: Path) -> Mapping[str, object]:
    place = folder / "seal.json"
    try:
        seal = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        seal = None
    if not isinstance(seal, dict):
        raise DataError(f"{place}: missing or unreadable; give the folder of a finished run, as it was left")
    return seal


def _files(folder: Path, seal: Mapping[str, object]) -> list[Check]:
    checks: list[Check] = []
    for name in record.SEALED:
        here = record.file_hash(folder / name) if (folder / name).is_file() else "missing"
        checks.append((name, "" if here == seal.get(name) else f"sealed {seal.get(name)}, found {here}"))
    return checks


def _digests(folder: Path, result: Record, seal: Mapping[str, object], digest: str | None) -> list[Check]:
    checks: list[Check] = []
    found = record.digest(result)
    wanted = digest or str(seal.get("digest"))
    checks.append(("digest of the record", "" if found == wanted else f"wanted {wanted}, found {found}"))
    answers = record.file_hash(folder / "items.jsonl") if (folder / "items.jsonl").is_file() else "missing"
    same = answers == result.items
    checks.append(
        ("answers named by the record", "" if same else f"recorded {result.items}, found {answers}")
    )
    return checks


def _sources(folder: Path, result: Record, path: Path | None, cache: Path | None) -> list[Check]:
    """Read config, thresholds, data and model again and hold them against the record."""
    from audit.cli.progress import Bar
    from audit.cli.run import open_all

    if record.origin(folder).command:
        return [("config, data and model", "")]  # a comparison: they are checked in the runs that it compares
    place = path or (folder / record.origin(folder).config).resolve()
    if not place.is_file():
        raise DataError(f"{place}: the config of this run is not there; name it with --config")
    text = document.read(place)
    checks: list[Check] = [("config", "" if text == result.config else f"{place} has changed since the run")]
    opened = open_all(place, cache, Bar(), rehash=True)
    rules = tuple(verdict.rule for verdict in result.verdicts)
    checks.append(
        ("thresholds", "" if opened.config.rules == rules else "the rules are not those of the run")
    )
    now = {source.name: source.sha256 for source in opened.data.sources}
    for source in result.data:
        here = now.get(source.name, "missing")
        fault = "" if here == source.sha256 else f"recorded {source.sha256}, found {here}"
        checks.append((f"data {source.name}", fault))
    facts = opened.subject.facts
    for name, then, today in (
        ("weights", result.model.weights, facts.weights),
        ("tokenizer", result.model.tokenizer, facts.tokenizer),
        ("prompt", result.model.prompt, facts.prompt),
    ):
        checks.append((f"model {name}", "" if then == today else f"recorded {then}, found {today}"))
    return checks
