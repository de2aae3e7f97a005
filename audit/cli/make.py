"""Commands that need no run: `probes`, `init`, `demo`."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from audit.errors import ConfigError, did_you_mean, shown
from probes import Catalogue

if TYPE_CHECKING:
    from audit.cli.progress import Bar


def show_probes(id: str | None) -> int:
    """Print the list of probes, or one probe whole."""
    catalogue = Catalogue()
    if id is None:
        for name in catalogue:
            if name in catalogue.builtin:
                question = _doc(catalogue, name).splitlines()[0]
                print(f"{name:<28} {question}")
            else:
                print(f"{name:<28} (of another package; `audit probes {name}` shows it)")
        return 0
    if id not in catalogue:
        raise ConfigError(
            f"audit probes: {shown(id)} is not a probe{did_you_mean(id, list(catalogue))}; run `audit probes`"
        )
    kind = catalogue[id]
    print(f"{id}\n\n{_doc(catalogue, id)}\n\nNeeds: {', '.join(sorted(kind.needs)) or 'only texts'}")
    print("Parameters, under `probes:` in model.yaml:")
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]  # a probe is a dataclass
        default = None if field.default is dataclasses.MISSING else field.default
        print(f"  {field.name}: {default!r}")
    return 0


def _doc(catalogue: Catalogue, id: str) -> str:
    return inspect.getdoc(inspect.getmodule(catalogue[id])) or "(no description)"


QUESTIONS = {
    "kind": "Kind of model (fine-tuned or in-context)",
    "source": "Model: a folder, a hub name or a .gguf file",
    "test": "File with labelled test examples (csv, tsv, jsonl, parquet)",
    "labels": "Labels, parted by commas, in the model's order",
}


KINDS: dict[str, Literal["fine-tuned", "in-context"]] = {
    "fine-tuned": "fine-tuned",
    "in-context": "in-context",
}


def write_config(out: Path, answers: dict[str, str | None], *, text: str, label: str, force: bool) -> int:
    """Write a commented model.yaml from flags, asking for what no flag gave."""
    from audit.starter import starter

    if out.exists() and not force:
        raise ConfigError(f"{out}: is there already; give another name or --force")
    given = dict(answers)
    for name, question in QUESTIONS.items():
        if not given[name]:
            if not sys.stdin.isatty():
                raise ConfigError(f"audit init: --{name} is missing and nobody can be asked; give the flag")
            given[name] = typer.prompt(question)
    labels = [part.strip() for part in str(given["labels"]).split(",") if part.strip()]
    if len(set(labels)) < max(2, len(labels)):
        raise ConfigError(
            f"audit init: --labels must name two different labels or more, parted by commas, "
            f"got {shown(given['labels'])}"
        )
    kind: Literal["fine-tuned", "in-context"] | None = KINDS.get(str(given["kind"]))
    if kind is None:
        raise ConfigError(f"audit init: --kind is {shown(given['kind'])}; give fine-tuned or in-context")
    page = starter(
        kind=kind,
        source=_from(out.parent, str(given["source"])),
        test=_from(out.parent, str(given["test"])),
        labels=labels,
        text=text,
        label=label,
        train=_from(out.parent, given["train"]) if given["train"] else None,
    )
    out.write_text(page, encoding="utf-8")
    print(f"{out} written; look it over, then: audit run {out}")
    return 0


def _from(folder: Path, named: str) -> str:
    """Return a path that was given as it is seen from here as it is seen from the config's folder."""
    place = Path(named)
    if place.is_absolute() or not place.exists():
        return named
    return Path(os.path.relpath(place, folder)).as_posix()


def run_demo(*, out: Path, packages: Path | None) -> int:
    """Bring, prepare, tune, audit both; 0 when both audits came to a verdict, whatever it is, else 4."""
    from audit.cli.progress import Bar
    from audit.cli.run import run_audit
    from audit.demo import make_demo
    from audit.places import demo_folder

    with Bar() as bar:
        made = make_demo(demo_folder(), on_step=bar.say, on_progress=_steps(bar), packages=packages)
    tuned = made.tuned
    print(f"fine-tuned model: {tuned.accuracy:.1%} of {tuned.held_out:,} held-out snippets right")
    configs = Path(str(files("configs")))
    codes = {}
    for name in ("demo-fine-tuned", "demo-in-context"):
        print(f"\n=== audit run {name}.yaml\n", flush=True)
        codes[name] = run_audit(configs / f"{name}.yaml", out=out, cache=None, unsure="fail", fail_fast=False)
    print("\nBoth models are audited. The verdicts above are those of the demonstration models; the pages:")
    for name, code in codes.items():
        page = max(out.glob(f"{name}-*/report.html"), key=lambda place: place.stat().st_mtime)
        print(f"  {name:<16} exit code {code}   {page}")
    return 4 if 4 in codes.values() else 0


def _steps(bar: Bar) -> Callable[[int, int], None]:
    """Return a listener that shows the steps of the tuning as one piece of work."""
    told = 0

    def listen(done: int, total: int) -> None:
        nonlocal told
        if told == 0:
            bar.start("fine-tuning", total, unit="steps")
        bar.advance(texts=done - told, scored=done - told, tokens=0)
        told = done

    return listen
