"""A fine-tuned classifier in memory: tokens in, logits out."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from audit.errors import ModelError
from audit.models.eight_bit import number_format
from audit.models.engine import Encoded, Row
from audit.models.pieces import whole
from audit.schema import Json, Text

LEFT = {"xlnet"}
"""Models whose summary is the last place, so that padding goes before; elsewhere it goes behind."""


class FineTuned:
    """An Engine over a model with a classification head."""

    prefix_tokens = 0

    def __init__(
        self,
        model: transformers.PreTrainedModel,
        tokenizer: Any,
        *,
        name: str,
        order: tuple[int, ...],
        max_length: int | None,
        batch_tokens: int,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Take a loaded model, in its number format and on its device.

        Args:
            model: a transformers model whose call returns `logits` (n, k).
            tokenizer: a transformers tokenizer.
            name: the model as the config names it, for messages.
            order: for each label of the task, the model's column.
            max_length: tokens of the longest text, special tokens counted; None for no limit.
            batch_tokens: tokens of a batch, padding counted.
            notes: what a reader of the facts must know.
        """
        self.batch_tokens = batch_tokens
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._name = name
        self._order = list(order)
        self._max_length = max_length
        self._notes = notes
        self._device = next(model.parameters()).device
        self._rows = _known_ids(model)
        # A tokenizer may offer what the model does not take (a BERT tokenizer on DistilBERT).
        takes = inspect.signature(model.forward).parameters
        self._kinds = "token_type_ids" in tokenizer.model_input_names and "token_type_ids" in takes
        pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
        self._pad = pad if pad is not None else end if end is not None else 0
        # Decoders with a head look for the last token that is no padding, and must know which one that is.
        model.config.pad_token_id = self._pad
        model.config.use_cache = False

    @property
    def model(self) -> transformers.PreTrainedModel:
        """The loaded model."""
        return self._model

    def facts(self) -> dict[str, Json]:
        """Return what only a loaded model can tell."""
        return {
            "parameters": count_parameters(self._model),
            "dtype": number_format(self._model),
            "device": self._device.type,
            "max_length": self._max_length,
            "notes": list(self._notes),
        }

    def encode(self, texts: Sequence[Text]) -> list[Encoded]:
        """Tokenise as in training: special tokens added, the longer part of a pair cut first.

        An empty text that gives no token at all becomes one padding token. Half characters (lone
        surrogates, which no tokenizer takes) become U+FFFD.
        """
        whole = [_whole(text) for text in texts]
        found = self._tokens(whole, limit=None)
        if self._max_length is not None:
            long = [i for i, one in enumerate(found) if len(one.ids) > self._max_length]
            for i, one in zip(
                long, self._tokens([whole[i] for i in long], limit=self._max_length), strict=True
            ):
                found[i] = one
        return found

    def _tokens(self, texts: Sequence[Text], *, limit: int | None) -> list[Encoded]:
        if not texts:
            return []
        pairs = [text for text in texts if not isinstance(text, str)]
        if 0 < len(pairs) < len(texts):
            # The tokenizer takes one sort at a time.
            single = iter(self._tokens([text for text in texts if isinstance(text, str)], limit=limit))
            double = iter(self._tokens(pairs, limit=limit))
            return [next(single if isinstance(text, str) else double) for text in texts]
        made = self._tokenizer(
            [text if isinstance(text, str) else text[0] for text in texts],
            [second for _, second in pairs] or None,
            add_special_tokens=True,
            padding=False,
            truncation="longest_first" if limit else False,
            max_length=limit,
            return_attention_mask=False,
            return_token_type_ids=self._kinds,
            verbose=False,
        )
        kinds = made["token_type_ids"] if self._kinds else [()] * len(texts)
        return [
            Encoded(
                ids=tuple(ids) or (self._pad,),
                kinds=(tuple(kind) or (0,)) if self._kinds else (),
                truncated=limit is not None,
            )
            for ids, kind in zip(made["input_ids"], kinds, strict=True)
        ]

    def forward(self, batch: Sequence[Encoded]) -> list[Row]:
        """Ask once; logits in the order of the task's labels.

        Raises:
            ModelError: the head's width is not that of its config, the tokenizer's ids are beyond the
                model's, or the GPU's memory is too small for the batch.
        """
        inputs = {"input_ids": self._padded([one.ids for one in batch], self._pad)}
        inputs["attention_mask"] = self._padded([(1,) * len(one.ids) for one in batch], 0)
        if self._kinds:
            inputs["token_type_ids"] = self._padded([one.kinds for one in batch], 0)
        top = int(inputs["input_ids"].max())
        if self._rows is not None and top >= self._rows:
            raise ModelError(
                f"{self._name}: the tokenizer is not the model's: it gives the token id {top}, "
                f"the model knows ids below {self._rows}; "
                "put the tokenizer that it was trained with into the folder"
            )
        try:
            with torch.inference_mode():
                tensors = {key: torch.from_numpy(one).to(self._device) for key, one in inputs.items()}
                logits = self._model(**tensors).logits.double().cpu().numpy()  # (n, k)
        except torch.cuda.OutOfMemoryError as error:
            raise ModelError(
                f"{self._name}: the GPU's memory is too small for a batch of "
                f"{inputs['input_ids'].size} tokens; "
                f"set model.batch_tokens below {self.batch_tokens}"
            ) from error
        if logits.shape != (len(batch), len(self._order)):
            raise ModelError(
                f"{self._name}: the model answers {len(batch)} texts with an array of shape "
                f"{logits.shape}, not ({len(batch)}, {len(self._order)}); its head does not fit its config"
            )
        return [Row(logits=tuple(row)) for row in logits[:, self._order].tolist()]

    def _padded(self, rows: Sequence[tuple[int, ...]], filler: int) -> NDArray[np.int64]:
        width = max(map(len, rows))
        padded = np.full((len(rows), width), filler, dtype=np.int64)  # (n, width)
        left = self._model.config.model_type in LEFT
        for i, row in enumerate(rows):
            padded[i, slice(width - len(row), None) if left else slice(len(row))] = row
        return padded


def count_parameters(model: torch.nn.Module) -> int:
    """Count by storage: tied weights share theirs and count once."""
    return sum({p.untyped_storage().data_ptr(): p.numel() for p in model.parameters()}.values())


def _known_ids(model: transformers.PreTrainedModel) -> int | None:
    """Return the number of token ids that the model has a row for; None where it hashes them (CANINE)."""
    try:
        rows = getattr(model.get_input_embeddings(), "num_embeddings", None)
    except NotImplementedError:
        return None
    return rows if isinstance(rows, int) else None


def _whole(text: Text) -> Text:
    return whole(text) if isinstance(text, str) else (whole(text[0]), whole(text[1]))
