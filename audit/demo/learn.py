"""A plain training loop: the same weights from the same seed, snippets and machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.seeds import Seeds

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the encoder is tuned; another recipe, another model."""

    snippets: int = 3000
    """Half of each label."""
    held_out: int = 500
    """Snippets of the same file that tuning never sees, half of each label."""
    epochs: int = 2
    batch: int = 32
    rate: float = 1e-4
    """The largest learning rate, reached after `warmup` and going down to zero, both linearly."""
    warmup: float = 0.1
    """Share of the steps."""
    decay: float = 0.01
    """Weight decay, of matrices only."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    max_length: int = 128
    """Tokens; longer snippets are cut."""
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Encoded:
    """One snippet as the model sees it."""

    ids: tuple[int, ...]
    label: int
    """Place of the right class."""


def learn(
    model: PreTrainedModel,
    snippets: Sequence[Encoded],
    pad: int,
    on_progress: Callable[[int, int], None],
    recipe: Recipe,
) -> None:
    """Train `model` in place: cross-entropy, AdamW, learning rate up and down linearly.

    Args:
        pad: token id that fills a batch's shorter rows; masked.
        on_progress: told after each step: steps done, steps in all.
    """
    import torch

    batches = [batch for epoch in range(recipe.epochs) for batch in _batches(snippets, epoch, recipe)]
    steps = len(batches)
    warm = max(1, round(recipe.warmup * steps))
    matrices = [one for one in model.parameters() if one.ndim > 1]
    others = [one for one in model.parameters() if one.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.rate,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (steps - step) / max(1, steps - warm))
    )
    model.train()
    for done, batch in enumerate(batches, 1):
        loss = torch.nn.functional.cross_entropy(
            model(**_padded(batch, pad)).logits, torch.tensor([one.label for one in batch])
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        schedule.step()
        on_progress(done, steps)


def _batches(snippets: Sequence[Encoded], epoch: int, recipe: Recipe) -> list[list[Encoded]]:
    """Return one epoch's batches in random order, each of snippets of like length, to pad little."""
    rng = Seeds(recipe.seed).rng("tune", "epoch", str(epoch))
    order = [snippets[i] for i in rng.permutation(len(snippets))]
    # Sorted within stretches of some batches, so that the same snippets do not always meet.
    stretch = 50 * recipe.batch
    near = [
        one
        for start in range(0, len(order), stretch)
        for one in sorted(order[start : start + stretch], key=lambda one: len(one.ids))
    ]
    batches = [near[start : start + recipe.batch] for start in range(0, len(near), recipe.batch)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _padded(batch: Sequence[Encoded], pad: int) -> Mapping[str, torch.Tensor]:
    """Return `input_ids` and `attention_mask`, both (n, longest of the batch)."""
    import torch

    longest = max(len(one.ids) for one in batch)
    rows = [[*one.ids, *[pad] * (longest - len(one.ids))] for one in batch]
    mask = [[1] * len(one.ids) + [0] * (longest - len(one.ids)) for one in batch]
    return {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(mask)}


def accuracy(model: PreTrainedModel, snippets: Sequence[Encoded], pad: int) -> float:
    """Return the share of snippets, in [0, 1], whose largest logit is at their label; higher is better."""
    import torch

    model.eval()
    ranked = sorted(snippets, key=lambda one: len(one.ids))
    right = 0
    with torch.inference_mode():
        for start in range(0, len(ranked), 64):
            batch = ranked[start : start + 64]
            answers = model(**_padded(batch, pad)).logits.argmax(dim=1).tolist()
            right += sum(answer == one.label for answer, one in zip(answers, batch, strict=True))
    return right / len(snippets)
