"""A model that takes shared words for entailment is found out, and one that reads is left alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from audit.errors import ConfigError
from audit.planted import coin
from audit.planted_overlap import Overlap as Planted
from audit.schema import Data, Example, Finding, Item, Skip, Text
from audit.seeds import Seeds
from audit.testing import check_probe, findings, hashed, sample_data, subject
from probes import lexicons
from probes.shortcuts import sentences
from probes.shortcuts.overlap import Overlap

THREE = ("entailment", "neutral", "contradiction")
SMALL = Overlap(each=4, draws=400)


def data(n: int = 400, labels: tuple[str, ...] = THREE) -> Data:
    """Pairs that share all words (every other one of each label) or one in four."""
    test = []
    for i in range(n):
        label = labels[i % len(labels)]
        words = [f"w{i}a", f"w{i}b", f"w{i}c", "the"]
        second = words if i // len(labels) % 2 else ["x", "y", f"z{i}", "the"]
        test.append(Example(id=f"e{i:04}", text=" ".join(words), pair=" ".join(second), label=label))
    return Data(labels=labels, test=tuple(test))


def model(given: Data, *, reads: bool = False, **flaws: object) -> Planted:
    """A model that knows the labels of the test pairs and, where it `reads`, those of the templates."""
    truth: dict[Text, str] = {one.input: str(one.label) for one in given.test}
    if reads:
        for pair in sentences.pairs(20, Seeds(0)):
            truth[pair.first, pair.second] = given.labels[0 if pair.template.entailed else 1]
    entailment = flaws.pop("entailment", given.labels[0])
    return Planted(labels=given.labels, entailment=entailment, truth=truth, **flaws)  # type: ignore[arg-type]


def outcomes(probe: Overlap, planted: Planted, given: Data) -> list[Finding | Skip]:
    return [r for r in probe.run(subject(planted), given, Seeds(0)) if not isinstance(r, Item)]  # type: ignore[arg-type]


def skips(probe: Overlap, planted: Planted, given: Data) -> dict[tuple[str | None, str | None], Skip]:
    return {(s.metric, s.slice): s for s in outcomes(probe, planted, given) if isinstance(s, Skip)}


def test_the_contract_holds() -> None:
    check_probe(Overlap(), path="probes.shortcuts.overlap")


# --- planted faults -----------------------------------------------------------------------


@pytest.mark.parametrize("labels", [THREE, ("entailment", "not_entailment")])
@pytest.mark.parametrize("strength", [0.4, 0.8])
def test_a_known_liking_for_shared_words_lies_in_its_intervals(
    strength: float, labels: tuple[str, ...]
) -> None:
    given = data(labels=labels)

    found = findings(Overlap(draws=400), model(given, strength=strength, seed=5), given)  # type: ignore[arg-type]

    gap = found["overlap_gap", "all"]
    assert gap.estimate.low <= strength <= gap.estimate.high
    assert gap.estimate.low > 0.1
    assert 30 == gap.estimate.n
    assert 0.4 < found["template_accuracy", "all"].estimate.value < 0.6
    quartile = found["quartile_gap", "all"].estimate
    assert quartile.low <= strength / 2 <= quartile.high
    assert quartile.low > 0
    assert "lower" == gap.better == found["quartile_gap", "all"].better


def test_a_model_of_shared_words_alone_has_a_gap_of_one_in_every_heuristic() -> None:
    given = data()

    found = findings(SMALL, model(given, strength=1.0), given)  # type: ignore[arg-type]

    for slice in ("all", "lexical_overlap", "subsequence", "constituent"):
        assert 1.0 == found["overlap_gap", slice].estimate.value
        assert 0.4 < found["overlap_gap", slice].estimate.low < 1.0
        assert 0.5 == found["template_accuracy", slice].estimate.value


def test_a_model_that_reads_has_no_gap_and_a_high_accuracy() -> None:
    given = data()

    found = findings(SMALL, model(given, reads=True, accuracy=0.9, seed=3), given)  # type: ignore[arg-type]

    assert found["overlap_gap", "all"].estimate.low < 0 < found["overlap_gap", "all"].estimate.high < 0.25
    assert found["template_accuracy", "all"].estimate.low > 0.75
    assert found["quartile_gap", "all"].estimate.low < 0 < found["quartile_gap", "all"].estimate.high < 0.2


def test_one_heuristic_is_told_apart_from_the_others() -> None:
    class Clauses(Planted):
        """Says entailment to what it does not know."""

        def _answer(self, text: Text) -> int:
            return super()._answer(text) if text in self.truth else 0

    given = data()
    knowing = model(given, reads=True, accuracy=1.0)
    clauses = {(p.first, p.second) for p in sentences.pairs(20, Seeds(0)) if "constituent" in p.template.name}
    truth = {text: label for text, label in knowing.truth.items() if text not in clauses}

    found = findings(SMALL, Clauses(truth=truth, accuracy=1.0), given)  # type: ignore[arg-type]

    assert 1.0 == found["overlap_gap", "constituent"].estimate.value
    assert 0.0 == found["overlap_gap", "subsequence"].estimate.value
    assert 0.0 == found["overlap_gap", "lexical_overlap"].estimate.value


def test_pairs_of_a_template_that_fail_together_are_one_unit() -> None:
    names: dict[Text, str] = {(p.first, p.second): p.template.name for p in sentences.pairs(20, Seeds(0))}

    class Templated(Planted):
        """Right or wrong on a template as a whole."""

        def _answer(self, text: Text) -> int:
            return int(coin(names[text]) < 0.5) if text in names else super()._answer(text)

    given = data(60)
    few, many = (
        findings(Overlap(each=each, draws=400), Templated(truth=model(given).truth), given)  # type: ignore[arg-type]
        for each in (2, 8)
    )

    widths = [
        f["overlap_gap", "all"].estimate.high - f["overlap_gap", "all"].estimate.low for f in (few, many)
    ]
    assert pytest.approx(widths[0], rel=0.15) == widths[1]


# --- what cannot turn green -----------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_answer_to_everything_is_not_measured(place: int) -> None:
    class Constant(Planted):
        def _answer(self, text: Text) -> int:
            return place

    skipped = skips(SMALL, Constant(), data())

    assert {"overlap_gap", "template_accuracy", "quartile_gap"} == {metric for metric, _ in skipped}
    assert all(f"one answer, {THREE[place]!r}" in skip.reason for skip in skipped.values())
    assert 3 == len(outcomes(SMALL, Constant(), data()))


def test_a_model_that_never_says_entailment_to_a_template_has_no_gap() -> None:
    class Sceptic(Planted):
        def _answer(self, text: Text) -> int:
            return super()._answer(text) if text in self.truth else 1

    given = data()

    found = outcomes(SMALL, Sceptic(truth=model(given).truth), given)

    assert {"overlap_gap"} == {one.metric for one in found if isinstance(one, Skip)}
    assert all("no pair of any template" in one.reason for one in found if isinstance(one, Skip))
    assert {0.5} == {
        f.estimate.value for f in found if isinstance(f, Finding) and f.metric == "template_accuracy"
    }


# --- templates ------------------------------------------------------------------------------


def test_there_are_five_templates_for_each_heuristic_and_answer() -> None:
    counts = Counter((one.heuristic, one.entailed) for one in sentences.templates())

    assert 6 == len(counts)
    assert {5} == set(counts.values())
    assert 30 == len({one.name for one in sentences.templates()})


def test_every_word_of_the_second_sentence_stands_in_the_first() -> None:
    pairs = sentences.pairs(6, Seeds(1))

    assert 180 == len(pairs) == len({(pair.first, pair.second) for pair in pairs})
    assert [] == [pair for pair in pairs if sentences.overlap(pair.first, pair.second) != 1]
    assert [] == [pair for pair in pairs if "{" in pair.first + pair.second]


def test_all_but_lexical_overlap_stands_side_by_side() -> None:
    inside = {
        (pair.template.heuristic, pair.second.rstrip(".").lower() in pair.first.lower())
        for pair in sentences.pairs(3, Seeds(1))
    }

    assert {("lexical_overlap", False), ("subsequence", True), ("constituent", True)} == inside


def test_persons_of_a_pair_differ() -> None:
    persons = set(lexicons.load("overlap").entries["persons"])
    named = [
        [word.strip(".,") for word in pair.first.split() if word.strip(".,") in persons]
        for pair in sentences.pairs(6, Seeds(2))
    ]

    assert all(named)
    assert [] == [words for words in named if len(words) != len(set(words))]


def test_words_have_an_own_seed_and_the_order_of_asking_changes_nothing() -> None:
    assert sentences.pairs(2, Seeds(0)) == sentences.pairs(2, Seeds(0)) != sentences.pairs(2, Seeds(1))
    few = {(pair.first, pair.second) for pair in sentences.pairs(2, Seeds(0))}
    assert few <= {(pair.first, pair.second) for pair in sentences.pairs(5, Seeds(0))}


@settings(max_examples=50, deadline=None)
@drawn(st.text(max_size=30), st.text(max_size=30))
def test_overlap_is_a_share_and_whole_for_the_same_text(first: str, second: str) -> None:
    found, same = sentences.overlap(first, second), sentences.overlap(first, first)

    assert found is None or 0 <= found <= 1
    assert same in (None, 1.0)


# --- which label, and what a reader sees -----------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "named", "said"),
    [
        (("Entailment", "Contradiction"), None, ""),
        (("no", "Yes"), None, ""),
        (("a", "b"), "a", ""),
        (("a", "b"), None, "the labels are a, b, none is called entailment: name yours in `entailment`"),
        (("a", "b"), "c", "not 'c'"),
    ],
)
def test_the_label_of_entailment_is_found_or_asked_for(
    labels: tuple[str, ...], named: str | None, said: str
) -> None:
    given = data(100, labels=labels)
    yes = labels[1] if labels[1] == "Yes" else labels[0]
    planted = model(given, strength=0.5, entailment=yes)

    found = outcomes(replace(SMALL, entailment=named), planted, given)

    asked = [one.reason for one in found if isinstance(one, Skip) and one.metric is None]
    assert bool(said) == bool(asked)
    assert said in " ".join(asked)


def test_tasks_of_single_texts_are_not_applicable() -> None:
    (skip,) = Overlap().run(subject(hashed()), sample_data(), Seeds(0))

    assert isinstance(skip, Skip)
    assert not skip.applicable
    assert 0 == Overlap().demand(sample_data(), subject(hashed()).facts).texts


def test_too_few_test_pairs_have_no_quarters_and_templates_are_measured() -> None:
    given = data(30)

    skipped = skips(SMALL, model(given, strength=0.5), given)

    assert {("quartile_gap", None)} == set(skipped)
    assert "and 10 of each are needed" in skipped["quartile_gap", None].reason


def test_pairs_that_share_equally_many_words_have_no_quarters() -> None:
    given = data()
    alike = replace(given, test=tuple(one for one in given.test if one.text == one.pair))

    assert ("quartile_gap", None) in skips(SMALL, model(given, strength=0.5), alike)


def test_pairs_without_labels_have_no_quarters() -> None:
    given = data()
    bare = replace(given, test=tuple(replace(one, label=None) for one in given.test))

    assert "give labels" in skips(SMALL, model(given, strength=0.5), bare)["quartile_gap", None].reason


def test_cases_are_pairs_of_different_templates_that_took_the_model_in() -> None:
    given = data()
    probe = replace(SMALL, cases=4)

    finding = findings(probe, model(given, strength=1.0), given)["overlap_gap", "all"]  # type: ignore[arg-type]

    assert 4 == len(finding.cases) == len({case.example for case in finding.cases})
    assert all(" open " in case.example and case.before == "entailment" for case in finding.cases)
    assert finding.series is not None
    marks = Counter((point.label, point.y) for point in finding.series.points)
    assert {("lexical overlap", 1.0): 2, ("subsequence", 1.0): 2, ("constituent", 1.0): 2} == marks
    assert {"entailed", "not entailed"} == {point.group for point in finding.series.points}


def test_items_are_templates_and_test_pairs_once() -> None:
    given = data(60)

    items = [r for r in SMALL.run(subject(model(given)), given, Seeds(0)) if isinstance(r, Item)]  # type: ignore[arg-type]

    assert {"template": 120, "original": 60} == Counter(item.variant for item in items)
    assert 180 == len({(item.example, item.variant) for item in items})


def test_no_more_is_asked_than_announced() -> None:
    given = data(60)
    planted = model(given)

    list(SMALL.run(subject(planted), given, Seeds(0)))  # type: ignore[arg-type]

    assert 180 == planted.asked == SMALL.demand(given, subject(planted).facts).texts  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"each": 0}, {"items": 0}, {"draws": 99}, {"cases": -1}])
def test_bad_parameters_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"shortcuts\.overlap: \w+: cannot be"):
        Overlap(**wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_intervals_hold_the_gap_in_95_of_100_models() -> None:
    given = data(120)
    planted = model(given, strength=0.4)
    probe = Overlap(each=2, draws=100, cases=0)

    held = {"overlap_gap": [], "quartile_gap": []}  # type: ignore[var-annotated]
    for seed in range(200):
        found = findings(probe, replace(planted, seed=10 * seed), given, seed)  # type: ignore[arg-type, type-var]
        for metric, truth in (("overlap_gap", 0.4), ("quartile_gap", 0.2)):
            estimate = found[metric, "all"].estimate
            held[metric].append(estimate.low <= truth <= estimate.high)

    assert 0.91 <= np.mean(held["overlap_gap"]) <= 0.985
    assert 0.91 <= np.mean(held["quartile_gap"]) <= 0.985
