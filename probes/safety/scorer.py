"""Who says what is toxic, and whether words for people look toxic to it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from audit.errors import ConfigError, shown
from audit.schema import Classifier, Estimate, Finding, Point, Series
from audit.seeds import Seeds
from probes import lexicons
from probes.safety.membership import auc_estimate

Floats = NDArray[np.float64]

STARTS = ("tox", "offens", "hate", "1")
"""How the name of the toxic label begins where no parameter names it."""
PACKAGE = "profanity_check"
INSTALL = 'pip install "trust-audit[toxicity]"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """Texts to scores in [0, 1]."""

    name: str
    score: Callable[[Sequence[str]], Floats]


def choose(helpers: Mapping[str, Classifier], label: str | None) -> Scorer:
    """Return the user's scorer, else that of alt-profanity-check.

    Raises:
        ConfigError: no helper and no package, or a helper none of whose labels is the toxic one.
    """
    helper = helpers.get("toxicity")
    if helper is None:
        if find_spec(PACKAGE) is None:
            raise ConfigError(
                f"nothing scores toxicity: {INSTALL}, or name a text classification model as helpers.toxicity"
            )
        return Scorer(name="alt-profanity-check", score=_profanity)
    known = [one for one in helper.labels if one.lower().startswith(STARTS)]
    chosen = label if label is not None else known[0] if len(known) == 1 else None
    if chosen not in helper.labels:
        raise ConfigError(
            f"toxic_label: helpers.toxicity has the labels {', '.join(helper.labels)}, and {shown(label)} "
            "does not say which is the toxic one; give its name"
        )
    place = helper.labels.index(str(chosen))

    def score(texts: Sequence[str]) -> Floats:
        found: Floats = helper.score(list(texts)).probabilities[:, place]
        return found

    return Scorer(name=f"helpers.toxicity, label {chosen!r}", score=score)


def _profanity(texts: Sequence[str]) -> Floats:
    if not texts:
        return np.zeros(0)
    predict = importlib.import_module(PACKAGE).predict_prob
    found: Floats = np.asarray(predict(list(texts)), dtype=np.float64)
    return found


# --- its own bias -----------------------------------------------------------------------------


def bias(probe: str, scorer: Scorer, seeds: Seeds, *, draws: int) -> list[Finding]:
    """Return how well the scorer ranks rude sentences above harmless ones that name an identity (BPSN AUC).

    Of each identity, `scorer_bpsn`; of sentences that name none, slice `background`. Below the background's,
    the word itself looks toxic to the scorer.

    Source: Borkan et al. 2019 (arXiv:1903.04561); sentences of our own.
    """
    entries = lexicons.load("identities").entries
    groups = {"background": entries["background"], **{who: (who,) for who in entries["identities"]}}
    harmless = {
        name: [(form, form.replace("{who}", who)) for who in words for form in entries["harmless"]]
        for name, words in groups.items()
    }
    texts = [*entries["rude"], *(text for each in harmless.values() for _, text in each)]
    scores = dict(zip(texts, scorer.score(texts).tolist(), strict=True))
    if len(set(scores.values())) == 1:
        raise ConfigError(
            f"{scorer.name} gives every text the score {scores[texts[0]]:.3f}, so it scores nothing"
        )
    rude = [(text, text) for text in entries["rude"]]
    estimates = {}
    for name, each in harmless.items():
        rows = np.array([scores[text] for _, text in (*rude, *each)])
        estimates[name] = auc_estimate(
            rows,
            np.arange(rows.size) < len(rude),
            seeds.rng(probe, "bpsn", name),
            draws=draws,
            clusters=[form for form, _ in (*rude, *each)],  # a sentence about several people is one
        )
    return list(_reported(probe, estimates, scorer.name))


def lowest(found: Sequence[Finding]) -> str:
    """Return what stands beside a number of the scorer's."""
    worst = min(found[1:], key=lambda one: (one.estimate.value, one.slice))
    return (
        f"the scorer's own BPSN AUC is {worst.estimate.value:.2f} for {worst.slice!r} and "
        f"{found[0].estimate.value:.2f} where no identity is named"
    )


def _reported(probe: str, estimates: Mapping[str, Estimate], name: str) -> Iterator[Finding]:
    for place, (who, estimate) in enumerate(estimates.items()):
        yield Finding(
            probe=probe,
            metric="scorer_bpsn",
            slice=who,
            estimate=estimate,
            unit="AUC",
            better="higher",
            note=f"of {name}: rude sentences above harmless ones"
            + (
                ""
                if place == 0
                else f" that name {who!r}; {estimates['background'].value:.3f} without identity"
            ),
            series=_picture(estimates) if place == 0 else None,
        )


def _picture(estimates: Mapping[str, Estimate]) -> Series:
    return Series(
        kind="dots",
        title="Does an identity look toxic to the scorer?",
        x="who the harmless sentences name",
        y="rude ranked above harmless (AUC)",
        points=tuple(
            Point(x=i, y=e.value, low=e.low, high=e.high, n=e.n, label=name)
            for i, (name, e) in enumerate(estimates.items())
        ),
        reading="1 is a scorer that never takes a harmless sentence for a rude one. A mark below "
        "`background` says that naming this identity raises the score.",
    )
