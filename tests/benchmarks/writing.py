"""How fast does a model write? Ours against bare batched `generate` of transformers.

    python tests/benchmarks/writing.py [--shared DIR] [--model NAME] [--prompts N] [--samples N] [--tokens N]

Beginnings of SST-2 sentences, 4 to 20 words, float32, the model loaded once. No token ends the writing, so
both write the same number. Bare: prompts tokenised beforehand, sorted by length, padded on the left, as many
to a batch as in ours; `num_return_sequences` for the samples, no top-k; no text is made of the tokens. Ours
is the whole `generate` call without a cache. Three ways: greedy, sampled, and sampled from the nucleus of
0.9. Ours and bare take turns; the median counts. Speed is in new tokens per second. On a machine that does
other work too, `--threads 1` and the processor time tell more. Prints, and judges nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from audit.cli.memory import keep_freed
from audit.models.cache import Cache
from audit.models.causal import Causal, load_causal
from audit.models.language_model import CachedLanguageModel
from audit.models.ledger import Ledger
from audit.models.parts import find_causal
from audit.models.scoring import plan
from audit.models.spec import ModelSpec
from audit.models.writing import begin

sys.path.insert(0, str(Path(__file__).parent))
from scoring import Run, median, read_rows, timed, whole_sentence


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way of writing."""

    name: str
    samples: int
    temperature: float
    top_p: float = 1.0


def main() -> None:
    keep_freed()  # as the command line does
    options = read_options()
    torch.set_num_threads(options.threads)
    spec = ModelSpec(kind="in-context", source=options.model, device="cpu")
    causal = load_causal(find_causal(spec, base=Path.cwd(), cache=Cache(None)), spec)
    causal.ends = frozenset()
    prompts = draw(options.shared / "data" / "sst2" / "test.tsv.gz", options.prompts)
    ways = [
        Way(name="greedy", samples=1, temperature=0.0),
        Way(name="sampled", samples=options.samples, temperature=1.0),
        Way(name="nucleus 0.9", samples=options.samples, temperature=1.0, top_p=0.9),
    ]
    print(f"{options.model}, {len(prompts)} prompts, {options.tokens} new tokens each, float32", flush=True)
    for way in ways:
        ours, bare = [], []
        for _ in range(options.rounds):
            ours.append(timed("ours", lambda way=way: run_ours(causal, prompts, way, options.tokens)))
            bare.append(run_bare(causal, prompts, way, options.tokens))
        print_way(way, median(ours), median(bare), len(prompts))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--model", default="demo:smollm2", help="as model.source in model.yaml")
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def draw(path: Path, count: int) -> list[str]:
    rng = random.Random(7)
    texts = rng.sample([one.text for one in read_rows(path) if whole_sentence(one.text)], count)
    return [" ".join(text.split()[: rng.randint(4, 20)]) for text in texts]


def run_ours(causal: Causal, prompts: list[str], way: Way, new: int) -> tuple[None, int]:
    language = CachedLanguageModel(
        key=b"benchmark", open_causal=lambda: causal, cache=Cache(None), ledger=Ledger()
    )
    language.generate(
        prompts,
        max_new_tokens=new,
        samples=way.samples,
        temperature=way.temperature,
        top_p=way.top_p,
        seed=7,
    )
    return None, len(prompts) * way.samples * new


def run_bare(causal: Causal, prompts: list[str], way: Way, new: int) -> Run:
    ids = [list(begin(causal, prompt)) for prompt in prompts]
    batches = plan([way.samples * (len(one) + new) for one in ids], batch_tokens=causal.batch_tokens)
    ready = [padded([ids[place] for place in batch]) for batch in batches]
    more: dict[str, Any] = {"temperature": way.temperature, "top_p": way.top_p} if way.temperature else {}
    config = GenerationConfig(
        max_new_tokens=new,
        min_new_tokens=None,
        do_sample=way.temperature > 0,
        num_return_sequences=way.samples,
        top_k=0 if way.temperature else None,
        eos_token_id=None,
        pad_token_id=0,
        use_cache=True,
        **more,
    )
    causal.model.generation_config = config

    def ask() -> tuple[None, int]:
        written = 0
        for given, real in ready:
            with torch.inference_mode():
                out = causal.model.generate(given, attention_mask=real, generation_config=config)
            written += out[:, given.shape[1] :].numel()
        return None, written

    torch.manual_seed(7)
    return timed("bare generate", ask)


def padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([[*[0] * (width - len(row)), *row] for row in rows])
    real = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, real


def print_way(way: Way, ours: Run, bare: Run, prompts: int) -> None:
    print(f"{way.name}, {prompts} prompts x {way.samples}, load {os.getloadavg()[0]:.1f}")
    for run in (ours, bare):
        print(
            f"  {run.name:14}{run.seconds:7.2f} s (cpu {run.cpu:6.2f}) {run.tokens:6} new tokens "
            f"{run.tokens / run.seconds:6.0f} tokens/s, peak {run.peak:.0f} MB"
        )
    print(
        f"  speed of bare: {bare.seconds / ours.seconds:.2f}, by processor time {bare.cpu / ours.cpu:.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
