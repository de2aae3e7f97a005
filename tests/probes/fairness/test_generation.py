"""Writers of planted people: a lean of known size lies in its interval, and an even writer shows none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import ConfigError, ModelError
from audit.planted import coin
from audit.planted_writers import Clean
from audit.schema import Data, Facts, Finding, Item, LanguageModel, Skip, Subject
from audit.seeds import Seeds
from audit.testing import check_probe
from probes import lexicons
from probes.fairness import axes, evenness, mentions
from probes.fairness.generation import AXES, TARGETS, Generation

GENDER = Generation(axes=("gender",), draws=200)
PLAIN = replace(GENDER, targets=())
NOTHING = Data(labels=("no", "yes"), test=())


@dataclass(frozen=True, kw_only=True)
class Naming(Clean):
    """Writes of a woman with a probability that is a function of the opening, otherwise of a man."""

    female: Callable[[str], float] = field(default=lambda prompt: 0.5)
    rate: float = 1.0
    """Share of the texts that name anybody."""
    words: int = 4
    names: tuple[str, ...] = ("she", "he")

    def said(self, prompt: str, sample: str) -> str:
        """Return one text."""
        plain = super().said(prompt, sample)
        if coin((sample, prompt, "names"), self.seed) >= self.rate:
            return plain
        woman = coin((sample, prompt, "who"), self.seed) < self.female(prompt)
        return f" and {self.names[not woman]} said:{plain}"


def subject(language: LanguageModel | None) -> Subject:
    kind: Any = "in-context" if language else "fine-tuned"
    return Subject(classifier=None, language=language, facts=Facts(kind=kind, source="planted"))


def outcomes(probe: Generation, model: LanguageModel | None, seed: int = 0) -> list[Finding | Skip | Item]:
    return list(probe.run(subject(model), NOTHING, Seeds(seed)))


def found(probe: Generation, model: LanguageModel, seed: int = 0) -> dict[tuple[str, str], Finding]:
    return {(f.metric, f.slice): f for f in outcomes(probe, model, seed) if isinstance(f, Finding)}


def skipped(probe: Generation, model: LanguageModel) -> dict[tuple[str | None, str | None], Skip]:
    return {(s.metric, s.slice): s for s in outcomes(probe, model) if isinstance(s, Skip)}


def test_the_contract_holds() -> None:
    check_probe(Generation(), path="probes.fairness.generation")


# --- planted leans --------------------------------------------------------------------------------


@pytest.mark.parametrize("female", [0.15, 0.7, 0.9])
def test_a_planted_share_lies_in_its_interval_and_so_does_its_distance(female: float) -> None:
    by = found(PLAIN, Naming(female=lambda prompt: female))
    share, bias = by["mention_share", "gender/female"].estimate, by["representation_bias", "gender"]

    assert share.low <= female <= share.high
    assert bias.estimate.low <= abs(female - 0.5) <= bias.estimate.high
    assert bias.p is not None
    assert bias.p < 0.01
    assert by["representation_excess", "gender"].estimate.low > 0


def test_of_five_groups_those_that_are_never_named_count_as_far_from_even() -> None:
    """Shares of 0.9, 0.1, 0, 0, 0 are 0.7 from 0.2 each."""
    writer = Naming(names=("a Muslim family", "a Christian family"), female=lambda prompt: 0.9)
    by = found(replace(PLAIN, axes=("religion",)), writer)
    bias = by["representation_bias", "religion"]

    assert bias.estimate.low <= 0.7 <= bias.estimate.high <= 0.8
    assert by["mention_share", "religion/muslim"].estimate.value > 0.8
    assert 0 == by["mention_share", "religion/hindu"].estimate.value
    assert bias.p is not None
    assert bias.p < 0.01


def test_an_even_writer_is_not_beyond_chance() -> None:
    by = found(GENDER, Naming())

    for metric in ("representation", "association"):
        slice = "gender" if metric == "representation" else "gender by occupation"
        excess, bias = by[f"{metric}_excess", slice].estimate, by[f"{metric}_bias", slice]
        assert excess.low <= 0 <= excess.high
        assert bias.p is not None
        assert bias.p > 0.05


def stereotyped(prompt: str) -> float:
    """Nine women in ten with one half of the target words, one in ten with the other."""
    words = [word for name in TARGETS.values() for word in lexicons.load(name).entries]
    word = max((word for word in words if f" {word}" in prompt), key=len, default="")
    return 0.9 if coin(word) < 0.5 else 0.1


def test_words_that_go_with_one_group_each_are_found_though_the_whole_is_even() -> None:
    by = found(GENDER, Naming(female=stereotyped))

    for target in TARGETS:
        bias = by["association_bias", f"gender by {target}"]
        assert bias.estimate.low <= 0.4 <= bias.estimate.high
        assert GENDER.words == bias.estimate.n
        assert bias.p is not None
        assert bias.p < 0.01


def test_openings_that_lean_each_its_own_way_are_no_lean_of_the_whole() -> None:
    """Five texts of an opening then say what one does: who counts texts sees leans that are none."""
    own = Naming(female=lambda prompt: float(coin(prompt, 5) < 0.5))
    excess = found(PLAIN, own)["representation_excess", "gender"]

    assert excess.p is not None
    assert excess.p > 0.05
    assert 60 == excess.estimate.n


def scattered(seed: int) -> Callable[[str], float]:
    """Each opening leans somewhere by itself; even on average, with target words and without."""
    return lambda prompt: coin(prompt, seed)


@pytest.mark.slow
def test_even_writers_are_found_to_lean_no_more_often_than_chance() -> None:
    probe = replace(GENDER, openings=40, targets=("occupation",), words=12, samples=4, draws=100)
    low = {"representation_bias": 0, "association_bias": 0}
    beyond = Counter[str]()
    for seed in range(60):
        own = Naming(seed=seed, rate=0.5, female=scattered(seed))
        for (metric, _), one in found(probe, own, seed).items():
            if metric in low:
                low[metric] += (one.p or 0) <= 0.05
            elif metric.endswith("excess"):
                beyond[metric] += one.estimate.low > 0

    print(low, beyond)
    assert max(low.values()) <= 8  # of 60 at 0.05, more in one simulation of 200
    assert max(beyond.values()) <= 8


@pytest.mark.slow
@pytest.mark.parametrize("female", [0.3, 0.8])
def test_intervals_hold_a_planted_distance_nineteen_times_in_twenty(female: float) -> None:
    probe = replace(PLAIN, openings=40, samples=3, draws=200)
    held = 0
    for seed in range(60):
        own = Naming(seed=seed, rate=0.7, female=lambda prompt: female)
        e = found(probe, own, seed)["representation_bias", "gender"].estimate
        held += e.low <= abs(female - 0.5) <= e.high

    print(held)
    assert held >= 52


# --- the distance ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([5, 5], 0), ([10, 0], 0.5), ([3, 1], 0.25), ([4, 0, 0, 0], 0.75), ([0, 2, 2], 1 / 3)],
)
def test_the_distance_is_the_total_variation_from_even(counts: list[int], expected: float) -> None:
    assert expected == pytest.approx(float(evenness.distance(np.array(counts, dtype=float))))


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6).filter(any), st.integers(1, 9))
def test_the_distance_knows_neither_the_order_nor_the_number(counts: list[int], times: int) -> None:
    one = np.array(counts, dtype=float)

    assert float(evenness.distance(one)) == pytest.approx(float(evenness.distance(times * one[::-1])))
    assert 0 <= float(evenness.distance(one)) <= 1 - 1 / len(counts) + 1e-9


def test_chance_alone_lies_as_far_from_even_as_the_binomial_says() -> None:
    """Four openings with one mention each: 0, 1, 2 of four are 0.5, 0.25, 0 apart, with 2, 8 and 6 of 16."""
    cells = np.array([[1.0, 0.0]] * 4)
    null = evenness.chance(cells, np.zeros(4, dtype=np.intp), np.random.default_rng(0), draws=4000)

    assert (2 * 0.5 + 8 * 0.25) / 16 == pytest.approx(null.mean, abs=0.01)
    assert 2 / 16 == pytest.approx(null.p, abs=0.02)


# --- counting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She took her coat; it was hers.", [3, 0]),
        ("HE said that the waiters left him.", [0, 3]),
        ("Julia Brown met Henry.", [1, 1]),
        ("the theme of other shells; mankind", [0, 0]),
        ("carol singers keith", [0, 0]),
        ("her mother's son-in-law", [2, 0]),
        ("", [0, 0]),
    ],
)
def test_words_that_name_a_gender_are_counted_whole(text: str, expected: list[int]) -> None:
    assert expected == mentions.count(axes.load("gender", {}), text).tolist()


def test_a_faith_counts_before_a_word_for_people_only() -> None:
    religion = axes.load("religion", {})
    text = "The Muslim family met Christian and two Jews at the Christian bookshop."

    assert {"muslim": 1, "jewish": 1} == {
        group: n for group, n in zip(religion.groups, mentions.count(religion, text), strict=True) if n
    }


@pytest.mark.parametrize("name", AXES)
def test_no_opening_names_a_group(name: str) -> None:
    openings = Generation(words=40, frames=8)._openings(Seeds(0))
    axis = axes.load(name, {})

    assert [] == [one.text for one in openings if mentions.count(axis, one.text).any()]
    assert [] == [one.text for one in openings if "{" in one.text]


@pytest.mark.parametrize("name", AXES)
def test_the_lists_of_an_axis_are_equally_long(name: str) -> None:
    """Else counts would have to be divided by the length, as HELM does."""
    assert 1 == len({len(words) for words in axes.load(name, {}).words})


# --- what is not measured -------------------------------------------------------------------------


def test_few_mentions_are_no_number() -> None:
    rare = Naming(rate=0.05)
    skips = skipped(GENDER, rare)

    for metric in ("mention_share", "representation_bias", "representation_excess"):
        assert "30 after 5 openings are needed" in skips[metric, "gender"].reason
        assert skips[metric, "gender"].applicable
    assert "5 such words are needed" in skips["association_bias", "gender by occupation"].reason
    assert {} == found(GENDER, rare)


def test_groups_that_nobody_names_are_not_measured_beside_those_that_are() -> None:
    by = found(Generation(draws=100), Naming())

    assert {"gender"} == {slice.split("/")[0].split(" ")[0] for _, slice in by}
    assert ("representation_bias", "religion") in skipped(Generation(draws=100), Naming())


def test_a_model_that_writes_one_text_is_no_evidence() -> None:
    (only,) = outcomes(GENDER, Clean(words=0))

    assert isinstance(only, Skip)
    assert "the same after every opening" in only.reason


def test_a_writer_of_men_alone_is_as_far_from_even_as_can_be() -> None:
    by = found(PLAIN, Naming(female=lambda prompt: 0.0))
    bias = by["representation_bias", "gender"].estimate

    assert 0.5 == bias.value
    assert bias.low < 0.5
    assert 0 < by["mention_share", "gender/female"].estimate.high < 0.1
    assert "none, so below 0.0487" in by["mention_share", "gender/female"].note


def test_a_fine_tuned_classifier_cannot_be_asked() -> None:
    (only,) = outcomes(GENDER, None)

    assert isinstance(only, Skip)
    assert not only.applicable


def test_a_model_that_cannot_write_is_a_skip() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Broken(Clean):
        def generate(self, prompts: Any, **more: Any) -> list[list[str]]:
            raise ModelError("no memory")

    (only,) = outcomes(GENDER, Broken())

    assert isinstance(only, Skip)
    assert "no memory" == only.reason


# --- asking and telling ---------------------------------------------------------------------------


@pytest.mark.parametrize("probe", [PLAIN, GENDER, replace(GENDER, openings=12, words=99, samples=1)])
def test_all_is_asked_in_one_call_of_the_announced_size(probe: Generation) -> None:
    model = Naming()
    outcomes(probe, model)
    demand = probe.demand(NOTHING, Facts(kind="in-context", source="x"))

    assert [demand.texts] == model.counts
    assert demand.texts * probe.samples * probe.new_tokens == demand.generated


def test_a_reader_sees_counts_chance_and_texts() -> None:
    by = found(GENDER, Naming(female=lambda prompt: 0.8))
    bias = by["representation_bias", "gender"]
    words = by["association_bias", "gender by character"].series

    assert "300 texts after 60 openings" in bias.note
    assert "a writer to whom groups are alike would show" in bias.note
    assert "no norm" in bias.note
    assert 5 == len(bias.cases)
    assert all(case.note in ("female 1", "male 1") for case in bias.cases)
    assert bias.series is not None
    assert ["female", "male"] == [point.label for point in bias.series.points]
    assert words is not None
    assert GENDER.words == len(words.points)
    assert all(point.label.endswith((": female", ": male", ": several")) for point in words.points)


def test_there_is_one_item_for_each_text_and_axis() -> None:
    probe = Generation(axes=("gender", "religion"), targets=(), draws=100)
    items = [one for one in outcomes(probe, Naming(rate=0.5)) if isinstance(one, Item)]
    keys = {(one.example, one.variant) for one in items}

    assert 60 * 5 * 2 == len(items) == len(keys)
    assert {"female", "male", "none"} == {one.predicted for one in items}


def test_a_text_that_names_both_groups_says_so() -> None:
    both = Naming(names=("she and he", "his girls"))
    items = [one for one in outcomes(PLAIN, both) if isinstance(one, Item)]

    assert {"female and male"} == {one.predicted for one in items}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Generation(axes=("gendr",)), "axes: 'gendr' is not among them; did you mean 'gender'?"),
        (lambda: Generation(axes=("dialect",)), "axes: 'dialect' is not among them; known are gender"),
        (lambda: Generation(axes=()), "axes: .*name each once"),
        (lambda: Generation(targets=("character", "character")), "targets: .*name each once"),
        (lambda: Generation(targets=("trade",)), "targets: 'trade' is not among them"),
        (lambda: Generation(openings=4), "openings: cannot be 4; give at least 5"),
        (lambda: Generation(samples=0), "samples: cannot be 0"),
        (lambda: Generation(least=1), "least: cannot be 1"),
        (lambda: Generation(temperature=-1.0), "temperature: cannot be -1.0"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(make: Callable[[], Generation], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^fairness.generation: {said}"):
        make()
