"""What a file format gives to the readers: column names and a stream of rows, within stated bounds.

Invariant: whatever the file holds, no more than one bounded line (or one batch of rows) of it is in memory
here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

__all__ = ["ReadLimits", "Row", "Table", "as_text"]


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


@dataclass(frozen=True)
class Table:
    """Columns, and rows that are read as they are asked for; ``unit`` is what ``Row.line`` counts."""

    path: Path
    columns: tuple[str, ...]
    rows: Iterator[Row]
    unit: str = "line"


def as_text(value: object) -> str | None:
    """Return a cell as text, or None where it is absent (null, NaN, empty, only white space).

    Raises:
        TypeError: the value is a list, an object or bytes; the message is the type's name.
    """
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list | tuple | dict | set | bytes):
        raise TypeError(type(value).__name__)
    text = str(value)
    return text if text.strip() else None
