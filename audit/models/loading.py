"""From the files of a fine-tuned classifier to a model in memory; imported at the first miss of the cache."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError, safe_open

from audit.errors import ModelError, shown
from audit.models.eight_bit import in_eight_bit, loaded_as
from audit.models.files import first_line, read_json, weight_files
from audit.models.fine_tuned import FineTuned
from audit.models.parts import ClassifierParts
from audit.models.spec import ModelSpec

BATCH_TOKENS = {"cpu": 1024, "cuda": 16384}
"""Measured with MiniLM on two cores: below some 500 tokens the overhead of a call shows, far above it padding
and the processor's caches do. A GPU wants to be full."""

ENDLESS = 1_000_000
"""Tokenizers say 10^30 where nobody told them a length."""


def load(parts: ClassifierParts, spec: ModelSpec, order: tuple[int, ...]) -> FineTuned:
    """Load what `parts` found.

    Raises:
        ModelError: transformers cannot read it, the head is not in the weights, or there is no such device.
    """
    device = find_device(spec.device)
    with quiet():
        tokenizer = load_tokenizer(
            parts.tokenizer,
            {"trust_remote_code": spec.trust_remote_code, "local_files_only": True},
            name=parts.name,
        )
        model, notes = _model(parts, spec)
    model = model.to(device)
    if spec.dtype == "int8":
        model = in_eight_bit(model, device, name=parts.name)
    return FineTuned(
        model,
        tokenizer,
        name=parts.name,
        order=order,
        max_length=_max_length(model, tokenizer, spec.max_length, name=parts.name),
        batch_tokens=spec.batch_tokens or BATCH_TOKENS.get(device.type, BATCH_TOKENS["cpu"]),
        notes=notes,
    )


def find_device(asked: str) -> torch.device:
    """Return the device; `auto` is the first CUDA device where there is one, else the CPU.

    Raises:
        ModelError: torch knows no such device, or this machine has none.
    """
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise ModelError(
            f"model.device: {shown(asked)} cannot be used here: {first_line(error)}; use auto or cpu"
        ) from error
    return device


class _Readable:
    """Turns what transformers and tokenizers raise over a file into a ModelError.

    The tokenizers library raises Exception itself, no class of its own; here it can be told from all others,
    which an `except Exception` could not.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        known = (OSError, ValueError, ImportError, KeyError, AttributeError, TypeError)
        if isinstance(error, known) or (isinstance(error, Exception) and kind is Exception):
            raise ModelError(
                f"the tokenizer cannot be loaded: {self._name}: {first_line(error)}; "
                "save it beside the model with save_pretrained"
            ) from error


def load_tokenizer(folder: Path, given: Mapping[str, Any], *, name: str) -> Any:
    """Load a tokenizer.

    Args:
        given: what transformers is told.
        name: the model as the config names it, for messages.

    Raises:
        ModelError: transformers cannot read it, or it knows no words.
    """
    with _Readable(name):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **given)
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        # transformers 5 makes one without a word where the vocabulary's file is missing.
        raise ModelError(
            f"the tokenizer knows no words: {name}: {len(tokenizer)} entries, all of them special; "
            "save the whole tokenizer beside the model with save_pretrained"
        )
    return tokenizer


def _model(parts: ClassifierParts, spec: ModelSpec) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """Load the model, on it the adapter; what neither of them brings would be random, and is refused."""
    labels: dict[str, Any] = {} if parts.adapter is None else {"num_labels": len(parts.names)}
    safe = weight_files(parts.folder, allow_pickle=spec.allow_pickle)[0].suffix == ".safetensors"
    try:
        model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
            parts.folder,
            dtype=loaded_as(spec.dtype),
            use_safetensors=safe,
            trust_remote_code=spec.trust_remote_code,
            local_files_only=True,
            output_loading_info=True,
            # An adapter brings its own head, of its own width.
            ignore_mismatched_sizes=parts.adapter is not None,
            **labels,
        )
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError) as error:
        hint = (
            "set model.trust_remote_code: true if you trust its code"
            if _has_code(parts)
            else ("it must be a whole folder with a sequence-classification head that transformers can load")
        )
        raise ModelError(f"the model cannot be loaded: {parts.name}: {first_line(error)}; {hint}") from error
    mismatched = {str(key[0] if isinstance(key, tuple) else key) for key in report["mismatched_keys"]}
    missing = {str(key) for key in report["missing_keys"]} | mismatched
    if parts.adapter is not None:
        brought = _adapter_keys(parts.adapter)
        missing = {key for key in missing if not any(own.endswith(f".{key}") for own in brought)}
    if missing:
        raise ModelError(
            f"the weights are not all there, and the rest would be random: {parts.name}: missing "
            f"{shown(sorted(missing))}; name a model that was fine-tuned for classification"
        )
    return (model, ()) if parts.adapter is None else _with_adapter(model, parts, parts.adapter)


def _with_adapter(
    model: Any, parts: ClassifierParts, adapter: Path
) -> tuple[torch.nn.Module, tuple[str, ...]]:
    try:
        import peft
    except ImportError as error:
        raise ModelError(
            f"the model is an adapter, and peft is not installed: {parts.name}; "
            "pip install 'trust-audit[adapters]'"
        ) from error
    settings = read_json(adapter / "adapter_config.json")
    try:
        tuned = peft.PeftModel.from_pretrained(model, adapter, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"the adapter cannot be put on its base model: {parts.name}: {first_line(error)}; "
            "check base_model_name_or_path in adapter_config.json and the number of task.labels"
        ) from error
    kind = str(settings.get("peft_type"))
    own = sum(
        p.numel() for name, p in tuned.named_parameters() if "lora_" in name or "modules_to_save" in name
    )
    note = f"adapter ({kind}), {own} parameters of its own, on {settings.get('base_model_name_or_path')}"
    # Merged, LoRA costs nothing in the forward pass; the sums differ by rounding alone.
    merged = tuned.merge_and_unload() if kind == "LORA" else tuned
    return merged, (note,)


def _adapter_keys(adapter: Path) -> set[str]:
    keys: set[str] = set()
    for path in adapter.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            keys.update(file.keys())
    return keys


def _has_code(parts: ClassifierParts) -> bool:
    return "auto_map" in read_json(parts.folder / "config.json")


def _max_length(model: Any, tokenizer: Any, asked: int | None, *, name: str) -> int | None:
    """Return the tokens that a text may have: what is asked for, within what tokenizer and model can take."""
    positions = getattr(model.config, "max_position_embeddings", None)
    if isinstance(positions, int):
        # RoBERTa counts positions from behind its padding id, so some of them are never used.
        positions -= max((_offset(key, part) for key, part in model.named_modules()), default=0)
    return length_limit((tokenizer.model_max_length, positions), asked, name=name)


def length_limit(stated: Iterable[object], asked: int | None, *, name: str) -> int | None:
    """Return `asked`, else the least of the stated lengths, None where nothing limits.

    Raises:
        ModelError: more is asked for than the model can take.
    """
    limit = min((n for n in stated if isinstance(n, int) and 0 < n < ENDLESS), default=None)
    if asked is not None and limit is not None and asked > limit:
        raise ModelError(
            f"model.max_length: {asked} tokens are more than {name} can take, which is {limit}; lower it"
        )
    return asked or limit


def _offset(key: str, part: torch.nn.Module) -> int:
    if (
        isinstance(part, torch.nn.Embedding)
        and key.endswith("position_embeddings")
        and part.padding_idx is not None
    ):
        return part.padding_idx + 1
    return 0


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from talking while it loads; what matters of it is checked here."""
    logging = transformers.utils.logging
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        # The bar over the tensors of a .gguf asks nobody, and fills the log of a CI job.
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            # Libraries about each other; nothing that the user could act on.
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
