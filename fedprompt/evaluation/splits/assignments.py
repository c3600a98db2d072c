"""The file that remembers which split each input went to: JSON, private, replaced as a whole.

It holds HMACs and the names of splits, so it tells nothing of a case to whoever lacks the site's key.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from fedprompt.errors import DataError
from fedprompt.evaluation.splits.stored import read_stored, write_stored

__all__ = ["SPLITS", "load_assignment", "save_assignment"]

SPLITS: Final[tuple[Literal["tune"], Literal["validation"], Literal["test"]]] = ("tune", "validation", "test")
FORMAT = "fedprompt-assignment-1"
HMAC = re.compile(r"[0-9a-f]{64}")


def save_assignment(path: Path, assignment: Mapping[str, str]) -> None:
    """Write the assignment as a private file.

    Raises:
        DataError: it holds something else than HMACs and splits, or the file cannot be written.
    """
    _check(assignment, path)
    write_stored(path, json.dumps({"format": FORMAT, "assignment": dict(sorted(assignment.items()))}, indent=0))


def load_assignment(path: Path) -> dict[str, str] | None:
    """Return the stored assignment, or None where there is no such file.

    Raises:
        DataError: the file cannot be read or is not an assignment.
    """
    body = read_stored(path, "an assignment", "restore it from a backup")
    if body is None:
        return None
    if not isinstance(body, dict) or set(body) != {"format", "assignment"} or body["format"] != FORMAT:
        raise DataError(f"{path}: not an assignment of this version; restore it from a backup", code="damaged")
    if not isinstance(body["assignment"], dict):
        raise DataError(f"{path}, assignment: not a JSON object; restore it from a backup", code="damaged")
    _check(body["assignment"], path)
    return dict(body["assignment"])


def _check(assignment: Mapping[str, str], path: Path) -> None:
    for key, split in assignment.items():
        if not HMAC.fullmatch(key) or split not in SPLITS:
            raise DataError(
                f"{path}, assignment: an entry that is not 64 hexadecimal digits and one of "
                f"{', '.join(SPLITS)}; "
                "restore it from a backup",
                code="damaged",
            )
