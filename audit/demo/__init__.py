"""The demonstration: two small real models and real rated text in four domains, from packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from audit.demo.bring import bring
from audit.demo.learn import Recipe
from audit.demo.parts import PARTS, Part
from audit.demo.prepare import Counts, prepare
from audit.demo.tune import Tuned, tune
from audit.places import DEMO


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the demonstration consists of, all of it in the demo folder."""

    folder: Path
    counts: Mapping[str, Counts]
    """Domain → what became of its snippets."""
    tuned: Tuned
    """The fine-tuned model and its accuracy on held-out snippets."""

    def path(self, name: str) -> Path:
        """Return where the part called `demo:NAME` lies."""
        return self.folder / DEMO[name]


def make_demo(
    folder: Path,
    *,
    on_step: Callable[[str], None],
    on_progress: Callable[[int, int], None],
    packages: Path | None = None,
    parts: tuple[Part, ...] = PARTS,
    recipe: Recipe | None = None,
) -> Demo:
    """Bring the packages, label the snippets, fine-tune the encoder; what is there already is used.

    Args:
        folder: the demo folder (`audit.places.demo_folder()`); made if missing.
        on_step: told in one line of each thing begun or found.
        on_progress: told after each step of the tuning: steps done, steps in all.
        packages: a folder that holds the packages' archives, for a machine without a package index.
        parts: what to bring.
        recipe: how to tune; None for the one the demonstration is known by.

    Raises:
        AuditError: what could not be done and what to do about it; the same call then goes on from there.
    """
    bring(folder, on_step, packages=packages, parts=parts)
    counts = prepare(folder, on_step)
    encoder, train, target = (folder / DEMO[name] for name in ("minilm", "movies/train", "minilm-movies"))
    tuned = tune(encoder, train, target, on_progress, recipe=recipe)
    return Demo(folder=folder, counts=counts, tuned=tuned)
