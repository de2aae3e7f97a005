"""How fast are attacks? TextAttack's own runner, the same with dynamic padding, ours, and bare passes.

    python tests/benchmarks/attacks.py [--victim NAME] [--recipe NAME] [--sentences N] [--stock N] [--dtype T]
        [--rounds N] [--lanes N]

SST-2 test sentences, `models/sst2-minilm` or SmolLM2 with four demonstrations, the same seed for each
sentence in every way. The stock runner pads every text to the tokenizer's maximum, so it attacks the first
`--stock` sentences only, and its seconds are scaled by queries; around SmolLM2 there is none. Bare passes are
the limit in float32: the texts that ours asked, each once, tokenised before, in length-sorted batches of
three sizes, past keys and values given. Ours and bare take turns. The median of the rounds counts, of bare
passes in the size whose median is least: the least of three in each round would be the luckiest of clocks.
`--dtype` is ours alone, and its bare passes stand below. Prints, judges nothing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audit.cli.memory import keep_freed
from audit.schema import Text
from probes.robustness import quietly, recipes
from probes.robustness.adversarial import Adversarial
from probes.robustness.lockstep import Ask, Broken, Floats, Search, drive

sys.path.insert(0, str(Path(__file__).parent))
from victims import VICTIMS, SmolLM2, Victim

BUDGET = 1_000_000
SIZES = (512, 1024, 2048)
"""Tokens of a batch of bare passes."""


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
    keep_freed()  # as the command line does
    options = read_options()
    folders = [str(options.shared / "data" / name) for name in ("nltk_small", "wordnet30")]
    rows = draw(options.shared / "data/sst2/test.tsv.gz", options.sentences)
    recipes.look_in(os.pathsep.join(folders))
    if why := recipes.missing(options.recipe):
        raise SystemExit(why)
    quietly.bring()
    victim = VICTIMS[options.victim](options.shared, options.dtype)
    asked: list[Text] = []
    others = [by_textattack("dynamic padding", victim, options.recipe, rows, stock=False)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    turns = [take_turns(options, rows, victim, asked) for _ in range(options.rounds)]
    ours = [mine for mine, _, _ in turns]
    bare = fastest([passes for _, passes, _ in turns])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    if options.stock and options.victim == "minilm":
        others += [by_textattack("stock runner", victim, options.recipe, rows[: options.stock], stock=True)]
    print_table(options, others, ours, bare, unique=len(set(asked)), grown=grown)
    if turns[0][2]:
        own = fastest([passes for _, _, passes in turns])
        rounds = [f"{a.seconds / b.seconds:.2f}" for a, b in zip(bare, own, strict=True)]
        print(
            f"{middle(own).name} in {options.dtype}: {middle(own).seconds:.1f} s, "
            f"{middle(bare).seconds / middle(own).seconds:.2f} times as fast, by round",
            *rounds,
        )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--victim", default="minilm", choices=list(VICTIMS))
    parser.add_argument("--recipe", default="deepwordbug", choices=["deepwordbug", "pruthi", "pwws"])
    parser.add_argument("--sentences", type=int, default=100)
    parser.add_argument("--stock", type=int, default=10, help="sentences for the stock runner, 0 for none")
    parser.add_argument("--dtype", default="float32", help="number format of ours")
    parser.add_argument("--rounds", type=int, default=1, help="turns of ours and the bare passes")
    parser.add_argument("--lanes", type=int, default=Adversarial().lanes, help="searches live at once")
    return parser.parse_args()


def draw(path: Path, count: int) -> list[tuple[str, int]]:
    """Return sentences and places of their labels."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row["content"], int(row["label"])) for row in random.Random(7).sample(rows, count)]


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def by_textattack(
    name: str, victim: Victim, recipe: str, rows: Sequence[tuple[str, int]], *, stock: bool
) -> Run:
    from textattack.models.wrappers import ModelWrapper

    calls = 0
    answer = victim.stock() if stock and not isinstance(victim, SmolLM2) else victim.plainly

    class Wrapped(ModelWrapper):  # type: ignore[misc]  # has no types
        model = None

        def __call__(self, texts: list[str]) -> Any:
            nonlocal calls
            calls += 1
            return answer(texts)

    with quietly.quiet():
        attack = recipes.RECIPES[recipe].build(Wrapped())

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


def take_turns(
    options: argparse.Namespace, rows: Sequence[tuple[str, int]], victim: Victim, asked: list[Text]
) -> tuple[Run, list[Run], list[Run]]:
    """Return ours, and the bare passes over what it asked in each size: in float32, and in ours' format."""
    asked.clear()
    victim.forget()
    mine = by_ours(options, rows, victim, asked)
    exact = [pass_bare(victim, asked, size) for size in SIZES]
    other = options.dtype != "float32" and options.victim == "minilm"
    return mine, exact, [pass_bare(victim, asked, size, own=True) for size in SIZES if other]


def fastest(rounds: Sequence[Sequence[Run]]) -> list[Run]:
    """The rounds of the size whose median is least."""
    by_size = [list(runs) for runs in zip(*rounds, strict=True)]
    return min(by_size, key=lambda runs: middle(runs).seconds)


def middle(runs: Sequence[Run]) -> Run:
    """The median by seconds."""
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]


def by_ours(
    options: argparse.Namespace, rows: Sequence[tuple[str, int]], victim: Victim, asked: list[Text]
) -> Run:
    recipe, free, calls = recipes.RECIPES[options.recipe], [], 0

    def score(texts: Sequence[Text]) -> Floats:
        nonlocal calls
        calls += 1
        asked.extend(texts)
        return victim.ours(texts)

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
            found_by = drive([search(i) for i in right], score, lanes=options.lanes)
        ends = dict(zip(right, found_by, strict=True))
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


def pass_bare(victim: Victim, asked: Sequence[Text], size: int, *, own: bool = False) -> Run:
    """Forward passes alone over the unique texts; everything else is made ready before the clock starts."""
    seconds, calls = victim.bare(asked, size, own=own)
    return Run(name=f"bare passes, {size} tokens", seconds=seconds, calls=calls, outcomes=[])


def print_table(
    options: argparse.Namespace,
    others: Sequence[Run],
    ours: Sequence[Run],
    passes: Sequence[Run],
    *,
    unique: int,
    grown: float,
) -> None:
    mine, bare = middle(ours), middle(passes)
    n = len(mine.outcomes)
    print(
        f"{options.victim}, {options.recipe}, {n} sentences, ours in {options.dtype}, "
        f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}; {mine.queries} queries, "
        f"{unique} unique texts; ours needed {grown:.0f} MB more than the runner before it"
    )
    print(f"{'':44}{'seconds':>10}{'calls':>8}{'of ours':>10}")
    for run in (*others, mine, bare):
        part = len(run.outcomes)
        scaled = run.seconds * (others[0].queries / run.queries if 0 < part < n else 1.0)
        name = f"{run.name} ({part} in {run.seconds:.1f} s, scaled by queries)" if 0 < part < n else run.name
        print(f"{name:44}{scaled:10.1f}{run.calls:8}{scaled / mine.seconds:10.2f}")
    rounds = [f"{b.seconds / a.seconds:.2f}" for a, b in zip(ours, passes, strict=True)]
    print(f"efficiency (bare / ours) {bare.seconds / mine.seconds:.2f}, by round", *rounds)
    for other in others:
        print_agreement(other, mine)


def print_agreement(other: Run, mine: Run) -> None:
    pairs = list(zip(other.outcomes, mine.outcomes, strict=False))
    texts = sum(a.text == b.text for a, b in pairs)
    queries = sum(a.queries == b.queries for a, b in pairs)
    answers = sum(a.label == b.label for a, b in pairs)
    print(f"agreement with {other.name}: {texts} texts, {queries} counts, {answers} answers of {len(pairs)}")
    for place, (a, b) in enumerate(pairs):
        if (a.text, a.queries) != (b.text, b.queries):
            print(f"  differs: {place}, queries {a.queries} and {b.queries}, gap {a.gap - b.gap:.1e}")


if __name__ == "__main__":
    main()
