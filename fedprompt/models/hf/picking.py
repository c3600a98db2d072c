"""Rows by number, with backward passes that are choices of rows too, or add up in one order whatever the threads do."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["pick", "put", "rows_of"]


def rows_of(values: Tensor, index: Tensor) -> Tensor:
    """Return ``values[index]``, with a backward pass that adds up in one order whatever the threads do."""
    found = functional.embedding(index, values.reshape(values.shape[0], -1))
    return found.view(*index.shape, *values.shape[1:])


def pick(new: Tensor, stored: Tensor | None, lines: Tensor | None, back: Tensor | None) -> Tensor:
    """Return the ``lines`` of stored [rows, heads, width] with new [heads, rows, width] behind it, as [lines, width].

    All lines of ``new``, in order, if ``lines`` is None. ``back`` says for each row of ``new``, head by head, where
    among the lines the one place is that a slope can come from; without it slopes are added up, in one order.
    """
    if lines is None:
        return new.reshape(-1, new.shape[-1])
    found: Tensor = _Picked.apply(new, stored, lines, back)  # type: ignore[no-untyped-call]
    return found


def put(values: Tensor, lines: Tensor) -> Tensor:
    """Return the ``lines`` of values [rows, width], each of which is asked for once at most."""
    found: Tensor = _Put.apply(values, lines)  # type: ignore[no-untyped-call]
    return found


class _Picked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, new: Tensor, stored: Tensor | None, lines: Tensor, back: Tensor | None) -> Tensor:
        ctx.lines, ctx.back, ctx.shape = lines, back, new.shape
        if stored is not None and len(stored):
            new = torch.cat([stored.transpose(0, 1), new], dim=1)
        ctx.whole = new.shape
        return functional.embedding(lines, new.reshape(-1, new.shape[-1]))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        if ctx.back is not None:
            return functional.embedding(ctx.back, slope).view(ctx.shape), None, None, None
        heads, rows, width = ctx.whole
        added = torch.ops.aten.embedding_dense_backward(slope, ctx.lines, heads * rows, -1, False)
        return added.view(heads, rows, width)[:, rows - ctx.shape[1] :], None, None, None


class _Put(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, lines: Tensor) -> Tensor:
        ctx.lines, ctx.shape = lines, values.shape
        return functional.embedding(lines, values)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        return slope.new_zeros(ctx.shape).index_copy_(0, ctx.lines, slope), None
