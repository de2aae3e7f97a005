"""What was skipped, in words."""

from __future__ import annotations

from audit.schema import Skip
from reports import wording


def skip(metric: str | None, part: str | None, reason: str = "too few texts", *, fits: bool = True) -> Skip:
    return Skip(probe="fairness.counterfactual", metric=metric, slice=part, reason=reason, applicable=fits)


def told(*skips: Skip) -> list[tuple[str, str]]:
    return [(what, one.reason) for what, one in wording.gaps(skips)]


def test_metrics_and_slices_with_one_reason_stand_together_each_once() -> None:
    skips = [skip(m, s) for s in ("age", "religion") for m in ("flip_rate", "mean_shift")]
    assert told(*skips) == [("flip rate, mean shift: age, religion", "too few texts")]


def test_a_slice_that_the_reason_names_is_not_said_twice() -> None:
    assert told(skip("flip_rate", "pwws", "pwws: no WordNet")) == [("flip rate", "pwws: no WordNet")]


def test_a_part_of_a_word_does_not_name_a_slice() -> None:
    assert told(skip("flip_rate", "age", "no language model")) == [("flip rate: age", "no language model")]


def test_a_slice_without_a_metric_and_a_whole_probe() -> None:
    assert told(skip(None, "age"), skip(None, None, "no texts")) == [
        ("age", "too few texts"),
        ("", "no texts"),
    ]


def test_what_cannot_be_had_stands_apart_from_what_was_left_out() -> None:
    assert len(told(skip("flip_rate", "age"), skip("flip_rate", "age", fits=False))) == 2
