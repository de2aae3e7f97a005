"""Text from data, models and errors, made harmless and visible for any reader."""

from __future__ import annotations

import re

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_BROKEN = re.compile("[\x80-\x9f\ud800-\udfff\ufffe\uffff]")
_DIRECTING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Return `text` without what could steer a terminal, a page or a parser; nothing vanishes unseen.

    Control characters become their pictures (␛), lone surrogates and non-characters �, and marks that
    reorder a line (⟨U+202E⟩) are named. Tabs and line feeds stay.
    """
    text = _CONTROLS.sub(
        lambda m: "\u2421" if m[0] == "\x7f" else chr(0x2400 + ord(m[0])), text.replace("\r\n", "\n")
    )
    text = _BROKEN.sub("\ufffd", text)
    return _DIRECTING.sub(lambda m: f"⟨U+{ord(m[0]):04X}⟩", text)


def one_line(text: str) -> str:
    """Return `clean` text with every run of white space as one space."""
    return " ".join(clean(text).split())
