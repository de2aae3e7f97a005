"""Text to token ids, piece by piece, so that a boundary never tokenises in two ways unseen.

A prompt is a list of pieces, each tokenised by itself, and the ids are joined:

    [BOS]  instruction  (separator + template up to its field | the field to the template's end | label) …

- BOS stands first where the model's files say so, and only there.
- A boundary lies before the separator, before the first field of the template (`{text}` or `{pair}`), after
  the template, and after the label. Spaces before a field go with the field, and spaces at the end of the
  template with the label ("Sentiment: " + "Positive" is "Sentiment:" + " Positive", METHODS 4.1), so that
  words carry their leading space as in running text. A label that has a leading space keeps its one.
- The demonstrations and the test item are cut alike.

Most byte-pair tokenizers part words at just these places, so that the ids equal those of the whole string.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.errors import ConfigError, ModelError, shown
from audit.schema import Example, Prompt, Text

FIELD = re.compile(r"\{(text|pair)\}")
MARK = "\ue000audit\ue001"
"""Stands for the test item while a chat template is filled; private-use characters, in no real template."""


class Pieces:
    """A tokenizer that is asked for pieces."""

    def __init__(self, tokenizer: Any, *, bos: int | None) -> None:
        """Find out whether the tokenizer invents a space before a piece.

        Args:
            bos: id to put before everything, None for no such token.
        """
        self._tokenizer = tokenizer
        self._bos = bos
        self._anchor = ""
        for anchor in ("\n", "|"):
            lead, both = self._raw([anchor, anchor + "x"])
            if both[: len(lead)] == lead:
                self._anchor = "" if both[len(lead) :] == self._raw(["x"])[0] else anchor
                break

    def start(self, text: str) -> tuple[int, ...]:
        """Return the ids of a text that begins a sequence, with BOS, once: chat templates spell it out."""
        ids = tuple(self._raw([text])[0]) if text else ()
        return ids if self.empty and ids[:1] == self.empty else (*self.empty, *ids)

    @property
    def empty(self) -> tuple[int, ...]:
        """What every sequence begins with: BOS or nothing."""
        return () if self._bos is None else (self._bos,)

    def follow(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the ids of each text as they are after other text.

        Sentence-piece tokenizers put a space before whatever they are given; there an anchor goes before the
        text and its ids are taken off again.
        """
        if not self._anchor:
            return [tuple(ids) for ids in self._raw(texts)]
        lead = self._raw([self._anchor])[0]
        both = self._raw([self._anchor + text for text in texts])
        parted = [ids[: len(lead)] == lead for ids in both]
        alone = iter(self._raw([text for text, fine in zip(texts, parted, strict=True) if not fine]))
        return [
            tuple(ids[len(lead) :] if fine else next(alone)) for ids, fine in zip(both, parted, strict=True)
        ]

    def _raw(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        made = self._tokenizer([whole(text) for text in texts], add_special_tokens=False, verbose=False)
        ids: list[list[int]] = made["input_ids"]
        return ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A prompt as pieces of text."""

    segments: tuple[tuple[str, ...], ...]
    """Pieces that stand before every test item: up to the first demonstration's text, then for each
    demonstration from its text to the beginning of the next; none is empty."""
    section: str
    """The template from its first field to its last, spaces before it included."""
    tail: str
    """What stands between the test item and the label."""
    forms: Mapping[str, tuple[str, ...]]
    """Label → forms as they are tokenised, leading space included."""

    @property
    def shared(self) -> tuple[str, ...]:
        """All pieces that stand before every test item."""
        return tuple(piece for segment in self.segments for piece in segment)


def fill(template: str, text: Text) -> str:
    """Put a text or a pair into a template in one pass: braces in the text stay as they are.

    >>> fill("{text} or {pair}?", ("{pair}", "no"))
    '{pair} or no?'
    """
    first, second = (text, "") if isinstance(text, str) else text
    return FIELD.sub(lambda found: first if found[1] == "text" else second, template)


def lay_out(prompt: Prompt, chat: Callable[[list[dict[str, str]]], str] | None) -> Layout:
    """Cut a prompt into pieces.

    Args:
        chat: renders messages through the model's chat template; used where `prompt.chat` asks for it. The
            instruction is then the system's message, each filled template a user's, each label (its spaces
            taken off) an assistant's answer.

    Raises:
        ConfigError: the template has no field.
        ModelError: the chat template changes the messages so that the test item is lost.
    """
    cut = prompt.template.rstrip(" ")
    head, section, tail = _split(cut)
    forms = {
        label: tuple(_form(form, prompt, spaced=cut != prompt.template) for form in forms)
        for label, forms in prompt.verbalizers.items()
    }
    if prompt.chat:
        assert chat is not None
        return _chat_layout(prompt, chat, forms)
    lead = [prompt.instruction] if prompt.instruction else []
    begin = (prompt.separator if lead else "") + head
    segments = [[*lead, begin]]
    for example in prompt.demonstrations:
        segments.append(
            [fill(section + tail, example.input), _shown(forms, example), prompt.separator + head]
        )
    kept = [tuple(piece for piece in segment if piece) for segment in segments]
    return Layout(
        segments=tuple(segment for segment in kept if segment), section=section, tail=tail, forms=forms
    )


def _split(template: str) -> tuple[str, str, str]:
    """Before the fields, the fields with the spaces before them, after the fields."""
    fields = list(FIELD.finditer(template))
    if not fields:
        raise ConfigError(
            f"model.prompt.template has no {{text}}: found {shown(template)}; "
            'write where the text goes, for instance "Review: {text}\\nSentiment:"'
        )
    head = template[: fields[0].start()].rstrip(" ")
    return head, template[len(head) : fields[-1].end()], template[fields[-1].end() :]


def _form(form: str, prompt: Prompt, *, spaced: bool) -> str:
    if prompt.chat:
        return form.strip()
    return " " + form if spaced and not form.startswith(" ") else form


def _shown(forms: Mapping[str, tuple[str, ...]], example: Example) -> str:
    """The form that a demonstration shows."""
    if example.label is None or example.label not in forms:
        raise ModelError(
            f"a demonstration has a label that the verbalizers do not know: example {shown(example.id)}: "
            f"found {shown(example.label)}, known are {', '.join(forms)}; give it one of these"
        )
    return forms[example.label][0]


def _chat_layout(
    prompt: Prompt, chat: Callable[[list[dict[str, str]]], str], forms: Mapping[str, tuple[str, ...]]
) -> Layout:
    cut = prompt.template.rstrip(" ")
    head, section, tail = _split(cut)
    messages = [{"role": "system", "content": prompt.instruction}] if prompt.instruction else []
    for example in prompt.demonstrations:
        messages += [
            {"role": "user", "content": fill(cut, example.input)},
            {"role": "assistant", "content": _shown(forms, example)},
        ]
    rendered = chat([*messages, {"role": "user", "content": f"{head}{MARK}{tail}"}])
    if rendered.count(MARK) != 1:
        raise ModelError(
            "the model's chat template does not keep the user's message: model.prompt.chat: the test item "
            f"stands {rendered.count(MARK)} times in what it makes; set model.prompt.chat: false"
        )
    before, after = rendered.split(MARK)
    return Layout(segments=((before,),) if before else (), section=section, tail=after, forms=forms)


def shorten(text: Text, keep: int) -> Text:
    """Keep `keep` characters, from the front; of a pair the longer one is cut first.

    >>> shorten(("abcdef", "xy"), 5)
    ('abc', 'xy')
    """
    if isinstance(text, str):
        return text[:keep]
    first, second = text
    half = keep // 2
    if len(first) <= half:
        return first, second[: keep - len(first)]
    if len(second) <= half:
        return first[: keep - len(second)], second
    return first[: keep - half], second[:half]


def fit(text: Text, room: int, count: Callable[[Text], int]) -> Text:
    """Return a beginning of `text` whose `count` of tokens is at most `room`, the longest where a longer text
    has no fewer tokens. A word that is cut may have more tokens than the whole of it; then the beginning may
    be a few characters short of the longest, never too long.
    """
    total = len(text) if isinstance(text, str) else len(text[0]) + len(text[1])
    keep = bisect.bisect_right(range(1, total + 1), room, key=lambda n: count(shorten(text, n)))
    while keep and count(shorten(text, keep)) > room:
        keep -= 1
    return shorten(text, keep)


def whole(text: str) -> str:
    """Return `text`, half characters (lone surrogates, which no tokenizer takes) as U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
