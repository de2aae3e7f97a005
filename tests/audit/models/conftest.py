"""Tiny random causal models on disk, and the plain way to ask them: one string, one call, no cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

WORDS = [
    "Review: a fine and moving film .\nSentiment: Positive\n\nReview: dull , flat and far too long .",
    "Sentiment: Negative Neutral really good really bad ::) the the the film film film review",
    "Premise: it rains\nHypothesis: it is wet\nAnswer: true false neither",
]
CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SIZES = {
    "llama": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 384},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mistral": {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "sliding_window": 24,
    },
    "gemma2": {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "final_logit_softcapping": 3.0,
    },
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
}


def tiny_tokenizer(**more: object) -> PreTrainedTokenizerFast:
    """Byte-level BPE with GPT-2's rule for parting words."""
    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    base.train_from_iterator(WORDS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=base, bos_token="<s>", eos_token="</s>", **more)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Returns a function that writes a tiny random model of a kind and gives its folder."""
    made: dict[str, Path] = {}

    def make(kind: str = "llama", *, chat: bool = True, add_bos: bool | None = None) -> Path:
        key = f"{kind}-{chat}-{add_bos}"
        if key not in made:
            place = tmp_path_factory.mktemp(key)
            tokenizer = tiny_tokenizer(**({} if add_bos is None else {"add_bos_token": add_bos}))
            tokenizer.chat_template = CHAT if chat else None
            tokenizer.save_pretrained(place)
            torch.manual_seed(5)
            config = AutoConfig.for_model(
                kind, vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=1, pad_token_id=1, **SIZES[kind]
            )
            if kind in ("llama", "mistral", "gemma2"):
                config.max_position_embeddings = 384
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
            with torch.no_grad():
                # Random weights as they come say nearly the same of everything.
                for weight in model.parameters():
                    if weight.ndim == 2:
                        weight.normal_(0, 0.3)
            model.save_pretrained(place)
            made[key] = place
        return made[key]

    return make


class Plain:
    """The reference: one string at a time through transformers, nothing shared, nothing padded."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(folder)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def log_prob(self, context: Sequence[int], continuation: Sequence[int]) -> float:
        """Log-probability of a continuation, in nats."""
        whole = torch.tensor([[*context, *continuation]])
        with torch.inference_mode():
            table = self.model(whole, use_cache=False).logits[0].double().log_softmax(-1)
        return float(sum(table[len(context) - 1 + i, token] for i, token in enumerate(continuation)))

    def classes(
        self, prompt: str, forms: Sequence[Sequence[str]], bos: Sequence[int] = ()
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        """(k,) logarithm of the summed probabilities of each class's forms."""
        context = [*bos, *self.ids(prompt)]
        return np.array(
            [np.logaddexp.reduce([self.log_prob(context, self.ids(form)) for form in many]) for many in forms]
        )


@pytest.fixture(scope="session")
def plain() -> Callable[[Path], Plain]:
    """Returns a function from a model's folder to its reference."""
    made: dict[Path, Plain] = {}

    def find(folder: Path) -> Plain:
        if folder not in made:
            made[folder] = Plain(folder)
        return made[folder]

    return find
