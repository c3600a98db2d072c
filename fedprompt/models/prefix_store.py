"""Keys and values of what stands before the soft slot, computed once: in memory up to a budget, the rest in a file.

A block holds one node of the radix tree, [layers, 2, heads, tokens, head width] (keys, then values), so a step copies
a few long runs a case. The file has no name once it is open and is readable by its owner alone: it is made of private
cases and is gone with the process. Where the disk lacks the room, what is over the budget is computed again each time.
"""

import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fedprompt.errors import TuningError
from fedprompt.models.attention import KeyValues
from fedprompt.models.runner import Body, Visit, run_tree
from fedprompt.models.trie import Node, Trie

__all__ = ["Padded", "PrefixStore"]

SPARE = 512 * 1024**2  # bytes of the disk that are left to others


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
        soft: Tensor | None = None,
        later: bool = False,
    ) -> None:
        """Compute every distinct token of ``prefixes`` once.

        Args:
            budget: bytes that may be kept in memory.
            folder: where the file may lie, a site's own folder; None keeps to the memory and computes the rest again.
            soft: [rows, width] float32, the soft prompts that tokens below zero name.
            later: wait with computing until ``fill`` is called.

        Raises:
            TuningError: the file cannot be written.
        """
        self._body, self._pack, self._budget, self._folder, self._soft = body, pack, budget, folder, soft
        self._prefixes = prefixes
        self._held: dict[int, Tensor] = {}  # node -> block
        self._spilled: dict[int, tuple[int, tuple[int, ...]]] = {}  # node -> place in the file, shape
        self._file: int | None = None
        self._buffer: Tensor | None = None
        self._dtype = body.rows.dtype
        self.memory = self.disk = 0
        self._trie = Trie()
        for prefix in prefixes:
            self._trie.insert(prefix)
        self._expected = sum(len(node.tokens) for node in self._trie.walk(pack))
        self._room: bool | None = None
        self._paths = [_path(self._trie, prefix) for prefix in prefixes]
        if not later:
            self.fill()

    def fill(self, visit: Visit | None = None) -> None:
        """Compute every node; ``visit`` hears the hidden states."""
        run_tree(self._body, self._trie, self._pack, self._soft, visit=visit, keep=self._keep)

    def place(self, row: int, position: int) -> tuple[int, int]:
        """Return the number of the node that holds a position of a prefix, and the offset in it."""
        node, offset = self._trie.find(self._prefixes[row], position)
        return node.number, offset

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)

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
        out: Tensor | None = None
        for place, row in enumerate(rows):
            at = 0
            for number, _ in self._paths[row]:
                block = self._block(number, fresh)
                if out is None:
                    layers, _, heads, _, width = block.shape
                    out = self._space((layers, 2, len(rows), heads, longest, width))
                out[:, :, place, :, at : at + block.shape[3]] = block
                at += block.shape[3]
            if out is not None and at < longest:
                out[:, :, place, :, at:] = 0
        assert out is not None
        return Padded(out, lengths)

    def _space(self, shape: tuple[int, ...]) -> Tensor:
        """Return room for a batch, the same memory each time: fresh pages for a step would cost more than the copy."""
        size = math.prod(shape)
        if self._buffer is None or self._buffer.numel() < size:
            self._buffer = torch.empty(size, dtype=self._dtype, device=self._body.rows.device)
        return self._buffer[:size].view(shape)

    def _keep(self, nodes: Sequence[Node], begins: Sequence[int], recorded: KeyValues) -> None:
        for node, begin in zip(nodes, begins, strict=True):
            block = _block(recorded, begin, len(node.tokens))
            size = block.numel() * block.element_size()
            if self.memory + size <= self._budget:
                self._held[node.number] = block
                self.memory += size
            elif self._fits(size // max(1, len(node.tokens))):
                self._spill(node.number, block)

    def _fits(self, token: int) -> bool:
        """Decide once whether the disk takes what is over the budget; ``token`` is the bytes of one."""
        if self._room is None:
            need = max(0, self._expected * token - self.memory)
            self._room = self._folder is not None and shutil.disk_usage(self._folder).free > need + SPARE
        return self._room

    def _spill(self, number: int, block: Tensor) -> None:
        try:
            if self._file is None:
                handle, name = tempfile.mkstemp(prefix=".prefixes-", dir=self._folder)  # mode 0600
                os.unlink(name)
                self._file = handle
            data = memoryview(block.cpu().contiguous().view(torch.uint8).numpy().data).cast("B")
            at = self.disk
            while data:
                done = os.pwrite(self._file, data, self.disk)
                self.disk, data = self.disk + done, data[done:]
        except OSError as error:
            raise TuningError(
                f"{self._folder}: the cached keys and values cannot be written ({error.strerror}); free some disk or "
                "allow more memory with --cache-bytes"
            ) from error
        self._spilled[number] = (at, tuple(block.shape))

    def _lost(self, number: int) -> bool:
        return number not in self._held and number not in self._spilled

    def _block(self, number: int, fresh: dict[int, Tensor]) -> Tensor:
        if number in self._held:
            return self._held[number]
        if number in fresh:
            return fresh[number]
        at, shape = self._spilled[number]
        assert self._file is not None
        block = torch.empty(shape, dtype=self._dtype)
        into = memoryview(block.view(torch.uint8).numpy().data).cast("B")
        while into:
            done = os.preadv(self._file, [into], at)
            if not done:
                raise TuningError("the file of cached keys and values is shorter than what was written; start again")
            at, into = at + done, into[done:]
        return block

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

            run_tree(self._body, trie, self._pack, self._soft, keep=keep)
            whole, at = torch.cat(parts, dim=3), 0
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
