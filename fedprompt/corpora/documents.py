"""Reads the documents of one file, whatever its ending: a text or HTML file is one, each row of a table is one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fedprompt.corpora.decoding import decoded, opening_encoding
from fedprompt.corpora.finding import HTML, TABLES
from fedprompt.corpora.html import html_text
from fedprompt.corpora.passages import cut
from fedprompt.errors import DataError
from fedprompt.evaluation.tables.opening import open_table
from fedprompt.evaluation.tables.table import ReadLimits, as_text, column_of

__all__ = ["Passage", "passages_of"]

LIMITS = ReadLimits(max_line_bytes=64 * 1024**2, max_file_bytes=1 << 50, max_cases=1 << 50)
LONGEST_HTML = 64 * 1024**2  # bytes; a page is taken apart as a whole
COLUMN = "text"


@dataclass(frozen=True)
class Passage:
    """A part of a document, at most ``passages.LONGEST`` characters; ``first`` where a document begins with it."""

    text: str = field(repr=False)
    first: bool


def passages_of(path: Path, column: str | None = None, encoding: str | None = None) -> Iterator[Passage]:
    """Yield a file's passages, document after document; documents without text are left out.

    Args:
        path: the file.
        column: of tables, the one that holds the text; ``text``, or the only one, if None.
        encoding: of a text file; told from its beginning if None.

    Raises:
        UnicodeDecodeError: a text file is not UTF-8 after all; ``decoding.detected`` says what it may be.
        DataError: the file cannot be read; names the file, shows no text of it.
    """
    ending = path.suffix.lower()
    try:
        if ending in TABLES:
            yield from _of_table(path, column)
        else:
            yield from _of_text(path, encoding, whole=ending in HTML)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); check its permissions", code="cannot-read"
        ) from error


def _of_text(path: Path, encoding: str | None, *, whole: bool) -> Iterator[Passage]:
    with path.open("rb") as file:
        used = encoding or opening_encoding(file, path)
        chunks: Iterator[str] = decoded(file, path, used)
        if whole:
            if path.stat().st_size > LONGEST_HTML:
                raise DataError(
                    f"{path}: a page of more than {LONGEST_HTML:,} bytes; split it, or save it as plain text",
                    code="too-large",
                )
            chunks = iter((html_text("".join(chunks)),))
        yield from _document(chunks)


def _of_table(path: Path, column: str | None) -> Iterator[Passage]:
    with open_table(path, LIMITS, [column or COLUMN], header=True) as table:
        name = column_of(table.columns, column or COLUMN)
        if name is None and column is None and len(table.columns) == 1:
            name = table.columns[0]
        if name is None:
            raise DataError(
                f"{path}: has no column '{column or COLUMN}'; say which of its {len(table.columns)} columns holds the "
                "text with --column",
                code="no-column",
            )
        for row in table.rows:
            try:
                text = as_text(row.values.get(name))
            except TypeError as error:
                raise DataError(
                    f"{path} {table.unit} {row.line}: holds {error} and no text; name another column", code="not-text"
                ) from None
            if text is not None:
                yield from _document(iter((text,)))


def _document(chunks: Iterator[str]) -> Iterator[Passage]:
    first = True
    for text in cut(chunks):
        if text.strip():
            yield Passage(text, first)
            first = False
