"""How fast are in-context answers? Ours, one by one, bare forward passes, and lm-evaluation-harness.

    python tests/benchmarks/scoring.py [--shared DIR] [--model NAME] [--shots N] [--items N] [--lm-eval DIR]

SST-2, balanced demonstrations from its training set, float32, the same items and token ids for all, the
model loaded once. Bare passes are the limit: the same unique tokens in length-sorted batches (the best of
three batch sizes), keys and values of the prefix given and not counted, no tokenisation, no answers read.
Ours is the whole `score` call without a cache: tokenisation, the prefix, scoring, keeping. Ours and bare
take turns; the median of three counts. Prints, and judges nothing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from audit.cli.memory import keep_freed
from audit.models.cache import Cache
from audit.models.causal import Causal, load_causal
from audit.models.demonstrations import draw_demonstrations, make_prompt
from audit.models.ledger import Ledger
from audit.models.parts import find_causal
from audit.models.pieces import fill, lay_out
from audit.models.prompted import Prompted, Shared
from audit.models.spec import DemonstrationSpec, ModelSpec, PromptSpec
from audit.schema import Example, Prompt
from audit.seeds import Seeds

LABELS = ("negative", "positive")
FORMS = (" Negative", " Positive")
INSTALL = "pip install --no-deps --target DIR lm-eval, then --lm-eval DIR"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One way of asking."""

    name: str
    seconds: float
    cpu: float
    tokens: int
    answers: np.ndarray | None
    """(n, 2) log-probabilities of the labels."""
    peak: float
    """Megabytes of the process."""


def main() -> None:
    keep_freed()  # as the command line does
    options = read_options()
    torch.set_num_threads(options.threads)
    spec = ModelSpec(kind="in-context", source=options.model, device="cpu")
    cache = Cache(None)
    causal = load_causal(find_causal(spec, base=Path.cwd(), cache=cache), spec)
    prompt, texts = draw(options.shared / "data" / "sst2", options.shots, options.items)
    ours, bare = [], []
    for _ in range(3):
        ours.append(timed("ours", lambda: run_ours(causal, prompt, texts)))
        bare.append(min((run_bare(causal, prompt, texts, size) for size in (256, 512, 1024)), key=seconds))
    runs = [median(ours), median(bare), timed("one by one", lambda: run_plain(causal, prompt, texts))]
    runs += run_lm_eval(causal, prompt, texts, options.lm_eval)
    for name, rounds in (("ours", ours), ("bare passes", bare)):
        print(f"rounds of {name}: " + ", ".join(f"{run.seconds:.2f} s (cpu {run.cpu:.2f})" for run in rounds))
    print_table(runs, options, joined=count_joined(causal, prompt, texts))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--model", "--gguf", default="demo:smollm2", help="as model.source in model.yaml")
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--lm-eval", type=Path, help="folder that lm-eval was installed to")
    return parser.parse_args()


def draw(folder: Path, shots: int, items: int) -> tuple[Prompt, list[str]]:
    """The prompt with its demonstrations, and the test texts."""
    written = PromptSpec(
        template="Review: {text}\nSentiment:",
        verbalizers={label: (form,) for label, form in zip(LABELS, FORMS, strict=True)},
        demonstrations=DemonstrationSpec(shots=shots),
    )
    # Most rows of GLUE's training set are scraps of sentences ("of saucy"); nobody shows a model those.
    train = [one for one in read_rows(folder / "train.tsv.gz") if whole_sentence(one.text)]
    shown = draw_demonstrations(written.demonstrations, train, LABELS, Seeds(7))
    test = [one.text for one in read_rows(folder / "test.tsv.gz")]
    return make_prompt(written, shown), random.Random(7).sample(test, items)


def read_rows(path: Path) -> list[Example]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return [Example(id=str(i), text=text, label=LABELS[int(label)]) for i, (label, text) in enumerate(rows)]


def whole_sentence(text: str) -> bool:
    return text.rstrip().endswith(" .") and len(text.split()) >= 8


def seconds(run: Run) -> float:
    return run.seconds


def median(runs: list[Run]) -> Run:
    middle = statistics.median_low(map(seconds, runs))
    return next(run for run in runs if run.seconds == middle)


def timed(name: str, ask: Callable[[], tuple[np.ndarray | None, int]]) -> Run:
    forget_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    answers, tokens = ask()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Run(name=name, seconds=wall, cpu=cpu, tokens=tokens, answers=answers, peak=read_peak())


def run_ours(causal: Causal, prompt: Prompt, texts: list[str]) -> tuple[np.ndarray | None, int]:
    causal._prefix = None  # kept from the round before
    ledger = Ledger()
    shared = Shared(
        name=causal.name,
        labels=LABELS,
        pair=False,
        key=b"benchmark",
        open_causal=lambda: causal,
        cache=Cache(None),
        ledger=ledger,
    )
    answers = Prompted(shared, prompt).score(texts).logits
    return answers, ledger.usage().tokens


def strings(causal: Causal, prompt: Prompt) -> tuple[str, str, str]:
    """What stands before every text, the template's middle, and its end."""
    layout = lay_out(prompt, causal.chat)
    return "".join(layout.shared), layout.section, layout.tail


def run_bare(causal: Causal, prompt: Prompt, texts: list[str], size: int) -> Run:
    """Forward passes alone; everything else is made ready before the clock starts."""
    before, section, tail = strings(causal, prompt)
    pieces, model = causal.pieces, causal.model
    prefix = DynamicCache()
    with torch.inference_mode():
        model(torch.tensor([pieces.start(before)]), past_key_values=prefix, use_cache=True, logits_to_keep=1)
    ids = sorted({*pieces.follow([fill(section, text) + tail for text in texts])}, key=len)
    batches: list[list[tuple[int, ...]]] = [[]]
    for one in ids:
        if (len(batches[-1]) + 1) * len(one) > size:
            batches.append([])
        batches[-1].append(one)
    tensors = [
        torch.tensor([[*one, *[0] * (len(batch[-1]) - len(one))] for one in batch])
        for batch in batches
        if batch
    ]

    def ask() -> tuple[None, int]:
        for batch in tensors:
            given = DynamicCache(
                [
                    tuple(part.expand(len(batch), -1, -1, -1) for part in (layer.keys, layer.values))
                    for layer in prefix.layers
                ]
            )
            with torch.inference_mode():
                model(batch, past_key_values=given, use_cache=True, logits_to_keep=1)
        return None, sum(map(len, ids))

    return timed("bare passes", ask)


def run_plain(causal: Causal, prompt: Prompt, texts: list[str]) -> tuple[np.ndarray, int]:
    """Each prompt as one string through the tokenizer and the model, as a newcomer would."""
    before, section, tail = strings(causal, prompt)
    labels = [one[0] for one in causal.pieces.follow(list(FORMS))]
    answers, tokens = [], 0
    for text in texts:
        ids = causal.tokenizer(before + fill(section, text) + tail, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            logits = causal.model(torch.tensor([[*causal.pieces.empty, *ids]]), logits_to_keep=1).logits
        answers.append(logits[0, -1].log_softmax(-1)[labels].tolist())
        tokens += len(ids)
    return np.array(answers), tokens


def run_lm_eval(causal: Causal, prompt: Prompt, texts: list[str], folder: Path | None) -> list[Run]:
    if folder is not None:
        sys.path.append(str(folder))
    try:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM
    except ImportError as error:
        print(f"lm-evaluation-harness is left out ({error}): {INSTALL}")
        return []
    before, section, tail = strings(causal, prompt)
    contexts = [before + fill(section, text) + tail for text in texts]
    asked = [
        Instance(request_type="loglikelihood", doc={}, arguments=(context, form), idx=i)
        for context in contexts
        for i, form in enumerate(FORMS)
    ]
    harness: Any = HFLM(pretrained=causal.model, tokenizer=causal.tokenizer, add_bos_token=False)

    def ask() -> tuple[np.ndarray, int]:
        found = harness.loglikelihood(asked)
        answers = np.array([value for value, _ in found]).reshape(len(texts), len(FORMS))
        tokens = sum(len(causal.pieces.start(context)) for context in contexts)
        return answers, tokens

    return [timed("lm-evaluation-harness", ask)]


def count_joined(causal: Causal, prompt: Prompt, texts: list[str]) -> int:
    """Texts whose whole prompt tokenises otherwise than its pieces."""
    before, section, tail = strings(causal, prompt)
    layout = lay_out(prompt, causal.chat)
    prefix = [*causal.pieces.start(layout.shared[0])]
    prefix += [token for ids in causal.pieces.follow(layout.shared[1:]) for token in ids]
    parts = [fill(section, text) + tail for text in texts]
    return sum(
        [*prefix, *ids] != list(causal.pieces.start(before + part))
        for part, ids in zip(parts, causal.pieces.follow(parts), strict=True)
    )


def print_table(runs: list[Run], options: argparse.Namespace, *, joined: int) -> None:
    ours, bare, plain = runs[:3]
    assert plain.answers is not None
    print(
        f"{options.model}, {options.shots} shots, {options.items} items, float32, {options.threads} threads, "
        f"load {os.getloadavg()[0]:.1f}; {joined} prompts tokenise otherwise as one string"
    )
    heads = ("seconds", "cpu", "tokens", "tokens/s", "of ours", "max diff", "peak MB")
    print(f"{'':24}" + "".join(f"{head:>10}" for head in heads))
    for run in runs:
        near = "" if run.answers is None else f"{np.abs(run.answers - plain.answers).max():.1e}"
        print(
            f"{run.name:24}{run.seconds:10.2f}{run.cpu:10.2f}{run.tokens:10}{run.tokens / run.seconds:10.0f}"
            f"{run.seconds / ours.seconds:10.2f}{near:>10}{run.peak:10.0f}"
        )
    wall, cpu = bare.seconds / ours.seconds, bare.cpu / ours.cpu
    print(f"efficiency (bare / ours): {wall:.2f}; by processor time {cpu:.2f}")


def forget_peak() -> None:
    """Start the kernel's count of peak memory anew (Linux)."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def read_peak() -> float:
    """Megabytes of the process at its highest, NaN where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
