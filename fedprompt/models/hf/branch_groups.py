"""The branches of a pack in groups of about the same shape, which attention takes at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from fedprompt.models.hf.blocked import Block

__all__ = ["Branch", "Group", "Lines", "Run", "group_branches", "lines_of"]

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


@dataclass
class Group:
    """Branches of about the same shape, padded to one another for attention only."""

    query: Tensor  # [branches, longest query] rows of the pack
    keys: Tensor  # [branches, longest stored + longest fresh] rows of the store, then of the pack behind it
    allowed: Tensor  # [branches, query, keys] bool
    distance: Tensor  # query position minus key position, same shape
    real: Tensor  # [branches, longest query] bool
    own: Tensor | None  # of the keys, those that are the branches' own; None where one of the pack is read twice
    whole: bool  # the branches are the whole pack, in order, without ancestors: nothing need be gathered
    cuts: dict[tuple[int | None, int, torch.dtype, int | None], list[Block]] = field(default_factory=dict)

    def blocks(self, window: int | None, repeat: int, dtype: torch.dtype, size: int | None) -> list[Block]:
        """Return the queries in blocks of about ``size``, each with its keys and mask; all of them as one for None."""
        key = (window, repeat, dtype, size)
        if key not in self.cuts:
            allowed = self.allowed if window is None else self.allowed & (self.distance < window)
            bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
            bias.masked_fill_(~allowed, torch.finfo(dtype).min)
            queries = allowed.shape[1]
            count = 1 if size is None else max(1, round(queries / size))
            found = []
            for start, stop in pairwise(queries * part // count for part in range(count + 1)):
                first, last = 0, allowed.shape[2]
                if size is not None:
                    seen = torch.nonzero(allowed[:, start:stop].any(0).any(0))
                    first, last = int(seen[0]), int(seen[-1]) + 1
                mask = bias[:, start:stop, first:last].repeat_interleave(repeat, dim=1)
                found.append(Block(start, stop, first, last, mask))
            self.cuts[key] = found
        return self.cuts[key]


@dataclass(frozen=True)
class Lines:
    """Where the groups' queries and keys, one group after the other and in it head by head, lie among all heads' rows.

    ``back`` and ``own`` say for each head's rows of the pack where the one place among the queries and among the keys
    is that is not there for padding. All are None where nothing need be gathered, ``own`` also where a row of the pack
    is a key of several branches.
    """

    query: Tensor | None
    keys: Tensor | None
    back: Tensor | None
    own: Tensor | None


def lines_of(groups: Sequence[Group], heads: int, held: int, tokens: int) -> Lines:
    """Lay out the rows of ``heads`` heads, behind ``held`` rows of the store."""
    if groups[0].whole:
        return Lines(None, None, None, None)
    head = torch.arange(heads, device=groups[0].query.device)[:, None]
    back = torch.empty(heads, tokens, dtype=torch.long, device=head.device)
    own = back.clone()
    query, keys = [], []
    asked = read = 0
    for group in groups:
        query.append((head * tokens + group.query.flatten()).flatten())
        keys.append((head * (held + tokens) + group.keys.flatten()).flatten())
        places = torch.nonzero(group.real.flatten()).squeeze(1)
        rows = group.query.flatten()[places]
        back[:, rows] = asked + head * group.query.numel() + places
        if group.own is not None:
            own[:, rows] = read + head * group.keys.numel() + torch.nonzero(group.own.flatten()).squeeze(1)
        asked, read = asked + heads * group.query.numel(), read + heads * group.keys.numel()
    once = all(group.own is not None for group in groups)
    return Lines(torch.cat(query), torch.cat(keys), back.flatten(), own.flatten() if once else None)


def group_branches(branches: Sequence[Branch], held: int, device: torch.device, most: int | None) -> list[Group]:
    """Put branches of about the same shape together.

    Args:
        held: rows of the store.
        most: bounds the keys that a group of more than one branch reads.
    """
    rows = sum(branch.length for branch in branches)
    return [_group(part, rows, held, device) for part in _alike(branches, most)]


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


def _group(branches: list[Branch], rows: int, held: int, device: torch.device) -> Group:
    n = len(branches)
    lq, ls = max(b.length for b in branches), max(len(b.stored) for b in branches)
    lf = max(len(b.fresh) + b.length for b in branches)
    query, keys = torch.zeros(n, lq, dtype=torch.long), torch.zeros(n, ls + lf, dtype=torch.long)
    keys[:, ls:] = held
    allowed = torch.zeros(n, lq, ls + lf, dtype=torch.bool)
    key_at = torch.zeros(n, ls + lf, dtype=torch.long)
    query_at = torch.zeros(n, lq, dtype=torch.long)
    real, own_keys = torch.zeros(n, lq, dtype=torch.bool), torch.zeros(n, ls + lf, dtype=torch.bool)
    for i, b in enumerate(branches):
        own, before = torch.arange(b.first, b.first + b.length), len(b.fresh)
        query[i, : b.length], real[i, : b.length] = own, True
        query[i, b.length :] = b.first
        keys[i, : len(b.stored)] = torch.as_tensor(b.stored, dtype=torch.long)
        keys[i, ls : ls + before] = held + torch.as_tensor(b.fresh, dtype=torch.long)
        keys[i, ls + before : ls + before + b.length] = held + own
        own_keys[i, ls + before : ls + before + b.length] = True
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
    whole = held == 0 and keys.shape == query.shape and torch.equal(query.flatten(), torch.arange(rows))
    twice = any(len(b.fresh) for b in branches)
    return Group(
        query.to(device),
        keys.to(device),
        allowed.to(device),
        distance.to(device),
        real.to(device),
        None if twice else own_keys.to(device),
        whole,
    )
