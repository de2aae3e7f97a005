"""Models with a flaw of known size, for tests of probes; nothing here stands in for a real model.

The truth is known, so a probe must find the flaw inside its interval, and nothing on a model without it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np

from audit.schema import Data, Prompt, Scores, Text, content_hash

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


def coin(text: object, seed: int = 0) -> float:
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

    def score_prompts(self, prompts: Sequence[Prompt], texts: Sequence[Text]) -> list[Scores]:
        """Answer under each prompt in turn."""
        return [self.with_prompt(prompt).score(texts) for prompt in prompts]

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


@dataclass(frozen=True, kw_only=True)
class Leaning:
    """A prompted classifier that adds up log-odds: what the text says, and what the prompt adds to it.

    All fields but the first three are log-odds. Equal questions have equal answers.
    """

    prompt: Prompt
    truth: Mapping[Text, str] = field(default_factory=dict)
    """Text → its label. A text that is not here says nothing, but for `blank`."""
    labels: tuple[str, ...] = LABELS
    evidence: float = 2.0
    """What a text says for its label, on average."""
    spread: float = 1.0
    """Standard deviation between texts of what they say for each label."""
    words: Mapping[str, float] = field(default_factory=dict)
    """Verbalizer (the first form of a label) → what it has whatever the text: its prior."""
    places: tuple[float, ...] = ()
    """What the demonstration at each place adds to its label: the last one first, further ones nothing."""
    majority: float = 0.0
    """What the share of a label among the demonstrations adds to it."""
    noise: float = 0.0
    """Standard deviation of what is drawn anew for each prompt, text and label."""
    blank: Mapping[str, float] = field(default_factory=dict)
    """Label → what a text that is not in `truth` says for it: inputs that are not free of content."""
    heat: float = 1.0
    """All of it is multiplied by this: above 1 overconfident, the answers stay."""
    seed: int = 0
    counts: list[int] = field(default_factory=list, compare=False)
    """Texts of each call so far; shared by all siblings."""

    @property
    def asked(self) -> int:
        """Texts asked so far, of all siblings."""
        return sum(self.counts)

    def with_prompt(self, prompt: Prompt) -> Leaning:
        """Return a sibling over the same flaws."""
        return replace(self, prompt=prompt)

    def score_prompts(self, prompts: Sequence[Prompt], texts: Sequence[Text]) -> list[Scores]:
        """Answer under each prompt in turn."""
        return [self.with_prompt(prompt).score(texts) for prompt in prompts]

    def score(self, texts: Sequence[Text]) -> Scores:
        """Answer each text."""
        self.counts.append(len(texts))
        pull, salt = self._pull(), self._salt()
        odds = np.array([self._says(text, salt) for text in texts]).reshape(-1, len(self.labels))
        odds = self.heat * (odds + pull)
        logs = odds - np.logaddexp.reduce(odds, axis=1, keepdims=True)
        return Scores(probabilities=np.exp(logs), logits=logs, truncated=np.zeros(len(texts), dtype=np.bool_))

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        """Hash the texts."""
        return [content_hash(text).encode() for text in texts]

    def _pull(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return (k,) what the prompt adds to each label."""
        shown = [str(one.label) for one in self.prompt.demonstrations]
        pull = np.array([self.words.get(self.prompt.verbalizers[label][0], 0.0) for label in self.labels])
        for label, weight in zip(reversed(shown), self.places, strict=False):
            pull[self.labels.index(label)] += weight
        for label in shown:
            pull[self.labels.index(label)] += self.majority / len(shown)
        return pull

    def _salt(self) -> str:
        shown = "/".join(content_hash(one.input) for one in self.prompt.demonstrations)
        return f"{shown}{self.prompt.template}{self.prompt.verbalizers}"

    def _says(self, text: Text, salt: str) -> list[float]:
        label = self.truth.get(text)
        said = []
        for place, name in enumerate(self.labels):
            here = self.evidence * (label == name)
            if label is None:
                here = self.blank.get(name, 0.0)
            else:
                here += self.spread * _normal((repr(text), place), self.seed)
            said.append(here + self.noise * _normal((salt, repr(text), place), self.seed + 1))
        return said


def leaning(data: Data, shots: int = 4) -> Leaning:
    """Return a `Leaning` without a flaw that knows the labels of the test set; flaws come by `replace`.

    Its own demonstrations are the first `shots` training examples.
    """
    plain = prompted(data, shots)
    return Leaning(prompt=plain.prompt, truth=plain.truth, labels=data.labels)


def _normal(of: object, seed: int) -> float:
    return NormalDist().inv_cdf(min(max(coin(of, seed), 1e-9), 1 - 1e-9))
