"""Whether a model can share a prefix is found out by asking it, in every number format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from audit.models.sharing import shares


def opened(folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(folder).to(dtype).eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["llama", "mistral"])
def test_attention_with_turned_positions_shares(
    tiny: Callable[..., Path], kind: str, dtype: torch.dtype
) -> None:
    assert shares(opened(tiny(kind), dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["bloom", "mamba"])
def test_positions_of_its_own_making_and_a_recurrent_state_do_not_share(
    tiny: Callable[..., Path], kind: str, dtype: torch.dtype
) -> None:
    assert not shares(opened(tiny(kind), dtype))


@pytest.mark.model
@pytest.mark.slow
def test_the_real_model_shares_in_bfloat16() -> None:
    from audit.models.cache import Cache
    from audit.models.causal import load_causal
    from audit.models.parts import find_causal
    from audit.models.spec import ModelSpec
    from audit.places import DEMO, demo_folder

    if not (demo_folder() / DEMO["smollm2"]).exists():
        pytest.skip("no demo:smollm2 here: run `audit demo`")
    spec = ModelSpec(kind="in-context", source="demo:smollm2", dtype="bfloat16")

    assert load_causal(find_causal(spec, base=Path(), cache=Cache(None)), spec).shares
