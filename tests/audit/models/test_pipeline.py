from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline

from audit.errors import ModelError
from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.pipeline import open_pipeline
from audit.models.spec import ModelSpec
from audit.schema import Subject

TEXTS = ["a good film", "a bad film", "good good", "awful and bad", "", "🙂", "GOOD film"]
TRAIN = (["good", "very good", "bad", "awful"], [1, 1, 0, 0])
FITTED = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(*TRAIN)
MAP = {"0": "negative", "1": "positive"}


def opened(file: Path, *, pair: bool = False, cache: Cache | None = None, **spec: Any) -> Subject:
    return open_pipeline(
        ModelSpec(kind="fine-tuned", source=f"sklearn:{file.name}", **({"allow_pickle": True} | spec)),
        labels=("positive", "negative"),
        pair=pair,
        base=file.parent,
        cache=cache or Cache(None),
        ledger=Ledger(),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    joblib.dump(FITTED, tmp_path / "m.joblib")
    return tmp_path / "m.joblib"


def test_answers_equal_predict_proba_in_the_order_of_the_labels(file: Path) -> None:
    found = opened(file, label_map=MAP).classifier.score(TEXTS)  # type: ignore[union-attr]
    np.testing.assert_allclose(FITTED.predict_proba(TEXTS)[:, ::-1], found.probabilities, atol=1e-12)


def test_fingerprint_is_what_the_vectoriser_lets_through(file: Path) -> None:
    classifier = opened(file, label_map=MAP).classifier
    assert classifier is not None
    plain, upper, unknown, other = classifier.fingerprint(["good", "GOOD", "good zzz", "bad"])
    assert plain == upper == unknown != other


def test_classes_that_are_words_need_no_map(tmp_path: Path) -> None:
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(
        TRAIN[0], ["positive"] * 2 + ["negative"] * 2
    )
    joblib.dump(model, tmp_path / "m.joblib")
    scores = opened(tmp_path / "m.joblib").classifier.score(["good"])  # type: ignore[union-attr]
    assert 0.5 < scores.probabilities[0, 0]


def test_certain_answers_stay_finite(tmp_path: Path) -> None:
    model = make_pipeline(CountVectorizer(), DummyClassifier(strategy="most_frequent")).fit(*TRAIN)
    joblib.dump(model, tmp_path / "m.joblib")
    scores = opened(tmp_path / "m.joblib", label_map=MAP).classifier.score(["good"])  # type: ignore[union-attr]
    assert np.isfinite(scores.logits).all()  # type: ignore[arg-type]
    np.testing.assert_allclose([[0, 1]], scores.probabilities, atol=2e-12)


def test_facts_are_the_same_from_the_cache(file: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    assert opened(file, label_map=MAP, cache=cache).facts == opened(file, label_map=MAP, cache=cache).facts


def test_file_saved_by_another_version_is_noted_in_the_facts(file: Path) -> None:
    import sklearn

    file.write_bytes(file.read_bytes().replace(sklearn.__version__.encode(), b"0" * len(sklearn.__version__)))
    assert any("version 0" in note for note in opened(file, label_map=MAP).facts.notes)


def test_pickle_is_refused_unless_asked_for(file: Path) -> None:
    with pytest.raises(ModelError, match=r"pickle can run code.*allow_pickle: true"):
        opened(file, allow_pickle=False)


def test_pair_task_is_refused(file: Path) -> None:
    with pytest.raises(ModelError, match="takes one text"):
        opened(file, pair=True)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (make_pipeline(CountVectorizer(), RidgeClassifier()).fit(*TRAIN), "no predict_proba"),
        (make_pipeline(CountVectorizer(), LogisticRegression()), "never fitted"),
        ({"not": "a model"}, "no predict_proba"),
        (
            make_pipeline(CountVectorizer(), LogisticRegression()).fit(*TRAIN),
            r"cannot be told.*'0'.*positive",
        ),
    ],
)
def test_what_is_no_classifier_of_the_task_is_refused(tmp_path: Path, model: Any, found: str) -> None:
    joblib.dump(model, tmp_path / "m.joblib")
    with pytest.raises(ModelError, match=found):
        opened(tmp_path / "m.joblib")


@pytest.mark.parametrize("content", [b"", b"label,text\n", b"\x80\x04cno_such_module\nname\n.", b"\x80\x04."])
def test_file_that_is_no_joblib_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.joblib").write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot be read: m\.joblib") as caught:
        opened(tmp_path / "m.joblib")
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'none\.joblib' is no file"):
        opened(tmp_path / "none.joblib")
