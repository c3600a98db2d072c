"""CSV with a header, separated by comma, semicolon or tab (found out from the header).

Invariant: a record whose quotes or cells do not add up is refused with the line it begins on, never guessed
at.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.lines import text_lines
from fedprompt.evaluation.tables.table import ReadLimits, Row, Table

__all__ = ["DELIMITERS", "delimited_table"]

DELIMITERS = (",", ";", "\t")


def delimited_table(file: BinaryIO, path: Path, limits: ReadLimits, wanted: Sequence[str]) -> Table:
    """Return the table in an open CSV file.

    Args:
        file: the file, at its start.
        path: its name, for messages.
        limits: bounds.
        wanted: columns that are hoped for; they decide between separators.

    Raises:
        DataError: the file has no header, or a wanted column occurs twice in it; while rows are read, a
            record is malformed or has more or fewer cells than the header.
    """
    # The module refuses cells past a process-wide limit (131,072 characters); it is only ever raised, to our
    # bound.
    if csv.field_size_limit() < limits.max_line_bytes:
        csv.field_size_limit(limits.max_line_bytes)
    lines = text_lines(file, path, limits)
    header_line, header = next(((number, line) for number, line in lines if line.strip()), (0, ""))
    if not header:
        raise DataError(f"{path}: the file is empty; give a file with a header and one case a line")
    delimiter = _delimiter(header, wanted)
    try:
        columns = tuple(cell.strip() for cell in _cells(header, delimiter))
    except csv.Error as error:
        raise DataError(f"{path} line {header_line}: the header cannot be read ({error}); check its quotes") from None
    if twice := [name for name in wanted if columns.count(name) > 1]:
        raise DataError(f"{path} line {header_line}: the column '{twice[0]}' occurs twice; rename one of the two")
    return Table(path, columns, _rows(lines, path, columns, delimiter, header_line))


def _rows(
    lines: Iterator[tuple[int, str]], path: Path, columns: tuple[str, ...], delimiter: str, header_line: int
) -> Iterator[Row]:
    reader = csv.reader((line for _, line in lines), delimiter=delimiter, strict=True)
    while True:
        begin = header_line + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{path} line {begin}: the record cannot be read ({error}); "
                "put cells with quotes or line ends in double quotes, and double the quotes inside"
            ) from None
        if not cells or (len(cells) == 1 and not cells[0].strip() and len(columns) > 1):
            continue
        if len(cells) != len(columns):
            raise DataError(
                f"{path} line {begin}: {len(cells)} cells where the header has {len(columns)} columns; "
                f"put cells that hold {delimiter!r} in double quotes"
            )
        yield Row(begin, dict(zip(columns, cells, strict=True)))


def _delimiter(header: str, wanted: Sequence[str]) -> str:
    """Return the separator that shows most of the wanted columns, then most columns."""

    def merit(delimiter: str) -> tuple[int, int, int]:
        try:
            columns = [cell.strip() for cell in _cells(header, delimiter)]
        except csv.Error:
            return (-1, 0, 0)
        return (len(set(wanted) & set(columns)), len(columns), -DELIMITERS.index(delimiter))

    return max(DELIMITERS, key=merit)


def _cells(header: str, delimiter: str) -> list[str]:
    return next(csv.reader([header], delimiter=delimiter, strict=True))
