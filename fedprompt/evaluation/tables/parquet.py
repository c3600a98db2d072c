"""Parquet, read in small batches and only the columns asked for.

Needs pyarrow, which is imported here alone.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.table import ReadLimits, Row, Table

__all__ = ["parquet_table"]

BATCH_ROWS = 256
MAX_METADATA = 64 * 1024 * 1024


def parquet_table(file: BinaryIO, path: Path, limits: ReadLimits, wanted: Sequence[str] | None) -> Table:
    """Return the table in an open Parquet file; ``Row.line`` counts rows from 1.

    Args:
        file: the file, at its start.
        path: its name, for messages.
        limits: bounds; the uncompressed size is held to ``max_file_bytes``, a value to ``max_line_bytes``.
        wanted: columns to read, all if None; the others are named but not read.

    Raises:
        DataError: not Parquet, too large, damaged, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError(f"{path}: reading Parquet needs pyarrow; run 'pip install pyarrow' or save as CSV") from error
    damaged = f"{path}: not a Parquet file, or a damaged one; write it anew or save the cases as CSV"
    try:
        parquet = pq.ParquetFile(
            file, thrift_string_size_limit=MAX_METADATA, thrift_container_size_limit=MAX_METADATA // 64
        )
        columns = tuple(str(name) for name in parquet.schema_arrow.names)
        groups = [parquet.metadata.row_group(i) for i in range(parquet.metadata.num_row_groups)]
    except (pa.ArrowException, OSError, ValueError):
        raise DataError(damaged) from None
    if parquet.metadata.num_rows > limits.max_cases:
        raise DataError(f"{path}: more than {limits.max_cases:,} cases; split the file or take a sample")
    if sum(group.total_byte_size for group in groups) > limits.max_file_bytes:
        raise DataError(f"{path}: unpacks to more than {limits.max_file_bytes:,} bytes; keep only the columns needed")
    if twice := [name for name in wanted or columns if columns.count(name) > 1]:
        raise DataError(f"{path}: the column '{twice[0]}' occurs twice; rename one of the two")
    kept = [name for name in columns if wanted is None or name in wanted]

    def rows() -> Iterator[Row]:
        line = 0
        batches: Iterator[Any] = parquet.iter_batches(batch_size=BATCH_ROWS, columns=kept)
        while True:
            try:
                batch = next(batches, None)
                records = [] if batch is None else batch.to_pylist()
            except (pa.ArrowException, OSError, ValueError):
                raise DataError(damaged) from None
            if batch is None:
                return
            for record in records:
                line += 1
                for name, value in record.items():
                    if isinstance(value, str) and len(value) > limits.max_line_bytes:
                        raise DataError(
                            f"{path} row {line}, '{name}': longer than {limits.max_line_bytes:,} characters; "
                            "shorten the case"
                        )
                    if isinstance(value, str) and "\0" in value:
                        raise DataError(f"{path} row {line}, '{name}': a NUL character, so not text; repair the value")
                yield Row(line, record)

    return Table(path, columns, rows(), unit="row")
