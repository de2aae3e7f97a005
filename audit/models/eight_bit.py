"""Linear layers in 8-bit integers, on processors with instructions for it.

Weights have one scale for each output, inputs one for each token (vector-wise quantisation as in LLM.int8,
Dettmers et al. 2022, section 3.1, without its columns of outliers; by token as in ZeroQuant, Yao et al.
2022). torch's own dynamic quantisation takes one scale for all tokens of a batch: then a text is answered
otherwise among others than alone, and a probe that looks for flips finds those. Heads, whose outputs are
labels or the vocabulary, stay in float32: little time goes there, and errors reach the answer.
"""

from __future__ import annotations

from typing import Any

import torch

from audit.errors import ModelError

STEPS = 127
"""Of a scale to either side; −128 is not used, so that both sides are alike."""

MIDDLE = 128
"""Where zero lies in unsigned bytes, which is what the processor multiplies with signed ones."""


class EightBit(torch.nn.Linear):
    """A linear layer whose product is taken in 8-bit integers and given in float32."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        """Take the weights of a float32 layer on the CPU."""
        torch.nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        weight = layer.weight.detach()
        scale = (weight.abs().amax(dim=1) / STEPS).clamp_min_(torch.finfo(torch.float32).tiny)
        whole = (weight / scale[:, None]).round_().to(torch.int8)
        self.weight = torch.nn.Parameter(whole, requires_grad=False)
        self.bias = (
            None if layer.bias is None else torch.nn.Parameter(layer.bias.detach(), requires_grad=False)
        )
        self.register_buffer("scale", scale)
        self._zeros = torch.zeros(self.out_features, dtype=torch.int64)
        self._packed = torch.ops.onednn.qlinear_prepack(whole, None)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return (…, out) for (…, in): x · W + b, x rounded to 1/127 of the largest of its token."""
        tokens = inputs.reshape(-1, self.in_features)
        largest = torch.maximum(tokens.amax(dim=1, keepdim=True), tokens.amin(dim=1, keepdim=True).neg_())
        scale = largest.clamp_min_(torch.finfo(torch.float32).tiny * STEPS).div_(STEPS)
        # To signed bytes and on to unsigned ones: torch turns floats into the latter six times slower.
        near = torch.mul(tokens, scale.reciprocal()).round_()
        whole = near.to(torch.int8).view(torch.uint8).add_(MIDDLE)
        out = torch.ops.onednn.qlinear_pointwise(
            *(whole, 1.0, MIDDLE, self._packed, self.scale, self._zeros),
            *(None, 1.0, 0, torch.float32, "none", [], ""),
        )
        out = out.mul_(scale) if self.bias is None else torch.addcmul(self.bias, out, scale)
        return out.view(*inputs.shape[:-1], self.out_features)


def in_eight_bit(model: Any, device: torch.device, *, name: str) -> Any:
    """Put 8-bit layers in the place of a float32 model's linear ones, but for its heads.

    Raises:
        ModelError: the device or the processor cannot do it, or the model has no such layer.
    """
    if device.type != "cpu":
        raise ModelError(
            f"model.dtype: int8 is for the processor, got model.device {device.type}; "
            "set model.device: cpu, or use bfloat16"
        )
    if not able():
        raise ModelError(
            "model.dtype: int8 needs a processor with instructions for it (VNNI), and this one has none; "
            "use float32 or bfloat16"
        )
    head, labels, found = model.get_output_embeddings(), getattr(model.config, "num_labels", None), 0
    for parent in list(model.modules()):
        for key, layer in list(parent.named_children()):
            inner = layer is not head and getattr(layer, "out_features", None) != labels
            if type(layer) is torch.nn.Linear and inner:
                setattr(parent, key, EightBit(layer))
                found += 1
    if not found:
        raise ModelError(
            f"model.dtype: int8 finds no linear layer in {name} ({type(model).__name__}); use float32"
        )
    return model


def loaded_as(dtype: str) -> torch.dtype:
    """Return the number format in which weights are read: int8 is made of float32."""
    found: torch.dtype = torch.float32 if dtype == "int8" else getattr(torch, dtype)
    return found


def number_format(model: torch.nn.Module) -> str:
    """Return the number format of a loaded model, as `model.dtype` names it."""
    if any(isinstance(part, EightBit) for part in model.modules()):
        return "int8"
    return str(next(model.parameters()).dtype).removeprefix("torch.")


def able() -> bool:
    """Whether this processor multiplies bytes without overflow, and this torch knows how."""
    known = getattr(torch.cpu, "_is_vnni_supported", None)
    return known is not None and hasattr(torch.ops.onednn, "qlinear_pointwise") and bool(known())
