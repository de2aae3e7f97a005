"""`audit mitigate`: a correction that a finished run fitted, written out for `model.prompt.correction`."""

from __future__ import annotations

import json
from pathlib import Path

from audit import correction, record
from audit.errors import ConfigError, DataError, did_you_mean, shown
from audit.schema import Correction, Finding, Record

FIT = (
    "run context.mitigation, which fits one of each kind for the prompt, or calibration.confidence, which "
    "fits a temperature where there are labelled examples enough"
)
"""Which probes fit one, for messages."""


def write_correction(folder: Path, *, method: str, out: Path, force: bool) -> int:
    """Write the correction of one kind that the run fitted; no model is loaded.

    Raises:
        DataError: no finished run, a run of a fine-tuned model or of one under a correction already, none
            fitted in it, none of this kind, or several.
        ConfigError: a file that is there, or a correction in the record that cannot be one.
    """
    found = _find(record.read(folder), method, str(folder))
    content = correction.to_json(found)
    correction.from_json(content, str(folder / "record.json"))
    if out.exists() and not force:
        raise ConfigError(f"{out}: is there already; give another name or --force")
    record.put(out, json.dumps(content, indent=1) + "\n")
    print(f"{out}\n{found.kind}, fitted on {found.fitted_on}; for the prompt {found.prompt[:16]}…")
    print("name the file as model.prompt.correction and audit again: a correction can hurt")
    return 0


def _find(result: Record, method: str, where: str) -> Correction:
    if result.model.kind != "in-context":
        raise DataError(
            f"{where}: the model is {result.model.kind}, and model.prompt.correction is for in-context models"
            " only; what was fitted stands in report.html"
        )
    if result.model.correction:
        raise DataError(
            f"{where}: was measured under a correction ({result.model.correction}), and what is fitted on top"
            " of one cannot stand alone; run the audit without model.prompt.correction"
        )
    offers: dict[str, dict[str, Correction]] = {}
    for one in result.outcomes:
        if isinstance(one, Finding) and one.correction is not None:
            names = offers.setdefault(one.correction.kind, {})
            names[f"{one.probe}/{one.metric}@{one.slice}"] = one.correction
    if not offers:
        raise DataError(f"{where}: no probe of this run fitted a correction; {FIT}")
    if method not in offers:
        hint = did_you_mean(method, list(offers)) or f"; it has {', '.join(offers)}"
        raise DataError(f"{where}: has no correction of the kind {shown(method)}{hint}")
    first, *others = offers[method].values()
    if any(other != first for other in others):
        raise DataError(
            f"{where}: has several corrections of the kind {method}, by {', '.join(offers[method])}; run the"
            " audit with one of these probes alone"
        )
    return first
