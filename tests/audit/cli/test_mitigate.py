"""`audit mitigate`: from a finished run to a file, and back into the next audit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from audit import correction, record
from audit.cli import call
from audit.schema import Correction, Facts, Finding, Record
from tests.audit.cli.conftest import Bench, Lines
from tests.audit.models.conftest import tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

PROMPT: dict[str, object] = {
    "template": "Review: {text}\nSentiment:",
    "verbalizers": {"negative": [" Negative"], "positive": [" Positive"]},
    "demonstrations": {"from": "train", "shots": 0},
}


@pytest.fixture
def prompted(bench: Bench) -> Bench:
    """A bench whose model is a tiny random language model and a prompt."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(bench.folder / "tiny")
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.normal_(0, 0.3)
    model.save_pretrained(bench.folder / "tiny")
    audited(bench)
    return bench


def audited(bench: Bench, **prompt: object) -> None:
    probes = {"calibration.confidence": {"draws": 50, "null_draws": 50}}
    model = {"kind": "in-context", "source": "tiny", "device": "cpu", "prompt": {**PROMPT, **prompt}}
    bench.set(model=model, probes=probes)


def mitigate(bench: Bench, *more: str, method: str = "temperature") -> int:
    return call(["mitigate", str(bench.folders()[0]), "--method", method, "-o", str(place(bench)), *more])


def place(bench: Bench) -> Path:
    return bench.folder / "correction.json"


def findings(result: Record) -> dict[str, Finding]:
    return {one.metric: one for one in result.outcomes if isinstance(one, Finding)}


def test_what_a_run_fitted_mends_the_next_one(prompted: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    prompted.run()
    before = record.read(prompted.folders()[0])
    fitted = findings(before)["temperature"].correction
    assert fitted is not None

    capsys.readouterr()
    assert 0 == mitigate(prompted)
    assert str(place(prompted)) == capsys.readouterr().out.splitlines()[0]
    content = json.loads(place(prompted).read_text(encoding="utf-8"))
    assert fitted == correction.from_json(content, "correction.json")
    assert (before.labels, before.model.prompt) == (fitted.labels, fitted.prompt)

    audited(prompted, correction="correction.json")
    prompted.run()
    after = record.read(prompted.folders()[1])
    assert 0 == after.times.usage.scored
    assert "temperature" == after.model.correction
    plain, mended = (
        {item.example: item.probabilities for item in record.read_items(folder)}
        for folder in prompted.folders()
    )
    asked = next(iter(plain))
    assert mended[asked] == pytest.approx(
        correction.apply(fitted, [plain[asked]])[0].tolist()  # type: ignore[arg-type]  # one row
    )
    assert mended[asked] != pytest.approx(plain[asked])


def test_a_run_under_a_correction_has_none_that_stands_alone(prompted: Bench, complaint: Lines) -> None:
    prompted.run()
    mitigate(prompted)
    audited(prompted, correction="correction.json")
    prompted.run()
    complaint()

    code = call(["mitigate", str(prompted.folders()[1]), "--method", "temperature"])
    assert 2 == code
    assert "was measured under a correction (temperature)" in complaint()[0]


def test_verify_sees_a_correction_that_has_changed_since_the_run(prompted: Bench) -> None:
    prompted.run()
    mitigate(prompted)
    audited(prompted, correction="correction.json")
    prompted.run()
    verify = ["verify", str(prompted.folders()[1]), "--cache", str(prompted.folder / "scores.sqlite")]
    assert 0 == call(verify)

    content = json.loads(place(prompted).read_text(encoding="utf-8"))
    content["parameters"]["temperature"] += 0.5
    place(prompted).write_text(json.dumps(content), encoding="utf-8")
    assert 5 == call(verify)


def test_a_correction_of_another_prompt_stops_the_run(prompted: Bench, complaint: Lines) -> None:
    prompted.run()
    mitigate(prompted)
    audited(prompted, correction="correction.json", instruction="Say what it is.")
    complaint()

    assert 2 == prompted.run()
    assert "correction.json: was fitted for another prompt" in complaint()[0]


# --- from the record alone -----------------------------------------------------------------


def fitted(kind: str = "contextual", prior: float = 0.5) -> Correction:
    facts = Facts(kind="in-context", source="tiny", prompt="0f" * 32)
    fit = {"contextual": correction.contextual, "batch": correction.batch}[kind]
    return fit([[prior, 1 - prior]], labels=("negative", "positive"), fitted_on="texts", facts=facts)


@pytest.fixture
def finished(bench: Bench) -> Bench:
    """A bench with one finished run, of a model that is told to be in-context."""
    bench.run()
    return bench


def told(bench: Bench, *corrections: Correction, kind: str = "in-context") -> None:
    """Put corrections into the record, in place of those that the run fitted."""
    folder = bench.folders()[0]
    result = record.read(folder)
    found = [replace(one, correction=None) if isinstance(one, Finding) else one for one in result.outcomes]
    one = next(one for one in found if isinstance(one, Finding))
    more = [replace(one, slice=f"s{i}", correction=each) for i, each in enumerate(corrections)]
    changed = replace(
        result,
        outcomes=(*found, *more),
        model=replace(result.model, kind=kind),  # type: ignore[arg-type]
    )
    record.put(folder / "record.json", record.dumps(changed))


def test_the_method_chooses_among_what_was_fitted(finished: Bench) -> None:
    told(finished, fitted("contextual"), fitted("batch"))

    assert 0 == mitigate(finished, method="batch")
    assert "batch" == json.loads(place(finished).read_text(encoding="utf-8"))["kind"]


def test_one_correction_on_two_findings_is_one(finished: Bench) -> None:
    told(finished, fitted(), fitted())

    assert 0 == mitigate(finished, method="contextual")


def refused(bench: Bench, complaint: Lines, *more: str, method: str = "contextual") -> str:
    complaint()
    assert 2 == mitigate(bench, *more, method=method)
    (line,) = complaint()
    return line


def test_two_corrections_of_one_kind_are_not_chosen_between(finished: Bench, complaint: Lines) -> None:
    told(finished, fitted(), fitted(prior=0.6))

    line = refused(finished, complaint)
    assert "has several corrections of the kind contextual, by calibration.confidence/accuracy@s0, " in line


def test_an_unknown_method_names_the_nearest(finished: Bench, complaint: Lines) -> None:
    told(finished, fitted())

    line = refused(finished, complaint, method="context")
    assert "has no correction of the kind 'context'; did you mean 'contextual'?" in line


def test_a_method_that_was_not_fitted_names_those_that_were(finished: Bench, complaint: Lines) -> None:
    told(finished, fitted(), fitted("batch"))

    assert "'pmi'; it has contextual, batch" in refused(finished, complaint, method="pmi")


def test_a_run_that_fitted_none_names_the_probe_that_would(finished: Bench, complaint: Lines) -> None:
    told(finished)

    line = refused(finished, complaint)
    assert "no probe of this run fitted a correction; run context.mitigation, which" in line


def test_a_fine_tuned_model_has_no_prompt_to_correct(finished: Bench, complaint: Lines) -> None:
    line = refused(finished, complaint, method="temperature")
    assert "is fine-tuned, and model.prompt.correction is for in-context models only" in line


def test_a_damaged_correction_is_not_written(finished: Bench, complaint: Lines) -> None:
    told(finished, replace(fitted(), parameters={"prior": [0.5]}))

    assert "record.json: parameters.prior must be a list of 2, got [0.5]" in refused(finished, complaint)
    assert not place(finished).exists()


def test_a_file_that_is_there_stays_without_force(finished: Bench, complaint: Lines) -> None:
    told(finished, fitted())
    place(finished).write_text("mine", encoding="utf-8")

    assert "is there already; give another name or --force" in refused(finished, complaint)
    assert "mine" == place(finished).read_text(encoding="utf-8")
    assert 0 == mitigate(finished, "--force", method="contextual")
