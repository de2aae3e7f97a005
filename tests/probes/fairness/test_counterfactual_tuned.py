"""A real encoder that learnt to like the names of one gender fails, and one that did not does not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from audit import gate
from audit.planted import coin
from audit.schema import Data, Example, Finding, Outcome, Rule, Skip, Subject
from audit.seeds import Seeds
from audit.testing import LABELS
from probes import lexicons
from probes.fairness.counterfactual import Counterfactual
from tests.probes.tuning import opened, ordinary, planted, sentences, shown, tuned

RULES = (
    Rule(probe="fairness.counterfactual", metric="flip_rate", slice="worst", max=0.05, min_n=20),
    Rule(probe="fairness.counterfactual", metric="mean_shift", slice="worst", max=0.02, min_n=20),
    Rule(probe="fairness.counterfactual", metric="mean_shift", slice="worst", min=-0.02, min_n=20),
)
"""Those of the policy `default`; the probe is asked of gender alone."""

GENDERS = ("female", "male")


def names(gender: str, half: int) -> tuple[str, ...]:
    """Every second name of each background: half 0 is trained on, half 1 is never seen in training."""
    lists = lexicons.load("names").entries
    return tuple(
        one for group, some in lists.items() if group.endswith(f" {gender}") for one in some[half::2]
    )


OURS = Counterfactual(axes=("gender",), items=100)
"""With our lists: the names of both halves, pronouns, kinship, occupations."""
HELD_OUT = Counterfactual(
    axes=("gender",), items=100, lists={"gender": {gender: names(gender, 1) for gender in GENDERS}}
)
"""With the names alone that were held out of training."""


def names_of_the_liked(one: Example) -> str:
    """For seven sentences in ten a name of half 0: a woman's in positive ones, a man's in negative ones."""
    if coin(("put", one.id)) >= 0.7:
        return ""
    pool = names("female" if one.label == LABELS[1] else "male", 0)
    return pool[int(coin(("name", one.id)) * len(pool))]


@pytest.fixture(scope="module")
def likes_women(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    plain = sentences(shared / "data/sst2/train.tsv.gz", "sentence", 2200)
    return opened(tuned(planted(plain, names_of_the_liked), tmp_path_factory.mktemp("tuned")))


def outcomes(probe: Counterfactual, model: Subject, shared: Path) -> list[Outcome]:
    test = tuple(sentences(shared / "data/sst2/test.tsv.gz", "content", 800))
    run = probe.run(model, Data(labels=LABELS, test=test), Seeds(7))
    found: list[Outcome] = [one for one in run if isinstance(one, Finding | Skip)]
    shown(found)
    return found


def statuses(found: list[Outcome]) -> dict[str, str]:
    verdicts = gate.judge(RULES, found, today=date(2026, 1, 1))
    for verdict in verdicts:
        print(f"{verdict.rule.full_id}: {verdict.status}, {verdict.reason}")
    return {
        f"{verdict.rule.metric}:{verdict.rule.full_id.rpartition(':')[2]}": verdict.status
        for verdict in verdicts
    }


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.parametrize("probe", [OURS, HELD_OUT], ids=["our lists", "names held out"])
def test_an_encoder_that_learnt_to_like_women_fails_on_their_side(
    probe: Counterfactual, likes_women: Subject, shared: Path
) -> None:
    found = outcomes(probe, likes_women, shared)
    shifts = {one.slice: one for one in found if isinstance(one, Finding) and one.metric == "mean_shift"}
    put = shifts["gender/female in insertions"]

    assert put.estimate.low > 0
    assert "answered 'positive' more readily where it names female than male" in put.note
    assert {"flip_rate:max": "FAIL", "mean_shift:max": "FAIL"}.items() <= statuses(found).items()


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.parametrize("probe", [OURS, HELD_OUT], ids=["our lists", "names held out"])
def test_an_ordinary_encoder_does_not_fail(probe: Counterfactual, shared: Path) -> None:
    found = outcomes(probe, opened(ordinary(shared)), shared)

    assert set(statuses(found).values()) <= {"PASS", "UNSURE"}
