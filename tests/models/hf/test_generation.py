"""Text that many prompts get together is the text that each gets alone from a plain, uncached forward pass."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from fedprompt.models.hf import generation
from fedprompt.models.hf.model import HFModel
from fedprompt.models.protocols import Decoding, GenerateQuery
from fedprompt.prompts.template import Template
from tests.models.hf.test_families import TEMPLATES, TEXTS, soft_for
from tests.models.tiny import FAMILIES, model

pytestmark = pytest.mark.whole

MANY = 7


def queries(lm: HFModel, seed: int = 0) -> list[GenerateQuery]:
    soft = soft_for(lm, seed)
    return [
        GenerateQuery(t.render({"text": text}), soft if t.has_soft else None)
        for text in TEXTS
        for t in (TEMPLATES[0], TEMPLATES[4], TEMPLATES[5])
    ]


def uncached(lm: HFModel, query: GenerateQuery, tokens: int) -> str:
    ids = list(lm._encoder.context(query.rendered, query.soft.tokens if query.soft else 0))
    rows = lm._lm.get_input_embeddings()(torch.tensor([max(i, 0) for i in ids])).clone()
    if query.soft is not None:
        rows[[k for k, i in enumerate(ids) if i < 0]] = torch.tensor(query.soft.vectors)
    chosen: list[int] = []
    for _ in range(tokens):
        with torch.no_grad():
            logits = lm._lm(inputs_embeds=rows[None], use_cache=False).logits[0, -1]
        if int(logits.argmax()) in lm._ends:
            break
        chosen.append(int(logits.argmax()))
        rows = torch.cat([rows, lm._lm.get_input_embeddings()(torch.tensor(chosen[-1:]))])
    return str(lm._tokenizer.decode(chosen, skip_special_tokens=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_text_of_a_batch_is_what_uncached_argmax_gives_each(family: str) -> None:
    lm = model(family)
    asked = queries(lm)
    made = lm.generate(asked, Decoding(MANY))
    assert [one.text for one in made] == [uncached(lm, query, MANY) for query in asked]


def test_small_batches_write_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = model("llama")
    asked = queries(lm)
    whole = lm.generate(asked, Decoding(MANY))
    monkeypatch.setattr(generation, "ROOM", 1)  # one prompt a batch
    assert lm.generate(asked, Decoding(MANY)) == whole


def test_prompts_of_about_one_length_are_written_together_and_come_back_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lm = model("llama")
    lengths = (3, 300, 4, 299)
    prompts = [generation.Prompted(tuple(40 + k % 200 for k in range(length)), b"%d" % length) for length in lengths]
    # Room for two texts of 302 tokens: in the order given each long one would be alone with a short one.
    monkeypatch.setattr(generation, "ROOM", 2 * 302 * lm._body.bytes_a_token)
    decoder = generation.Decoder(lm._body, lm._head, pack=64, window=512, ends=frozenset(), read=str)
    assert list(decoder._batches(prompts, 2)) == [[0, 2], [3, 1]]
    heard: list[int] = []
    written = decoder.write(prompts, None, Decoding(2), lambda place, text: heard.append(place))
    alone = [decoder.write([prompt], None, Decoding(2))[0].tokens for prompt in prompts]
    assert [one.tokens for one in written] == alone and len(set(map(tuple, alone))) > 1
    assert heard == [0, 2, 0, 2, 3, 1, 3, 1]


def test_a_stop_string_ends_the_text_and_is_left_out() -> None:
    lm = model("llama")
    query = queries(lm)[0]
    text = lm.generate([query], Decoding(12))[0].text
    mark = text[3:5]
    cut = lm.generate([query], Decoding(12, (mark,)))[0]
    assert cut.text == text[: text.index(mark)]
    assert cut.tokens < 12


def test_a_drawn_text_depends_on_the_seed_and_not_on_its_neighbours() -> None:
    lm = model("llama")
    asked = queries(lm)
    warm = Decoding(MANY, temperature=1.5, top_p=0.9, seed=3)
    together = lm.generate(asked, warm)
    assert lm.generate(asked, warm) == together
    assert [lm.generate([query], warm)[0] for query in asked] == list(together)
    assert lm.generate(asked, Decoding(MANY, temperature=1.5, top_p=0.9, seed=4)) != together


def test_a_nucleus_of_one_token_is_greedy() -> None:
    lm = model("llama")
    asked = queries(lm)
    assert lm.generate(asked, Decoding(MANY, temperature=1.0, top_p=1e-9)) == lm.generate(asked, Decoding(MANY))


def test_draws_follow_the_softmax_within_the_nucleus() -> None:
    # Softmax of log(0.5, 0.3, 0.2): the nucleus of 0.7 is the first two, 5/8 and 3/8 of the draws. 4,000 draws have a
    # standard error of 0.0077; 0.04 is five of them.
    logits = torch.log(torch.tensor([0.2, 0.5, 0.3]))
    draws = [
        generation._draw(Decoding(1, temperature=1.0, top_p=0.7, seed=7), str(k).encode())(logits) for k in range(4000)
    ]
    shares = np.bincount(draws, minlength=3) / 4000
    assert shares[0] == 0.0
    assert shares[1] == pytest.approx(0.625, abs=0.04)


def test_the_listener_hears_a_text_grow() -> None:
    lm = model("llama")
    heard: list[tuple[int, str]] = []
    made = lm.generate(queries(lm)[:2], Decoding(5), lambda query, text: heard.append((query, text)))
    for query in (0, 1):
        grown = [text for place, text in heard if place == query]
        assert grown[-1] == made[query].text
        assert all(b.startswith(a) for a, b in pairwise(grown) if "\ufffd" not in a)


def test_a_text_ends_with_the_window() -> None:
    lm = model("llama")
    rendered = Template("long", text="{text}").render({"text": "film" * 250})
    room = lm.info.window - len(lm._encoder.context(rendered, 0))
    made = lm.generate([GenerateQuery(rendered)], Decoding(400, temperature=9.0))[0]
    assert 4 < room < 390
    assert 4 < made.tokens <= room + 1
