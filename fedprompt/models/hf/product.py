"""Products with a frozen weight, which is laid out once for the processor instead of once a product.

torch's linear layer brings a weight into the order of the processor's blocks at every call. Where torch has oneDNN, a
second copy is kept in that order, and activation, gate or residual sum ride on the product. A
third, for backward passes, is made when the first one comes. Elsewhere, and for models of which a second copy would be
large, the plain product does the same. Which way is taken depends on the model, its dtype and the machine alone, never
on free memory, so that a machine gives the same numbers every time; the two ways differ by the order of summation.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["PACKED", "Weight", "can_pack"]

PACKED = 2 << 30  # bytes of weights up to which a packed copy is kept


def can_pack(weight: Tensor) -> bool:
    """Return whether torch has packed products for a weight's device and dtype."""
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if torch.ops.mkldnn._is_mkldnn_acl_supported():  # Arm's library packs in another way
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return weight.dtype == torch.float32


class Weight:
    """A frozen matrix [out, in] of a linear layer, with or without a bias [out]."""

    def __init__(self, plain: Tensor, bias: Tensor | None = None, *, pack: bool, turn: bool = False) -> None:
        """Lay the weight out for products (``pack``), and when it is first needed for backward passes (``turn``)."""
        self.plain, self.bias = plain, bias
        self.packed: Tensor | None = _packed(plain) if pack else None
        self._turn = turn
        self._turned: Tensor | None = None

    def product(self, x: Tensor, activation: str = "none") -> Tensor:
        """Return ``x`` [rows, in] times the weight, [rows, out]; with ``swish``, its SiLU. No gradient is kept."""
        if self.packed is None:
            found = functional.linear(x, self.plain, self.bias)
            return functional.silu(found, inplace=True) if activation == "swish" else found
        packed: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, activation, [], "")
        return packed

    def joined(self, x: Tensor, other: Tensor, how: str) -> Tensor:
        """Return ``other`` [rows, out] plus (``add``) or times (``mul``) the product. No gradient is kept."""
        if self.packed is None:
            found = self.product(x)
            return found.add_(other) if how == "add" else found.mul_(other)
        joined: Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, other, self.packed, self.bias, how)
        return joined

    def back(self, slope: Tensor) -> Tensor:
        """Return the slope by the input [rows, in] of a slope by the product [rows, out]."""
        if not self._turn:
            return slope @ self.plain
        if self._turned is None:
            self._turned = _packed(self.plain.T)
        turned: Tensor = torch.ops.mkldnn._linear_pointwise(slope, self._turned, None, "none", [], "")
        return turned

    def __call__(self, x: Tensor, rest: Tensor | None = None) -> Tensor:
        """Return ``x`` times the weight, plus ``rest`` if given, with a gradient where one is kept."""
        found: Tensor = _Product.apply(x, rest, self)  # type: ignore[no-untyped-call]
        return found


def _packed(plain: Tensor) -> Tensor:
    found: Tensor = torch.ops.mkldnn._reorder_linear_weight(plain.contiguous(), None)
    return found


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rest: Tensor | None, weight: Weight) -> Tensor:
        ctx.weight, ctx.rest = weight, rest is not None
        return weight.product(x) if rest is None else weight.joined(x, rest, "add")

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor | None, None]:
        return ctx.weight.back(slope.contiguous()), slope if ctx.rest else None, None
