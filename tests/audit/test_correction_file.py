"""A file that is no correction is refused in one line, with the file and the key."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from audit.correction import from_json
from audit.errors import ConfigError

ZHAO: Mapping[str, object] = {
    "kind": "contextual",
    "parameters": {"prior": [0.618, 0.382]},
    "labels": ["a", "b"],
    "fitted_on": "N/A",
    "prompt": "0f" * 32,
    "weights": "3c" * 32,
}
CLUSTERS: Mapping[str, object] = {
    **ZHAO,
    "kind": "prototypical",
    "labels": ["a", "b", "c"],
    "parameters": {
        "weights": [0.3, 0.3, 0.4],
        "means": [[1, 0], [0, 1], [-1, -1]],
        "covariances": [[[1, 0.5], [0.5, 1]]] * 3,
    },
}


def test_the_files_that_are_spoilt_here_are_good() -> None:
    assert ("contextual", "prototypical") == (
        from_json(dict(ZHAO), "c.json").kind,  # type: ignore[arg-type]  # JSON
        from_json(dict(CLUSTERS), "c.json").kind,  # type: ignore[arg-type]  # JSON
    )


def edited(one: Mapping[str, object], key: str, value: object) -> str:
    """What is said of the file with one key set (or, with no value, dropped)."""
    content = json.loads(json.dumps(one))
    *parents, last = key.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    place.pop(last, None)
    place |= {} if value is None else {last: value}
    with pytest.raises(ConfigError) as caught:
        from_json(content, "c.json")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("kind", "context", "c.json: kind must be 'contextual', 'domain-context', 'batch', 'pmi', 'prototyp"),
        ("kind", "temperature", "c.json: parameters of temperature must be temperature, got ['prior']"),
        ("kind", None, "c.json: kind is missing; add it"),
        ("promt", "x", "c.json: 'promt' is not a key of a correction; did you mean 'prompt'?"),
        ("labels", ["a"], "c.json: labels must be two or more different words, got ['a']"),
        ("labels", ["a", "a"], "c.json: labels must be two or more different words, got ['a', 'a']"),
        ("labels", ["a", "b", "c"], "c.json: parameters.prior must be a list of 3, got [0.618, 0.382]"),
        ("labels", ["a", 1], "c.json: labels[1] must be text, got 1"),
        ("fitted_on", 20, "c.json: fitted_on must be text, got 20"),
        ("parameters", [1], "c.json: parameters must be"),
        ("parameters.prior", [0.5, 0], "c.json: parameters.prior[1] must be a number from 1e-12 to 1, got 0"),
        ("parameters.prior", [0.5, -1], "c.json: parameters.prior[1] must be a number from 1e-12 to 1"),
        (
            "parameters.prior",
            [True, 1],
            "c.json: parameters.prior[0] must be a number from 1e-12 to 1, got T",
        ),
        ("parameters.prior", ["x", 1], "c.json: parameters.prior[0] must be a number"),
        ("parameters.prior", 0.5, "c.json: parameters.prior must be a list of 2, got 0.5"),
        ("parameters.prior", None, "c.json: parameters of contextual must be prior, got []"),
        ("parameters.more", 1, "c.json: parameters of contextual must be prior, got ['more', 'prior']"),
    ],
)
def test_a_file_that_is_no_correction_is_refused(key: str, value: object, expected: str) -> None:
    assert edited(ZHAO, key, value).startswith(expected)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_a_number_that_is_not_finite_is_refused(number: float) -> None:
    assert "parameters.prior" in edited(ZHAO, "parameters.prior", [0.5, number])


@pytest.mark.parametrize("content", [None, [], "contextual", 1])
def test_a_file_that_is_no_object_is_refused(content: None) -> None:
    with pytest.raises(ConfigError, match=r"c\.json: must be an object with kind, parameters, labels"):
        from_json(content, "c.json")


@pytest.mark.parametrize("matrix", [[[1, 2], [2, 1]], [[1, 0.5], [0.1, 1]], [[0, 0], [0, 0]]])
def test_covariances_that_cannot_be_are_refused(matrix: list[list[float]]) -> None:
    found = edited(CLUSTERS, "parameters.covariances", [matrix] * 3)

    assert found.startswith("c.json: parameters.covariances must be symmetric and positive definite, got [[[")
