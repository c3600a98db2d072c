"""The tuner's objective: one loss wherever the cached prefixes lie, each case's own gradient, transformers' loss."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, LlamaConfig

from fedprompt.errors import TuningError
from fedprompt.models.hf import spill
from fedprompt.models.hf.attention import IMPLEMENTATION
from fedprompt.models.hf.encoding import Encoded
from fedprompt.models.hf.model import HFModel
from fedprompt.models.hf.objective import CachedObjective, Kind
from fedprompt.models.protocols import ChoiceQuery, LabelSlopes, ModelInfo, RunSettings
from fedprompt.prompts.template import Template
from fedprompt.tuning.label_losses import ShareLoss
from tests.coded import coded
from tests.models.hf.test_families import LABELS, TEMPLATES, TEXTS, soft_for
from tests.models.tiny import config, model, more, tokenizer

SLOTS = [t for t in TEMPLATES if t.has_soft]
INFIX = Template("infix", text="Review: {text} {soft}\nSentiment:").with_words(LABELS)
ANSWERS = [0, 1, 0, 1, 1]
FIRST = next(t for t in SLOTS if t.name == "prefix slot")


def objective(
    lm: HFModel,
    template: Template = INFIX,
    *,
    budget: int = 10**9,
    folder: Path | None = None,
    kind: Kind = "labels",
    only: int | None = None,
) -> CachedObjective:
    words = tuple((template.words or {}).values())
    rows = range(len(TEXTS)) if only is None else [only]
    coded = lm._encoder.choices([(template.render({"text": TEXTS[row]}), words, 3) for row in rows])
    answers = [ANSWERS[row] for row in rows]
    return CachedObjective(lm._body, lm._head, coded, answers, pack=64, budget=budget, kind=kind, folder=folder)


def test_prefixes_on_disk_give_the_bits_that_prefixes_in_memory_give(tmp_path: Path) -> None:
    lm = model("llama")
    vectors, rows = soft_for(lm).vectors, [0, 1, 3, 4]
    held = objective(lm)
    spilled = objective(lm, budget=2_000, folder=tmp_path)
    assert spilled.store.memory <= 2_000 and spilled.store.disk > spilled.store.memory
    assert spilled.store.memory + spilled.store.disk == held.store.memory
    one, other = (o.loss_and_gradient(vectors, rows) for o in (held, spilled))
    assert one.loss == other.loss
    assert np.array_equal(one.gradient, other.gradient)


def test_a_cache_in_bfloat16_takes_half_the_room_and_moves_the_loss_a_little(tmp_path: Path) -> None:
    lm = model("llama")
    settings = replace(lm.info.settings, cache_dtype="bfloat16", cache_bytes=2_000)
    asked = [ChoiceQuery(INFIX.render({"text": text}), tuple((INFIX.words or {}).values())) for text in TEXTS]
    found = [
        HFModel(lm._lm, lm._tokenizer, replace(lm.info, settings=one)).objective(asked, ANSWERS, 3, folder=tmp_path)
        for one in (lm.info.settings, settings)
    ]
    whole, half = (one.store.memory + one.store.disk for one in found)
    assert half == whole / 2 and found[1].store.disk > 0
    one, other = (o.loss_and_gradient(soft_for(lm).vectors, range(5)) for o in found)
    # Keys and values move by at most their 256th part, and what attention makes of them by about as much.
    assert 0 < abs(one.loss - other.loss) < 1 / 64
    assert 0 < np.linalg.norm(one.gradient - other.gradient) < np.linalg.norm(one.gradient) / 16


def test_the_file_of_prefixes_has_no_name(tmp_path: Path) -> None:
    objective(model("llama"), budget=0, folder=tmp_path)
    assert os.listdir(tmp_path) == []


def test_without_room_on_the_disk_prefixes_are_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lm = model("llama")
    monkeypatch.setattr(spill, "SPARE", 1 << 60)
    poor = objective(lm, budget=2_000, folder=tmp_path)
    assert poor.store.disk == 0 < poor.store.memory
    vectors, rows = soft_for(lm).vectors, [0, 1, 3, 4]
    one, other = (o.loss_and_gradient(vectors, rows) for o in (objective(lm), poor))
    assert one.loss == pytest.approx(other.loss, abs=1e-5)
    assert one.gradient == pytest.approx(other.gradient, abs=1e-4)


@pytest.mark.parametrize("template", [*SLOTS, INFIX], ids=lambda t: t.name)
def test_a_case_has_the_gradient_that_it_has_alone(template: Template) -> None:
    lm = model("llama")
    found, vectors = objective(lm, template), soft_for(lm).vectors
    together = found.per_case(vectors, [4, 0, 1])
    for place, row in enumerate([4, 0, 1]):
        alone = found.loss_and_gradient(vectors, [row])
        assert together.losses[place] == pytest.approx(alone.loss, abs=1e-5)
        assert together.gradients[place] == pytest.approx(alone.gradient, abs=1e-4)
    mean = found.loss_and_gradient(vectors, [4, 0, 1])
    assert mean.gradient == pytest.approx(together.gradients.mean(axis=0), abs=1e-6)


@pytest.mark.parametrize("most", [1, 40])
def test_a_batch_of_many_tokens_is_cut_into_passes_and_each_case_keeps_its_gradient(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    lm = model("llama")
    found, vectors, rows = objective(lm, FIRST), soft_for(lm).vectors, [4, 0, 1, 3]
    whole = found.per_case(vectors, rows)
    monkeypatch.setattr("fedprompt.models.hf.objective.PASS", most)
    passes = found._passes(rows)
    assert len(passes) > 1 and [row for part in passes for row in part] == rows
    cut = found.per_case(vectors, rows)
    assert cut.losses == pytest.approx(whole.losses, abs=1e-5)
    assert cut.gradients == pytest.approx(whole.gradients, abs=1e-4)


@pytest.mark.parametrize("template", [*SLOTS, INFIX], ids=lambda t: t.name)
@pytest.mark.parametrize("family", ["llama", *more("gemma2", "gpt2")])
def test_the_vocabulary_objective_is_the_loss_of_transformers(family: str, template: Template) -> None:
    lm = model(family)
    soft = soft_for(lm)
    found = objective(lm, template, kind="vocabulary")
    words = tuple((template.words or {}).values())
    for row, answer in enumerate(ANSWERS):
        code = lm._encoder.choices([(template.render({"text": TEXTS[row]}), words, 3)])[0]
        ids = [*code.context, *code.paths[answer]]
        vectors = torch.tensor(soft.vectors, requires_grad=True)
        rows = lm._lm.get_input_embeddings()(torch.tensor([max(i, 0) for i in ids]))
        at = torch.tensor([k for k, i in enumerate(ids) if i < 0])
        labels = torch.tensor([-100] * len(code.context) + list(code.paths[answer]))
        out = lm._lm(inputs_embeds=rows.index_copy(0, at, vectors)[None], labels=labels[None], use_cache=False)
        out.loss.backward()
        got = found.loss_and_gradient(soft.vectors, [row])
        assert got.loss == pytest.approx(float(out.loss.detach()), abs=1e-4)
        assert vectors.grad is not None
        assert got.gradient == pytest.approx(vectors.grad.numpy(), rel=1e-3, abs=1e-4)


@pytest.mark.whole
def test_with_two_threads_the_same_step_gives_the_same_bits() -> None:
    # As wide as a real model: only large arrays are summed by several threads at once.
    torch.manual_seed(0)
    shape = {**config("llama").to_dict(), "hidden_size": 576, "num_attention_heads": 9, "num_key_value_heads": 3}
    lm = AutoModelForCausalLM.from_config(LlamaConfig(**{**shape, "head_dim": 64}), attn_implementation=IMPLEMENTATION)
    lm.eval().requires_grad_(False)
    info = ModelInfo("wide", "tiny:wide", 576, 512, RunSettings("float32", 2))
    wide = HFModel(lm, tokenizer(), info)
    words = (" positive", " negative")
    asked = [ChoiceQuery(INFIX.render({"text": f"{text} {k}"}), words) for k in range(4) for text in TEXTS]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = wide.objective(asked, [0] * len(asked), 16)
        vectors = np.random.default_rng(0).normal(size=(16, 576)).astype(np.float32)
        steps = [found.loss_and_gradient(vectors, range(16)) for _ in range(8)]
    finally:
        torch.set_num_threads(before)
    assert len({step.gradient.tobytes() for step in steps}) == 1
    assert len({step.loss for step in steps}) == 1


def test_no_soft_tokens_leave_nothing_to_tune() -> None:
    lm = model("llama")
    asked = [ChoiceQuery(INFIX.render({"text": "a"}), (" positive", " negative"))]
    with pytest.raises(TuningError, check=coded("nothing-to-tune")):
        lm.objective(asked, [0], 0)


def test_soft_tokens_can_start_from_drawn_words_of_the_vocabulary() -> None:
    lm = model("llama")
    one, same, other = (lm.vocabulary_init(4, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one == same and one != other
    rows = lm._body.rows.numpy()
    controls = set(lm._tokenizer.get_added_vocab().values())
    for vector in one.vectors:
        (at,) = np.flatnonzero((rows == vector).all(axis=1))
        assert int(at) not in controls


ALIKE = Template("alike", text="Judge.{soft} Text: fine\nAnswer: good\n\nText: {text}\nAnswer:").with_words(LABELS)


@pytest.mark.parametrize("kind", ["labels", "vocabulary"])
@pytest.mark.parametrize("template", [FIRST, ALIKE], ids=lambda t: t.name)
@pytest.mark.parametrize("family", ["llama", *more("gemma2", "qwen2-window", "gpt2")])
def test_what_all_cases_begin_with_is_computed_once_a_pass_and_changes_no_mean(
    family: str, template: Template, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = model(family)
    found, vectors, rows = objective(lm, template, kind=kind), soft_for(lm).vectors, [4, 0, 1, 3]
    assert found._alike(rows) >= 3
    own = found.per_case(vectors, rows)
    for most in (10**6, 60, 1):
        monkeypatch.setattr("fedprompt.models.hf.objective.PASS", most)
        mean = found.loss_and_gradient(vectors, rows)
        assert mean.loss == pytest.approx(own.losses.mean(), abs=1e-5)
        assert mean.gradient == pytest.approx(own.gradients.mean(axis=0), abs=1e-5, rel=1e-3)
        again = found.loss_and_gradient(vectors, rows)
        assert again.loss == mean.loss and np.array_equal(again.gradient, mean.gradient)
    alone = [objective(lm, template, kind=kind, only=row).loglikelihoods(vectors)[0] for row in range(5)]
    assert found.loglikelihoods(vectors) == pytest.approx(np.array(alone), abs=1e-5)


def test_the_count_has_what_cases_share_once_a_pass() -> None:
    lm = model("llama")
    # Two soft tokens and 7 are alike; behind them 2 and 1 tokens, and one more each that leads to a word's end.
    cases = [Encoded((5, -1, -1, 7, *rest), ((11,), (12, 13))) for rest in ((8, 9), (6,))]
    found = CachedObjective(lm._body, lm._head, cases, [0, 1], pack=64, budget=10**9)
    assert found._alike([0, 1]) == 3 and found.tokens([0, 1]).computed == 3 + 2 + 1 + 2
    assert found.tokens([0, 1], looking=True) == found.tokens([0, 1])
    assert found.tokens([0]).computed == 3 + 2 + 1
    laid = found._layout([0, 1], [range(2)] * 2, 3)
    assert len(laid.tokens) == 8 and laid.tokens[:4] == [-1, -2, 7, 8] and laid.positions == [1, 2, 3, 4, 5, 6, 4, 5]


@pytest.mark.parametrize(
    ("contexts", "shared"),
    [
        (((5, -1, 7), (5, -1, 7)), 1),  # a token is left to each
        (((5, -1, 7, 8), (6, -1, 7, 8)), 0),  # not the same before the slot
        (((-1, -1, 7), (-1, -1, 8)), 2),
        (((-1, -1), (-1, -1, 8)), 0),  # one case ends with the slot
        (((-1, 7, 8),), 0),  # one case shares with nobody
    ],
)
def test_cases_share_from_the_slot_on_what_is_alike_in_all(contexts: tuple[tuple[int, ...], ...], shared: int) -> None:
    lm = model("llama")
    cases = [Encoded(context, ((11,), (12,))) for context in contexts]
    found = CachedObjective(lm._body, lm._head, cases, [0] * len(cases), pack=64, budget=10**9)
    assert found._alike(range(len(cases))) == shared


@pytest.mark.parametrize("template", [FIRST, INFIX], ids=lambda t: t.name)
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_shares_of_answers_have_the_shares_of_their_gradients(family: str, template: Template) -> None:
    lm = model(family)
    plain, vectors, rows = objective(lm, template), soft_for(lm).vectors, [0, 1, 3, 4]
    hard = plain.under(ShareLoss(np.eye(2)[ANSWERS], np.zeros(2)))
    one, other = (each.loss_and_gradient(vectors, rows) for each in (plain, hard))
    assert one.loss == pytest.approx(other.loss, abs=1e-5)
    assert one.gradient == pytest.approx(other.gradient, abs=1e-5)
    # Cross-entropy is linear in its targets: 0.25 and 0.75 of the losses and slopes of each answer alone.
    soft = plain.under(ShareLoss(np.tile([0.25, 0.75], (5, 1)), np.zeros(2))).loss_and_gradient(vectors, rows)
    parts = [
        plain.under(ShareLoss(np.tile(np.eye(2)[label], (5, 1)), np.zeros(2))).loss_and_gradient(vectors, rows)
        for label in (0, 1)
    ]
    assert soft.loss == pytest.approx(0.25 * parts[0].loss + 0.75 * parts[1].loss, abs=1e-5)
    assert soft.gradient == pytest.approx(0.25 * parts[0].gradient + 0.75 * parts[1].gradient, abs=1e-5)
    # What was prepared answers as before.
    again = plain.loss_and_gradient(vectors, rows)
    assert again.loss == one.loss and np.array_equal(again.gradient, one.gradient)


def test_a_loss_over_labels_needs_an_objective_over_labels_and_finite_slopes() -> None:
    lm = model("llama")
    with pytest.raises(ValueError, match="over labels"):
        objective(lm, kind="vocabulary").under(ShareLoss(np.eye(2)[ANSWERS], np.zeros(2)))

    def endless(scores: NDArray[np.float64], rows: Sequence[int]) -> LabelSlopes:
        return LabelSlopes(np.full(len(rows), np.inf), np.zeros(scores.shape))

    with pytest.raises(TuningError, check=coded("not-finite")):
        objective(lm).under(endless).loss_and_gradient(soft_for(lm).vectors, [0, 1])
