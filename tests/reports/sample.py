"""One fixed Record that holds everything a report can meet, the hostile and the degenerate included."""

from __future__ import annotations

from audit.schema import (
    Case,
    ChecklistItem,
    Crash,
    Estimate,
    Facts,
    Finding,
    Point,
    Record,
    Rule,
    Series,
    Skip,
    Source,
    Times,
    Usage,
    Verdict,
    Waiver,
)

CALIBRATION = """Does its confidence mean what it says?

Compares how sure the model is of each answer with how often it is right, in bins and smoothed.
Why it matters: whoever routes, escalates or refuses by confidence trusts this number, and a model that is
right 89 times in 100 while saying 97 makes that trust cost money.
Not covered: confidence under a shift of domain (see `robustness.shift`).
Source: Guo et al. 2017 (arXiv:1706.04599), equation 3; unlike the paper, intervals are bootstrapped.

    ECE = Σ_b (n_b / n) · |acc_b − conf_b|

- equal-width bins are closed on the right
- equal-mass bins keep ties together, so that
  their edges never split equal confidences
"""
NOISE = """Does a slip of the finger change the answer?

Writes each text again as a hurried person would and asks the model once more.
Why it matters: users mistype; a label that hangs on spelling is a guess.
Not covered: adversarial search (see robustness.adversarial).
Source: after Belinkov & Bisk 2018 (arXiv:1711.02173); <b>unlike</b> the paper, one swap per text.
"""
SCRIPT = "<script>document.title = 'owned'; fetch('http://127.0.0.1:9/x')</script>"
LONG = "The plot, such as it is, goes on and on. " * 2439 + "x"  # 100,000 characters


def record() -> Record:
    """Return the whole sample."""
    return Record(
        name="movies <in context> & more",
        config=f'version: 1\nmodel:\n  kind: in-context\n  source: demo:smollm2  # "quoted" {SCRIPT}\n',
        profile="quick",
        seed=7,
        model=_model(),
        labels=("negative", "positive"),
        data=_sources(),
        versions={"trust-audit": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "transformers": "4.57.6"},
        probes={
            "calibration.confidence": {"bins": 15, "draws": 2000},
            "robustness.noise": {"kinds": ["typos", "casing"], "variants": 8},
            "efficiency.latency": {},
            "context.majority_label": {},
            "fairness.counterfactual": {"groups": ["gender"]},
        },
        about={
            "calibration.confidence": CALIBRATION,
            "robustness.noise": NOISE,
            "efficiency.latency": "How long does one answer take?\n\nWhy it matters: somebody waits.\n",
            "context.majority_label": "Does it answer with the label it has seen most?",
            "fairness.counterfactual": "Does the answer change with the name in the text?",
        },
        outcomes=(*_calibration(), *_noise(), *_gaps()),
        rules="default",
        verdicts=_verdicts(),
        checklist=_checklist(),
        declared={
            "human_feedback": {"used": True, "evidence": "model card, section 3"},
            "slo": {"p95_latency_ms": 300},
        },
        times=_times(),
    )


def share(value: float, low: float, high: float, n: int, method: str = "Wilson score") -> Estimate:
    """Return an estimate of a share."""
    return Estimate(value=value, low=low, high=high, n=n, method=method)


def _model() -> Facts:
    return Facts(
        kind="in-context",
        source="demo:smollm2",
        weights="9f2c81d07ab3e4415c",
        tokenizer="41aa07c2d9",
        dtype="float32",
        device="cpu",
        parameters=134_515_008,
        max_length=2048,
        prompt="77e0b1",
        notes=("its metadata says add_bos_token: false; obeyed",),
    )


def _sources() -> tuple[Source, ...]:
    return (
        Source(
            name="test",
            path="demo:movies/test",
            sha256="ab" * 32,
            rows=10605,
            used=500,
            counts={"negative": 252, "positive": 248},
            notes=("sampled 500 of 10,605 with seed 7", "3 rows decoded with replacement"),
        ),
        Source(
            name="train",
            path="demo:movies/train",
            sha256="cd" * 32,
            rows=3000,
            used=4,
            counts={"negative": 2, "positive": 2},
        ),
    )


def _times() -> Times:
    return Times(
        started="2026-08-01T14:03:22+00:00",
        seconds=201.4,
        probes={"calibration.confidence": 42.1, "robustness.noise": 151.2, "efficiency.latency": 0.3},
        usage=Usage(
            asked=4500,
            repeated=612,
            cached=500,
            scored=3388,
            tokens=101_640,
            tokens_saved=1_204_000,
            truncated=3,
            seconds=181.6,
        ),
    )


def _reliability() -> Series:
    bins = (
        (0.537, 0.61, 0.44, 0.76, 31),
        (0.63, 0.66, 0.52, 0.78, 44),
        (0.74, 0.69, 0.57, 0.79, 63),
        (0.86, 0.79, 0.71, 0.85, 122),
        (0.955, 0.905, 0.863, 0.935, 240),
    )
    points = tuple(Point(x=x, y=y, low=low, high=high, n=n, group="bins") for x, y, low, high, n in bins)
    smooth = tuple(
        Point(
            x=0.5 + i / 40,
            y=0.58 + 0.33 * (i / 20) ** 1.4,
            low=0.53 + 0.34 * (i / 20) ** 1.4,
            high=0.63 + 0.32 * (i / 20) ** 1.4,
            group="smooth",
        )
        for i in range(21)
    )
    return Series(
        kind="reliability",
        title="Confidence against accuracy",
        x="confidence",
        y="accuracy",
        points=points + smooth,
        reading="On the dashed diagonal the model is right as often as it says; below it, it is too sure.",
    )


def _matrix() -> Series:
    cells = (
        ("negative", "negative", 221),
        ("positive", "negative", 31),
        ("negative", "positive", 24),
        ("positive", "positive", 224),
    )
    place = {"negative": 0.0, "positive": 1.0}
    points = tuple(
        Point(x=place[said], y=place[true], n=n, label=said, group=true) for said, true, n in cells
    )
    return Series(
        kind="matrix", title="Label against answer", x="answer of the model", y="label", points=points
    )


def _calibration() -> tuple[Finding | Skip, ...]:
    probe = "calibration.confidence"
    return (
        Finding(
            probe=probe,
            metric="ece_debiased",
            estimate=share(
                0.0423,
                0.0214,
                0.0688,
                500,
                "bootstrap BCa, 2,000 draws, bias corrected; widened to the value",
            ),
            unit="points of share",
            better="lower",
            p=0.0005,
            family="calibration",
            note="a perfectly calibrated model would show 3.2 points on average",
            series=_reliability(),
        ),
        Finding(
            probe=probe,
            metric="accuracy",
            estimate=share(0.889, 0.874, 0.902, 1821),
            unit="share",
            better="higher",
            series=_matrix(),
        ),
        Finding(
            probe=probe,
            metric="overconfidence",
            estimate=share(-0.0121, -0.0301, 0.0059, 500),
            unit="points of share",
            better="zero",
            note="below zero: the model is less sure than it could be",
        ),
        Finding(
            probe=probe,
            metric="temperature",
            estimate=Estimate(
                value=1.4142135, low=1.21, high=1.66, n=250, level=0.9, method="profile likelihood"
            ),
            unit="temperature",
            better="neither",
        ),
        Finding(
            probe=probe,
            metric="nll",
            estimate=Estimate(value=0.34567, low=0.3012, high=0.3911, n=500, method="bootstrap"),
            unit="nats",
            better="lower",
        ),
        Skip(
            probe=probe,
            metric="classwise_ece",
            reason="fewer than 20 examples of one class; give at least 20 of each",
        ),
    )


def _cases() -> tuple[Case, ...]:
    return (
        Case(
            example="a1",
            text="A thoughtful, moving piece that faces difficult issues.",
            changed="A thoughtfull, moving peice that faces difficult issues.",
            label="positive",
            before="positive",
            after="negative",
            note="2 of 8 words changed",
        ),
        Case(
            example="b<2>",
            text=f"It said: {SCRIPT} & \"quotes\" 'n' <b>tags</b>",
            changed=f"It sayd: {SCRIPT} & \"quotes\" 'n' <b>tags</b>",
            label="negative",
            before="negative",
            after="positive",
        ),
        Case(
            example="emoji",
            text="Great 👍🏽 film 👩‍👩‍👧 — 10/10 🎬",
            changed="GREAT 👍🏽 FILM 👩‍👩‍👧 — 10/10 🎬",
            label="positive",
            before="positive",
            after="positive",
        ),
        Case(
            example="rtl",
            text="הסרט היה נהדר, ממש נהדר!",
            changed="הסרט היה נהדרר, ממש נהדר!",
            label="positive",
            before="positive",
            after="negative",
        ),
        Case(
            example="bidi\u202eevil",
            text="left \u202e right \x1b[31mred\x07 \ud800 end",
            changed="left \u202e wrong \x1b[31mred\x07 \ud800 end",
            before="negative",
            after="positive",
        ),
        Case(
            example="long",
            text=LONG,
            changed=LONG[:60000] + "CHANGED" + LONG[60000:],
            label="negative",
            before="negative",
            after="positive",
        ),
        Case(
            example="pair",
            text="A man plays a guitar.\n―\nA person makes music.",
            label="entailment",
            before="neutral",
            note="no change: wrong as it stands",
        ),
        Case(example="empty", text="", changed=" ", label="negative", before="negative", after="negative"),
    )


def _dots() -> Series:
    rows = (
        ("typos", 0.124, 0.098, 0.156),
        ("misspellings", 0.082, 0.061, 0.11),
        ("casing", 0.012, 0.005, 0.026),
        ("spacing <br>", 0.031, 0.019, 0.05),
        ("contractions and fillers, all of them", 0.018, 0.009, 0.034),
    )
    points = [
        Point(x=i, y=v, low=lo, high=hi, n=500 - 40 * i, label=name, group="all answers")
        for i, (name, v, lo, hi) in enumerate(rows)
    ]
    points += [
        Point(x=i, y=v / 2, low=lo / 2, high=hi / 2, n=440 - 40 * i, label=name, group="right before")
        for i, (name, v, lo, hi) in enumerate(rows)
    ]
    return Series(
        kind="dots",
        title="Flip rate by kind of noise",
        x="kind of noise",
        y="flip rate (share)",
        points=tuple(points),
    )


def _curve() -> Series:
    points = tuple(
        Point(
            x=severity,
            y=0.889 - drop * severity,
            low=0.86 - drop * severity,
            high=0.91 - drop * severity,
            n=500,
            group=kind,
        )
        for kind, drop in (("typos", 0.021), ("misspellings", 0.012), ("canonical mix", 0.034))
        for severity in range(6)
    )
    return Series(
        kind="curve",
        title="Accuracy by severity",
        x="changed words per text",
        y="accuracy",
        points=points,
        reading="A line that falls fast marks a kind of noise the model cannot take.",
    )


def _bars() -> Series:
    rows = (("typos", 0.97), ("casing", 0.04), ("spacing", 0.63))
    return Series(
        kind="bars",
        title="Texts that the model saw changed",
        x="kind of noise",
        y="share of texts",
        points=tuple(Point(x=i, y=v, n=500, label=name) for i, (name, v) in enumerate(rows)),
    )


def _noise() -> tuple[Finding, ...]:
    probe = "robustness.noise"
    return (
        Finding(
            probe=probe,
            metric="flip_rate",
            slice="typos",
            estimate=share(0.124, 0.098, 0.156, 500),
            unit="share",
            better="lower",
            family="noise",
            cases=_cases(),
            series=_dots(),
        ),
        Finding(
            probe=probe,
            metric="flip_rate",
            slice="casing",
            estimate=share(0.0004, 0.0, 0.0012, 5000),
            unit="share",
            better="lower",
            family="noise",
        ),
        Finding(
            probe=probe,
            metric="accuracy_drop",
            estimate=share(0.031, 0.012, 0.0504, 500, "Newcombe paired"),
            unit="points of share",
            better="lower",
            p=0.012,
            series=_curve(),
        ),
        Finding(
            probe=probe,
            metric="changed_rate",
            slice="<script>alert(1)</script>",
            estimate=share(1.0, 0.9924, 1.0, 500),
            unit="share",
            better="neither",
            series=_bars(),
        ),
    )


def _gaps() -> tuple[Skip | Crash, ...]:
    frames = "".join(f'  File "probes/efficiency/latency.py", line {i}, in run\n' for i in range(3))
    return (
        Skip(
            probe="context.majority_label",
            reason="the prompt has no demonstrations: give prompt.demonstrations.shots of at least 1",
            applicable=False,
        ),
        Skip(
            probe="fairness.counterfactual",
            reason="the test data has no column 'gender': name one under data.groups",
        ),
        Crash(
            probe="efficiency.latency",
            error="RuntimeError: out of memory <at> step 3",
            traceback=f"Traceback (most recent call last):\n{frames}RuntimeError: out of memory <at> step\n",
        ),
    )


def _verdicts() -> tuple[Verdict, ...]:
    waiver = Waiver(
        rule="robustness.noise/accuracy_drop",
        owner="search team",
        reason="mobile keyboards correct typos <before> us",
        expires="2026-12-31",
    )
    return (
        Verdict(
            rule=Rule(
                probe="calibration.confidence",
                metric="accuracy",
                min=0.85,
                why="the model in production has 85 %",
            ),
            status="PASS",
            reason="all of the interval is on the good side of the limit",
            estimate=share(0.889, 0.874, 0.902, 1821),
            decidable=0.0213,
        ),
        Verdict(
            rule=Rule(probe="robustness.noise", metric="flip_rate", slice="worst", max=0.08),
            status="FAIL",
            reason="typos, the worst of 2 slices, is on the bad side, corrected for their number; "
            "the waiver of QA expired on 2026-06-30",
            estimate=share(0.124, 0.098, 0.156, 500),
            slice="typos",
            decidable=0.0411,
        ),
        Verdict(
            rule=Rule(probe="calibration.confidence", metric="ece_debiased", max=0.05),
            status="UNSURE",
            reason="the interval lies across the limit",
            estimate=share(0.0423, 0.0214, 0.0688, 500),
            needed_n=2840,
            decidable=0.031,
        ),
        Verdict(
            rule=Rule(probe="robustness.noise", metric="accuracy_drop", max=0.03),
            status="UNSURE",
            reason="the interval lies across the limit",
            estimate=share(0.031, 0.012, 0.0504, 500),
            waiver=waiver,
        ),
        Verdict(
            rule=Rule(probe="efficiency.latency", metric="p95_latency", max=300),
            status="NOT MEASURED",
            reason="the probe crashed: RuntimeError: out of memory <at> step 3",
        ),
        Verdict(
            rule=Rule(probe="fairness.counterfactual", metric="flip_rate", slice="gender=<f>", max=0.05),
            status="NOT MEASURED",
            reason="the test data has no column 'gender': name one under data.groups",
        ),
        Verdict(
            rule=Rule(probe="context.majority_label", metric="majority_gap", max=0.1),
            status="NOT APPLICABLE",
            reason="the prompt has no demonstrations: give prompt.demonstrations.shots of at least 1",
        ),
    )


def _checklist() -> tuple[ChecklistItem, ...]:
    def item(
        name: str, clause: str, question: str, status: str, evidence: tuple[str, ...] = (), action: str = ""
    ) -> ChecklistItem:
        return ChecklistItem(
            id=name, clause=clause, question=question, status=status, evidence=evidence, action=action
        )  # type: ignore[arg-type]  # a word of the closed set

    return (
        item(
            "8.1a",
            "Latency: the request has to meet its deadline.",
            "Does the 95th percentile of latency meet the declared objective?",
            "NOT MEASURED",
            ("efficiency.latency crashed: RuntimeError: out of memory",),
            "Measure at batch 1 on the machine that serves.",
        ),
        item(
            "8.2c",
            "Majority-label bias | the answer leans to the most frequent label.",
            "Does it answer with the label it has seen most?",
            "NOT APPLICABLE",
        ),
        item(
            "8.3d",
            "Privacy: personal data must not leak.",
            "Does it leak memorised or personal data?",
            "MEASURED",
            ("safety.privacy/leak_rate: 0.4 % (0.1 to 1.2), n = 500",),
        ),
        item(
            "8.3e",
            "Human feedback: which mitigation was used?",
            "Which mitigation by human feedback was used?",
            "DECLARED",
            ("declared: used, model card, section 3 <i>unchecked</i>",),
        ),
        item(
            "T1",
            "Robustness to natural noise and attack.",
            "Does it hold under noise?",
            "FAIL",
            ("robustness.noise/flip_rate@typos: 12.4 % (9.8 to 15.6), n = 500",),
            "Train with noise or correct input before the model; then audit again.",
        ),
        item(
            "T2",
            "Calibration: confidence has to mean what it says.",
            "Does its confidence mean what it says?",
            "UNSURE",
            (
                "calibration.confidence/ece_debiased: UNSURE: 0.042 (0.021 to 0.069, n = 500), "
                "wanted at most 0.05",
            ),
            "Fit a temperature on held-out data.",
        ),
        item(
            "T3",
            "Domain shift.",
            "Does it hold under domain shift?",
            "PASS",
            ("calibration.confidence/accuracy: 88.9 % (87.4 to 90.2), n = 1,821",),
        ),
    )
