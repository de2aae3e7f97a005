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
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from audit.schema import (
    Data,
    Example,
    Facts,
    Finding,
    Item,
    Probe,
    Prompt,
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


@dataclass(frozen=True, kw_only=True)
class PlantedPrompted:
    """A prompted classifier whose answers depend on its demonstrations as much as the fields say.

    With the probabilities of the first three fields it looks at the demonstrations (`noise`: at nothing) and
    else answers by the text alone. Every choice is a hash of text and prompt, so equal questions have equal
    answers.
    """

    prompt: Prompt
    truth: Mapping[Text, str] = field(default_factory=dict)
    """Text → its label; other texts get any label."""
    recency: float = 0.0
    """Probability of the last demonstration's label; below 0, of the first's. The truth of `recency`."""
    majority: float = 0.0
    """Probability of the label that most demonstrations have; where there is none, as without."""
    noise: float = 0.0
    """Probability of any label, drawn anew for each prompt."""
    prior: float = 0.0
    """Of answers by the text, the share that is the last label of all, whatever the text."""
    accuracy: float = 0.8
    """Of the other answers by the text, the share that is right."""
    recency_spread: float = 0.0
    """Recency differs between demonstration sets by a uniform within plus or minus this."""
    majority_spread: float = 0.0
    """And so does majority."""
    labels: tuple[str, ...] = LABELS
    seed: int = 0
    counts: list[int] = field(default_factory=list, compare=False)
    """Texts of each call so far; shared by all siblings."""

    @property
    def asked(self) -> int:
        """Texts asked so far, of all siblings."""
        return sum(self.counts)

    def with_prompt(self, prompt: Prompt) -> PlantedPrompted:
        """Return a sibling over the same flaws."""
        return replace(self, prompt=prompt)

    def score(self, texts: Sequence[Text]) -> Scores:
        """Answer each text with a confidence of 0.9."""
        self.counts.append(len(texts))
        shown = [str(one.label) for one in self.prompt.demonstrations]
        contents = [content_hash(one.input) for one in self.prompt.demonstrations]
        shift = 2 * coin("/".join(sorted(contents)), self.seed) - 1  # in [-1, 1), of the set
        salt = "/".join(contents)
        places = [self._answer(text, shown, shift, salt) for text in texts]
        rows = np.full((len(texts), len(self.labels)), 0.1 / (len(self.labels) - 1))
        rows[np.arange(len(texts)), np.array(places, dtype=np.intp)] = 0.9
        return Scores(probabilities=rows, logits=np.log(rows), truncated=np.zeros(len(texts), dtype=np.bool_))

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        """Hash the texts."""
        return [content_hash(text).encode() for text in texts]

    def _answer(self, text: Text, shown: list[str], shift: float, salt: str) -> int:
        draw, k = coin((salt, repr(text)), self.seed), len(self.labels)
        recency = self.recency + self.recency_spread * shift
        majority = self.majority + self.majority_spread * shift
        if shown and draw < abs(recency):
            return self.labels.index(shown[-1] if recency > 0 else shown[0])
        common = Counter(shown).most_common(2)
        if draw < abs(recency) + majority and common and common[0][1] > sum(n for _, n in common[1:]):
            return self.labels.index(common[0][0])
        if draw > 1 - self.noise:
            return int(k * coin((salt, repr(text)), self.seed + 1))
        if coin(text, self.seed + 2) < self.prior:
            return k - 1
        any_label = int(k * coin(text, self.seed + 3))
        label = self.truth.get(text)
        if label is None:
            return any_label
        right = self.labels.index(label)
        if coin(text, self.seed + 4) < self.accuracy:
            return right
        return (right + 1 + int((k - 1) * coin(text, self.seed + 5))) % k


def prompted(data: Data, shots: int = 4) -> PlantedPrompted:
    """Return a prompted model without a flaw that knows the labels of the test set.

    Its own demonstrations are the first `shots` training examples. Flaws come by `dataclasses.replace`.
    """
    prompt = Prompt(
        template="Review: {text}\nSentiment:",
        verbalizers={label: (f" {label}",) for label in data.labels},
        demonstrations=data.train[:shots],
    )
    truth = {one.input: one.label for one in data.test if one.label is not None}
    return PlantedPrompted(prompt=prompt, truth=truth, labels=data.labels)


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


def subject(model: Planted | PlantedPrompted) -> Subject:
    """Return the subject that holds only this classifier."""
    if isinstance(model, PlantedPrompted):
        facts = Facts(kind="in-context", source="planted")
        return Subject(classifier=model, prompted=model, facts=facts)
    return Subject(classifier=model, facts=Facts(kind="fine-tuned", source="planted"))


def findings(
    probe: Probe, model: Planted | PlantedPrompted, data: Data, seed: int = 0
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
