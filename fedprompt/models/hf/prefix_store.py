"""Keys and values of what stands before the soft slot, computed once: in memory up to a budget, the rest in a file.

A block holds one node of the radix tree, [layers, 2, heads, tokens, head width] (keys, then values), so a step copies
a few long runs a case. The file is made of private cases and is gone with the process. Where the disk lacks the room or
fails, what is over the budget is computed again each time. Blocks may be kept in fewer bits than the model computes in;
they are then rounded wherever they come from, and widened as a batch is laid out.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fedprompt.models.hf.attention import KeyValues
from fedprompt.models.hf.runner import Body, Visit, run_tree
from fedprompt.models.hf.spill import Spill
from fedprompt.models.hf.trie import Node, Trie
from fedprompt.stopping import NEVER, StopToken

__all__ = ["Padded", "PrefixStore"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Padded:
    """The prefixes of a batch: ``blocks`` [layers, 2, cases, heads, longest, head width], ``lengths`` [cases]."""

    blocks: Tensor
    lengths: tuple[int, ...]


class PrefixStore:
    """Holds the prefixes of all cases; ``batch`` lays some of them side by side."""

    def __init__(
        self,
        body: Body,
        prefixes: Sequence[Sequence[int]],
        *,
        pack: int,
        budget: int,
        folder: Path | None,
        dtype: torch.dtype | None = None,
        soft: Tensor | None = None,
        later: bool = False,
        stop: StopToken = NEVER,
    ) -> None:
        """Compute every distinct token of ``prefixes`` once.

        Args:
            budget: bytes that may be kept in memory.
            folder: where the file may lie, a site's own folder; None keeps to the memory and computes the rest again.
            dtype: what blocks are kept in; the model's own if None.
            soft: [rows, width] float32, the soft prompts that tokens below zero name.
            later: wait with computing until ``fill`` is called.
            stop: looked at before each pack that is computed.
        """
        self._body, self._pack, self._budget, self._folder, self._soft = body, pack, budget, folder, soft
        self._prefixes, self._stop = prefixes, stop
        self._held: dict[int, Tensor] = {}  # node -> block
        self._spilled: dict[int, int] = {}  # node -> place in the file
        self._spill: Spill | None = None
        self._buffer: Tensor | None = None
        self._shape: tuple[int, ...] = ()  # of a block, but for its tokens
        self._dtype = dtype or body.rows.dtype
        self.memory = self.disk = 0
        self._trie = Trie()
        for prefix in prefixes:
            self._trie.insert(prefix)
        self._expected = sum(len(node.tokens) for node in self._trie.walk(pack))
        self._full = folder is None  # whether the file takes no more
        self._paths = [_path(self._trie, prefix) for prefix in prefixes]
        if not later:
            self.fill()

    def fill(self, visit: Visit | None = None) -> None:
        """Compute every node; ``visit`` hears the hidden states."""
        run_tree(self._body, self._trie, self._pack, self._soft, visit=visit, keep=self._keep, stop=self._stop)

    def place(self, row: int, position: int) -> tuple[int, int]:
        """Return the number of the node that holds a position of a prefix, and the offset in it."""
        node, offset = self._trie.find(self._prefixes[row], position)
        return node.number, offset

    def batch(self, rows: Sequence[int], more: int = 0) -> Padded | None:
        """Return the prefixes of some cases, padded with zeros on the right; None where all are empty.

        What an earlier call returned is overwritten.

        Args:
            more: tokens of room after the longest.
        """
        lengths = tuple(len(self._prefixes[row]) for row in rows)
        if not any(lengths):
            return None
        longest = max(lengths) + more
        fresh = self._again([row for row in rows if any(self._lost(number) for number, _ in self._paths[row])])
        layers, _, heads, _, width = self._shape
        out = self._space((layers, 2, len(rows), heads, longest, width))
        for place, row in enumerate(rows):
            at = 0
            for number, size in self._paths[row]:
                self._copy(number, fresh, out[:, :, place, :, at : at + size])
                at += size
            if at < longest:
                out[:, :, place, :, at:] = 0
        return Padded(out, lengths)

    def _space(self, shape: tuple[int, ...]) -> Tensor:
        """Return room for a batch, the same memory each time: fresh pages for a step would cost more than the copy."""
        size = math.prod(shape)
        if self._buffer is None or self._buffer.numel() < size:
            self._buffer = torch.empty(size, dtype=self._body.rows.dtype, device=self._body.rows.device)
        return self._buffer[:size].view(shape)

    def _keep(self, nodes: Sequence[Node], begins: Sequence[int], recorded: KeyValues) -> None:
        for node, begin in zip(nodes, begins, strict=True):
            block = _block(recorded, begin, len(node.tokens)).to(self._dtype)
            self._shape = tuple(block.shape)
            size = block.numel() * block.element_size()
            if self.memory + size <= self._budget:
                self._held[node.number] = block
                self.memory += size
            elif not self._full:
                self._write(node.number, block, size // len(node.tokens))

    def _write(self, number: int, block: Tensor, token: int) -> None:
        """Write a block to the file, which is set aside at the first; ``token`` is the bytes of one."""
        assert self._folder is not None
        try:
            if self._spill is None:
                self._spill = Spill(self._folder, self._expected * token - self.memory, self._dtype)
            self._spilled[number] = self._spill.append(block)
            self.disk = self._spill.written
        except OSError as error:
            self._full = True
            log.warning(
                "%s: keys and values beyond the memory limit cannot be stored there (%s) and are computed "
                "again at every step; free some disk space or allow more memory with --cache-bytes",
                self._folder,
                error.strerror,
            )

    def _lost(self, number: int) -> bool:
        return number not in self._held and number not in self._spilled

    def _copy(self, number: int, fresh: dict[int, Tensor], into: Tensor) -> None:
        if number in self._spilled:
            assert self._spill is not None
            self._spill.copy(self._spilled[number], into)
        else:
            into.copy_(self._held[number] if number in self._held else fresh[number])

    def _again(self, rows: Sequence[int]) -> dict[int, Tensor]:
        """Compute the prefixes that nothing holds; keyed by the numbers of the nodes of the whole tree."""
        if not rows:
            return {}
        found: dict[int, Tensor] = {}
        for row in rows:
            trie = Trie()
            trie.insert(self._prefixes[row])
            parts: list[Tensor] = []

            def keep(
                nodes: Sequence[Node], begins: Sequence[int], recorded: KeyValues, into: list[Tensor] = parts
            ) -> None:
                into.extend(_block(recorded, at, len(node.tokens)) for node, at in zip(nodes, begins, strict=True))

            run_tree(self._body, trie, self._pack, self._soft, keep=keep, stop=self._stop)
            whole, at = torch.cat(parts, dim=3).to(self._dtype), 0
            for number, size in self._paths[row]:
                found[number] = whole[:, :, :, at : at + size]
                at += size
        return found


def _block(recorded: KeyValues, begin: int, size: int) -> Tensor:
    """Return [layers, 2, heads, tokens, head width] of some rows of a pack."""
    rows = slice(begin, begin + size)
    pairs = [torch.stack((k[rows], v[rows])) for k, v in recorded.layers()]
    return torch.stack(pairs).transpose(2, 3).contiguous()


def _path(trie: Trie, prefix: Sequence[int]) -> list[tuple[int, int]]:
    """Return (number, tokens) of the nodes that a prefix runs through."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(prefix):
        node, _ = trie.find(prefix, at)
        found.append((node.number, len(node.tokens)))
        at = node.end
    return found
