"""Lines of a text file, bounded and checked before anything parses them.

Invariant: at most ``max_line_bytes + 1`` bytes of a line are ever read, so a line of 100 MB is refused
unread. Lines end in LF or CR LF, or all in CR, as on old Macs, where the file begins without an LF. No other character
ends a line: U+2028, U+0085 and form feeds are text.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.assumed import Noted
from fedprompt.evaluation.tables.table import ReadLimits

__all__ = ["text_lines"]

CHUNK = 64 * 1024
UTF16 = "save it as UTF-8 and try again (iconv -f UTF-16 -t UTF-8 OLD > NEW)"


def text_lines(file: BinaryIO, path: Path, limits: ReadLimits, noted: Noted) -> Iterator[tuple[int, str]]:
    """Yield (1-based number, line with its end) of a UTF-8 file; a byte order mark at its start is left out.

    Args:
        file: the file, at its start.
        path: its name, for messages.
        limits: bounds.
        noted: hears of the encoding, the line ends, and characters that look damaged.

    Raises:
        DataError: a line is too long, holds a NUL byte, or is not UTF-8; names the file, line and byte.
    """
    for number, raw in enumerate(_raw_lines(file, limits.max_line_bytes), 1):
        if number == 1:
            if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise DataError(f"{path} line 1, byte 1: the file is UTF-16, not UTF-8; {UTF16}", code="not-utf-8")
            if raw.startswith(codecs.BOM_UTF8):
                noted.encoding = "UTF-8 with a byte order mark"
        line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        if len(line) > limits.max_line_bytes:
            raise DataError(
                f"{path} line {number}: the line is longer than {limits.max_line_bytes:,} bytes; check the "
                "file's line endings or shorten the case",
                code="value-too-long",
            )
        if (at := raw.find(b"\0")) >= 0:
            raise DataError(
                f"{path} line {number}, byte {at + 1}: a NUL byte, so this is not {_not_text(raw)}", code="nul"
            )
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            # 'from None' because the decoder's error keeps the whole line, which is a case's text.
            raise DataError(
                f"{path} line {number}, byte {error.start + 1}: not UTF-8 text; save the file as UTF-8 and try again "
                "(from Windows: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW)",
                code="not-utf-8",
            ) from None
        noted.line_ends.update([_end(text)] if _end(text) else [])
        if "\ufffd" in text:
            noted.note("with U+FFFD, the replacement character of an earlier program", number)
        if "\ufeff" in text:
            noted.note("with a byte order mark inside, as in joined files", number)
        yield number, text


def _raw_lines(file: BinaryIO, most: int) -> Iterator[bytes]:
    first = file.readline(most + 1)
    if b"\r" in first[:-1] and not first.endswith(b"\n"):
        yield from _until_cr(file, first, most)
        return
    while first:
        yield first
        first = file.readline(most + 1)


def _until_cr(file: BinaryIO, held: bytes, most: int) -> Iterator[bytes]:
    """Yield lines that end in CR; ``held`` was read already."""
    while True:
        *lines, held = held.split(b"\r")
        for line in lines:
            yield line + b"\r"
        more = file.read(CHUNK)
        if not more or len(held) > most:
            break
        held += more
    if held:
        yield held


def _end(text: str) -> str:
    if text.endswith("\r\n"):
        return "CRLF"
    return "LF" if text.endswith("\n") else "CR" if text.endswith("\r") else ""


def _not_text(raw: bytes) -> str:
    if len(raw) >= 4 and raw.count(b"\0") * 3 > len(raw):
        return f"UTF-8 but probably UTF-16; {UTF16}"
    return "a text file; give UTF-8 CSV or JSONL, or Parquet with the ending .parquet"
