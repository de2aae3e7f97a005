"""What the `model` part must agree on with itself, with the labels and with the data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from audit.complaint import path, unknown
from audit.errors import ConfigError, did_you_mean, shown
from audit.models.spec import ModelSpec, PromptSpec
from audit.spec import FileSpec, TaskSpec

DEVICE = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")


def check_model(spec: FileSpec, name: str) -> ModelSpec:
    """Return `spec.model`, its verbalizers brought into the order of the labels.

    Raises:
        ConfigError: a prompt where there can be none, or none where there must be one; labels that do not
            match; a template without its texts; forms that are empty or shared; demonstrations of nothing.
    """
    model = spec.model
    if not model.source.strip():
        raise ConfigError(f"{name}: model.source is empty; name a folder, a hub name or a .gguf file")
    if not DEVICE.fullmatch(model.device):
        raise ConfigError(
            f"{name}: model.device must be auto, cpu, mps, cuda or cuda:N, got {shown(model.device)}"
        )
    _check_map(model, spec.task, name)
    if model.kind == "fine-tuned":
        if model.prompt is not None:
            raise ConfigError(
                f"{name}: model.prompt is for in-context models, and model.kind is 'fine-tuned';"
                " remove it, or say `kind: in-context`"
            )
        return model
    if model.prompt is None:
        raise ConfigError(
            f"{name}: model.prompt is missing, and model.kind is 'in-context';"
            " add a template and verbalizers, or say `kind: fine-tuned`"
        )
    _check_templates(model.prompt, spec.task, name)
    _check_forms(model.prompt.verbalizers, spec.task.labels, name)
    _check_demonstrations(model.prompt, spec, name)
    if model.prompt.correction is not None and not model.prompt.correction.strip():
        raise ConfigError(
            f"{name}: model.prompt.correction is empty; name a file of `audit mitigate`, or remove it"
        )
    forms = {label: model.prompt.verbalizers[label] for label in spec.task.labels}
    return model.model_copy(update={"prompt": model.prompt.model_copy(update={"verbalizers": forms})})


def _check_map(model: ModelSpec, task: TaskSpec, name: str) -> None:
    at = f"{name}: model.label_map"
    if model.label_map is None:
        return
    if model.kind == "in-context":
        raise ConfigError(f"{at} is for fine-tuned models; an in-context model has verbalizers: remove it")
    for key, label in model.label_map.items():
        if label not in task.labels:
            hint = did_you_mean(label, list(task.labels)) or f"; known are {', '.join(task.labels)}"
            raise ConfigError(f"{at}.{key} is not a label of the task, got {shown(label)}{hint}")
    counts = Counter(model.label_map.values())
    for label in task.labels:
        if counts[label] != 1:
            keys = [key for key, value in model.label_map.items() if value == label]
            found = f"got {' and '.join(keys)}" if keys else "got none"
            raise ConfigError(f"{at} must name {shown(label)} for exactly one label of the model, {found}")


def _check_templates(prompt: PromptSpec, task: TaskSpec, name: str) -> None:
    wanted = ["text"] if task.text_pair is None else ["text", "pair"]
    named = {"template": prompt.template}
    named |= {f"alternatives[{i}]": one for i, one in enumerate(prompt.alternatives)}
    for key, template in named.items():
        at = f"{name}: model.prompt.{key}"
        for word in wanted:
            if f"{{{word}}}" not in template:
                raise ConfigError(
                    f"{at} must hold {{{word}}}, got {shown(template)}; add it where it belongs"
                )
        for word in re.findall(r"\{(\w+)\}", template):
            if word == "pair" and "pair" not in wanted:
                raise ConfigError(f"{at} holds {{pair}}, but task.text_pair names no column; name it")
            if word not in wanted:
                known = " and ".join(f"{{{one}}}" for one in wanted)
                raise ConfigError(f"{at} holds {{{word}}}, which nothing fills; {known} are filled")


def _check_forms(verbalizers: Mapping[str, tuple[str, ...]], labels: tuple[str, ...], name: str) -> None:
    at = "model.prompt.verbalizers"
    for label in verbalizers:
        if label not in labels:
            raise unknown(name, path(at, label), label, labels, "a label of the task")
    owner: dict[str, str] = {}
    for label in labels:
        forms = verbalizers.get(label, ())
        if not forms:
            raise ConfigError(f"{name}: {at}.{label} is missing or empty; give at least one form")
        for form in forms:
            if not form.strip():
                raise ConfigError(f"{name}: {at}.{label} holds an empty form, got {shown(form)}; remove it")
            if form in owner:
                raise ConfigError(
                    f"{name}: {at}.{label} holds {shown(form)}, which {owner[form]} holds too; remove one"
                )
            owner[form] = label


def _check_demonstrations(prompt: PromptSpec, spec: FileSpec, name: str) -> None:
    at = f"{name}: model.prompt.demonstrations"
    if not prompt.demonstrations.source.strip():
        raise ConfigError(f"{at}.from is empty; say `train`, or name a file")
    if prompt.demonstrations.source == "train" and prompt.demonstrations.shots and spec.data.train is None:
        raise ConfigError(
            f"{at} come from data.train, which is missing;"
            " add data.train, name a file as `from`, or say `shots: 0`"
        )
