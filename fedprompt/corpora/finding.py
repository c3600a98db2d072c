"""Finds the text files that a site names: single files, and folders with all that is in them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.opening import ENDINGS as TABLES

__all__ = ["ENDINGS", "HTML", "PLAIN", "TABLES", "Found", "find_files"]

PLAIN, HTML = (".txt", ".text", ".md", ".markdown"), (".html", ".htm", ".xhtml")
ENDINGS = (*PLAIN, *HTML, *TABLES)


@dataclass(frozen=True)
class Found:
    """``files``: those of a known ending, in order of their paths; ``unknown``: how many others the folders hold."""

    files: tuple[Path, ...]
    unknown: int


def find_files(paths: Sequence[Path]) -> Found:
    """Return the text files among files and folders. Links and hidden files inside a folder are not followed.

    Raises:
        DataError: a path is missing, is a file of an unknown ending, or nothing was found.
    """
    files: dict[Path, None] = {}
    unknown = 0
    for path in paths:
        if path.is_dir():
            inside, others = _walk(path)
            files.update(dict.fromkeys(inside))
            unknown += others
        elif not path.is_file():
            raise DataError(f"{path}: there is no such file or folder of text; check the path", code="cannot-read")
        elif path.suffix.lower() not in ENDINGS:
            raise DataError(
                f"{path}: the ending '{path.suffix}' is not known; text is read from {', '.join(ENDINGS)}",
                code="unknown-ending",
            )
        else:
            files[path] = None
    if not files:
        named = ", ".join(str(path) for path in paths) or "nothing"
        raise DataError(
            f"{named}: no text was found; name files or folders with files that end in {', '.join(ENDINGS)}",
            code="no-text",
        )
    return Found(tuple(files), unknown)


def _walk(folder: Path) -> tuple[list[Path], int]:
    files, unknown = [], 0

    def failed(error: OSError) -> None:
        raise DataError(
            f"{error.filename}: cannot be opened ({error.strerror}); check its permissions", code="cannot-read"
        )

    for at, folders, names in os.walk(folder, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(at, name)
            if path.is_symlink() or not path.is_file() or path.suffix.lower() not in ENDINGS:
                unknown += 1
            else:
                files.append(path)
    return files, unknown
