"""Odd words, texts and slots are tuned as a plain, uncached forward and backward pass through transformers has it."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fedprompt.models.hf.encoding import Encoded
from fedprompt.models.hf.model import HFModel
from fedprompt.models.hf.objective import CachedObjective, Kind
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.prompts.template import Template
from tests.models.hf.test_families import soft_for
from tests.models.tiny import model, more, told_apart

WORDS = {
    "begin alike": (" good", " good enough", " very good", " very bad"),
    "begin one another": (" a", " a film", " a film that"),
    "another token after a space": (" positive", "positive", "\tpositive"),
}
SLOTS = {
    "slot first": "{soft}{text} It was",
    "slot last": "Review: {text}{soft}",
    "slot and text alone": "{text}{soft}",
    "slot first and nothing after the text": "{soft}{text}",
}
# Empty; usual; and one that is too long for prefix and tail to be multiplied apart where the slot is first.
TEXTS = ("", "a film", "it was awful and bad, a film that never ends " * 4)


def plain(code: Encoded, answer: int, lm: HFModel, vectors: NDArray[np.float32], kind: Kind) -> tuple[float, Tensor]:
    """Return a case's loss and its gradient by the soft prompt, each word in a row of its own and whole.

    A shorter row is filled up behind its word, where nothing of the row looks.
    """
    soft = torch.tensor(vectors, requires_grad=True)
    wide = max(len(path) for path in code.paths)
    ids = torch.tensor([[*code.context, *path, *[0] * (wide - len(path))] for path in code.paths])
    rows = lm._lm.get_input_embeddings()(ids.clamp(min=0))
    at = torch.tensor([k for k, i in enumerate(code.context) if i < 0])
    embedded = rows.index_copy(1, at, soft.to(rows.dtype).expand(len(rows), -1, -1))
    logits = lm._lm(inputs_embeds=embedded, use_cache=False).logits.float().log_softmax(-1)
    start = len(code.context) - 1
    logs = [row[range(start, start + len(path)), list(path)] for row, path in zip(logits, code.paths, strict=True)]
    values = told_apart([part.sum() for part in logs], code.paths)
    if kind == "vocabulary":
        loss = -values[answer] / len(code.paths[answer])
    else:
        loss = functional.cross_entropy(values, torch.tensor(answer))
    loss.backward()  # type: ignore[no-untyped-call]
    assert soft.grad is not None
    return float(loss.detach()), soft.grad


def queries(slot: str, words: Sequence[str]) -> list[ChoiceQuery]:
    template = Template("odd", text=slot)
    return [ChoiceQuery(template.render({"text": text}), tuple(words)) for text in TEXTS]


@pytest.mark.parametrize("kind", ["labels", "vocabulary"])
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("slot", SLOTS.values(), ids=SLOTS)
@pytest.mark.parametrize("family", ["llama", *more("gpt2", "gemma2", "qwen2-window")])
def test_losses_and_gradients_are_those_of_a_plain_pass(
    family: str, slot: str, words: tuple[str, ...], kind: Kind
) -> None:
    lm = model(family)
    vectors, asked = soft_for(lm).vectors, queries(slot, words)
    answers = [place % len(words) for place in (1, 3, 2)]
    objective = lm.objective(asked, answers, len(vectors), kind=kind)
    found, mean = (ask(vectors, range(len(asked))) for ask in (objective.per_case, objective.loss_and_gradient))
    coded = lm._encoder.choices([(query.rendered, query.words, len(vectors)) for query in asked])
    known = [plain(code, answer, lm, vectors, kind) for code, answer in zip(coded, answers, strict=True)]
    assert mean.loss == pytest.approx(np.mean([loss for loss, _ in known]), abs=1e-5, rel=1e-5)
    middle = torch.stack([gradient for _, gradient in known]).mean(0).numpy()
    assert mean.gradient == pytest.approx(middle, abs=1e-5, rel=1e-3)
    for place, (loss, gradient) in enumerate(known):
        assert found.losses[place] == pytest.approx(loss, abs=1e-5, rel=1e-5)
        assert found.gradients[place] == pytest.approx(gradient.numpy(), abs=1e-5, rel=1e-3)


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_every_odd_word_has_a_likelihood_of_its_own(words: tuple[str, ...]) -> None:
    lm = model("llama")
    soft = soft_for(lm)
    for slot in SLOTS.values():
        asked = queries(slot, words)
        found = lm.objective(asked, [0] * len(asked), soft.tokens).loglikelihoods(soft.vectors)
        scored = lm.choices([ChoiceQuery(query.rendered, words, soft) for query in asked]).loglikelihoods
        assert found == pytest.approx(np.array(scored), abs=1e-4)
        assert all(len(set(row.round(6))) == len(words) for row in found)


def test_tokens_that_words_share_are_computed_once() -> None:
    lm = model("llama")
    # After the slot's two tokens and one more, five tokens lead to a word's end: 11, 12 twice, and 11 once more.
    case = Encoded((5, -1, -1, 7), ((11, 12, 13), (11, 12, 14), (11, 15), (16,)))
    found = CachedObjective(lm._body, lm._head, [case], [1], pack=64, budget=10**9)
    assert (found.tokens([0]).asked, found.tokens([0]).computed) == (4 * 4 + 5, 3 + 2)
    laid = found._layout([0], [range(4)])
    assert len(laid.tokens) == found._tail(0) == 3 + 2
    assert laid.tails == [[(1, -1), (2, 0), (3, 1), (4, 2), (5, 3)]]
    # Asked for alone, the answer has no company.
    alone = CachedObjective(lm._body, lm._head, [case], [1], pack=64, budget=10**9, kind="vocabulary")
    assert alone.tokens([0]) == (4 + 2, 3 + 2) and alone.tokens([0], looking=True) == found.tokens([0])
