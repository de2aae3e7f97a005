"""The checklist for machines: what `checklist.md` says, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from audit.schema import Record


def render(record: Record) -> str:
    """Return the checklist as JSON: name, model, when, and every item with status, evidence and action."""
    said = {
        "name": record.name,
        "model": {
            "source": record.model.source,
            "kind": record.model.kind,
            "weights": record.model.weights,
        },
        "started": record.times.started,
        "rules": record.rules,
        "items": [asdict(item) for item in record.checklist],
    }
    return json.dumps(said, indent=1, ensure_ascii=True) + "\n"
