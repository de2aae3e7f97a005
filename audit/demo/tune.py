"""Fine-tune the small encoder on movie snippets, and keep it with the recipe it was made by.

What it makes is a candidate to audit, not the best model these data allow: few snippets, two epochs, no
search over settings.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audit.demo.bring import place
from audit.demo.learn import Encoded, Recipe, accuracy, learn
from audit.demo.parts import sha256_of
from audit.errors import DataError, ModelError, shown
from audit.seeds import Seeds

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LABELS = ("negative", "positive")
"""In the order of the model's classes."""

_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_RECIPE = "recipe.json"
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What tuning made."""

    model: Path
    accuracy: float
    """Share of the held-out snippets answered right."""
    held_out: int
    reused: bool
    """True where the model of this recipe was there already."""


@dataclass(frozen=True, slots=True)
class _Snippet:
    id: str
    text: str
    label: int


def tune(
    encoder: Path,
    train: Path,
    target: Path,
    on_progress: Callable[[int, int], None],
    *,
    recipe: Recipe | None = None,
) -> Tuned:
    """Fine-tune `encoder` on `train` and put the classifier at `target`, whole or not at all.

    Args:
        encoder: folder of a transformers model with a tokenizer.json and safetensors.
        train: jsonl with `id`, `text` and `label`, one of `LABELS`.
        target: folder to make; left alone where it holds what this recipe makes of these files.
        on_progress: told after each step: steps done, steps in all.

    Raises:
        DataError: `train` has too few snippets of a label, or `target` cannot be written.
        ModelError: `encoder` cannot be loaded.
    """
    recipe = recipe or Recipe()
    try:
        key = _key(encoder, train, recipe)
        known = _known(target, key)
        if known is not None:
            return known
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".tune-") as name:
            new = Path(name) / target.name
            share = _make(encoder, train, new, on_progress, recipe)
            result = {
                "key": key,
                "weights": sha256_of(new / _WEIGHTS),
                "accuracy": share,
                "held_out": recipe.held_out,
                "recipe": asdict(recipe),
            }
            (new / _RECIPE).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
            place(new, target)
    except OSError as error:
        raise DataError(
            f"the encoder cannot be tuned: {error.filename or target}: {error.strerror or shown(str(error))};"
            " mend that and run `audit demo` again (what was brought stays)"
        ) from error
    return Tuned(model=target, accuracy=share, held_out=recipe.held_out, reused=False)


def _key(encoder: Path, train: Path, recipe: Recipe) -> str:
    parts = [sha256_of(path) for path in (encoder / _WEIGHTS, encoder / "tokenizer.json", train)]
    text = json.dumps([*parts, asdict(recipe)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _known(target: Path, key: str) -> Tuned | None:
    """Return what `target` holds, if it is of this key and its weights are the ones that were saved."""
    try:
        found = json.loads((target / _RECIPE).read_text(encoding="utf-8"))
        saved = {"key": key, "weights": sha256_of(target / _WEIGHTS)}
    except (OSError, ValueError):
        return None
    match found:
        case {"accuracy": float(share), "held_out": int(held_out)} if found.items() >= saved.items():
            return Tuned(model=target, accuracy=share, held_out=held_out, reused=True)
    return None


def _make(
    encoder: Path, train: Path, new: Path, on_progress: Callable[[int, int], None], recipe: Recipe
) -> float:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    from audit.models.loading import quiet

    snippets, held_out = _chosen(train, recipe)
    # Quiet: transformers warns that the classification layer is new, which is the purpose. Dropout and that
    # layer draw from torch's own stream: give it back as it was.
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(Seeds(recipe.seed).number("tune"))
        model = _load(encoder)
        tokenizer = AutoTokenizer.from_pretrained(encoder)

        def encode(chosen: Sequence[_Snippet]) -> list[Encoded]:
            told = tokenizer([one.text for one in chosen], truncation=True, max_length=recipe.max_length)
            return [Encoded(tuple(ids), one.label) for ids, one in zip(told.input_ids, chosen, strict=True)]

        pad = int(tokenizer.pad_token_id or 0)
        learn(model, encode(snippets), pad, on_progress, recipe)
        share = accuracy(model, encode(held_out), pad)
        try:
            model.save_pretrained(new)
        except SafetensorError as error:  # what a full disk becomes there
            raise OSError(str(error)) from error
    # Copied, not saved again: a tokenizer saved by transformers 5 names a class that 4.57 does not know.
    for name in (*_TOKENIZER, "NOTICE.txt"):
        if (encoder / name).is_file():
            shutil.copyfile(encoder / name, new / name)
    return share


def _load(encoder: Path) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForSequenceClassification

    try:
        return AutoModelForSequenceClassification.from_pretrained(
            encoder,
            dtype=torch.float32,
            id2label=dict(enumerate(LABELS)),
            label2id={label: i for i, label in enumerate(LABELS)},
            use_safetensors=True,
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the encoder cannot be loaded: {encoder}: {shown(str(error))}; remove the folder and run"
            " `audit demo` again"
        ) from error


def _chosen(train: Path, recipe: Recipe) -> tuple[list[_Snippet], list[_Snippet]]:
    """Return the snippets to learn from and those held out, balanced, chosen by id and not by place."""
    seeds = Seeds(recipe.seed)
    lines = train.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    snippets = [_parsed(line, train, n) for n, line in enumerate(lines, 1)]
    learn: list[_Snippet] = []
    held_out: list[_Snippet] = []
    for label, name in enumerate(LABELS):
        own = [one for one in snippets if one.label == label]
        wanted = (recipe.snippets + recipe.held_out) // 2
        if len(own) < wanted:
            raise DataError(
                f"too few snippets to tune on: {train}: found {len(own)} of {name!r}, {wanted} are needed;"
                " remove the file and run `audit demo` again"
            )
        own.sort(key=lambda one: seeds.number("tune", one.id))
        learn += own[: recipe.snippets // 2]
        held_out += own[recipe.snippets // 2 : wanted]
    return learn, held_out


def _parsed(line: str, train: Path, number: int) -> _Snippet:
    with suppress(ValueError):  # what is no JSON is said below, as what is JSON of another form
        match json.loads(line):
            case {"id": str(name), "text": str(text), "label": str(label)} if label in LABELS:
                return _Snippet(name, text, LABELS.index(label))
    raise DataError(
        f"a line is no labelled snippet: {train}, line {number}: found {shown(line)}; remove the file and run"
        " `audit demo` again"
    )
