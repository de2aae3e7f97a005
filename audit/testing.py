"""For tests of probes, ours and third parties': models with a known flaw, and the contract of a probe.

The models here are planted, so the truth is known: a probe must find the flaw inside its interval and find
nothing on a model without it. They are for tests only; nothing here stands in for a real model.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from audit.schema import (
    Data,
    Example,
    Facts,
    Finding,
    Item,
    Probe,
    Scores,
    Skip,
    Source,
    Subject,
    Text,
    content_hash,
)
from audit.seeds import Seeds

LABELS = ("negative", "positive")


@dataclass(kw_only=True)
class Planted:
    """A classifier whose probability of the second label is a function of the text."""

    positive: Callable[[Text], float]
    """Text → probability of `labels[1]`."""
    labels: tuple[str, ...] = LABELS
    lower_cases: bool = False
    """True: the tokenizer sees no capitals, as with an uncased model."""
    asked: int = field(default=0, init=False)
    """Texts asked so far."""

    def score(self, texts: Sequence[Text]) -> Scores:
        """Answer each text by the planted function."""
        self.asked += len(texts)
        p = np.array([self.positive(self._seen(text)) for text in texts], dtype=np.float64).reshape(-1)
        rows = np.stack([1 - p, p], axis=1)
        safe = np.clip(rows, 1e-12, 1.0)
        return Scores(probabilities=rows, logits=np.log(safe), truncated=np.zeros(len(texts), dtype=np.bool_))

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        """Hash what the model sees."""
        return [content_hash(self._seen(text)).encode() for text in texts]

    def _seen(self, text: Text) -> Text:
        if not self.lower_cases:
            return text
        return text.lower() if isinstance(text, str) else (text[0].lower(), text[1].lower())


def coin(text: Text, seed: int = 0) -> float:
    """Return a number in [0, 1) that depends on the text alone."""
    digest = hashlib.blake2b(f"{seed}:{text!r}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def constant(p: float = 0.9) -> Planted:
    """Return a model that gives every text the same answer."""
    return Planted(positive=lambda text: p)


def hashed(seed: int = 0) -> Planted:
    """Return a model that guesses by the text: any change of the text is a new guess."""
    return Planted(positive=lambda text: coin(text, seed))


def knowing(data: Data, *, accuracy: float, confidence: float, seed: int = 0) -> Planted:
    """Return a model that is right with probability `accuracy` and always claims `confidence`.

    Texts that are not in `data.test` get the second label at even odds.
    """
    truth = {example.input: example.label for example in data.test}

    def positive(text: Text) -> float:
        label = truth.get(text)
        if label is None:
            return confidence if coin(text, seed) < 0.5 else 1 - confidence
        right = coin(text, seed) < accuracy
        return confidence if (label == LABELS[1]) == right else 1 - confidence

    return Planted(positive=positive)


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


def subject(model: Planted) -> Subject:
    """Return the subject that holds only this classifier."""
    return Subject(classifier=model, facts=Facts(kind="fine-tuned", source="planted"))


def findings(probe: Probe, model: Planted, data: Data, seed: int = 0) -> dict[tuple[str, str], Finding]:
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
    model = hashed()
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
    again = list(probe.run(subject(hashed()), data, Seeds(7)))
    assert again == first, f"{probe.id}: the same seed gives other results"
    turned = replace(data, test=data.test[::-1], train=data.train[::-1])
    other = {(f.metric, f.slice): f for f in _findings(probe.run(subject(hashed()), turned, Seeds(7)))}
    for finding in _findings(iter(first)):
        twin = other.get((finding.metric, finding.slice))
        assert twin is not None, f"{probe.id}: {finding.metric} depends on the order of the examples"
        for name in ("value", "low", "high", "n"):
            here, there = getattr(finding.estimate, name), getattr(twin.estimate, name)
            assert abs(here - there) < 1e-9, f"{probe.id}: {finding.metric}.{name} depends on the order"


def _findings(results: Iterator[Finding | Skip | Item]) -> list[Finding]:
    return [result for result in results if isinstance(result, Finding)]
