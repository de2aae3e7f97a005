"""Published numbers of adapters and operations follow from sizes alone."""

from __future__ import annotations

import pytest

from probes.efficiency.arithmetic import forward_operations, lora_parameters, training_operations


@pytest.mark.parametrize(
    ("layers", "width", "rank", "expected"),
    [
        (12, 768, 8, 294_912),  # BERT-base
        (24, 1024, 8, 786_432),  # RoBERTa-large
        (96, 12_288, 1, 4_718_592),  # GPT-3
        (96, 12_288, 8, 37_748_736),
    ],
)
def test_an_adapter_on_query_and_value_has_the_published_size(
    layers: int, width: int, rank: int, expected: int
) -> None:
    assert expected == lora_parameters([(width, width)] * 2 * layers, rank)


def test_a_narrow_value_projection_takes_a_smaller_adapter() -> None:
    assert 8 * (576 + 576) + 8 * (576 + 192) == lora_parameters([(576, 576), (576, 192)], 8)


def test_training_gpt_3_takes_the_published_operations() -> None:
    assert pytest.approx(3.15e23) == training_operations(175e9, 300e9)
    # 499 billion tokens are its corpus, not what it was trained on.
    assert pytest.approx(5.24e23, rel=1e-3) == training_operations(175e9, 499e9)


def test_reading_takes_two_operations_for_each_parameter_and_token_and_those_of_attention() -> None:
    assert 2 * 1000 * 10 == forward_operations(1000, 10, layers=0, width=64)
    assert 2 * 1000 * 10 + 2 * 3 * 100 * 64 == forward_operations(1000, 10, layers=3, width=64)
