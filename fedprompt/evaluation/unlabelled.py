"""Texts of a site's own work that nobody labelled: a file like one of cases, without its answers.

Invariant: a distinct input is kept once, and an answer that the file may hold is not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case, input_key
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.found_columns import found_columns, wanted_columns
from fedprompt.evaluation.readers import ReadLimits, read_case
from fedprompt.evaluation.tables.opening import open_table

__all__ = ["TextFile", "read_texts"]


@dataclass(frozen=True)
class TextFile:
    """``texts``: cases with an empty answer, each input once; ``rows``: how many the file holds."""

    path: Path
    texts: tuple[Case, ...]
    rows: int


def read_texts(
    path: Path, *, fields: Sequence[str], columns: Columns = BY_NAME, most: int, limits: ReadLimits | None = None
) -> TextFile:
    """Read a file's inputs, the first ``most`` distinct ones.

    Raises:
        DataError: the file cannot be used; names file, line and field, and shows no text of it.
    """
    path, limits = Path(path), limits or ReadLimits()
    asked = wanted_columns(path, fields, columns, answered=False)
    kept: dict[str, Case] = {}
    rows = 0
    with open_table(path, limits, list(asked.values()), columns.header) as table:
        found, _ = found_columns(table, asked, Columns(columns.named, None, columns.header), None)
        for row in table.rows:
            rows += 1
            if len(kept) < most:
                case = read_case(table, row, found)
                kept.setdefault(input_key(case), case)
    if not rows:
        raise DataError(f"{path}: has a header but no texts; add at least one below it", code="no-cases")
    return TextFile(path, tuple(kept.values()), rows)
