"""For tests of probes, ours and third parties': models with a known flaw, and the contract of a probe.

The models here are planted, so the truth is known: a probe must find the flaw inside its interval and find
nothing on a model without it. They are for tests only; nothing here stands in for a real model.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import random
from collections.abc import Iterator
from dataclasses import replace

from audit.planted import (
    LABELS,
    Leaning,
    Planted,
    PlantedPrompted,
    coin,
    constant,
    hashed,
    knowing,
    leaning,
    prompted,
)
from audit.schema import (
    Data,
    Example,
    Facts,
    Finding,
    Item,
    Probe,
    Skip,
    Source,
    Subject,
)
from audit.seeds import Seeds

__all__ = [
    "LABELS",
    "Leaning",
    "Planted",
    "PlantedPrompted",
    "check_probe",
    "coin",
    "constant",
    "findings",
    "hashed",
    "knowing",
    "leaning",
    "prompted",
    "sample_data",
    "subject",
]


def sample_data(n: int = 60, *, seed: int = 0) -> Data:
    """Return n labelled sentences over two labels, with odd texts among them."""
    draw = random.Random(seed)  # noqa: S311 - texts for tests, nothing secret
    odd = ["", "   ", "🙂🙃", "مرحبا بالعالم", "x" * 10_000, "<script>alert(1)</script>", "a\nb\tc", "!?…"]
    nouns = ("film", "plot", "actor", "scene", "score", "ending")
    words = {"negative": ("awful", "dull", "weak"), "positive": ("fine", "bright", "moving")}
    examples = []
    for i in range(n):
        label = LABELS[i % 2]
        text = f"I do not think the {draw.choice(nouns)} is {draw.choice(words[label])}, number {i}."
        text = odd[i // 4 % len(odd)] + str(i) * (i // 4 % 2) if i % 4 == 0 and i < 4 * len(odd) else text
        examples.append(Example(id=f"e{i}", text=text, label=label, groups={"side": "ab"[i % 3 // 2]}))
    source = Source(name="test", path="sample", sha256="", rows=n, used=n)
    return Data(labels=LABELS, test=tuple(examples), train=tuple(examples), sources=(source,))


def subject(model: Planted | PlantedPrompted | Leaning) -> Subject:
    """Return the subject that holds only this classifier."""
    if isinstance(model, PlantedPrompted | Leaning):
        facts = Facts(kind="in-context", source="planted")
        return Subject(classifier=model, prompted=model, facts=facts)
    return Subject(classifier=model, facts=Facts(kind="fine-tuned", source="planted"))


def findings(
    probe: Probe, model: Planted | PlantedPrompted | Leaning, data: Data, seed: int = 0
) -> dict[tuple[str, str], Finding]:
    """Run a probe and return its findings by (metric, slice)."""
    results = probe.run(subject(model), data, Seeds(seed))
    return {(f.metric, f.slice): f for f in results if isinstance(f, Finding)}


def check_probe(probe: Probe, *, path: str | None = None) -> None:
    """Hold a probe to the contract.

    Args:
        path: Where its module must lie, for instance `probes.robustness.noise`; not checked if None.

    Raises:
        AssertionError: names the clause that does not hold.
    """
    _check_form(probe, path)
    data = sample_data()
    model = _guessing(probe, data)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        first = list(probe.run(subject(model), data, Seeds(7)))
    assert out.getvalue() == "", f"{probe.id} prints"
    budget = probe.demand(data, subject(model).facts).texts
    assert model.asked <= budget, f"{probe.id} asked {model.asked} texts and had announced {budget}"
    for result in first:
        assert isinstance(result, Finding | Skip | Item), f"{probe.id} yields {type(result).__name__}"
        assert result.probe == probe.id, f"{probe.id} yields a result of {result.probe}"
    keys = [(f.metric, f.slice) for f in first if isinstance(f, Finding)]
    assert len(keys) == len(set(keys)), f"{probe.id} yields a metric and slice twice"
    _check_repeats(probe, data, first)


def _check_form(probe: Probe, path: str | None) -> None:
    kind = type(probe)
    form = getattr(kind, "__dataclass_params__", None)
    assert form is not None and form.frozen, f"{probe.id} is not a frozen dataclass"
    assert isinstance(probe.needs, frozenset), f"{probe.id}: needs is not a frozenset"
    assert path is None or kind.__module__ == path == f"probes.{probe.id}", (
        f"{probe.id} lies in {kind.__module__}"
    )
    doc = inspect.getdoc(inspect.getmodule(kind)) or ""
    assert doc.splitlines()[:1] and doc.splitlines()[0].endswith("?"), f"{probe.id}: no question in line one"
    for part in ("Why it matters:", "Not covered:", "Source:"):
        assert part in doc, f"{probe.id}: the module docstring lacks {part!r}"
    _check_parameters(probe)


def _check_parameters(probe: Probe) -> None:
    import yaml
    from pydantic import TypeAdapter

    adapter = TypeAdapter(type(probe))
    text = yaml.safe_dump(adapter.dump_python(probe, mode="json"))
    assert adapter.validate_python(yaml.safe_load(text)) == probe, (
        f"{probe.id}: parameters change through YAML"
    )


def _check_repeats(probe: Probe, data: Data, first: list[Finding | Skip | Item]) -> None:
    model = _guessing(probe, data)
    again = list(probe.run(subject(model), data, Seeds(7)))
    assert again == first, f"{probe.id}: the same seed gives other results"
    turned = replace(data, test=data.test[::-1], train=data.train[::-1])
    other = {(f.metric, f.slice): f for f in _findings(probe.run(subject(model), turned, Seeds(7)))}
    for finding in _findings(iter(first)):
        twin = other.get((finding.metric, finding.slice))
        assert twin is not None, f"{probe.id}: {finding.metric} depends on the order of the examples"
        for name in ("value", "low", "high", "n"):
            here, there = getattr(finding.estimate, name), getattr(twin.estimate, name)
            assert abs(here - there) < 1e-9, f"{probe.id}: {finding.metric}.{name} depends on the order"


def _guessing(probe: Probe, data: Data) -> Planted | PlantedPrompted:
    """Return a model that guesses; of the kind that the probe needs."""
    return replace(prompted(data), noise=1.0) if "in-context" in probe.needs else hashed()


def _findings(results: Iterator[Finding | Skip | Item]) -> list[Finding]:
    return [result for result in results if isinstance(result, Finding)]
