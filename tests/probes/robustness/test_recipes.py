# ruff: noqa: NPY002 - TextAttack draws from the global generator
"""TextAttack's recipes under our driver: the same texts and the same counts as TextAttack alone."""

from __future__ import annotations

import csv
import gzip
import os
import random
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audit.models.cache import Cache
from audit.models.ledger import Ledger
from audit.models.load import open_subject
from audit.models.spec import ModelSpec
from audit.schema import Classifier, Text
from audit.testing import LABELS, Planted, coin
from probes.robustness import quietly, recipes
from probes.robustness.book import NOTHING, Means
from probes.robustness.lockstep import Ask, Broken, Search, drive
from probes.robustness.recipes import Attempt

ROOT = Path(__file__).parents[3]
FREE = ("pruthi", "deepwordbug", "bad-characters-invisible", "input-reduction")
SENTENCES = (
    "I do not think the film is fine, number one.",
    "A dull and weak plot; the actors seem to be asleep!",
    "Bright, moving, and never boring",
    "It's the well-made score that I (still) remember @home",
    "the the the the",
    "Is this film good? Is this film bad?",
    "ok",
    "  Spaces   and\nlines and ümläuts — and 🙂 emoji",
)
PAIRS = (
    ("A man plays a guitar.", "Somebody makes music\nin the street"),
    ("two\nlines here", "Nobody sleeps"),
)


@pytest.fixture(scope="module")
def nltk_data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the few stop words that the sentences have, and TextAttack imported with it."""
    folder = tmp_path_factory.mktemp("nltk")
    (folder / "corpora/stopwords").mkdir(parents=True)
    (folder / "corpora/stopwords/english").write_text("i\ndo\nnot\nthe\nis\na\nand\nto\nbe\nit's\n")
    recipes.look_in(str(folder))
    assert recipes.missing("deepwordbug") == ""
    quietly.bring()
    return str(folder)


def wordy(labels: tuple[str, ...] = LABELS) -> Planted:
    """A model whose answer hangs a little on every word, so that searches take several steps."""

    def positive(text: Text) -> float:
        words = (text if isinstance(text, str) else " | ".join(text)).split()
        pull = sum(coin(word) - 0.5 for word in words)
        return float(1 / (1 + np.exp(-3 * pull)))

    return Planted(positive=positive, labels=labels)


class Stock:
    """TextAttack's way: one search asks at a time, in batches of 32."""

    model = None

    def __init__(self, model: Classifier) -> None:
        self.ask = model

    def __call__(self, texts: Sequence[Text]) -> np.ndarray:
        return self.ask.score(list(texts)).probabilities


def textattack_alone(name: str, model: Classifier, text: Text, seed: int, budget: int) -> tuple[Any, int]:
    """TextAttack's own result for one text: its last text, and its count of queries."""
    with quietly.quiet():
        attack = recipes.RECIPES[name].build(Stock(model))
    if recipes.RECIPES[name].targeted:
        attack.goal_function.target_class = 1 - int(model.score([text]).predicted[0])
    return run_alone(attack, model, text, seed, budget)


def run_alone(attack: Any, model: Classifier, text: Text, seed: int, budget: int) -> tuple[Any, int]:
    """What TextAttack's own runner makes of one text with this attack."""
    label = int(model.score([text]).predicted[0])
    attack.goal_function.query_budget = budget
    random.seed(seed)
    np.random.seed(seed)
    given = text if isinstance(text, str) else OrderedDict(text=text[0], pair=text[1])
    result = attack.attack(given, label)
    return result.perturbed_result.attacked_text.tokenizer_input, attack.goal_function.num_queries


def ours(
    name: str,
    model: Classifier,
    texts: Sequence[Text],
    budget: int = 5_000,
    lanes: int = 64,
    means: Means = NOTHING,
) -> list[Attempt | Broken]:
    """All texts at once, each with its place as its seed."""
    first = model.score(list(texts)).predicted.tolist()
    free: list[recipes.Attacker] = []

    def search(i: int) -> Search[Attempt]:
        def run(ask: Ask) -> Attempt:
            attacker = free.pop() if free else recipes.Attacker(recipes.RECIPES[name], budget, means)
            try:
                return attacker.run(texts[i], first[i], 1 - first[i], ask)
            finally:
                free.append(attacker)

        return Search(run=run, seed=i)

    with quietly.remembering():
        return drive(
            [search(i) for i in range(len(texts))], lambda t: model.score(t).probabilities, lanes=lanes
        )


def outcomes(attempts: Sequence[Attempt | Broken]) -> list[tuple[Any, int]]:
    assert all(isinstance(one, Attempt) for one in attempts), attempts
    return [(one.text, one.queries) for one in attempts if isinstance(one, Attempt)]


# --- the same as TextAttack ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lanes"), [*((name, 64) for name in FREE), ("deepwordbug", 2), ("pruthi", 1)]
)
def test_texts_and_counts_are_those_of_textattack_alone(nltk_data: str, name: str, lanes: int) -> None:
    model = wordy()
    expected = [textattack_alone(name, model, text, i, 5_000) for i, text in enumerate(SENTENCES)]

    assert expected == outcomes(ours(name, model, SENTENCES, lanes=lanes))
    assert any(text != last for text, (last, _) in zip(SENTENCES, expected, strict=True))


@pytest.mark.parametrize("name", ["pruthi", "deepwordbug", "input-reduction"])
def test_the_budget_is_textattacks_own(nltk_data: str, name: str) -> None:
    model = wordy()
    expected = [textattack_alone(name, model, text, i, 12) for i, text in enumerate(SENTENCES)]
    attempts = ours(name, model, SENTENCES, budget=12)

    assert expected == outcomes(attempts)
    assert any(one.spent for one in attempts if isinstance(one, Attempt))
    assert all(one.queries <= 12 for one in attempts if isinstance(one, Attempt))


@pytest.mark.parametrize("name", ["pruthi", "deepwordbug", "input-reduction"])
def test_pairs_are_attacked_as_textattack_attacks_them(nltk_data: str, name: str) -> None:
    model = wordy()
    expected = [textattack_alone(name, model, text, i, 5_000) for i, text in enumerate(PAIRS)]

    assert expected == outcomes(ours(name, model, PAIRS))


def test_bad_characters_leave_a_pair_a_pair(nltk_data: str) -> None:
    model = wordy()
    attempts = ours("bad-characters-invisible", model, PAIRS)

    for before, one in zip(PAIRS, attempts, strict=True):
        assert isinstance(one, Attempt)
        assert isinstance(one.text, tuple)
        seen = tuple(part.translate({0x200B: "", 0x200C: "", 0x200D: ""}) for part in one.text)
        assert before == seen
        assert one.text != before


def test_bad_characters_keep_their_best_text_when_the_budget_ends(nltk_data: str) -> None:
    model = wordy()
    (one,) = ours("bad-characters-invisible", model, SENTENCES[:1], budget=40)

    assert isinstance(one, Attempt)
    assert one.spent
    assert 40 == one.queries
    assert SENTENCES[0] != one.text
    assert model.score([one.text]).probabilities[0].tolist() == list(one.probabilities)


def test_perturbed_words_are_counted_at_their_places(nltk_data: str) -> None:
    (one,) = ours("pruthi", wordy(), ["Nothing was remembered afterwards"])

    assert isinstance(one, Attempt)
    assert (4, 1, 4) == (one.words, one.changed, one.left)


# --- what is missing ----------------------------------------------------------------------

ALONE = """
import os, socket, sys, logging, random
def refuse(self, address): raise SystemExit(f"reached for the network: {address}")
socket.socket.connect = refuse
log = logging.getLogger("mine")
environment = dict(os.environ)
from probes.robustness import quietly, recipes
recipes.look_in(sys.argv[1] or None)
why = recipes.missing(sys.argv[2])
if not why:
    quietly.bring()
    recipes.Attacker(recipes.RECIPES[sys.argv[2]], 50)
    assert not log.disabled
assert environment == dict(os.environ), "the environment was changed"
print("BORROWED", "" if why else recipes.borrowed())
print("WHY", why)
"""


def in_a_process_of_its_own(home: Path, nltk_data: str, name: str) -> str:
    """What a fresh process with an empty home folder and no network says that the recipe lacks."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NLTK_DATA", "TA_CACHE_DIR")}
    environment |= {
        "HOME": str(home),
        "MPLCONFIGDIR": str(home.parent / "mpl"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "KMP_INIT_AT_FORK": "FALSE",  # scikit-learn's import sets these two
        "KMP_DUPLICATE_LIB_OK": "True",
    }
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, nltk_data, name], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert [] == list(home.iterdir()), "the home folder was touched"
    return ran.stdout


def test_missing_words_are_named_with_the_way_to_get_them(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    said = in_a_process_of_its_own(tmp_path / "home", "", "pwws")

    assert "python -m nltk.downloader wordnet," in said
    assert "nltk_data" in said


def test_our_stop_words_lie_where_nltk_looks() -> None:
    with quietly.stand_in.__wrapped__() as folder:
        assert (Path(folder) / "corpora/stopwords/english").read_text().startswith("a\nabout\nabove\n")


def test_words_that_nltk_finds_but_cannot_open_are_named(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    half = tmp_path / "data/corpora/wordnet"  # as Debian packs WordNet, and not as NLTK reads it
    half.mkdir(parents=True)
    (half / "index.noun").write_text("")

    said = in_a_process_of_its_own(tmp_path / "home", str(tmp_path / "data"), "pwws")

    assert "WHY NLTK does not open its wordnet here: " in said
    assert "lexnames" in said
    assert said.endswith("name in nltk_data a folder that really holds it, as NLTK's downloader writes it\n")


@pytest.mark.slow
def test_without_nltks_data_our_own_stop_words_stand_in_and_are_named(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    said = in_a_process_of_its_own(tmp_path / "home", "", "deepwordbug")

    assert "BORROWED ; with our own list of stop words" in said
    assert said.endswith("WHY \n")


@pytest.mark.slow
def test_an_import_leaves_the_home_folder_and_the_network_alone(tmp_path: Path, nltk_data: str) -> None:
    (tmp_path / "home").mkdir()

    said = in_a_process_of_its_own(tmp_path / "home", nltk_data, "deepwordbug")

    assert said.endswith("BORROWED \nWHY \n")


def test_named_folders_are_looked_in_first_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    monkeypatch.setattr(nltk.data, "path", ["/usr/share", "/somewhere"])
    recipes.look_in(f"/somewhere{os.pathsep}~/else")

    assert ["/somewhere", str(Path("~/else").expanduser()), "/usr/share"] == nltk.data.path[:-1]
    assert quietly.stand_in().name == nltk.data.path[-1]


@settings(deadline=None)  # the first Chinese text loads a dictionary
@given(st.text(alphabet="ab I'-_*@.,!\n\t\u4e2d\u00e9\u0435 ", max_size=120))
@example("a well-known 'quote' , it 's _not_ me@here " * 3)
@example("the film \u4e2d\u6587\u7535\u5f71 was long and far too dull for me")
def test_words_that_are_remembered_are_those_of_textattack(text: str) -> None:
    recipes.look_in(None)
    quietly.bring()
    from textattack.shared import attacked_text

    expected = attacked_text.words_from_text(text)
    with quietly.remembering():
        assert expected == attacked_text.words_from_text(text) == attacked_text.words_from_text(text)


def test_a_missing_file_of_textattack_is_named(nltk_data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(victim: Any, means: Any) -> Any:
        raise FileNotFoundError(2, "No such file", "/x/shared/intentional_homoglyphs.txt")

    with pytest.raises(recipes.Incomplete, match=r"without intentional_homoglyphs\.txt"):
        recipes.Attacker(recipes.Recipe(make=make), 50)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "without a word"),
        ("  \n", "without a word"),
        ("!?…", "without a word"),
        (("", "—"), "without a word"),
        ("x" * 101, "longer than 100 characters"),
        (("x" * 60, "y" * 60), "longer than 100 characters"),
        ("a <SPLIT> b", "with TextAttack's own mark <SPLIT>"),
        ("a", ""),
        (("", "word"), ""),
        ("很好的电影", ""),
    ],
)
def test_what_cannot_be_attacked_is_told_why(nltk_data: str, text: Text, why: str) -> None:
    assert why == recipes.unfit(text, 100)


# --- a real model -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(shared: Path) -> tuple[Classifier, list[str]]:
    """MiniLM and a dozen sentences of SST-2."""
    with gzip.open(shared / "data/sst2/test.tsv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    short = [row["content"] for row in rows if 5 <= len(row["content"].split()) <= 15]
    encoder = open_subject(
        ModelSpec(kind="fine-tuned", source="models/sst2-minilm"),
        labels=LABELS,
        pair=False,
        prompt=None,
        base=shared,
        cache=Cache(None),
        ledger=Ledger(),
    )
    assert encoder.classifier is not None
    return encoder.classifier, short[:12]


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize("name", ["deepwordbug", "pruthi", "pwws"])
def test_a_real_model_is_broken_as_by_textattack_alone(
    shared: Path, real: tuple[Classifier, list[str]], name: str
) -> None:
    model, texts = real
    data = os.pathsep.join(str(shared / "data" / folder) for folder in ("nltk_small", "wordnet30"))
    recipes.look_in(data)
    assert recipes.missing(name) == ""
    quietly.bring()
    expected = [textattack_alone(name, model, text, i, 500) for i, text in enumerate(texts)]

    assert expected == outcomes(ours(name, model, texts, budget=500))
