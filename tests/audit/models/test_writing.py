"""Text that a causal model writes: which tokens, whatever else is asked; and the model's chat template."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast
from transformers.generation.logits_process import TopPLogitsWarper

from audit.errors import ModelError
from audit.models.cache import Cache
from audit.models.causal import Causal, load_causal
from audit.models.language_model import CachedLanguageModel, Manner
from audit.models.ledger import Ledger
from audit.models.parts import find_causal
from audit.models.pieces import fill
from audit.models.spec import ModelSpec
from audit.models.writing import _common, _Draw, _families, _nucleus, begin, write
from audit.seeds import Seeds
from tests.audit.models.asked import Reference, Tiny

PROMPTS = ["Review: a fine", "the film the film the", "it", "rains"]
ALIKE = [f"it rains, a film: the film, a film, the {prompt}" for prompt in PROMPTS]
"""With much to begin with in common."""
KINDS = ["llama", "gpt2", "bloom", "mistral", "gemma2", "mamba"]
FRAME = "<|user|>{text}</s><|assistant|>"


def loaded(folder: Path, **spec: object) -> Causal:
    asked = ModelSpec.model_validate(
        {"kind": "in-context", "source": str(folder), "device": "cpu", "dtype": "float32", **spec}
    )
    return load_causal(find_causal(asked, base=Path(), cache=Cache(None)), asked)


def speaking(causal: Causal, *, ledger: Ledger | None = None) -> CachedLanguageModel:
    return CachedLanguageModel(
        key=b"tiny", open_causal=lambda: causal, cache=Cache(None), ledger=ledger or Ledger()
    )


def numbered(causal: Causal) -> Causal:
    """One whose texts are the numbers of its tokens."""
    causal.tokenizer = SimpleNamespace(decode=lambda row, **_: str(row))
    return causal


def manner(**changes: object) -> Manner:
    given = {"max_new_tokens": 8, "samples": 2, "temperature": 1.0, "top_p": 1.0, "seed": 3}
    return Manner(**(given | changes))  # type: ignore[arg-type]  # numbers


def written(causal: Causal, how: Manner, prompts: Sequence[str] = PROMPTS) -> list[list[str]]:
    found = {place: texts for batch in write(causal, prompts, how) for place, texts in batch.texts.items()}
    return [found[place] for place in sorted(found)]


def with_template(folder: Path, place: Path, template: str) -> Path:
    """A copy of a model with another chat template."""
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(place)
    return place


def one_by_one(model: torch.nn.Module, ids: Sequence[int], numbers: Sequence[float], *, greedy: bool) -> str:
    """What is written in plain calls, nothing kept and nothing padded, in double precision."""
    row = list(ids)
    for number in numbers:
        with torch.inference_mode():
            shares = model(torch.tensor([row])).logits[0, -1].double().softmax(-1).numpy()
        drawn = np.searchsorted(shares.cumsum(), number * shares.sum(), side="right")
        row.append(int(shares.argmax() if greedy else drawn))
    return str(row[len(ids) :])


# --- which tokens --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prompts", [PROMPTS, ALIKE], ids=["unlike", "alike"])
def test_greedy_writing_is_that_of_plain_calls_one_by_one(
    tiny: Tiny, plain: Reference, kind: str, prompts: list[str]
) -> None:
    asked, causal = plain(tiny(kind)), numbered(loaded(tiny(kind)))
    causal.ends = frozenset()
    expected = [[one_by_one(asked.model, asked.ids(one), [0.5] * 8, greedy=True)] for one in prompts]
    assert expected == written(causal, manner(temperature=0.0), prompts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prompts", [PROMPTS, ALIKE], ids=["unlike", "alike"])
def test_each_sample_is_drawn_by_its_own_stream(
    tiny: Tiny, plain: Reference, kind: str, prompts: list[str]
) -> None:
    asked, causal = plain(tiny(kind)), numbered(loaded(tiny(kind)))
    causal.ends = frozenset()
    expected = [
        [
            one_by_one(
                asked.model, asked.ids(one), Seeds(3).rng("generate", one, sample).random(8), greedy=False
            )
            for sample in "01"
        ]
        for one in prompts
    ]
    assert expected == written(causal, manner(), prompts)


@pytest.mark.parametrize("top_p", [1.0, 0.6])
def test_a_sample_depends_on_its_prompt_alone(tiny: Tiny, top_p: float) -> None:
    causal, how = loaded(tiny()), manner(top_p=top_p)
    alone = [written(causal, how, [one])[0] for one in PROMPTS]
    assert alone == written(causal, how)
    assert alone[::-1] == written(causal, how, PROMPTS[::-1])
    assert alone == written(loaded(tiny(), batch_tokens=16), how)


def test_a_row_that_ended_is_dropped_and_the_others_go_on(tiny: Tiny) -> None:
    causal = numbered(loaded(tiny()))
    how = manner(samples=12, max_new_tokens=16, temperature=0.5)
    causal.ends = frozenset()
    whole = [json.loads(text) for texts in written(causal, how) for text in texts]
    common, _ = Counter(token for row in whole for token in row).most_common(1)[0]
    causal.ends = frozenset([common])
    found = [json.loads(text) for texts in written(causal, how) for text in texts]
    assert [row[: row.index(common)] if common in row else row for row in whole] == found
    assert len({len(row) for row in found}) > 2


def test_writing_ends_at_the_end_token(tiny: Tiny, plain: Reference, tmp_path: Path) -> None:
    """Whatever is likeliest second is made the end token: one token is left."""
    asked = plain(tiny())
    ids = torch.tensor([asked.ids("it")])
    out = asked.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=2, do_sample=False, pad_token_id=1
    )[0, ids.shape[1] :].tolist()
    assert out[0] != out[1]
    for path in tiny().iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    said = json.loads((tmp_path / "generation_config.json").read_text())
    (tmp_path / "generation_config.json").write_text(json.dumps(said | {"eos_token_id": [out[1]]}))
    found = speaking(loaded(tmp_path)).generate(["it"], max_new_tokens=9)
    assert [[asked.tokenizer.decode(out[:1])]] == found


def test_seeds_and_samples_differ(tiny: Tiny) -> None:
    causal = loaded(tiny())
    first, second = (
        written(causal, manner(max_new_tokens=12, samples=3, temperature=1.5, seed=seed), ["it"])[0]
        for seed in (1, 2)
    )
    assert len({*first, *second}) == 6


@pytest.mark.parametrize(("top_p", "least"), [(1.0, 30), (0.6, 5)])
def test_samples_follow_the_models_distribution(
    tiny: Tiny, plain: Reference, top_p: float, least: int
) -> None:
    asked = plain(tiny())
    with torch.inference_mode():
        logits = asked.model(torch.tensor([asked.ids("it")])).logits[:, -1] / 0.7
    kept = logits if top_p == 1 else TopPLogitsWarper(top_p)(None, logits)
    expected = kept[0].double().softmax(-1).numpy()
    n = 1500
    causal = numbered(loaded(tiny(), batch_tokens=16384))
    causal.ends = frozenset()
    (drawn,) = written(causal, manner(max_new_tokens=1, samples=n, temperature=0.7, top_p=top_p), ["it"])
    shares = np.bincount([json.loads(text)[0] for text in drawn], minlength=len(expected)) / n
    assert least <= np.count_nonzero(shares)
    assert not shares[expected == 0].any()
    assert np.all(np.abs(expected - shares) <= 4.5 * np.sqrt(expected * (1 - expected) / n) + 2 / n)


# --- the nucleus ---------------------------------------------------------------------------


@pytest.mark.parametrize("top_p", [0.05, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("spread", [0.1, 1.0, 6.0])
def test_the_nucleus_is_that_of_transformers(top_p: float, spread: float) -> None:
    logits = spread * torch.randn(6, 3000, generator=torch.Generator().manual_seed(4))
    expected = TopPLogitsWarper(top_p)(None, logits).isfinite()
    found = _nucleus(logits.softmax(-1), top_p) > 0
    # At the edge the order of the sums decides, which is the other way round there.
    assert (expected != found).sum(dim=1).max() <= 1
    assert (expected == found).float().mean() > 0.999


@pytest.mark.parametrize(
    ("top_p", "expected"),
    [
        (0.5, [0.5, 0.0, 0.0, 0.0]),
        (0.51, [0.5, 0.25, 0.0, 0.0]),
        (0.75, [0.5, 0.25, 0.0, 0.0]),
        (0.76, [0.5, 0.25, 0.125, 0.125]),
        (1e-9, [0.5, 0.0, 0.0, 0.0]),
    ],
)
def test_the_nucleus_is_the_fewest_that_add_up_and_ties_stay(top_p: float, expected: list[float]) -> None:
    assert expected == _nucleus(torch.tensor([[0.5, 0.25, 0.125, 0.125]]), top_p)[0].tolist()


def test_the_nucleus_of_equals_is_all() -> None:
    assert [[0.25] * 4] == _nucleus(torch.full((1, 4), 0.25), 1e-9).tolist()


def test_where_rounding_never_adds_up_all_tokens_stay() -> None:
    assert [[0.5, 0.25]] == _nucleus(torch.tensor([[0.5, 0.25]]), 0.9).tolist()


@pytest.mark.parametrize(("number", "token"), [(0.0, 1), (0.49, 1), (0.51, 3), (1 - 2**-53, 3)])
def test_no_number_draws_an_impossible_token(number: float, token: int) -> None:
    logits = torch.tensor([[-math.inf, 2.0, -math.inf, 2.0, -math.inf]])
    numbers = torch.tensor([[number]], dtype=torch.float64)
    draw = _Draw(name="m", manner=manner(temperature=0.3), numbers=numbers)
    assert [token] == draw(logits, [0], 0).tolist()


def test_of_equals_the_first_is_likeliest() -> None:
    draw = _Draw(name="m", manner=manner(temperature=0.0), numbers=torch.zeros(1, 1))
    assert [1] == draw(torch.tensor([[0.0, 2.0, 2.0]]), [0], 0).tolist()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_are_refused(temperature: float) -> None:
    draw = _Draw(name="m", manner=manner(temperature=temperature), numbers=torch.zeros(2, 1))
    with pytest.raises(ModelError, match="m: an answer is not a finite number"):
        draw(torch.tensor([[0.0, 1.0], [0.0, math.nan]]), [0, 1], 0)


# --- what is asked, and kept ---------------------------------------------------------------


def test_a_prompt_is_read_once_for_all_its_samples(tiny: Tiny) -> None:
    ledger = Ledger()
    causal = loaded(tiny())
    causal.ends = frozenset()
    speaking(causal, ledger=ledger).generate(PROMPTS, max_new_tokens=5, samples=3, temperature=1.0)
    read = sum(len(begin(causal, prompt)) for prompt in PROMPTS)
    assert (read + 4 * 3 * 5, 2 * read) == (ledger.usage().tokens, ledger.usage().tokens_saved)


def test_what_all_prompts_begin_with_is_read_once(tiny: Tiny) -> None:
    ledger = Ledger()
    causal = loaded(tiny())
    causal.ends = frozenset()
    speaking(causal, ledger=ledger).generate(ALIKE, max_new_tokens=5, samples=3, temperature=1.0)
    ids = [begin(causal, prompt) for prompt in ALIKE]
    common = next(i for i, column in enumerate(zip(*ids, strict=False)) if len(set(column)) > 1)
    read = sum(map(len, ids)) - 3 * common
    assert common > 8
    assert (read + 4 * 3 * 5, 3 * sum(map(len, ids)) - read) == (
        ledger.usage().tokens,
        ledger.usage().tokens_saved,
    )


@pytest.mark.parametrize(
    ("least", "expected"),
    [(20, ["a", "b", "c", "d"]), (80, ["c", "abd"]), (100, ["abcd"])],
)
def test_prompts_are_parted_where_that_saves_more_than_it_costs(least: int, expected: list[str]) -> None:
    heads = {"a": (5,) * 20, "b": (5,) * 10 + (6,) * 10, "c": (7,) * 30, "d": (8,)}
    named = [(name, (*head, tail)) for name, head in heads.items() for tail in range(1 if name == "d" else 4)]
    ids = [one for _, one in named]
    order = sorted(range(len(ids)), key=lambda place: ids[place])
    found = ["".join(sorted({named[i][0] for i in one})) for one in _families(ids, order, least)]
    assert expected == found


PROMPT = st.lists(st.integers(0, 2), min_size=1, max_size=9).map(tuple)


@given(st.lists(PROMPT, min_size=1), st.integers(1, 9))
def test_each_prompt_is_in_one_family(ids: list[tuple[int, ...]], least: int) -> None:
    order = sorted(range(len(ids)), key=lambda place: ids[place])
    families = _families(ids, order, least)
    assert sorted(order) == sorted(place for family in families for place in family)
    assert all(family == sorted(family, key=lambda place: ids[place]) for family in families)
    assert all(len({ids[i][: _common(ids, family)] for i in family}) == 1 for family in families)


def test_a_prompt_that_is_the_beginning_of_another_has_a_token_left(tiny: Tiny, plain: Reference) -> None:
    asked, causal = plain(tiny()), numbered(loaded(tiny()))
    causal.ends = frozenset()
    prompts = [ALIKE[1], f"{ALIKE[1]} film"]
    expected = [[one_by_one(asked.model, asked.ids(one), [0.5] * 8, greedy=True)] for one in prompts]
    assert expected == written(causal, manner(temperature=0.0), prompts)


def test_a_resumed_run_makes_the_batches_of_the_whole_one(tiny: Tiny) -> None:
    causal = loaded(tiny(), batch_tokens=64)
    whole = [set(batch.texts) for batch in write(causal, PROMPTS, manner())]
    rest = [set(batch.texts) for batch in write(causal, PROMPTS, manner(), done=whole[0])]
    assert len(whole) > 1
    assert whole[1:] == rest


def test_what_is_known_is_not_written_again(tiny: Tiny) -> None:
    ledger = Ledger()
    model = speaking(loaded(tiny()), ledger=ledger)
    first = model.generate(["it", "rains", "it"], max_new_tokens=4, samples=2, temperature=1.0, top_p=0.5)
    again = model.generate(["rains", "a"], max_new_tokens=4, samples=2, temperature=1.0, top_p=0.5)
    usage = ledger.usage()
    assert first[0] == first[2]
    assert first[1] == again[0]
    assert (5, 1, 1, 3) == (usage.asked, usage.repeated, usage.cached, usage.scored)


def test_a_share_of_one_is_no_part_of_the_key_and_greedy_keys_are_the_old_ones() -> None:
    assert json.dumps([8, 1, 0.0, 0]) == manner(temperature=0.0, top_p=0.5).key
    assert json.dumps([8, 2, 1.0, 3, 2]) == manner().key
    assert json.dumps([8, 2, 1.0, 3, 2, 0.5]) == manner(top_p=0.5).key


@pytest.mark.parametrize(
    "bad",
    [
        {"max_new_tokens": 0},
        {"samples": 0},
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"top_p": 0.0},
        {"top_p": 1.01},
        {"top_p": math.nan},
    ],
)
def test_numbers_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        manner(**bad)


def test_a_prompt_too_long_to_be_continued_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match="too long to be continued"):
        speaking(loaded(tiny(), max_length=128)).generate(["zq" * 60], max_new_tokens=10)


# --- the chat template ---------------------------------------------------------------------


def test_the_frame_is_the_chat_template_up_to_the_answer(tiny: Tiny) -> None:
    assert FRAME == speaking(loaded(tiny())).chat_frame


def test_the_frame_is_kept_and_the_model_not_loaded_for_it(tiny: Tiny) -> None:
    cache = Cache(None)

    def once() -> Causal:
        return loaded(tiny())

    def never() -> Causal:
        raise AssertionError("loaded")

    frames = [
        CachedLanguageModel(key=b"tiny", open_causal=how, cache=cache, ledger=Ledger()).chat_frame
        for how in (once, never)
    ]
    assert [FRAME, FRAME] == frames


def test_without_a_chat_template_there_is_no_frame(tiny: Tiny) -> None:
    assert speaking(loaded(tiny(chat=False))).chat_frame is None


@pytest.mark.parametrize(
    "template",
    [
        "Say something.",
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
        "{{ raise_exception('Conversation roles must alternate') }}",
        "{% for part in messages[0].content %}{{ part.text + 'x' }}{% endfor %}",
        "{{ messages[0].content + 1 }}",
        "{{ '{pair}' }}{{ messages[0].content }}",
        "{{ '{text}' }}{{ messages[0].content }}",
    ],
    ids=["words lost", "words twice", "refuses", "wants parts", "breaks", "field of ours", "field"],
)
def test_a_template_that_does_not_hold_the_words_once_gives_no_frame(
    tiny: Tiny, tmp_path: Path, template: str
) -> None:
    assert speaking(loaded(with_template(tiny(), tmp_path, template))).chat_frame is None


@pytest.mark.parametrize("add_bos", [True, False])
def test_a_framed_prompt_has_the_ids_of_the_template_and_one_beginning(
    tiny: Tiny, tmp_path: Path, add_bos: bool
) -> None:
    template = (
        "{{ bos_token }}{user: [{{ messages[0].content }}]}</s>"
        "{% if add_generation_prompt %}{{ '{it' }}{% endif %}"
    )
    causal = loaded(with_template(tiny(add_bos=add_bos), tmp_path, template))
    frame = speaking(causal).chat_frame
    words = "a {text} {pair} film </s>"
    expected = causal.tokenizer.apply_chat_template(
        [{"role": "user", "content": words}], tokenize=True, add_generation_prompt=True, return_dict=False
    )
    assert frame is not None
    found = begin(causal, fill(frame, words))
    assert expected == list(found)
    assert (0, 1, 2) == (found[0], found.count(0), found.count(1))


def test_a_frame_that_spells_out_no_beginning_gets_the_models_own(tiny: Tiny) -> None:
    causal = loaded(tiny(add_bos=True))
    frame = speaking(causal).chat_frame
    assert frame is not None
    assert [0] == [token for token in begin(causal, frame) if token == 0]
