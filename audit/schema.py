"""The nouns: frozen values that are handed from room to room.

Only reading a config or a record meets untrusted input; inside, the types are trusted.
All shares, gaps and rates are in [0, 1] unless `unit` says otherwise; percent exists only on the page.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from typing_extensions import TypeAliasType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audit.seeds import Seeds

SCHEMA = 1
"""Number of the record's form; raised when an old reader would misread a new record."""

Text = str | tuple[str, str]
"""What a classifier is asked: one text, or a pair of texts."""

Status = Literal["PASS", "FAIL", "UNSURE", "NOT MEASURED", "NOT APPLICABLE"]
ItemStatus = Literal["PASS", "FAIL", "UNSURE", "MEASURED", "DECLARED", "NOT MEASURED", "NOT APPLICABLE"]
Better = Literal["lower", "higher", "zero", "neither"]
"""Which way is good; `zero`: signed, nearer to zero is better; `neither`: shown for the reader only."""

CorrectionKind = Literal["contextual", "domain-context", "batch", "pmi", "prototypical", "temperature"]
"""How probabilities are mended; `audit.correction` says what each does."""

Json = TypeAliasType("Json", "str | int | float | bool | list[Json] | dict[str, Json] | None")
"""What JSON can say; named, so that pydantic can follow the recursion."""


def content_hash(text: Text) -> str:
    """Return 16 hexadecimal digits that identify a text or a pair by content."""
    parts = (text,) if isinstance(text, str) else text
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


# --- data ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One labelled text or pair. Ids are unique and stable within a source."""

    id: str
    text: str
    pair: str | None = None
    label: str | None = None
    """Name of the class, one of `Data.labels`; None where the source has no labels."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Group column → group, only the columns that have a value for this example."""
    meta: Mapping[str, Json] = field(default_factory=dict)
    """Everything else the source said: choices, spans, rater agreement."""

    @property
    def input(self) -> Text:
        """What the classifier is asked."""
        return self.text if self.pair is None else (self.text, self.pair)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where examples came from and what became of them."""

    name: str
    """`test`, `train`, `shifts.amazon`, `sets.crows_pairs`."""
    path: str
    """As the config names it, never an absolute path of the machine."""
    sha256: str
    """Of the content that was read (all rows, before sampling)."""
    rows: int
    """Rows in the source."""
    used: int
    """Examples kept after dropping and sampling."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Label → examples used."""
    notes: tuple[str, ...] = ()
    """What a reader must know: sampled, bytes decoded with replacement, empty texts kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """All examples of a run; immutable. Probes read no files."""

    labels: tuple[str, ...]
    test: tuple[Example, ...]
    train: tuple[Example, ...] = ()
    shifts: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)
    sets: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()


# --- measurements -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number that can be believed: value, interval, n. Cannot be built without them.

    Raises:
        ValueError: unless low ≤ value ≤ high, all finite, n ≥ 1 and 0 < level < 1.
    """

    value: float
    low: float
    high: float
    n: int
    """Independent units behind the number (examples, pairs, clusters as `method` says)."""
    level: float = 0.95
    method: str

    def __post_init__(self) -> None:
        if not all(math.isfinite(x) for x in (self.value, self.low, self.high)):
            raise ValueError(f"an estimate must be finite, got {self.low}, {self.value}, {self.high}")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"an interval must hold its value, got {self.low}, {self.value}, {self.high}")
        if self.n < 1:
            raise ValueError(f"an estimate needs n of at least 1, got {self.n}")
        if not 0 < self.level < 1:
            raise ValueError(f"a level lies between 0 and 1, got {self.level}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One example that a reader can check by eye."""

    example: str
    """Id of the example."""
    text: str
    """The text (a pair is shown as both, parted by a line)."""
    changed: str | None = None
    """The text after the probe's change, where there is one."""
    label: str | None = None
    before: str | None = None
    """What the model said of `text`."""
    after: str | None = None
    """What the model said of `changed`."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One mark of a picture."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    n: int = 0
    """Examples behind the mark."""
    label: str = ""
    """What stands at x where x is a category (then x is its place, 0, 1, 2 …)."""
    group: str = ""
    """Which line, or which part of the picture, the mark belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Everything a picture needs, as plain numbers; reports draw kinds, not probes.

    Kinds: `reliability` (x confidence, y accuracy; groups `bins` and `smooth`), `curve` (lines over a
    number), `dots` (categories with intervals), `bars` (categories), `matrix` (x, y places, n counts).
    """

    kind: Literal["reliability", "curve", "dots", "bars", "matrix"]
    title: str
    x: str
    """Name of the x axis, with its unit."""
    y: str
    points: tuple[Point, ...]
    reading: str = ""
    """How to read the picture, one or two sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A fitted mitigation of a model's bias; `audit.correction` fits, applies, writes and reads it."""

    kind: CorrectionKind
    parameters: Mapping[str, Json]
    """What the kind needs, classes in the order of `labels`."""
    labels: tuple[str, ...]
    fitted_on: str
    """For the reader: `20 content-free inputs`."""
    prompt: str
    """`Facts.prompt` of what it was fitted for, and of nothing else."""
    weights: str
    """`Facts.weights` of what it was fitted for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One number with its direction, a few cases, and the points of its picture."""

    probe: str
    metric: str
    slice: str = "all"
    estimate: Estimate
    unit: str
    """`share`, `points of share` (a difference of shares), `nats`, `temperature`, `seconds`, …"""
    better: Better
    p: float | None = None
    """Of the null hypothesis that the probe's docstring names, in (0, 1]."""
    family: str | None = None
    """Findings corrected together for multiplicity."""
    note: str = ""
    """One sentence a reader needs beside the number, for instance a baseline."""
    cases: tuple[Case, ...] = ()
    series: Series | None = None
    correction: Correction | None = None
    """What `audit mitigate` can write out."""
    kind: Literal["finding"] = "finding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Not measured, and why; the whole probe, or one metric of it."""

    probe: str
    reason: str
    """What is missing and what to do about it."""
    metric: str | None = None
    slice: str | None = None
    """Of the metric; None for all of them."""
    applicable: bool = True
    """False where this kind of model cannot have what is needed, or where a slice has nothing to test."""
    kind: Literal["skip"] = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """A probe or the model broke; never a number, never a pass."""

    probe: str
    error: str
    """One line."""
    traceback: str
    kind: Literal["crash"] = "crash"


Outcome = Finding | Skip | Crash


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One answer of the model, a line of items.jsonl, from which runs are compared without the model."""

    example: str
    content: str
    """`content_hash` of what the model was asked."""
    probe: str
    variant: str
    """What was done to the example, `original` for nothing."""
    label: str | None
    predicted: str
    probabilities: tuple[float, ...]
    """In the order of the labels; sums to one."""
    outcome: str
    """`right`, `wrong`, `flipped`, `kept`, …, a word of the probe's."""


# --- judgement ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is tolerated. Exactly one of `max` and `min` is given."""

    probe: str
    metric: str
    slice: str = "all"
    """A slice by name, or `worst`: every slice of the metric must hold, the worst decides."""
    max: float | None = None
    min: float | None = None
    why: str = ""
    required: bool = False
    """True: NOT APPLICABLE counts as NOT MEASURED."""
    min_n: int = 1
    """Below this n the rule is UNSURE whatever the interval says."""

    @property
    def id(self) -> str:
        """`probe/metric`, with `@slice` where it is not `all`."""
        return f"{self.probe}/{self.metric}" + ("" if self.slice == "all" else f"@{self.slice}")

    @property
    def full_id(self) -> str:
        """`id` with the side of the limit, `:max` or `:min`: no two rules of a policy share it."""
        return f"{self.id}:{'max' if self.max is not None else 'min'}"

    @property
    def limit(self) -> str:
        """`at most 0.02` or `at least 0.9`."""
        return f"at most {self.max:g}" if self.max is not None else f"at least {self.min:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A rule that somebody answers for until a day."""

    rule: str
    owner: str
    reason: str
    expires: str
    """ISO date; the waiver holds through that day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One for every rule, in the order of the rules."""

    rule: Rule
    status: Status
    reason: str
    estimate: Estimate | None = None
    """The number that decided, None where nothing was measured."""
    slice: str | None = None
    """The slice that decided, where the rule asks for the worst."""
    needed_n: int | None = None
    """For UNSURE: the n at which the same value would decide; None where no n would."""
    decidable: float | None = None
    """Smallest distance from the limit that this n decides four times in five."""
    waiver: Waiver | None = None
    """The waiver in force, if any; an expired one is named in `reason`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistItem:
    """One clause of the safety and trust checklist."""

    id: str
    clause: str
    question: str
    status: ItemStatus
    evidence: tuple[str, ...] = ()
    """Sentences with value, interval and n; each starts with the id of its finding."""
    action: str = ""


# --- the record ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What can be said of a model without asking it."""

    kind: Literal["fine-tuned", "in-context"]
    source: str
    """As the config names it."""
    revision: str | None = None
    weights: str = ""
    """Hash of the weights."""
    tokenizer: str = ""
    """Hash of the tokenizer."""
    dtype: str = ""
    device: str = ""
    parameters: int | None = None
    """Counted by storage, tied weights once."""
    max_length: int | None = None
    """Tokens that one question may have."""
    prompt: str = ""
    """Hash of the prompt (template, verbalizers, demonstrations) and of the correction in force; empty for a
    fine-tuned model."""
    correction: str = ""
    """Kind of the correction in force, empty for none."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the answers cost."""

    asked: int = 0
    """Texts that probes asked for."""
    repeated: int = 0
    """Of these, saved because the same text was asked before in this run or call."""
    cached: int = 0
    """Of these, saved because an earlier run had answered."""
    scored: int = 0
    """Texts that went through the model."""
    tokens: int = 0
    """Tokens that went through the model, padding not counted."""
    tokens_saved: int = 0
    """Tokens that a shared prefix saved."""
    truncated: int = 0
    """Distinct texts that were cut to the model's length."""
    seconds: float = 0.0
    """Inside the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What differs between two equal runs."""

    started: str
    """ISO 8601, UTC."""
    seconds: float
    probes: Mapping[str, float]
    """Probe → seconds."""
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that a run learned."""

    schema: int = SCHEMA
    name: str
    config: str
    """Text of the config, as read."""
    profile: str
    seed: int
    model: Facts
    labels: tuple[str, ...]
    data: tuple[Source, ...]
    versions: Mapping[str, str]
    probes: Mapping[str, Mapping[str, Json]]
    """Probe → the parameters it ran with."""
    about: Mapping[str, str]
    """Probe → its docstring, printed beside its numbers."""
    outcomes: tuple[Outcome, ...]
    rules: str
    """Name of the policy."""
    verdicts: tuple[Verdict, ...]
    checklist: tuple[ChecklistItem, ...]
    declared: Mapping[str, Json] = field(default_factory=dict)
    items: str = ""
    """SHA-256 of items.jsonl, the answers beside the record."""
    times: Times


# --- the verbs ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Answers of a classifier to n texts over k labels, in the order of the texts."""

    probabilities: NDArray[np.float64]
    """(n, k); rows sum to one."""
    logits: NDArray[np.float64] | None = None
    """(n, k), before the softmax, or log-probabilities where a model has no logits."""
    mass: NDArray[np.float64] | None = None
    """(n,) probability on all verbalizers together, before normalising; None for a fine-tuned model."""
    truncated: NDArray[np.bool_]
    """(n,) True where the text was cut to the model's length."""

    @property
    def predicted(self) -> NDArray[np.intp]:
        """(n,) place of the largest probability; the first of equals."""
        best: NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return best

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(n,) the largest probability."""
        best: NDArray[np.float64] = self.probabilities.max(axis=1)
        return best


@runtime_checkable
class Classifier(Protocol):
    """Texts to class probabilities."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of `Scores`."""

    def score(self, texts: Sequence[Text]) -> Scores:
        """Answer each text; equal texts get equal answers. No texts, (0, k) arrays."""

    def fingerprint(self, texts: Sequence[Text]) -> list[bytes]:
        """Return a hash of the token ids of each text: did the change reach the model?"""


class LanguageModel(Protocol):
    """A causal language model."""

    @property
    def chat_frame(self) -> str | None:
        """The model's chat template around one user message: text with one `{text}` where the words go.

        It ends where the answer begins, and is a prompt like any other for `generate`. None where there is no
        chat template, or one that does not keep the words as they are.
        """

    def log_probs(self, pairs: Sequence[tuple[str, str]]) -> list[NDArray[np.float64]]:
        """Return the log-probability of each continuation token of each (context, continuation), in nats."""

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        samples: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[list[str]]:
        """Return `samples` continuations of each prompt; temperature 0 is greedy.

        Args:
            top_p: tokens are drawn from the fewest whose probabilities add up to this share.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """How a language model is asked to classify."""

    template: str
    """With `{text}`, and `{pair}` for pair tasks; ends where the label begins."""
    verbalizers: Mapping[str, tuple[str, ...]]
    """Label → surface forms, in the order of the labels; the first form is shown in demonstrations."""
    demonstrations: tuple[Example, ...] = ()
    """In their order."""
    instruction: str = ""
    separator: str = "\n\n"
    chat: bool = False
    """True: the prompt goes through the model's chat template."""
    alternatives: tuple[str, ...] = ()
    """Other templates of the user's, which nobody asks unless a probe puts one in the place of `template`."""


class PromptedClassifier(Classifier, Protocol):
    """A classifier made of a language model and a prompt."""

    @property
    def prompt(self) -> Prompt:
        """The prompt in use."""

    def with_prompt(self, prompt: Prompt) -> PromptedClassifier:
        """Return a sibling over the same weights, without the correction in force, which is this prompt's.

        So `with_prompt(self.prompt)` gives the raw answers.
        """

    def score_prompts(self, prompts: Sequence[Prompt], texts: Sequence[Text]) -> list[Scores]:
        """Answer each text under each prompt, raw; what prompts begin with in common is computed once.

        Equal to `with_prompt(prompt).score(texts)` for each prompt, but for rounding.
        """


class Encoder(Protocol):
    """Texts to vectors of length one; the product of two says how alike they are in meaning, -1 to 1."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return (n, d) vectors, in the order of the texts; equal texts get equal vectors."""


class MaskedLM(Protocol):
    """A masked language model of transformers."""

    def load(self) -> tuple[object, object]:
        """Return the model, in evaluation mode, and its tokenizer; the same ones at every call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Words that may stand for a word."""

    words: Mapping[str, Sequence[str]]
    """Word in lower case → its neighbours, the nearest first."""
    source: str
    """For the reader: as the config names it, with the start of its hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much there is of a model; None for what this kind of model does not tell."""

    parameters: int | None = None
    """Counted by storage, tied weights once."""
    trainable: int | None = None
    """What tuning may have changed: an adapter's own where there is one; 0 for a model used in context."""
    multiplied: int | None = None
    """Of these, what each token is multiplied with: all but tables that are only looked up."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """Number format → bytes of parameters and buffers in memory."""
    adapter: int | None = None
    """Parameters of the adapter."""
    files: int | None = None
    """Bytes on disk of all that the model needs: weights, config, tokenizer, the adapter."""
    adapter_files: int | None = None
    """Bytes on disk of the adapter alone."""
    layers: int | None = None
    width: int | None = None
    attention: tuple[tuple[int, int], ...] = ()
    """(in, out) of each query and value projection, in the order of the layers; a fused one counts once."""
    peak: int | None = None
    """Most bytes in use so far: of the GPU by torch, without a GPU of the whole process."""


class Stopwatch(Protocol):
    """Puts one request after the other to the model and times each, as a server without caches answers.

    Nothing of an earlier request is used, and the score cache is neither read nor written. The clock runs
    from the text to the probabilities, tokenising included, until the device has finished.
    """

    @property
    def machine(self) -> str:
        """What the times were taken on: device, threads, number format."""

    @property
    def keeps_prompt(self) -> bool:
        """Whether a prompt stands before each text that a server could keep (`answer_kept`)."""

    @property
    def writes(self) -> bool:
        """Whether `write` can be asked."""

    def tokens(self, text: Text) -> int | None:
        """Tokens that a request with this text reads, the prompt included; None where there are no tokens."""

    def answer(self, text: Text) -> float:
        """Seconds of one request."""

    def answer_kept(self, text: Text) -> float:
        """Seconds of one request whose prompt was read before and is kept."""

    def answer_together(self, texts: Sequence[Text]) -> float:
        """Seconds of these requests in one call."""

    def write(self, prompt: str, *, read: int, written: int) -> tuple[float, ...]:
        """Seconds to the first token, then from each token to the next, `written` numbers.

        The prompt is repeated or cut to `read` tokens; an end token does not end the writing.
        """

    def sizes(self) -> Sizes:
        """Say how much there is of the model; loads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a probe is given: the facets of the model, None where absent."""

    classifier: Classifier | None
    language: LanguageModel | None = None
    prompted: PromptedClassifier | None = None
    helpers: Mapping[str, Classifier] = field(default_factory=dict)
    """Classifiers that `helpers` names, over labels of their own: `toxicity`, `nli`."""
    encoder: Encoder | None = None
    """The sentence encoder of `helpers.encoder`."""
    masked_lm: MaskedLM | None = None
    """Of `helpers.masked_lm`."""
    neighbours: Neighbours | None = None
    """Of `helpers.neighbours`."""
    stopwatch: Stopwatch | None = None
    """Asks past the caches, for times and sizes."""
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a probe will ask for, for the plan and the progress bar."""

    texts: int = 0
    loose: bool = False
    """True where so many are hardly ever asked, as of searches that end early."""
    generated: int = 0
    """Tokens to generate."""


@runtime_checkable
class Probe(Protocol):
    """A question put to a model; a frozen dataclass whose fields are its parameters.

    `needs` holds words: `label`, `train`, `shift`, `in-context`, `generate`, `set:NAME`, `group:NAME`,
    `helper:NAME`. What is missing makes a Skip before `run` is called.
    """

    id: ClassVar[str]
    needs: ClassVar[frozenset[str]]

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Say what `run` will ask for; an upper bound, cheap to compute."""

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask, compare, report; no threshold, no print, no file, no clock."""
