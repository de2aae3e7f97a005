"""Planted loss in the middle: found within its interval where it is, and not where it is not."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import cochrans_q

from audit.errors import ConfigError, ModelError
from audit.schema import Data, Facts, Finding, Item, Skip, Subject
from audit.seeds import Seeds
from audit.testing import check_probe, coin
from probes import lexicons
from probes.context.evidence_position import DEPTHS, EvidencePosition, Question, cochran

U: Mapping[float, float] = {0.0: 0.9, 0.25: 0.7, 0.5: 0.5, 0.75: 0.7, 1.0: 0.9}
FLAT: Mapping[float, float] = dict.fromkeys(DEPTHS, 0.8)
NOTHING = Data(labels=("no", "yes"), test=())
LONG = EvidencePosition(trials=400, draws=500)
SMALL = EvidencePosition(trials=30, draws=200)


@functools.cache
def read(context: str) -> Mapping[str, str]:
    """Thing → place, in the order of the lines."""
    return dict(line.removeprefix("The ")[:-1].split(" is in the ") for line in context.split("\n"))


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A language model that finds a fact with a probability that hangs on where it stands."""

    chance: Mapping[float, float] = field(default_factory=lambda: FLAT)
    """Depth → probability of the right place; else it is the least likely of all."""
    seed: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list, compare=False)
    calls: list[int] = field(default_factory=list, compare=False)

    def log_probs(self, pairs: Sequence[tuple[str, str]]) -> list[NDArray[np.float64]]:
        self.asked.extend(pairs)
        self.calls.append(len(pairs))
        return [self._answer(context, continuation) for context, continuation in pairs]

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        samples: int = 1,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[list[str]]:
        raise AssertionError("nothing is to be written")

    def _answer(self, context: str, continuation: str) -> NDArray[np.float64]:
        thing = continuation.partition("Where is the ")[2].partition("?")[0]
        place = continuation.rpartition(" ")[2]
        facts = read(context)
        at = list(facts).index(thing)
        found = coin((thing, *facts.values()), self.seed) < self.chance[at / (len(facts) - 1)]
        right = facts[thing] == place
        odds = (-1.0 if found else -9.0) if right else -2.0 - coin((context[:80], place), self.seed)
        return np.array([-4.0, -0.5, odds])


def chosen(probe: EvidencePosition) -> EvidencePosition:
    """With a list whose lines stand at the depths to the digit."""
    return replace(probe, facts=21)


def subject(reader: object, *, room: int | None = None) -> Subject:
    facts = Facts(kind="in-context", source="planted", max_length=room)
    return Subject(classifier=None, language=reader, facts=facts)  # type: ignore[arg-type]  # odd readers too


def outcomes(probe: EvidencePosition, reader: object, seed: int = 0) -> list[Finding | Skip]:
    found = chosen(probe).run(subject(reader), NOTHING, Seeds(seed))
    return [one for one in found if not isinstance(one, Item)]


def findings(probe: EvidencePosition, reader: object, seed: int = 0) -> dict[tuple[str, str], Finding]:
    return {(f.metric, f.slice): f for f in outcomes(probe, reader, seed) if isinstance(f, Finding)}


def questions(probe: EvidencePosition, seed: int = 0) -> list[Question]:
    return [one for trial in range(probe.trials) for one in probe._questions(trial, Seeds(seed))]


def test_the_contract_holds() -> None:
    check_probe(EvidencePosition(), path="probes.context.evidence_position")


# --- planted faults -----------------------------------------------------------------------


def test_a_known_loss_in_the_middle_lies_in_its_intervals() -> None:
    found = findings(LONG, Reader(chance=U))

    drop, reach = found["middle_drop", "all"], found["depth_range", "all"]
    assert 0.2 < drop.estimate.low <= 0.4 <= drop.estimate.high < 0.6
    assert 0.2 < reach.estimate.low <= 0.4 <= reach.estimate.high < 0.6
    assert drop.p is not None
    assert reach.p is not None
    assert max(drop.p, reach.p) < 0.01
    assert (400, 400) == (drop.estimate.n, reach.estimate.n)
    assert ("zero", "lower") == (drop.better, reach.better)
    for depth, truth in U.items():
        estimate = found["accuracy", f"depth {depth:.2f}"].estimate
        assert estimate.low <= truth <= estimate.high


def test_a_model_that_reads_all_alike_loses_nothing() -> None:
    runs = [findings(LONG, Reader(seed=seed), seed) for seed in range(5)]

    drops = [run["middle_drop", "all"].estimate for run in runs]
    assert abs(np.mean([one.value for one in drops])) < 0.035  # three standard errors
    assert 3 <= sum(one.low < 0 < one.high for one in drops)
    assert 3 <= sum((run["depth_range", "all"].p or 0) > 0.05 for run in runs)
    assert all(run["depth_range", "all"].estimate.low < 0.05 for run in runs)


def test_a_model_that_reads_the_end_alone_has_a_range_and_half_a_drop() -> None:
    found = findings(LONG, Reader(chance={**dict.fromkeys(DEPTHS, 0.25), 1.0: 1.0}))

    assert found["depth_range", "all"].estimate.low > 0.5
    assert found["middle_drop", "all"].estimate.low <= 0.375 <= found["middle_drop", "all"].estimate.high


def test_a_model_without_an_error_is_at_zero_with_a_width() -> None:
    found = findings(SMALL, Reader(chance=dict.fromkeys(DEPTHS, 1.0)))

    assert (0.0, 0.0) == (
        found["depth_range", "all"].estimate.value,
        found["depth_range", "all"].estimate.low,
    )
    assert found["depth_range", "all"].estimate.high > 0.1
    drop = found["middle_drop", "all"].estimate
    assert 0.0 == drop.value
    assert drop.low < -0.1 < 0.1 < drop.high
    assert "Cochran's Q 0.00, p 1.0000" in found["depth_range", "all"].note


@pytest.mark.parametrize("chance", [0.25, 0.0])
def test_a_model_that_finds_nothing_has_an_accuracy_and_no_range(chance: float) -> None:
    found = outcomes(SMALL, Reader(chance=dict.fromkeys(DEPTHS, chance)))

    skips = {one.metric: one for one in found if isinstance(one, Skip)}
    assert ["accuracy"] * 5 == [one.metric for one in found if isinstance(one, Finding)]
    assert {"depth_range", "middle_drop"} == set(skips)
    assert all("finds the evidence nowhere (accuracy 0." in one.reason for one in skips.values())
    assert all(one.applicable for one in skips.values())


# --- what is asked ------------------------------------------------------------------------


def test_one_list_serves_all_five_depths_and_each_candidate_stands_in_it() -> None:
    for one in questions(SMALL):
        places = [line[:-1].rpartition(" ")[2] for line in one.context.split("\n")]
        assert 20 == len(places) == len(set(places))
        assert 4 == len(set(one.candidates))
        assert one.right in one.candidates
        assert set(one.candidates) <= set(places)
        assert [places.index(place) for place in one.candidates] == sorted(
            places.index(place) for place in one.candidates
        )
    lists = [one.context for one in questions(SMALL)]
    assert 30 == len(set(lists))
    assert all(lists[i] == lists[i + 4] for i in range(0, 150, 5))


def test_the_right_fact_stands_at_its_depth() -> None:
    for one in questions(SMALL)[:10]:
        places = [line[:-1].rpartition(" ")[2] for line in one.context.split("\n")]
        assert round(one.depth * 19) == places.index(one.right)


def test_facts_and_the_place_of_the_answer_are_drawn_anew_for_each_list_and_seed() -> None:
    one, other = questions(SMALL, 0), questions(SMALL, 1)

    assert one[0].context != other[0].context
    assert all(a.context != b.context for a, b in pairwise(one[::5]))
    at = [each.candidates.index(each.right) for each in questions(LONG) if each.depth == 0.5]
    assert {0, 1, 2, 3} == set(at)


def test_all_is_asked_in_one_call_and_as_announced() -> None:
    reader = Reader()

    list(SMALL.run(subject(replace(reader, chance={i / 19: 0.5 for i in range(20)})), NOTHING, Seeds(0)))

    assert [30 * 5 * 4] == reader.calls
    assert 600 == SMALL.demand(NOTHING, subject(reader).facts).texts
    context, end = reader.asked[0]
    assert context.startswith("The ")
    assert end.startswith("\n\nQuestion: Where is the ")
    assert "Answer: The " in end


def test_the_same_seed_gives_the_same() -> None:
    reader = Reader(chance=U)

    first, again, other = (list(chosen(SMALL).run(subject(reader), NOTHING, Seeds(s))) for s in (1, 1, 2))

    assert first == again
    assert first != other


# --- what a reader sees ---------------------------------------------------------------------


def test_items_tell_the_answer_and_how_sure_it_was() -> None:
    found = chosen(SMALL).run(subject(Reader(chance=U)), NOTHING, Seeds(0))

    items = [one for one in found if isinstance(one, Item)]

    assert 150 == len(items) == len({(one.example, one.variant) for one in items})
    assert ("trial 1", "depth 0.00") == (items[0].example, items[0].variant)
    assert all(1 == pytest.approx(sum(one.probabilities)) for one in items)
    assert all((one.predicted == one.label) == (one.outcome == "right") for one in items)


def test_cases_are_lists_whose_middle_was_lost() -> None:
    cases = findings(replace(SMALL, cases=3), Reader(chance={**U, 0.5: 0.2}))["middle_drop", "all"].cases

    assert 3 == len(cases)
    for case in cases:
        assert case.before != case.label
        assert f"in the {case.label}." in case.text.split("\n")[10]


def test_the_picture_shows_every_depth() -> None:
    series = findings(SMALL, Reader(chance=U))["depth_range", "all"].series

    assert series is not None
    assert [f"depth {depth:.2f}" for depth in DEPTHS] == [point.label for point in series.points]
    assert "guessing gives 0.250" in series.reading


# --- edges ----------------------------------------------------------------------------------


def test_a_model_without_log_probabilities_is_not_applicable() -> None:
    (skip,) = SMALL.run(subject(None), NOTHING, Seeds(0))

    assert isinstance(skip, Skip)
    assert not skip.applicable


def test_a_list_that_may_not_fit_is_a_skip_and_is_not_asked() -> None:
    reader = Reader()
    longest = max(len(f"{q.context}{q.asked} {place}") for q in questions(SMALL) for place in q.candidates)

    (skip,) = SMALL.run(subject(reader, room=longest + 1), NOTHING, Seeds(0))

    assert isinstance(skip, Skip)
    assert f"20 facts and a question may take {longest + 2} tokens, and the model takes" in skip.reason
    assert skip.applicable
    assert [] == reader.asked


def test_a_list_that_fits_for_certain_is_asked() -> None:
    reader = Reader()

    found = list(chosen(SMALL).run(subject(reader, room=1024), NOTHING, Seeds(0)))

    assert 600 == len(reader.asked)
    assert any(isinstance(one, Finding) for one in found)


def test_an_error_of_the_model_is_a_skip_with_its_words() -> None:
    class Narrow(Reader):
        def log_probs(self, pairs: Sequence[tuple[str, str]]) -> list[NDArray[np.float64]]:
            raise ModelError("the text is too long")

    (skip,) = outcomes(SMALL, Narrow())

    assert isinstance(skip, Skip)
    assert "the text is too long" == skip.reason


@pytest.mark.parametrize(
    ("parameter", "value", "words"),
    [
        ("facts", 4, "give at least 5"),
        ("facts", 65, "give at most 64"),
        ("candidates", 1, "give at least 2"),
        ("candidates", 21, "give at most 20"),
        ("trials", 1, "give at least 2"),
    ],
)
def test_parameters_out_of_range_are_refused(parameter: str, value: int, words: str) -> None:
    with pytest.raises(ConfigError, match=f"evidence_position: {parameter}: cannot be {value}; {words}"):
        replace(SMALL, **{parameter: value})


def test_the_words_are_plain_and_stand_once() -> None:
    lexicon = lexicons.load("evidence")
    words = [word for kind in ("objects", "places") for word in lexicon.entries[kind]]

    assert 128 == len(words) == len(set(words))
    assert all(word.isalpha() and word.islower() for word in words)
    assert lexicon.source.startswith("written for this project")


# --- Cochran's Q, and coverage ----------------------------------------------------------------


def test_cochrans_q_is_that_of_statsmodels() -> None:
    right = np.random.default_rng(0).random((5, 40)) < np.array([[0.9], [0.7], [0.5], [0.7], [0.9]])

    expected = cochrans_q(right.T.astype(int))

    assert (expected.statistic, expected.pvalue) == pytest.approx(cochran(right))


@pytest.mark.slow
@pytest.mark.parametrize("chance", [U, FLAT])
def test_intervals_hold_the_drop_and_the_accuracy(chance: Mapping[float, float]) -> None:
    probe = EvidencePosition(trials=40, draws=100)
    truth = {"middle_drop": (chance[0.0] + chance[1.0]) / 2 - chance[0.5], "accuracy": chance[0.5]}
    held: dict[str, list[bool]] = {name: [] for name in truth}
    for seed in range(200):
        found = findings(probe, Reader(chance=chance, seed=seed), seed)
        for name, part in (("middle_drop", "all"), ("accuracy", "depth 0.50")):
            estimate = found[name, part].estimate
            held[name].append(estimate.low <= truth[name] <= estimate.high)

    assert 0.91 <= np.mean(held["middle_drop"]) <= 0.98
    assert 0.91 <= np.mean(held["accuracy"]) <= 0.98


@pytest.mark.slow
def test_a_model_that_reads_all_alike_is_called_uneven_in_one_run_of_twenty() -> None:
    probe = EvidencePosition(trials=40, draws=200)

    small = [
        p is not None and p <= 0.05
        for seed in range(200)
        for p in [findings(probe, Reader(seed=seed), seed)["depth_range", "all"].p]
    ]

    assert np.mean(small) <= 0.09
