"""Rules: what is tolerated, from a named policy, a file, or a list in model.yaml. And who waives one."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from audit import document
from audit.complaint import complain, unknown
from audit.errors import ConfigError, did_you_mean, shown
from audit.places import locate
from audit.schema import Json, Rule, Waiver
from audit.spec import PolicySpec, WaiverSpec


def load_rules(
    rules: Json, base: Path, catalogue: Collection[str], *, name: str = "policy"
) -> tuple[str, tuple[Rule, ...]]:
    """Return the name of a policy and its rules, in their order.

    Args:
        rules: a named policy (`default`), a YAML file relative to `base` that holds a list of rules, or
            the list itself, which is called `inline`. A named policy wins over a file of that name.
        base: folder that a relative path starts from.
        catalogue: ids of probes, to tell a misspelt one.
        name: the file that asked, for messages.

    Raises:
        ConfigError: no such policy, an unreadable file, or a rule that cannot be meant: an unknown key or
            probe, not exactly one of `max` and `min`, a limit that is not finite, the same limit twice.
    """
    if isinstance(rules, list):
        return "inline", _checked(rules, name, catalogue)
    if not isinstance(rules, str):
        raise ConfigError(
            f"{name}: rules must be a named policy, a file, or a list of rules, got {shown(rules)};"
            f" named are {', '.join(policies())}"
        )
    if rules in policies():
        text = files("configs").joinpath("policies", f"{rules}.yaml").read_text("utf-8")
        return rules, _checked(document.parse(text, f"{rules}.yaml"), f"{rules}.yaml", catalogue)
    place = locate(rules, base, f"{name}: rules")
    if place is None:
        hint = did_you_mean(rules, list(policies())) or f"; named are {', '.join(policies())}"
        raise ConfigError(f"{name}: rules: {shown(rules)} is neither a named policy nor a file{hint}")
    return rules, _checked(document.parse(document.read(place), rules), rules, catalogue)


def policies() -> tuple[str, ...]:
    """Return the names of the policies that ship with the tool."""
    found = files("configs").joinpath("policies").iterdir()
    return tuple(sorted(one.name.removesuffix(".yaml") for one in found if one.name.endswith(".yaml")))


def waivers(specs: Sequence[WaiverSpec], rules: Sequence[Rule], name: str) -> tuple[Waiver, ...]:
    """Return the waivers.

    Raises:
        ConfigError: one waives a rule that there is not, or two rules where it could mean either.
    """
    known = [rule.id for rule in rules]
    for i, spec in enumerate(specs):
        at = f"waivers[{i}].rule: {shown(spec.rule)}"
        if spec.rule not in (*known, *(rule.full_id for rule in rules)):
            raise unknown(name, at, spec.rule, known, "a rule in force")
        if known.count(spec.rule) > 1:
            raise ConfigError(f"{name}: {at} names two rules; say which, with `:max` or `:min` behind it")
    return tuple(Waiver(**spec.model_dump()) for spec in specs)


def _checked(rules: Json, name: str, catalogue: Collection[str]) -> tuple[Rule, ...]:
    if not isinstance(rules, list):
        raise ConfigError(f"{name}: a policy must be a list of rules (`- probe: ...`), got {shown(rules)}")
    try:
        spec = PolicySpec.model_validate_json(json.dumps({"rules": rules}), strict=True)
    except ValidationError as error:
        raise complain(error, name, PolicySpec) from None
    known = list(catalogue)
    checked: list[Rule] = []
    for i, one in enumerate(spec.rules):
        at = f"rules[{i}]"
        rule = Rule(**one.model_dump())
        if rule.probe not in known:
            raise unknown(name, f"{at}.probe: {shown(rule.probe)}", rule.probe, known, "a probe")
        if (rule.max is None) == (rule.min is None):
            found = "neither" if rule.max is None else f"max {rule.max} and min {rule.min}"
            raise ConfigError(f"{name}: {at} ({rule.id}) must have exactly one of max and min, got {found}")
        if any(rule.id == other.id and (rule.max is None) == (other.max is None) for other in checked):
            raise ConfigError(f"{name}: {at} ({rule.id}) sets a limit that an earlier rule sets; remove one")
        checked.append(rule)
    return tuple(checked)
