"""JSONL: one JSON object a line; the keys of the first lines are the columns.

Invariant: a number's text is the one that stands in the file (``1.0``, ``007`` in quotes, a hundred digits).
"""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.assumed import Noted
from fedprompt.evaluation.tables.header import watched
from fedprompt.evaluation.tables.lines import text_lines
from fedprompt.evaluation.tables.names import at_place, plausible
from fedprompt.evaluation.tables.table import ReadLimits, Row, Table

__all__ = ["jsonl_table"]

HEAD_LINES = 1000
HEAD_CHARACTERS = 1024 * 1024
MOST_KEYS = 10_000
ARRAY = "write one object per line (jq -c '.[]' OLD > NEW.jsonl)"


class _Number(str):
    """A number, as it is written in the file."""

    __slots__ = ()


class _Twice(dict[str, Any]):
    """An object that has a key twice."""

    key = ""


def jsonl_table(
    file: BinaryIO, path: Path, limits: ReadLimits, wanted: Sequence[str] = (), header: bool | None = None
) -> Table:
    """Return the table in an open JSONL file.

    Args:
        file: the file, at its start.
        path: its name, for messages.
        limits: bounds.
        wanted: columns that are hoped for.
        header: False where lines are lists, whose columns are called by their places; True where keys that look like a
            case are names.

    Raises:
        DataError: the file is empty, or its first line is no object; while rows are read, a line is not JSON,
            no object, has a key twice, or holds half of a surrogate pair.
        HeaderDoubt: while rows are read, the keys look like a case.
    """
    noted = Noted("JSON lines", "none" if header is False else "the keys of each line")
    rows = _rows(file, path, limits, noted, header)
    head: list[Row] = []
    columns: dict[str, None] = {}
    size = 0
    for row in rows:
        head.append(row)
        columns.update(dict.fromkeys(row.values))
        size += sum(len(value) for value in row.values.values() if isinstance(value, str))
        if len(head) == HEAD_LINES or size > HEAD_CHARACTERS:
            break
        if len(columns) > MOST_KEYS:
            raise DataError(
                f"{path} line {row.line}: more than {MOST_KEYS:,} different keys; give each case the same keys",
                code="too-many-keys",
            )
    if not head:
        raise DataError(f"{path} is empty; give one JSON object per line", code="empty")
    table = Table(path, tuple(columns), chain(head, rows), noted=noted)
    return table if header is False else watched(table, wanted, header)


def _rows(file: BinaryIO, path: Path, limits: ReadLimits, noted: Noted, header: bool | None) -> Iterator[Row]:
    for number, line in text_lines(file, path, limits, noted):
        if not line.strip():
            noted.blank_lines += 1
        elif header is False:
            yield Row(number, _list(line, f"{path} line {number}"))
        else:
            yield Row(number, _object(line, f"{path} line {number}"))


def _parsed(line: str, where: str) -> Any:
    # 'from None' because the parser's error keeps the whole line, which is a case's text.
    try:
        value = json.loads(
            line,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=lambda name: None if name == "NaN" else _Number(name),
            object_pairs_hook=_pairs,
        )
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}, column {error.colno}: not JSON ({error.msg}); {_hint(line, error)}", code="not-json"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: not usable JSON ({type(error).__name__}); give one flat object per line", code="not-json"
        ) from None
    if "\\u" in line:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except (UnicodeEncodeError, RecursionError):
            raise DataError(
                f"{where}: an escape that is half of a surrogate pair, so not text; fix the value",
                code="half-a-character",
            ) from None
        cells = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if any(isinstance(one, str) and "\0" in one for one in cells):
            raise DataError(f"{where}: a NUL character, so not text; fix the value", code="nul")
    return value


def _object(line: str, where: str) -> dict[str, Any]:
    value = _parsed(line, where)
    if isinstance(value, _Twice):
        name = f"the key '{value.key}'" if plausible(value.key) else "a key"
        raise DataError(f"{where}: {name} appears twice, so the value is ambiguous; remove one", code="key-twice")
    if not isinstance(value, dict):
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            raise DataError(
                f"{where}: a JSON list, not an object: the file is one array, not JSON lines; {ARRAY}",
                code="not-an-object",
            )
        raise DataError(
            f'{where}: a JSON {_kind(value)}, not an object; give lines like {{"text": ..., "answer": ...}}',
            code="not-an-object",
        )
    return value


def _list(line: str, where: str) -> dict[str, Any]:
    value = _parsed(line, where)
    if not isinstance(value, list):
        raise DataError(
            f"{where}: a JSON {_kind(value)}, not a list; lines of objects name their columns, so leave "
            "--no-header out",
            code="not-a-list",
        )
    return {at_place(place): one for place, one in enumerate(value)}


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = _Twice(found)
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            twice.key = key
            break
        seen.add(key)
    return twice


def _hint(line: str, error: json.JSONDecodeError) -> str:
    if line.strip() == "[":
        return f"where the file is one array, {ARRAY}"
    if line.strip() == "{":
        return "where an object takes several lines, write one object a line (jq -c . OLD > NEW.jsonl)"
    rest = line[error.pos :].lstrip()
    if rest.startswith("}") or (rest.startswith("]") and "property" in error.msg):
        return "remove the comma before the closing brace"
    if error.msg == "Extra data" and rest.startswith(","):
        return f"remove the comma after the object; {ARRAY}"
    if error.msg == "Extra data":
        return "put a line break between two objects"
    return "give one object per line"


def _kind(value: object) -> str:
    names: dict[type, str] = {
        list: "list",
        str: "string",
        bool: "true or false",
        _Number: "number",
        dict: "object",
        _Twice: "object",
    }
    return names.get(type(value), "null")
