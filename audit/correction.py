"""A Correction takes a model's probabilities p to better ones, q: fitted, applied, written and read here.

| kind | q is in proportion to | fitted on |
| --- | --- | --- |
| contextual | p / prior | answers to inputs without content (Zhao et al. 2021) |
| domain-context | p / prior | answers to strings of random words of the domain (Fei et al. 2023) |
| pmi | p / prior | the answer to the domain's premise alone (Holtzman et al. 2021) |
| batch | p / prior ** strength | answers to unlabelled inputs (Zhou et al. 2024) |
| prototypical | posterior of a Gaussian mixture | answers to unlabelled inputs (Han et al. 2023) |
| temperature | p ** (1 / temperature) | answers to labelled inputs (Guo et al. 2017) |

q is normalised once. It is not softmax(p / prior), as in published code: with p = (.95, .05) and a prior of
(.618, .382) that says (.803, .197) where (.922, .078) is meant: the same answer, a meaningless confidence.
A correction belongs to one prompt over one model, and any of them can hurt: measure q beside p.

Every fitter takes, beside its numbers, `labels` (the k classes), `fitted_on` (for the reader, `20 inputs
without content`) and the `facts` of the model and prompt that answered; each raises ValueError where the
numbers cannot be what it needs, or are not one for each label.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit import mixture
from audit.errors import ConfigError, shown
from audit.schema import Correction, CorrectionKind, Facts, Json

Floats = NDArray[np.float64]

TINY = 1e-12
"""A prior below this counts as this: a class that was never answered must not decide everything."""

RANGES: Mapping[CorrectionKind, Mapping[str, tuple[float, float]]] = {
    "contextual": {"prior": (TINY, 1)},
    "domain-context": {"prior": (TINY, 1)},
    "pmi": {"prior": (TINY, 1)},
    "batch": {"prior": (TINY, 1), "strength": (1e-3, 1e3)},
    "prototypical": {"weights": (TINY, 1), "means": (-1e6, 1e6), "covariances": (-1e6, 1e6)},
    "temperature": {"temperature": (1e-3, 1e3)},
}
"""Kind → its parameters → the least and the most that each of their numbers may be."""
MEND = "write the file again with `audit mitigate`"


# --- applying ------------------------------------------------------------------------------


def apply(correction: Correction, probabilities: Floats) -> Floats:
    """Return q (n, k), rows summing to one, of p (n, k), each row with a positive sum; no rows, no rows.

    A class that p gives 0 keeps 0, but for `prototypical`, where 0 counts as 1e-12.

    >>> facts = Facts(kind="in-context", source="a model")
    >>> mended = contextual([[0.618, 0.382]], labels=("bad", "good"), fitted_on="N/A", facts=facts)
    >>> apply(mended, np.array([[0.7, 0.3], [0.6, 0.4]])).round(5).tolist()
    [[0.59055, 0.40945], [0.48111, 0.51889]]
    """
    q: Floats = np.exp(apply_log(correction, _log(probabilities)))
    return q


def apply_log(correction: Correction, logits: Floats) -> Floats:
    """Return log q (n, k) of log p (n, k), each row up to a constant, so that small p keep their digits."""
    logs, given = _normalised(logits), correction.parameters
    if correction.kind == "temperature":
        # The largest becomes 0, so that no temperature takes a whole row to minus infinity.
        return _normalised((logs - logs.max(axis=1, keepdims=True)) / _array(given["temperature"]))
    if correction.kind == "prototypical":
        fitted = mixture.Mixture(**{name: _array(given[name]) for name in RANGES["prototypical"]})
        return _normalised(mixture.densities(fitted, logs))
    return _normalised(logs - _array(given.get("strength", 1.0)) * np.log(_array(given["prior"])))


# --- fitting -------------------------------------------------------------------------------


def contextual(p_cf: ArrayLike, *, labels: Sequence[str], fitted_on: str, facts: Facts) -> Correction:
    """Divide by the mean answer (m, k) to inputs without content, such as `N/A` and the empty text.

    The rows are averaged as they are, normalised, then cut at 1e-12. It hurts where such inputs are not free
    of a label: `N/A` is mildly negative.

    Source: Zhao et al. 2021 (arXiv:2102.09690), with W = diag(p_cf)⁻¹ and b = 0.
    """
    return _made("contextual", {"prior": _prior(p_cf)}, labels, fitted_on, facts)


def domain_context(p_dc: ArrayLike, *, labels: Sequence[str], fitted_on: str, facts: Facts) -> Correction:
    """Divide by the mean answer (m, k) to strings of random words of the domain.

    Source: Fei et al. 2023 (arXiv:2305.19148); unlike their code, draw the words from training inputs, never
    from the test.
    """
    return _made("domain-context", {"prior": _prior(p_dc)}, labels, fitted_on, facts)


def pmi(p_premise: ArrayLike, *, labels: Sequence[str], fitted_on: str, facts: Facts) -> Correction:
    """Divide by the answer (k,) to the domain's premise alone: log P(y | x) - log P(y | premise).

    Source: Holtzman et al. 2021 (arXiv:2104.08315), PMI_DC.
    """
    one = np.atleast_2d(np.asarray(p_premise, dtype=np.float64))
    return _made("pmi", {"prior": _prior(one)}, labels, fitted_on, facts)


def batch(
    p: ArrayLike, *, labels: Sequence[str], fitted_on: str, facts: Facts, strength: float = 1.0
) -> Correction:
    """Divide by the mean answer (m, k) to many unlabelled inputs, to the power of `strength`.

    Takes the mean answer for the bias, which it is where the labels of the inputs are about balanced. In a
    skewed batch it is also the true share of the labels, and dividing by it removes signal: accuracy falls,
    the more so the weaker the evidence of each text. Where answers are nearly certain the mean holds only a
    part of the bias.

    Source: Zhou et al. 2024 (arXiv:2309.17249), with their γ as `strength`.
    """
    numbers: dict[str, Json] = {"prior": _prior(p), "strength": float(strength)}
    return _made("batch", numbers, labels, fitted_on, facts)


def prototypical(
    p: ArrayLike, rng: np.random.Generator, *, labels: Sequence[str], fitted_on: str, facts: Facts
) -> Correction:
    """Answer by the cluster that a text's probabilities fall into: k clusters of m unlabelled answers (m, k).

    Raises ValueError also where the clusters are none (see `mixture.fit`); another kind is then the choice.

    Source: Han et al. 2023 (arXiv:2205.10183); unlike them, in log-ratio coordinates.
    """
    found = mixture.fit(_normalised(_log(_rows(p))), rng)
    numbers: dict[str, Json] = {name: getattr(found, name).tolist() for name in RANGES["prototypical"]}
    return _made("prototypical", numbers, labels, fitted_on, facts)


def temperature(value: float, *, labels: Sequence[str], fitted_on: str, facts: Facts) -> Correction:
    """Soften (above 1) or sharpen (below 1) every answer; which class is largest stays.

    Source: Guo et al. 2017 (arXiv:1706.04599), section 4.2.
    """
    return _made("temperature", {"temperature": float(value)}, labels, fitted_on, facts)


# --- writing and reading -------------------------------------------------------------------


def to_json(correction: Correction) -> dict[str, Json]:
    """Return what `from_json` reads back as an equal correction."""
    return {
        "kind": correction.kind,
        "fitted_on": correction.fitted_on,
        "labels": list(correction.labels),
        "parameters": dict(correction.parameters),
        "prompt": correction.prompt,
        "weights": correction.weights,
    }


def from_json(content: Json, name: str) -> Correction:
    """Return the correction that `to_json` wrote.

    Args:
        content: of the file.
        name: of the file, for messages.

    Raises:
        ConfigError: a key that is missing or unknown, labels that are none, a number that cannot be.
    """
    from pydantic import TypeAdapter, ValidationError

    from audit.complaint import complain, unknown

    keys = [one.name for one in fields(Correction)]
    if not isinstance(content, dict):
        raise ConfigError(f"{name}: must be an object with {', '.join(keys)}, got {shown(content)}; {MEND}")
    for word in content:
        if word not in keys:
            raise unknown(name, shown(word), word, keys, "a key of a correction")
    try:
        found = TypeAdapter(Correction).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise complain(error, name, Correction) from None
    fault = _fault(found)
    if fault:
        raise ConfigError(f"{name}: {fault}; {MEND}")
    return found


def _fault(correction: Correction) -> str:
    """Say what cannot be in a correction, empty for nothing."""
    k, given, ranges = len(correction.labels), correction.parameters, RANGES[correction.kind]
    if k < 2 or len(set(correction.labels)) < k:
        return f"labels must be two or more different words, got {shown(list(correction.labels))}"
    if set(given) != set(ranges):
        return f"parameters of {correction.kind} must be {', '.join(ranges)}, got {shown(sorted(given))}"
    shapes = {"prior": (k,), "weights": (k,), "means": (k, k - 1), "covariances": (k, k - 1, k - 1)}
    for name, limits in ranges.items():
        fault = _misshapen(given[name], shapes.get(name, ()), limits, f"parameters.{name}")
        if fault:
            return fault
    if "covariances" in given:
        matrices = _array(given["covariances"])
        spread = np.linalg.eigvalsh(matrices)  # (k, k - 1), the smallest first
        if not np.allclose(matrices, matrices.mT) or (spread[:, 0] <= TINY * spread[:, -1]).any():
            what = "parameters.covariances must be symmetric and positive definite"
            return f"{what}, got {shown(given['covariances'])}"
    return ""


def _misshapen(value: Json, shape: tuple[int, ...], limits: tuple[float, float], at: str) -> str:
    if not shape:
        least, most = limits
        if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
            return ""
        return f"{at} must be a number from {least:g} to {most:g}, got {shown(value)}"
    if not isinstance(value, list) or len(value) != shape[0]:
        return f"{at} must be a list of {shape[0]}, got {shown(value)}"
    faults = (_misshapen(one, shape[1:], limits, f"{at}[{i}]") for i, one in enumerate(value))
    return next(filter(None, faults), "")


# --- arrays --------------------------------------------------------------------------------


def _prior(answers: ArrayLike) -> list[Json]:
    mean = _rows(answers).mean(axis=0)
    prior: list[Json] = np.maximum(mean / mean.sum(), TINY).tolist()
    return prior


def _made(
    kind: CorrectionKind, parameters: Mapping[str, Json], labels: Sequence[str], fitted_on: str, facts: Facts
) -> Correction:
    made = Correction(
        kind=kind,
        parameters=parameters,
        labels=tuple(labels),
        fitted_on=fitted_on,
        prompt=facts.prompt,
        weights=facts.weights,
    )
    fault = _fault(made)
    if fault:
        raise ValueError(fault)
    return made


def _rows(answers: ArrayLike) -> Floats:
    rows = np.asarray(answers, dtype=np.float64)
    if rows.ndim != 2 or not rows.size:
        raise ValueError(f"answers must be (m, k), at least one row, got the shape {rows.shape}")
    if not np.isfinite(rows).all() or (rows < 0).any() or (rows.sum(axis=1) <= 0).any():
        raise ValueError("answers must be finite probabilities, each row with a positive sum")
    return rows


def _log(p: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        logs: Floats = np.log(p)
    return logs


def _normalised(logs: Floats) -> Floats:
    top = logs - logs.max(axis=1, keepdims=True)
    rows: Floats = top - np.log(np.exp(top).sum(axis=1, keepdims=True))
    return rows


def _array(numbers: Json) -> Floats:
    return np.asarray(numbers, dtype=np.float64)
