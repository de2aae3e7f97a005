"""The probe: planted overconfidence is found, a calibrated model is left alone, edges are decided."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from audit.schema import Data, Example, Facts, Finding, Item, Scores, Skip, Subject, Text
from audit.seeds import Seeds
from probes.calibration import ece, temperature
from probes.calibration.confidence import Confidence

QUICK = Confidence(draws=300, null_draws=200)


@dataclass(frozen=True)
class Told:
    """A classifier that answers each text with the row it was told."""

    labels: tuple[str, ...]
    rows: dict[Text, NDArray[np.float64]]
    logits: dict[Text, NDArray[np.float64]] | None = None
    mass: float | None = None
    cut: frozenset[str] = frozenset()

    def score(self, texts: Sequence[Text]) -> Scores:
        n = len(texts)
        return Scores(
            probabilities=np.array([self.rows[text] for text in texts]).reshape(n, len(self.labels)),
            logits=None if self.logits is None else np.array([self.logits[text] for text in texts]),
            mass=None if self.mass is None else np.full(n, self.mass),
            truncated=np.array([text in self.cut for text in texts], dtype=np.bool_),
        )

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        return [str(text).encode() for text in texts]


def told(p: NDArray[np.float64], truth: Sequence[int], **rest: object) -> tuple[Told, Data]:
    """A model that gives example i the row p[i], and the data whose label is truth[i]."""
    labels = tuple(f"class {i}" for i in range(p.shape[1]))
    texts = [f"text {i}" for i in range(len(p))]
    examples = tuple(
        Example(id=f"e{i}", text=text, label=labels[t])
        for i, (text, t) in enumerate(zip(texts, truth, strict=True))
    )
    model = Told(labels, dict(zip(texts, p, strict=True)), **rest)  # type: ignore[arg-type]  # its own fields
    return model, Data(labels=labels, test=examples)


def world(n: int, k: int = 2, over: float = 0.0, seed: int = 0) -> tuple[Told, Data]:
    """Top-label confidences in [0.5, 1] whose answers are right that often less `over`."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5 + over, 1, n)
    answer = rng.integers(0, k, n)
    p = np.repeat(((1 - confidence) / (k - 1))[:, None], k, axis=1)
    p[np.arange(n), answer] = confidence
    wrong = (answer + rng.integers(1, k, n)) % k
    return told(p, np.where(rng.random(n) < confidence - over, answer, wrong).tolist())


def results(pair: tuple[Told, Data], probe: Confidence = QUICK, seed: int = 7) -> list[Finding | Skip | Item]:
    subject = Subject(classifier=pair[0], facts=Facts(kind="fine-tuned", source="told"))
    return list(probe.run(subject, pair[1], Seeds(seed)))


def findings(pair: tuple[Told, Data], probe: Confidence = QUICK) -> dict[str, Finding]:
    return {f.metric: f for f in results(pair, probe) if isinstance(f, Finding)}


def skips(pair: tuple[Told, Data]) -> dict[str | None, str]:
    return {s.metric: s.reason for s in results(pair) if isinstance(s, Skip)}


@functools.cache
def overconfident() -> dict[str, Finding]:
    return findings(world(1000, 3, over=0.15))


@functools.cache
def calibrated() -> dict[str, Finding]:
    return findings(world(1000, 3))


# --- planted faults -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "metric", ["ece_width15", "ece_mass10", "ece_debiased", "smooth_ece", "ace_unweighted", "overconfidence"]
)
def test_planted_overconfidence_is_in_the_interval(metric: str) -> None:
    estimate = overconfident()[metric].estimate
    assert estimate.low <= 0.15 <= estimate.high
    assert estimate.low > 0.05


def test_planted_overconfidence_has_the_smallest_p() -> None:
    assert overconfident()["ece_debiased"].p == pytest.approx(1 / (QUICK.null_draws + 1))


def test_planted_overconfidence_asks_for_a_hotter_temperature_that_helps() -> None:
    found = overconfident()
    assert found["temperature"].estimate.low > 1
    before, after = (found[f"ece_{when}_temperature"].estimate for when in ("before", "after"))
    assert after.value < 0.6 * before.value
    assert found["temperature"].correction is not None
    parameters = {"temperature": found["temperature"].estimate.value}
    assert parameters == found["temperature"].correction.parameters


@pytest.mark.parametrize("metric", ["ece_width15", "ece_mass10", "ece_debiased", "smooth_ece"])
def test_calibrated_model_is_left_alone(metric: str) -> None:
    assert calibrated()[metric].estimate.low == 0


def test_calibrated_model_shows_no_overconfidence_and_keeps_its_temperature() -> None:
    assert calibrated()["overconfidence"].estimate.low <= 0 <= calibrated()["overconfidence"].estimate.high
    assert calibrated()["temperature"].estimate.low <= 1.1
    assert (calibrated()["ece_debiased"].p or 0) > 0.02


def test_underconfidence_is_negative() -> None:
    rng = np.random.default_rng(1)
    p = np.tile([0.7, 0.3], (400, 1))
    found = findings(told(p, (rng.random(400) > 0.95).astype(int).tolist()))
    assert found["overconfidence"].estimate.high < -0.15
    assert found["overconfidence"].better == "zero"
    assert found["ece_debiased"].estimate.low > 0.15


@pytest.mark.parametrize("scale", [0.5, 2.5])
def test_planted_temperature_of_the_logits_is_found(scale: float) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 1.5, (1200, 4))
    right = (temperature.tempered(logits, 1.0).cumsum(axis=1) > rng.random((1200, 1))).argmax(axis=1)
    p = temperature.tempered(logits, 1 / scale)
    texts = [f"text {i}" for i in range(1200)]
    pair = told(p, right.tolist(), logits=dict(zip(texts, logits * scale, strict=True)))
    estimate = findings(pair)["temperature"].estimate
    assert estimate.low <= scale <= estimate.high


# --- oracles --------------------------------------------------------------------------------------


def test_ece_is_netcals_to_1e_12_and_its_interval_holds_it() -> None:
    from netcal.metrics import ECE

    model, data = world(600, 3, over=0.05)
    p = np.array([model.rows[e.text] for e in data.test])
    correct = np.array([data.labels[row.argmax()] == e.label for row, e in zip(p, data.test, strict=True)])
    expected = ECE(bins=15).measure(p.max(axis=1), correct.astype(float))
    assert findings((model, data))["ece_width15"].estimate.value == pytest.approx(expected, abs=1e-12)


def test_brier_and_loss_are_scikit_learns() -> None:
    from sklearn.metrics import brier_score_loss, log_loss

    model, data = world(300, 3, over=0.05)
    p = np.array([model.rows[e.text] for e in data.test])
    truth = [data.labels.index(str(e.label)) for e in data.test]
    found = findings((model, data))
    squares = sum(brier_score_loss([t == i for t in truth], p[:, i]) for i in range(3))
    assert found["brier"].estimate.value == pytest.approx(squares, abs=1e-12)
    assert found["brier"].unit == "squared error, 0 to 2"
    assert found["nll"].estimate.value == pytest.approx(log_loss(truth, p, labels=[0, 1, 2]), abs=1e-9)


def test_smooth_ece_is_relplots() -> None:
    from relplot import smECE

    model, data = world(300, 2, over=0.1)
    p = np.array([model.rows[e.text] for e in data.test])
    correct = np.array([data.labels[r.argmax()] == e.label for r, e in zip(p, data.test, strict=True)])
    found = findings((model, data))["smooth_ece"].estimate.value
    assert found == pytest.approx(float(smECE(p.max(axis=1), correct.astype(float))), abs=1e-9)


def test_top_label_vectors() -> None:
    conf = np.array([0.55] * 2 + [0.65] * 3 + [0.75] * 3 + [0.85] * 4 + [0.95] * 8)
    correct = [1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0]
    found = findings(told(np.stack([conf, 1 - conf], axis=1), [1 - c for c in correct]))
    values = {name: finding.estimate.value for name, finding in found.items()}
    assert values["accuracy"] == 0.75
    assert values["overconfidence"] == pytest.approx(0.065)
    assert values["ece_width15"] == pytest.approx(0.070)
    assert values["ece_mass10"] == pytest.approx(0.070)
    assert values["ace_unweighted"] == pytest.approx(0.065)
    assert values["brier_top"] == pytest.approx(0.1785)
    assert values["brier"] == pytest.approx(2 * 0.1785)
    assert values["nll"] == pytest.approx(0.550443, abs=5e-7)
    assert values["rmsce_debiased"] == 0
    assert "-0.0715" in found["rmsce_debiased"].note


# --- edges ----------------------------------------------------------------------------------------


def test_one_example_has_an_accuracy_and_the_rest_says_what_it_needs() -> None:
    pair = told(np.array([[0.9, 0.1]]), [0])
    assert set(findings(pair)) == {"accuracy", "accuracy_gain", "truncated_rate"}
    assert "needs 20 different texts, has 1" in skips(pair)["ece_debiased"]
    assert set(skips(pair)) | {"accuracy", "accuracy_gain", "truncated_rate"} == set(calibrated())


def test_no_labelled_example_is_a_skip_of_the_whole_probe() -> None:
    model, data = told(np.array([[0.9, 0.1]]), [0])
    bare = replace(data, test=(replace(data.test[0], label=None),))
    assert list(skips((model, bare))) == [None]


def test_examples_without_a_label_are_left_out_and_counted() -> None:
    model, data = world(40)
    holed = replace(data, test=(replace(data.test[0], label=None), *data.test[1:]))
    accuracy = findings((model, holed))["accuracy"]
    assert accuracy.estimate.n == 39
    assert "1 without a label are left out" in accuracy.note


@pytest.mark.parametrize("right", [True, False])
def test_all_right_and_all_wrong_are_measured(right: bool) -> None:
    rng = np.random.default_rng(0)
    c = rng.uniform(0.6, 0.9, 60)
    found = findings(told(np.stack([c, 1 - c], axis=1), [0 if right else 1] * 60))
    assert found["accuracy"].estimate.value == float(right)
    # every gap has the same sign, so the binned error is the whole gap
    assert found["ece_width15"].estimate.value == pytest.approx(abs(float(right) - c.mean()))
    assert found["ece_debiased"].estimate.low > 0.1
    assert "ended at its border" in found["temperature"].note


def test_one_constant_confidence_is_one_bin_with_a_width() -> None:
    found = findings(told(np.tile([0.8, 0.2], (100, 1)), [0] * 80 + [1] * 20))
    assert found["ece_width15"].estimate.value == pytest.approx(0, abs=1e-12)
    assert found["ece_debiased"].estimate.high > 0.05
    assert "1 of 1 occupied bins" in found["mce"].note
    assert "same probabilities" in found["accuracy"].note
    assert "would score 0.800" in found["accuracy"].note


def test_answers_that_hardly_vary_are_flagged() -> None:
    rng = np.random.default_rng(0)
    c = rng.uniform(0.6, 0.9, 100)
    found = findings(told(np.stack([c, 1 - c], axis=1), [0, 1] * 50))
    assert "hardly vary: 100 of 100 are 'class 0'" in found["accuracy"].note


def test_certainty_lies_in_the_last_bin() -> None:
    found = findings(told(np.tile([1.0, 0.0], (60, 1)), [0] * 54 + [1] * 6))
    assert found["ece_width15"].estimate.value == pytest.approx(0.1)
    assert found["nll"].estimate.value == pytest.approx(0.1 * -np.log(1e-12))
    series = found["ece_debiased"].series
    assert series is not None
    assert [(p.x, p.n) for p in series.points if p.group == "bins"] == [(1.0, 60)]


def test_even_answers_have_no_temperature_but_an_error() -> None:
    pair = told(np.full((60, 2), 0.5), [0] * 50 + [1] * 10)
    assert findings(pair)["ece_width15"].estimate.value == pytest.approx(50 / 60 - 0.5)
    assert "even over the labels" in skips(pair)["temperature"]


def test_two_of_three_classes_in_the_labels_change_nothing_of_the_meaning() -> None:
    model, data = world(200, 3, over=0.1)
    two = tuple(e for e in data.test if e.label != "class 2")
    found = findings((model, replace(data, test=two)))["ece_width15"].estimate
    p = np.array([model.rows[e.text] for e in two])
    correct = np.array([data.labels[r.argmax()] == e.label for r, e in zip(p, two, strict=True)])
    bins = ece.bin_up(p.max(axis=1), correct.astype(float), ece.width_edges(15))
    assert found.value == pytest.approx(bins.measure(ece.ece), abs=1e-12)


def test_ten_classes_are_measured_below_one_half_too() -> None:
    rng = np.random.default_rng(5)
    p = rng.dirichlet(np.full(10, 0.7), 800)
    truth = (p.cumsum(axis=1) > rng.random((800, 1))).argmax(axis=1)
    found = findings(told(p, truth.tolist()))
    assert found["ece_debiased"].estimate.low == 0
    assert found["ece_classwise"].estimate.value < 0.03
    assert "10 labels" in found["ece_classwise"].note


def test_small_bins_leave_no_largest_error() -> None:
    c = np.linspace(0.5, 0.99, 24)
    assert "no bin holds 10" in skips(told(np.stack([c, 1 - c], axis=1), [0] * 24))["mce"]


def test_small_halves_leave_no_temperature() -> None:
    pair = world(30)
    reasons = skips(pair)
    assert "15 and 15" in reasons["ece_after_temperature"]
    assert "temperature" in reasons


# --- what else is reported --------------------------------------------------------------------------


def test_every_answer_is_an_item() -> None:
    model, data = world(30)
    lines = {item.example: item for item in results((model, data)) if isinstance(item, Item)}
    assert set(lines) == {e.id for e in data.test}
    first = data.test[0]
    assert lines["e0"].probabilities == tuple(model.rows[first.text].tolist())
    assert lines["e0"].label == first.label
    assert lines["e0"].outcome == ("right" if lines["e0"].predicted == first.label else "wrong")
    assert lines["e0"].variant == "original"


def test_cases_are_the_surest_errors() -> None:
    p = np.array([[0.6, 0.4], [0.99, 0.01], [0.8, 0.2]] * 10)
    found = findings(told(p, [1] * 2 + [0] * 28))
    cases = found["overconfidence"].cases
    assert [(c.example, c.before, c.label, c.note) for c in cases] == [
        ("e1", "class 0", "class 1", "confidence 0.99"),
        ("e0", "class 0", "class 1", "confidence 0.60"),
    ]


def test_reliability_counts_every_example_once() -> None:
    series = overconfident()["ece_debiased"].series
    assert series is not None
    assert series.kind == "reliability"
    assert sum(p.n for p in series.points if p.group == "bins") == 1000
    assert any(p.group == "smooth" for p in series.points)
    assert "diagonal" in series.reading


def test_withholding_helps_where_confidence_tells_right_from_wrong() -> None:
    found = overconfident()
    assert found["selective_accuracy"].estimate.value > found["accuracy"].estimate.value
    series = found["selective_accuracy"].series
    assert series is not None
    assert series.kind == "curve"
    assert series.points[-1].x == 1.0
    assert series.points[-1].y == pytest.approx(found["accuracy"].estimate.value)


def test_label_words_and_cut_texts_are_counted() -> None:
    model, data = world(40)
    odd = replace(model, mass=0.25, cut=frozenset({"text 1", "text 2"}))
    found = findings((odd, data))
    assert found["verbalizer_mass"].estimate.value == pytest.approx(0.25)
    assert found["verbalizer_mass"].better == "higher"
    assert found["truncated_rate"].estimate.value == pytest.approx(0.05)
    assert "verbalizer_mass" not in findings((model, data))


def test_no_text_judges_the_temperature_that_it_has_fitted() -> None:
    model, data = world(100)
    doubled = tuple(replace(e, id=f"{e.id} again") for e in data.test)
    found = findings((model, replace(data, test=data.test + doubled)))
    assert found["temperature"].estimate.n == 50
    assert found["ece_after_temperature"].estimate.n == 50


def test_order_of_the_examples_changes_nothing() -> None:
    model, data = world(150, 3, over=0.1)
    assert results((model, data)) == results((model, replace(data, test=data.test[::-1])))


def test_another_seed_moves_ends_of_intervals_only() -> None:
    pair = world(200, over=0.1)
    here, there = ({f.metric: f for f in results(pair, seed=s) if isinstance(f, Finding)} for s in (1, 2))
    assert here["ece_width15"].estimate.value == there["ece_width15"].estimate.value
    assert here["ece_debiased"].estimate.low != there["ece_debiased"].estimate.low
    assert here["ece_debiased"].estimate.low == pytest.approx(there["ece_debiased"].estimate.low, abs=0.02)


def test_demand_is_what_is_asked() -> None:
    _, data = world(30)
    assert Confidence().demand(data, Facts(kind="fine-tuned", source="told")).texts == 30


@given(st.permutations([0, 1, 2]), st.integers(0, 5))
@settings(max_examples=3, deadline=None)
def test_names_of_the_classes_change_nothing(order: list[int], seed: int) -> None:
    model, data = world(40, 3, over=0.1, seed=seed)
    p = np.array([model.rows[e.text] for e in data.test])
    truth = [data.labels.index(str(e.label)) for e in data.test]
    probe = replace(QUICK, draws=100, null_draws=20)
    here = findings(told(p, truth), probe)
    there = findings(told(p[:, order], [order.index(t) for t in truth]), probe)
    for metric, finding in here.items():
        assert there[metric].estimate.value == pytest.approx(finding.estimate.value, abs=1e-9)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=45),
)
@settings(max_examples=15, deadline=None)
def test_any_answers_give_findings_in_range(rows: list[tuple[float, int]]) -> None:
    p = np.array([[c, 1 - c] for c, _ in rows])
    probe = replace(QUICK, draws=60, null_draws=10)
    found = findings(told(p, [label for _, label in rows]), probe)
    bounded = [f.estimate for f in found.values() if f.unit == "share"]
    assert all(0 <= e.low <= e.value <= e.high <= 1 for e in bounded)
    assert "accuracy" in found


def test_importing_the_probe_brings_no_heavy_library() -> None:
    code = (
        "import sys, probes.calibration.confidence;"
        " print(sorted({'torch', 'netcal', 'relplot', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
