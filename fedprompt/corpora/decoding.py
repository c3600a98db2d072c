"""Decodes a text file piece by piece, in the encoding that it is in.

UTF-8 is assumed until a byte contradicts it; a byte order mark says otherwise. Only then is the encoding detected, by
charset-normalizer on a sample. Invariant: no more than one bounded chunk of a file is in memory, and no message quotes
the file.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fedprompt.errors import DataError

__all__ = ["UTF8", "decoded", "detected", "opening_encoding"]

CHUNK = 64 * 1024
SAMPLE = 256 * 1024
UTF8 = "utf-8"
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CONTROLS = frozenset(range(32)) - {9, 10, 11, 12, 13, 27}
MOST_CONTROLS = 0.05  # of a text's bytes


def opening_encoding(file: BinaryIO, path: Path) -> str:
    """Return the encoding that a file's first bytes say, UTF-8 where they say none; the file is put back at its start.

    Raises:
        DataError: the bytes are of no text.
    """
    head = file.read(CHUNK)
    file.seek(0)
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    if (order := _without_mark(head)) is not None:
        return order
    if b"\0" in head or sum(byte in CONTROLS for byte in head[:4096]) > MOST_CONTROLS * len(head[:4096]):
        raise DataError(f"{path}: is a binary file and no text; take it out of the folder", code="binary")
    return UTF8


def detected(path: Path) -> str:
    """Return the encoding of a file that is not UTF-8, told from a sample.

    Raises:
        DataError: no encoding fits it well.
    """
    from charset_normalizer import from_bytes

    with path.open("rb") as file:
        sample = file.read(SAMPLE)
    if all(byte < 128 for byte in sample):  # what is not UTF-8 comes later
        raise _unknown(path)
    found = from_bytes(sample).best()
    if found is None or found.encoding in ("utf_8", "ascii"):
        raise _unknown(path)
    return str(found.encoding)


def decoded(file: BinaryIO, path: Path, encoding: str) -> Iterator[str]:
    """Yield a file's text in pieces, with line ends as LF.

    Raises:
        UnicodeDecodeError: a byte does not fit UTF-8, so that another encoding may be tried.
        DataError: a byte does not fit another encoding, or the text holds a NUL character.
    """
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    held = ""
    while True:
        raw = file.read(CHUNK)
        try:
            text = held + decoder.decode(raw, final=not raw)
        except UnicodeDecodeError:
            if encoding == UTF8:
                raise
            raise _unknown(path) from None  # its error keeps the text
        held = "\r" if text.endswith("\r") and raw else ""
        text = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n")
        if "\0" in text:
            raise DataError(f"{path}: holds NUL characters, so it is no text; take it out of the folder", code="binary")
        if text:
            yield text
        if not raw:
            return


def _without_mark(head: bytes) -> str | None:
    """Return UTF-16 of either order where every other byte is NUL, as in Latin text that some programs write."""
    if len(head) < 4:
        return None
    even, odd = head[::2].count(0) / len(head[::2]), head[1::2].count(0) / len(head[1::2])
    if odd > 0.7 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 and odd < 0.1 else None


def _unknown(path: Path) -> DataError:
    return DataError(
        f"{path}: its encoding is not known; save it as UTF-8 (iconv -f OLD -t UTF-8 FILE > NEW)", code="not-utf-8"
    )
