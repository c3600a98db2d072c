"""The joined layers give the modules' numbers and slopes, take no second memory, and leave other models alone."""

import pytest
import torch

from fedprompt.models.hf.attention import KeyValues, Plan
from fedprompt.models.hf.branch_groups import Branch, Run
from fedprompt.models.hf.model import HFModel
from fedprompt.models.hf.runner import Body
from tests.models.tiny import model

KNOWN = ("llama", "qwen2", "mistral-window")


def run(lm: HFModel, *, fused: bool, wanted: list[int] | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the hidden states of a run of 7 tokens and the slope of their weighed sum by the input."""
    body = Body(lm._lm)
    if not fused:
        body._fused = None
    rows = torch.randn(7, 32, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    plan = Plan([Branch(0, [Run(7, 0, -1)], (), ())], KeyValues(body.layers), record=False, device=rows.device)
    hidden = body(rows, range(7), plan, wanted)
    (hidden * torch.arange(1.0, hidden.numel() + 1).view_as(hidden)).sum().backward()
    assert rows.grad is not None
    return hidden.detach(), rows.grad


@pytest.mark.parametrize("wanted", [None, [6], [1, 4]])
@pytest.mark.parametrize("family", KNOWN)
def test_joined_layers_give_the_modules_states_and_slopes(family: str, wanted: list[int] | None) -> None:
    lm = model(family)
    (states, slopes), (known, expected) = (run(lm, fused=fused, wanted=wanted) for fused in (True, False))
    assert torch.allclose(states, known, atol=1e-5)
    assert torch.allclose(slopes, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_the_modules_weights_are_views_of_the_joined_ones() -> None:
    body = Body(model("llama")._lm)
    assert body._fused is not None
    joined = body._fused._layers[0].qkv.plain
    assert body._inner.layers[0].self_attn.q_proj.weight.data_ptr() == joined.data_ptr()
    assert body._inner.layers[0].self_attn.v_proj.weight.untyped_storage().data_ptr() == joined.data_ptr()


@pytest.mark.parametrize("family", ["gpt2", "opt", "gemma2", "gemma3"])
def test_other_families_keep_their_own_pass(family: str) -> None:
    assert Body(model(family)._lm)._fused is None
