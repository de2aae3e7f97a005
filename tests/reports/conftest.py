"""The sample, its page, and golden files that `pytest --update-golden` writes again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from audit.schema import Record
from reports import page
from tests.reports import sample

GOLDEN = Path(__file__).parent / "golden"

Golden = Callable[[str, str], None]


@pytest.fixture(scope="session")
def record() -> Record:
    return sample.record()


@pytest.fixture(scope="session")
def html(record: Record) -> str:
    return page.render(
        record, decision="BLOCK", exit_code=1, command="audit run configs/demo-in-context.yaml"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with the golden file of that name, or write the file."""

    def compare(name: str, text: str) -> None:
        place = GOLDEN / name
        if request.config.getoption("--update-golden"):
            GOLDEN.mkdir(exist_ok=True)
            place.write_text(text, encoding="utf-8")
        assert place.read_text(encoding="utf-8") == text, f"{name} changed; see `pytest --update-golden`"

    return compare
