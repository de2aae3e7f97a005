"""Whether a causal model can be asked along trees on a shared prefix: found out by trying it."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from audit.models.eight_bit import number_format
from audit.models.keeping import cache_name
from audit.models.pool import Pool
from audit.models.tree import Chain, Tree, fill, read, read_plain

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def shares(model: PreTrainedModel) -> bool:
    """Try out whether trees on a shared prefix get the answers of plain sequences from this model.

    False for models without a key-value cache, with positions of their own making (ALiBi), or with a
    recurrent state; a few dozen tokens tell.
    """
    accepted = inspect.signature(model.forward).parameters
    if cache_name(model) is None or not {"attention_mask", "position_ids"} <= set(accepted):
        return False
    size = int(model.config.get_text_config().vocab_size)
    prefix = [i % size for i in range(11, 23)]
    # Four branches on one stem, each read at several tokens, and a second tree beside them.
    ids, asked = [i % size for i in (1, 31, 5, 7, 9, 13)], [i % size for i in (2, 3, 4, 17, 40)]
    branches = tuple((place, token) for place in range(2, 6) for token in asked)
    trees = [
        Tree(tuple(ids), (-1, 0, 1, 1, 1, 1), branches),
        Tree((17 % size, 3 % size), (-1, 0), tuple((1, token) for token in asked)),
    ]
    plain = np.concatenate(read_plain(model, trees, prefix, batch_tokens=64))
    try:
        pool = Pool(len(prefix))
        fill(model, pool, [Chain(tuple(prefix[:5]), (), 0)])
        fill(model, pool, [Chain(tuple(prefix[5:]), tuple(range(5)), 5)])
        hung = [replace(tree, behind=tuple(range(len(prefix)))) for tree in trees]
        shared = np.concatenate(read(model, hung, pool))
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, NotImplementedError):
        # What models raise that do not know a mask of four axes or a cache of keys and values.
        return False
    # Rounded, right answers differ by a few tenths here; a lost prefix or a mixed-up branch by several.
    near = 1e-3 if number_format(model) == "float32" else 1.0
    return bool(np.abs(plain - shared).max() < near)


def window(model: PreTrainedModel) -> int | None:
    """Return the longest sequence for which sharing is right, None where there is no such limit.

    A sliding window and position scaling that depends on the length both break longer ones.
    """
    config = model.config.get_text_config()
    sliding = getattr(config, "sliding_window", None)
    if sliding is not None and getattr(config, "use_sliding_window", True):
        return int(sliding)
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    return 0 if kind in ("dynamic", "longrope") else None
