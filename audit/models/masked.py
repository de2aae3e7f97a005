"""A masked language model for attacks that put likely words in the place of others."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

from audit.errors import ModelError, shown
from audit.models.files import model_folder, read_json, weight_files
from audit.models.spec import HelperSpec, ModelSpec

HEAD = re.compile(r"(ForMaskedLM|ForPreTraining)$")
"""Names of classes that tell a masked word."""


class LazyMaskedLM:
    """A MaskedLM that is loaded at the first call."""

    def __init__(self, open_model: Callable[[], tuple[object, object]]) -> None:
        """Keep what loads it, once."""
        self._open = functools.cache(open_model)

    def load(self) -> tuple[object, object]:
        """Return the model, in evaluation mode, and its tokenizer.

        Raises:
            ModelError: it cannot be loaded.
        """
        return self._open()


def open_masked_lm(helper: HelperSpec, *, base: Path) -> LazyMaskedLM:
    """Return the model that `helper` names; its files are looked at, nothing is loaded.

    Raises:
        ModelError: no such model, no safetensors, or it tells no masked words.
    """
    if helper.device != "auto":
        raise ModelError(
            f"device: cannot be {shown(helper.device)}: TextAttack chooses the device; leave the key out"
        )
    said = {"kind": "fine-tuned", "source": helper.source, "revision": helper.revision}
    spec = ModelSpec.model_validate(said)
    folder = model_folder(spec, base)
    weight_files(folder, allow_pickle=False)
    kinds = read_json(folder / "config.json").get("architectures")
    if not isinstance(kinds, list) or not any(HEAD.search(str(kind)) for kind in kinds):
        raise ModelError(
            f"{shown(helper.source)} is no masked language model: its config names {shown(kinds)}; "
            "name one such as bert-base-uncased"
        )
    return LazyMaskedLM(lambda: _load(folder, helper.source))


def _load(folder: Path, name: str) -> tuple[object, object]:
    import torch
    import transformers
    from safetensors import SafetensorError

    from audit.models.files import first_line
    from audit.models.loading import load_tokenizer, quiet

    given = {"local_files_only": True, "trust_remote_code": False}
    with quiet():
        tokenizer = load_tokenizer(folder, given, name=name)
        try:
            model, report = transformers.AutoModelForMaskedLM.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **given
            )
        except (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError) as error:
            raise ModelError(
                f"helpers.masked_lm: the model cannot be loaded: {name}: {first_line(error)}; "
                "name a masked language model that transformers can load, saved as safetensors"
            ) from error
    lost = sorted(report["missing_keys"])
    if lost:
        raise ModelError(
            f"helpers.masked_lm: weights are missing and would be random: {name}: {shown(lost)}; "
            "save the whole model with save_pretrained"
        )
    if tokenizer.mask_token_id is None:
        raise ModelError(f"helpers.masked_lm: the tokenizer has no mask token: {name}; name another model")
    return model.eval(), tokenizer
