"""CSV: a header and records, or records alone, whose separator is stated or found out.

Invariant: a record whose quotes or cells do not add up is refused with the line it begins on, never guessed
at; so is one that seems to hold other records.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.assumed import Noted
from fedprompt.evaluation.tables.dialect import find_delimiter, stated_delimiter
from fedprompt.evaluation.tables.header import watched
from fedprompt.evaluation.tables.lines import text_lines
from fedprompt.evaluation.tables.names import at_place, shown_name
from fedprompt.evaluation.tables.swallowed import Swallowed
from fedprompt.evaluation.tables.table import ReadLimits, Row, Table

__all__ = ["delimited_table"]

HEAD_LINES = 200
HEAD_CHARACTERS = 256 * 1024


def delimited_table(
    file: BinaryIO, path: Path, limits: ReadLimits, wanted: Sequence[str], header: bool | None = None
) -> Table:
    """Return the table in an open CSV file.

    Args:
        file: the file, at its start.
        path: its name, for messages.
        limits: bounds.
        wanted: columns that are hoped for; they decide between separators.
        header: whether the first record names the columns; None where nobody said. Without a header the columns are
            called by their places, ``#1`` and so on; so are, with one, those that have no name or another's.

    Raises:
        DataError: the file is empty, or a wanted column occurs twice in its header; while rows are read, a
            record is malformed or has more or fewer cells than the header.
        HeaderDoubt: while rows are read, the header looks like a case.
    """
    # The module refuses cells past a process-wide limit (131,072 characters); it is only ever raised, to our
    # bound.
    if csv.field_size_limit() < limits.max_line_bytes:
        csv.field_size_limit(limits.max_line_bytes)
    noted = Noted("CSV", "line 1")
    lines = text_lines(file, path, limits, noted)
    delimiter, before, lines = _begun(lines, path, wanted)
    noted.separator = delimiter
    records = _records(lines, path, delimiter, before, noted)
    begin, cells = next(records, (0, []))
    if not cells:
        raise DataError(f"{path} is empty; give a file with a header and one case per line", code="empty")
    if header is False:
        noted.header = "none"
        columns = tuple(at_place(place) for place in range(len(cells)))
        records = chain([(begin, cells)], records)
    else:
        noted.header = f"line {begin}"
        columns = tuple(cell.strip() for cell in cells)
        _refuse_other_formats(path, begin, columns)
        if twice := [name for name in wanted if columns.count(name) > 1]:
            shown = shown_name(twice[0], columns.index(twice[0]))
            raise DataError(
                f"{path} line {begin}: the column '{shown}' occurs twice; rename one of them", code="column-twice"
            )
        counts = Counter(columns)
        columns = tuple(name if name and counts[name] == 1 else at_place(place) for place, name in enumerate(columns))
    rows = _rows(records, path, columns, delimiter, noted)
    table = Table(path, columns, rows, noted=noted, header_line=begin)
    return table if header is False else watched(table, wanted, header)


def _begun(
    lines: Iterator[tuple[int, str]], path: Path, wanted: Sequence[str]
) -> tuple[str, int, Iterator[tuple[int, str]]]:
    """Return the separator, how many lines stand before the first record, and the lines from there on."""
    head: list[tuple[int, str]] = []
    size, stated, before = 0, None, 0
    for number, line in lines:
        if not head and not line.strip():
            before = number
            continue
        if not head and stated is None and (stated := stated_delimiter(line)) is not None:
            before = number
            continue
        head.append((number, line))
        size += len(line)
        if len(head) == HEAD_LINES or size > HEAD_CHARACTERS:
            break
    texts = [line for _, line in head]
    return stated or find_delimiter(texts, path, before + 1, wanted), before, chain(head, lines)


def _records(
    lines: Iterable[tuple[int, str]], path: Path, delimiter: str, before: int, noted: Noted
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which it begins, cells) of every record that is not blank."""
    last = ""

    def texts() -> Iterator[str]:
        nonlocal last
        noted.quoting = "none"
        for _, line in lines:
            last = line
            if '"' in line:
                noted.quoting = '"'
            yield line

    reader = csv.reader(texts(), delimiter=delimiter, strict=True)
    while True:
        begin = before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{path} line {begin}: {_what_is_wrong(error, last, before + reader.line_num)}", code="not-csv"
            ) from None
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            noted.blank_lines += 1
        else:
            yield begin, cells


def _rows(
    records: Iterator[tuple[int, list[str]]], path: Path, columns: tuple[str, ...], delimiter: str, noted: Noted
) -> Iterator[Row]:
    swallowed = Swallowed(path, len(columns), delimiter)
    for begin, cells in records:
        if len(cells) != len(columns):
            counted = f"{len(cells)} cell{'' if len(cells) == 1 else 's'}"
            what = "line above" if noted.header == "none" else "header"
            raise DataError(
                f"{path} line {begin}: {counted}, but the {what} has {len(columns)} columns; put cells that "
                f"contain {delimiter!r} in double quotes",
                code="cells-unlike-header",
            )
        noted.broken_rows += swallowed.hear(begin, cells)
        if any(cell.endswith('"') and cell.count('"') % 2 for cell in cells):
            noted.note("with a cell that ends in an unopened quote", begin)
        yield Row(begin, dict(zip(columns, cells, strict=True)))
    swallowed.judge()


def _what_is_wrong(error: csv.Error, last: str, line: int) -> str:
    inside = last.rstrip("\r\n")
    if "\r" in inside or "\n" in inside:
        return (
            f"a carriage return inside a cell without quotes (on line {line}); put that cell in double quotes, "
            "or save the file with one kind of line ending"
        )
    if "unexpected end of data" in str(error):
        return "the record cannot be read (a quote is never closed); close it, and double the quotes inside"
    return (
        f"the record cannot be read ({error}, on line {line}); put cells with quotes or line breaks in double "
        "quotes, and double the quotes inside"
    )


def _refuse_other_formats(path: Path, line: int, columns: Sequence[str]) -> None:
    if columns[0].startswith(('{"', "[{", '["')) or columns == ("[",):
        raise DataError(
            f"{path} line {line}: looks like JSON, not like CSV; give the file the ending .jsonl", code="not-csv"
        )
