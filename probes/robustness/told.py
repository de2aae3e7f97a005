"""What an attack's outcome is in numbers, cases and items: the second half of robustness.adversarial."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from audit import stats
from audit.schema import Better, Case, Estimate, Finding, Item, Skip, Text, content_hash
from audit.seeds import Seeds
from probes import variants
from probes.robustness import recipes
from probes.robustness.outcome import Attacked, Originals
from probes.robustness.validity import Validity

# --- findings -----------------------------------------------------------------------------


def broken(
    probe: str, done: Attacked, why: str, valid: Validity, seeds: Seeds, cases: int
) -> Iterator[Finding | Skip]:
    """Yield the rates of a recipe that changes answers; `why` says that they would mean nothing."""
    yield from _original_accuracy(probe, done)
    why = why or _nobody(done)
    if why:
        names = (
            "accuracy_under_attack",
            "accuracy_drop",
            "attack_success_rate",
            "valid_success_rate",
            "perturbed_words",
            "queries",
        )
        yield from (Skip(probe=probe, metric=name, slice=done.recipe, reason=why) for name in names)
    else:
        yield from _rates(probe, done, valid, seeds, cases)
        yield _valid(probe, done, valid)
        yield _mean(probe, done, "queries")
        yield _mean(probe, done, "perturbed_words")
    yield from _apart(probe, done)


def _rates(probe: str, done: Attacked, valid: Validity, seeds: Seeds, cases: int) -> Iterator[Finding]:
    tried = list(done.attempts)
    hits = [done.broke(i) for i in tried]
    stood = [i in done.attempts and not done.broke(i) for i in done.counted]
    cut = len(done.truncated)
    budget = f"; {cut} of the failed attacks ended at the budget of {done.budget} queries" if cut else ""
    right = np.mean([done.originals.right[i] for i in done.counted])
    yield Finding(
        probe=probe,
        metric="accuracy_under_attack",
        slice=done.recipe,
        estimate=_share(stood, done.texts(done.counted)),
        unit="share",
        better="higher",
        note=f"from an accuracy of {right:.3f}; {done.originals.baseline}{budget}{done.left_out}",
    )
    fell = [i in done.attempts and done.broke(i) for i in done.counted]
    yield Finding(
        probe=probe,
        metric="accuracy_drop",
        slice=done.recipe,
        estimate=_share(fell, done.texts(done.counted)),
        unit="points of share",
        better="lower",
        note=f"accuracy minus accuracy under attack, on the same texts{budget}{done.left_out}",
    )
    yield Finding(
        probe=probe,
        metric="attack_success_rate",
        slice=done.recipe,
        estimate=_share(hits, done.texts(tried)),
        unit="share",
        better="lower",
        note=f"{sum(hits)} of {len(tried)} right answers were broken; a model that answers everything alike "
        f"would have 0 at an accuracy of {variants.most_frequent(done.originals.examples)[1]:.3f}"
        f"{budget}{done.left_out}{recipes.borrowed()}{done.about}",
        cases=_cases(done, valid, seeds, probe, cases),
    )


def _valid(probe: str, done: Attacked, valid: Validity) -> Finding | Skip:
    """Return the share of right answers that were broken by a text that passes the checks."""
    if not valid.checks:
        return Skip(
            probe=probe,
            metric="valid_success_rate",
            slice=done.recipe,
            reason=f"no success could be checked: {'; '.join(valid.lacking)}",
        )
    tried = list(done.attempts)
    won = [i for i in tried if done.broke(i)]
    lacking = f"; not checked: {'; '.join(valid.lacking)}" if valid.lacking else ""
    careful = "encoder" in recipes.RECIPES[done.recipe].needs
    same = "meaning at each step by the same encoder, which is then no second opinion"
    itself = f"the recipe itself checks {same if careful else 'no meaning'}"
    return Finding(
        probe=probe,
        metric="valid_success_rate",
        slice=done.recipe,
        estimate=_share([done.broke(i) and i not in valid.faults for i in tried], done.texts(tried)),
        unit="share",
        better="lower",
        note=f"{len(won) - len(valid.faults)} of {len(won)} successes pass ({', '.join(valid.checks)})"
        f"{lacking}; {itself}, and grammar is not checked",
    )


def reduced(probe: str, done: Attacked, why: str) -> Iterator[Finding | Skip]:
    """Yield what input reduction tells: how many words the answer needs."""
    yield from _original_accuracy(probe, done)
    idle = "input reduction keeps the answer by design: see kept_words"
    changing = (
        "accuracy_under_attack",
        "accuracy_drop",
        "attack_success_rate",
        "valid_success_rate",
        "perturbed_words",
    )
    for name in changing:
        yield Skip(probe=probe, metric=name, slice=done.recipe, reason=idle, applicable=False)
    why = why or _nobody(done)
    for name in ("kept_words", "queries"):
        yield (
            Skip(probe=probe, metric=name, slice=done.recipe, reason=why) if why else _mean(probe, done, name)
        )
    yield from _apart(probe, done)


def _original_accuracy(probe: str, done: Attacked) -> Iterator[Finding | Skip]:
    counted = done.counted if done.attempts else range(len(done.originals.examples))
    yield Finding(
        probe=probe,
        metric="original_accuracy",
        slice=done.recipe,
        estimate=_share([bool(done.originals.right[i]) for i in counted], done.texts(counted)),
        unit="share",
        better="higher",
        note=f"before any attack, on the texts that the rates are over; {done.originals.baseline}",
    )


def _apart(probe: str, done: Attacked) -> Iterator[Finding]:
    """Yield the share of attacks that ended at the budget, and of those that ended in an error."""
    tried = sorted({*done.attempts, *done.errors})
    if not tried:
        return
    yield Finding(
        probe=probe,
        metric="truncated_rate",
        slice=done.recipe,
        estimate=_share([i in done.truncated for i in tried], done.texts(tried)),
        unit="share",
        better="neither",
        note=f"attacks that the budget of {done.budget} queries ended without success; they count as failed",
    )
    yield Finding(
        probe=probe,
        metric="error_rate",
        slice=done.recipe,
        estimate=_share([i in done.errors for i in tried], done.texts(tried)),
        unit="share",
        better="lower",
        note="attacks that ended in an error of their own; they are in no other number",
        cases=tuple(
            Case(example=one.id, text=_shown(one.input), label=one.label, note=done.errors[i])
            for i in sorted(done.errors)[:5]
            for one in [done.originals.examples[i]]
        ),
    )


def _mean(probe: str, done: Attacked, metric: str) -> Finding | Skip:
    """Return a mean over texts; copies of a text are one."""
    high: float | None = 1.0
    better: Better
    match metric:
        case "queries":
            values = {i: float(one.queries) for i, one in done.attempts.items()}
            high, unit, better = float(done.budget), "queries", "neither"
            note = f"for each attack, failed ones included, of a budget of {done.budget}"
        case "perturbed_words":
            values = {i: one.changed / one.words for i, one in done.attempts.items() if done.broke(i)}
            unit, better = "share", "neither"
            note = "words changed, mean over the attacks that succeeded"
        case _:
            values = {i: one.left / one.words for i, one in done.attempts.items()}
            unit, better = "share", "higher"
            note = (
                "words left while the answer holds; few: it hangs on single words; an upper bound, because "
                "after each word that is gone TextAttack's search passes over the next"
            )
    units = {content_hash(text): values[i] for i, text in zip(values, done.texts(list(values)), strict=True)}
    if len(units) < 2:
        why = f"an interval needs 2 texts and there are {len(units)}: take more items"
        return Skip(probe=probe, metric=metric, slice=done.recipe, reason=f"{done.recipe}: {note}: {why}")
    return Finding(
        probe=probe,
        metric=metric,
        slice=done.recipe,
        estimate=stats.mean(list(units.values()), low=0.0, high=high),
        unit=unit,
        better=better,
        note=note,
    )


def _nobody(done: Attacked) -> str:
    if done.attempts:
        return ""
    n, right = len(done.originals.examples), int(done.originals.right.sum())
    return f"0 were attacked: {right} of {n} originals are answered rightly{done.left_out}: take other texts"


def _share(hits: Sequence[bool], texts: Sequence[Text]) -> Estimate:
    row = np.array([hits], dtype=np.bool_)
    return variants.share(row, np.ones_like(row), texts)


# --- what a reader can see and check ------------------------------------------------------


def _cases(done: Attacked, valid: Validity, seeds: Seeds, probe: str, count: int) -> tuple[Case, ...]:
    won = [i for i in sorted(done.attempts) if done.broke(i)]
    examples, labels = done.originals.examples, done.originals.labels
    picked = seeds.pick(won, count, lambda i: examples[i].id, probe, "cases", done.recipe)
    return tuple(
        Case(
            example=examples[i].id,
            text=_shown(examples[i].input),
            changed=_shown(done.attempts[i].text),
            label=examples[i].label,
            before=labels[done.originals.predicted[i]],
            after=labels[done.attempts[i].predicted],
            note=f"{done.recipe}, {done.attempts[i].queries} queries{valid.note(i)}",
        )
        for i in picked
    )


def originals(probe: str, done: Originals) -> Iterator[Item]:
    """Yield the items of the originals: `right` or `wrong`."""
    for i, example in enumerate(done.examples):
        yield Item(
            example=example.id,
            content=content_hash(example.input),
            probe=probe,
            variant="original",
            label=example.label,
            predicted=done.labels[done.predicted[i]],
            probabilities=tuple(done.probabilities[i].tolist()),
            outcome="right" if done.right[i] else "wrong",
        )


def items(probe: str, done: Attacked) -> Iterator[Item]:
    """Yield the items of the last texts: `flipped`, `kept`, or `truncated` where the budget ended it."""
    for i, one in sorted(done.attempts.items()):
        example = done.originals.examples[i]
        yield Item(
            example=example.id,
            content=content_hash(one.text),
            probe=probe,
            variant=done.recipe,
            label=example.label,
            predicted=done.originals.labels[one.predicted],
            probabilities=one.probabilities,
            outcome="flipped" if done.broke(i) else "truncated" if one.spent else "kept",
        )


def _shown(text: Text) -> str:
    return text if isinstance(text, str) else "\n".join(text)
