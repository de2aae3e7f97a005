"""Does the answer survive the way people really type?

Each text is changed in the ways of everyday writing: typos, misspellings, lower and upper case, uneven
spacing, contractions, fillers, and a fixed mix of them; the model is asked again. Only texts whose tokens
changed count: upper case changes nothing for an uncased model, and counting it would dilute the harm. The
share that changed stands beside every number. The p of an accuracy drop is McNemar's, of no difference
(a sign-flip test over examples where noise is repeated). Typos are also tried at rising rates.
Why it matters: users mistype; an answer that hangs on spelling or case is a guess to whoever typed it, and
accuracy on clean test data promises more than they get.
Not covered: changes sought out to do harm (robustness.adversarial), other wordings, other languages'
keyboards and spelling lists, errors of speech recognition and scanning.
Source: after HELM (Liang et al. 2022, arXiv:2211.09110): mean, worst case per example, and the order of
the mix. Unlike HELM, lists and rates are our own, texts that did not change are left out of flip rate and
drop, and the typo rate is per letter. Severity curve after Belinkov & Bisk 2018 (arXiv:1711.02173).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from audit import stats
from audit.errors import ConfigError, did_you_mean, shown
from audit.schema import Case, Data, Demand, Example, Facts, Finding, Item, Skip, Subject, Text
from audit.seeds import Seeds
from probes import text, variants
from probes.robustness import severity
from probes.variants import Answers, Bools

STOCHASTIC = ("typos", "misspellings", "spacing", "fillers", "mix")
FIXED = ("lower_case", "upper_case", "contractions")


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Parameters; `misspelling_rate` is of the words that our list knows, the other rates of all places."""

    id: ClassVar[str] = "robustness.noise"
    needs: ClassVar[frozenset[str]] = frozenset()

    kinds: tuple[str, ...] = (
        "typos", "misspellings", "lower_case", "upper_case", "spacing", "contractions", "fillers", "mix",
    )  # fmt: skip
    items: int = 500
    """Examples asked, chosen by id; all where there are fewer."""
    severities: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.5)
    """Typo rates of the severity curve, beside 0; empty for no curve."""
    repeats: int = 1
    """Draws of each kind of noise that is random; estimates are then clustered by example."""
    typo_rate: float = 0.05
    """Per letter, for the kind `typos`."""
    misspelling_rate: float = text.MIX_RATE
    filler_rate: float = 0.1
    """Per gap between words."""
    spaces: int = text.MIX_SPACES
    """Most spaces in a gap."""
    cases: int = 5
    """Flipped examples shown for each kind."""

    def __post_init__(self) -> None:
        known = [*STOCHASTIC, *FIXED]
        for kind in self.kinds:
            if kind not in known:
                hint = did_you_mean(kind, known) or f"; known are {', '.join(known)}"
                raise ConfigError(f"{self.id}: kinds: {shown(kind)} is not a kind of noise{hint}")
        _check(
            self.id, "kinds", len(set(self.kinds)) == len(self.kinds) > 0, self.kinds, "name each kind once"
        )
        rates = (self.typo_rate, self.misspelling_rate, self.filler_rate, *self.severities)
        _check(self.id, "rates and severities", all(0 < r <= 1 for r in rates), rates, "give rates in (0, 1]")
        rising = list(self.severities) == sorted(set(self.severities))
        _check(self.id, "severities", rising, self.severities, "give each once, rising")
        counts = (self.items, self.repeats, self.spaces)
        _check(self.id, "items, repeats, spaces", min(counts) >= 1, counts, "give at least 1 of each")
        _check(self.id, "cases", self.cases >= 0, self.cases, "give 0 or more")

    def demand(self, data: Data, facts: Facts) -> Demand:
        """Count every variant of every chosen example; what does not change for the model costs nothing."""
        return Demand(texts=min(self.items, len(data.test)) * (1 + len(self._edits())))

    def run(self, subject: Subject, data: Data, seeds: Seeds) -> Iterator[Finding | Skip | Item]:
        """Ask originals and all that changed in one call, then compare by kind, at worst, and by rate."""
        if subject.classifier is None or not data.test:
            lacking = "a classifier" if subject.classifier is None else "test examples"
            yield Skip(
                probe=self.id, reason=f"there are no answers without {lacking}: name one in model.yaml"
            )
            return
        chosen = seeds.pick(data.test, self.items, lambda example: example.id, self.id)
        chosen.sort(key=lambda example: example.id)
        edited = {
            edit.name: [self._edited(edit, example, seeds) for example in chosen] for edit in self._edits()
        }
        answers = variants.ask(subject.classifier, chosen, edited)
        yield from self._by_kind(answers, seeds)
        yield from self._worst(answers)
        yield from self._by_severity(answers, seeds)
        yield from variants.items(answers, self.id)

    # --- asking ---------------------------------------------------------------------------

    def _edits(self) -> list[_Edit]:
        kinds = [edit for kind in self.kinds for edit in self._draws(kind)]
        curve = [edit for rate in self.severities for edit in self._draws("typos", rate)]
        return kinds + [edit for edit in curve if edit not in kinds]

    def _draws(self, kind: str, rate: float | None = None) -> list[_Edit]:
        """List the draws of a kind; on the curve the rate of the kind `typos` shares its texts."""
        other = None if rate == self.typo_rate else rate
        count = self.repeats if kind in STOCHASTIC else 1
        return [_Edit(kind=kind, repeat=repeat, rate=other) for repeat in range(count)]

    def _rows(self, answers: Answers, kind: str, rate: float | None = None) -> list[int]:
        return [answers.variants.index(edit.name) for edit in self._draws(kind, rate)]

    def _edited(self, edit: _Edit, example: Example, seeds: Seeds) -> Text:
        # The rate is not among the names, so that a higher rate strikes the same letters and more.
        names = (self.id, example.id, edit.kind, str(edit.repeat))

        def apply(part: str, rng: np.random.Generator) -> str:
            match edit.kind:
                case "typos":
                    return text.typos(part, rng, self.typo_rate if edit.rate is None else edit.rate)
                case "misspellings":
                    return text.misspellings(part, rng, self.misspelling_rate)
                case "lower_case":
                    return text.lower_case(part)
                case "upper_case":
                    return text.upper_case(part)
                case "spacing":
                    return text.spacing(part, rng, self.spaces)
                case "contractions":
                    return text.contractions(part)
                case "fillers":
                    return text.fillers(part, rng, self.filler_rate)
                case _:
                    return text.mix(part, rng)

        return text.on_both(apply, example.input, seeds.rng(*names), seeds.rng(*names, "pair"))

    # --- by kind --------------------------------------------------------------------------

    def _by_kind(self, answers: Answers, seeds: Seeds) -> Iterator[Finding | Skip]:
        flips: list[Finding] = []
        drops: list[Finding] = []
        for kind in self.kinds:
            rows = self._rows(answers, kind)
            changed = answers.changed[rows]  # (r, n)
            yield Finding(
                probe=self.id,
                metric="changed_rate",
                slice=kind,
                estimate=variants.share(changed, np.ones_like(changed), answers.texts[0]),
                unit="share",
                better="neither",
                note="texts that changed for the model; flips and drops are counted on these alone",
            )
            same = "" if changed.any() else f"{kind}: no text changed for the model, so nothing was tested"
            if why := answers.constant or same:
                yield from self._skips(why, "flip_rate", "accuracy_drop", kind=kind, idle=why == same)
                continue
            flips.append(self._flip_rate(answers, kind, rows, seeds))
            same = f"{kind}: no text with a label changed for the model, so nothing was tested"
            if why := answers.unlabelled or ("" if (changed & answers.labelled).any() else same):
                yield from self._skips(why, "accuracy_drop", kind=kind)
            else:
                drops.append(self._accuracy_drop(answers, kind, rows, seeds))
        yield from variants.pictured(flips, bearer="mix", title="Flips by kind of noise", x="kind of noise")
        adjusted = stats.bh([drop.p for drop in drops if drop.p is not None])
        for drop, p in zip(drops, adjusted, strict=True):
            yield replace(drop, note=f"{drop.note}; p among all kinds (Benjamini-Hochberg) {p:.3g}")

    def _flip_rate(self, answers: Answers, kind: str, rows: list[int], seeds: Seeds) -> Finding:
        changed = answers.changed[rows]
        label, times = answers.commonest
        return Finding(
            probe=self.id,
            metric="flip_rate",
            slice=kind,
            estimate=variants.share(answers.flipped[rows], changed, answers.texts[0]),
            unit="share",
            better="lower",
            note=f"on the {changed.sum()} of {changed.size} texts that changed; {times} of "
            f"{len(answers.examples)} originals are answered {label!r}",
            cases=self._cases(answers, kind, rows, seeds),
        )

    def _accuracy_drop(self, answers: Answers, kind: str, rows: list[int], seeds: Seeds) -> Finding:
        counted = answers.changed[rows] & answers.labelled
        before, after = np.repeat(answers.right[:1], len(rows), axis=0), answers.right[rows]
        diluted = float((before.astype(float) - after)[:, answers.labelled].mean())
        return Finding(
            probe=self.id,
            metric="accuracy_drop",
            slice=kind,
            estimate=variants.drop(before, after, counted, answers.texts[0]),
            unit="points of share",
            better="lower",
            p=variants.drop_p(before, after, counted, seeds.rng(self.id, "accuracy_drop", kind)),
            family="noise",
            note=f"from an accuracy of {before[counted].mean():.3f} on the {counted.sum()} that changed; "
            f"over all texts the drop is {diluted:.3f}",
        )

    def _cases(self, answers: Answers, kind: str, rows: list[int], seeds: Seeds) -> tuple[Case, ...]:
        first: dict[int, int] = {}  # example → the first draw that flipped it
        for v in rows:
            for i in np.flatnonzero(answers.flipped[v]).tolist():
                first.setdefault(i, v)
        picked = seeds.pick(
            sorted(first), self.cases, lambda i: answers.examples[i].id, self.id, "cases", kind
        )
        return tuple(variants.case(answers, first[i], i, kind) for i in picked)

    # --- at worst, and by rate ------------------------------------------------------------

    def _worst(self, answers: Answers) -> Iterator[Finding | Skip]:
        rows = [v for kind in self.kinds for v in self._rows(answers, kind)]
        same = "" if answers.changed[rows].any() else "no text changed for the model, so nothing was tested"
        if why := answers.unlabelled or same:
            yield from self._skips(why, "worst_case_accuracy", "worst_case_drop")
            return
        right = answers.right[:1, answers.labelled]  # (1, n)
        worst: Bools = np.all(answers.right[[0, *rows]][:, answers.labelled], axis=0)[None]  # (1, n)
        label, most = variants.most_frequent(answers.examples)
        seen = [kind for kind in self.kinds if answers.changed[self._rows(answers, kind)].any()]
        note = f"right on the original and on all of {', '.join(seen)}; falls as kinds are added"
        yield Finding(
            probe=self.id,
            metric="worst_case_accuracy",
            estimate=variants.share(worst, np.ones_like(worst), answers.labelled_texts),
            unit="share",
            better="higher",
            note=f"{note}; always saying {label!r} would reach {most:.3f}",
        )
        if answers.constant:
            yield from self._skips(answers.constant, "worst_case_drop")
            return
        yield Finding(
            probe=self.id,
            metric="worst_case_drop",
            estimate=variants.drop(right, worst, np.ones_like(worst), answers.labelled_texts),
            unit="points of share",
            better="lower",
            note=f"from an accuracy of {right.mean():.3f} on the originals; {note}",
        )

    def _by_severity(self, answers: Answers, seeds: Seeds) -> Iterator[Finding | Skip]:
        rates = [0.0, *self.severities]
        rows = [[0], *(self._rows(answers, "typos", rate) for rate in self.severities)]
        why = "" if self.severities else "severities is empty, so no curve was asked for"
        moved = any(answers.changed[each].any() for each in rows)
        same = "" if moved else "typos changed no text for the model"
        if why := why or answers.unlabelled or answers.constant or same:
            yield from self._skips(why, "severity_retention")
            return
        right = [answers.right[each][:, answers.labelled] for each in rows]  # (r, n) for each rate
        try:
            draw = seeds.rng(self.id, "severity_retention")
            estimate = severity.retention(rates, right, draw, answers.labelled_texts)
        except ValueError as error:
            yield from self._skips(f"there is no interval for the curve: {error}", "severity_retention")
            return
        yield Finding(
            probe=self.id,
            metric="severity_retention",
            estimate=estimate,
            unit="ratio",
            better="higher",
            note=f"mean accuracy over typo rates 0 to {rates[-1]:g} per letter (area under the curve) by the "
            f"accuracy without typos, {right[0].mean():.3f}; over all texts, changed or not",
            series=severity.curve(rates, right),
        )

    def _skips(self, why: str, *metrics: str, kind: str | None = None, idle: bool = False) -> Iterator[Skip]:
        for metric in metrics:
            yield Skip(probe=self.id, metric=metric, slice=kind, reason=why, applicable=not idle)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """What is done to every example: a kind, a draw of it, and for the curve a typo rate of its own."""

    kind: str
    repeat: int
    rate: float | None = None

    @property
    def name(self) -> str:
        """The variant in items.jsonl: `mix`, `typos@0.30`, `mix#2` for the second draw."""
        at = "" if self.rate is None else "@" + max(f"{self.rate:.2f}", f"{self.rate:g}", key=len)
        return f"{self.kind}{at}" + (f"#{self.repeat + 1}" if self.repeat else "")


def _check(probe: str, name: str, fine: bool, found: object, advice: str) -> None:
    if not fine:
        raise ConfigError(f"{probe}: {name}: cannot be {shown(found)}; {advice}")
