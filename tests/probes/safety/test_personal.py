"""What has the form of personal data and the right check digits is found, and nothing else."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import ConfigError
from probes.safety import personal
from probes.safety.personal import Hit, find, iban, leaked, luhn, masked

DIGITS = st.text("0123456789", min_size=2, max_size=20)


def kinds(text: str) -> list[str]:
    return [hit.kind for hit in find(text)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to jo.doe+x@mail.provider.org today", "email"),
        ("(jo@provider.co.uk)", "email"),
        ("call +49 30 9018 2033 now", "phone"),
        ("call (212) 664-7665.", "phone"),
        ("ring 030 / 2345 678", "phone"),
        ("card 4539 1488 0343 6467", "card"),
        ("card 4539-1488-0343-6467", "card"),
        ("to DE89 3704 0044 0532 0130 00 PLEASE", "iban"),
        ("to GB82WEST12345698765432.", "iban"),
        ("SSN 536-90-4399", "national_id"),
        ("NINO AB 12 34 56 C", "national_id"),
        ("DNI 12345678Z", "national_id"),
        ("NIR 2 55 08 14 168 025 38", "national_id"),
        ("CPF 529.982.247-25", "national_id"),
    ],
)
def test_personal_data_is_found_once_with_its_kind(text: str, kind: str) -> None:
    assert [kind] == [one for one in kinds(text) if one == kind]
    assert [kind] == kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@b",
        "jo@example.com and jo@shop.test",
        "on 2020-11-24 at 12:30, 1,234,567.89 of 10.000.000",
        "call 212-555-0147",
        "card 4539 1488 0343 6468",
        "card 4111 1111 1111 1111",
        "to DE89 3704 0044 0532 0130 01",
        "SSN 000-12-3456 or 123-45-6789",
        "DNI 12345678A",
        "NIR 2 55 08 14 168 025 39",
        "CPF 529.982.247-26 or 111.111.111-11",
        "version 10.0.19041.1 of chapter 3.2",
        "🙂 مرحبا بالعالم " + "x" * 10_000,
        "1" * 10_000,
    ],
)
def test_what_only_looks_alike_is_not_found(text: str) -> None:
    assert [] == kinds(text)


def test_two_pieces_in_one_text_are_two_hits() -> None:
    assert ["email", "phone"] == kinds("jo@provider.org, +44 20 7946 1234")


# --- check digits ---------------------------------------------------------------------------


@settings(deadline=None)
@given(DIGITS)
def test_exactly_one_last_digit_fits(body: str) -> None:
    assert 1 == sum(luhn(body + last) for last in "0123456789")


@settings(deadline=None)
@given(DIGITS, st.data())
def test_one_wrong_digit_is_always_noticed(digits: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(digits) - 1))
    other = data.draw(st.sampled_from([one for one in "0123456789" if one != digits[place]]))
    changed = digits[:place] + other + digits[place + 1 :]

    assert not (luhn(digits) and luhn(changed))


@settings(deadline=None)
@given(st.text("0123456789", min_size=18, max_size=18), st.data())
def test_an_iban_has_one_pair_of_check_digits_and_notices_a_wrong_digit(
    body: str, data: st.DataObject
) -> None:
    check = 98 - int(f"{body}131400") % 97  # D is 13, E is 14
    made = f"DE{check:02d}{body}"
    place = data.draw(st.integers(4, len(made) - 1))
    other = data.draw(st.sampled_from([one for one in "0123456789" if one != made[place]]))

    assert iban(made)
    assert not iban(made[:place] + other + made[place + 1 :])
    assert not iban(made[:-1])
    assert ["iban"] == kinds(f"to {made[:4]} {made[4:]}")


# --- leaks ----------------------------------------------------------------------------------


def test_what_stood_in_the_prompt_is_no_leak_however_it_is_written() -> None:
    given_text = "Call 212-664-7665 or write to Jo@Provider.org"

    assert [] == leaked("(212) 664-7665, jo@provider.org", given_text)
    assert ["an@provider.org"] == [hit.text for hit in leaked("jo@provider.org an@provider.org", given_text)]


def test_masking_keeps_two_letters_at_each_end() -> None:
    assert "40…67 (16 characters)" == masked("4000111122223467")
    assert "… (5 characters)" == masked("abcde")


def test_presidio_missing_names_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ConfigError, match=r'pip install "trust-audit\[presidio\]"'):
        personal.presidio()


def test_presidio_gives_hits_of_our_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Engine:
        def analyze(self, *, text: str, language: str, entities: list[str]) -> list[SimpleNamespace]:
            return [SimpleNamespace(entity_type="US_SSN", start=4, end=15)]

    fake = ModuleType("presidio_analyzer")
    fake.AnalyzerEngine = Engine  # type: ignore[attr-defined]  # a stand-in for the package
    monkeypatch.setitem(sys.modules, "presidio_analyzer", fake)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())

    assert [Hit(kind="national_id", text="536-90-4399")] == personal.presidio()("SSN 536-90-4399")


# --- real sentences -------------------------------------------------------------------------


def test_made_up_people_of_another_project_are_found(shared: Path) -> None:
    with gzip.open(shared / "data/pii_synthetic/synth_dataset_v2.json.gz", "rt", encoding="utf-8") as file:
        rows = json.load(file)
    spans = [(row["full_text"], span) for row in rows for span in row["spans"]]
    emails = [(text, s["entity_value"]) for text, s in spans if s["entity_type"] == "EMAIL_ADDRESS"]
    cards = [(text, s["entity_value"]) for text, s in spans if s["entity_type"] == "CREDIT_CARD"]
    found = [value in {hit.text for hit in find(text)} for text, value in emails]
    seen = [any(hit.kind == "card" for hit in find(text)) for text, value in cards if luhn_of(value)]

    assert sum(found) >= 0.9 * len(emails) > 30
    assert sum(seen) >= 0.7 * len(seen) > 0


def luhn_of(value: str) -> bool:
    return value.isdigit() and luhn(value)


def test_ordinary_questions_hold_no_personal_data(shared: Path) -> None:
    with (shared / "data/xstest/xstest_prompts.csv").open(encoding="utf-8", newline="") as file:
        prompts = [row["prompt"] for row in csv.DictReader(file)]

    assert [] == [prompt for prompt in prompts if find(prompt)]
