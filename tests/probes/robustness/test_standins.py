"""Recipes over the user's language model, word lists and encoder: as TextAttack's own, nothing is fetched.

No masked language model can be had offline, so the tests make a tiny one whose head ranks the words of a
small vocabulary by a fixed bias: what it puts in the place of any word is known.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import mock_open, patch

import numpy as np
import pytest
import torch
import transformers

from audit.models.masked import LazyMaskedLM
from audit.models.neighbours import open_neighbours
from audit.schema import Classifier, Data, Example, Finding, Neighbours, Skip, Subject
from audit.seeds import Seeds
from audit.testing import LABELS, Planted, subject
from probes.robustness import quietly, recipes
from probes.robustness.adversarial import Adversarial
from probes.robustness.book import RECIPES, Means
from tests.probes.robustness.test_recipes import Stock, ours, outcomes, run_alone, wordy
from tests.probes.robustness.test_recipes import real as real

WORDS = tuple(
    word
    for line in (
        "movie story plot script fine good great nice",
        "bad dull weak awful boring film actor scene",
    )
    for word in line.split()
)
"""The masked language model's candidates, the likeliest first."""

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
OTHERS = (*SPECIAL, "the", "is", "a", "and", "it", "not", "i", "this", "was", "un", "##even", "##ly", "##s")

SENTENCES = (
    "The film is good and the plot is great, a fine scene with nice music and a weak script.",
    "This movie was dull, boring and awful; the actor was bad and the story uneven, badly written and weak.",
    "Good music",
    "the is a",
    "A weak film with a bad plot, and it is not the actors that I blame but the dull boring script of it.",
)

NEAR = Neighbours(
    words={
        "good": ("nice", "fine", "great", "decent", "well", "best", "alright"),
        "film": ("movie", "films"),
        "plot": ("story", "script"),
        "weak": ("feeble",),
        "dull": ("boring", "bland"),
        "bad": ("poor", "awful", "rotten"),
        "music": ("song",),
        "awful": ("terrible", "horrible"),
    },
    source="near.json (sha256 00000000)",
)


class Bag:
    """An encoder that counts words: two texts are as alike as their bags are."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.zeros((len(texts), 256))
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[hashlib.sha256(word.encode()).digest()[0]] += 1
            row[0] += 1e-6
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Same:
    """An encoder that finds any two texts alike."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 1))


class Deaf:
    """An encoder that finds no two texts alike."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.empty((0, 0))
        digests = [np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype=np.uint8) for text in texts]
        return (2.0 * np.unpackbits(np.array(digests), axis=1) - 1) / 16


@cache
def masked(longest: int = 512) -> tuple[Any, Any]:
    """A BERT of one layer whose head answers by its bias alone, and its tokenizer."""
    torch.manual_seed(0)
    vocabulary = {word: i for i, word in enumerate([*OTHERS, *WORDS])}
    tokenizer = transformers.BertTokenizerFast(
        vocab=vocabulary, tokenizer_object=word_pieces(vocabulary), model_max_length=longest
    )
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=longest,
    )
    model = transformers.BertForMaskedLM(config).eval()
    with torch.no_grad():
        model.cls.predictions.bias[:] = -20.0
        for rank, word in enumerate(WORDS):
            model.cls.predictions.bias[vocabulary[word]] = 8.0 - rank / 2
    return model, tokenizer


def word_pieces(vocabulary: dict[str, int]) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return made


MEANS = Means(neighbours=NEAR, masked_lm=LazyMaskedLM(masked), encoder=Bag())


@pytest.fixture(scope="module", autouse=True)
def textattack(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a few stop words, and TextAttack imported with it."""
    folder = tmp_path_factory.mktemp("nltk")
    (folder / "corpora/stopwords").mkdir(parents=True)
    (folder / "corpora/stopwords/english").write_text("i\nthe\nis\na\nand\nit\nthis\nwas\n")
    recipes.look_in(str(folder))
    quietly.bring()
    return str(folder)


@pytest.fixture
def tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tagger that knows the sentences' words; anything else is a noun."""
    import nltk

    adjectives = {"good", "nice", "fine", "great", "dull", "boring", "weak", "bad", "awful", "poor", "feeble"}

    def pos_tag(words: Sequence[str], tagset: str | None = None, lang: str = "eng") -> list[tuple[str, str]]:
        return [(word, "ADJ" if word.lower() in adjectives else "NOUN") for word in words]

    monkeypatch.setattr(nltk, "pos_tag", pos_tag)


# --- the same as TextAttack ---------------------------------------------------------------


def stock(name: str, model: Classifier, folder: Path) -> Any:
    """The recipe composed of TextAttack's own parts, by hand; only words and vectors are the tests'."""
    from textattack import Attack
    from textattack import transformations as t
    from textattack.constraints.grammaticality import PartOfSpeech
    from textattack.constraints.overlap import MaxWordsPerturbed
    from textattack.constraints.pre_transformation import RepeatModification, StopwordModification
    from textattack.constraints.semantics.sentence_encoders import SentenceEncoder
    from textattack.goal_functions import UntargetedClassification
    from textattack.search_methods import GreedyWordSwapWIR

    class ByBag(SentenceEncoder):  # type: ignore[misc]
        def encode(self, sentences: list[str]) -> Any:
            return torch.tensor(Bag().embed(sentences))

    class Listed(t.WordSwap):  # type: ignore[misc]
        def _get_replacement_words(self, word: str) -> list[str]:
            like = t.word_swaps.word_swap_embedding.recover_word_case
            return [like(other, word) for other in NEAR.words.get(word.lower(), ())[: self.most]]

    listed = Listed()
    listed.most = 50 if name == "textfooler" else 5
    bugs = {"random_one": True, "skip_first_char": True, "skip_last_char": True}
    with patch("builtins.open", mock_open(read_data="")):  # the wheel lacks a file that is not needed here
        look_alikes = t.WordSwapHomoglyphSwap()
    own = built(name).pre_transformation_constraints[1].stopwords  # TextFooler has a list of its own
    before = [RepeatModification(), StopwordModification(stopwords=own)]
    window = {"metric": "cosine", "compare_against_original": True, "window_size": 15}
    match name:
        case "textfooler":
            swap, rank = listed, "delete"
            angular = {"metric": "angular", "compare_against_original": False, "window_size": 15}
            checks = [PartOfSpeech(allow_verb_noun_swap=True), ByBag(0.840845057, **angular)]
        case "bae":
            swap = t.WordSwapMaskedLM("bae", str(folder), max_candidates=50, min_confidence=0.0)
            rank = "delete"
            checks = [PartOfSpeech(allow_verb_noun_swap=True), ByBag(0.936338023, **window)]
        case "bert-attack":
            swap, rank = t.WordSwapMaskedLM("bert-attack", str(folder), max_candidates=8), "unk"
            checks = [MaxWordsPerturbed(max_percent=0.4), ByBag(0.2, metric="cosine")]
        case _:
            swap = t.CompositeTransformation(
                [
                    t.WordSwapRandomCharacterInsertion(letters_to_insert=" ", **bugs),
                    t.WordSwapRandomCharacterDeletion(**bugs),
                    t.WordSwapNeighboringCharacterSwap(**bugs),
                    look_alikes,
                    listed,
                ]
            )
            rank, checks = "delete", [ByBag(0.8, metric="angular")]
    goal = UntargetedClassification(Stock(model))
    return Attack(goal, [*before, *checks], swap, GreedyWordSwapWIR(wir_method=rank))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The masked language model, saved as TextAttack loads one by its name."""
    place = tmp_path_factory.mktemp("masked")
    for part in masked():
        part.save_pretrained(place)
    return place


@pytest.mark.parametrize("budget", [5_000, 20])
@pytest.mark.parametrize("name", ["textfooler", "bae", "bert-attack", "textbugger"])
def test_texts_and_counts_are_those_of_textattacks_own_parts(
    name: str, budget: int, folder: Path, tagger: None
) -> None:
    model = wordy()
    expected = [
        run_alone(stock(name, model, folder), model, text, i, budget) for i, text in enumerate(SENTENCES)
    ]

    assert expected == outcomes(ours(name, model, SENTENCES, budget=budget, means=MEANS))
    assert any(text != last for text, (last, _) in zip(SENTENCES, expected, strict=True))


def test_clare_gives_what_textattacks_runner_gives(tagger: None) -> None:
    model, texts = wordy(), ("Good music", "a film and a weak plot")
    expected = []
    for i, text in enumerate(texts):
        with quietly.quiet():
            attack = RECIPES["clare"].build(Stock(model), MEANS)
        expected.append(run_alone(attack, model, text, i, 60))

    assert expected == outcomes(ours("clare", model, texts, budget=60, means=MEANS))
    assert any(text != last for text, (last, _) in zip(texts, expected, strict=True))


@pytest.mark.parametrize("name", ["textbugger", "bert-attack"])
def test_lanes_and_neighbours_change_nothing(name: str) -> None:
    model = wordy()
    together = outcomes(ours(name, model, SENTENCES, means=MEANS))

    assert together == outcomes(ours(name, model, SENTENCES, means=MEANS, lanes=1))
    assert together[:2] == outcomes(ours(name, model, SENTENCES[:2], means=MEANS))


def test_pairs_are_attacked_as_textattack_attacks_them(tagger: None, folder: Path) -> None:
    model, pairs = wordy(), [tuple(SENTENCES[:2]), tuple(SENTENCES[3:])]
    expected = [run_alone(stock("bae", model, folder), model, pair, i, 500) for i, pair in enumerate(pairs)]

    assert expected == outcomes(ours("bae", model, pairs, means=MEANS, budget=500))


def test_a_text_longer_than_the_language_model_is_cut_for_it_alone(tagger: None) -> None:
    means = replace(MEANS, masked_lm=LazyMaskedLM(lambda: masked(24)))
    (one,) = ours("bert-attack", wordy(), ["good film " * 20], means=means, budget=60)

    assert isinstance(one, recipes.Attempt), one
    assert (40, True) == (one.words, one.queries > 41)  # 40 to rank the words, and then candidates


# --- what stands in -----------------------------------------------------------------------


def built(name: str, means: Means = MEANS) -> Any:
    with quietly.quiet():
        return RECIPES[name].build(Stock(wordy()), means)


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.needs])
def test_nothing_of_ours_is_left_in_textattack(name: str) -> None:
    from textattack.attack_recipes import clare_li_2020, textbugger_li_2018
    from textattack.shared import WordEmbedding
    from textattack.transformations import WordMergeMaskedLM, WordSwapHomoglyphSwap
    from textattack.transformations.word_swaps import word_swap_masked_lm

    owners = (clare_li_2020, textbugger_li_2018, word_swap_masked_lm, WordEmbedding)
    before = [dict(vars(owner)) for owner in owners]
    built(name)

    assert before == [dict(vars(owner)) for owner in owners]
    assert WordSwapHomoglyphSwap is textbugger_li_2018.WordSwapHomoglyphSwap
    assert WordMergeMaskedLM is clare_li_2020.WordMergeMaskedLM


@pytest.mark.parametrize(
    ("name", "metric", "threshold"),
    [
        ("textfooler", "angular", 0.840845057),
        ("textbugger", "angular", 0.8),
        ("bae", "cosine", 0.936338023),
        ("bert-attack", "cosine", 0.2),
        ("clare", "cosine", 0.7),
    ],
)
def test_the_encoder_takes_the_place_and_the_limits_of_textattacks(
    name: str, metric: str, threshold: float
) -> None:
    (one,) = [c for c in built(name).constraints if hasattr(c, "sim_metric")]

    assert (metric, threshold) == (one.metric, one.threshold)
    assert not one.skip_text_shorter_than_window
    assert "standins" in type(one).__module__


def test_look_alikes_are_textattacks() -> None:
    from textattack.transformations import WordSwapHomoglyphSwap

    from probes.robustness import standins

    with patch("builtins.open", mock_open(read_data="")):
        assert WordSwapHomoglyphSwap().homos == standins.LOOK_ALIKES


def test_a_kind_of_language_model_that_textattack_does_not_know_is_told() -> None:
    config = transformers.DistilBertConfig(vocab_size=8, dim=8, n_layers=1, n_heads=1, hidden_dim=8)
    strange = transformers.DistilBertForMaskedLM(config)
    means = replace(MEANS, masked_lm=LazyMaskedLM(lambda: (strange, masked()[1])))

    with pytest.raises(recipes.Incomplete, match="Model type distilbert is not available"):
        built("bae", means)


def test_neighbours_keep_the_case_of_the_word(tagger: None) -> None:
    swap = built("textfooler").transformation

    assert ["Movie", "Films"] == swap._get_replacement_words("Film")
    assert ["MOVIE", "FILMS"] == swap._get_replacement_words("FILM")
    assert [] == swap._get_replacement_words("unheard")


def test_vectors_give_the_neighbours_that_textfooler_would_take(tmp_path: Path, tagger: None) -> None:
    from textattack.constraints.semantics import WordEmbeddingDistance
    from textattack.shared import AttackedText, WordEmbedding
    from textattack.transformations import WordSwapEmbedding

    words = [f"w{i}" for i in range(120)]
    matrix = (np.random.default_rng(1).normal(size=(120, 3)) + 0.5).astype(np.float32)
    lines = [f"{word} {' '.join(map(str, row))}" for word, row in zip(words, matrix, strict=True)]
    (tmp_path / "vectors.txt").write_text("\n".join(lines))
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    nearest = np.argsort(-(unit @ unit.T), axis=1, kind="stable")
    places = {word: i for i, word in enumerate(words)}
    vectors = WordEmbedding(matrix, places, words, nearest)
    limit = WordEmbeddingDistance(embedding=vectors, min_cos_sim=0.5)
    theirs, text = WordSwapEmbedding(max_candidates=50, embedding=vectors), AttackedText("w7 w8 w9")
    kept = [one for one in theirs(text, []) if limit(one, text)]
    means = replace(MEANS, neighbours=open_neighbours("vectors.txt", base=tmp_path))

    assert 20 < len(kept) < 150
    assert [one.text for one in kept] == [
        one.text for one in built("textfooler", means).transformation(text, [])
    ]


# --- what is missing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "means", "said"),
    [
        ("textfooler", Means(), "needs helpers.neighbours: {source: …}, .*; needs helpers.encoder"),
        ("textbugger", replace(MEANS, neighbours=None), "needs helpers.neighbours"),
        ("bae", replace(MEANS, masked_lm=None), "needs helpers.masked_lm: .* bert-base-uncased"),
        ("clare", replace(MEANS, encoder=None), "needs helpers.encoder: .* Universal Sentence Encoder"),
    ],
)
def test_a_missing_helper_is_named(name: str, means: Means, said: str) -> None:
    assert re.match(said, recipes.missing(name, means))


def test_a_missing_tagger_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])

    assert "python -m nltk.downloader averaged_perceptron_tagger_eng universal_tagset," in recipes.missing(
        "bae", MEANS
    )
    assert "" == recipes.missing("bert-attack", MEANS)


# --- the probe ----------------------------------------------------------------------------


def data(n: int = 10) -> Data:
    """Texts with a number; even ones are negative, odd ones positive."""
    test = tuple(
        Example(
            id=f"e{i}",
            text=f"A film of the year and of the town, seen by a crowd in room r{i} on a long cold night",
            label=LABELS[i % 2],
        )
        for i in range(n)
    )
    return Data(labels=LABELS, test=test)


def knowing(word: str) -> Planted:
    """A model that is right as long as the text has this word, and wrong without it."""

    def positive(text: Any) -> float:
        odd = int("".join(c for c in str(text) if c.isdigit()) or 0) % 2 == 1
        return 0.9 if odd == (word in str(text).lower().split()) else 0.1

    return Planted(positive=positive)


def audited(
    name: str, model: Planted, *, encoder: Any = None, given: Data | None = None
) -> dict[str, Finding | Skip]:
    with_helpers: Subject = replace(
        subject(model), neighbours=NEAR, masked_lm=MEANS.masked_lm, encoder=encoder or Bag()
    )
    results = Adversarial(recipes=(name,), similarity=0.5).run(with_helpers, given or data(), Seeds(0))
    return {str(one.metric): one for one in results if isinstance(one, Finding | Skip) and one.slice == name}


@pytest.mark.parametrize("name", ["textfooler", "textbugger", "bae", "bert-attack"])
def test_a_model_that_hangs_on_one_word_is_broken(name: str, tagger: None) -> None:
    found = audited(name, knowing("film"))
    success = found["attack_success_rate"]

    assert isinstance(success, Finding), success
    assert (1.0, 10) == (success.estimate.value, success.estimate.n)
    assert success.estimate.low > 0.65
    assert "by helpers.encoder, at the limits that TextAttack has" in success.note
    assert ("near.json (sha256 00000000)" in success.note) == (name in ("textfooler", "textbugger"))
    valid = found["valid_success_rate"]
    assert isinstance(valid, Finding)
    assert "the recipe itself checks meaning at each step by the same encoder" in valid.note


@pytest.mark.parametrize("name", ["textfooler", "bae", "bert-attack"])
def test_a_model_that_counts_words_is_moved_by_no_other_word(name: str, tagger: None) -> None:
    words = ("film plot", "film plot good")
    test = tuple(Example(id=f"e{i}", text=f"{words[i % 2]} x{i}", label=LABELS[i % 2]) for i in range(8))
    counting = Planted(positive=lambda text: 0.9 if len(str(text).split()) % 2 == 0 else 0.1)
    given = Data(labels=LABELS, test=test)
    success = audited(name, counting, encoder=Same(), given=given)["attack_success_rate"]

    assert isinstance(success, Finding), success
    assert (0.0, 0.0, 8) == (success.estimate.value, success.estimate.low, success.estimate.n)
    assert 0.25 < success.estimate.high < 0.45  # 0 of 8 is no proof


@pytest.mark.parametrize("name", ["textfooler", "bae"])
def test_a_swap_that_the_encoder_finds_unlike_is_no_attack(name: str, tagger: None) -> None:
    given = Data(
        labels=LABELS, test=tuple(replace(e, text=f"A film in r{i}") for i, e in enumerate(data().test))
    )
    kept = audited(name, knowing("film"), encoder=Same(), given=given)["attack_success_rate"]
    success = audited(name, knowing("film"), encoder=Deaf(), given=given)["attack_success_rate"]

    assert isinstance(kept, Finding), kept
    assert 1.0 == kept.estimate.value

    assert isinstance(success, Finding), success
    assert 0.0 == success.estimate.value


def test_a_recipe_without_its_helper_is_skipped_and_says_what_to_name() -> None:
    given = subject(knowing("film"))
    results = list(Adversarial(recipes=("bert-attack", "deepwordbug")).run(given, data(), Seeds(0)))
    whole = [one.reason for one in results if isinstance(one, Skip) and one.slice == "bert-attack"]

    assert [True] == ["bert-attack: needs helpers.masked_lm: {source: …}" in reason for reason in whole]
    assert "attack_success_rate" in {one.metric for one in results if isinstance(one, Finding)}


# --- a real model -------------------------------------------------------------------------


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize("name", ["textfooler", "textbugger"])
def test_a_real_model_is_broken_by_real_neighbours(
    shared: Path, real: tuple[Classifier, list[str]], name: str
) -> None:
    from audit.models.cache import Cache
    from audit.models.companions import open_helpers
    from audit.models.ledger import Ledger
    from audit.models.spec import HelperSpec
    from audit.places import demo_folder

    if not (demo_folder() / "minilm").exists():
        pytest.skip("no demo:minilm here: run `audit demo`")
    recipes.look_in(str(shared / "data/nltk_small"))
    helpers = open_helpers(
        {
            "encoder": HelperSpec(source="demo:minilm"),
            "neighbours": HelperSpec(source="data/counterfitted/counterfitted_neighbors.json.gz"),
        },
        base=shared,
        cache=Cache(None),
        ledger=Ledger(),
    )
    means = Means(neighbours=helpers.neighbours, encoder=helpers.encoder)
    assert "" == recipes.missing(name, means)
    model, texts = real[0], real[1][:6]
    expected = []
    for i, text in enumerate(texts):
        with quietly.quiet():
            attack = RECIPES[name].build(Stock(model), means)
        expected.append(run_alone(attack, model, text, i, 500))

    attempts = ours(name, model, texts, budget=500, means=means)

    assert expected == outcomes(attempts)
    assert any(text != last for text, (last, _) in zip(texts, expected, strict=True))
