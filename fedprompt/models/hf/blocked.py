"""Attention on a processor as batched products, a block of queries at a time with the keys that it can see.

torch's fused attention walks over small tiles, which at the lengths of prompts takes longer than the products
themselves, and its backward pass longer still. Here a block's weights are made, used and dropped while they are in
the caches, keys that no query of the block sees are left out, and the backward pass makes the weights anew instead of
keeping them. A softmax over all keys of a query at once needs no running maximum.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

__all__ = ["Block", "Room", "attend_in_blocks"]

SPACE = 1 << 20  # weights that are held at once, where a block's of one branch and head are fewer


@dataclass(frozen=True)
class Block:
    """Queries ``start`` to ``stop``; the keys ``first`` to ``last`` that one of them sees; their additive mask.

    ``mask`` is [branches, queries x heads that share keys, keys].
    """

    start: int
    stop: int
    first: int
    last: int
    mask: Tensor


@dataclass
class Room:
    """Memory that is used again by every layer: fresh pages would cost more than what is written to them."""

    space: int = SPACE  # weights that are held at once
    held: dict[tuple[str, torch.dtype], Tensor] = field(default_factory=dict)

    def take(self, name: str, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Return a tensor whose content is anything; what was taken before under the name is overwritten."""
        size = math.prod(shape)
        held = self.held.get((name, dtype))
        if held is None or held.numel() < size:
            held = self.held[name, dtype] = torch.empty(size, dtype=dtype)
        return held[:size].view(*shape)


def attend_in_blocks(
    query: Tensor, keys: Tensor, values: Tensor, blocks: Sequence[Block], scaling: float, room: Room
) -> Tensor:
    """Return [key heads, branches, queries, heads that share keys, width], with a gradient where one is kept.

    Args:
        query: [key heads, branches, queries, heads that share keys, width], contiguous.
        keys: [key heads, branches, keys, width], contiguous, as ``values``.
        blocks: of all queries, in order.
    """
    found: Tensor = _Blocked.apply(query, keys, values, blocks, scaling, room)  # type: ignore[no-untyped-call]
    return found


class _Blocked(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, keys: Tensor, values: Tensor, blocks: Sequence[Block], scaling: float, room: Room
    ) -> Tensor:
        ctx.save_for_backward(query, keys, values)
        ctx.rest = blocks, scaling, room
        out = query.new_empty(*query.shape[:-1], values.shape[-1])
        (q, o), (k, v) = _flat(query, out), _flat(keys, values)
        for rows, block, part in _parts(query, blocks, room.space):
            seen = slice(block.first, block.last)
            weights = _weights(q[part, rows], k[part, seen], block, part, scaling, room)
            _multiply(weights, v[part, seen], o[part, rows], room)
        return out

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        query, keys, values = ctx.saved_tensors
        blocks, scaling, room = ctx.rest
        by_query, by_keys, by_values = torch.empty_like(query), torch.zeros_like(keys), torch.zeros_like(values)
        q, dq, do = _flat(query, by_query, slope.contiguous())
        k, v, dk, dv = _flat(keys, values, by_keys, by_values)
        for rows, block, part in _parts(query, blocks, room.space):
            seen = slice(block.first, block.last)
            weights = _weights(q[part, rows], k[part, seen], block, part, scaling, room)
            _multiply(weights.transpose(1, 2), do[part, rows], dv[part, seen], room, add=True)
            raw = room.take("raw", weights.shape, weights.dtype)
            torch.bmm(do[part, rows], v[part, seen].transpose(1, 2), out=raw)
            # d softmax = p (g - sum p g)
            raw = torch._softmax_backward_data(raw, weights, -1, raw.dtype).mul_(scaling)
            _multiply(raw, k[part, seen], dq[part, rows], room)
            _multiply(raw.transpose(1, 2), q[part, rows], dk[part, seen], room, add=True)
        return by_query, by_keys, by_values, None, None, None


def _weights(q: Tensor, k: Tensor, block: Block, part: slice, scaling: float, room: Room) -> Tensor:
    """Return the attention weights [batch, rows, keys] of a part of the branches and heads."""
    branches = len(block.mask)
    raw = room.take("raw", (q.shape[0], q.shape[1], k.shape[1]), q.dtype)
    torch.bmm(q, k.transpose(1, 2), out=raw)
    if raw.shape[0] >= branches:
        by_head = raw.view(-1, *block.mask.shape)
        torch.add(block.mask, by_head, alpha=scaling, out=by_head)
    else:
        start = part.start % branches
        torch.add(block.mask[start : start + raw.shape[0]], raw, alpha=scaling, out=raw)
    weights: Tensor = torch.softmax(raw, dim=-1, out=room.take("weights", raw.shape, raw.dtype))
    return weights


def _multiply(left: Tensor, right: Tensor, into: Tensor, room: Room, *, add: bool = False) -> None:
    """Write or add a batched product; one that is written straight into rows with gaps would go one by one."""
    if into.is_contiguous() and not add:
        torch.bmm(left, right, out=into)
        return
    found = torch.bmm(left, right, out=room.take("product", into.shape, into.dtype))
    if add:
        into.add_(found)
    else:
        into.copy_(found)


def _flat(*tensors: Tensor) -> list[Tensor]:
    """Return [key heads x branches, rows, width] of each."""
    return [t.flatten(0, 1).flatten(1, -2) for t in tensors]


def _parts(query: Tensor, blocks: Sequence[Block], space: int) -> Iterator[tuple[slice, Block, slice]]:
    """Yield the rows of each block, the block, and a part of the key heads x branches whose weights fit in ``space``.

    A part is some key heads with all their branches, or some branches of one.
    """
    heads, branches, _, repeat, _ = query.shape
    for block in blocks:
        rows = slice(block.start * repeat, block.stop * repeat)
        fit = max(1, space // ((rows.stop - rows.start) * (block.last - block.first)))
        if fit >= branches:
            step = fit // branches * branches
            cuts = list(range(0, heads * branches, step))
        else:
            cuts = [head * branches + at for head in range(heads) for at in range(0, branches, fit)]
        for start, stop in zip(cuts, [*cuts[1:], heads * branches], strict=True):
            yield rows, block, slice(start, stop)
