"""The models that are attacked in attacks.py, each asked in three ways: ours, plainly, and bare."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DynamicCache

from audit.models.asking import Asking
from audit.models.cache import Cache
from audit.models.causal import load_causal
from audit.models.fine_tuned import FineTuned
from audit.models.ledger import Ledger
from audit.models.load import open_subject
from audit.models.parts import find_causal
from audit.models.prompted import Prompted, Shared
from audit.models.scoring import Scorer
from audit.models.spec import ModelSpec
from audit.schema import Example, Prompt, Text

sys.path.insert(0, str(Path(__file__).parent))
from scoring import FORMS, LABELS, read_rows, whole_sentence

Floats = NDArray[np.float64]


class MiniLM:
    """`models/sst2-minilm`, fine-tuned."""

    def __init__(self, shared: Path, dtype: str) -> None:
        self._shared, self._dtype = shared, dtype
        self.forget()
        place = shared / "models/sst2-minilm"
        self._tokenizer = AutoTokenizer.from_pretrained(place)
        self._model = AutoModelForSequenceClassification.from_pretrained(place, dtype=torch.float32).eval()

    def forget(self) -> None:
        """Let ours ask again what it has asked."""
        spec = ModelSpec.model_validate(
            {"kind": "fine-tuned", "source": "models/sst2-minilm", "dtype": self._dtype}
        )
        opened = open_subject(
            spec,
            labels=LABELS,
            pair=False,
            prompt=None,
            base=self._shared,
            cache=Cache(None),
            ledger=Ledger(),
        ).classifier
        assert isinstance(opened, Scorer) and isinstance(opened.engine, FineTuned)
        opened.score(["warm"])
        self._ours, self._own = opened, opened.engine.model

    def ours(self, texts: Sequence[Text]) -> Floats:
        return self._ours.score(texts).probabilities

    def plainly(self, texts: Sequence[str]) -> Any:
        given = self._tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            return self._model(**given).logits

    def stock(self) -> Any:
        """TextAttack's own wrapper: every text is padded to the tokenizer's maximum."""
        from textattack.models.wrappers import HuggingFaceModelWrapper

        return HuggingFaceModelWrapper(self._model, self._tokenizer)

    def bare(self, asked: Sequence[Text], size: int, *, own: bool = False) -> tuple[float, int]:
        """Seconds and calls of the forward passes alone, in length-sorted batches of `size` tokens.

        `own`: through the model that ours asks, in its number format.
        """
        model = self._own if own else self._model
        whole = sorted({str(text) for text in asked})
        ids = sorted(self._tokenizer(whole, truncation=True)["input_ids"], key=len)
        batches = [[ids[i] for i in one] for one in cut([len(one) for one in ids], size)]
        tensors = [self._tokenizer.pad({"input_ids": batch}, return_tensors="pt") for batch in batches]
        started = time.perf_counter()
        with torch.inference_mode():
            for given in tensors:
                model(**given)
        return time.perf_counter() - started, len(tensors)


class SmolLM2:
    """`demo:smollm2` with four demonstrations."""

    def __init__(self, shared: Path, dtype: str) -> None:
        spec = ModelSpec.model_validate({"kind": "in-context", "source": "demo:smollm2", "dtype": dtype})
        self._causal = causal = load_causal(find_causal(spec, base=Path.cwd(), cache=Cache(None)), spec)
        self._prompt = Prompt(
            template="Review: {text}\nSentiment:",
            verbalizers={label: (form,) for label, form in zip(LABELS, FORMS, strict=True)},
            demonstrations=shown(shared),
        )
        self._asking = Asking(causal, self._prompt)
        self._before = [token for segment in self._asking.beginning for token in segment]
        self._labels = [one[0] for one in causal.pieces.follow(list(FORMS))]
        self._model = causal.model
        self.forget()

    def forget(self) -> None:
        """Let ours ask again what it has asked."""
        given = Shared(
            name=self._causal.name,
            labels=LABELS,
            pair=False,
            key=b"benchmark",
            open_causal=lambda: self._causal,
            cache=Cache(None),
            ledger=Ledger(),
        )
        self._ours = Prompted(given, self._prompt)
        self._ours.score(["warm"])

    def ours(self, texts: Sequence[Text]) -> Floats:
        return self._ours.score(texts).probabilities

    def plainly(self, texts: Sequence[str]) -> Any:
        """Whole prompts, padded to the longest; the head reads the last tokens alone."""
        ids = [[*self._before, *one.ids] for one in self._asking.encode(list(texts))]
        rows, real = padded(ids)
        with torch.inference_mode():
            hidden = self._model.model(input_ids=rows, attention_mask=real).last_hidden_state
            last = hidden[torch.arange(len(ids)), torch.tensor([len(one) - 1 for one in ids])]
            return self._model.lm_head(last)[:, self._labels]

    def bare(self, asked: Sequence[Text], size: int, *, own: bool = False) -> tuple[float, int]:
        """The same of the texts' own tokens, after keys and values that are given; there is one model."""
        ids = [list(one.ids) for one in self._asking.encode(sorted({str(text) for text in asked}))]
        config = self._model.config
        heads, width = config.num_key_value_heads, config.hidden_size // config.num_attention_heads
        states = torch.randn(1, heads, len(self._before), width)
        ready = [padded([ids[i] for i in batch])[0] for batch in cut([len(one) for one in ids], size)]
        started = time.perf_counter()
        for rows in ready:
            shape = (len(rows), -1, -1, -1)
            pairs = [(states.expand(shape), states.expand(shape))] * config.num_hidden_layers
            with torch.inference_mode():
                self._model(rows, past_key_values=DynamicCache(pairs), logits_to_keep=1)
        return time.perf_counter() - started, len(ready)


Victim = MiniLM | SmolLM2
VICTIMS: dict[str, Callable[[Path, str], Victim]] = {"minilm": MiniLM, "smollm2": SmolLM2}


def shown(shared: Path) -> tuple[Example, ...]:
    """Two training sentences of each label, in turns."""
    rows = [one for one in read_rows(shared / "data/sst2/train.tsv.gz") if whole_sentence(one.text)]
    dice = random.Random(7)
    each = [dice.sample([one for one in rows if one.label == label], 2) for label in LABELS]
    return tuple(examples[i] for i in range(2) for examples in each)


def padded(ids: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids (n, longest) and which of them are real."""
    width = max(map(len, ids))
    rows = torch.tensor([[*one, *[0] * (width - len(one))] for one in ids])
    return rows, torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in ids])


def cut(sizes: Sequence[int], size: int) -> list[list[int]]:
    """Places in length-sorted batches of at most `size` tokens, padding counted."""
    batches: list[list[int]] = [[]]
    for i in sorted(range(len(sizes)), key=lambda i: sizes[i]):
        if batches[-1] and (len(batches[-1]) + 1) * sizes[i] > size:
            batches.append([])
        batches[-1].append(i)
    return batches
