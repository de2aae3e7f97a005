"""What follows from sizes alone: adapters and operations."""

from __future__ import annotations

from collections.abc import Iterable


def lora_parameters(shapes: Iterable[tuple[int, int]], rank: int) -> int:
    """Return the parameters of low-rank adapters on projections of these shapes: Σ rank · (in + out).

    Source: Hu et al. 2021 (arXiv:2106.09685), section 4.2.

    >>> lora_parameters([(768, 768)] * 24, 8)  # query and value of the twelve layers of BERT-base
    294912
    """
    return sum(rank * (d_in + d_out) for d_in, d_out in shapes)


def forward_operations(parameters: float, tokens: float, *, layers: int, width: int) -> float:
    """Return the floating-point operations of reading a request: 2 N n + 2 L n² d.

    The second term is attention's, of a model whose tokens see what stands before them; where they see all of
    the text it is twice that, which is left out as small beside the first.

    Args:
        parameters: N, those that each token is multiplied with.
        tokens: n, of the request.
        layers: L.
        width: d.

    Source: Kaplan et al. 2020 (arXiv:2001.08361), table 1.
    """
    return 2 * parameters * tokens + 2 * layers * tokens**2 * width


def training_operations(parameters: float, tokens: float) -> float:
    """Return the floating-point operations of training on so many tokens: 6 N D, backward pass included.

    Source: Kaplan et al. 2020, section 2.1.

    >>> f"{training_operations(175e9, 300e9):.3g}"  # GPT-3
    '3.15e+23'
    """
    return 6 * parameters * tokens
