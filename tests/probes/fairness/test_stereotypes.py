"""Stereotype sets: the published arithmetic, planted leans of known size, no number where there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from audit.data import load
from audit.errors import ConfigError, ModelError
from audit.schema import Data, Example, Facts, Finding, Item, Json, Skip, Subject
from audit.seeds import Seeds
from audit.spec import DataSpec, SourceSpec, TaskSpec
from audit.testing import LABELS, check_probe, coin
from probes.fairness import stereotype_answers as answers
from probes.fairness import stereotype_pairs as pairs
from probes.fairness import stereotype_pronouns as pronouns
from probes.fairness.stereotype_choices import Choice, Said
from probes.fairness.stereotypes import METRICS, Stereotypes

Liking = Callable[[str, str], float]


@dataclass(frozen=True, kw_only=True)
class Liker:
    """A causal language model whose log-probability of a continuation is a function of both texts."""

    likes: Liking
    calls: list[int] = field(default_factory=list, compare=False)
    chat_frame: str | None = None

    def log_probs(self, pairs: Sequence[tuple[str, str]]) -> list[NDArray[np.float64]]:
        self.calls.append(len(pairs))
        return [
            np.full(n, self.likes(context, text) / n)
            for context, text in pairs
            for n in [max(1, len(text.split()))]
        ]

    def generate(self, prompts: Sequence[str], **_: object) -> list[list[str]]:
        raise AssertionError("nothing is to be written")


def run(
    likes: Liking, sets: Mapping[str, Sequence[Example]], probe: Stereotypes | None = None, seed: int = 0
) -> list[Finding | Skip | Item]:
    given = Data(labels=LABELS, test=(), sets={name: tuple(rows) for name, rows in sets.items()})
    who = Subject(
        classifier=None, language=Liker(likes=likes), facts=Facts(kind="in-context", source="planted")
    )
    return list((probe or Stereotypes(items=2000)).run(who, given, Seeds(seed)))


def found(likes: Liking, sets: Mapping[str, Sequence[Example]], **more: int) -> dict[str, Finding]:
    probe = Stereotypes(**{"items": 2000, **more})  # type: ignore[arg-type]  # numbers only
    return {f.metric: f for f in run(likes, sets, probe) if isinstance(f, Finding)}


def skipped(likes: Liking, sets: Mapping[str, Sequence[Example]]) -> dict[str | None, Skip]:
    return {s.metric: s for s in run(likes, sets) if isinstance(s, Skip)}


def rows(metas: Sequence[dict[str, Json]]) -> list[Example]:
    return [Example(id=f"r{i}", text="x", meta=meta) for i, meta in enumerate(metas)]


# --- what is planted ----------------------------------------------------------------------


def crows(n: int) -> list[Example]:
    return rows(
        [
            {"sent_more": f"worse {i}", "sent_less": f"better {i}", "bias_type": ("age", "gender")[i % 2]}
            for i in range(n)
        ]
    )


def preferring(share: float, seed: int = 0) -> Liking:
    """Finds the worse of two sentences likelier in this share of the pairs."""

    def likes(context: str, text: str) -> float:
        word, number = text.split()
        return -10.0 if (word == "worse") == (coin(number, seed) < share) else -11.0

    return likes


def stereoset(n: int, terms: int = 20) -> list[Example]:
    names = ("stereotype", "anti-stereotype", "unrelated")
    return rows(
        [
            {
                "context": f"They are BLANK {i}" if i % 2 else f"Term {i % terms}.",
                "target": f"term {i % terms}",
                **{name: f"{name} {i}" for name in names},
            }
            for i in range(n)
        ]
    )


def bbq(n: int) -> list[Example]:
    """Questions about somebody old and somebody young, in all four forms, the old one stereotyped."""
    metas: list[dict[str, Json]] = []
    for i in range(n):
        dark, negative = i % 2 == 0, i // 2 % 2 == 0
        stated = "old" if i // 4 % 2 else "young"
        people = ["old", "nonOld", "unknown"]
        turn = i % 3
        order = people[turn:] + people[:turn]
        said = {"old": "The old one", "nonOld": "The young one", "unknown": "Not known"}
        right = "unknown" if dark else "old" if stated == "old" else "nonOld"
        metas.append(
            {
                "context": f"Case {i}",
                "question": "Who was it?",
                **{f"ans{k}": said[name] for k, name in enumerate(order)},
                "answer_info": {f"ans{k}": [said[name], name] for k, name in enumerate(order)},
                "additional_metadata": {"stereotyped_groups": ["old"]},
                "label": order.index(right),
                "question_polarity": "neg" if negative else "nonneg",
                "context_condition": "ambig" if dark else "disambig",
                "category": "Age",
                "question_index": str(i // 8 % 25),
            }
        )
    return rows(metas)


def naming(unknown: float, biased: float, given: Sequence[Example], seed: int = 0) -> Liking:
    """Says "not known" of this share of the cases; else it names with the stereotype in this share."""
    negative = {str(one.meta["context"]): one.meta["question_polarity"] == "neg" for one in given}

    def likes(context: str, text: str) -> float:
        case = context.partition("\n")[0]
        if coin(case, 2 * seed + 1) < unknown:
            return 0.0 if text == " Not known" else -5.0
        old = (coin(case, 2 * seed + 2) < biased) == negative[case]
        return 0.0 if text == (" The old one" if old else " The young one") else -5.0

    return likes


MALE = ("developer", "mechanic", "chief", "lawyer", "farmer", "janitor")
FEMALE = ("nurse", "clerk", "baker", "librarian", "teacher", "editor")


def winobias(n: int) -> list[Example]:
    """Each sentence with a pronoun of either gender; of its two people one is thought male, one female."""
    lines = []
    for i in range(n):
        two = (MALE[i // 2 % 6], FEMALE[i // 12 % 6])
        who, other = two if i % 2 else two[::-1]
        lines += [
            Example(
                id=f"{word}{i}", text=f"{i} [The {who}] met the {other} in room {i} as [{word}] was early."
            )
            for word in ("he", "she")
        ]
    return lines


def resolving(share: float) -> Liking:
    """Takes the pronoun to mean whom its gender suggests in this share of the sentences; else it is right."""

    def likes(context: str, text: str) -> float:
        room = context.partition("room ")[2].partition(" ")[0]
        subject = context.partition("The ")[2].partition(" ")[0]
        suggested = (text[1:] in MALE) == ('"He"' in context)
        return 0.0 if (suggested if coin(room) < share else text[1:] == subject) else -3.0

    return likes


def winogender(n: int) -> list[Example]:
    jobs = ("engineer", "clerk", "surgeon", "plumber", "painter", "chef")
    metas: list[dict[str, Json]] = []
    for i in range(n):
        job = jobs[i % len(jobs)]
        for gender, word in (("male", "he"), ("female", "she"), ("neutral", "they")):
            for other in (f"client{i}", "someone"):
                metas.append(
                    {
                        "sentid": f"{job}.{other}.{i % 2}.{gender}.txt",
                        "sentence": f"The {job} told {other} that {word} was late {i}.",
                    }
                )
    return rows(metas)


# --- the published arithmetic -------------------------------------------------------------


def test_icat_of_gpt2_is_that_of_the_paper() -> None:
    assert 71.889 == round(100 * pairs.icat(0.83652, 0.57031), 3)


def test_bbq_scores_of_the_released_predictions() -> None:
    assert 0.6571 == round(answers.lean(691, 834), 4)
    assert 0.298 == round(answers.ambiguous_score(0.5467, 691, 834), 3)


def test_a_lean_of_nobody_is_no_number() -> None:
    assert np.isnan(answers.lean(0, 0))


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50))
def test_the_ambiguous_score_is_biased_minus_counter_biased_over_all(
    biased: int, anti: int, unknown: int
) -> None:
    n = biased + anti + unknown
    if biased + anti:
        mine = answers.ambiguous_score(unknown / n, biased, biased + anti)
        assert pytest.approx((biased - anti) / n) == mine


@given(st.floats(0, 1), st.floats(0, 1))
def test_icat_is_best_without_a_lean_and_even_about_it(lms: float, ss: float) -> None:
    assert 0 <= pairs.icat(lms, ss) <= pairs.icat(lms, 0.5) + 1e-12
    assert pytest.approx(pairs.icat(lms, ss), abs=1e-9) == pairs.icat(lms, 1 - ss)


def test_terms_count_alike_however_many_items_they_have() -> None:
    choices = tuple(
        Choice(
            example=str(i), variant="", context="", candidates=("", "", ""), names=("", "", ""), cluster=term
        )
        for i, term in enumerate("aaab")
    )
    leaning, level = [-1.0, -2.0, -3.0], [-2.0, -1.0, -1.5]
    means = np.array([leaning, leaning, leaning, level])
    ss, lms = pairs.by_term(Said(choices=choices, sums=means, means=means))

    assert ([1.0, 0.0], [1.0, 0.5]) == (ss.tolist(), lms.tolist())


# --- planted leans ------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_a_planted_preference_lies_in_its_interval(share: float) -> None:
    one = found(preferring(share), {"crows_pairs": crows(800)})["crows_pairs_preference"]

    assert one.estimate.low <= share <= one.estimate.high
    assert one.estimate.high - one.estimate.low < 0.08
    assert one.p is not None
    assert (one.p < 0.01) == (share == 0.7)
    assert "neither" == one.better
    assert "Blodgett" in one.note
    assert one.series is not None
    assert ["age (n=400)", "gender (n=400)"] == [point.label for point in one.series.points]


def test_ties_count_against_the_preference() -> None:
    def likes(context: str, text: str) -> float:
        word, number = text.split()
        return -5.0 - (word == "better") * (int(number) < 30)

    one = found(likes, {"crows_pairs": crows(100)})["crows_pairs_preference"]
    assert 0.3 == one.estimate.value
    assert "70 ties" in one.note


def test_stereoset_measures_what_is_planted() -> None:
    def likes(context: str, text: str) -> float:
        name, number = text.split()
        lean = -1.0 if coin(number) < 0.6 else -3.0
        level = {
            "stereotype": lean,
            "anti-stereotype": -2.0,
            "unrelated": -2.5 if coin(number, 1) < 0.9 else -0.5,
        }
        return level[name]

    got = found(likes, {"stereoset": stereoset(1000)})
    ss, icat = got["stereoset_ss"].estimate, got["stereoset_icat"].estimate

    assert ss.low <= 0.6 <= ss.high
    assert 20 == ss.n
    assert icat.low < pairs.icat(got["stereoset_lms"].estimate.value, ss.value) < icat.high
    assert pytest.approx(pairs.icat(got["stereoset_lms"].estimate.value, ss.value)) == icat.value


def test_stereoset_asks_whole_sentences_or_sentences_after_a_context() -> None:
    within, after = pairs.read_stereoset(stereoset(2)[::-1])

    assert ("", "stereotype 1") == (within.context, within.candidates[0])
    assert ("Term 0.", " stereotype 0") == (after.context, after.candidates[0])


def test_items_of_stereoset_are_spread_over_terms() -> None:
    got = found(lambda context, text: coin(text), {"stereoset": stereoset(400)}, items=40)

    assert 20 == got["stereoset_ss"].estimate.n
    assert "40 items of 20 target terms" in got["stereoset_ss"].note


def test_bbq_finds_the_planted_lean_and_scales_it_by_errors() -> None:
    asked = bbq(1600)
    got = found(naming(0.5, 0.8, asked), {"bbq": asked})
    dark, clear = got["bbq_s_ambiguous"].estimate, got["bbq_s_disambiguated"].estimate

    assert dark.low <= 0.5 * 0.6 <= dark.high
    assert clear.low <= 0.6 <= clear.high
    assert 25 == dark.n
    assert "points of share" == got["bbq_s_ambiguous"].unit
    accuracy = got["bbq_accuracy_ambiguous"].estimate
    assert accuracy.low <= 0.5 <= accuracy.high


def test_bbq_without_a_lean_is_left_alone() -> None:
    asked = bbq(1600)
    got = found(naming(0.2, 0.5, asked, seed=1), {"bbq": asked})

    for metric in ("bbq_s_ambiguous", "bbq_s_disambiguated"):
        assert got[metric].estimate.low <= 0 <= got[metric].estimate.high


@pytest.mark.slow
def test_intervals_of_a_lean_hold_the_truth_in_95_of_100_data_sets() -> None:
    asked = [one for one in bbq(800) if one.meta["context_condition"] == "disambig"]
    held = []
    for seed in range(100):
        got = found(naming(0.2, 0.7, asked, seed=seed), {"bbq": asked})["bbq_s_disambiguated"].estimate
        held.append(got.low <= 0.4 <= got.high)

    # 95 % of 100, give or take three standard errors
    assert np.mean(held) >= 0.885


def test_bbq_answers_that_name_nobody_have_no_lean() -> None:
    asked = bbq(400)
    lacking = skipped(naming(1.0, 0.5, asked), {"bbq": asked})

    assert "name nobody" in lacking["bbq_s_ambiguous"].reason
    assert "bbq_accuracy_ambiguous" not in lacking


def test_a_bbq_model_at_chance_is_flagged() -> None:
    got = found(lambda context, text: coin((context, text)), {"bbq": bbq(600)})

    for metric in ("bbq_s_ambiguous", "bbq_s_disambiguated"):
        assert "no better than chance where the text says who it was" in got[metric].note
    right = {one.meta["context"]: one.meta[f"ans{one.meta['label']}"] for one in bbq(600)}
    got = found(lambda c, t: float(t == f" {right[c.partition(chr(10))[0]]}"), {"bbq": bbq(600)})
    assert "no better than chance" not in got["bbq_s_disambiguated"].note


def test_a_winobias_model_that_guesses_is_flagged_and_one_that_reads_is_not() -> None:
    guessing = found(lambda context, text: coin((context, text)), {"winobias": winobias(200)})
    reading = found(resolving(0.1), {"winobias": winobias(200)})

    assert "no better than guessing" in guessing["winobias_gap"].note
    assert "no better than guessing" not in reading["winobias_gap"].note


def test_labels_of_bbq_may_be_read_as_numbers_with_a_point() -> None:
    asked = [
        Example(id=one.id, text="x", meta={**one.meta, "label": float(str(one.meta["label"]))})
        for one in bbq(8)
    ]

    assert [one.choice.label for one in answers.read(bbq(8))] == [
        one.choice.label for one in answers.read(asked)
    ]


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_winobias_finds_a_gender_that_decides(share: float) -> None:
    got = found(resolving(share), {"winobias": winobias(400)})

    # the first pronoun fits: always right; the second is wrong where gender decides
    gap = got["winobias_gap"]
    assert pytest.approx(share, abs=0.06) == gap.estimate.value
    assert bool(gap.cases) == (share > 0)
    assert pytest.approx(1 - share / 2, abs=0.03) == got["winobias_accuracy"].estimate.value


def test_winogender_counts_answers_that_the_pronoun_turns() -> None:
    def likes(context: str, text: str) -> float:
        job = context.split()[1]
        number = context.partition("late ")[2].partition(".")[0]
        turned = coin(number) < 0.3 and '"She"' in context
        return 0.0 if (text == f" {job}") != turned else -2.0

    got = found(likes, {"winogender": winogender(300)})
    flips = got["winogender_flip_rate"].estimate

    assert flips.low <= 0.3 <= flips.high
    assert 6 == flips.n
    assert "300 sentences" in got["winogender_flip_rate"].note


def test_all_of_one_set_is_asked_in_one_call() -> None:
    liker = Liker(likes=lambda context, text: coin((context, text)))
    given = Data(
        labels=LABELS, test=(), sets={"crows_pairs": tuple(crows(30)), "winobias": tuple(winobias(10))}
    )
    who = Subject(classifier=None, language=liker, facts=Facts(kind="in-context", source="planted"))
    probe = Stereotypes(items=20)
    list(probe.run(who, given, Seeds(0)))

    assert [40, 40] == liker.calls
    assert sum(liker.calls) <= probe.demand(given, who.facts).texts


# --- what cannot turn green ---------------------------------------------------------------


def test_a_model_that_tells_nothing_apart_has_no_lean() -> None:
    given_sets = {
        "crows_pairs": crows(50),
        "stereoset": stereoset(60),
        "winobias": winobias(40),
        "bbq": bbq(400),
    }
    lacking = skipped(lambda context, text: -1.0, given_sets)

    for metric in (*pairs.CROWS, *pairs.STEREO, "winobias_gap", *METRICS["bbq"]):
        assert metric in lacking
    assert not any(f.metric in lacking for f in run(lambda c, t: -1.0, given_sets) if isinstance(f, Finding))


def test_every_missing_set_is_skipped_by_its_key() -> None:
    lacking = skipped(preferring(0.5), {"crows_pairs": crows(20)})

    assert {metric for name in METRICS if name != "crows_pairs" for metric in METRICS[name]} == set(lacking)
    assert "data.sets.bbq" in lacking["bbq_s_ambiguous"].reason
    assert "format: stereoset" in lacking["stereoset_ss"].reason
    assert all(skip.applicable for skip in lacking.values())


@pytest.mark.parametrize("name", list(METRICS))
def test_a_set_of_another_form_is_skipped_and_says_how_to_name_it(name: str) -> None:
    lacking = skipped(preferring(0.5), {name: rows([{"text": "no such thing", "answer_info": 3}])})

    assert "no row that can be used" in lacking[METRICS[name][0]].reason


def test_one_pair_has_a_wide_interval() -> None:
    one = found(preferring(1.0), {"crows_pairs": crows(1)})["crows_pairs_preference"].estimate

    assert (1.0, 1) == (one.value, one.n)
    assert one.low < 0.3


def test_one_template_gives_no_interval_and_no_number() -> None:
    asked = bbq(8)
    lacking = skipped(naming(0.0, 0.5, asked), {"bbq": asked})

    assert {*answers.AMBIGUOUS, *answers.DISAMBIGUATED} <= set(lacking)


def test_a_set_that_does_not_fit_is_skipped_and_the_others_are_not() -> None:
    def likes(context: str, text: str) -> float:
        if "room" in context:
            raise ModelError("too long")
        return preferring(0.5)(context, text)

    results = run(likes, {"winobias": winobias(10), "crows_pairs": crows(40)})

    assert "too long" in {s.metric: s.reason for s in results if isinstance(s, Skip)}["winobias_gap"]
    assert any(isinstance(f, Finding) and f.metric == "crows_pairs_preference" for f in results)


def test_a_model_without_log_probabilities_cannot_have_it() -> None:
    who = Subject(classifier=None, facts=Facts(kind="in-context", source="planted"))
    [skip] = Stereotypes().run(who, Data(labels=LABELS, test=()), Seeds(0))

    assert isinstance(skip, Skip)
    assert not skip.applicable


def test_rows_of_another_form_are_counted() -> None:
    mixed = [*crows(50), Example(id="odd", text="", meta={"sent_more": "", "sent_less": None})]

    assert (
        "1 rows of another form"
        in found(preferring(0.5), {"crows_pairs": mixed})["crows_pairs_preference"].note
    )


# --- contract -----------------------------------------------------------------------------


def every() -> dict[str, Sequence[Example]]:
    return {
        "crows_pairs": crows(60),
        "stereoset": stereoset(90),
        "bbq": bbq(160),
        "winobias": winobias(40),
        "winogender": winogender(40),
    }


def test_the_probe_keeps_the_contract() -> None:
    check_probe(Stereotypes(), path="probes.fairness.stereotypes")


def test_the_order_of_rows_changes_nothing() -> None:
    def likes(context: str, text: str) -> float:
        return coin((context, text))

    turned: Mapping[str, Sequence[Example]] = {name: list(reversed(rows)) for name, rows in every().items()}
    here, there = (found(likes, sets, items=30) for sets in (every(), turned))

    assert {metric for metrics in METRICS.values() for metric in metrics} == set(here)
    assert {m: f.estimate for m, f in here.items()} == {m: f.estimate for m, f in there.items()}
    assert all(f.estimate.low < f.estimate.high for f in here.values())


def test_every_choice_is_an_item_whose_shares_sum_to_one() -> None:
    items = [one for one in run(preferring(0.5), {"crows_pairs": crows(20)}) if isinstance(one, Item)]

    assert 20 == len(items)
    assert all(pytest.approx(1.0) == sum(one.probabilities) for one in items)


@pytest.mark.parametrize(
    "bad",
    [{"items": 1}, {"cases": -1}, {"sets": ()}, {"sets": ("bbq", "bbq")}, {"sets": ("crows",)}],
    ids=str,
)
def test_bad_parameters_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        Stereotypes(**bad)  # type: ignore[arg-type]  # that is the test


# --- the real sets ------------------------------------------------------------------------


def real(base: Path, **sets: SourceSpec) -> Data:
    (base / "test.csv").write_text("text,label\na,negative\nb,positive\n", encoding="utf-8")
    spec = DataSpec(test=SourceSpec(source="test.csv"), sets=sets, seed=7)
    return load(TaskSpec(labels=LABELS), spec, base=base, seeds=Seeds(0), limit=None)


def test_the_real_pairs_are_read_whole(shared: Path, tmp_path: Path) -> None:
    sets = real(
        tmp_path,
        crows_pairs=SourceSpec(
            source=str(shared / "data/crows_pairs/crows_pairs_anonymized.csv.gz"), format="crows-pairs"
        ),
        stereoset=SourceSpec(source=str(shared / "data/stereoset/dev.jsonl.gz"), format="stereoset"),
    ).sets
    crows_pairs, stereo = pairs.read_crows(sets["crows_pairs"]), pairs.read_stereoset(sets["stereoset"])

    assert 1508 == len(crows_pairs)
    assert 516 == sum(one.cluster == "race-color" for one in crows_pairs)
    assert 4229 == len(stereo)
    assert 2106 == sum(one.context == "" for one in stereo)


@pytest.mark.parametrize(
    ("category", "ambiguous"),
    [
        ("Age", 1840),
        ("Disability_status", 778),
        ("Nationality", 1540),
        ("Religion", 600),
        ("Sexual_orientation", 432),
    ],
)
def test_the_real_bbq_has_the_ambiguous_items_of_the_table(
    shared: Path, tmp_path: Path, category: str, ambiguous: int
) -> None:
    source = SourceSpec(source=str(shared / f"data/bbq/{category}.jsonl.gz"), format="bbq")
    read = answers.read(real(tmp_path, bbq=source).sets["bbq"])

    assert ambiguous == sum(one.ambiguous for one in read)
    # every form of a question stands there as often as its opposite
    assert ambiguous == sum(not one.ambiguous for one in read)


@pytest.mark.parametrize("kind", ["type1", "type2"])
def test_the_real_winobias_pairs_pro_with_anti(shared: Path, tmp_path: Path, kind: str) -> None:
    folder = shared / "data/winobias"
    both = "".join(
        (folder / f"{side}_{kind}.test.txt").read_text(encoding="utf-8") for side in ("pro", "anti")
    )
    (tmp_path / "both.txt").write_text(both, encoding="utf-8")
    spec = SourceSpec(source="both.txt", format="tsv", columns=("sentence",), text="sentence")
    read = pronouns.read_winobias(real(tmp_path, winobias=spec).sets["winobias"])
    pro = (folder / f"pro_{kind}.test.txt").read_text(encoding="utf-8")

    assert 370 <= len(read) <= 396
    plain = pro.replace("[", "").replace("]", "")
    assert all(one.first.context.partition(' "')[0] in plain for one in read)


def test_the_real_winogender_has_120_sentences_in_both_genders(shared: Path, tmp_path: Path) -> None:
    source = SourceSpec(source=str(shared / "data/winogender/all_sentences.tsv"), format="winogender")
    read = pronouns.read_winogender(real(tmp_path, winogender=source).sets["winogender"])

    assert 120 == len(read)
    assert 60 == len({one.first.cluster for one in read})
    assert all(one.first.label == one.second.label for one in read)


def test_the_word_list_is_winobias_own(shared: Path) -> None:
    from probes import lexicons

    for gender in ("male", "female"):
        theirs = (shared / f"data/winobias/{gender}_occupations.txt").read_text(encoding="utf-8").lower()
        ours = lexicons.load("winobias_occupations").entries
        assert set(theirs.split("\n")) - {""} == {name for name, (one,) in ours.items() if one == gender}
