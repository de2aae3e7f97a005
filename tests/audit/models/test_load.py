from __future__ import annotations

from pathlib import Path

import pytest

from audit.errors import ModelError
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.load import open_subject
from audit.models.spec import ModelSpec
from audit.schema import Subject


def opened(base: Path, kind: str, source: str, **spec: bool) -> Subject:
    return open_subject(
        ModelSpec.model_validate({"kind": kind, "source": source, **spec}),
        labels=("negative", "positive"),
        pair=False,
        prompt=None,
        base=base,
        cache=Cache(None),
        ledger=Ledger(),
    )


def test_fine_tuned_model_has_no_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loaded_here.py").write_text("def ask(texts):\n    return [[0.5, 0.5] for _ in texts]\n")
    monkeypatch.setattr("sys.path", [])
    subject = opened(tmp_path, "fine-tuned", "python:loaded_here:ask")
    assert (None, None) == (subject.prompted, subject.language)
    assert ("fine-tuned", "python:loaded_here:ask") == (subject.facts.kind, subject.facts.source)


@pytest.mark.parametrize(
    ("kind", "source", "found"),
    [
        ("in-context", "sklearn:m.joblib", "cannot be used in context"),
        ("in-context", "python:m:f", "cannot be used in context"),
        ("fine-tuned", "m.gguf", "without a classification head"),
        ("fine-tuned", "sklearn:m.joblib", "allow_pickle"),
        ("fine-tuned", "./nowhere", "does not exist"),
    ],
)
def test_model_that_cannot_be_of_its_kind_is_refused(
    tmp_path: Path, kind: str, source: str, found: str
) -> None:
    with pytest.raises(ModelError, match=found):
        opened(tmp_path, kind, source)
