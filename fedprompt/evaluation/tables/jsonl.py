"""JSONL: one JSON object a line; the keys of the first one are the columns."""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.lines import text_lines
from fedprompt.evaluation.tables.table import ReadLimits, Row, Table

__all__ = ["jsonl_table"]


def jsonl_table(file: BinaryIO, path: Path, limits: ReadLimits) -> Table:
    """Return the table in an open JSONL file.

    Raises:
        DataError: the file is empty, or its first line is no object; while rows are read, a line is not JSON,
            no object, or holds half of a surrogate pair.
    """
    rows = _rows(file, path, limits)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: the file is empty; give one JSON object a line")
    return Table(path, tuple(first.values), chain([first], rows))


def _rows(file: BinaryIO, path: Path, limits: ReadLimits) -> Iterator[Row]:
    for number, line in text_lines(file, path, limits):
        if line.strip():
            yield Row(number, _object(line, f"{path} line {number}"))


def _object(line: str, where: str) -> dict[str, Any]:
    # 'from None' because the parser's error keeps the whole line, which is a case's text.
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}, column {error.colno}: not JSON ({error.msg}); give one object a line") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not usable JSON ({type(error).__name__}); give one flat object a line") from None
    if not isinstance(value, dict):
        raise DataError(
            f'{where}: a JSON {_kind(value)}, not an object; give lines like {{"text": ..., "answer": ...}}'
        )
    if "\\u" in line:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise DataError(f"{where}: an escape that is half of a surrogate pair, so not text; repair it") from None
    return value


def _kind(value: object) -> str:
    names: dict[type, str] = {
        list: "list",
        str: "string",
        bool: "true or false",
        int: "number",
        float: "number",
    }
    return names.get(type(value), "null")
