"""A causal language model in memory: weights, tokenizer, and what its files say of them. Needs torch."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers.utils import chat_template_utils

from audit.errors import ModelError, shown
from audit.models.eight_bit import in_eight_bit, loaded_as, number_format
from audit.models.files import first_line, weight_files
from audit.models.loading import find_device, length_limit, load_tokenizer, quiet
from audit.models.parts import CausalParts
from audit.models.pieces import Pieces
from audit.models.pool import Pool, most_tokens
from audit.models.scoring import plan
from audit.models.sharing import shares, window
from audit.models.spec import ModelSpec
from audit.models.tree import Chain, Tree, fill, read, read_plain
from audit.models.trie import Segments, Trie, grow

BATCH_TOKENS = {"cpu": 2048, "cuda": 16384}
"""Measured with SmolLM2 on two cores: 2,048 is 5 in a hundred faster than 1,024, and 4,096 no faster. A GPU
wants to be full."""


class Causal:
    """A causal model that is asked for log-probabilities; shared by all prompts over it."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        bos: int | None,
        ends: frozenset[int],
        context: int | None,
        batch_tokens: int,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Take a loaded model, in its number format and on its device.

        Args:
            model: a transformers model whose call returns `logits` (n, length, vocabulary).
            tokenizer: its transformers tokenizer.
            name: the model as the config names it, for messages.
            bos: id to put before every sequence, None for none.
            ends: ids that end what the model writes.
            context: tokens of the longest sequence, None for no limit.
            batch_tokens: tokens of a batch, the shared prefix not counted.
            notes: what a reader of the facts must know.
        """
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        self.ends = ends
        self.context = context
        self.batch_tokens = batch_tokens
        self.pieces = Pieces(tokenizer, bos=bos)
        self.shares = shares(self.model)
        self._window = window(self.model)
        self._rows = int(model.get_input_embeddings().num_embeddings)
        own = () if self.shares else ("no key-value sharing with this model: each prompt is run whole",)
        self.notes = (*notes, *own)
        self._prefix: tuple[Segments, Trie, Pool] | None = None

    @property
    def ground(self) -> tuple[int, ...]:
        """What an empty context is: BOS, or an end token where there is no BOS (as lm-evaluation-harness)."""
        return self.pieces.empty or tuple(sorted(self.ends)[:1]) or (0,)

    @property
    def dtype(self) -> str:
        """Number format, as `model.dtype` names it."""
        return number_format(self.model)

    @property
    def parameters(self) -> int:
        """Parameters, counted by storage: tied weights once."""
        return sum({p.untyped_storage().data_ptr(): p.numel() for p in self.model.parameters()}.values())

    def read(self, trees: Sequence[Tree], prefix: tuple[int, ...] = ()) -> list[NDArray[np.float64]]:
        """Return the log-probabilities of each tree's reads, in nats, over the full vocabulary.

        Raises:
            ModelError: the tokenizer's ids are beyond the model's, or the GPU's memory is too small.
        """
        self._check_ids((*prefix, *(token for tree in trees for token in tree.ids)))
        longest = len(prefix) + max(len(tree.ids) for tree in trees)
        with self._memory(sum(len(tree.ids) for tree in trees), len(prefix)):
            if not self.packs(longest):
                return read_plain(self.model, trees, prefix, batch_tokens=self.batch_tokens)
            if not prefix:
                return read(self.model, trees, None)
            trie, pool = self._kept((prefix,))
            behind = trie.behind(trie.leaves[0])
            return read(self.model, [replace(tree, behind=behind) for tree in trees], pool)

    def packs(self, longest: int) -> bool:
        """Whether sequences of so many tokens can share beginnings."""
        return self.shares and (self._window is None or longest <= self._window)

    def begin(self, beginnings: Sequence[Segments]) -> tuple[Trie, Pool]:
        """Run the beginnings of several prompts, what they have in common once, and keep keys and values.

        Raises:
            ModelError: as `read`.
        """
        trie = grow(beginnings)
        pool = Pool(trie.tokens)
        self._check_ids([token for node in trie.nodes for token in node.ids])
        for level in trie.levels():
            for batch in plan([len(trie.nodes[i].ids) for i in level], batch_tokens=self.batch_tokens):
                chains = [
                    Chain(node.ids, trie.behind(node.parent), node.start)
                    for node in (trie.nodes[level[i]] for i in batch)
                ]
                with self._memory(sum(len(chain.ids) for chain in chains), len(chains[0].behind)):
                    fill(self.model, pool, chains)
        return trie, pool

    def read_behind(self, trees: Sequence[Tree], pool: Pool) -> list[NDArray[np.float64]]:
        """Return the log-probabilities of trees that hang on beginnings in a pool.

        Raises:
            ModelError: as `read`.
        """
        self._check_ids([token for tree in trees for token in tree.ids])
        with self._memory(sum(len(tree.ids) for tree in trees), max(len(tree.behind) for tree in trees)):
            return read(self.model, trees, pool)

    @functools.cached_property
    def pool_tokens(self) -> int:
        """Tokens of shared beginnings that may be kept at once."""
        pool = Pool(1)
        fill(self.model, pool, [Chain((0,), (), 0)])
        return most_tokens(self.model, pool.nbytes)

    def _check_ids(self, ids: Sequence[int]) -> None:
        top = max(ids, default=0)
        if top >= self._rows:
            raise ModelError(
                f"{self.name}: the tokenizer is not the model's: it gives the token id {top}, the model "
                f"knows ids below {self._rows}; put the tokenizer that it was trained with into the folder"
            )

    @contextmanager
    def _memory(self, tokens: int, prefix: int) -> Iterator[None]:
        try:
            yield
        except torch.cuda.OutOfMemoryError as error:
            raise ModelError(
                f"{self.name}: the GPU's memory is too small for a batch of {tokens} tokens after a prefix "
                f"of {prefix}; set model.batch_tokens below {self.batch_tokens}"
            ) from error

    def chat(self, messages: list[dict[str, str]]) -> str:
        """Render messages through the chat template, up to where the assistant answers.

        Raises:
            ModelError: there is no chat template, or it refuses these messages.
        """
        if not self.tokenizer.chat_template:
            raise ModelError(
                f"{self.name}: the tokenizer has no chat template, and model.prompt.chat is true; "
                "set model.prompt.chat: false"
            )
        try:
            rendered: str = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        except chat_template_utils.jinja2.TemplateError as error:
            raise ModelError(
                f"{self.name}: the chat template refuses the prompt: {first_line(error)}; where it knows no "
                "system message, move model.prompt.instruction into model.prompt.template"
            ) from error
        return rendered

    def _kept(self, beginning: Segments) -> tuple[Trie, Pool]:
        """The prefix's keys and values; only the last one asked for is kept, so memory stays bounded."""
        if self._prefix is None or self._prefix[0] != beginning:
            self._prefix = None
            self._prefix = (beginning, *self.begin([beginning]))
        return self._prefix[1:]


def load_causal(parts: CausalParts, spec: ModelSpec) -> Causal:
    """Load what `parts` found.

    Raises:
        ModelError: transformers cannot read it, weights are missing, or there is no such device.
    """
    device = find_device(spec.device)
    with quiet():
        given = _source(parts, spec)
        tokenizer = load_tokenizer(parts.folder, given, name=parts.name)
        model = _model(parts, spec, given).to(device)
    if spec.dtype == "int8":
        model = in_eight_bit(model, device, name=parts.name)
    bos, note = _beginning(parts, tokenizer)
    return Causal(
        model,
        tokenizer,
        name=parts.name,
        bos=bos,
        ends=_ends(parts, model, tokenizer),
        context=_context(model, tokenizer, spec.max_length, name=parts.name),
        batch_tokens=spec.batch_tokens or BATCH_TOKENS.get(device.type, BATCH_TOKENS["cpu"]),
        notes=(note,),
    )


def _source(parts: CausalParts, spec: ModelSpec) -> dict[str, Any]:
    """What both loaders are told. Each would read a .gguf again for the config, which takes seconds."""
    given: dict[str, Any] = {"local_files_only": True, "trust_remote_code": spec.trust_remote_code}
    if parts.gguf is not None:
        given["gguf_file"] = parts.gguf.name
    try:
        config = transformers.AutoConfig.from_pretrained(parts.folder, **given)
    except (OSError, ValueError, ImportError, KeyError, TypeError) as error:
        raise ModelError(
            f"the model's config cannot be read: {parts.name}: {first_line(error)}; it must be a causal "
            "language model that transformers can load"
        ) from error
    return {**given, "config": config}


def _model(parts: CausalParts, spec: ModelSpec, given: dict[str, Any]) -> Any:
    """Load the weights; what they leave out would be random, and is refused."""
    if parts.gguf is None:
        safe = weight_files(parts.folder, allow_pickle=spec.allow_pickle)[0].suffix == ".safetensors"
        given = {**given, "use_safetensors": safe}
    try:
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            parts.folder, dtype=loaded_as(spec.dtype), output_loading_info=True, **given
        )
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"the model cannot be loaded: {parts.name}: {first_line(error)}; it must be a causal language "
            "model that transformers can load (model.trust_remote_code: true where it brings its own code)"
        ) from error
    missing = sorted(str(key) for key in report["missing_keys"])
    if missing:
        raise ModelError(
            f"the weights are not all there, and the rest would be random: {parts.name}: missing "
            f"{shown(missing)}; name a whole causal language model"
        )
    return model


def _beginning(parts: CausalParts, tokenizer: Any) -> tuple[int | None, str]:
    """Whether each sequence begins with BOS, by the word of the model's files, and a note that says so."""
    if parts.header is not None:
        data = parts.header
        bos, wanted = data.bos, data.add_bos
        whose = "the file says so" if data.stated else "the file is silent, llama.cpp's rule"
    else:
        said = parts.add_bos
        bos = tokenizer.bos_token_id
        alone = tokenizer("x")["input_ids"]
        wanted = bool(alone) and alone[0] == bos if said is None else said
        whose = "tokenizer_config.json says so" if said is not None else "as the tokenizer does"
    if bos is None or not wanted:
        return None, f"no beginning token before the prompt ({whose})"
    return int(
        bos
    ), f"beginning token {tokenizer.convert_ids_to_tokens(int(bos))} before the prompt ({whose})"


def _ends(parts: CausalParts, model: Any, tokenizer: Any) -> frozenset[int]:
    if parts.header is not None:
        # transformers 4.57 takes the beginning token of SmolLM2's file for the end token.
        return frozenset() if parts.header.eos is None else frozenset([parts.header.eos])
    said = model.generation_config.eos_token_id if model.generation_config else None
    found = tokenizer.eos_token_id if said is None else said
    return frozenset([found] if isinstance(found, int) else found or [])


def _context(model: Any, tokenizer: Any, asked: int | None, *, name: str) -> int | None:
    config = model.config.get_text_config()
    own = [getattr(config, key, None) for key in ("max_position_embeddings", "n_positions")]
    return length_limit((*own, tokenizer.model_max_length), asked, name=name)
