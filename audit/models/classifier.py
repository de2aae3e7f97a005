"""A fine-tuned classifier: any model of transformers with a classification head, whole or as an adapter.

Opened without torch: `parts` reads what its files say, and a run that the cache answers needs no more.
`loading` does the rest.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from audit.models.cache import Cache
from audit.models.facts import facts_of
from audit.models.label import columns
from audit.models.ledger import Ledger
from audit.models.parts import classifier_key, find_classifier
from audit.models.scoring import Scorer
from audit.models.spec import ModelSpec
from audit.models.timing import ClassifierWatch
from audit.schema import Sizes, Subject

if TYPE_CHECKING:
    from audit.models.fine_tuned import FineTuned


def open_classifier(
    spec: ModelSpec, *, labels: tuple[str, ...], base: Path, cache: Cache, ledger: Ledger
) -> Subject:
    """Return the classifier that `spec` names; loaded now only if its facts are not remembered.

    Raises:
        ModelError: no such model, no weights, no tokenizer, a head that does not fit the task, or labels
            that cannot be told apart.
    """
    parts = find_classifier(spec, labels=labels, base=base, cache=cache)
    order = columns(parts.names, labels, spec.label_map, name=parts.name)
    key = classifier_key(parts, spec, order)

    @functools.cache
    def opened() -> FineTuned:
        from audit.models.loading import load

        return load(parts, spec, order)

    known = cache.learned("classifier", key.hex(), lambda: opened().facts())
    facts = facts_of(spec, weights=parts.weights, tokens=parts.tokens, known=known)
    scorer = Scorer(name=parts.name, labels=labels, key=key, open_engine=opened, cache=cache, ledger=ledger)

    def sizes() -> Sizes:
        from audit.models import sizes as counting

        return counting.classifier(opened().model, parts, allow_pickle=spec.allow_pickle)

    def machine() -> str:
        from audit.models import sizes as counting

        return counting.machine(opened().model, spec.dtype)

    watch = ClassifierWatch(opened, sizes=sizes, machine=machine)
    return Subject(classifier=scorer, stopwatch=watch, facts=facts)
