"""What a power loss leaves at the end of a file of lines: half a line, zeros, or a line with zeros in it.

A line is synced before anything is made of it, and lines are written one at a time, so a torn one is the last and was
never acted upon. Invariant: what is cut is kept beside the file, and no line but the last is ever cut.
"""

import hashlib
import os
from pathlib import Path

from fedprompt.private_file import write_private

__all__ = ["cut", "set_aside", "whole"]

_END = b"\n"


def whole(held: bytes) -> int:
    """Return how many bytes of a file's content are whole lines."""
    length = held.rfind(_END) + 1
    if length == len(held) and length:
        begin = held.rfind(_END, 0, length - 1) + 1
        if b"\0" in held[begin:length]:  # its end reached the disk, its middle did not
            return begin
    return length


def set_aside(path: Path) -> tuple[Path, ...]:
    """Return the files that hold what was cut from the end of ``path``."""
    return tuple(sorted(path.parent.glob(f"{path.stem}.torn-*")))


def cut(path: Path, handle: int, held: bytes, length: int) -> Path:
    """Keep what stands after ``length`` in a private file of its own, then cut it off; return that file.

    Args:
        path: of the file that ``handle`` is open to for writing, locked by whoever calls.
        held: its content.

    Raises:
        OSError: nothing was cut.
    """
    tail = held[length:]
    aside = path.with_name(f"{path.stem}.torn-{hashlib.sha256(tail).hexdigest()[:12]}")
    write_private(aside, tail)
    os.ftruncate(handle, length)
    os.fsync(handle)
    return aside
