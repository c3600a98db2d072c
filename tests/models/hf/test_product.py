"""A packed weight multiplies, rides and slopes as the plain one does, and is not kept where it would be large."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.models.hf import fused, runner
from fedprompt.models.hf.product import Weight, can_pack
from fedprompt.models.hf.runner import Body, Head
from tests.models.tiny import model

PACKS = can_pack(torch.zeros(1, 1))


def both(
    rows: int, bias: bool, dtype: torch.dtype = torch.float32
) -> tuple[Weight, Weight, torch.Tensor, torch.Tensor]:
    """Return a plain and a packed weight [24, 16], an input [rows, 16] and another term [rows, 24]."""
    rng = torch.Generator().manual_seed(rows)
    plain, offset, x, other = (
        torch.randn(*s, generator=rng).to(dtype) for s in ((24, 16), (24,), (rows, 16), (rows, 24))
    )
    first, second = (Weight(plain, offset if bias else None, pack=pack, turn=pack) for pack in (False, can_pack(plain)))
    return first, second, x, other


@given(rows=st.integers(1, 70), bias=st.booleans())
def test_a_packed_weight_gives_the_plain_products(rows: int, bias: bool) -> None:
    plain, packed, x, other = both(rows, bias)
    with torch.no_grad():
        expected = x @ plain.plain.T + (plain.bias if plain.bias is not None else 0)
        for weight in (plain, packed):
            assert torch.allclose(weight.product(x), expected, atol=1e-5)
            assert torch.allclose(weight.product(x, "swish"), expected * torch.sigmoid(expected), atol=1e-5)
            assert torch.allclose(weight.joined(x, other, "add"), expected + other, atol=1e-5)
            assert torch.allclose(weight.joined(x, other, "mul"), expected * other, atol=1e-4)


@pytest.mark.parametrize("pack", [False, PACKS])
def test_the_slopes_are_those_of_autograd(pack: bool) -> None:
    plain, packed, x, rest = both(5, True)
    weight = packed if pack else plain
    x, rest = x.requires_grad_(True), rest.requires_grad_(True)
    ours = torch.autograd.grad((weight(x, rest) ** 2).sum(), (x, rest))
    assert plain.bias is not None
    known = torch.autograd.grad(((rest + x @ plain.plain.T + plain.bias) ** 2).sum(), (x, rest))
    for own, expected in zip(ours, known, strict=True):
        assert torch.allclose(own, expected, rtol=1e-4, atol=1e-4)


def test_bfloat16_stays_within_a_rounding_of_float32() -> None:
    _, packed, x, _ = both(9, False, torch.bfloat16)
    weight = Weight(packed.plain, pack=can_pack(packed.plain))
    with torch.no_grad():
        expected = x.float() @ packed.plain.float().T
        assert torch.allclose(weight.product(x).float(), expected, rtol=2**-7, atol=2**-6)  # 8 bits of mantissa


def test_a_model_whose_weights_are_many_keeps_no_second_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = model("llama")._lm
    packed = Body(lm)._fused
    assert packed is not None and (packed._layers[0].down.packed is not None) == PACKS
    for module in (fused, runner):
        monkeypatch.setattr(module, "PACKED", 0)
    plain = Body(lm)._fused
    assert plain is not None and plain._layers[0].down.packed is None and Head(lm)._product.packed is None


def test_weights_off_the_processor_are_not_packed() -> None:
    assert not can_pack(torch.zeros(1, 1, device="meta"))
    assert not can_pack(torch.zeros(1, 1, dtype=torch.float64))
