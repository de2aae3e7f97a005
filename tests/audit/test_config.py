"""model.yaml is read strictly, and every complaint names the file, the key, what was found, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from audit import compare
from audit.config import Config, load, load_rules
from audit.errors import ConfigError
from audit.policy import policies
from audit.profiles import PROFILES
from probes import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """A probe as `load` sees one."""

    id: ClassVar[str] = "robustness.noise"
    needs: ClassVar[frozenset[str]] = frozenset()
    items: int = 5
    severities: tuple[float, ...] = (0.1,)
    repeats: int = 1
    mode: Literal["typos", "casing"] = "typos"
    kinds: tuple[str, ...] = ("typos",)

    def __post_init__(self) -> None:
        if self.items < 1:
            raise ValueError("items must be at least 1")


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """Another."""

    id: ClassVar[str] = "calibration.confidence"
    needs: ClassVar[frozenset[str]] = frozenset()
    bins: int = 15


CATALOGUE = {**Catalogue(), **{one.id: one for one in (Confidence, Noise)}}
"""Ours, for the policies that ship, two of them replaced."""

IN_CONTEXT = r"""
version: 1
model:
  kind: in-context
  source: some/model
  prompt:
    template: "Review: {text}\nSentiment:"
    verbalizers: {positive: [" Positive"], negative: [" Negative", " Bad"]}
task: {labels: [negative, positive]}
data: {test: {source: test.csv}, train: {source: train.csv}}
profile: quick
"""
FINE_TUNED = """
model: {kind: fine-tuned, source: folder, label_map: {LABEL_0: negative, LABEL_1: positive}}
task: {labels: [negative, positive]}
data: {test: {source: test.csv}}
"""
PAIRS = IN_CONTEXT.replace("[negative, positive]}", "[negative, positive], text_pair: second}")


def read(tmp_path: Path, text: str) -> Config:
    place = tmp_path / "model.yaml"
    place.write_text(text, encoding="utf-8")
    return load(place, CATALOGUE)  # type: ignore[arg-type]  # stand-ins without run and demand


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"{tmp_path}/model.yaml: ") or "policy" in said
    return said.removeprefix(f"{tmp_path}/")


def edited(old: str, new: str, base: str = IN_CONTEXT) -> str:
    assert old in base
    return base.replace(old, new)


def test_a_config_carries_where_it_came_from(tmp_path: Path) -> None:
    config = read(tmp_path, IN_CONTEXT)
    assert (config.name, config.base, config.text) == ("model", tmp_path, IN_CONTEXT)


def test_a_name_replaces_the_name_of_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, IN_CONTEXT + "name: nightly 2.1").name == "nightly 2.1"


def test_verbalizers_come_in_the_order_of_the_labels(tmp_path: Path) -> None:
    prompt = read(tmp_path, IN_CONTEXT).model.prompt
    assert prompt is not None
    assert list(prompt.verbalizers.items()) == [
        ("negative", (" Negative", " Bad")),
        ("positive", (" Positive",)),
    ]


def test_words_that_yaml_takes_for_booleans_and_dates_stay_words(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        FINE_TUNED.replace("negative", "no").replace("positive", "yes") + "declared: {day: 2026-12-31}",
    )
    assert config.task.labels == ("no", "yes")
    assert config.declared == {"day": "2026-12-31"}


def test_numbers_as_keys_of_a_label_map_are_words(tmp_path: Path) -> None:
    text = edited("{source: test.csv}", "{source: test.csv, labels: {0: negative, 1: positive}}", FINE_TUNED)
    assert read(tmp_path, text).data.test.labels == {"0": "negative", "1": "positive"}


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("", PROFILES["quick"].limit),
        ("limit: 12, ", 12),
        ("limit: all, ", None),
        ("limit: null, ", PROFILES["quick"].limit),
    ],
)
def test_the_limit_is_the_files_or_the_profiles(tmp_path: Path, limit: str, expected: int | None) -> None:
    assert read(tmp_path, edited("data: {", f"data: {{{limit}")).limit == expected


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("text", [FINE_TUNED, IN_CONTEXT], ids=["fine-tuned", "in-context"])
def test_every_profile_makes_probes_of_either_kind(tmp_path: Path, name: str, text: str) -> None:
    place = tmp_path / "model.yaml"
    place.write_text(text.replace("profile: quick\n", "") + f"profile: {name}\n", encoding="utf-8")

    assert {probe.id for probe in load(place, Catalogue()).probes} == set(Catalogue())


def test_a_thorough_profile_has_no_limit(tmp_path: Path) -> None:
    assert read(tmp_path, edited("quick", "thorough")).limit is None


def test_no_probes_key_means_the_whole_catalogue(tmp_path: Path) -> None:
    assert [type(one) for one in read(tmp_path, IN_CONTEXT).probes] == list(CATALOGUE.values())


def test_a_default_list_replaces_the_whole_catalogue(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(IN_CONTEXT)
    config = load(tmp_path / "model.yaml", CATALOGUE, default=["calibration.confidence"])  # type: ignore[arg-type]
    assert [one.id for one in config.probes] == ["calibration.confidence"]


def test_named_probes_come_in_the_order_of_the_catalogue(tmp_path: Path) -> None:
    config = read(tmp_path, IN_CONTEXT + "probes: {robustness.noise: {}, calibration.confidence: }")
    assert [one.id for one in config.probes] == ["calibration.confidence", "robustness.noise"]


def test_a_parameter_is_the_files_else_the_profiles_else_the_probes_own(tmp_path: Path) -> None:
    config = read(tmp_path, IN_CONTEXT + "probes: {robustness.noise: {severities: [0.2, 1]}}")
    assert config.probes == (Noise(items=100, severities=(0.2, 1.0), repeats=1, kinds=("typos", "mix")),)  # type: ignore[comparison-overlap]


def test_a_probe_is_of_its_own_class_and_frozen(tmp_path: Path) -> None:
    (probe,) = read(tmp_path, IN_CONTEXT + "probes: {calibration.confidence: {bins: 3}}").probes
    assert type(probe).__name__ == Confidence.__name__
    with pytest.raises(AttributeError):
        setattr(probe, "bins", 4)  # noqa: B010  # the protocol knows of no bins


def test_helpers_are_kept(tmp_path: Path) -> None:
    config = read(tmp_path, IN_CONTEXT + "helpers: {nli: {source: x}, toxicity: null}")
    assert {name: one.source for name, one in config.helpers.items()} == {"nli": "x"}


def test_a_pair_template_is_taken(tmp_path: Path) -> None:
    read(tmp_path, edited("{text}", "{text} and {pair}", PAIRS))


def test_zero_shots_need_no_training_data(tmp_path: Path) -> None:
    text = edited(", train: {source: train.csv}", "")
    read(tmp_path, edited("    verbalizers", "    demonstrations: {shots: 0}\n    verbalizers", text))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{source: test.csv}",
            "test.csv",
            "data.test must be a mapping (`key: value` lines), got 'test.csv'; write `{source: test",
        ),
        ("data: {test", "data: {tets", "data.tets is not a key of data; did you mean 'test'?"),
        ("profile: quick", "profil: quick", "profil is not a key of the file; did you mean 'profile'?"),
        (
            "template:",
            "templat:",
            "model.prompt.templat is not a key of model.prompt; did you mean 'template'",
        ),
        (
            "source: test.csv",
            "source: a, txt: b",
            "data.test.txt is not a key of data.test; did you mean 'text'?",
        ),
        (
            "data: {",
            "data: {shifts: {a: {sorce: b}}, ",
            "data.shifts.a.sorce is not a key of data.shifts.a; did",
        ),
        (
            "template:",
            "demonstrations: {form: a}\n    template:",
            "model.prompt.demonstrations.form is not a key",
        ),
        ("profile: quick", "profile: quik", "profile: 'quik' is not a profile; did you mean 'quick'?"),
        (
            "kind: in-context",
            "kind: in-contxt",
            "model.kind must be 'fine-tuned' or 'in-context', got 'in-con",
        ),
        ("  source: some/model\n", "", "model.source is missing; add it"),
        ("some/model", "' '", "model.source is empty"),
        ("some/model", "x\n  device: gpu", "model.device must be auto, cpu, mps, cuda or cuda:N, got 'gpu'"),
        ("some/model", "5", "model.source must be text, got 5; put it in quotes"),
        (
            "[negative, positive]",
            "[0, 1]",
            "task.labels[0] must be text, got 0; put it in quotes",
        ),
        ("[negative, positive]", "[true, false]", "task.labels[0] must be text, got True; put it in quotes"),
        ("[negative, positive]", "[a, a]", "task.labels names the label 'a' twice"),
        ("[negative, positive]", "[a]", "task.labels"),
        ("[negative, positive]", "negative", "task.labels must be a list, got 'negative'"),
        ("{labels: [negative, positive]}", "7", "task must be a mapping (`key: value` lines), got 7"),
        ("data: {", "data: {limit: 0, ", "data.limit must be a whole number of at least 1, or `all`, got 0"),
        (
            "data: {",
            "data: {limit: true, ",
            "data.limit must be a whole number of at least 1, or `all`, got T",
        ),
        ("data: {", "data: {limit: 1.5, ", "data.limit must be a whole number of at least 1"),
        ("data: {", "data: {limit: al, ", "data.limit must be a whole number of at least 1"),
        ("data: {", "data: {seed: true, ", "data.seed must be a whole number, got True"),
        ("data: {", "data: {seed: 1e300, ", "data.seed must be a whole number, got 1e+300"),
        ("data: {", "data: {seed: -1, ", "data.seed must be greater than or equal to 0, got -1"),
        ("data: {", "data: {sets: [1], ", "data.sets must be a mapping (`key: value` lines), got [1]"),
        ("source: test.csv", "source: a, columns: [b, b]", "data.test.columns names the column 'b' twice"),
        ("source: test.csv", "source: a, format: tvs", "data.test.format must be 'csv', 'tsv'"),
        (
            "test.csv",
            "a, drop_missing: yes",
            "data.test.drop_missing must be true or false, got 'yes'",
        ),
        ("version: 1", "version: 2", "version must be 1, got 2"),
        ("version: 1", "name: ../up", "name must be letters, digits, spaces, dots and hyphens"),
        ("version: 1", "baseline: runs/x", "baseline is not built yet, got 'runs/x'; remove it"),
        (
            "source: some/model",
            "endpoint: {url: x}",
            "model.endpoint is not built yet, got {'url': 'x'}; name",
        ),
        ("template:", "correction: ' '\n    template:", "model.prompt.correction is empty; name a file"),
        ("kind: in-context", "kind: fine-tuned", "model.prompt is for in-context models"),
        ("{text}", "{sentence}", "model.prompt.template must hold {text}, got 'Review: {sentence}"),
        ("{text}", "{text} {label}", "model.prompt.template holds {label}, which nothing fills; {text} are"),
        ("{text}", "{text} {pair}", "model.prompt.template holds {pair}, but task.text_pair names no column"),
        (
            "template:",
            "alternatives: [x]\n    template:",
            "model.prompt.alternatives[0] must hold {text}, got",
        ),
        ("negative: [", "negativ: [", "model.prompt.verbalizers.negativ is not a label of the task; did you"),
        (', negative: [" Negative", " Bad"]', "", "model.prompt.verbalizers.negative is missing or empty"),
        ('[" Positive"]', "[]", "model.prompt.verbalizers.positive is missing or empty"),
        ('[" Positive"]', "[' ']", "model.prompt.verbalizers.positive holds an empty form, got ' '"),
        (
            '[" Positive"]',
            '[" Bad"]',
            "model.prompt.verbalizers.positive holds ' Bad', which negative holds too",
        ),
        ('[" Positive"]', '" Positive"', "model.prompt.verbalizers.positive must be a list, got ' Positive'"),
        (
            ", train: {source: train.csv}",
            "",
            "model.prompt.demonstrations come from data.train, which is missing",
        ),
        ("some/model", "x\n  label_map: {a: negative}", "model.label_map is for fine-tuned models"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in refused(tmp_path, edited(old, new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "LABEL_1: positive",
            "LABEL_1: positiv",
            "model.label_map.LABEL_1 is not a label of the task, got 'posit",
        ),
        (
            "LABEL_1: positive",
            "LABEL_1: negative",
            "'negative' for exactly one label of the model, got LABEL_0 and",
        ),
        (", LABEL_1: positive", "", "'positive' for exactly one label of the model, got none"),
    ],
)
def test_an_ambiguous_label_map_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in refused(tmp_path, edited(old, new, FINE_TUNED))


def test_an_in_context_model_needs_a_prompt(tmp_path: Path) -> None:
    text = "model: {kind: in-context, source: x}\ntask: {labels: [a, b]}\ndata: {test: {source: t}}"
    assert "model.prompt is missing, and model.kind is 'in-context'" in refused(tmp_path, text)


def test_a_pair_task_needs_a_pair_in_its_template(tmp_path: Path) -> None:
    assert "model.prompt.template must hold {pair}" in refused(tmp_path, PAIRS)


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        (
            "{robustness.nois: {}}",
            "probes.robustness.nois is not a probe (`audit probes` lists them); did you",
        ),
        (
            "{robustness.noise: {itms: 3}}",
            "noise.itms is not a parameter of robustness.noise; did you mean 'items'",
        ),
        ("{robustness.noise: {items: '3'}}", "probes.robustness.noise.items must be a whole number, got '3'"),
        (
            "{robustness.noise: {items: true}}",
            "probes.robustness.noise.items must be a whole number, got True",
        ),
        ("{robustness.noise: {items: 0}}", "probes.robustness.noise: items must be at least 1, got"),
        (
            "{robustness.noise: {mode: casng}}",
            "noise.mode must be 'typos' or 'casing', got 'casng'; did you mean",
        ),
        ("{robustness.noise: {severities: 1}}", "probes.robustness.noise.severities must be a list, got 1"),
        ("{robustness.noise: {id: x}}", "probes.robustness.noise.id is not a parameter of robustness.noise"),
        ("{robustness.noise: 3}", "probes.robustness.noise must be a mapping (`key: value` lines), got 3"),
        ("{}", "probes names none"),
        ("[robustness.noise]", "probes must be a mapping"),
    ],
)
def test_probes_and_parameters_are_checked(tmp_path: Path, probes: str, expected: str) -> None:
    assert expected in refused(tmp_path, IN_CONTEXT + f"probes: {probes}")


RULE = "probe: robustness.noise, metric: flip_rate"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("defalt", "rules: 'defalt' is neither a named policy nor a file; did you mean 'default'?"),
        ("5", "rules must be a named policy, a file, or a list of rules, got 5"),
        (
            f"[{{{RULE}}}]",
            "rules[0] (robustness.noise/flip_rate) must have exactly one of max and min, got nei",
        ),
        (f"[{{{RULE}, max: 1, min: 0}}]", "must have exactly one of max and min, got max 1.0 and min 0.0"),
        (f"[{{{RULE}, max: .nan}}]", "'.nan' is not a finite number"),
        (f"[{{{RULE}, max: 1e999}}]", "'1e999' is not a finite number"),
        (f"[{{{RULE}, max: '1'}}]", "rules[0].max must be a number, got '1'"),
        (f"[{{{RULE}, mx: 1}}]", "rules[0].mx is not a key of rules[0]; did you mean 'max'?"),
        (f"[{{{RULE}, max: 1, min_n: 0}}]", "rules[0].min_n must be greater than or equal to 1, got 0"),
        (
            "[{probe: robustness.noyse, metric: a, max: 1}]",
            "rules[0].probe: 'robustness.noyse' is not a probe; did",
        ),
        (
            f"[{{{RULE}, max: 1}}, {{{RULE}, max: 2}}]",
            "rules[1] (robustness.noise/flip_rate) sets a limit that an",
        ),
        ("[3]", "rules[0] must be a mapping"),
    ],
)
def test_rules_are_checked(tmp_path: Path, rules: str, expected: str) -> None:
    assert expected in refused(tmp_path, IN_CONTEXT + f"rules: {rules}")


def test_a_band_is_two_rules_of_one_name(tmp_path: Path) -> None:
    config = read(tmp_path, IN_CONTEXT + f"rules: [{{{RULE}, max: 1}}, {{{RULE}, min: 0}}]")
    assert [(one.max, one.min) for one in config.rules] == [(1.0, None), (None, 0.0)]
    assert config.policy == "inline"


@pytest.mark.parametrize("name", policies())
def test_every_policy_that_ships_loads_and_says_why(name: str) -> None:
    found, rules = load_rules(name, Path(), [*CATALOGUE, *compare.PROBES])
    assert found == name
    assert rules
    assert all(rule.why for rule in rules)


def test_a_policy_file_lies_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"- {{{RULE}, max: 0.5}}")
    config = read(tmp_path, IN_CONTEXT + "rules: mine.yaml")
    assert config.policy == "mine.yaml"
    assert [rule.max for rule in config.rules] == [0.5]


def test_a_broken_policy_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"- {{{RULE}, mx: 0.5}}")
    with pytest.raises(ConfigError, match=r"^mine\.yaml: rules\[0\]\.mx is not a key"):
        read(tmp_path, IN_CONTEXT + "rules: mine.yaml")


def test_a_policy_that_is_no_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("rules: []")
    with pytest.raises(ConfigError, match="a policy must be a list of rules"):
        read(tmp_path, IN_CONTEXT + "rules: mine.yaml")


WAIVER = "rule: robustness.noise/flip_rate@mix, owner: a, reason: b"


def test_a_waiver_is_kept(tmp_path: Path) -> None:
    (waiver,) = read(tmp_path, IN_CONTEXT + f"waivers: [{{{WAIVER}, expires: 2026-12-31}}]").waivers
    assert (waiver.rule, waiver.expires) == ("robustness.noise/flip_rate@mix", "2026-12-31")


@pytest.mark.parametrize(
    ("waiver", "expected"),
    [
        (
            f"{{{WAIVER}, expires: 2026-13-31}}",
            "waivers[0].expires must be a day as YYYY-MM-DD, got '2026-13-31'",
        ),
        (
            f"{{{WAIVER.replace('mix', 'mx')}, expires: 2026-12-31}}",
            "waivers[0].rule: 'robustness.noise/flip_rate@mx",
        ),
        (f"{{{WAIVER}}}", "waivers[0].expires is missing; add it"),
        (
            f"{{{WAIVER.replace('owner: a', 'owner: null')}, expires: 2026-12-31}}",
            "waivers[0].owner must be text, got",
        ),
    ],
)
def test_waivers_are_checked(tmp_path: Path, waiver: str, expected: str) -> None:
    assert expected in refused(tmp_path, IN_CONTEXT + f"waivers: [{waiver}]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b: c", "line 1, column 5: not valid YAML"),
        ("a:\n\t- b", "line 2, column 1: not valid YAML"),
        ("a: [", "line 1, column 5: not valid YAML"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' stands here twice; remove one"),
        ("a: &x [1]\nb: *x", "line 2, column 4: not valid YAML: aliases (*name) are not supported"),
        ("a: &x [*x]", "aliases (*name) are not supported"),
        ("a: !!python/object/apply:os.system [ls]", "line 1, column 4: not valid YAML: tags (!name)"),
        ("--- 1\n--- 2", "another document"),
        ("? [a]\n: 1", "line 1, column 3: a key must be a word"),
        ("a: \x01", "line 1, column 4: '\\x01' is not allowed in YAML"),
        ('a: "\\0"', "'\\x00' holds a character that no text can hold"),
        ('a: "\\ud800"', "'\\ud800' holds a character that no text can hold"),
        ('a: "\\UFFFFFFFF"', "not valid YAML"),
        ("[" * 5000, "nested deeper than 40 levels"),
        ("a: " + "9" * 5000, "is not a finite number"),
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("- a list", "must be a mapping"),
        ("just words", "must be a mapping"),
    ],
)
def test_broken_yaml_is_refused_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refused(tmp_path, text)


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder, not a file"):
        load(tmp_path, {})


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml: no such file; `audit init` writes one"):
        load(tmp_path / "no.yaml", {})


def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"line 2 is not UTF-8, got b'\\xe9'; save the file as UTF-8"):
        load(tmp_path / "model.yaml", {})


def test_a_data_file_in_place_of_a_config_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(b"x" * 1_000_001)
    with pytest.raises(ConfigError, match="is it a data file"):
        load(tmp_path / "big.csv", {})


@pytest.mark.parametrize("name", ["distilbert-sst2", "nli"])
def test_the_configs_that_ship_load(name: str, pytestconfig: pytest.Config) -> None:
    assert load(pytestconfig.rootpath / "configs" / f"{name}.yaml", CATALOGUE).name == name  # type: ignore[arg-type]
