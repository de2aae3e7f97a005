"""Where things lie outside of the user's tree: the cache folder and the demonstration parts in it."""

from __future__ import annotations

import os
from pathlib import Path

from audit.errors import ConfigError, did_you_mean, shown

DEMO = {
    "smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "minilm": "minilm",
    "minilm-movies": "minilm-movies",
    "movies/test": "movies/test.jsonl",
    "movies/train": "movies/train.jsonl",
    "amazon": "amazon.jsonl",
    "editorials": "editorials.jsonl",
    "tweets": "tweets.jsonl",
}
"""Name after `demo:` → place in the demo folder."""


def cache_folder() -> Path:
    """Return the user's cache folder for this tool (the platform's convention), not made yet."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "trust-audit"


def demo_folder() -> Path:
    """Return the folder that `audit demo` fills."""
    return cache_folder() / "demo"


def locate(source: str, base: Path, where: str) -> Path | None:
    """Return the path that `source` names, or None where it can only be a hub name.

    `demo:NAME` lies in the demo folder; other paths are relative to `base`, the folder of the config.
    Args:
        where: file and key, for messages.

    Raises:
        ConfigError: an unknown demo name, a demo part that was not brought yet, or a path that cannot be.
    """
    if source.startswith("demo:"):
        name = source.removeprefix("demo:")
        if name not in DEMO:
            hint = did_you_mean(name, list(DEMO)) or f"; known are {', '.join(DEMO)}"
            raise ConfigError(f"{where}: {shown(source)} is not a part of the demonstration{hint}")
        place = demo_folder() / DEMO[name]
        if not place.exists():
            raise ConfigError(f"{where}: {shown(source)} is not here yet: run `audit demo` first")
        return place
    try:
        place = base / Path(source).expanduser()  # an absolute path stays as it is
        return place if place.exists() else None
    except (OSError, RuntimeError) as error:
        # a name too long, a folder that nobody may look into, ~somebody who is not here
        said = error.strerror if isinstance(error, OSError) else "no such user"
        raise ConfigError(
            f"{where}: {shown(source)} cannot be looked for: {said}; name another path"
        ) from None
