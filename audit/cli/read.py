"""Commands on a finished run: `gate`, `report`, `verify`. None of them loads a model."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from audit import config, gate, record
from audit.cli.run import judged_again, pages, show
from audit.errors import DataError
from audit.schema import Record


def gate_run(folder: Path, *, policy: str, unsure: Literal["fail", "warn"]) -> int:
    """Judge a finished run under other rules; the run folder stays as it is."""
    from probes import Catalogue

    result = record.read(folder)
    name, rules = config.load_rules(policy, Path.cwd(), Catalogue())
    again = judged_again(result, name, rules, datetime.now(UTC))
    code = gate.exit_code(again.verdicts, again.outcomes, unsure=unsure)
    show(again, code)
    return code


def report_run(folder: Path) -> int:
    """Render the pages of a finished run again."""
    result = record.read(folder)
    for name, text in pages(result, record.origin(folder)).items():
        record.put(folder / name, text)
        print(folder / name)
    return 0


def verify_run(folder: Path, *, config: Path | None, cache: Path | None, digest: str | None) -> int:
    """Hold a run against its seal, its config, its data and its model; 0 when all match, else 5."""
    result = record.read(folder)
    checks = [*_sealed(folder, result, digest), *_sources(folder, result, config, cache)]
    for name, fault in checks:
        print(f"{'differs' if fault else 'matches':<8} {name}{': ' + fault if fault else ''}")
    return 5 if any(fault for _, fault in checks) else 0


Check = tuple[str, str]
"""What was checked, and what is wrong with it; empty for nothing."""


def _sealed(folder: Path, result: Record, digest: str | None) -> list[Check]:
    try:
        seal = json.loads((folder / "seal.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(
            f"{folder / 'seal.json'}: missing or unreadable; the run cannot be verified"
        ) from None
    checks: list[Check] = []
    for name in record.SEALED:
        here = record.file_hash(folder / name) if (folder / name).is_file() else "missing"
        checks.append((name, "" if here == seal.get(name) else f"sealed {seal.get(name)}, found {here}"))
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

    place = path or (folder / record.origin(folder).config).resolve()
    if not place.is_file():
        raise DataError(f"{place}: the config of this run is not there; name it with --config")
    text = place.read_text(encoding="utf-8", errors="replace")
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
