"""The words of a report: what a status, a metric, a rule and a decision are called.

Nothing is measured or decided here; what the gate decided is put into a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from audit.schema import Better, ItemStatus, Json, Record, Rule, Skip, Status, Usage
from reports.digits import POINTS, SHARE, about, amount, margin

Decision = Literal["PROMOTE", "BLOCK", "UNDECIDED", "INCOMPLETE"]
"""What a run comes to; decided by the gate, shown here."""

MARKS: dict[ItemStatus, str] = {
    "PASS": "✓",
    "FAIL": "✕",
    "UNSURE": "?",
    "MEASURED": "•",
    "DECLARED": "¶",
    "NOT MEASURED": "–",
    "NOT APPLICABLE": "○",
}
"""A sign beside each status word, so that colour is never the only carrier."""

STATUSES: tuple[Status, ...] = ("PASS", "FAIL", "UNSURE", "NOT MEASURED", "NOT APPLICABLE")
"""In the order in which they are counted for the reader."""

DIRECTIONS: dict[Better, str] = {
    "lower": "lower is better",
    "higher": "higher is better",
    "zero": "nearer to zero is better",
    "neither": "for the reader only",
}

_METRICS = {
    "ece": "expected calibration error (ECE)",
    "ece_debiased": "debiased expected calibration error",
    "ece_classwise": "classwise expected calibration error",
    "ece_before_temperature": "calibration error before temperature scaling",
    "ece_after_temperature": "calibration error after temperature scaling",
    "smooth_ece": "smooth calibration error (smECE)",
    "ace_unweighted": "average calibration error of the bins (ACE)",
    "mce": "largest calibration error of any bin (MCE)",
    "rmsce_debiased": "debiased root mean square calibration error",
    "accuracy_gain": "accuracy above that of the commonest label",
    "brier": "Brier score",
    "brier_top": "Brier score of the top label",
    "nll": "negative log-likelihood (NLL)",
    "selective_area": "area under accuracy and coverage",
    "verbalizer_mass": "probability on the label words",
    "p95_latency": "95th percentile of latency",
}
_DIFFERENCES = ("_gap", "_drop", "_bias", "_effect", "_excess", "_shift", "recency", "reliance", "_gain")
_BINNED = re.compile(r"ece_(width|mass)(\d+)")
_ACRONYMS = {
    "ece": "ECE",
    "mce": "MCE",
    "nll": "NLL",
    "auc": "AUC",
    "auroc": "AUROC",
    "fpr95": "FPR at 95 % TPR",
    "ood": "OOD",
    "tpr": "TPR",
    "ctf": "CTF",
    "bpsn": "BPSN",
    "bnsp": "BNSP",
    "mc1": "MC1",
    "mc2": "MC2",
    "lms": "LMS",
    "ss": "SS",
    "icat": "ICAT",
    "bbq": "BBQ",
    "smece": "smECE",
}


def metric(name: str) -> str:
    """Return a metric's name in words: `flip_rate` → `flip rate`."""
    if name in _METRICS:
        return _METRICS[name]
    if binned := _BINNED.fullmatch(name):
        return f"expected calibration error (ECE, {binned[2]} bins of equal {binned[1]})"
    return " ".join(_ACRONYMS.get(word, word) for word in name.split("_"))


def capital(text: str) -> str:
    """Return `text` with a first capital, unless it starts with a name such as `lower_case`."""
    first = text.partition(" ")[0].rstrip(",:;.")
    return text[:1].upper() + text[1:] if first.isalpha() else text


def gaps(skips: Sequence[Skip]) -> list[tuple[str, Skip]]:
    """Return (what was skipped, one Skip) for each reason: metrics and slices with the same reason together.

    What was skipped is metrics in words, then the slices that the reason does not name; "" for a whole probe.
    """
    by_reason: dict[tuple[str, bool], list[Skip]] = {}
    for skip in skips:
        by_reason.setdefault((skip.reason, skip.applicable), []).append(skip)
    return [(_skipped(group), group[0]) for group in by_reason.values()]


def _skipped(group: Sequence[Skip]) -> str:
    metrics = dict.fromkeys(metric(skip.metric) for skip in group if skip.metric is not None)
    slices = dict.fromkeys(s.slice for s in group if s.slice is not None and not _names(s.reason, s.slice))
    return ": ".join(", ".join(names) for names in (metrics, slices) if names)


def _names(text: str, name: str) -> bool:
    """Whether `name` stands in the text as words of its own: `age` does not stand in `language`."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def sentence(text: str) -> str:
    """Return `text` with a capital and a full stop."""
    text = capital(text.strip())
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."


def guessed_unit(name: str) -> str:
    """Return the unit that the house's naming gives a metric of which nothing was measured."""
    if name.endswith(
        ("_gap", "_drop", "_bias", "_effect", "_excess", "_shift", "recency", "reliance", "_gain")
    ):
        return POINTS
    return SHARE if name.endswith(("_rate", "accuracy", "ece", "_share")) else ""


def limit_of(rule: Rule) -> float:
    """Return the number of a rule's limit."""
    limit = rule.max if rule.max is not None else rule.min
    return 0.0 if limit is None else limit


def limit(rule: Rule, unit: str) -> str:
    """Return `at most 10 %` or `at least 80 %`."""
    return f"{'at most' if rule.max is not None else 'at least'} {amount(limit_of(rule), unit)}"


def question(rule: Rule, unit: str) -> str:
    """Return the rule as a question: `Is the flip rate at most 10 % in every slice?`"""
    where = {"all": "", "worst": " in every slice"}.get(rule.slice, f" in the slice “{rule.slice}”")
    return f"Is the {metric(rule.metric)} {limit(rule, unit)}{where}?"


def unit_of(record: Record, probe: str, name: str) -> str:
    """Return the unit in which a probe gave a metric, or the unit that its name suggests."""
    for outcome in record.outcomes:
        if outcome.kind == "finding" and (outcome.probe, outcome.metric) == (probe, name):
            return outcome.unit
    return guessed_unit(name)


def needed(needed_n: int | None, n: int | None) -> str:
    """Return `about 340 more examples would decide (840 in all)`, or nothing; two digits, rounded up."""
    if needed_n is None:
        return ""
    if n is None or needed_n <= n:
        return f"about {about(needed_n)} examples would decide"
    more = needed_n - n
    examples = "example" if more == 1 else "examples"
    return f"about {about(more)} more {examples} would decide ({about(needed_n)} in all)"


def decidable(distance: float | None, unit: str) -> str:
    """Return the distance from the limit that the sample decides, in words, or nothing."""
    if distance is None:
        return ""
    return f"with this n, a truth {margin(distance, unit)} from the limit is decided four times in five"


DECISIONS: dict[Decision, str] = {
    "PROMOTE": "Every rule holds on its whole interval.",
    "BLOCK": "At least one rule is broken on its whole interval.",
    "UNDECIDED": "No rule is broken, but not every rule could be decided.",
    "INCOMPLETE": "A probe or the model crashed, so the run is not complete; the same command resumes it.",
}


def decision(record: Record, word: Decision) -> str:
    """Return one sentence that says what the decision rests on."""
    if not record.verdicts:
        return "No rule was given, so nothing was judged."
    if word == "BLOCK" and any(outcome.kind == "crash" for outcome in record.outcomes):
        return f"{DECISIONS[word]} A probe crashed as well; the same command resumes it."
    if word != "PROMOTE":
        return DECISIONS[word]
    if any(v.status in ("UNSURE", "NOT MEASURED") and v.waiver is None for v in record.verdicts):
        return "No rule is broken. Rules that could not be decided were accepted as warnings."
    if any(v.waiver is not None and v.status in ("FAIL", "UNSURE", "NOT MEASURED") for v in record.verdicts):
        return "Every rule holds on its whole interval or is waived by name."
    return DECISIONS[word]


def plainly(value: Json) -> str:
    """Return what a config file may hold as words: `used: true; evidence: model card`, `typos, casing`."""
    match value:
        case dict():
            return "; ".join(f"{key}: {plainly(inner)}" for key, inner in value.items()) or "none"
        case list() | tuple():
            return ", ".join(plainly(inner) for inner in value) or "none"
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def speed(usage: Usage) -> str:
    """Return `152 texts/s`, or nothing where no text went through the model."""
    if usage.seconds <= 0 or usage.scored == 0:
        return ""
    return f"{usage.scored / usage.seconds:,.0f} texts/s"
