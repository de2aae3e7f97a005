"""Pieces of text as token ids, for tokenizers that invent a space before whatever they are given."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from audit.models.pieces import Pieces, whole


@pytest.fixture(scope="module")
def spaced() -> PreTrainedTokenizerFast:
    """As sentence-piece tokenizers do it: a space is a mark, and the first word gets one too."""
    base = Tokenizer(models.BPE(unk_token="<unk>"))
    base.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=80, special_tokens=["<unk>"], show_progress=False)
    base.train_from_iterator(["a fine film and a dull film\nSentiment: a x"] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=base, unk_token="<unk>")


class Joining:
    """Puts a space before each text, and makes one token of a line feed and an S."""

    def __call__(self, texts: list[str], **_: object) -> dict[str, list[list[int]]]:
        return {"input_ids": [self.ids(" " + text) for text in texts]}

    def ids(self, text: str) -> list[int]:
        return list(map(ord, text.replace("\nS", "§")))


def words(tokenizer: Any, ids: tuple[int, ...]) -> str:
    return "".join(tokenizer.convert_ids_to_tokens(list(ids)))


@pytest.mark.parametrize(("text", "expected"), [("film", "film"), (" film", "▁film"), ("", "")])
def test_a_piece_after_other_text_has_the_spaces_it_was_given(
    spaced: PreTrainedTokenizerFast, text: str, expected: str
) -> None:
    assert expected == words(spaced, Pieces(spaced, bos=None).follow([text])[0])


def test_joined_pieces_are_the_ids_of_the_whole_text(spaced: PreTrainedTokenizerFast) -> None:
    pieces = Pieces(spaced, bos=None)
    joined = (*pieces.start("a fine"), *pieces.follow([" film and"])[0], *pieces.follow([" a dull film"])[0])

    assert pieces.start("a fine film and a dull film") == joined


def test_a_piece_that_would_join_the_anchor_is_tokenised_by_itself() -> None:
    joining = Joining()
    found = Pieces(joining, bos=None).follow(["film", "Some", "x"])

    assert [tuple(joining.ids("film")), tuple(joining.ids(" Some")), tuple(joining.ids("x"))] == found


def test_the_beginning_token_stands_before_the_first_piece_alone() -> None:
    pieces = Pieces(Joining(), bos=7)

    assert (7, *map(ord, " a")) == pieces.start("a")
    assert (7,) == pieces.start("")
    assert [(97,)] == pieces.follow(["a"])


def test_a_beginning_token_that_the_text_spells_out_is_not_written_twice() -> None:
    assert (32, 97) == Pieces(Joining(), bos=32).start("a")


def test_half_characters_become_replacement_characters() -> None:
    assert "a\ufffdb" == whole("a\ud83db")
    assert "😀" == whole("\ud83d\ude00")
