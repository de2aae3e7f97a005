"""What transformers calls the keys and values that a model takes up and hands back."""

from __future__ import annotations

import inspect
from typing import Any


def cache_name(model: Any) -> str | None:
    """Return the name of the argument, and of the field of what comes back; None for a model without it.

    `past_key_values` up to transformers 5.23, `cache` from 5.24 on. There models with a recurrent state take
    a `cache` too, but what it holds cannot be cut into rows or shared: for us they keep nothing.
    """
    if getattr(model, "_is_stateful", False):
        return None
    taken = inspect.signature(model.forward).parameters
    return next((name for name in ("cache", "past_key_values") if name in taken), None)
