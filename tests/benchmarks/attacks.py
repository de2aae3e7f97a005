"""How fast are attacks? TextAttack's own runner, the same with dynamic padding, ours, and bare passes.

    python tests/benchmarks/attacks.py [--shared DIR] [--recipe NAME] [--sentences N] [--stock N]

SST-2 test sentences, `models/sst2-minilm` in float32, the same seed for each sentence in every way. The stock
runner pads every text to the tokenizer's maximum, so it attacks the first `--stock` sentences only, and its
seconds are scaled by queries. Bare passes are the limit: the texts that ours asked, each once, tokenised
before, in length-sorted batches (the best of three sizes). Prints, and judges nothing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.load import open_subject
from audit.models.spec import ModelSpec
from audit.schema import Classifier, Text
from probes.robustness import quietly, recipes
from probes.robustness.lockstep import Ask, Broken, Floats, Search, drive

LABELS = ("negative", "positive")
BUDGET = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an attack on one sentence came to."""

    text: str
    queries: int
    label: int
    """The last answer."""
    gap: float
    """Probability of the second label minus one half."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One way of attacking."""

    name: str
    seconds: float
    calls: int
    outcomes: list[Outcome]

    @property
    def queries(self) -> int:
        """As TextAttack counts."""
        return sum(one.queries for one in self.outcomes)


def main() -> None:
    options = read_options()
    folders = [str(options.shared / "data" / name) for name in ("nltk_small", "wordnet30")]
    rows = draw(options.shared / "data/sst2/test.tsv.gz", options.sentences)
    recipes.look_in(os.pathsep.join(folders))
    if why := recipes.missing(options.recipe):
        raise SystemExit(why)
    quietly.bring()
    model = open_model(options.shared)
    asked: list[Text] = []
    padded = by_textattack("dynamic padding", options, rows, padding=True)
    mine = by_ours(options, rows, model, asked)
    stock = by_textattack("stock runner", options, rows[: options.stock], padding=False)
    bare = pass_bare(options.shared, asked)
    print_table(options, stock, padded, mine, bare, unique=len(set(asked)))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--recipe", default="deepwordbug", choices=["deepwordbug", "pruthi", "pwws"])
    parser.add_argument("--sentences", type=int, default=100)
    parser.add_argument("--stock", type=int, default=10, help="sentences for the stock runner")
    return parser.parse_args()


def draw(path: Path, count: int) -> list[tuple[str, int]]:
    """Return sentences and places of their labels."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row["content"], int(row["label"])) for row in random.Random(7).sample(rows, count)]


def open_model(shared: Path) -> Classifier:
    opened = open_subject(
        ModelSpec(kind="fine-tuned", source="models/sst2-minilm"),
        labels=LABELS,
        pair=False,
        prompt=None,
        base=shared,
        cache=Cache(None),
        ledger=Ledger(),
    )
    assert opened.classifier is not None
    opened.classifier.score(["warm"])
    return opened.classifier


def load_plain(shared: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    place = shared / "models/sst2-minilm"
    model = AutoModelForSequenceClassification.from_pretrained(place, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(place)


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def by_textattack(
    name: str, options: argparse.Namespace, rows: Sequence[tuple[str, int]], *, padding: bool
) -> Run:
    from textattack.models.wrappers import HuggingFaceModelWrapper

    model, tokenizer = load_plain(options.shared)
    calls = 0

    class Stock(HuggingFaceModelWrapper):  # type: ignore[misc]  # has no types
        def __call__(self, texts: list[str]) -> Any:
            nonlocal calls
            calls += 1
            if not padding:
                return super().__call__(texts)
            given = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
            with torch.no_grad():
                return model(**given).logits

    with quietly.quiet():
        attack = recipes.RECIPES[options.recipe].build(Stock(model, tokenizer))

    def attack_all() -> list[Outcome]:
        found = []
        for place, (text, label) in enumerate(rows):
            random.seed(place)
            np.random.seed(place)  # noqa: NPY002 - TextAttack draws from the global generator
            last = attack.attack(text, label).perturbed_result
            p = [float(value) for value in last.raw_output]
            text = last.attacked_text.tokenizer_input
            queries = attack.goal_function.num_queries
            found.append(Outcome(text=text, queries=queries, label=int(np.argmax(p)), gap=p[1] - 0.5))
        return found

    seconds, outcomes = seconds_of(attack_all)
    return Run(name=name, seconds=seconds, calls=calls, outcomes=outcomes)


def by_ours(
    options: argparse.Namespace, rows: Sequence[tuple[str, int]], model: Classifier, asked: list[Text]
) -> Run:
    recipe, free, calls = recipes.RECIPES[options.recipe], [], 0

    def score(texts: Sequence[Text]) -> Floats:
        nonlocal calls
        calls += 1
        asked.extend(texts)
        return model.score(texts).probabilities

    def search(place: int) -> Search[recipes.Attempt]:
        def run(ask: Ask) -> recipes.Attempt:
            attacker = free.pop() if free else recipes.Attacker(recipe, BUDGET)
            try:
                return attacker.run(*rows[place], 0, ask)
            finally:
                free.append(attacker)

        return Search(run=run, seed=place)

    def attack_all() -> list[Outcome]:
        first = score([text for text, _ in rows])
        right = [i for i, (_, label) in enumerate(rows) if int(first[i].argmax()) == label]
        with quietly.remembering():
            ends = dict(zip(right, drive([search(i) for i in right], score, lanes=64), strict=True))
        found = []
        for i, (text, _) in enumerate(rows):
            one = ends.get(i)
            assert not isinstance(one, Broken), one
            p = first[i] if one is None else one.probabilities
            last, queries = (text, 1) if one is None else (str(one.text), one.queries)
            found.append(Outcome(text=last, queries=queries, label=int(np.argmax(p)), gap=float(p[1]) - 0.5))
        return found

    seconds, outcomes = seconds_of(attack_all)
    return Run(name="ours", seconds=seconds, calls=calls, outcomes=outcomes)


def pass_bare(shared: Path, asked: Sequence[Text]) -> Run:
    """Forward passes alone over the unique texts; everything else is made ready before the clock starts."""
    model, tokenizer = load_plain(shared)
    ids = sorted(tokenizer(sorted({str(text) for text in asked}), truncation=True)["input_ids"], key=len)
    best = Run(name="bare passes", seconds=float("inf"), calls=0, outcomes=[])
    for size in (512, 1024, 2048):
        batches: list[list[list[int]]] = [[]]
        for one in ids:
            if (len(batches[-1]) + 1) * len(one) > size:
                batches.append([])
            batches[-1].append(one)
        tensors = [tokenizer.pad({"input_ids": batch}, return_tensors="pt") for batch in batches if batch]

        def ask(tensors: list[Any] = tensors) -> None:
            with torch.inference_mode():
                for given in tensors:
                    model(**given)

        seconds, _ = seconds_of(ask)
        if seconds < best.seconds:
            best = Run(name=best.name, seconds=seconds, calls=len(tensors), outcomes=[])
    return best


def print_table(
    options: argparse.Namespace, stock: Run, padded: Run, mine: Run, bare: Run, unique: int
) -> None:
    n = len(mine.outcomes)
    scaled = stock.seconds * padded.queries / max(1, stock.queries)
    print(
        f"{options.recipe}, {n} sentences, float32, {torch.get_num_threads()} threads, "
        f"load {os.getloadavg()[0]:.1f}; {mine.queries} queries, {unique} unique texts"
    )
    print(f"{'':44}{'seconds':>10}{'calls':>8}{'of ours':>10}")
    head = f"stock runner ({len(stock.outcomes)} in {stock.seconds:.1f} s, scaled by queries)"
    print(f"{head:44}{scaled:10.1f}{'':8}{scaled / mine.seconds:10.2f}")
    for run in (padded, mine, bare):
        print(f"{run.name:44}{run.seconds:10.1f}{run.calls:8}{run.seconds / mine.seconds:10.2f}")
    print(f"efficiency (bare / ours): {bare.seconds / mine.seconds:.2f}")
    for other in (stock, padded):
        pairs = list(zip(other.outcomes, mine.outcomes, strict=False))
        texts = sum(a.text == b.text for a, b in pairs)
        queries = sum(a.queries == b.queries for a, b in pairs)
        answers = sum(a.label == b.label for a, b in pairs)
        print(
            f"agreement with {other.name}: {texts} texts, {queries} counts, {answers} answers of {len(pairs)}"
        )
        for place, (a, b) in enumerate(pairs):
            if (a.text, a.queries) != (b.text, b.queries):
                print(f"  differs: {place}, queries {a.queries} and {b.queries}, gap {a.gap - b.gap:.1e}")


if __name__ == "__main__":
    main()
