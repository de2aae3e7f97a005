"""What stands in for the parts of TextAttack's recipes that it would fetch while it builds them.

A recipe is built by TextAttack's own code, with its own thresholds and search. Where that code would load a
language model by its hub name, we hand over the one that the user named; neighbours of words come from the
user's file; the Universal Sentence Encoder's place is taken by the encoder of `helpers.encoder`; NLTK tags
parts of speech where flair would; look-alike letters need no file. Nothing is fetched.

To be imported once TextAttack is there (`quietly.bring`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import nltk
from numpy.typing import NDArray
from textattack.attack_recipes import clare_li_2020, textbugger_li_2018
from textattack.constraints.semantics import WordEmbeddingDistance
from textattack.constraints.semantics.sentence_encoders import SentenceEncoder, UniversalSentenceEncoder
from textattack.shared import AbstractWordEmbedding, WordEmbedding
from textattack.shared.utils import check_if_subword
from textattack.transformations import WordMergeMaskedLM, WordSwap
from textattack.transformations.word_swaps import word_swap_masked_lm

from audit.schema import Encoder, MaskedLM, Neighbours
from probes.robustness.book import Means
from probes.robustness.recipes import Incomplete

LOOK_ALIKES = dict(
    zip(
        "-9876543210'abcdefghijklmnopqrstuvwxyz",
        "˗৭Ȣ𝟕бƼᏎƷᒿlO`ɑЬϲԁе𝚏ɡհіϳ𝒌ⅼｍոорԛⲅѕ𝚝սѵԝ×уᴢ",
        strict=True,
    )
)
"""TextAttack's own table; its class reads a file beside it, for another recipe, that its wheel lacks."""

MARGIN = 16
"""Places of padding after the longest text, for words that are split otherwise when they stand alone."""


def build(recipe: Any, victim: Any, means: Means) -> Any:
    """Return TextAttack's recipe over what the user named.

    Args:
        recipe: a class of TextAttack's, its `build` takes the victim.
        means: what may stand in; the recipe's needs must be among it.

    Raises:
        Incomplete: TextAttack does not know this kind of masked language model.
    """
    if means.masked_lm is not None:
        _check(means.masked_lm)
    with _instead(means):
        attack = recipe.build(victim)
    encoder = means.encoder
    assert encoder is not None  # every recipe that comes here needs one
    kept = [one for one in attack.constraints if not isinstance(one, WordEmbeddingDistance)]
    attack.constraints = [
        _Meaning(encoder, one) if isinstance(one, UniversalSentenceEncoder) else one for one in kept
    ]
    return attack


def _check(masked_lm: MaskedLM) -> None:
    model: Any = masked_lm.load()[0]
    try:
        check_if_subword("word", model.config.model_type)
    except ValueError as error:
        raise Incomplete(f"helpers.masked_lm: {error} Name a model of another type") from error


@contextmanager
def _instead(means: Means) -> Iterator[None]:
    """Let TextAttack find our parts where it would fetch its own."""
    places: list[tuple[Any, str, Any]] = [
        (textbugger_li_2018, "WordSwapHomoglyphSwap", _LookAlikes),
        (clare_li_2020, "WordMergeMaskedLM", _Merge),
    ]
    if means.neighbours is not None:
        listed = _Listed(means.neighbours)
        places.append((WordEmbedding, "counterfitted_GLOVE_embedding", staticmethod(lambda: listed)))
    if means.masked_lm is not None:
        auto = _auto(means.masked_lm)
        places += [
            (word_swap_masked_lm, "AutoModelForMaskedLM", auto.AutoModelForCausalLM),
            (word_swap_masked_lm, "AutoTokenizer", auto.AutoTokenizer),
            (clare_li_2020, "transformers", auto),
        ]
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in places]
    for owner, name, other in places:
        setattr(owner, name, other)
    try:
        yield
    finally:
        for owner, name, was in before:
            setattr(owner, name, was)


def _auto(masked_lm: MaskedLM) -> SimpleNamespace:
    """Return what looks like transformers and gives this model under every name."""
    model, tokenizer = masked_lm.load()
    return SimpleNamespace(
        AutoModelForCausalLM=SimpleNamespace(from_pretrained=lambda *_, **__: model),  # sic: CLARE's
        AutoTokenizer=SimpleNamespace(from_pretrained=lambda *_, **__: _Shorter(model, tokenizer)),
    )


class _Shorter:
    """A tokenizer that pads to the longest text, where TextAttack asks for 512 tokens of each."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        stated = (tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None))
        self._limit = min(n for n in (*stated, 512) if isinstance(n, int))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, texts: Any, **_: Any) -> Any:
        many = [texts] if isinstance(texts, str) else texts
        cut = {"truncation": True, "verbose": False}
        made = self._tokenizer(many, max_length=self._limit, **cut)
        width = min(self._limit, max(map(len, made["input_ids"])) + MARGIN)
        return self._tokenizer(many, max_length=width, padding="max_length", return_tensors="pt", **cut)


class _Meaning(SentenceEncoder):  # type: ignore[misc]  # TextAttack has no types
    """The Universal Sentence Encoder's place, threshold and window, taken by our encoder.

    Short texts are judged too; TextAttack lets those through that are shorter than its window.
    """

    def __init__(self, encoder: Encoder, like: Any) -> None:
        super().__init__(
            threshold=like.threshold,
            metric=like.metric,
            compare_against_original=like.compare_against_original,
            window_size=like.window_size,
        )
        self._encoder = encoder

    def encode(self, sentences: Sequence[str]) -> NDArray[Any]:
        return self._encoder.embed(list(sentences))


class _Listed(AbstractWordEmbedding):  # type: ignore[misc]  # TextAttack has no types
    """Neighbours from the user's file; a word is its own index. Its maker judged how near they are."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._words = neighbours.words

    def word2index(self, word: str) -> str:
        if word not in self._words:
            raise KeyError(word)
        return word

    def index2word(self, index: str) -> str:
        return index

    def nearest_neighbours(self, index: str, topn: int) -> Sequence[str]:
        return self._words[index][:topn]

    def __getitem__(self, index: str) -> None:
        return None

    def get_mse_dist(self, a: str, b: str) -> float:
        raise NotImplementedError  # no recipe that we run asks

    def get_cos_sim(self, a: str, b: str) -> float:
        raise NotImplementedError


class _LookAlikes(WordSwap):  # type: ignore[misc]  # TextAttack has no types
    """One letter of the word at a time becomes one that looks like it."""

    def _get_replacement_words(self, word: str) -> list[str]:
        return [word[:i] + LOOK_ALIKES[c] + word[i + 1 :] for i, c in enumerate(word) if c in LOOK_ALIKES]


class _Merge(WordMergeMaskedLM):  # type: ignore[misc]  # TextAttack has no types
    """Merges words by their parts of speech, from NLTK's tagger in the place of flair's."""

    def _get_transformations(self, current_text: Any, indices_to_modify: Any) -> list[Any]:
        tags = [tag for _, tag in nltk.pos_tag(current_text.words, tagset="universal")]
        current_text.pos_of_word_index = tags.__getitem__
        found: list[Any] = super()._get_transformations(current_text, indices_to_modify)
        return found
