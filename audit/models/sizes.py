"""How much there is of a loaded model, and how fast it writes. Needs torch."""

from __future__ import annotations

import inspect
import math
import platform
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from audit.models.files import CONFIG, TOKENIZER, matching, weight_files
from audit.models.keeping import cache_name
from audit.models.parts import CausalParts, ClassifierParts
from audit.models.timing import peak, size
from audit.schema import Sizes

ATTENTION = (
    *("q_proj", "v_proj", "query", "value", "q_lin", "v_lin", "query_proj", "value_proj", "q", "v"),
    *("c_attn", "query_key_value", "Wqkv"),
)
"""Names of query and value projections, or of one that holds both, in the models of transformers: where peft
puts adapters if nobody names other places."""


def classifier(model: Any, parts: ClassifierParts, *, allow_pickle: bool) -> Sizes:
    """Count a fine-tuned classifier: whole, or an adapter (merged into its base by now).

    All of a whole model counts as trained: its files do not tell what was frozen.
    """
    whole = _sizes(model)
    files = {*_files(parts.folder, allow_pickle=allow_pickle), *matching(parts.tokenizer, TOKENIZER)}
    if parts.adapter is None:
        return replace(whole, trainable=whole.parameters, files=size(files))
    own = _files(parts.adapter, allow_pickle=allow_pickle)
    adapter = _adapter(parts.adapter)
    return replace(
        whole,
        trainable=adapter,
        adapter=adapter,
        files=size([*files, *own]),
        adapter_files=size(own),
    )


def causal(model: Any, parts: CausalParts, *, allow_pickle: bool) -> Sizes:
    """Count a language model; a prompt trains nothing of it."""
    whole = replace(_sizes(model), trainable=0)
    if parts.gguf is not None:
        return replace(whole, files=size([parts.gguf]))
    files = [*_files(parts.folder, allow_pickle=allow_pickle), *matching(parts.folder, TOKENIZER)]
    return replace(whole, files=size(files))


def _files(folder: Path, *, allow_pickle: bool) -> list[Path]:
    return [*weight_files(folder, allow_pickle=allow_pickle), *matching(folder, CONFIG)]


def _adapter(folder: Path) -> int | None:
    """Return the numbers in an adapter's files; None where they are pickled."""
    total = 0
    files = sorted(folder.glob("*.safetensors"))
    for path in files:
        with safe_open(path, framework="pt") as file:
            total += sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118 - no mapping
    return total if files else None


def _sizes(model: Any) -> Sizes:
    config = model.config.get_text_config()
    # Held together, so that no two of them lie at one place by turns.
    own = [(part, _tensors(part)) for part in model.modules()]
    places = {_place(t): t for _, tensors in own for t in (*tensors.weights, *tensors.buffers)}
    weights: Counter[str] = Counter()
    for tensor in places.values():
        weights[str(tensor.dtype).removeprefix("torch.")] += tensor.numel() * tensor.element_size()
    return Sizes(
        parameters=_count(t for _, tensors in own for t in tensors.weights),
        # A table that is the output layer too is multiplied there.
        multiplied=_count(
            t for part, tensors in own if not isinstance(part, torch.nn.Embedding) for t in tensors.weights
        ),
        weights=dict(sorted(weights.items())),
        layers=getattr(config, "num_hidden_layers", None),
        width=getattr(config, "hidden_size", None),
        attention=tuple(_attention(model)),
        peak=_peak(model),
    )


@dataclass(frozen=True, slots=True)
class _Tensors:
    """What one part of a model keeps by itself."""

    weights: tuple[torch.Tensor, ...]
    buffers: tuple[torch.Tensor, ...]


def _tensors(part: torch.nn.Module) -> _Tensors:
    weights = tuple(part.parameters(recurse=False))
    if isinstance(part, torch.ao.nn.quantized.Linear):  # packed, and no parameters for torch
        packed: Any = part
        weights = tuple(tensor for tensor in (packed.weight(), packed.bias()) if tensor is not None)
    return _Tensors(weights, tuple(part.buffers(recurse=False)))


def _count(tensors: Iterable[torch.Tensor]) -> int:
    """Return how many numbers are kept, by place in memory: tied weights once, whatever their names."""
    return sum({_place(tensor): tensor.numel() for tensor in tensors}.values())


def _place(tensor: torch.Tensor) -> tuple[int, int, int]:
    """Return where a tensor lies; views of one storage at other places are other numbers."""
    return tensor.untyped_storage().data_ptr(), int(tensor.storage_offset()), tensor.numel()


def _attention(model: torch.nn.Module) -> Iterator[tuple[int, int]]:
    for name, part in model.named_modules():
        weight = getattr(part, "weight", None)
        if name.rpartition(".")[2] not in ATTENTION or not isinstance(weight, torch.Tensor):
            continue
        if isinstance(part, torch.nn.Linear):
            yield part.in_features, part.out_features
        elif weight.ndim == 2:  # GPT-2's Conv1D, which keeps (in, out)
            yield weight.shape[0], weight.shape[1]


def _peak(model: Any) -> int | None:
    return torch.cuda.max_memory_allocated(model.device) if model.device.type == "cuda" else peak()


# --- the machine, and writing ---------------------------------------------------------------


def machine(model: Any, dtype: str) -> str:
    """Return device, threads and number format."""
    where = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    if model.device.type == "cuda":
        where = torch.cuda.get_device_name(model.device)
    elif model.device.type != "cpu":
        where = model.device.type
    return f"{where}, {dtype}"


def keeps_past(model: Any) -> bool:
    """Whether the model takes up keys and values of what it read."""
    return cache_name(model) is not None


def steps(model: Any, ids: Sequence[int], count: int, started: float) -> Iterator[float]:
    """Yield the seconds to the first token from `started`, then to each further one."""
    more = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    given = torch.tensor([ids], device=model.device)
    name = cache_name(model) or ""
    past: Any = None
    for _ in range(count):
        with torch.inference_mode():
            out = model(input_ids=given, use_cache=True, **({} if past is None else {name: past}), **more)
            token = int(out.logits[0, -1].argmax())  # waits for the device
        now = time.perf_counter()
        yield now - started
        started = now
        fresh = torch.tensor([[token]], device=model.device)
        past = getattr(out, name) if name else None
        given = fresh if name else torch.cat([given, fresh], dim=1)
