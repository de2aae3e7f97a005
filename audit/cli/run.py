"""`audit run`: config → model, data, probes → outcomes → verdicts, checklist → record → files, exit code."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from audit import checklist, config, data, gate, measure, places, record
from audit.cli.progress import Bar
from audit.schema import Data, Json, Probe, Prompt, Record, Rule, Subject, Times, Verdict, Waiver
from audit.seeds import Seeds
from probes import Catalogue

if TYPE_CHECKING:
    from audit.config import Config
    from audit.models.ledger import Ledger

LIBRARIES = (
    "trust-audit",
    "torch",
    "transformers",
    "tokenizers",
    "numpy",
    "scipy",
    "statsmodels",
    "netcal",
    "relplot",
)
"""What a number can depend on; their versions are part of the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Everything that is open before the first question is asked."""

    config: Config
    data: Data
    subject: Subject
    ledger: Ledger
    seeds: Seeds


def run_audit(
    path: Path, *, out: Path, cache: Path | None, unsure: Literal["fail", "warn"], fail_fast: bool
) -> int:
    """Run an audit and return its exit code."""
    started = datetime.now(UTC)
    clock = time.monotonic()
    with ExitStack() as stack:
        with Bar() as bar:
            opened = open_all(path, cache, bar)
            folder = stack.enter_context(
                record.open_folder(out, opened.config.name, path, _key(opened), started)
            )
            with record.Answers(folder / "items.jsonl") as answers:
                measured = measure.measure(
                    opened.config.probes,
                    opened.subject,
                    opened.data,
                    opened.seeds,
                    keep=answers.keep,
                    before=lambda probe: bar.probe(probe.id, probe.demand(opened.data, opened.subject.facts)),
                    fail_fast=fail_fast,
                )
            bar.finish()
        times = Times(
            started=started.isoformat(timespec="seconds"),
            seconds=time.monotonic() - clock,
            probes=measured.seconds,
            usage=opened.ledger.usage(),
        )
        result = _judged(opened, measured, answers.digest(), times, started)
        return finish(folder, result, unsure)


def open_all(path: Path, cache: Path | None, bar: Bar, *, rehash: bool = False) -> Opened:
    """Read the config and the data and open the model (its weights only when they are first asked).

    With `rehash` the model's files are read again, also where size and time say that nothing changed.
    """
    from audit.models.cache import Cache
    from audit.models.companions import open_helpers
    from audit.models.ledger import Ledger
    from audit.models.load import open_subject

    catalogue = Catalogue()
    settings = config.load(path, catalogue, default=catalogue.builtin)
    bar.say(f"{settings.name}: reading data")
    seeds = Seeds(settings.data.seed)
    examples = data.load(settings.task, settings.data, base=settings.base, seeds=seeds, limit=settings.limit)
    ledger = Ledger(bar)
    prompt, examples = _prompt(settings, examples, seeds)
    for source in examples.sources:
        for note in source.notes:
            bar.say(f"{source.name}: {note}")
    bar.say(f"{settings.name}: opening {settings.model.source}")
    scores = Cache(cache or places.cache_folder() / "scores.sqlite")
    if rehash:
        scores.forget("sha256")
    subject = open_subject(
        settings.model,
        labels=settings.task.labels,
        pair=settings.task.text_pair is not None,
        prompt=prompt,
        base=settings.base,
        cache=scores,
        ledger=ledger,
    )
    helpers = open_helpers(settings.helpers, base=settings.base, cache=scores, ledger=ledger)
    subject = replace(
        subject,
        helpers=helpers.classifiers,
        encoder=helpers.encoder,
        masked_lm=helpers.masked_lm,
        neighbours=helpers.neighbours,
    )
    return Opened(config=settings, data=examples, subject=subject, ledger=ledger, seeds=seeds)


def _prompt(settings: Config, examples: Data, seeds: Seeds) -> tuple[Prompt | None, Data]:
    """Return the prompt of an in-context model, and the data with its own file, if it has one."""
    from audit.models.demonstrations import draw_demonstrations, make_prompt
    from audit.spec import SourceSpec

    spec = settings.model.prompt
    if spec is None:
        return None, examples
    if spec.demonstrations.source == "train":
        drawn = draw_demonstrations(spec.demonstrations, examples.train, settings.task.labels, seeds)
        return make_prompt(spec, drawn), examples
    where = "model.prompt.demonstrations.from"
    own, source = data.load_source(
        where,
        SourceSpec(source=spec.demonstrations.source),
        settings.task,
        base=settings.base,
        seeds=seeds,
    )
    test, *rest = examples.sources
    told = data.overlapping(test, examples.test, own, where)
    return make_prompt(spec, own), replace(examples, sources=(told, *rest, source))


def finish(folder: Path, result: Record, unsure: Literal["fail", "warn"]) -> int:
    """Write the record and its pages, print the verdicts, return the exit code."""
    code = gate.exit_code(result.verdicts, result.outcomes, unsure=unsure)
    record.write(folder, result, pages(result, record.origin(folder), unsure))
    show(result, code)
    print(f"\nrun     {folder}\npage    {folder / 'report.html'}\ndigest  {record.digest(result)}")
    return code


def pages(
    result: Record, origin: record.Origin, unsure: Literal["fail", "warn"] = "fail"
) -> Mapping[str, str]:
    """Render everything that is read of a record: file name → text."""
    from reports import checklist_json, checklist_md, junit, page

    code = gate.exit_code(result.verdicts, result.outcomes, unsure=unsure)
    return {
        "report.html": page.render(
            result,
            decision=_decision(result),
            exit_code=code,
            command=origin.command or f"audit run {Path(origin.config).name}",
        ),
        "checklist.md": checklist_md.render(result),
        "checklist.json": checklist_json.render(result),
        "junit.xml": junit.render(result, open_is_warning=unsure == "warn"),
    }


def show(result: Record, code: int) -> None:
    """Print the verdict table; `code` is what the command will leave with."""
    from reports import terminal

    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    color = sys.stdout.isatty() and not plain
    print(terminal.render(result, decision=_decision(result), exit_code=code, width=_columns(), color=color))


def waivers_kept(result: Record, rules: Sequence[Rule]) -> tuple[Waiver, ...]:
    """Return the waivers in force in a run whose rule is among these as it was, but for its words."""
    bare = [replace(rule, why="") for rule in rules]
    return tuple(
        replace(verdict.waiver, rule=verdict.rule.full_id)
        for verdict in result.verdicts
        if verdict.waiver is not None and replace(verdict.rule, why="") in bare
    )


def judged_again(result: Record, name: str, rules: Sequence[Rule], today: datetime) -> Record:
    """Return the record with verdicts and checklist under other rules.

    A waiver of the run goes on, until its day, for a rule that is the same; another limit is another promise.
    """
    verdicts = gate.judge(rules, result.outcomes, waivers=waivers_kept(result, rules), today=today.date())
    items = checklist.gather(result.outcomes, verdicts, result.model, result.declared)
    return replace(result, rules=name, verdicts=verdicts, checklist=items)


def _judged(
    opened: Opened, measured: measure.Measured, answers: str, times: Times, today: datetime
) -> Record:
    settings, facts = opened.config, opened.subject.facts
    verdicts: tuple[Verdict, ...] = gate.judge(
        settings.rules, measured.outcomes, waivers=settings.waivers, today=today.date()
    )
    return Record(
        name=settings.name,
        config=settings.text,
        profile=settings.profile,
        seed=settings.data.seed,
        model=facts,
        labels=settings.task.labels,
        data=opened.data.sources,
        versions=versions(),
        probes={probe.id: _parameters(probe) for probe in settings.probes},
        about={probe.id: about(probe) for probe in settings.probes},
        outcomes=measured.outcomes,
        rules=settings.policy,
        verdicts=verdicts,
        checklist=checklist.gather(measured.outcomes, verdicts, facts, settings.declared),
        declared=settings.declared,
        items=answers,
        times=times,
    )


def about(probe: Probe) -> str:
    """Return the docstring of a probe's module."""
    import inspect

    return inspect.getdoc(inspect.getmodule(type(probe))) or ""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a number can depend on."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _parameters(probe: Probe) -> dict[str, Json]:
    from pydantic import TypeAdapter

    values: dict[str, Json] = TypeAdapter(type(probe)).dump_python(probe, mode="json")
    return values


def _key(opened: Opened) -> str:
    """Return the hash of all that decides what this run asks."""
    said = {
        "config": opened.config.text,
        "data": {source.name: source.sha256 for source in opened.data.sources},
        "model": [opened.subject.facts.weights, opened.subject.facts.tokenizer, opened.subject.facts.prompt],
        "versions": versions(),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _decision(result: Record) -> gate.Decision:
    """Return the word for the verdicts as they are; a warning leaves the exit code, never the word."""
    return gate.decide(gate.exit_code(result.verdicts, result.outcomes))


def _columns() -> int:
    import shutil

    return min(max(shutil.get_terminal_size((100, 24)).columns, 60), 140)
