"""How a language model is asked to write: the user's prompt as one text, and what goes around a question."""

from __future__ import annotations

import re

from audit.errors import ConfigError, shown
from audit.schema import Prompt, Text

PLAIN = "{text}"
FIELD = re.compile(r"\{(text|pair)\}")


def check_frame(probe: str, frame: str) -> None:
    """Check a parameter.

    Raises:
        ConfigError: the frame does not say, once, where the text goes.
    """
    if frame.count("{text}") != 1:
        raise ConfigError(f"{probe}: frame: cannot be {shown(frame)}; write {{text}} in it once")


def rendered(prompt: Prompt, text: Text, *, warning: str = "") -> str:
    """Return the prompt as it is written for one text, up to where the label begins; no chat template.

    Args:
        warning: what the instruction ends with.
    """
    template = prompt.template.rstrip(" ")
    spaced = template != prompt.template
    parts = [" ".join(part for part in (prompt.instruction, warning) if part)]
    for one in prompt.demonstrations:
        form = prompt.verbalizers[str(one.label)][0]
        gap = " " if spaced and not form.startswith(" ") else ""
        parts.append(filled(template, one.input) + gap + form)
    return prompt.separator.join(part for part in [*parts, filled(template, text)] if part)


def filled(template: str, text: Text) -> str:
    """Put a text or a pair into a template in one pass: braces in the text stay as they are.

    >>> filled("{text} or {pair}?", ("{pair}", "no"))
    '{pair} or no?'
    """
    first, second = (text, "") if isinstance(text, str) else text
    return FIELD.sub(lambda found: first if found[1] == "text" else second, template)


def aside(frame: str, *, chat: bool) -> str:
    """Return what a note must say of the way of asking; empty where it is the user's own."""
    if frame != PLAIN:
        return f"; asked within the frame {shown(frame)}"
    return "; asked without the model's chat template: set `frame` to its marks" if chat else ""
