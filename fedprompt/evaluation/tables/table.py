"""What a file format gives to the readers: column names and a stream of rows, within stated bounds.

Invariant: whatever the file holds, no more than one bounded line (or one batch of rows) of it is in memory
here. A value's text is the one that stands in the file: nothing is rounded, trimmed, composed or spelt anew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from fedprompt.evaluation.tables.assumed import Noted
from fedprompt.evaluation.tables.names import place_of, same_name

__all__ = ["ReadLimits", "Row", "Table", "Unreadable", "as_text", "column_of"]


@dataclass(frozen=True)
class ReadLimits:
    """The largest line, file and number of cases that are read; units are bytes, bytes and cases."""

    max_line_bytes: int = 1024 * 1024
    max_file_bytes: int = 2 * 1024**3
    max_cases: int = 5_000_000


class Row(NamedTuple):
    """One record: the 1-based line on which it begins (or row number) and its values by column."""

    line: int
    values: Mapping[str, object]


class Unreadable(NamedTuple):
    """A value that has no text, such as a list; ``what`` says so with its article."""

    what: str


@dataclass(frozen=True)
class Table:
    """Columns, and rows that are read as they are asked for; ``unit`` is what ``Row.line`` counts.

    ``noted`` grows while rows are read.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Iterator[Row]
    unit: str = "line"
    noted: Noted = field(default_factory=lambda: Noted("CSV", "line 1"))
    header_line: int = 1


def column_of(columns: tuple[str, ...], wanted: str) -> str | None:
    """Return the column that is meant: of that name, or at that place (``#2``); None where there is none."""
    if wanted in columns:
        return wanted
    for column in columns:
        if same_name(column, wanted):
            return column
    place = place_of(wanted)
    return columns[place] if place is not None and place < len(columns) else None


def as_text(value: object) -> str | None:
    """Return a cell as text, or None where it is absent (null, NaN, empty, only white space).

    Raises:
        TypeError: the value is a list, an object or bytes; the message says so with its article.
    """
    if isinstance(value, str):
        return value if value.strip() else None
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Unreadable):
        raise TypeError(value.what)
    if isinstance(value, list | tuple | set):
        raise TypeError("a list")
    if isinstance(value, dict):
        raise TypeError("an object")
    if isinstance(value, bytes):
        raise TypeError("bytes")
    text = format(value, "f") if isinstance(value, Decimal) and value.is_finite() else str(value)
    return text if text.strip() else None
