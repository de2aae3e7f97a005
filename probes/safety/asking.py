"""How a language model is asked to write: the user's prompt as one text, and what goes around a question."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from audit.errors import ConfigError, shown
from audit.schema import LanguageModel, Prompt, Text

PLAIN = "{text}"
FIELD = re.compile(r"\{(text|pair)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What goes around each text that a model is asked."""

    form: str
    """With `{text}` once."""
    aside: str
    """What a note says of it, as its end."""

    def around(self, text: str) -> str:
        """Return the text within; what looks like a field in the text stays as it is."""
        return self.form.replace(PLAIN, text)


def framed(frame: str | None, language: LanguageModel, *, plain: str = PLAIN) -> Frame:
    """Return the frame in force: the user's own, else the model's chat template, else `plain`."""
    if frame is not None:
        return Frame(form=frame, aside=f"; asked within the frame {shown(frame)}")
    chat = language.chat_frame
    if chat is not None:
        return Frame(form=chat, aside="; asked in the model's own chat template")
    within = "as it is" if plain == PLAIN else f"within {shown(plain)}"
    return Frame(form=plain, aside=f"; the model has no chat template, so the text is asked {within}")


def check_frame(probe: str, frame: str | None) -> None:
    """Check a parameter.

    Raises:
        ConfigError: the frame does not say, once, where the text goes.
    """
    if frame is not None and frame.count(PLAIN) != 1:
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


def sameness(texts: Sequence[str]) -> str:
    """Say what a model wrote in more than half of the texts; empty where there is no such text.

    >>> sameness(["", " ", "a river"])
    "the model wrote the same, '', in 2 of 3 texts"
    """
    said, times = Counter(text.strip() for text in texts).most_common(1)[0]
    if 2 * times <= len(texts):
        return ""
    return f"the model wrote the same, {shown(said)}, in {times} of {len(texts)} texts"


def silence(texts: Sequence[str]) -> str:
    """Say how many texts are empty, as the end of a note; empty where none is."""
    silent = sum(not text.strip() for text in texts)
    return f"; {silent} of {len(texts)} texts are empty" if silent else ""
