"""What a reader took a file for: format, encoding, separator, quoting, names, line ends, and what looks odd in it.

Invariant: counts, signs and line numbers; never a case's text.
"""

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Assumed", "Noted"]

SHOWN_LINES = 5
SIGNS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


@dataclass(frozen=True)
class Assumed:
    """How a file was read.

    Args:
        format: ``CSV``, ``JSON lines`` or ``Parquet``.
        encoding: of its text.
        separator: between cells, where there is one.
        quoting: the sign around cells, ``none`` where no cell has one.
        header: where the names stand: ``line 1``, ``none``, ``the keys of each line``, ``the file's schema``.
        line_ends: line end -> how many lines have it.
        rows_with_line_breaks: rows of which a cell holds a line end.
        blank_lines: lines that hold nothing and were left out.
        notes: sentences on what looks odd.
    """

    format: str
    encoding: str = "UTF-8"
    separator: str | None = None
    quoting: str | None = None
    header: str = ""
    line_ends: dict[str, int] = field(default_factory=dict)
    rows_with_line_breaks: int = 0
    blank_lines: int = 0
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """All of it in one line for people."""
        parts = [self.format, self.encoding]
        if self.separator is not None:
            parts.append(f"separated by {SIGNS.get(self.separator, repr(self.separator))}")
        if self.quoting is not None:
            parts.append("no quotes" if self.quoting == "none" else "double quotes around cells")
        parts.append("no header" if self.header == "none" else f"names from {self.header}")
        if self.line_ends:
            ends = sorted(self.line_ends.items(), key=lambda one: -one[1])
            parts.append("lines end in " + " and ".join(f"{end} ({count:,})" for end, count in ends))
        if self.separator is not None:
            rows = self.rows_with_line_breaks
            parts.append(f"{rows:,} row{'' if rows == 1 else 's'} with line breaks inside a cell")
        if self.blank_lines:
            parts.append(f"{self.blank_lines:,} blank line{'' if self.blank_lines == 1 else 's'} left out")
        return ", ".join(parts)


class Noted:
    """What a reader notes while it reads; ``found`` gives what is known so far."""

    def __init__(self, format_: str, header: str) -> None:
        self.format, self.header, self.encoding = format_, header, "UTF-8"
        self.separator: str | None = None
        self.quoting: str | None = None
        self.line_ends: Counter[str] = Counter()
        self.broken_rows = self.blank_lines = 0
        self._odd: dict[str, list[int]] = {}
        self._counts: Counter[str] = Counter()

    def note(self, what: str, line: int) -> None:
        """Note something odd on a line; ``what`` follows a count of rows, such as 'with a character ...'."""
        self._counts[what] += 1
        lines = self._odd.setdefault(what, [])
        if len(lines) < SHOWN_LINES:
            lines.append(line)

    @property
    def found(self) -> Assumed:
        """What is known so far; complete once the last row was read."""
        return Assumed(
            self.format,
            self.encoding,
            self.separator,
            self.quoting,
            self.header,
            dict(self.line_ends),
            self.broken_rows,
            self.blank_lines,
            tuple(self._sentence(what) for what in self._odd),
        )

    def _sentence(self, what: str) -> str:
        count, lines = self._counts[what], self._odd[what]
        places = ", ".join(map(str, lines)) + (", ..." if count > len(lines) else "")
        unit = "row" if self.format == "Parquet" else "line"
        return f"{count:,} row{'' if count == 1 else 's'} {what} ({unit}{'' if count == 1 else 's'} {places})"
