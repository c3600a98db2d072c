"""Parquet, read in small batches and only the columns asked for.

Needs pyarrow, which is imported here alone.

Invariant: a value that has no text (a list, bytes, a time that Python cannot hold) spoils no other column's.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.assumed import Noted
from fedprompt.evaluation.tables.header import watched
from fedprompt.evaluation.tables.names import shown_name
from fedprompt.evaluation.tables.table import ReadLimits, Row, Table, Unreadable, column_of

__all__ = ["parquet_table"]

BATCH_ROWS = 256
MAX_METADATA = 64 * 1024 * 1024


def parquet_table(
    file: BinaryIO, path: Path, limits: ReadLimits, wanted: Sequence[str] | None, header: bool | None = None
) -> Table:
    """Return the table in an open Parquet file; ``Row.line`` counts rows from 1.

    Args:
        file: the file, at its start.
        path: its name, for messages.
        limits: bounds; the uncompressed size is held to ``max_file_bytes``, a value to ``max_line_bytes``.
        wanted: columns to read, all if None or where one is not there; the others are named but not read.
        header: True where names that look like a case are names.

    Raises:
        DataError: not Parquet, too large, damaged, or pyarrow is not installed.
        HeaderDoubt: while rows are read, the names look like a case.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError(
            f"{path}: reading Parquet needs pyarrow; run 'pip install pyarrow' or save as CSV", code="package-missing"
        ) from error
    if header is False:
        raise DataError(
            f"{path}: a Parquet file names its columns, so leave --no-header out", code="parquet-names-columns"
        )
    damaged = f"{path} is not a Parquet file, or it is damaged; write it again or save the cases as CSV"
    try:
        parquet = pq.ParquetFile(
            file, thrift_string_size_limit=MAX_METADATA, thrift_container_size_limit=MAX_METADATA // 64
        )
        columns = tuple(str(name) for name in parquet.schema_arrow.names)
        groups = [parquet.metadata.row_group(i) for i in range(parquet.metadata.num_row_groups)]
    except Exception:  # the library raises whatever a damaged file makes it meet, and may quote the file
        raise DataError(damaged, code="not-parquet") from None
    if parquet.metadata.num_rows > limits.max_cases:
        raise DataError(
            f"{path}: more than {limits.max_cases:,} cases; split the file or take a sample", code="too-many-cases"
        )
    if sum(group.total_byte_size for group in groups) > limits.max_file_bytes:
        raise DataError(
            f"{path}: unpacks to more than {limits.max_file_bytes:,} bytes; keep only the columns needed",
            code="too-large",
        )
    found = [column_of(columns, name) for name in wanted or ()]
    all_of_them = wanted is None or None in found
    kept = [name for name in dict.fromkeys(columns) if all_of_them or name in found]
    counts = Counter(columns)
    if twice := [name for name in kept if counts[name] > 1]:
        shown = shown_name(twice[0], columns.index(twice[0]))
        raise DataError(f"{path}: the column '{shown}' occurs twice; rename one of them", code="column-twice")

    def rows() -> Iterator[Row]:
        line = 0
        try:
            batches: Iterator[Any] = parquet.iter_batches(batch_size=BATCH_ROWS, columns=kept)
        except Exception:
            raise DataError(damaged, code="not-parquet") from None
        while True:
            try:
                batch = next(batches, None)
                cells = [] if batch is None else [_values(column, pa) for column in batch.columns]
                names = [] if batch is None else [str(name) for name in batch.schema.names]
            except Exception:
                raise DataError(damaged, code="not-parquet") from None
            if batch is None:
                return
            for at in range(batch.num_rows):
                line += 1
                record = {name: values[at] for name, values in zip(names, cells, strict=True)}
                for name, value in record.items():
                    _check(value, f"{path} row {line}, '{shown_name(name, columns.index(name))}'", limits)
                yield Row(line, record)

    table = Table(path, columns, rows(), unit="row", noted=Noted("Parquet", "the file's schema"))
    return watched(table, wanted or (), header)


def _check(value: object, where: str, limits: ReadLimits) -> None:
    if isinstance(value, str) and len(value) > limits.max_line_bytes:
        raise DataError(
            f"{where}: longer than {limits.max_line_bytes:,} characters; shorten the case", code="value-too-long"
        )
    if isinstance(value, str) and "\0" in value:
        raise DataError(f"{where}: a NUL character, so not text; fix the value", code="nul")


def _values(column: Any, pa: Any) -> list[object]:
    """Return a column's values; those that Python cannot hold are named by their type."""
    kind = column.type
    if pa.types.is_nested(kind):
        return [Unreadable("a list or an object") if value.is_valid else None for value in column]
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        # As short as it was: 0.1 in 32 bits is 0.10000000149011612 in 64.
        plain = column.to_numpy(zero_copy_only=False)
        valid = column.is_valid().to_pylist()
        return [str(value) if there and value == value else None for value, there in zip(plain, valid, strict=True)]
    try:
        return list(column.to_pylist())
    except Exception:
        return [_value(one, str(kind)) for one in column]


def _value(scalar: Any, kind: str) -> object:
    try:
        return scalar.as_py() if scalar.is_valid else None
    except Exception:
        return Unreadable(f"a value of the type {kind} that cannot be written as text")
