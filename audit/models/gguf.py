"""What a .gguf file says of itself. The file's word holds, whatever the library makes of it.

transformers 4.57 puts the beginning token before every text and takes `<|im_start|>` for the end token of a
file that says otherwise; 5.x does neither. Reading the file ourselves makes both versions agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from audit.errors import ModelError, shown

INSTALL = 'pip install "trust-audit[gguf]"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The fields of a .gguf file that change an answer."""

    bos: int | None
    """Id of the beginning token."""
    eos: int | None
    """Id of the end token."""
    add_bos: bool
    """Whether each text begins with `bos`."""
    stated: bool
    """False where the file leaves `add_bos` open and llama.cpp's rule was taken."""


def read_metadata(path: Path) -> Metadata:
    """Return what the file at `path` says of its special tokens; reads the header alone.

    Where the file leaves `add_bos_token` open, llama.cpp's rule holds: yes for sentence-piece vocabularies
    and those of the Llama 3 kind, no for other byte-pair ones.

    Raises:
        ModelError: the extra is not installed, or the file is no GGUF.
    """
    require_gguf(path)
    from gguf import GGUFReader

    try:
        fields = GGUFReader(path).fields
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ModelError(
            f"model.source: {path.name} is no readable GGUF file: {type(error).__name__}: "
            f"{shown(str(error))}; bring it again"
        ) from error

    def value(name: str) -> object:
        return fields[f"tokenizer.ggml.{name}"].contents() if f"tokenizer.ggml.{name}" in fields else None

    def number(name: str) -> int | None:
        found = value(name)
        return found if isinstance(found, int) else None

    said = value("add_bos_token")
    llama = value("model") == "llama" or str(value("pre")).startswith("llama")
    return Metadata(
        bos=number("bos_token_id"),
        eos=number("eos_token_id"),
        add_bos=said if isinstance(said, bool) else llama,
        stated=isinstance(said, bool),
    )


def require_gguf(path: Path) -> None:
    """Raise a ModelError that names the extra where gguf or accelerate is missing."""
    from importlib.util import find_spec

    missing = [name for name in ("gguf", "accelerate") if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"model.source: reading {path.name} needs a package that is not installed: "
            f"{', '.join(missing)}: {INSTALL}"
        )
