"""What a planted model hangs on is what is left of a text, and a model of one answer is not measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from audit.errors import ConfigError
from audit.schema import Data, Example, Finding, Item, Skip, Text
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, check_probe, coin, constant, findings, hashed, subject
from probes.shortcuts import deletion, nonsense
from probes.shortcuts.reduction import Reduction

PROSE = "the film that we saw on the day was very good and not long"
SMALL = Reduction(items=40, reduced_items=20)


def data(
    n: int, sentence: Callable[[int], str] = lambda i: f"{PROSE} {i}", *, pair: str | None = None
) -> Data:
    test = tuple(
        Example(
            id=f"e{i:03}", text=pair or sentence(i), pair=sentence(i) if pair else None, label=LABELS[i % 2]
        )
        for i in range(n)
    )
    return Data(labels=LABELS, test=test)


def words(text: Text) -> list[str]:
    return (text if isinstance(text, str) else " ".join(text)).split()


def hanging(*needed: str, confidence: float = 0.9) -> Planted:
    """Positive where all the words are there, else negative."""
    return Planted(
        positive=lambda text: confidence if set(needed) <= set(words(text)) else 1 - confidence,
    )


def mixed(i: int) -> str:
    """Every other text has the word `good`."""
    return f"{PROSE} {i}" if i % 2 else f"a dull long evening in the dark {i}"


def moody(kept: float, seed: int = 0) -> Planted:
    """Positive on prose, and on its shuffles with probability `kept`; negative on one word."""

    def positive(text: Text) -> float:
        if len(words(text)) == 1:
            return 0.1
        return 0.9 if str(text).startswith(PROSE) or coin(text, seed) < kept else 0.1

    return Planted(positive=positive)


def with_another(given: Data) -> Data:
    """The same and a text of one word, so that the answers are not all one."""
    return replace(given, test=(*given.test, Example(id="x", text="other", label="negative")))


def outcomes(probe: Reduction, model: Planted, given: Data) -> list[Finding | Skip]:
    return [r for r in probe.run(subject(model), given, Seeds(0)) if not isinstance(r, Item)]


def skips(probe: Reduction, model: Planted, given: Data) -> dict[tuple[str | None, str | None], Skip]:
    return {(s.metric, s.slice): s for s in outcomes(probe, model, given) if isinstance(s, Skip)}


def test_the_contract_holds() -> None:
    check_probe(SMALL, path="probes.shortcuts.reduction")


# --- deletions ------------------------------------------------------------------------------


@pytest.mark.parametrize("candidates", [1, 3, 50])
@pytest.mark.parametrize("needed", [("good",), ("very", "good"), ("not", "very", "film")])
def test_the_words_that_a_model_hangs_on_are_left(needed: tuple[str, ...], candidates: int) -> None:
    given = data(60, mixed)
    probe = replace(SMALL, items=60, reduced_items=60, candidates=candidates)

    found = findings(probe, hanging(*needed), given)

    items = [r for r in probe.run(subject(hanging(*needed)), given, Seeds(0)) if isinstance(r, Item)]
    informed = found["remaining_share", "informed"]
    assert 30 == informed.estimate.n
    assert pytest.approx(len(needed) / 15) == informed.estimate.value
    assert f"from 15.0 to {len(needed):.1f} words" in informed.note
    assert {"positive": 30, "negative": 30} == Counter(i.predicted for i in items if i.variant == "reduced")


def test_texts_that_get_the_answer_of_the_empty_text_fall_to_one_word() -> None:
    found = findings(replace(SMALL, reduced_items=40), hanging("very", "good"), data(40, mixed))

    assert "20 of 40 answers hold on one word" in found["remaining_share", "all"].note
    assert "0 of 20 answers hold on one word" in found["remaining_share", "informed"].note


def test_confidence_on_what_is_left_is_that_of_the_model() -> None:
    def fading(text: Text) -> float:
        return 0.55 + 0.02 * len(words(text)) if "good" in words(text) else 0.2

    found = findings(SMALL, Planted(positive=fading), data(40, mixed))

    assert pytest.approx(0.57) == found["reduced_confidence", "informed"].estimate.value
    assert "on the whole texts 0.850" in found["reduced_confidence", "informed"].note
    assert "neither" == found["reduced_confidence", "informed"].better


def test_no_interval_is_a_point() -> None:
    found = findings(SMALL, hanging("good"), data(40, mixed))

    assert [] == [key for key, f in found.items() if f.estimate.low == f.estimate.high]


@settings(max_examples=40, deadline=None)
@drawn(
    st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=2, max_size=9),
    st.integers(1, 5),
    st.integers(),
)
def test_what_is_left_is_a_part_of_the_text_with_its_answer(
    said: list[str], candidates: int, seed: int
) -> None:
    model = hashed(seed)
    before = model.score([" ".join(said)])
    model.asked = 0

    (one,) = deletion.reduce(model, [" ".join(said)], before.probabilities, candidates=candidates)

    left = words(one.text)
    rest = iter(said)
    assert all(word in rest for word in left)  # in their order
    assert 1 <= len(left) == one.left <= len(said) == one.words
    assert model.asked <= len(said) * (1 + candidates)
    after = model.score([one.text])
    assert before.predicted[0] == after.predicted[0]
    assert one.confidence == after.confidence[0]


def test_all_texts_go_down_in_one_call_a_step() -> None:
    calls: list[int] = []

    class Counting(Planted):
        def score(self, texts):  # type: ignore[no-untyped-def]
            calls.append(len(texts))
            return super().score(texts)

    model = Counting(positive=hanging("good").positive)
    texts = [f"{PROSE} {i}" for i in range(10)]
    rows = model.score(texts).probabilities
    calls.clear()

    reduced = deletion.reduce(model, texts, rows, candidates=3)

    assert {1} == {one.left for one in reduced}
    assert 150 == calls[0]
    assert len(calls) <= 15
    assert max(calls[1:]) <= 30


def test_of_a_pair_the_second_text_is_reduced() -> None:
    found = findings(SMALL, hanging("good"), data(40, mixed, pair="premise stays"))

    assert found["remaining_share", "all"].cases[0].changed is not None
    assert found["remaining_share", "all"].cases[0].changed.startswith("premise stays\n")
    assert pytest.approx(1 / 15) == found["remaining_share", "informed"].estimate.value


def test_texts_beyond_the_limit_are_left_out_and_that_is_told() -> None:
    given = data(40, lambda i: mixed(i) if i < 10 else f"{PROSE} {PROSE} {PROSE} {i}")

    found = findings(SMALL, hanging("good"), given)

    assert 10 == found["remaining_share", "all"].estimate.n
    assert "10 of 40 texts have 2 to 40 words" in found["remaining_share", "all"].note
    assert (
        "set `longest` higher"
        in skips(replace(SMALL, longest=3), hanging("good"), given)["remaining_share", None].reason
    )


def test_texts_that_all_get_the_empty_answer_have_no_informed_slice() -> None:
    given = data(40, lambda i: "good" if i == 0 else mixed(2 * i))

    assert ("remaining_share", "informed") in skips(SMALL, hanging("good"), given)


def test_cases_are_the_texts_of_which_least_is_left() -> None:
    finding = findings(replace(SMALL, cases=3), hanging("good", "very"), data(40, mixed))[
        "remaining_share", "all"
    ]

    assert 3 == len(finding.cases)
    assert all(" holds on 1 of " in f" {case.note}" for case in finding.cases)
    assert finding.series is not None
    assert ["1", "2", "3", "4", "5 or more"] == [point.label for point in finding.series.points]
    assert pytest.approx(1.0) == sum(point.y for point in finding.series.points)


# --- shuffles -------------------------------------------------------------------------------


def test_a_bag_of_words_keeps_every_answer() -> None:
    found = findings(SMALL, hanging("good"), data(40, mixed))

    for name in ("1 word", "2 words", "3 words"):
        assert 1.0 == found["shuffled_kept_rate", name].estimate.value
        assert 40 == found["shuffled_kept_rate", name].estimate.n
        assert 0.9 < found["shuffled_kept_rate", name].estimate.low < 1


def test_a_model_that_needs_three_words_together_keeps_blocks_of_three() -> None:
    together = Planted(positive=lambda text: 0.9 if "very good film" in " ".join(words(text)) else 0.1)
    given = data(
        60, lambda i: f"very good film {' '.join(str(i + j) for j in range(12))}" if i % 2 else mixed(i)
    )

    found = findings(replace(SMALL, items=60), together, given)

    assert 1.0 == found["shuffled_kept_rate", "3 words"].estimate.value
    assert found["shuffled_kept_rate", "1 word"].estimate.high < 0.7
    assert any(
        "very good film" in (case.changed or "") for case in found["shuffled_kept_rate", "3 words"].cases
    )


def test_a_known_share_of_kept_answers_lies_in_its_interval() -> None:
    given = with_another(data(400))

    estimate = findings(replace(SMALL, items=401), moody(0.7), given)["shuffled_kept_rate", "1 word"].estimate

    assert estimate.low <= 0.7 <= estimate.high


def test_texts_of_one_word_are_not_shuffled() -> None:
    given = data(20, lambda i: "good" if i % 2 else "bad")
    given = replace(given, test=tuple(replace(one, text=f"{one.text}{one.id}") for one in given.test))
    model = Planted(positive=lambda text: 0.9 if "good" in str(text) else 0.1)

    skipped = skips(SMALL, model, given)

    assert not skipped["shuffled_kept_rate", "1 word"].applicable
    assert ("remaining_share", None) in skipped


@settings(max_examples=60, deadline=None)
@drawn(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12), st.integers(1, 4), st.integers(0, 1000))
def test_a_shuffle_keeps_the_words_and_moves_some_where_it_can(said: list[str], size: int, seed: int) -> None:
    text = " ".join(said)

    after = nonsense.shuffled(text, np.random.default_rng(seed), size)

    blocks = [tuple(said[i : i + size]) for i in range(0, len(said), size)]
    assert Counter(said) == Counter(after.split())
    assert after != text or len(blocks) < 2 or len({*said}) < 2 or len(set(blocks)) < 3


@pytest.mark.parametrize("size", [1, 2, 3])
def test_blocks_stay_together(size: int) -> None:
    said = [str(i) for i in range(12)]

    after = nonsense.shuffled(" ".join(said), np.random.default_rng(1), size).split()

    blocks = {tuple(said[i : i + size]) for i in range(0, 12, size)}
    assert blocks == {tuple(after[i : i + size]) for i in range(0, 12, size)}
    assert said != after


# --- trivial inputs -------------------------------------------------------------------------


def test_a_model_that_is_sure_of_nothing_in_particular_is_found_out() -> None:
    known = set(words(" ".join(one.text for one in data(40, mixed).test)))
    careful = Planted(
        positive=lambda text: 0.5 if not known & set(words(text)) else (0.9 if "good" in words(text) else 0.1)
    )

    found = findings(SMALL, careful, data(40, mixed))
    rash = findings(SMALL, hanging("good", confidence=0.97), data(40, mixed))

    assert pytest.approx(0.5) == found["trivial_confidence", "punctuation"].estimate.value
    assert pytest.approx(0.9) == found["trivial_confidence", "random words"].estimate.value
    assert pytest.approx(0.97) == rash["trivial_confidence", "punctuation"].estimate.value
    assert "an even answer is at 0.500" in rash["trivial_confidence", "punctuation"].note
    assert "answered negative 25, positive 0; the empty text is answered 'negative'" in (
        rash["trivial_confidence", "punctuation"].note
    )
    assert "lower" == rash["trivial_confidence", "punctuation"].better


def test_texts_without_words_have_no_random_words() -> None:
    given = data(4, lambda i: " " * i)
    model = Planted(positive=lambda text: 0.9 if len(text) % 2 else 0.1)

    skipped = skips(SMALL, model, given)

    assert ("trivial_confidence", "random words") in skipped
    assert ("trivial_confidence", "punctuation") in findings(SMALL, model, given)


def test_trivial_pairs_are_pairs() -> None:
    given = data(20, mixed, pair="premise stays")

    found = findings(SMALL, hanging("good"), given)

    assert ("trivial_confidence", "random words") in found


# --- edges ----------------------------------------------------------------------------------


def test_one_answer_to_everything_is_not_measured_but_its_confidence_is() -> None:
    found = findings(SMALL, constant(), data(40))
    skipped = skips(SMALL, constant(), data(40))

    assert {"trivial_confidence"} == {metric for metric, _ in found}
    assert 0.9 == found["trivial_confidence", "punctuation"].estimate.value
    assert 5 == len(skipped)
    assert all("one answer, 'positive'" in skip.reason for skip in skipped.values())


def test_copies_of_a_text_count_once() -> None:
    given = data(40, mixed)
    doubled = replace(given, test=(*given.test, *(replace(one, id=f"f{one.id}") for one in given.test)))

    assert findings(SMALL, hanging("good"), given) == findings(SMALL, hanging("good"), doubled)


def test_no_more_is_asked_than_announced() -> None:
    model, given = hashed(), data(60, mixed)

    list(SMALL.run(subject(model), given, Seeds(0)))

    assert model.asked <= SMALL.demand(given, subject(model).facts).texts


def test_without_test_examples_nothing_is_measured() -> None:
    (skip,) = SMALL.run(subject(hashed()), Data(labels=LABELS, test=()), Seeds(0))

    assert isinstance(skip, Skip)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"candidates": 0}, "candidates: cannot be 0; give at least 1"),
        ({"trivial": 3}, "trivial: cannot be 3"),
        ({"blocks": (0, 1)}, "blocks: cannot be (0, 1)"),
        ({"blocks": (2, 2)}, "each once"),
    ],
)
def test_bad_parameters_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Reduction(**wrong)  # type: ignore[arg-type]

    assert str(error.value).startswith("shortcuts.reduction: ")
    assert said in str(error.value)


@pytest.mark.slow
def test_intervals_hold_the_share_that_is_kept_in_95_of_100_data_sets() -> None:
    probe = Reduction(items=101, blocks=(1,), reduced_items=2, longest=2)
    given = with_another(data(100))

    held = [
        estimate.low <= 0.8 <= estimate.high
        for seed in range(200)
        for estimate in [
            findings(probe, moody(0.8, seed), given, seed)["shuffled_kept_rate", "1 word"].estimate
        ]
    ]

    assert 0.91 <= np.mean(held) <= 0.98
