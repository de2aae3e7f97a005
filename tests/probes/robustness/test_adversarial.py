"""Planted models: one that any misspelling breaks, one that nothing breaks, one that only looks so."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import ConfigError
from audit.schema import Data, Example, Facts, Finding, Item, Scores, Skip, Subject, Text
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, check_probe, coin, constant, findings, prompted, subject
from probes.robustness import quietly, recipes, told
from probes.robustness.adversarial import Adversarial
from probes.robustness.outcome import Attacked, Originals
from probes.robustness.recipes import Attempt
from probes.robustness.validity import Validity

RATES = ("accuracy_under_attack", "attack_success_rate")


@pytest.fixture(scope="module", autouse=True)
def nltk_data(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A folder with a few stop words, where NLTK looks while these tests run."""
    folder = tmp_path_factory.mktemp("nltk")
    (folder / "corpora/stopwords").mkdir(parents=True)
    (folder / "corpora/stopwords/english").write_text("i\ndo\nnot\nthe\nis\na\nand\nto\nbe\nit's\n")
    recipes.look_in(str(folder))
    assert recipes.missing("deepwordbug") == ""
    quietly.bring()


NOUNS = ("story", "actor", "scene", "score", "ending", "music")
KNOWN = {f"The {noun} was remembered by number{i}" for noun in NOUNS for i in range(40)}


def data(n: int = 30) -> Data:
    """Texts that differ in their last word; even ones are negative, odd ones positive."""
    test = tuple(
        Example(id=f"e{i}", text=f"The {NOUNS[i % 6]} was remembered by number{i}", label=LABELS[i % 2])
        for i in range(n)
    )
    return Data(labels=LABELS, test=test)


def odd(text: Text) -> bool:
    """Whether the text's number is odd; a text without one is even."""
    digits = "".join(c for c in str(text) if c.isdigit())
    return bool(digits) and int(digits) % 2 == 1


def spelling(pure: Callable[[str], bool] = lambda text: text in KNOWN) -> Planted:
    """A model that is right on what is spelt rightly, and gives the other answer to everything else."""
    return Planted(positive=lambda text: 0.9 if odd(text) == pure(str(text)) else 0.1)


def stable(n: int) -> tuple[Planted, Data]:
    """A model that answers by the number of words alone: swaps of letters move nothing."""
    test = tuple(
        Example(id=f"e{i}", text=" ".join(["remember"] * (2 + i % 2) + [f"x{i}"]), label=LABELS[i % 2])
        for i in range(n)
    )
    model = Planted(positive=lambda text: 0.9 if len(str(text).split()) % 2 == 0 else 0.1)
    return model, Data(labels=LABELS, test=test)


def skips(probe: Adversarial, model: Planted, given: Data) -> dict[tuple[str | None, str | None], Skip]:
    results = probe.run(subject(model), given, Seeds(0))
    return {(one.metric, one.slice): one for one in results if isinstance(one, Skip)}


# --- planted models -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pruthi", "deepwordbug"])
def test_a_model_that_any_misspelling_breaks_is_found(name: str) -> None:
    found = findings(Adversarial(recipes=(name,)), spelling(), data())
    success, under = found["attack_success_rate", name], found["accuracy_under_attack", name]

    assert 1.0 == found["original_accuracy", name].estimate.value
    assert (1.0, 30) == (success.estimate.value, success.estimate.n)
    assert success.estimate.low > 0.88
    assert (0.0, 30) == (under.estimate.value, under.estimate.n)
    assert "always saying 'positive' would reach 0.500" in under.note
    assert "30 of 30 right answers were broken" in success.note
    assert pytest.approx(1 / 6) == found["perturbed_words", name].estimate.value  # one of six words
    assert ("lower", "higher") == (success.better, under.better)


@pytest.mark.parametrize("name", ["pruthi", "deepwordbug", "bad-characters-invisible"])
def test_a_model_that_nothing_breaks_is_clean(name: str) -> None:
    model, given = stable(12)
    found = findings(Adversarial(recipes=(name,)), model, given)
    success = found["attack_success_rate", name].estimate

    assert (0.0, 0.0, 12) == (success.value, success.low, success.n)
    assert 0.2 < success.high < 0.3  # 0 of 12 is no proof
    assert 1.0 == found["accuracy_under_attack", name].estimate.value
    assert 0.0 == found["truncated_rate", name].estimate.value


def test_where_nothing_succeeded_perturbed_words_are_not_measured() -> None:
    model, given = stable(12)
    missing = skips(Adversarial(recipes=("pruthi",)), model, given)

    assert "an interval needs 2 texts and there are 0" in missing["perturbed_words", "pruthi"].reason


@pytest.mark.parametrize("name", ["pruthi", "input-reduction"])
def test_a_constant_model_is_flagged_and_not_called_robust(name: str) -> None:
    probe = Adversarial(recipes=(name,))
    model = constant()
    missing = skips(probe, model, data())
    metrics = RATES if name == "pruthi" else ("kept_words",)

    for metric in metrics:
        assert "answered 'positive' to 30 of 30 originals (entropy 0.00 nats)" in missing[metric, name].reason
        assert missing[metric, name].applicable
    assert {("original_accuracy", name)} == set(findings(probe, model, data()))
    assert 60 == model.asked  # the originals of two runs, and nothing else


def test_a_nearly_constant_model_is_flagged() -> None:
    model = Planted(positive=lambda text: 0.1 if str(text).endswith("number4") else 0.9)
    missing = skips(Adversarial(recipes=("pruthi",)), model, data(100))

    assert "to 99 of 100 originals" in missing["attack_success_rate", "pruthi"].reason


def test_a_model_that_is_never_right_cannot_be_attacked() -> None:
    wrong = Planted(positive=lambda text: 0.1 if odd(text) else 0.9)
    missing = skips(Adversarial(recipes=("pruthi",)), wrong, data())

    for metric in RATES:
        assert "0 were attacked: 0 of 30 originals are answered rightly" in missing[metric, "pruthi"].reason


def test_hard_labels_make_a_search_blind() -> None:
    model = Planted(positive=lambda text: float(odd(text)))

    assert "probabilities are 0 or 1" in skips(Adversarial(recipes=("pruthi",)), model, data())[
        "attack_success_rate", "pruthi"
    ].reason  # fmt: skip


def test_the_budget_ends_searches_and_is_told_apart() -> None:
    model, given = stable(12)
    found = findings(Adversarial(recipes=("pruthi",), query_budget=5), model, given)

    assert 1.0 == found["truncated_rate", "pruthi"].estimate.value
    assert "12 of the failed attacks ended at the budget of 5 queries" in found[
        "attack_success_rate", "pruthi"
    ].note  # fmt: skip
    assert 5.0 == found["queries", "pruthi"].estimate.value


def test_texts_without_a_word_are_left_out_and_said() -> None:
    odd_ones = (Example(id="z1", text="?!", label="negative"), Example(id="z2", text="", label="negative"))
    given = replace(data(), test=(*data().test, *odd_ones))
    found = findings(Adversarial(recipes=("pruthi",)), spelling(), given)

    assert 30 == found["accuracy_under_attack", "pruthi"].estimate.n
    assert "left out: 2 without a word" in found["accuracy_under_attack", "pruthi"].note


class Choking(Planted):
    """Fails on whatever the attack makes of one text."""

    def score(self, texts: Sequence[Text]) -> Scores:
        if any(str(text).endswith(" number3") and text not in KNOWN for text in texts):
            raise RuntimeError("cannot read this")
        return super().score(texts)


def test_an_example_that_breaks_the_model_is_an_error_of_its_own() -> None:
    model = Choking(positive=spelling().positive)
    found = findings(Adversarial(recipes=("deepwordbug",)), model, data())
    errors = found["error_rate", "deepwordbug"]

    assert (pytest.approx(1 / 30), 30) == (errors.estimate.value, errors.estimate.n)
    assert ["RuntimeError: cannot read this"] == [case.note for case in errors.cases]
    assert ["e3"] == [case.example for case in errors.cases]
    assert 29 == found["attack_success_rate", "deepwordbug"].estimate.n
    assert "left out: 1 ended in an error" in found["attack_success_rate", "deepwordbug"].note


def test_cases_and_items_show_both_texts() -> None:
    results = list(Adversarial(recipes=("pruthi",), cases=3).run(subject(spelling()), data(), Seeds(0)))
    (success,) = [f for f in results if isinstance(f, Finding) and f.metric == "attack_success_rate"]
    items = [one for one in results if isinstance(one, Item)]

    assert 3 == len(success.cases)
    for case in success.cases:
        assert case.text in KNOWN
        assert case.changed not in KNOWN
        assert case.before == case.label != case.after
    assert 30 == sum(one.variant == "original" and one.outcome == "right" for one in items)
    assert 30 == sum(one.variant == "pruthi" and one.outcome == "flipped" for one in items)
    assert all(math.isclose(1.0, sum(one.probabilities)) for one in items)


def test_copies_of_a_text_count_once() -> None:
    twice = tuple(replace(one, id=f"{one.id}-{k}") for one in data(20).test for k in "ab")
    found = findings(Adversarial(recipes=("deepwordbug",)), spelling(), Data(labels=LABELS, test=twice))

    assert 20 == found["attack_success_rate", "deepwordbug"].estimate.n
    assert 20 == found["queries", "deepwordbug"].estimate.n


def test_pairs_and_more_classes_are_attacked() -> None:
    labels = ("no", "maybe", "yes")
    test = tuple(
        Example(
            id=f"e{i}", text=f"Somebody is playing number{i}", pair="Nobody is sleeping", label=labels[i % 3]
        )
        for i in range(12)
    )
    known = {one.input for one in test}

    class Three(Planted):
        def score(self, texts: Sequence[Text]) -> Scores:
            assert all(isinstance(text, tuple) for text in texts)
            rows = np.full((len(texts), 3), 0.1)
            for row, text in zip(rows, texts, strict=True):
                right = int("".join(c for c in text[0] if c.isdigit()) or 0) % 3
                row[right if text in known else (right + 1) % 3] = 0.8
            return Scores(probabilities=rows, truncated=np.zeros(len(texts), dtype=np.bool_))

    model = Three(positive=lambda text: 0.5, labels=labels)
    found = findings(Adversarial(recipes=("deepwordbug",)), model, Data(labels=labels, test=test))

    assert 1.0 == found["attack_success_rate", "deepwordbug"].estimate.value
    assert 12 == found["attack_success_rate", "deepwordbug"].estimate.n


def test_a_prompted_model_is_attacked_through_its_prompt() -> None:
    given = replace(data(), train=data(8).test)
    found = findings(Adversarial(recipes=("deepwordbug",)), replace(prompted(given), accuracy=1.0), given)

    assert 1.0 == found["original_accuracy", "deepwordbug"].estimate.value
    assert found["attack_success_rate", "deepwordbug"].estimate.low > 0.5  # unknown texts get any label


def test_input_reduction_tells_how_many_words_the_answer_needs() -> None:
    words = [f"word{k}" for k in "abcdefgh"]
    test = tuple(
        Example(id=f"e{i}", text=" ".join([*words, f"key{i}"]), label=LABELS[i % 2]) for i in range(10)
    )
    model = Planted(positive=lambda text: 0.9 if odd(text) else 0.1 if "key" in str(text) else 0.8)
    probe = Adversarial(recipes=("input-reduction",))
    given = Data(labels=LABELS, test=test)
    found, missing = findings(probe, model, given), skips(probe, model, given)

    kept = found["kept_words", "input-reduction"]

    assert 0.4 < kept.estimate.value < 0.6  # one word of nine would do: TextAttack tries every second one
    assert "an upper bound" in kept.note
    assert {False} == {missing[metric, "input-reduction"].applicable for metric in RATES}


# --- arithmetic ---------------------------------------------------------------------------


def attacked(success: int, failed: int, skipped: int, changed: int = 1, words: int = 10) -> Attacked:
    """An outcome with these counts; every example is negative."""
    n = success + failed + skipped
    predicted = np.array([0] * (success + failed) + [1] * skipped)
    originals = Originals(
        examples=tuple(Example(id=f"e{i}", text=f"text {i}", label="negative") for i in range(n)),
        labels=LABELS,
        probabilities=np.where(predicted[:, None] == np.arange(2), 0.9, 0.1),
        predicted=predicted,
    )
    attempts = {
        i: Attempt(
            text=f"txet {i}",
            probabilities=(0.2, 0.8) if i < success else (0.8, 0.2),
            words=words,
            changed=changed,
            left=words,
            queries=30,
            spent=False,
        )
        for i in range(success + failed)
    }
    return Attacked(recipe="pruthi", originals=originals, budget=500, unfit=("",) * n, attempts=attempts)


def rates(outcome: Attacked) -> dict[str, Finding]:
    unchecked = Validity(checks=(), lacking=("nothing here",))
    results = told.broken("robustness.adversarial", outcome, "", unchecked, Seeds(0), 0)
    return {one.metric: one for one in results if isinstance(one, Finding)}


def test_the_published_example_comes_out() -> None:
    found = rates(attacked(128, 29, 43))
    success, under = found["attack_success_rate"].estimate, found["accuracy_under_attack"].estimate

    assert 0.785 == found["original_accuracy"].estimate.value
    assert 0.145 == under.value
    assert 0.8153 == round(success.value, 4)
    assert (0.747, 0.868) == (round(success.low, 3), round(success.high, 3))
    assert (0.1029, 0.2005) == (round(under.low, 4), round(under.high, 4))
    assert (157, 200) == (success.n, under.n)
    assert pytest.approx(0.64) == found["accuracy_drop"].estimate.value  # 128 of 200


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_accuracy_under_attack_is_accuracy_times_what_stood(success: int, failed: int, skipped: int) -> None:
    if success + failed == 0:
        return
    found = rates(attacked(success, failed, skipped))
    before = found["original_accuracy"].estimate.value
    after = found["accuracy_under_attack"].estimate.value

    assert math.isclose(after, before * (1 - found["attack_success_rate"].estimate.value), abs_tol=1e-12)


# --- parameters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"recipes": ()}, "recipes: cannot be"),
        ({"recipes": ("pwws", "pwws")}, "each once"),
        ({"recipes": ("deepwordbgu",)}, "did you mean 'deepwordbug'"),
        ({"recipes": ("zzz",)}, "known are pruthi, deepwordbug"),
        ({"query_budget": 0}, "query_budget: cannot be 0; give at least 2"),
        ({"query_budget": 1}, "give at least 2"),
        ({"items": 0}, "items: cannot be 0"),
        ({"lanes": 0}, "lanes: cannot be 0"),
        ({"characters": 0}, "characters: cannot be 0"),
        ({"cases": -1}, "cases: cannot be -1"),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_refused(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Adversarial(**parameters)  # type: ignore[arg-type]


def test_without_labels_there_is_nothing_to_attack() -> None:
    bare = replace(data(), test=tuple(replace(one, label=None) for one in data().test))
    results = list(Adversarial().run(subject(spelling()), bare, Seeds(0)))

    assert ["there is nothing to attack without labelled test examples: see model.yaml"] == [
        one.reason for one in results if isinstance(one, Skip)
    ]


def test_without_a_classifier_there_is_nothing_to_attack() -> None:
    nobody = Subject(classifier=None, facts=Facts(kind="fine-tuned", source="none"))

    assert all(isinstance(one, Skip) for one in Adversarial().run(nobody, data(), Seeds(0)))


def test_a_recipe_that_lacks_its_words_is_skipped_and_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    real = recipes.missing
    monkeypatch.setattr(
        recipes, "missing", lambda name, means: "no wordnet here" if name == "pwws" else real(name, means)
    )
    probe = Adversarial(recipes=("pwws", "deepwordbug"))
    results = list(probe.run(subject(spelling()), data(), Seeds(0)))

    whole = [one.reason for one in results if isinstance(one, Skip) and one.metric is None]
    assert "pwws: no wordnet here" in whole
    assert "attack_success_rate" in {one.metric for one in results if isinstance(one, Finding)}


def test_without_textattack_every_recipe_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    results = list(Adversarial().run(subject(spelling()), data(), Seeds(0)))
    reasons = [one.reason for one in results if isinstance(one, Skip)]

    assert 3 == len(reasons)
    assert all('pip install "trust-audit[attack]"' in reason for reason in reasons)


def test_the_probe_keeps_the_contract() -> None:
    check_probe(
        Adversarial(recipes=("pruthi", "deepwordbug", "input-reduction"), items=40),
        path="probes.robustness.adversarial",
    )


def test_lanes_change_nothing() -> None:
    model = Planted(positive=lambda text: coin(text))

    def told_with(lanes: int) -> list[Finding | Skip | Item]:
        probe = Adversarial(recipes=("deepwordbug",), lanes=lanes)
        return list(probe.run(subject(model), data(), Seeds(3)))

    assert told_with(1) == told_with(7) == told_with(64)
