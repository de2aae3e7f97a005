"""Run the probes. What a probe lacks is a Skip; what breaks is a Crash; nothing is lost in silence."""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from audit.errors import AuditError
from audit.schema import Crash, Data, Finding, Item, Outcome, Probe, Skip, Subject
from audit.seeds import Seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of all probes."""

    outcomes: tuple[Outcome, ...]
    seconds: Mapping[str, float]
    """Probe → wall clock."""


def measure(
    probes: Sequence[Probe],
    subject: Subject,
    data: Data,
    seeds: Seeds,
    *,
    keep: Callable[[Item], None],
    before: Callable[[Probe], None],
    fail_fast: bool = False,
) -> Measured:
    """Run each probe in turn; `before` is told of each, `keep` gets every answer as it comes.

    Raises:
        AuditError: what the user can mend, such as a model whose answers are no probabilities.
        OSError: a full disk; the same command resumes.
        Exception: whatever a probe raised, with `fail_fast`.
    """
    outcomes: list[Outcome] = []
    seconds: dict[str, float] = {}
    for probe in probes:
        missing = lacks(probe, subject, data)
        if missing is not None:
            outcomes.append(missing)
            continue
        before(probe)
        start = time.perf_counter()
        try:
            for result in probe.run(subject, data, seeds):
                _check(result, probe, outcomes)
                if isinstance(result, Item):
                    keep(result)
                else:
                    outcomes.append(result)
        except AuditError:
            raise
        except Exception as error:
            if fail_fast or _disk_is_full(error):
                raise
            outcomes.append(_crash(probe.id, error))
        seconds[probe.id] = time.perf_counter() - start
        if not any(outcome.probe == probe.id for outcome in outcomes):
            outcomes.append(Skip(probe=probe.id, reason="the probe ran and found nothing to measure"))
    return Measured(outcomes=tuple(outcomes), seconds=seconds)


def _check(result: Finding | Skip | Item, probe: Probe, outcomes: Sequence[Outcome]) -> None:
    """Raise where a probe answers for another, or twice: a rule would be judged on the wrong number.

    Raises:
        ValueError: the result is of another probe, or a Finding of its metric and slice was given before.
    """
    if result.probe != probe.id:
        raise ValueError(f"{probe.id} gave a result of {result.probe!r}")
    if isinstance(result, Finding):
        known = [(o.probe, o.metric, o.slice) for o in outcomes if isinstance(o, Finding)]
        if (result.probe, result.metric, result.slice) in known:
            raise ValueError(f"{probe.id} gave {result.metric}@{result.slice} twice")


def lacks(probe: Probe, subject: Subject, data: Data) -> Skip | None:
    """Return a Skip that says what the probe needs and does not have, or None."""
    for need in sorted(probe.needs):
        word, _, name = need.partition(":")
        reason, applicable = _missing(word, name, subject, data)
        if reason:
            return Skip(probe=probe.id, reason=reason, applicable=applicable)
    return None


def _missing(word: str, name: str, subject: Subject, data: Data) -> tuple[str, bool]:
    """Return the reason why a need is not met, empty where it is, and whether it could be met at all."""
    kind = subject.facts.kind
    match word:
        case "label":
            met = any(example.label is not None for example in data.test)
            return ("" if met else "data.test has no labels; name the column in task.label"), True
        case "train":
            return (
                "" if data.train else "needs data.train, the texts the model was tuned or prompted with"
            ), True
        case "shift":
            return ("" if data.shifts else "needs data.shifts, texts of another domain"), True
        case "in-context":
            return ("" if subject.prompted else f"a {kind} model has no prompt and no demonstrations"), False
        case "generate":
            return ("" if subject.language else f"a {kind} classifier does not generate text"), False
        case "set":
            return ("" if name in data.sets else f"needs data.sets.{name}"), True
        case "group":
            met = any(name in example.groups for example in data.test)
            return ("" if met else f"needs the group column {name!r} in data.groups"), True
        case "helper":
            met = subject.encoder is not None if name == "encoder" else name in subject.helpers
            return ("" if met else f"needs helpers.{name}: {{source: …}}"), True
    raise ValueError(f"{word!r} is not something a probe can need")


def _crash(probe: str, error: Exception) -> Crash:
    line = " ".join(str(error).split())
    return Crash(
        probe=probe,
        error=_writable(f"{type(error).__name__}: {line}"[:300]),
        traceback=_writable("".join(traceback.format_exception(error))),
    )


def _writable(text: str) -> str:
    """Return the text without lone surrogates, which JSON in UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _disk_is_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
