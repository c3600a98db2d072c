"""Opens a file of cases by its ending; the one place that knows which formats there are."""

import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fedprompt.errors import DataError, did_you_mean
from fedprompt.evaluation.tables.delimited import delimited_table
from fedprompt.evaluation.tables.jsonl import jsonl_table
from fedprompt.evaluation.tables.parquet import parquet_table
from fedprompt.evaluation.tables.table import ReadLimits, Table

__all__ = ["ENDINGS", "PARQUET", "open_table"]

CSV, JSONL, PARQUET = (".csv", ".tsv"), (".jsonl", ".ndjson"), (".parquet", ".pq")
ENDINGS = CSV + JSONL + PARQUET


@contextmanager
def open_table(
    path: Path, limits: ReadLimits, wanted: Sequence[str] | None = None, header: bool | None = None
) -> Iterator[Table]:
    """Open a CSV, JSONL or Parquet file and close it afterwards.

    Args:
        path: the file; its ending tells the format.
        limits: bounds.
        wanted: columns that are needed, all if None; Parquet reads no others.
        header: whether the file names its columns; None where nobody said, so that names which look like a case are
            refused.

    Raises:
        DataError: the file is missing, a folder, empty, too large, of an unknown ending, or not what its
            ending says.
        HeaderDoubt: while rows are read, the names of the columns look like a case.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # the latter for a path with a NUL character
        why = error.strerror if isinstance(error, OSError) else "no such path"
        raise DataError(
            f"{path}: cannot be opened ({why}); check the path and its permissions", code="cannot-read"
        ) from error
    if stat.S_ISDIR(found.st_mode):
        raise DataError(f"{path} is a folder; give one file ({', '.join(ENDINGS)})", code="not-a-file")
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path} is not a regular file; save the cases to a file first", code="not-a-file")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise DataError(
            f"{path}: unknown ending '{ending}'{did_you_mean(ending, ENDINGS)}; use one of {', '.join(ENDINGS)}",
            code="unknown-ending",
        )
    if found.st_size == 0:
        raise DataError(f"{path} is empty; give a file with one case per line", code="empty")
    if found.st_size > limits.max_file_bytes:
        raise DataError(
            f"{path} has {found.st_size:,} bytes, more than {limits.max_file_bytes:,}; split the file or take a sample",
            code="too-large",
        )
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be opened ({error.strerror}); check its permissions", code="cannot-read"
        ) from error
    with file:
        if ending in PARQUET:
            yield parquet_table(file, path, limits, wanted, header)
        elif ending in JSONL:
            yield jsonl_table(file, path, limits, wanted or (), header)
        else:
            yield delimited_table(file, path, limits, wanted or (), header)
