"""A table that a visitor pastes, uploads or types: bounded before parsing, edited, matched to a prompt's fields."""

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pandas as pd
import streamlit as st

from app.drafts import settle
from fedprompt.errors import DataError
from fedprompt.evaluation.tables.delimited import delimited_table
from fedprompt.evaluation.tables.table import ReadLimits, as_text
from fedprompt.workspace.playground.trials import MAX_ROWS

__all__ = ["MAX_TABLE_MEGABYTES", "match_columns", "parse_rows", "read_table"]

MAX_TABLE_MEGABYTES = 4
LONGEST_CELL = 100_000
LIMITS = ReadLimits(max_line_bytes=256 * 1024, max_file_bytes=MAX_TABLE_MEGABYTES * 1024 * 1024, max_cases=MAX_ROWS)
Rows = tuple[dict[str, str], ...]


def read_table(key: str, fields: Sequence[str]) -> Rows:
    """Draw a box to paste into, a place to drop a file, and the table to edit; return the rows with all their columns.

    Raises:
        DataError: the table cannot be read; names the line.
    """
    file = st.file_uploader(
        "A CSV or TSV file", type=["csv", "tsv"], key=f"{key}_file", max_upload_size=MAX_TABLE_MEGABYTES
    )
    pasted = st.text_area(
        "… or paste a table. The first line names the columns.",
        key=f"{key}_paste",
        height=120,
        placeholder=f"{','.join(fields) or 'text'}\nWhat a lovely day\n…",
        max_chars=MAX_TABLE_MEGABYTES * 1024 * 1024,
        persist_state="session",
    )
    if file is not None:
        given, name = file.getvalue(), file.name
    elif pasted and pasted.strip():
        given, name = pasted.encode(), "the pasted table"
    else:
        given, name = b"", ""
    return _edited(key, fields, given, name)


def _edited(key: str, fields: Sequence[str], given: bytes, name: str) -> Rows:
    """Return the rows of what was given, as they were edited since; a file's rows outlive the file in the draft."""
    state, of = st.session_state, hashlib.sha256(given).hexdigest()[:32] if given else ""
    if of and state.get(f"{key}_table_of") != of:
        _put(key, parse_rows(given, name, fields), of)
    elif not of:
        state[f"{key}_table_of"] = ""
    table: list[dict[str, str]] = state.get(f"{key}_table") or []
    with st.container(horizontal=True, vertical_alignment="center"):
        editing = st.toggle(
            "Edit the table" if table else "Enter a table",
            key=f"{key}_table_edit",
            persist_state="session",
            help="Edit cells, add rows at the end, or select rows to delete them.",
        )
        if table:
            st.button(
                "Clear table",
                key=f"{key}_table_clear",
                icon=":material/delete:",
                type="tertiary",
                on_click=_clear,
                args=(key,),
            )
    if editing:
        table = _editor(key, table or [dict.fromkeys((*(fields or ("text",)), "answer"), "")])
    return tuple(row for row in table if any(map(str.strip, row.values())))


def _editor(key: str, table: list[dict[str, str]]) -> list[dict[str, str]]:
    """Draw the table to be edited; return its rows.

    Raises:
        DataError: there are too many.
    """
    state = st.session_state
    editor = f"{key}_editor_{state.get(f'{key}_table_made', 0)}"
    if editor not in state:  # it is drawn anew, out of what was edited last
        state[f"{key}_table_base"] = table
    base: list[dict[str, str]] = state[f"{key}_table_base"]
    frame = st.data_editor(
        pd.DataFrame(base, dtype=str),
        key=editor,
        num_rows="dynamic",
        hide_index=True,
        height=min(35 * (len(base) + 2) + 3, 350),
        column_config={column: st.column_config.TextColumn(max_chars=LONGEST_CELL) for column in base[0]},
        alt="Table of texts",
    )
    rows = [{str(k): "" if v is None or v != v else str(v) for k, v in row.items()} for row in frame.to_dict("records")]
    if len(rows) > MAX_ROWS:
        raise DataError(f"the table has {len(rows):,} rows; use at most {MAX_ROWS:,}", code="too-many-cases")
    state[f"{key}_table"] = rows
    return rows


def _put(key: str, rows: Rows, of: str) -> None:
    state = st.session_state
    state[f"{key}_table"], state[f"{key}_table_of"] = list(rows), of
    state[f"{key}_table_made"] = int(state.get(f"{key}_table_made", 0)) + 1


def _clear(key: str) -> None:
    _put(key, (), str(st.session_state.get(f"{key}_table_of", "")))  # a file that is still there is not read again
    st.session_state[f"{key}_paste"] = ""


def parse_rows(content: bytes, name: str, fields: Sequence[str]) -> Rows:
    """Return the rows of a CSV or TSV text as column -> cell; an empty cell is an empty text.

    Raises:
        DataError: it is empty, not UTF-8, malformed, too large, or has too many rows.
    """
    if len(content) > LIMITS.max_file_bytes:
        raise DataError(
            f"{name} is larger than {MAX_TABLE_MEGABYTES} MB; run it in parts, or use 'fedprompt score'",
            code="too-large",
        )
    if not content.strip():
        raise DataError(
            f"{name} is empty; give a first line that names the columns, then one row per line", code="empty"
        )
    table = delimited_table(BytesIO(content), Path(name), LIMITS, fields)
    rows: list[dict[str, str]] = []
    for row in table.rows:
        if len(rows) == MAX_ROWS:
            raise DataError(
                f"{name} line {row.line}: the table has more than {MAX_ROWS:,} rows; run it in parts",
                code="too-many-cases",
            )
        rows.append({column: as_text(value) or "" for column, value in row.values.items()})
    if not rows:
        raise DataError(f"{name} has no rows below the column names; add some", code="no-cases")
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
                f"The table has no column “{field}”. Which column holds it?",
                columns,
                index=None,
                placeholder="choose a column",
                key=f"{key}_column_{field}",
            )
    named = {field: column for field, column in chosen.items() if column is not None}
    if len(named) < len(chosen):
        return ()
    return tuple({field: row[column] for field, column in named.items()} for row in rows)
