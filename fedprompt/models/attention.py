"""Attention over packed trees: many branches in one pass, each seeing its own ancestors and nothing else.

All tokens of a pack go through the model's linear layers side by side, without padding; only attention looks at which
tokens belong together. It is registered with transformers as the attention implementation ``fedprompt`` and is thus
used by every causal model that goes through transformers' attention interface, with rotary or learned positions,
grouped-query heads and sliding windows. Outside a pack it is transformers' own ``sdpa``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

__all__ = ["IMPLEMENTATION", "Attending", "Branch", "KeyValues", "Plan", "Run", "packed", "rows_of"]

IMPLEMENTATION = "fedprompt"
WASTE = 1.5


@dataclass(frozen=True)
class Run:
    """Tokens that follow one another: how many, the position of the first, and the branch's row before it or -1."""

    length: int
    position: int
    parent: int


@dataclass(frozen=True)
class Branch:
    """New tokens that lie side by side in the pack below the same ancestors: where they begin, and their tree of runs.

    The ancestors are ``stored``, rows of the store of keys and values, and ``fresh``, rows of the pack, in order of
    position and without gaps. A run sees them, the runs it descends from and itself.
    """

    first: int
    runs: Sequence[Run]
    stored: Sequence[int]
    fresh: Sequence[int]

    @property
    def length(self) -> int:
        """The number of new tokens."""
        return sum(run.length for run in self.runs)


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


@dataclass
class _Group:
    """Branches of about the same shape, padded to one another for attention only."""

    query: Tensor  # [branches, longest query] rows of the pack
    stored: Tensor  # [branches, longest stored] rows of the store
    fresh: Tensor  # [branches, longest fresh] rows of the pack; ancestors in the pack, then the branch itself
    allowed: Tensor  # [branches, 1, query, stored + fresh] bool
    distance: Tensor  # query position minus key position, same shape
    real: Tensor | None  # [branches, longest query] bool, None where nothing is padded
    whole: bool  # the branches are the whole pack, in order, without ancestors in it: nothing need be gathered
    masks: dict[tuple[int | None, int, torch.dtype], Tensor] = field(default_factory=dict)

    def mask(self, window: int | None, repeat: int, dtype: torch.dtype) -> Tensor:
        """Return the additive mask [branches, 1, repeat x query, keys]."""
        key = (window, repeat, dtype)
        if key not in self.masks:
            allowed = self.allowed if window is None else self.allowed & (self.distance < window)
            bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
            bias.masked_fill_(~allowed, torch.finfo(dtype).min)
            self.masks[key] = bias.repeat(1, 1, repeat, 1)
        return self.masks[key]


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
        rows = sum(branch.length for branch in branches)
        self.groups = [_group(part, rows, device) for part in _alike(branches, most)]
        # The groups' rows one after the other, and where each of the pack's rows is among them.
        flat = torch.cat([g.query.flatten() if g.real is None else g.query[g.real] for g in self.groups])
        whole = len(self.groups) == 1 and torch.equal(flat, torch.arange(rows, device=device))
        self._order = None if whole else torch.argsort(flat)

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, scaling: float, extra: Any) -> Tensor:
        """Return [1, tokens, heads, head width] for query [1, heads, tokens, width] and keys of fewer heads."""
        layer = int(module.layer_idx)
        q, k, v = (t[0].transpose(0, 1) for t in (query, key, value))
        if self.record:
            self.recorded.replace(layer, k.detach(), v.detach())
        heads, kv_heads = q.shape[1], k.shape[1]
        repeat = heads // kv_heads
        window, cap = extra.get("sliding_window"), extra.get("softcap")
        parts: list[Tensor] = []
        for group in self.groups:
            keys = _gather(self.store.keys[layer], k, group)
            values = _gather(self.store.values[layer], v, group)
            n, lq = group.query.shape
            # Heads that share keys become further rows of one query, so keys are read once.
            rows = (q if group.whole else rows_of(q, group.query)).reshape(n, lq, kv_heads, repeat, -1)
            rows = rows.permute(0, 2, 3, 1, 4).reshape(n, kv_heads, repeat * lq, -1)
            mask = group.mask(window, repeat, q.dtype)
            if cap is None:
                seen = functional.scaled_dot_product_attention(rows, keys, values, attn_mask=mask, scale=scaling)
            else:
                weights = rows @ keys.transpose(-1, -2) * scaling
                weights = torch.tanh(weights / cap) * cap + mask
                seen = torch.softmax(weights.float(), dim=-1).to(values.dtype) @ values
            seen = seen.view(n, kv_heads, repeat, lq, -1).permute(0, 3, 1, 2, 4).reshape(n, lq, heads, -1)
            parts.append(seen.flatten(0, 1) if group.real is None else seen[group.real])
        if self._order is None:
            return parts[0].unsqueeze(0)
        return rows_of(torch.cat(parts), self._order).unsqueeze(0)


def _gather(stored: Tensor | None, fresh: Tensor, group: _Group) -> Tensor:
    n = group.query.shape[0]
    if group.whole:
        new = fresh.reshape(n, -1, *fresh.shape[1:])
    else:
        new = rows_of(fresh, group.fresh)
    if stored is not None and group.stored.shape[1]:
        new = torch.cat([stored[group.stored], new], dim=1)
    return new.transpose(1, 2)


def rows_of(values: Tensor, index: Tensor) -> Tensor:
    """Return ``values[index]``, with a backward pass that adds up in one order whatever the threads do."""
    found = functional.embedding(index, values.reshape(values.shape[0], -1))
    return found.view(*index.shape, *values.shape[1:])


def _alike(branches: Sequence[Branch], most: int | None) -> list[list[Branch]]:
    """Put branches of about the same shape together, so that padding stays under ``WASTE`` of the real area.

    ``most`` bounds the keys that a group reads, where it has more than one branch.
    """
    widest = max(len(b.stored) + b.length for b in branches)
    even = len({(b.length, len(b.fresh)) for b in branches}) == 1 and not branches[0].fresh
    if even and (most is None or len(branches) * widest <= most):
        return [list(branches)]
    groups: list[list[Branch]] = []
    area = 0
    for branch in sorted(branches, key=lambda b: (b.length, len(b.stored) + len(b.fresh), b.first)):
        seen = len(branch.stored) + len(branch.fresh) + branch.length
        if groups:
            group = groups[-1]
            widest = max(seen, *(len(b.stored) + len(b.fresh) + b.length for b in group))
            padded = (len(group) + 1) * branch.length * widest
            fits = most is None or (len(group) + 1) * widest <= most
            if fits and padded <= WASTE * (area + branch.length * seen):
                group.append(branch)
                area += branch.length * seen
                continue
        groups.append([branch])
        area = branch.length * seen
    return groups


def _group(branches: list[Branch], rows: int, device: torch.device) -> _Group:
    n = len(branches)
    lq, ls = max(b.length for b in branches), max(len(b.stored) for b in branches)
    lf = max(len(b.fresh) + b.length for b in branches)
    query, fresh = torch.zeros(n, lq, dtype=torch.long), torch.zeros(n, lf, dtype=torch.long)
    stored = torch.zeros(n, ls, dtype=torch.long)
    allowed = torch.zeros(n, lq, ls + lf, dtype=torch.bool)
    key_at = torch.zeros(n, ls + lf, dtype=torch.long)
    query_at = torch.zeros(n, lq, dtype=torch.long)
    real = torch.zeros(n, lq, dtype=torch.bool)
    for i, b in enumerate(branches):
        own, before = torch.arange(b.first, b.first + b.length), len(b.fresh)
        query[i, : b.length], real[i, : b.length] = own, True
        query[i, b.length :] = b.first
        stored[i, : len(b.stored)] = torch.as_tensor(b.stored, dtype=torch.long)
        fresh[i, :before] = torch.as_tensor(b.fresh, dtype=torch.long)
        fresh[i, before : before + b.length] = own
        allowed[i, :, : len(b.stored)] = True
        allowed[i, :, ls : ls + before] = True
        mine, row = allowed[i, :, ls + before :], 0
        for run in b.runs:
            end = row + run.length
            if run.parent >= 0:
                mine[row:end, :row] = mine[run.parent, :row]
            mine[row:end, row:end] = torch.ones(run.length, run.length).tril().bool()
            query_at[i, row:end] = torch.arange(run.position, run.position + run.length)
            row = end
        mine[row:, 0] = True
        query_at[i, row:] = b.runs[0].position
        key_at[i, : len(b.stored)] = torch.arange(len(b.stored))
        key_at[i, ls : ls + before] = torch.arange(len(b.stored), len(b.stored) + before)
        key_at[i, ls + before : ls + before + row] = query_at[i, :row]
    distance = query_at[:, :, None] - key_at[:, None, :]
    return _Group(
        query.to(device),
        stored.to(device),
        fresh.to(device),
        allowed.unsqueeze(1).to(device),
        distance.unsqueeze(1).to(device),
        None if bool(real.all()) else real.to(device),
        fresh.shape == query.shape and torch.equal(query.flatten(), torch.arange(rows)),
    )


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
