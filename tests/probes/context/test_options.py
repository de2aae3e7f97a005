"""Planted liking for option letters: found within its interval where it is, and not where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.data import load
from audit.errors import ConfigError, DataError, ModelError
from audit.planted import coin
from audit.schema import Data, Example, Facts, Finding, Item, Skip, Subject
from audit.seeds import Seeds
from audit.spec import DataSpec, TaskSpec
from audit.testing import check_probe, constant, sample_data, subject
from probes.context import choices, recalls, rotations
from probes.context.options import Options

IDS = "ABCDEFGH"
QUICK = Options(draws=200)


def example(i: int, k: int = 4) -> Example:
    """A question whose right choice begins with `right`; its place goes round."""
    gold = i % k
    texts = [f"{'right' if j == gold else 'wrong'} {i}.{j}" for j in range(k)]
    return Example(
        id=f"q{i:05}", text=f"What is the answer to riddle {i}?", meta={"choices": [*texts], "answer": gold}
    )


def data(n: int = 300, k: int = 4) -> Data:
    return Data(labels=("a", "b"), test=(), sets={"options": tuple(example(i, k) for i in range(n))})


@dataclass(kw_only=True)
class Picks:
    """A language model that adds up log-odds of each letter: its liking, knowledge, taste, and noise."""

    liking: tuple[float, ...] = (0.0,) * 8
    """Log-odds of each letter, whatever stands there."""
    knowledge: float = 1.5
    """What the right choice has."""
    taste: float = 1.0
    """Standard deviation of what each choice has, wherever it stands."""
    noise: float = 1.0
    """Standard deviation of what is drawn anew for each order and letter."""
    seed: int = 0
    asked: int = field(default=0, init=False)

    def log_probs(self, pairs: Sequence[tuple[str, str]]) -> list[NDArray[np.float64]]:
        self.asked += len(pairs)
        logs = {prompt: self.letters(prompt) for prompt in dict.fromkeys(prompt for prompt, _ in pairs)}
        found = []
        for prompt, letter in pairs:
            assert letter[0] == " "
            found.append(np.array([-0.1, logs[prompt][IDS.index(letter[1:])]]))  # two tokens
        return found

    def letters(self, prompt: str) -> NDArray[np.float64]:
        question, *lines, end = prompt.split("\n")
        assert "Answer:" == end
        assert question.startswith("Question: ")
        odds = np.array([self.odds(prompt, place, line) for place, line in enumerate(lines)])
        logs: NDArray[np.float64] = odds - np.logaddexp.reduce(odds)
        return logs

    def odds(self, prompt: str, place: int, line: str) -> float:
        assert line.startswith(f"{IDS[place]}. ")
        return (
            self.liking[place]
            + self.knowledge * line[3:].startswith("right")
            + self.taste * normal((line[3:], "taste"), self.seed)
            + self.noise * normal((prompt, place), self.seed)
        )

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


def normal(of: object, seed: int) -> float:
    return NormalDist().inv_cdf(min(max(coin(of, seed), 1e-9), 1 - 1e-9))


def given(model: Picks) -> Subject:
    return Subject(classifier=None, language=model, facts=Facts(kind="in-context", source="planted"))


def outcomes(probe: Options, model: Picks, about: Data, seed: int = 0) -> list[Finding | Skip]:
    results = probe.run(given(model), about, Seeds(seed))
    return [result for result in results if not isinstance(result, Item)]


def findings(probe: Options, model: Picks, about: Data, seed: int = 0) -> dict[tuple[str, str], Finding]:
    return {(f.metric, f.slice): f for f in outcomes(probe, model, about, seed) if isinstance(f, Finding)}


def truth(model: Picks, k: int = 4, n: int = 1000) -> NDArray[np.float64]:
    """(k,) the accuracy with the right choice at each letter, of many questions."""
    questions = [choices.read(example(i, k)) for i in range(n)]
    shares: NDArray[np.float64] = rotations.ask(model, questions).right_at.mean(axis=1)
    return shares


def test_the_contract_holds() -> None:
    check_probe(Options(), path="probes.context.options")


# --- planted faults -----------------------------------------------------------------------


@pytest.mark.parametrize("k", [3, 4, 5])
def test_a_known_liking_lies_in_its_intervals(k: int) -> None:
    model = Picks(liking=(1.0, 0.3, -0.5, -1.0, -0.2))
    true = truth(model, k)

    found = findings(replace(QUICK, items=100), model, data(k=k))

    recall, moved = found["recall_spread", "all"], found["move_gold_range", "all"]
    assert recall.estimate.low <= true.std() <= recall.estimate.high
    assert moved.estimate.low <= np.ptp(true) <= moved.estimate.high
    for finding in (recall, moved):
        assert "lower" == finding.better
        assert "points of share" == finding.unit
        assert 100 == finding.estimate.n
        assert finding.estimate.low > 0
        assert finding.p is not None
        assert finding.p < 0.01
    assert "at A" in moved.note


@pytest.mark.parametrize("noise", [0.0, 2.0])
@pytest.mark.parametrize("knowledge", [0.0, 1.5])
def test_a_model_that_likes_no_letter_shows_no_spread(knowledge: float, noise: float) -> None:
    found = findings(QUICK, Picks(knowledge=knowledge, noise=noise), data())

    for metric in ("recall_spread", "move_gold_range"):
        finding = found[metric, "all"]
        assert 0.0 == finding.estimate.low
        assert finding.estimate.high > 0.02
        assert finding.p is not None
        assert finding.p > 0.05
    assert found["recall_spread", "all"].estimate.value < 0.06


def test_a_model_that_always_gives_one_letter_is_measured_and_worst() -> None:
    found = findings(QUICK, Picks(liking=(0.0, 90.0, 0.0, 0.0)), data())

    assert 3**0.5 / 4 == pytest.approx(found["recall_spread", "all"].estimate.value)
    assert found["recall_spread", "all"].estimate.low > 0.3
    assert 1.0 == found["move_gold_range", "all"].estimate.value
    assert 1.0 == found["choice_inconsistency", "all"].estimate.value
    assert "recall of A 0.000, B 1.000, C 0.000, D 0.000" in found["recall_spread", "all"].note


def test_a_model_that_is_always_right_has_zeros_with_a_width() -> None:
    found = findings(QUICK, Picks(knowledge=90.0), data())

    assert 1.0 == found["accuracy", "all"].estimate.value
    for metric in ("recall_spread", "move_gold_range", "choice_inconsistency"):
        assert (0.0, 0.0) == (found[metric, "all"].estimate.value, found[metric, "all"].estimate.low)
        assert found[metric, "all"].estimate.high > 0.02
    assert found["accuracy", "all"].estimate.low < 0.95
    assert 0.0 == found["accuracy_gain", "pride"].estimate.value
    assert "cannot be told" in found["accuracy_gain", "pride"].note


def test_choices_that_follow_the_content_are_consistent_though_wrong() -> None:
    found = findings(QUICK, Picks(knowledge=0.0, taste=3.0, noise=0.0), data())

    assert 0.0 == found["choice_inconsistency", "all"].estimate.value
    assert found["accuracy", "all"].estimate.value < 0.5


def test_pure_guessing_is_as_inconsistent_as_the_note_says() -> None:
    finding = findings(replace(QUICK, items=300), Picks(knowledge=0.0, taste=0.0), data())[
        "choice_inconsistency", "all"
    ]

    assert "gives 0.984" in finding.note
    assert finding.estimate.low <= 1 - 1 / 64 <= finding.estimate.high


# --- PriDe --------------------------------------------------------------------------------


def test_pride_takes_a_liking_off_and_helps() -> None:
    model = Picks(liking=(2.0, 0.0, -1.0, -1.0), noise=0.3)

    found = findings(replace(QUICK, items=100), model, data())

    gain, after = found["accuracy_gain", "pride"], found["recall_spread", "pride"]
    assert gain.estimate.low > 0.05
    assert gain.p is not None
    assert gain.p < 0.01
    assert "PriDe helps" in gain.note
    assert "from 20 of 100 questions (alpha 0.2" in gain.note
    assert 80 == gain.estimate.n == after.estimate.n
    assert after.estimate.high < found["recall_spread", "all"].estimate.low
    assert "PriDe helps" in after.note


def test_pride_cannot_be_told_to_help_a_model_that_likes_no_letter() -> None:
    found = findings(QUICK, Picks(noise=0.3), data())

    assert "cannot be told" in found["accuracy_gain", "pride"].note
    assert "cannot be told" in found["recall_spread", "pride"].note
    assert found["accuracy_gain", "pride"].estimate.low <= 0 <= found["accuracy_gain", "pride"].estimate.high


class Misleading(Picks):
    """Likes the first letter much on the questions that PriDe learns from, and no letter on the others."""

    learnt: frozenset[str] = frozenset()

    def odds(self, prompt: str, place: int, line: str) -> float:
        liked = 5.0 * (place == 0) * (prompt.split("\n")[0] in self.learnt)
        return super().odds(prompt, place, line) + liked


def test_pride_hurts_where_the_liking_it_learnt_is_not_that_of_the_others() -> None:
    about = data(60)
    ids = [one.id for one in about.sets["options"]]
    picked = Seeds(0).pick(ids, 12, str, "context.options", "pride")
    model = Misleading(noise=0.3)
    model.learnt = frozenset(f"Question: What is the answer to riddle {int(id[1:])}?" for id in picked)

    found = findings(QUICK, model, about)

    assert found["accuracy_gain", "pride"].estimate.high < 0
    assert "PriDe hurts" in found["accuracy_gain", "pride"].note
    assert "PriDe hurts" in found["recall_spread", "pride"].note


# --- what a reader sees ---------------------------------------------------------------------


def test_cases_are_questions_whose_choice_turns_with_the_order() -> None:
    cases = findings(replace(QUICK, cases=3), Picks(liking=(2.0, 0.0, 0.0, -2.0)), data())[
        "choice_inconsistency", "all"
    ].cases

    assert 3 == len(cases)
    for case in cases:
        assert case.before != case.after
        assert case.changed is not None
        assert sorted(case.text.split()) != case.text.split()
        assert {line[3:] for line in case.text.split("\n")[1:5]} == {
            line[3:] for line in case.changed.split("\n")[1:5]
        }
        assert case.label is not None
        assert case.label.startswith("right")
        assert "in the order given and" in case.note


def test_the_picture_has_a_row_for_each_letter() -> None:
    series = findings(QUICK, Picks(liking=(2.0, 0.0, 0.0, -2.0)), data())["move_gold_range", "all"].series

    assert series is not None
    assert ["A", "B", "C", "D"] == [point.label for point in series.points]
    assert "dots" == series.kind
    assert series.points[0].y > series.points[3].y
    assert all(point.low is not None and point.low < point.y for point in series.points)


def test_items_say_letters_and_their_probabilities() -> None:
    items = [r for r in QUICK.run(given(Picks()), data(), Seeds(0)) if isinstance(r, Item)]

    assert 60 * 4 == len(items) == len({(item.example, item.variant) for item in items})
    assert {"order ABCD", "order BCDA", "order CDAB", "order DABC"} == {item.variant for item in items}
    assert len(items) == len({item.content for item in items})
    for item in items:
        assert 1.0 == pytest.approx(sum(item.probabilities))
        assert IDS[int(np.argmax(item.probabilities))] == item.predicted
        assert ("right" if item.predicted == item.label else "wrong") == item.outcome
    assert 60 == sum(item.label == "A" for item in items)


def test_the_recall_of_a_letter_is_that_of_the_items_whose_label_it_is() -> None:
    results = list(QUICK.run(given(Picks(liking=(0.5, 2.0, 0.0, -2.0))), data(), Seeds(0)))

    (series,) = [r.series for r in results if isinstance(r, Finding) and r.metric == "move_gold_range"]
    items = [r for r in results if isinstance(r, Item)]
    assert series is not None
    for point in series.points:
        right = [item.outcome == "right" for item in items if item.label == point.label]
        assert sum(right) / 60 == pytest.approx(point.y)
    assert max(series.points, key=lambda point: point.y).label == "B"


def test_accuracy_is_of_the_order_given() -> None:
    about = data(60)
    always_b = Picks(liking=(0.0, 90.0, 0.0, 0.0))

    finding = findings(QUICK, always_b, about)["accuracy", "all"]

    assert 0.25 == finding.estimate.value
    first_only = replace(about, sets={"options": tuple(one for one in data().sets["options"][1::4])})
    assert 1.0 == findings(QUICK, always_b, first_only)["accuracy", "all"].estimate.value
    assert "0.250 over all 4 orders, and guessing gives 0.250" in finding.note


def test_questions_that_were_left_out_are_told() -> None:
    more = (example(900, k=3), replace(example(0), id="copy"))

    finding = findings(QUICK, Picks(), replace(data(), sets={"options": data().sets["options"] + more}))

    told = "questions left out: 1 that are copies, 1 with another number of choices than 4"
    assert told in finding["accuracy", "all"].note


def test_a_correction_in_force_is_not_asked_and_that_is_told() -> None:
    plain = given(Picks())
    corrected = replace(plain, facts=replace(plain.facts, correction="contextual"))

    notes = [r.note for r in QUICK.run(corrected, data(), Seeds(0)) if isinstance(r, Finding)]

    assert 6 == len(notes)
    assert all("asked without the correction in force (contextual)" in note for note in notes)


# --- repeats and bounds -----------------------------------------------------------------------


def test_the_seed_draws_the_questions_and_their_order_in_the_file_changes_nothing() -> None:
    about = data()
    turned = replace(about, sets={"options": about.sets["options"][::-1]})

    first, again, other = (
        outcomes(QUICK, Picks(), one, s) for one, s in ((about, 1), (turned, 1), (about, 2))
    )

    assert first == again
    assert first != other


def test_copies_of_all_questions_change_nothing() -> None:
    about = data(40)
    copies = tuple(replace(one, id=f"{one.id}-2") for one in about.sets["options"])

    twice = findings(QUICK, Picks(), replace(about, sets={"options": about.sets["options"] + copies}))

    once = findings(QUICK, Picks(), about)
    assert {key: f.estimate for key, f in once.items()} == {key: f.estimate for key, f in twice.items()}


@pytest.mark.parametrize(("n", "k"), [(300, 4), (15, 2), (20, 5)])
def test_as_much_is_asked_as_announced(n: int, k: int) -> None:
    model = Picks()

    list(QUICK.run(given(model), data(n, k), Seeds(0)))

    assert model.asked == QUICK.demand(data(n, k), given(model).facts).texts == min(n, 60) * k * k


# --- edges ----------------------------------------------------------------------------------


def test_a_model_without_log_probabilities_is_not_applicable() -> None:
    (skip,) = QUICK.run(subject(constant()), data(), Seeds(0))

    assert isinstance(skip, Skip)
    assert not skip.applicable


def test_without_the_set_nothing_is_measured_or_announced() -> None:
    (skip,) = QUICK.run(given(Picks()), sample_data(), Seeds(0))

    assert isinstance(skip, Skip)
    assert skip.applicable
    assert "needs data.sets.options" == skip.reason
    assert 0 == QUICK.demand(sample_data(), given(Picks()).facts).texts


@pytest.mark.parametrize("n", [0, 9])
def test_few_questions_are_a_skip_that_says_how_many(n: int) -> None:
    model = Picks()

    (skip,) = outcomes(QUICK, model, data(n))

    assert isinstance(skip, Skip)
    assert f"has {n} usable questions, and 10 are needed" in skip.reason
    assert 0 == model.asked


def test_the_fewest_questions_and_two_choices_are_measured() -> None:
    found = findings(QUICK, Picks(liking=(1.0, -1.0)), data(10, k=2))

    assert 6 == len(found)
    assert 8 == found["accuracy_gain", "pride"].estimate.n


def test_a_row_that_cannot_be_read_ends_the_run_with_its_id() -> None:
    broken = Example(id="q7", text="Why?", meta={"choices": ["x", "y"], "answer": "z"})

    with pytest.raises(
        DataError, match=r"data\.sets\.options: example 'q7': `answer` is none of its choices"
    ):
        outcomes(QUICK, Picks(), replace(data(), sets={"options": (broken,)}))


def test_answers_that_are_no_numbers_are_refused() -> None:
    class Broken(Picks):
        def letters(self, prompt: str) -> NDArray[np.float64]:
            return np.full(4, np.nan)

    with pytest.raises(ModelError, match="not finite, to 960 of 960"):
        outcomes(QUICK, Broken(), data())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"items": 9}, r"context\.options: items: cannot be 9; give at least 10"),
        ({"draws": 99}, "draws: cannot be 99; give at least 100"),
        ({"alpha": 0.0}, r"alpha: cannot be 0\.0; give more than 0 and at most 0\.5"),
        ({"alpha": 0.6}, r"alpha: cannot be 0\.6"),
    ],
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Options(**wrong)  # type: ignore[arg-type]


def test_rows_of_mmlu_are_read_as_they_come(shared: Path) -> None:
    spec = {
        "test": {"source": "sst2/test.tsv.gz", "text": "content"},
        "sets": {"options": {"source": "mcq/mmlu_test_2850.jsonl.gz", "text": "question"}},
    }
    task = TaskSpec.model_validate({"labels": ("negative", "positive")})
    real = load(task, DataSpec.model_validate(spec), base=shared / "data", seeds=Seeds(7), limit=None)

    questions, left = choices.usable(real.sets["options"])

    assert 2850 == len(real.sets["options"])
    assert 2700 < len(questions) < 2850
    assert {4} == {len(question.choices) for question in questions}
    assert "whose choices speak of others by their place" in left
    at = [sum(question.gold == place for question in questions) for place in range(4)]
    assert all(600 < count < 800 for count in at)


# --- coverage -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("liking", [(0.0,) * 4, (1.0, 0.2, -0.2, -1.0)])
def test_intervals_hold_the_true_spread_of_recalls(liking: tuple[float, ...]) -> None:
    model = Picks(liking=liking, knowledge=1.0)
    true = float(truth(model, n=4000).std()) if any(liking) else 0.0
    questions = [choices.read(example(i)) for i in range(60 * 200)]
    right = rotations.ask(replace(model, seed=9), questions).right_at  # (4, n)

    held = []
    for s in range(200):
        one = recalls.estimate(right[:, s * 60 : (s + 1) * 60], np.random.default_rng(s), draws=400)
        held.append(one.low <= true <= one.high)

    assert 0.91 <= np.mean(held) <= 0.99  # a true 0 cannot be missed from above
