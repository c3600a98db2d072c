"""Private files are written whole or not at all: beside their place under another name, on the disk, then renamed.

Invariant: whoever reads a path finds the old content or the new, never a part; no other user can read either. What a
killed process leaves is a hidden file that nothing reads.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["private_file", "write_first", "write_private"]

MODE = 0o600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_private(path: Path, data: bytes | str) -> None:
    """Write ``data`` (text as UTF-8) to ``path`` with mode 0600, in place of what was there.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    with private_file(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; at the end it takes the place of ``path``, after an error nothing does.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    with _beside(path) as (temporary, file):
        yield file
        _finish(file)
        os.replace(temporary, path)
        _sync_folder(path.parent)


def write_first(path: Path, data: bytes) -> bool:
    """Write ``data`` to ``path`` with mode 0600 unless it is there; of two processes, the first one's stays.

    Returns:
        Whether it was written.

    Raises:
        OSError: it cannot be written.
    """
    with _beside(path) as (temporary, file):
        file.write(data)
        _finish(file)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        _sync_folder(path.parent)
        return True


@contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(temporary, _NEW, MODE), "wb") as file:
            yield temporary, file
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _finish(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Have the new name survive a power loss, where the system can sync a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
