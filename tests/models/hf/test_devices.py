"""Scoring, tuning and writing give on every device what a plain forward pass gives, and in bfloat16 something near it.

The bounds of bfloat16 are of these networks of two layers: what was seen on a processor is at most 0.014 nats a token,
0.002 of a loss, and gradients of a cosine of 0.995; each bound is about twice that. It is near, not equal:
docs/reproducibility.md says what that means.
"""

import numpy as np
import pytest
import torch

from fedprompt.models.hf.model import HFModel
from fedprompt.models.hf.self_check import check_model
from fedprompt.models.protocols import ChoiceQuery, Decoding, GenerateQuery, LossGradient
from fedprompt.tuning.settings import TuningSettings
from fedprompt.tuning.steps import tune_tensors
from tests.models.hf.test_families import TEMPLATES, TEXTS, plain, queries_for, soft_for
from tests.models.tiny import FAMILIES, model

pytestmark = pytest.mark.whole

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU on this machine")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]
SLOTS = [template for template in TEMPLATES if template.has_soft]
ANSWERS = [0, 1, 0, 1, 1]
NATS, LOSS, COSINE = 0.03, 0.005, 0.99


def asked(lm: HFModel, template: int) -> list[ChoiceQuery]:
    chosen = SLOTS[template]
    return [ChoiceQuery(chosen.render({"text": text}), tuple((chosen.words or {}).values())) for text in TEXTS]


def slope(lm: HFModel, template: int) -> LossGradient:
    soft = soft_for(lm)
    objective = lm.objective(asked(lm, template), ANSWERS, soft.tokens)
    return objective.loss_and_gradient(soft.vectors, range(len(TEXTS)))


def cosine(one: LossGradient, other: LossGradient) -> float:
    product = float((one.gradient * other.gradient).sum())
    return product / float(np.linalg.norm(one.gradient) * np.linalg.norm(other.gradient))


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_scores_and_slopes_stay_near_those_of_float32(family: str) -> None:
    exact, rough = model(family), model(family, dtype="bfloat16")
    wanted, got = exact.choices(queries_for(exact)), rough.choices(queries_for(rough))
    for one, other, lengths in zip(wanted.loglikelihoods, got.loglikelihoods, wanted.lengths, strict=True):
        assert np.isfinite(other).all()
        assert float((np.abs(one - other) / lengths).max()) < NATS
    for template in range(len(SLOTS)):
        fine, coarse = slope(exact, template), slope(rough, template)
        assert np.isfinite(coarse.gradient).all()
        assert coarse.loss == pytest.approx(fine.loss, abs=LOSS) and cosine(fine, coarse) > COSINE


def test_tuning_in_bfloat16_lowers_the_loss_and_keeps_float32_vectors() -> None:
    lm = model("llama", dtype="bfloat16")
    start = soft_for(lm)
    objective = lm.objective(asked(lm, 0), ANSWERS, start.tokens)
    tuned = tune_tensors(objective, start, TuningSettings(12, 5, 0.1), rng=np.random.default_rng(0)).end
    losses = [objective.loss_and_gradient(soft.vectors, range(5)).loss for soft in (start, tuned)]
    assert losses[1] < losses[0] - 0.05
    assert tuned.vectors.dtype == np.float32 and np.isfinite(tuned.vectors).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", ["llama", "gemma3", "opt-projected"])
def test_scores_of_a_device_are_a_plain_forward_passs(family: str, dtype: str, device: str) -> None:
    lm, reference = model(family, dtype=dtype, device=device), model(family)
    check_model(lm._lm, lm._body, lm._head)
    queries = queries_for(lm)
    found = lm.choices(queries)
    for query, got, lengths in zip(queries, found.loglikelihoods, found.lengths, strict=True):
        apart = np.abs(got - plain(reference, query)) / lengths
        assert float(apart.max()) < (1e-3 if dtype == "float32" else NATS)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("template", range(len(SLOTS)), ids=lambda place: SLOTS[place].name)
@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
def test_slopes_of_a_device_are_the_processors(family: str, template: int, device: str) -> None:
    found, wanted = slope(model(family, device=device), template), slope(model(family), template)
    assert found.loss == pytest.approx(wanted.loss, abs=1e-3)
    np.testing.assert_allclose(found.gradient, wanted.gradient, atol=1e-3 * float(np.abs(wanted.gradient).max()))


@pytest.mark.parametrize("device", DEVICES)
def test_tuning_on_a_device_is_the_same_twice(device: str) -> None:
    lm = model("llama", device=device)
    objective = lm.objective(asked(lm, 2), ANSWERS, 3)
    one, same = (
        tune_tensors(objective, soft_for(lm), TuningSettings(4, 3, 0.05), rng=np.random.default_rng(1))
        for _ in range(2)
    )
    assert one.end == same.end and one.loss == same.loss


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("family", ["llama", "gemma3", "opt-projected"])
def test_text_written_on_a_device_is_the_processors(family: str, device: str) -> None:
    lm, reference = model(family, device=device), model(family)
    soft = soft_for(lm)
    queries = [GenerateQuery(query.rendered, soft) for query in asked(lm, 0)]
    queries += [GenerateQuery(TEMPLATES[4].render({"text": text})) for text in TEXTS]
    for decoding in (Decoding(6), Decoding(6, temperature=1.2, top_p=0.9, seed=3)):
        assert lm.generate(queries, decoding) == reference.generate(queries, decoding)


@pytest.mark.parametrize("device", DEVICES)
def test_start_vectors_come_back_from_a_device(device: str) -> None:
    lm, reference = model("gemma", device=device), model("gemma")
    assert lm.text_init("a good film", 3).vectors == pytest.approx(reference.text_init("a good film", 3).vectors)
    vectors = reference.vocabulary.vectors([5, 9])
    assert lm.vocabulary.nearest(vectors, 1, "euclid", plain=False).tokens.tolist() == [[5], [9]]
