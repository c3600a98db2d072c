"""Attention of short tails after prefixes whose keys and values are kept: what a step of tuning runs.

A tail sees the whole of its prefix and what comes before it in the tail. Prefix and tail are multiplied apart, so the
prefix is read where it lies, nothing is joined, and the backward pass leaves it out: no gradient reaches it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedprompt.models.hf.picking import rows_of
from fedprompt.models.hf.prefix_store import Padded

__all__ = ["SuffixPlan", "Tail"]

Tail = Sequence[tuple[int, int]]  # for each token: its position, and the row in the tail of the token before it or -1


class SuffixPlan:
    """One tail a case, its tokens side by side in the pack; ``prefixes`` in the same order."""

    def __init__(self, tails: Sequence[Tail], prefixes: Padded, device: torch.device) -> None:
        self._blocks = prefixes.blocks
        longest, n = max(map(len, tails)), len(tails)
        seen = prefixes.blocks.shape[4]
        index, real = np.zeros((n, longest), np.int64), np.zeros((n, longest), bool)
        allowed = np.zeros((n, longest, seen + longest), bool)
        query_at, key_at = np.zeros((n, longest), np.int64), np.zeros((n, seen + longest), np.int64)
        key_at[:, :seen] = np.arange(seen)
        first = 0
        for case, tail in enumerate(tails):
            length, before = len(tail), prefixes.lengths[case]
            index[case] = first
            index[case, :length] += np.arange(length)
            real[case, :length] = True
            allowed[case, :, :before] = True
            for row, (position, parent) in enumerate(tail):
                if parent >= 0:
                    allowed[case, row, seen:] = allowed[case, parent, seen:]
                allowed[case, row, seen + row] = True
                query_at[case, row] = key_at[case, seen + row] = position
            query_at[case, length:] = before
            allowed[case, length:, seen] = True  # rows of padding see something, so that nothing is NaN
            first += length
        self._even = bool(real.all())
        self._index, self._real = torch.from_numpy(index).to(device), torch.from_numpy(real).to(device)
        self._allowed = torch.from_numpy(allowed).unsqueeze(1).to(device)
        self._distance = torch.from_numpy(query_at[:, :, None] - key_at[:, None, :]).unsqueeze(1).to(device)
        self._masks: dict[tuple[int | None, int, torch.dtype], Tensor] = {}

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, scaling: float, extra: Any) -> Tensor:
        """Return [1, tokens, heads, head width] for query [1, heads, tokens, width] and keys of fewer heads."""
        before = self._blocks[int(module.layer_idx)]
        heads, kv_heads, width = query.shape[1], key.shape[1], query.shape[3]
        repeat, (n, longest) = heads // kv_heads, self._index.shape
        seen = before.shape[3]
        # Heads that share keys become further rows of one query, so keys are read once.
        q = self._padded(query).view(n, kv_heads, repeat * longest, width) * scaling
        k, v = self._padded(key), self._padded(value)
        weights = torch.cat([q @ before[0].transpose(-1, -2), q @ k.transpose(-1, -2)], dim=-1)
        cap, window = extra.get("softcap"), extra.get("sliding_window")
        if cap is not None:
            weights = torch.tanh(weights / cap) * cap
        weights = torch.softmax((weights + self._mask(window, repeat, weights.dtype)).float(), dim=-1).to(v.dtype)
        out = weights[..., :seen] @ before[1] + weights[..., seen:] @ v
        flat = out.view(n, heads, longest, width).transpose(1, 2)
        return (flat.flatten(0, 1) if self._even else flat[self._real]).unsqueeze(0)

    def _padded(self, values: Tensor) -> Tensor:
        """Return [cases, heads, longest, width] of [1, heads, tokens, width]."""
        found = values[0].transpose(0, 1)
        n, longest = self._index.shape
        if self._even:
            return found.reshape(n, longest, *found.shape[1:]).transpose(1, 2).contiguous()
        return rows_of(found, self._index).transpose(1, 2).contiguous()

    def _mask(self, window: int | None, repeat: int, dtype: torch.dtype) -> Tensor:
        """Return the additive mask [cases, 1, repeat x query, keys]."""
        key = (window, repeat, dtype)
        if key not in self._masks:
            allowed = self._allowed if window is None else self._allowed & (self._distance < window)
            bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
            self._masks[key] = bias.masked_fill_(~allowed, torch.finfo(dtype).min).repeat(1, 1, repeat, 1)
        return self._masks[key]
