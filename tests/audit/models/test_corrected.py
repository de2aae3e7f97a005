"""`model.prompt.correction`: mended answers over a raw cache, for the prompt it was fitted for alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit import correction
from audit.errors import ConfigError
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.prompted import open_prompted
from audit.models.spec import ModelSpec
from audit.schema import Correction, Prompt, Scores, Subject
from tests.audit.models.asked import LABELS, PROMPT, TEXTS, Tiny, changed, opened


@pytest.fixture
def raw(tiny: Tiny) -> Subject:
    return opened(tiny())


@pytest.fixture
def fitted(raw: Subject) -> Correction:
    return correction.contextual([[0.9, 0.1]], labels=LABELS, fitted_on="N/A", facts=raw.facts)


@pytest.fixture
def place(tmp_path: Path, fitted: Correction) -> Path:
    path = tmp_path / "correction.json"
    path.write_text(json.dumps(correction.to_json(fitted)), encoding="utf-8")
    return path


def corrected(
    folder: Path,
    place: Path,
    prompt: Prompt = PROMPT,
    *,
    cache: Cache | None = None,
    ledger: Ledger | None = None,
) -> Subject:
    said = {"template": prompt.template, "verbalizers": prompt.verbalizers, "correction": place.name}
    spec = {"kind": "in-context", "source": str(folder), "device": "cpu", "prompt": said}
    return open_prompted(
        ModelSpec.model_validate(spec),
        labels=LABELS,
        pair=False,
        prompt=prompt,
        base=place.parent,
        cache=cache or Cache(None),
        ledger=ledger or Ledger(),
    )


def scores(subject: Subject) -> Scores:
    assert subject.classifier is not None
    return subject.classifier.score(TEXTS)


def refused(folder: Path, place: Path, prompt: Prompt = PROMPT) -> str:
    with pytest.raises(ConfigError) as caught:
        corrected(folder, place, prompt)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- answers -------------------------------------------------------------------------------


def test_the_answers_are_the_raw_ones_mended(
    tiny: Tiny, raw: Subject, place: Path, fitted: Correction
) -> None:
    plain, mended = scores(raw), scores(corrected(tiny(), place))

    assert np.allclose(correction.apply(fitted, plain.probabilities), mended.probabilities, atol=1e-12)
    assert not np.allclose(plain.probabilities, mended.probabilities, atol=0.01)
    assert mended.logits is not None
    assert np.allclose(np.log(mended.probabilities), mended.logits)


def test_mass_truncation_and_fingerprints_are_as_they_were(tiny: Tiny, raw: Subject, place: Path) -> None:
    subject = corrected(tiny(), place)
    plain, mended = scores(raw), scores(subject)
    assert raw.classifier is not None
    assert subject.classifier is not None

    assert plain.mass is not None
    assert np.array_equal(plain.mass, mended.mass)  # type: ignore[arg-type]  # None is another value
    assert np.array_equal(plain.truncated, mended.truncated)
    assert raw.classifier.fingerprint(TEXTS) == subject.classifier.fingerprint(TEXTS)
    assert raw.classifier.labels == subject.classifier.labels


def test_no_texts_are_no_rows(tiny: Tiny, place: Path) -> None:
    classifier = corrected(tiny(), place).classifier
    assert classifier is not None

    assert (0, 2) == classifier.score([]).probabilities.shape


def test_the_cache_keeps_raw_answers_so_that_a_correction_is_tried_for_nothing(
    tiny: Tiny, place: Path, tmp_path: Path
) -> None:
    first = scores(opened(tiny(), cache=Cache(tmp_path / "c.sqlite")))
    ledger = Ledger()
    scores(corrected(tiny(), place, cache=Cache(tmp_path / "c.sqlite"), ledger=ledger))
    again = scores(opened(tiny(), cache=Cache(tmp_path / "c.sqlite")))

    assert (0, len(TEXTS)) == (ledger.usage().scored, ledger.usage().cached)
    assert np.array_equal(first.probabilities, again.probabilities)


def test_a_sibling_is_raw_also_with_the_same_prompt(tiny: Tiny, raw: Subject, place: Path) -> None:
    prompted = corrected(tiny(), place).prompted
    assert prompted is not None
    sibling = prompted.with_prompt(prompted.prompt)

    assert prompted.prompt == sibling.prompt
    assert np.allclose(scores(raw).probabilities, sibling.score(TEXTS).probabilities)


# --- facts ---------------------------------------------------------------------------------


def test_facts_say_that_a_correction_is_in_force(tiny: Tiny, raw: Subject, place: Path) -> None:
    facts = corrected(tiny(), place).facts

    assert ("", "contextual") == (raw.facts.correction, facts.correction)
    assert "a correction is in force: contextual, fitted on N/A" == facts.notes[-1]
    assert raw.facts.notes == facts.notes[:-1]
    assert raw.facts == replace(facts, prompt=raw.facts.prompt, correction="", notes=raw.facts.notes)


def test_what_is_fitted_under_a_correction_fits_neither_prompt_nor_correction(
    tiny: Tiny, raw: Subject, place: Path, tmp_path: Path
) -> None:
    facts = corrected(tiny(), place).facts
    on_top = correction.temperature(2, labels=LABELS, fitted_on="texts", facts=facts)
    (tmp_path / "top.json").write_text(json.dumps(correction.to_json(on_top)), encoding="utf-8")

    assert raw.facts.prompt != facts.prompt
    assert "was fitted for another prompt" in refused(tiny(), tmp_path / "top.json")


def test_another_correction_is_another_hash(
    tiny: Tiny, place: Path, fitted: Correction, tmp_path: Path
) -> None:
    other = replace(fitted, parameters={"prior": [0.8, 0.2]})
    (tmp_path / "other.json").write_text(json.dumps(correction.to_json(other)), encoding="utf-8")
    first, second = corrected(tiny(), place).facts, corrected(tiny(), tmp_path / "other.json").facts

    assert first.prompt != second.prompt


# --- what does not fit ---------------------------------------------------------------------


def test_a_correction_of_another_prompt_is_refused_naming_both(tiny: Tiny, raw: Subject, place: Path) -> None:
    other = changed(template="Text: {text}\nSentiment:")
    said = refused(tiny(), place, other)

    assert f"another prompt, whose hash is '{raw.facts.prompt}', here" in said
    assert opened(tiny(), other).facts.prompt in said
    assert "run the audit without model.prompt.correction, then `audit mitigate`" in said


def test_a_correction_of_another_model_is_refused_naming_both(tiny: Tiny, raw: Subject, place: Path) -> None:
    said = refused(tiny("gpt2"), place)

    assert f"another model, whose weights have the hash '{raw.facts.weights}', here" in said
    assert opened(tiny("gpt2")).facts.weights in said


def test_a_correction_for_other_labels_is_refused_naming_both(
    tiny: Tiny, place: Path, fitted: Correction
) -> None:
    place.write_text(json.dumps(correction.to_json(replace(fitted, labels=LABELS[::-1]))), encoding="utf-8")

    assert "other labels 'positive, negative', here 'negative, positive'" in refused(tiny(), place)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "model.prompt.correction is not JSON"),
        (b"\xff\xfe\x00", "model.prompt.correction is not JSON"),
        (b"[" * 100_000, "model.prompt.correction is not JSON"),
        (b"[]", "must be an object with kind"),
        (b'{"kind": "contextual"}', "parameters is missing; add it (and 4 more)"),
    ],
)
def test_a_file_that_is_none_is_refused(tiny: Tiny, place: Path, content: bytes, expected: str) -> None:
    place.write_bytes(content)

    assert f"{place}: {expected}" in refused(tiny(), place)


def test_a_file_that_is_not_there_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory; name a file that" in refused(
        tiny(), tmp_path / "no.json"
    )
    assert "cannot be read: Is a directory" in refused(tiny(), tmp_path)
