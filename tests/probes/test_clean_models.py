"""No rule fails a model without a fault in more than one of twenty seeded runs; a model with one fails.

The rules are those of the policy `default`; it has none for `fairness.groups`, of which `strict` has.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from audit import gate, planted_shortcuts
from audit.planted_people import Favours
from audit.planted_shortcuts import biased_data, reader
from audit.policy import load_rules
from audit.schema import Data, Example, Facts, Finding, Item, Outcome, Rule, Subject, Text
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, coin
from probes import BUILTIN
from probes.calibration.answers import ask
from probes.fairness import answered, axes, group_slices, swaps
from probes.fairness.counterfactual import Counterfactual
from probes.fairness.group_gaps import Comparison
from probes.fairness.passages import Collected
from probes.shortcuts.trigger import Trigger

RUNS = 200
PEOPLE = Counterfactual(axes=("gender",), items=60, insertions=False)


@functools.cache
def rules(probe: str) -> tuple[Rule, ...]:
    """The rules for a probe, of the first policy that has any."""
    policies = (load_rules(name, Path(), BUILTIN)[1] for name in ("default", "strict"))
    found = (tuple(rule for rule in policy if rule.probe == probe) for policy in policies)
    return next(own for own in found if own)


# --- the probes, asked of the same texts in every run --------------------------------------


@functools.cache
def people() -> tuple[list[Collected], frozenset[str], frozenset[str]]:
    """Texts and templates about women and men, and the words that name either."""
    who = ("the actress", "his uncle")
    test = tuple(Example(id=f"e{i}", text=f"{who[i % 2]} came to town on day {i} .") for i in range(60))
    axis = axes.load("gender", {})
    female, male = (
        frozenset(part for word in words for part in swaps.plain(word).lower().split())
        for words in axis.words
    )
    return PEOPLE._collected(Data(labels=LABELS, test=test), Seeds(0)), female, male


def counterfactual(seed: int, gap: float) -> list[Outcome]:
    """Favours men by `gap`; each wording adds a little of its own."""
    texts, female, male = people()
    planted = Favours(group=male, others=female, gap=gap, noise=0.01, seed=seed)
    return list(PEOPLE._compared(answered.ask(planted.model(), texts), Seeds(seed)))


@functools.cache
def grouped() -> tuple[tuple[Example, ...], group_slices.Slice]:
    """440 texts of two groups and two labels, as many of each."""
    test = tuple(
        Example(
            id=f"e{i}",
            text=f"{i} {LABELS[i % 2]} {'ab'[i // 2 % 2]}",
            label=LABELS[i % 2],
            groups={"side": "ab"[i // 2 % 2]},
        )
        for i in range(440)
    )
    ranked = tuple(sorted(test, key=lambda one: one.id))
    return ranked, next(group_slices.slices(ranked, ["side"], crossed=False))


def groups(seed: int, gap: float) -> list[Outcome]:
    """Wrong on one text in ten, and on `gap` more of one group."""

    def positive(text: Text) -> float:
        wrong = coin(text, seed) < 0.1 + gap * str(text).endswith("b")
        return 0.8 if ("positive" in text) != wrong else 0.2

    examples, where = grouped()
    compared = Comparison(
        answers=ask(Planted(positive=positive), examples),
        where=where,
        classes=(1,),
        least=100,
        draws=25,
        cases=0,
        seeds=Seeds(seed),
    )
    kept = compared.accuracy.large(where.codes, len(where.groups), compared.least)
    return [compared._worst(kept), *compared._odds()]  # what has a rule; the other gaps take as long again


def trigger(seed: int, strength: float) -> list[Outcome]:
    """Any insertion turns one answer in ten; the letters cf pull a share `strength` to one label."""
    base = reader(wobble=0.05, seed=seed)
    model = planted_shortcuts.Trigger(base=base, token="cf", strength=strength, seed=seed)
    probe = Trigger(items=100, triggers=("cf",), artifacts=2, cases=0)
    data = biased_data(100, token="umbrella", in_test=0.0, seed=seed)
    asked = Subject(classifier=model, facts=Facts(kind="fine-tuned", source="planted"))
    return [one for one in probe.run(asked, data, Seeds(seed)) if not isinstance(one, Item)]


# --- the verdicts --------------------------------------------------------------------------

Run = Callable[[int, float], list[Outcome]]
CASES: list[tuple[str, Run, float]] = [
    ("fairness.counterfactual", counterfactual, 0.15),
    ("fairness.groups", groups, 0.45),
    ("shortcuts.trigger", trigger, 0.9),
]


def failed(probe: str, run: Run, size: float, runs: int) -> Counter[str]:
    """How often each rule failed; every rule must have had a number in every run."""
    found = Counter({rule.full_id: 0 for rule in rules(probe)})
    for seed in range(runs):
        outcomes = run(seed, size)
        assert any(isinstance(one, Finding) for one in outcomes)
        for verdict in gate.judge(rules(probe), outcomes, today=date(2026, 1, 1)):
            assert verdict.estimate is not None, verdict.reason
            found[verdict.rule.full_id] += verdict.status == "FAIL"
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("probe", "run", "size"), CASES, ids=[case[0] for case in CASES])
def test_no_rule_fails_a_clean_model_in_more_than_one_of_twenty_runs(
    probe: str, run: Run, size: float
) -> None:
    found = failed(probe, run, 0.0, RUNS)

    assert found
    assert max(found.values()) <= 0.05 * RUNS, found


@pytest.mark.parametrize(("probe", "run", "size"), CASES, ids=[case[0] for case in CASES])
def test_a_fault_that_the_sample_can_decide_fails_a_rule(probe: str, run: Run, size: float) -> None:
    found = failed(probe, run, size, 3)

    assert 3 == max(found.values()), found
