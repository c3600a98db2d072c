"""How a file of cells is written: its separator, told by Excel's ``sep=`` line or found out from its first records.

Invariant: two separators that explain the first records equally well are asked about, never guessed between.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from fedprompt.errors import DataError

__all__ = ["DELIMITERS", "find_delimiter", "stated_delimiter"]

DELIMITERS = (",", ";", "\t", "|")
STATED = re.compile(r'\ufeff?"?sep=(.)"?[;,\t]*\s*', re.IGNORECASE)
WORD = re.compile(r"[\w\"'\r\n]")


def stated_delimiter(line: str) -> str | None:
    """Return the separator that a first line ``sep=;`` states, as Excel reads it; None for any other line."""
    found = STATED.fullmatch(line.rstrip("\r\n") + "\n")
    return None if found is None or WORD.fullmatch(found[1]) else found[1]


def find_delimiter(head: Sequence[str], path: Path, line: int, wanted: Sequence[str]) -> str:
    """Return the separator that shows most wanted columns, then fits most of the first records, then most columns.

    Args:
        head: the first lines, the header first; the last record may be cut off.
        path: the file, for messages.
        line: the header's line, for messages.
        wanted: columns that are hoped for.

    Raises:
        DataError: two separators explain the first records equally well.
    """
    merits = {sign: _merit(head, sign, wanted) for sign in DELIMITERS}
    best = max(merits.values())
    first, *others = [sign for sign, merit in merits.items() if merit == best]
    if others and best[2] > 1:
        raise DataError(
            f"{path} line {line}: cells could be separated by {first!r} or by {others[0]!r}; add a first line "
            f"'sep={first}' or 'sep={others[0]}', as for Excel",
            code="which-separator",
        )
    return first


def _merit(head: Sequence[str], sign: str, wanted: Sequence[str]) -> tuple[int, int, int]:
    """Return how many wanted columns show, the share of records (in tenths) that fit the header, and its columns."""
    records = []
    try:
        for cells in csv.reader(head, delimiter=sign, strict=True):
            if any(cell.strip() for cell in cells):
                records.append(cells)
    except csv.Error:
        pass  # the records before it say enough
    if not records:
        return (0, 0, 0)
    names = [cell.strip() for cell in records[0]]
    body = records[1:]
    fitting = sum(len(cells) == len(names) for cells in body) * 10 // len(body) if body and len(names) > 1 else 0
    return (len(set(wanted) & set(names)), fitting, len(names))
