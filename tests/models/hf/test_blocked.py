"""Blocks give plain attention's values and slopes whatever they are cut into, and a pack's gathering loses none."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from fedprompt.models.hf.attention import KeyValues, Plan
from fedprompt.models.hf.blocked import Block, Room, attend_in_blocks
from fedprompt.models.hf.branch_groups import Branch, Run

WIDTH = 8
CPU = torch.device("cpu")


class _Layer:
    layer_idx = 0


def plain(query: Tensor, keys: Tensor, values: Tensor, allowed: Tensor, scaling: float) -> Tensor:
    """Softmax attention written out: query [H, n, lq, rep, W], keys [H, n, lk, W], allowed [n, lq, lk]."""
    weights = torch.einsum("hnqrw,hnkw->hnqrk", query, keys) * scaling
    weights = weights.masked_fill(~allowed[None, :, :, None, :], float("-inf"))
    return torch.einsum("hnqrk,hnkw->hnqrw", torch.softmax(weights, dim=-1), values)


@pytest.mark.parametrize("space", [1, 40, 1 << 20], ids=["one row at a time", "some branches", "whole"])
@pytest.mark.parametrize("size", [1, 3, 64])
def test_blocks_of_any_size_give_plain_attention_and_its_slopes(space: int, size: int) -> None:
    random = torch.Generator().manual_seed(size)
    heads, n, lq, rep, before = 3, 4, 7, 2, 5
    query = torch.randn(heads, n, lq, rep, WIDTH, generator=random).requires_grad_(True)
    keys, values = (torch.randn(heads, n, before + lq, WIDTH, generator=random).requires_grad_(True) for _ in range(2))
    allowed = torch.ones(n, lq, before + lq).tril(before).bool() & (torch.rand(n, lq, before + lq) < 0.8)
    allowed[:, range(lq), range(before, before + lq)] = True
    bias = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
    blocks = []
    for start in range(0, lq, size):
        stop = min(lq, start + size)
        last = before + stop
        blocks.append(Block(start, stop, 0, last, bias[:, start:stop, :last].repeat_interleave(rep, dim=1)))
    slope = torch.randn(heads, n, lq, rep, WIDTH, generator=random)
    results = []
    for seen in (
        attend_in_blocks(query, keys, values, blocks, 0.3, Room(space)),
        plain(query, keys, values, allowed, 0.3),
    ):
        results.append((seen.detach(), *torch.autograd.grad(seen, (query, keys, values), slope)))
    for own, known in zip(*results, strict=True):
        assert torch.allclose(own, known, atol=2e-6)


@given(
    lengths=st.lists(st.integers(1, 70), min_size=1, max_size=6),
    stored=st.lists(st.integers(0, 9), min_size=6, max_size=6),
    window=st.sampled_from([None, 1, 4]),
    seed=st.integers(0, 2**16),
)
def test_a_pack_of_branches_gives_each_its_own_attention_and_slopes(
    lengths: list[int], stored: list[int], window: int | None, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    kv_heads, rep, tokens = 2, 3, sum(lengths)
    store = KeyValues(1)
    held = [torch.randn(10, kv_heads, WIDTH, generator=random) for _ in range(2)]
    store.replace(0, *held)
    ahead = [sorted(np.random.default_rng(seed + i).permutation(10)[: stored[i]].tolist()) for i in range(len(lengths))]
    firsts = np.cumsum([0, *lengths[:-1]])
    branches = [
        Branch(int(first), [Run(length, len(before), -1)], before, ())
        for first, length, before in zip(firsts, lengths, ahead, strict=True)
    ]
    query = torch.randn(1, kv_heads * rep, tokens, WIDTH, generator=random).requires_grad_(True)
    key, value = (torch.randn(1, kv_heads, tokens, WIDTH, generator=random).requires_grad_(True) for _ in range(2))
    slope = torch.randn(1, tokens, kv_heads * rep, WIDTH, generator=random)
    plan = Plan(branches, store, record=False, device=CPU)
    seen = plan.attend(_Layer(), query, key, value, 0.5, {"sliding_window": window})
    own = (seen.detach(), *torch.autograd.grad(seen, (query, key, value), slope))
    parts = []
    for branch, before in zip(branches, ahead, strict=True):
        rows = slice(branch.first, branch.first + branch.length)
        q = query[0, :, rows].view(kv_heads, rep, 1, branch.length, WIDTH).permute(0, 2, 3, 1, 4)
        k, v = (
            torch.cat([old[before].transpose(0, 1), new[0, :, rows]], dim=1).unsqueeze(1)
            for old, new in zip(held, (key, value), strict=True)
        )
        distance = torch.arange(branch.length)[:, None] + len(before) - torch.arange(len(before) + branch.length)
        allowed = (distance >= 0) & (distance < (window or 10**6))
        parts.append(plain(q, k, v, allowed[None], 0.5)[:, 0].transpose(0, 1).reshape(branch.length, -1, WIDTH))
    known = torch.cat(parts).unsqueeze(0)
    expected = (known.detach(), *torch.autograd.grad(known, (query, key, value), slope))
    for a, b in zip(own, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_a_fork_sees_its_own_ancestors_and_not_its_sibling() -> None:
    # Row 0 is the root; rows 1, 2 are one child, row 3 the other.
    branch = Branch(0, [Run(1, 0, -1), Run(2, 1, 0), Run(1, 1, 0)], (), ())
    query, key = torch.zeros(1, 1, 4, WIDTH), torch.zeros(1, 1, 4, WIDTH)
    value = torch.eye(4, WIDTH).view(1, 1, 4, WIDTH)
    seen = Plan([branch], KeyValues(1), record=False, device=CPU).attend(_Layer(), query, key, value, 1.0, {})
    assert torch.allclose(
        seen[0, :, 0, :4],
        torch.tensor([[1, 0, 0, 0], [1 / 2, 1 / 2, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0], [1 / 2, 0, 0, 1 / 2]]),
    )
