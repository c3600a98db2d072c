"""A table that a visitor pastes or uploads: bounded before parsing, columns matched to a prompt's fields."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import streamlit as st

from app.drafts import settle
from fedprompt.errors import DataError
from fedprompt.evaluation.tables.delimited import delimited_table
from fedprompt.evaluation.tables.table import ReadLimits, as_text
from fedprompt.workspace.playground.trials import MAX_ROWS

__all__ = ["MAX_TABLE_MEGABYTES", "match_columns", "parse_rows", "read_table"]

MAX_TABLE_MEGABYTES = 4
LIMITS = ReadLimits(max_line_bytes=256 * 1024, max_file_bytes=MAX_TABLE_MEGABYTES * 1024 * 1024, max_cases=MAX_ROWS)
Rows = tuple[dict[str, str], ...]


def read_table(key: str, fields: Sequence[str]) -> Rows:
    """Draw a box to paste into and a place to drop a file; return the rows with all their columns.

    Raises:
        DataError: the table cannot be read; names the line.
    """
    file = st.file_uploader(
        "A CSV or TSV file", type=["csv", "tsv"], key=f"{key}_file", max_upload_size=MAX_TABLE_MEGABYTES
    )
    pasted = st.text_area(
        "… or paste a table, its first line naming the columns",
        key=f"{key}_paste",
        height=120,
        placeholder=f"{','.join(fields) or 'text'}\nWhat a lovely day,\n…",
        max_chars=MAX_TABLE_MEGABYTES * 1024 * 1024,
        persist_state="session",
    )
    if file is not None:
        return parse_rows(file.getvalue(), file.name, fields)
    if pasted and pasted.strip():
        return parse_rows(pasted.encode(), "the pasted table", fields)
    return ()


def parse_rows(content: bytes, name: str, fields: Sequence[str]) -> Rows:
    """Return the rows of a CSV or TSV text as column -> cell; an empty cell is an empty text.

    Raises:
        DataError: it is empty, not UTF-8, malformed, too large, or has too many rows.
    """
    if len(content) > LIMITS.max_file_bytes:
        raise DataError(
            f"{name}: more than {MAX_TABLE_MEGABYTES} MB; run it in parts, or use 'fedprompt score'", code="too-large"
        )
    if not content.strip():
        raise DataError(
            f"{name}: the file is empty; give a first line that names the columns and one row a line", code="empty"
        )
    table = delimited_table(BytesIO(content), Path(name), LIMITS, fields)
    rows: list[dict[str, str]] = []
    for row in table.rows:
        if len(rows) == MAX_ROWS:
            raise DataError(
                f"{name} line {row.line}: more than {MAX_ROWS:,} rows; run it in parts", code="too-many-cases"
            )
        rows.append({column: as_text(value) or "" for column, value in row.values.items()})
    if not rows:
        raise DataError(
            f"{name}: there are no rows under the first line, which names the columns; add some", code="no-cases"
        )
    return tuple(rows)


def match_columns(rows: Rows, fields: Sequence[str], key: str) -> Rows:
    """Return the rows under the prompt's field names, none while somebody has to say which column a field is.

    A column is taken unasked only where it has the field's name.
    """
    columns = list(rows[0])
    chosen: dict[str, str | None] = {}
    for field in fields:
        if field in columns:
            chosen[field] = field
        else:
            settle(f"{key}_column_{field}", [None, *columns])
            chosen[field] = st.selectbox(
                f"The table has no column “{field}”. Which column is it?",
                columns,
                index=None,
                placeholder="choose a column",
                key=f"{key}_column_{field}",
            )
    named = {field: column for field, column in chosen.items() if column is not None}
    if len(named) < len(chosen):
        return ()
    return tuple({field: row[column] for field, column in named.items()} for row in rows)
