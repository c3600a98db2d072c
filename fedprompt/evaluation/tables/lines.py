"""Lines of a text file, bounded and checked before anything parses them.

Invariant: at most ``max_line_bytes + 1`` bytes of a line are ever read, so a line of 100 MB is refused
unread.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.table import ReadLimits

__all__ = ["text_lines"]


def text_lines(file: BinaryIO, path: Path, limits: ReadLimits) -> Iterator[tuple[int, str]]:
    """Yield (1-based number, line with its end) of a UTF-8 file; a byte order mark at its start is left out.

    Raises:
        DataError: a line is too long, holds a NUL byte, or is not UTF-8; names the file, line and byte.
    """
    number = 0
    while raw := file.readline(limits.max_line_bytes + 1):
        number += 1
        if number == 1:
            if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise DataError(f"{path} line 1, byte 1: the file is UTF-16, not UTF-8; save it as UTF-8 and try again")
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if len(raw) > limits.max_line_bytes:
            raise DataError(
                f"{path} line {number}: the line is longer than {limits.max_line_bytes:,} bytes; "
                "a case is one short record, so check the file's line ends or shorten the case"
            )
        if (at := raw.find(b"\0")) >= 0:
            raise DataError(
                f"{path} line {number}, byte {at + 1}: a NUL byte, so this is not a text file; "
                "give UTF-8 CSV or JSONL, or Parquet with the ending .parquet"
            )
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            # 'from None' because the decoder's error keeps the whole line, which is a case's text.
            raise DataError(
                f"{path} line {number}, byte {error.start + 1}: not UTF-8 text; save the file as UTF-8 and try again"
            ) from None
        yield number, text
