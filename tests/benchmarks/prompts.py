"""How fast are many prompts over one model? Ours, the same prompts sent whole, and bare forward passes.

    python tests/benchmarks/prompts.py [--shared DIR] [--model NAME] [--shots N …] [--rounds N]

SST-2, balanced demonstration sets, several orders of each, the same items under all; the model is loaded once
for each number format. Whole: every prompt from its first token, in length-sorted batches, tokenised
beforehand (the best of two batch sizes). Bare passes: the tokens that ours computes, each segment and text as
a row of a length-sorted batch, keys and values of what stands before it given and not counted, nothing
tokenised or read. Ours is the whole `score_prompts` call without a cache. Ours and bare take turns; the
median of the rounds counts. Prints, and judges nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from audit.cli.memory import keep_freed
from audit.models.asking import Asking
from audit.models.cache import Cache
from audit.models.causal import Causal, load_causal
from audit.models.ledger import Ledger
from audit.models.parts import find_causal
from audit.models.prompted import Prompted, Shared
from audit.models.spec import ModelSpec
from audit.models.trie import grow
from audit.schema import Prompt

sys.path.insert(0, str(Path(__file__).parent))
from scoring import FORMS, LABELS, Run, median, read_rows, timed, whole_sentence


def main() -> None:
    keep_freed()  # as the command line does
    options = read_options()
    torch.set_num_threads(options.threads)
    exact = {shots: draw(options, shots) for shots in options.shots}
    answers = {}
    for dtype in options.formats:
        spec = ModelSpec(kind="in-context", source=options.model, device="cpu", dtype=dtype)
        causal = load_causal(find_causal(spec, base=Path.cwd(), cache=Cache(None)), spec)
        for shots, (prompts, texts) in exact.items():
            if dtype == "float32":
                answers[shots] = compare(causal, prompts, texts, shots, options)
            elif shots in answers:
                told_apart(causal, prompts, texts, answers[shots], f"{shots} shots, {dtype}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--model", default="demo:smollm2", help="as model.source in model.yaml")
    parser.add_argument("--shots", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--sets", type=int, default=2)
    parser.add_argument("--orders", type=int, default=6)
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="of ours and of bare passes; the median counts")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 4096], help="batches of whole prompts")
    parser.add_argument("--formats", nargs="+", default=["float32", "bfloat16"], help="float32 comes first")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def draw(options: argparse.Namespace, shots: int) -> tuple[list[Prompt], list[str]]:
    """Prompts, set by set and order by order (each with its reverse), and the test texts."""
    folder, rng = options.shared / "data" / "sst2", random.Random(7)
    train = [one for one in read_rows(folder / "train.tsv.gz") if whole_sentence(one.text)]
    test = [one.text for one in read_rows(folder / "test.tsv.gz")]
    pools = {label: rng.sample([one for one in train if one.label == label], 200) for label in LABELS}
    blank = Prompt(
        template="Review: {text}\nSentiment:",
        verbalizers={label: (form,) for label, form in zip(LABELS, FORMS, strict=True)},
    )
    prompts = []
    for s in range(options.sets):
        each = shots // 2
        shown = [one for label in LABELS for one in pools[label][s * each : (s + 1) * each]]
        for _ in range(options.orders // 2):
            order = rng.sample(shown, len(shown))
            prompts += [replace(blank, demonstrations=tuple(one)) for one in (order, order[::-1])]
    return prompts, rng.sample(test, options.items)


def compare(
    causal: Causal, prompts: list[Prompt], texts: list[str], shots: int, options: argparse.Namespace
) -> np.ndarray:
    ours, bare = [], []
    for _ in range(options.rounds):
        ours.append(timed("ours", lambda: run_ours(causal, prompts, texts)))
        bare.append(run_bare(causal, prompts, texts))
    mine, limit = median(ours), median(bare)
    whole = min((run_whole(causal, prompts, texts, size) for size in options.sizes), key=lambda r: r.seconds)
    assert mine.answers is not None and whole.answers is not None
    print(
        f"{shots} shots, {len(prompts)} prompts x {len(texts)} texts, float32, load {os.getloadavg()[0]:.1f}"
    )
    for run in (mine, limit, whole):
        print(
            f"{run.name:14}{run.seconds:8.2f} s (cpu {run.cpu:7.2f}) {run.tokens:8} tokens "
            f"{run.tokens / run.seconds:6.0f} tokens/s, peak {run.peak:.0f} MB"
        )
    print(
        f"whole / ours {whole.seconds / mine.seconds:.2f} (the tokens allow "
        f"{whole.tokens / mine.tokens:.2f}); efficiency (bare / ours) {limit.seconds / mine.seconds:.2f}, by "
        f"processor time {limit.cpu / mine.cpu:.2f}; largest difference of log-probabilities "
        f"{np.abs(mine.answers - whole.answers).max():.1e}\n",
        flush=True,
    )
    return mine.answers


def told_apart(causal: Causal, prompts: list[Prompt], texts: list[str], exact: np.ndarray, what: str) -> None:
    faster = timed("ours", lambda: run_ours(causal, prompts, texts))
    assert faster.answers is not None
    changed = (faster.answers.argmax(-1) != exact.argmax(-1)).mean()
    print(
        f"{what}: {faster.seconds:.2f} s, peak {faster.peak:.0f} MB, {changed:.1%} of "
        f"answers change, log-probabilities by up to {np.abs(faster.answers - exact).max():.2f}"
    )


def run_ours(causal: Causal, prompts: list[Prompt], texts: list[str]) -> tuple[np.ndarray, int]:
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
    scores = Prompted(shared, prompts[0]).score_prompts(prompts, texts)
    return np.array([one.logits for one in scores]), ledger.usage().tokens


def run_whole(causal: Causal, prompts: list[Prompt], texts: list[str], size: int) -> Run:
    """Every prompt from its first token to its last, in length-sorted batches."""
    labels = [one[0] for one in causal.pieces.follow(list(FORMS))]
    asked = []
    for prompt in prompts:
        asking = Asking(causal, prompt)
        before = [token for segment in asking.beginning for token in segment]
        asked += [[*before, *one.ids] for one in asking.encode(texts)]
    batches = cut(sorted(range(len(asked)), key=lambda i: len(asked[i])), [len(one) for one in asked], size)

    def ask() -> tuple[np.ndarray, int]:
        answers = np.zeros((len(asked), len(labels)))
        for batch in batches:
            ids, real = padded([asked[i] for i in batch])
            ends = torch.tensor([len(asked[i]) - 1 for i in batch])
            with torch.inference_mode():
                hidden = causal.model.model(input_ids=ids, attention_mask=real).last_hidden_state
                logits = causal.model.lm_head(hidden[torch.arange(len(batch)), ends])
            answers[batch] = logits.double().log_softmax(-1)[:, labels].numpy()
        return answers.reshape(len(prompts), len(texts), -1), sum(map(len, asked))

    return timed("whole prompts", ask)


def run_bare(causal: Causal, prompts: list[Prompt], texts: list[str], size: int = 1024) -> Run:
    """The tokens that ours computes, in plain batches after a past that is given."""
    askings = [Asking(causal, prompt) for prompt in prompts]
    trie = grow([one.beginning for one in askings])
    rows = [(len(trie.behind(node.parent)), list(node.ids)) for node in trie.nodes]
    rows += [
        (sum(map(len, asking.beginning)), list(one.ids)) for asking in askings for one in asking.encode(texts)
    ]
    sizes = [len(ids) for _, ids in rows]
    batches = cut(sorted(range(len(rows)), key=lambda i: (rows[i][0] // 32, sizes[i])), sizes, size)
    config = causal.model.config
    heads, width = config.num_key_value_heads, config.hidden_size // config.num_attention_heads
    ready: list[tuple[torch.Tensor, Any]] = []
    for batch in batches:
        past = round(sum(rows[i][0] for i in batch) / len(batch))
        states = torch.randn(1, heads, past, width)
        ready.append((padded([rows[i][1] for i in batch])[0], states))

    def ask() -> tuple[None, int]:
        for ids, states in ready:
            shape = (len(ids), -1, -1, -1)
            pairs = [(states.expand(shape), states.expand(shape))] * config.num_hidden_layers
            with torch.inference_mode():
                causal.model(
                    ids, past_key_values=DynamicCache(pairs) if states.shape[2] else None, logits_to_keep=1
                )
        return None, sum(sizes)

    return timed("bare passes", ask)


def cut(order: list[int], sizes: list[int], size: int) -> list[list[int]]:
    """Batches of at most `size` tokens, padding counted, in this order."""
    batches: list[list[int]] = [[]]
    for i in order:
        if batches[-1] and (len(batches[-1]) + 1) * max(sizes[j] for j in [*batches[-1], i]) > size:
            batches.append([])
        batches[-1].append(i)
    return batches


def padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    real = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids, real


if __name__ == "__main__":
    main()
