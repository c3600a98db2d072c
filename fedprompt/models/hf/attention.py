"""Attention over packed trees: many branches in one pass, each seeing its own ancestors and nothing else.

All tokens of a pack go through the model's linear layers side by side, without padding; only attention looks at which
tokens belong together. It is registered with transformers as the attention implementation ``fedprompt`` and is thus
used by every causal model that goes through transformers' attention interface, with rotary or learned positions,
grouped-query heads and sliding windows. Outside a pack it is transformers' own ``sdpa``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from fedprompt.models.hf.blocked import Room, attend_in_blocks
from fedprompt.models.hf.branch_groups import Branch, Group, Lines, group_branches, lines_of
from fedprompt.models.hf.picking import pick, put

__all__ = ["IMPLEMENTATION", "Attending", "KeyValues", "Plan", "packed"]

IMPLEMENTATION = "fedprompt"
BLOCK = 48  # queries that are multiplied at once on a processor


class KeyValues:
    """Keys and values of tokens computed before: per layer two tensors [tokens, heads, head width]."""

    def __init__(self, layers: int) -> None:
        self.keys: list[Tensor | None] = [None] * layers
        self.values: list[Tensor | None] = [None] * layers

    def replace(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Set one layer."""
        self.keys[layer], self.values[layer] = keys, values

    def layers(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each layer's keys and values; for a pack that was recorded whole."""
        for keys, values in zip(self.keys, self.values, strict=True):
            assert keys is not None and values is not None
            yield keys, values


class Attending(Protocol):
    """What decides, for the tokens of a pack, which sees which."""

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, scaling: float, extra: Any) -> Tensor:
        """Return [1, tokens, heads, head width] for query [1, heads, tokens, width] and keys of fewer heads."""
        ...


class Plan:
    """Which token of a pack sees which; made once a pack, used by every layer."""

    def __init__(
        self,
        branches: Sequence[Branch],
        store: KeyValues,
        *,
        record: bool,
        device: torch.device,
        most: int | None = None,
    ) -> None:
        """Lay out who sees whom; ``most`` bounds the keys that are read at once, more than one branch's."""
        self.store = store
        self.record = record
        self.recorded = KeyValues(len(store.keys))
        held = 0 if store.keys[0] is None else len(store.keys[0])
        self.groups = group_branches(branches, held, device, most)
        self._held = held
        self._room = Room()
        self._lines: dict[int, Lines] = {}

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, scaling: float, extra: Any) -> Tensor:
        """Return [1, tokens, heads, head width] for query [1, heads, tokens, width] and keys of fewer heads."""
        layer = int(module.layer_idx)
        (heads, tokens), kv_heads = query.shape[1:3], key.shape[1]
        repeat = heads // kv_heads
        if self.record:
            self.recorded.replace(layer, *(new[0].transpose(0, 1).detach() for new in (key, value)))
        # Heads that share keys become further rows of one query, so keys are read once.
        q = query[0].reshape(kv_heads, repeat, tokens, -1).transpose(1, 2).reshape(kv_heads, tokens, -1)
        lines = self._of(kv_heads, tokens)
        q = pick(q, None, lines.query, lines.back)
        k = pick(key[0], self.store.keys[layer], lines.keys, lines.own)
        v = pick(value[0], self.store.values[layer], lines.keys, lines.own)
        parts = []
        asked = read = 0
        for group in self.groups:
            (n, lq), lk = group.query.shape, group.keys.shape[1]
            own = q[asked : asked + kv_heads * n * lq].view(kv_heads, n, lq, repeat, -1)
            keys, values = (held[read : read + kv_heads * n * lk].view(kv_heads, n, lk, -1) for held in (k, v))
            parts.append(self._seen(group, own, keys, values, scaling, extra).view(kv_heads * n * lq, -1))
            asked, read = asked + kv_heads * n * lq, read + kv_heads * n * lk
        if lines.back is None:
            seen = parts[0].view(kv_heads, tokens, -1).transpose(0, 1)
        else:
            seen = put(torch.cat(parts), lines.back.view(kv_heads, tokens).T.flatten())
        return seen.reshape(1, tokens, heads, -1)

    def _seen(self, group: Group, q: Tensor, k: Tensor, v: Tensor, scaling: float, extra: Any) -> Tensor:
        """Return [key heads, branches, queries, heads that share keys, width] for q of that shape."""
        window, cap = extra.get("sliding_window"), extra.get("softcap")
        if q.device.type == "cpu" and cap is None:
            return attend_in_blocks(q, k, v, group.blocks(window, q.shape[3], q.dtype, BLOCK), scaling, self._room)
        (block,) = group.blocks(window, q.shape[3], q.dtype, None)
        rows = q.flatten(2, 3)
        if cap is None:
            mask = block.mask.unsqueeze(0)
            seen = functional.scaled_dot_product_attention(rows, k, v, attn_mask=mask, scale=scaling)
        else:
            weights = torch.tanh(rows @ k.transpose(-1, -2) * scaling / cap) * cap + block.mask
            seen = torch.softmax(weights.float(), dim=-1).to(v.dtype) @ v
        return seen.view(*q.shape[:4], -1)

    def _of(self, heads: int, tokens: int) -> Lines:
        if heads not in self._lines:
            self._lines[heads] = lines_of(self.groups, heads, self._held, tokens)
        return self._lines[heads]


_plan: ContextVar[Attending | None] = ContextVar("fedprompt_attention_plan", default=None)


@contextmanager
def packed(plan: Attending) -> Iterator[None]:
    """Within this block the model's attention follows ``plan``."""
    token = _plan.set(plan)
    try:
        yield
    finally:
        _plan.reset(token)


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **extra: Any
) -> tuple[Tensor, Tensor | None]:
    plan = _plan.get()
    if plan is None and extra.get("softcap") is not None:
        return _capped(query, key, value, attention_mask, extra), None
    if plan is None:
        found: tuple[Tensor, Tensor | None] = sdpa_attention_forward(module, query, key, value, attention_mask, **extra)
        return found
    scaling = extra.get("scaling")
    return plan.attend(module, query, key, value, query.shape[-1] ** -0.5 if scaling is None else scaling, extra), None


def _capped(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, extra: Any) -> Tensor:
    """Attention with softly capped logits (Gemma 2), which sdpa does not have; [batch, tokens, heads, width]."""
    repeat = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeat, dim=1), value.repeat_interleave(repeat, dim=1)
    weights = torch.tanh(query @ key.transpose(-1, -2) * extra["scaling"] / extra["softcap"]) * extra["softcap"]
    if mask is None:
        length, seen = weights.shape[-2:]
        mask = torch.ones(length, seen, dtype=torch.bool, device=query.device).tril(seen - length)
    if mask.dtype == torch.bool:
        weights = weights.masked_fill(~mask, torch.finfo(weights.dtype).min)
    else:
        weights = weights + mask
    seen_values = torch.softmax(weights.float(), dim=-1).to(value.dtype) @ value
    return seen_values.transpose(1, 2)


AttentionInterface.register(IMPLEMENTATION, _attention)
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)
