"""A private file of a size that is set aside at once, written from front to back and read through a memory map.

It has no name and is readable by its owner alone: it is gone with the process. All of its room is taken before anything
is written, so that a disk that is too small is found first and the map never reaches past what the file has. Blocks are
written by plain writes, whose errors can be told where those of a map end the process. What is read is copied out and
its pages are let go, so that they stay in the system's cache and not among the process's memory.
"""

import errno
import mmap
import os
import shutil
import tempfile
import weakref
from pathlib import Path

import torch
from torch import Tensor

__all__ = ["SPARE", "Spill"]

SPARE = 512 * 1024**2  # bytes of the disk that are left to others


class Spill:
    """Holds blocks of one dtype; ``written`` is how many bytes of them."""

    def __init__(self, folder: Path, size: int, dtype: torch.dtype) -> None:
        """Set ``size`` bytes aside on the disk of ``folder``.

        Raises:
            OSError: the disk lacks the room or cannot set it aside, or the folder takes no file.
        """
        if shutil.disk_usage(folder).free < size + SPARE:
            raise _full()
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # mode 0600
        weakref.finalize(self, file.close)
        os.posix_fallocate(file.fileno(), 0, size)
        self._map = mmap.mmap(file.fileno(), size)
        self._file, self._size, self._dtype = file.fileno(), size, dtype
        self.written = 0

    def append(self, block: Tensor) -> int:
        """Write a block behind the others and return its place.

        Raises:
            OSError: it cannot be written; the blocks before it are as they were.
        """
        left = memoryview(block.cpu().contiguous().view(torch.uint8).numpy().data).cast("B")
        if self.written + len(left) > self._size:
            raise _full()
        place = at = self.written
        while left:
            done = os.pwrite(self._file, left, at)
            at, left = at + done, left[done:]
        self.written = at
        return place

    def copy(self, place: int, into: Tensor) -> None:
        """Copy the block at ``place`` to ``into``, which has its shape and any dtype."""
        stored = torch.frombuffer(self._map, dtype=self._dtype, count=into.numel(), offset=place)
        into.copy_(stored.view(into.shape))
        page = place - place % mmap.PAGESIZE
        self._map.madvise(mmap.MADV_DONTNEED, page, place + stored.numel() * stored.element_size() - page)


def _full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
