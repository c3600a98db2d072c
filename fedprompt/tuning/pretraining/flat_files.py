"""Arrays of numbers as plain private files, mapped and not read: weights and updates of any size, block by block."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import TuningError
from fedprompt.private_file import private_file

__all__ = ["BLOCK", "blocks", "digest_of", "mapped", "write_flat", "write_part"]

BLOCK = 1 << 20  # numbers
MODE = 0o600


def write_flat(path: Path, parts: Iterable[NDArray[Any]]) -> str:
    """Write parts one behind another, whole or not at all; return the SHA-256 of the bytes.

    Raises:
        TuningError: it cannot be written.
    """
    total = hashlib.sha256()
    try:
        with private_file(path) as file:
            for part in parts:
                data = np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
                total.update(data)
                file.write(data)
    except OSError as error:
        raise TuningError(
            f"{path}: cannot be written ({error.strerror}); make room on the disk", code="cannot-write"
        ) from error
    return total.hexdigest()


def write_part(path: Path, first: int, values: NDArray[np.float32]) -> None:
    """Write numbers from the ``first`` place on into a file that is put together out of parts, and on the disk.

    Raises:
        TuningError: it cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
        with os.fdopen(handle, "wb") as file:
            file.seek(first * 4)
            file.write(np.ascontiguousarray(values).view(np.uint8).data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise TuningError(
            f"{path}: cannot be written ({error.strerror}); make room on the disk", code="cannot-write"
        ) from error


def mapped(path: Path, size: int, dtype: Any = np.float32) -> NDArray[Any] | None:
    """Return the numbers of a file, None where there are not so many."""
    try:
        found = np.memmap(path, dtype=dtype, mode="r")
    except (OSError, ValueError):
        return None
    return found if found.shape == (size,) else None


def digest_of(values: NDArray[Any]) -> str:
    """Return the SHA-256 of an array's bytes."""
    total = hashlib.sha256()
    for low, high in blocks(len(values)):
        total.update(np.ascontiguousarray(values[low:high]).view(np.uint8).data)
    return total.hexdigest()


def blocks(size: int) -> Iterable[tuple[int, int]]:
    """Yield where blocks of at most ``BLOCK`` numbers begin and end."""
    for low in range(0, size, BLOCK):
        yield low, min(size, low + BLOCK)
