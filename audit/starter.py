"""The text of a model.yaml to start from: every choice has a comment that says what it decides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal


def starter(
    kind: Literal["fine-tuned", "in-context"],
    source: str,
    test: str,
    labels: Sequence[str],
    text: str,
    label: str,
    train: str | None = None,
) -> str:
    """Return a commented model.yaml that `config.load` accepts.

    Args:
        kind: of the model.
        source: the model: a folder, a hub name, a .gguf file, or `demo:NAME`.
        test: file or hub name of the labelled examples.
        labels: names of the classes, at least two.
        text: column of the text.
        label: column of the label.
        train: file or hub name of training examples; an in-context model takes its demonstrations from it.
    """
    model = _FINE_TUNED if kind == "fine-tuned" else _prompted(labels, shots=4 if train else 0)
    train_line = f"  train: {{source: {_quoted(train)}}}\n" if train else _NO_TRAIN
    return (
        _MODEL.format(kind=kind, source=_quoted(source))
        + model
        + _TASK.format(
            labels=", ".join(_quoted(one) for one in labels), text=_quoted(text), label=_quoted(label)
        )
        + _DATA.format(test=_quoted(test), train=train_line)
        + _REST
    )


def _quoted(text: str) -> str:
    # a JSON string is a YAML string, but for the unprintable characters that YAML wants escaped
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))


def _prompted(labels: Sequence[str], *, shots: int) -> str:
    forms = "\n".join(f"      {_quoted(one)}: [{_quoted(' ' + one)}]" for one in labels)
    return _PROMPT.format(forms=forms, shots=shots)


_MODEL = """\
# What is audited, on what, and what is tolerated. Run it with `audit run` and the name of this file.
# Relative paths start from the folder of this file. A key that does not exist is an error.
version: 1

model:
  kind: {kind}  # fine-tuned (a classifier with its own head) or in-context (a language model and a prompt)
  source: {source}  # a folder, a hub name, a .gguf file, or demo:NAME
  revision: null  # of a hub name: pin a commit before you promote, or the model may change under you
  dtype: float32  # bfloat16 is faster on a GPU, int8 on a CPU with VNNI; answers then differ a little
  device: auto  # auto takes the GPU where there is one; or cpu, cuda, cuda:1, mps
"""

_FINE_TUNED = """\
  label_map: null  # where the model says LABEL_0: {LABEL_0: negative, LABEL_1: positive}
"""

_PROMPT = """\
  prompt:
    instruction: ""  # stands before everything, once
    template: "Text: {{text}}\\nLabel:"  # must end where the label begins, without a space
    # alternatives: ["{{text}} It is"]  # other templates that you might use: how far do they move accuracy?
    separator: "\\n\\n"  # between demonstrations
    verbalizers:  # label: its spellings as the model would write them, space first; the first one is shown
{forms}
    demonstrations: {{from: train, shots: {shots}, balanced: true}}  # or `from: FILE`, used in its order
    chat: false  # true sends the prompt through the model's chat template
"""

_TASK = """\

task:
  labels: [{labels}]  # in this order wherever a file has numbers: the first is 0
  text: {text}  # column of the text
  text_pair: null  # column of the second text, for pairs such as premise and hypothesis
  label: {label}  # column of the label
  id: null  # column of a unique id; null: the content is the id
"""

_NO_TRAIN = """\
  # train: {source: train.jsonl}  # demonstrations, and statistics of the training data
"""

_DATA = """\

data:
  test: {{source: {test}}}  # csv, tsv, jsonl, parquet (each also .gz), a saved `datasets` folder, a hub name
{train}\
  # shifts: {{other_domain: {{source: other.jsonl}}}}  # does it hold elsewhere?
  # sets: {{options: {{source: questions.jsonl, text: question}}}}  # multiple choice, for context.options
  # groups: [gender]  # columns that say of whom a text speaks
  # limit: 500  # examples drawn from the test set (or `all`); left out, the profile decides
  seed: 7  # of the draw and of every random choice
"""

_REST = """\

profile: standard  # quick, standard or thorough: how much is asked, never what is tolerated
# probes: {robustness.noise: {}}  # only these, with parameters if you like; left out, all (`audit probes`)
rules: default  # default, strict, a file, or a list of {probe, metric, slice, max or min, why}
# waivers:  # a rule that somebody answers for, until a day
#   - {rule: robustness.noise/flip_rate@mix, owner: team, reason: why, expires: 2026-12-31}
# declared:  # what no probe can measure; shown as declared
#   human_feedback: {used: true, evidence: "model card, section 3"}
"""
