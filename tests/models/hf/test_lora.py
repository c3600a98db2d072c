"""An adapter beside the layers gives what PEFT gives: log-likelihoods, loss and slopes, fused or by hooks."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fedprompt.errors import ModelError, ModelMismatch
from fedprompt.models.hf.model import HFModel
from fedprompt.models.protocols import ChoiceQuery, Decoding, GenerateQuery
from fedprompt.prompts.adapter import A, Adapter, B
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.tunable import Lora
from fedprompt.tuning.tunables.lora import drawn
from tests.coded import coded
from tests.models.hf.test_families import TEMPLATES, TEXTS, soft_for
from tests.models.tiny import model

pytestmark = pytest.mark.whole

PLAIN = next(template for template in TEMPLATES if not template.has_soft)
SLOT = next(template for template in TEMPLATES if template.has_soft)
ANSWERS = [0, 1, 0, 1, 1]
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
CASES = [("llama", ALL), ("llama", ("q_proj", "v_proj")), ("qwen2", ("k_proj", "up_proj")), ("gemma3", ALL)]


def adapter_for(lm: HFModel, targets: tuple[str, ...] = ALL, **options: object) -> Adapter:
    """Return an adapter of which B is not nought, so that every factor counts."""
    start = drawn(lm.info.digest, lm.lora_shapes(targets), Lora(rank=4, alpha=8, targets=targets, **options))
    rng = np.random.default_rng(5)
    noise = {n: (a + rng.normal(0, 0.2, a.shape) * n.endswith(B)).astype(np.float32) for n, a in start.arrays.items()}
    return Adapter(noise, start.model, start.alpha, start.targets, start.frozen)


def asked(tuned: Adapter | None = None) -> list[ChoiceQuery]:
    words = tuple((PLAIN.words or {}).values())
    return [ChoiceQuery(PLAIN.render({"text": text}), words, tuned) for text in TEXTS]


def by_peft(lm: HFModel, adapter: Adapter) -> tuple[float, NDArray[np.float32], NDArray[np.float64]]:
    """Return PEFT's loss, its slope by every factor in the order of the values, and its log-likelihoods."""
    from peft import LoraConfig, get_peft_model
    from peft.utils import set_peft_model_state_dict

    config = LoraConfig(r=adapter.rank, lora_alpha=adapter.alpha, target_modules=list(adapter.targets))
    wrapped = get_peft_model(lm._lm, config)
    try:
        weights = {f"base_model.model.{n}.weight": torch.tensor(a) for n, a in adapter.arrays.items()}
        set_peft_model_state_dict(wrapped, weights)
        encoded = lm._encoder.choices([(q.rendered, q.words, 0) for q in asked()])
        losses, rows = [], []
        for code, answer in zip(encoded, ANSWERS, strict=True):
            scores = []
            for path in code.paths:
                ids = torch.tensor([(*code.context, *path)])
                logs = wrapped(input_ids=ids).logits.log_softmax(-1)[0]
                at = len(code.context) - 1
                scores.append(sum(logs[at + k, token] for k, token in enumerate(path)))
            stacked = torch.stack(scores)
            losses.append(-stacked.log_softmax(0)[answer])
            rows.append(stacked.detach().double().numpy())
        loss = torch.stack(losses).mean()
        loss.backward()
        held = {n.replace(".default", ""): p.grad for n, p in wrapped.named_parameters() if p.grad is not None}
        slopes = [held[f"base_model.model.{name}.weight"].reshape(-1).numpy() for name in adapter.moved]
        return float(loss.detach()), np.concatenate(slopes), np.stack(rows)
    finally:
        wrapped.unload()
        lm._lm.requires_grad_(False)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT asks by the old name
@pytest.mark.parametrize(("family", "targets"), CASES)
def test_loss_slopes_and_likelihoods_are_pefts(family: str, targets: tuple[str, ...]) -> None:
    lm = model(family)
    adapter = adapter_for(lm, targets)
    objective = lm.adapter_objective(asked(), ANSWERS, adapter)
    found = objective.loss_and_gradient(adapter.values, range(len(TEXTS)))
    tables = objective.loglikelihoods(adapter.values), np.stack(lm.choices(asked(adapter)).loglikelihoods)
    loss, slope, table = by_peft(lm, adapter)
    assert found.loss == pytest.approx(loss, abs=1e-4)
    assert np.allclose(found.gradient, slope, atol=1e-4 * max(1.0, float(np.abs(slope).max())))
    for one in tables:  # logits of one-token words differ from likelihoods by one number a case
        apart = one - table
        assert np.allclose(apart - apart.mean(axis=1, keepdims=True), 0, atol=1e-4)


def test_each_cases_own_slopes_add_up_and_frozen_factors_have_none() -> None:
    lm = model("llama")
    adapter = adapter_for(lm, variant="ffa")
    assert set(adapter.moved) == {name for name in adapter.arrays if name.endswith(B)}
    objective = lm.adapter_objective(asked(), ANSWERS, adapter)
    whole = objective.loss_and_gradient(adapter.values, [0, 1, 2])
    each = objective.per_case(adapter.values, [0, 1, 2])
    assert each.gradients.shape == (3, adapter.values.size)
    assert np.allclose(each.gradients.mean(axis=0), whole.gradient, atol=1e-5)
    assert float(each.losses.mean()) == pytest.approx(whole.loss, abs=1e-5)


def test_a_fresh_adapter_changes_nothing_and_one_beside_another_changes_neither() -> None:
    lm = model("llama")
    shapes = lm.lora_shapes(("q_proj",))
    fresh = drawn(lm.info.digest, shapes, Lora(rank=4, targets=("q_proj",)))
    other = adapter_for(lm)
    alone = [np.stack(lm.choices(asked(tuned)).loglikelihoods) for tuned in (None, other)]
    mixed = lm.choices([*asked(), *asked(other), *asked(fresh)]).loglikelihoods
    assert np.allclose(np.stack(mixed[:5]), alone[0], atol=1e-5)
    assert np.allclose(np.stack(mixed[5:10]), alone[1], atol=1e-5)
    assert np.allclose(np.stack(mixed[10:]), alone[0], atol=1e-5)
    assert not np.allclose(alone[0], alone[1], atol=1e-3)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_text_is_written_with_the_adapter(family: str) -> None:
    lm = model(family)
    queries = [GenerateQuery(query.rendered, tuned) for tuned in (None, adapter_for(lm)) for query in asked()]
    together = lm.generate(queries, Decoding(6))
    apart = [lm.generate([query], Decoding(6))[0] for query in queries]
    assert [one.text for one in together] == [one.text for one in apart]
    assert together[:5] != together[5:]


def test_an_adapter_of_another_model_or_other_layers_is_refused() -> None:
    lm = model("llama")
    good = adapter_for(lm, ("q_proj",))
    other = Adapter(good.arrays, "sha256:" + "0" * 64, good.alpha, good.targets)
    short = Adapter({n: a[:, :8] if n.endswith(A) else a for n, a in good.arrays.items()}, good.model, 8, good.targets)
    with pytest.raises(ModelMismatch, check=coded("another-revision")):
        lm.choices(asked(other))
    with pytest.raises(ModelMismatch, check=coded("another-width")):
        lm.generate([GenerateQuery(asked()[0].rendered, short)], Decoding(2))
    with pytest.raises(ModelError, check=coded("no-such-target", names="q_proj")):
        lm.lora_shapes(("q_prj",))
    with pytest.raises(ModelError, check=coded("no-such-target")):
        model("gpt2").lora_shapes(("c_attn",))


def test_a_soft_prompt_and_an_adapter_go_side_by_side_in_one_request() -> None:
    lm = model("llama")
    soft: SoftPrompt = soft_for(lm)
    slot = ChoiceQuery(SLOT.render({"text": TEXTS[0]}), tuple((SLOT.words or {}).values()), soft)
    found = lm.choices([slot, asked(adapter_for(lm))[0]]).loglikelihoods
    assert np.allclose(found[0], lm.choices([slot]).loglikelihoods[0], atol=1e-5)


def test_two_adapters_of_the_same_factors_and_another_alpha_are_two() -> None:
    lm = model("llama")
    first = adapter_for(lm)
    second = Adapter(first.arrays, first.model, 2 * first.alpha, first.targets)
    one, other = (np.stack(lm.choices(asked(adapter)).loglikelihoods) for adapter in (first, second))
    assert not np.allclose(one, other, atol=1e-4)
