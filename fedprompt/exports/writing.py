"""Writes an export whole or not at all: into a temporary folder that then takes the destination's name.

A destination that ends in ``.zip`` becomes one file with the same bytes each time: names sorted, times fixed,
nothing compressed (compressed bytes would depend on the version of zlib).
"""

import errno
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.private_file import write_private

__all__ = ["check_space", "json_text", "publishing", "write_one", "write_text"]

_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@contextmanager
def publishing(destination: Path) -> Iterator[Path]:
    """Give an empty folder; what is in it at the end becomes the destination, after an error nothing does.

    Raises:
        ExportError: the destination is a folder with something in it, or the disk is full or cannot be
            written.
    """
    zipped = destination.suffix.lower() == ".zip"
    if _is_taken(destination, zipped):
        raise ExportError(f"{destination} already exists; choose another name or delete it first", code="there-already")
    work: Path | None = None
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".export-", suffix=".part", dir=destination.parent))
        content = work / "content"
        content.mkdir()
        yield content
        if zipped:
            packed = work / "packed.zip"
            _pack(content, packed)
            os.replace(packed, destination)
        else:
            if destination.is_dir():
                destination.rmdir()
            os.replace(content, destination)
    except OSError as error:
        raise _unwritten(destination, error) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def check_space(destination: Path, needed: int) -> None:
    """Refuse to begin where the disk has less than ``needed`` bytes.

    Raises:
        ExportError: it has less.
    """
    folder = destination.absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ExportError(
            f"{destination}: the export needs {needed / 1e9:.1f} GB, but the disk has {free / 1e9:.1f} GB "
            "free; free some space or choose another disk",
            code="disk-full",
        )


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with the same line ends on every system."""
    path.write_bytes(text.encode("utf-8"))


def json_text(value: Any) -> str:
    """Return JSON with sorted keys, one line a value; the same value gives the same text."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_one(destination: Path, content: bytes) -> None:
    """Write one file whole or not at all; a file that is there is replaced, a folder is not.

    Raises:
        ExportError: the destination is a folder, or cannot be written.
    """
    if _is_taken(destination, True):
        raise ExportError(f"{destination} is a folder; choose another name", code="there-already")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        write_private(destination, content)
    except OSError as error:
        raise _unwritten(destination, error) from error


def _pack(content: Path, packed: Path) -> None:
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as target:
        files = [path for path in content.rglob("*") if path.is_file()]
        for name in sorted(path.relative_to(content).as_posix() for path in files):
            info = zipfile.ZipInfo(name, _LONG_AGO)
            info.external_attr = 0o644 << 16
            info.file_size = (content / name).stat().st_size
            with (content / name).open("rb") as source, target.open(info, "w") as entry:
                shutil.copyfileobj(source, entry, 1024 * 1024)


def _is_taken(destination: Path, single: bool) -> bool:
    """Return whether a folder is there, or, where it is not a ``single`` file that is to be written, anything at all.

    Raises:
        ExportError: the place cannot be looked at, as where its name is too long.
    """
    try:
        if single:
            return destination.is_dir()
        return destination.exists() and not _is_empty_folder(destination)
    except OSError as error:
        raise _unwritten(destination, error) from error


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _unwritten(destination: Path, error: OSError) -> ExportError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ExportError(f"{destination}: the disk is full; free some space or choose another disk", code="disk-full")
    return ExportError(f"{destination} cannot be written ({error.strerror}); choose another place", code="cannot-write")
