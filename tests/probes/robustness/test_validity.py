"""An antonym or another meaning is no fair attack; what could not be checked is said."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.schema import Data, Example, Finding, Skip, Subject
from audit.seeds import Seeds
from audit.testing import LABELS, constant, subject
from probes.robustness import recipes, static, told, validity
from probes.robustness.adversarial import Adversarial
from probes.robustness.outcome import Attacked, Originals
from probes.robustness.recipes import Attempt

BEFORE = ("the film is good", "a fine cast", "the plot is slow", "it works")
AFTER = ("the film is bad", "a fien cast", "the plot is dull", "it works not")


class Planted:
    """Texts with the same last word are alike by 1, others by 0.5."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        words = sorted({text.split()[-1] for text in texts})
        own = np.eye(len(words))[[words.index(text.split()[-1]) for text in texts]]
        return np.hstack([np.full((len(texts), 1), 0.5**0.5), own * 0.5**0.5])


@pytest.fixture(scope="module", autouse=True)
def _stop_words() -> None:
    recipes.look_in(None)


@pytest.fixture
def without_wordnet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validity, "_wordnet_is_here", lambda: False)


@pytest.fixture
def with_antonyms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validity, "_wordnet_is_here", lambda: True)
    known = {"good": frozenset({"bad"}), "slow": frozenset({"fast"})}
    monkeypatch.setattr(validity, "antonyms", lambda word: known.get(word, frozenset()))


def done(won: int = 4, stood: int = 2) -> Attacked:
    """An outcome where the first `won` texts were broken."""
    texts = [*BEFORE[:won], *(f"text {i}" for i in range(stood))]
    n = len(texts)
    attempts = {
        i: Attempt(
            text=AFTER[i] if i < won else texts[i],
            probabilities=(0.2, 0.8) if i < won else (0.8, 0.2),
            words=4,
            changed=1,
            left=4,
            queries=9,
            spent=False,
        )
        for i in range(n)
    }
    originals = Originals(
        examples=tuple(Example(id=f"e{i}", text=text, label="negative") for i, text in enumerate(texts)),
        labels=LABELS,
        probabilities=np.tile([0.9, 0.1], (n, 1)),
        predicted=np.zeros(n, dtype=np.intp),
    )
    return Attacked(recipe="pwws", originals=originals, budget=99, unfit=("",) * n, attempts=attempts)


def valid_rate(checked: validity.Validity) -> Finding | Skip:
    results = told.broken("robustness.adversarial", done(), "", checked, Seeds(0), 4)
    return next(
        one for one in results if isinstance(one, Finding | Skip) and one.metric == "valid_success_rate"
    )


@pytest.mark.usefixtures("with_antonyms")
def test_a_word_that_became_its_antonym_is_no_fair_attack() -> None:
    checked = validity.check(done(), None, 0.8)

    assert {0: "good became its antonym bad"} == checked.faults
    assert "antonyms by WordNet" in checked.checks
    assert "helpers.encoder" in checked.lacking[0]


@pytest.mark.usefixtures("without_wordnet")
def test_another_meaning_is_no_fair_attack() -> None:
    checked = validity.check(done(), Planted(), 0.8)

    assert {0, 2, 3} == set(checked.faults)  # their last words differ
    assert pytest.approx(1.0) == checked.similarity[1]
    assert pytest.approx(0.5) == checked.similarity[0]


@pytest.mark.usefixtures("with_antonyms")
def test_the_valid_rate_counts_only_what_passes_both_checks() -> None:
    found = valid_rate(validity.check(done(), Planted(), 0.4))

    assert isinstance(found, Finding)
    assert (pytest.approx(3 / 6), 6) == (found.estimate.value, found.estimate.n)
    assert "3 of 4 successes pass" in found.note
    assert "; not checked: " not in found.note


@pytest.mark.usefixtures("without_wordnet")
def test_where_nothing_can_be_checked_the_valid_rate_is_not_measured() -> None:
    found = valid_rate(validity.check(done(), None, 0.8))

    assert isinstance(found, Skip)
    assert "helpers.encoder names no sentence encoder" in found.reason
    assert "nltk.downloader wordnet" in found.reason


@pytest.mark.usefixtures("with_antonyms")
def test_cases_say_what_is_wrong_with_a_text() -> None:
    checked = validity.check(done(), Planted(), 0.4)
    results = told.broken("robustness.adversarial", done(), "", checked, Seeds(0), 9)
    (success,) = [one for one in results if isinstance(one, Finding) and one.metric == "attack_success_rate"]
    notes = {case.example: case.note for case in success.cases}

    assert "similarity 0.50, not valid: good became its antonym bad" in notes["e0"]
    assert notes["e1"].endswith("similarity 1.00")


def test_strict_asks_for_the_similarity_of_morris() -> None:
    texts = Data(
        labels=LABELS,
        test=tuple(
            Example(id=f"e{i}", text=f"The music was remembered by number{i}", label=LABELS[i % 2])
            for i in range(8)
        ),
    )
    from audit.testing import Planted as Model

    known = {one.text for one in texts.test}
    model = Model(positive=lambda text: 0.9 if (str(text)[-1:] in "1357") == (str(text) in known) else 0.1)

    def note(strict: bool) -> str:
        asked = replace(subject(model), encoder=Planted())
        results = Adversarial(recipes=("pruthi",), strict=strict).run(asked, texts, Seeds(0))
        (found,) = [one for one in results if isinstance(one, Finding) and one.metric == "valid_success_rate"]
        return found.note

    assert "similarity of at least 0.98" in note(True)
    assert "similarity of at least 0.8" in note(False)


def test_of_a_pair_the_less_alike_part_counts() -> None:
    pairs = [(("a cat", "a dog"), ("the cat", "a hog")), (("a cat", "b"), ("one cat", "b"))]

    assert pytest.approx([0.5, 1.0]) == validity.similarities(Planted(), pairs)


def test_words_are_aligned_past_what_was_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validity, "antonyms", {"good": {"bad"}, "film": (), "so": ()}.__getitem__)

    assert [("Good", "bad")] == list(validity.opposites("Good film", "bad film , well"))
    assert [("good", "bad")] == list(validity.opposites(("a", "so good"), ("a", "so bad")))
    assert [] == list(validity.opposites("good film", "bad"))  # words went: no one-to-one exchange


@pytest.mark.slow
def test_wordnet_knows_antonyms(shared: Path) -> None:
    recipes.look_in(os.pathsep.join(str(shared / "data" / name) for name in ("nltk_small", "wordnet30")))

    assert "bad" in validity.antonyms("good")
    assert "film" not in validity.antonyms("good")


# --- texts made against other models ------------------------------------------------------


def static_rate(model: object, labels: Sequence[str]) -> dict[str, Finding | Skip]:
    given = tuple(Example(id=f"a{i}", text=f"adversarial {i}", label=label) for i, label in enumerate(labels))
    data = Data(
        labels=LABELS, test=(Example(id="t", text="x 1", label="negative"),), sets={static.SET: given}
    )
    asked = Subject(classifier=model, facts=subject(constant()).facts)  # type: ignore[arg-type]  # a model
    results = Adversarial(recipes=("pruthi",)).run(asked, data, Seeds(0))
    return {
        str(one.metric): one
        for one in results
        if isinstance(one, Finding | Skip) and one.slice == static.SLICE
    }


def test_a_constant_model_has_no_accuracy_on_a_set_made_against_others() -> None:
    found = static_rate(constant(), ["negative", "positive"] * 10)["accuracy_under_attack"]

    assert isinstance(found, Skip)
    assert "answered 'positive' to 20 of 20" in found.reason


@pytest.mark.parametrize(
    ("counts", "error"),
    [((76, 72), 0.4865), ((32, 46), 0.4103), ((74, 74), 0.5), ((35, 46), 0.4321)],
    ids=["SST-2", "QQP", "QNLI", "RTE"],
)
def test_what_a_constant_answer_reaches_on_advglue_stands_beside_it(
    counts: tuple[int, int], error: float
) -> None:
    from audit.testing import Planted as Model

    model = Model(positive=lambda text: 0.9 if int(str(text).split()[-1]) % 2 else 0.1)
    found = static_rate(model, [LABELS[0]] * counts[0] + [LABELS[1]] * counts[1])["accuracy_under_attack"]

    assert isinstance(found, Finding)
    assert found.estimate.n == sum(counts)
    assert f"would reach {1 - error:.3f}" in found.note
