"""The checklist for machines holds every item as the record has it."""

from __future__ import annotations

import json
from dataclasses import replace

from audit.schema import Record
from reports import checklist_json
from tests.reports import sample

RECORD = sample.record()


def test_every_item_stands_there_with_its_status_and_evidence() -> None:
    said = json.loads(checklist_json.render(RECORD))

    assert [item.id for item in RECORD.checklist] == [item["id"] for item in said["items"]]
    assert [item.status for item in RECORD.checklist] == [item["status"] for item in said["items"]]
    assert [list(item.evidence) for item in RECORD.checklist] == [item["evidence"] for item in said["items"]]
    assert (RECORD.model.kind, RECORD.rules) == (said["model"]["kind"], said["rules"])


def test_odd_characters_survive_as_plain_ascii() -> None:
    odd: Record = replace(RECORD, name="naïve \u202e 🙂 </script>")
    text = checklist_json.render(odd)

    assert text.isascii()
    assert odd.name == json.loads(text)["name"]
