"""Rows that lie inside another row's cell, since a quote was opened and closed rows later.

A line inside a cell is taken for a row if it has as many cells as a row and one of them is a value that the same column
has again and again (a label), or if every line inside the cell is made like a row, without the spaces of prose.

Invariant: at most ``MOST`` values a column and ``MOST_SUSPECTS`` in all are held; no cell's text is in the message.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fedprompt.errors import DataError

__all__ = ["Swallowed"]

MOST = 256
MOST_SUSPECTS = 50_000
LONGEST = 60
Where = tuple[int, int]  # the line on which the record begins, and how many lines the cell holds


class Swallowed:
    """Hears every record of a file; ``judge`` refuses the file where records lie inside a cell."""

    def __init__(self, path: Path, columns: int, delimiter: str) -> None:
        self._path, self._columns, self._delimiter = path, columns, delimiter
        self._outer: list[Counter[str] | None] = [Counter() for _ in range(columns)]
        self._inner: list[Counter[str] | None] = [Counter() for _ in range(columns)]
        self._suspects: dict[tuple[int, str], Where] = {}
        self._made_like_rows: Where | None = None

    def hear(self, line: int, cells: Sequence[str]) -> bool:
        """Note a record that begins on a line; return whether one of its cells holds a line end."""
        broken = False
        for place, cell in enumerate(cells):
            if "\n" in cell or "\r" in cell:
                broken = True
                self._look_into(line, place, cell)
            else:
                _count(self._outer, place, cell.strip())
        return broken

    def judge(self) -> None:
        """Refuse the file where a cell holds rows.

        Raises:
            DataError: names the first row that holds others.
        """
        found = [] if self._made_like_rows is None else [self._made_like_rows]
        found += [where for (place, value), where in self._suspects.items() if self._is_label(place, value)]
        if not found:
            return
        line, lines = min(found)
        raise DataError(
            f"{self._path} line {line}: a quoted cell has {lines:,} lines, and some look like rows; look for a "
            "quote that is not closed or not doubled. If the lines are one text, give the file as JSON lines "
            "instead",
            code="rows-in-a-cell",
        )

    def _is_label(self, place: int, value: str) -> bool:
        outer, inner = self._outer[place], self._inner[place]
        if outer is not None and value in outer and outer.total() >= 2 * len(outer):
            return True
        return inner is not None and inner[value] > 1 and inner.total() >= 2 * len(inner)

    def _look_into(self, line: int, place: int, cell: str) -> None:
        lines = [one for one in re.split(r"\r\n|\n|\r", cell) if one.strip()]
        if self._columns < 2 or len(lines) < 2:
            return
        alike = 0
        for number, one in enumerate(lines[:-1]):  # the last one is followed by the row's other cells
            first = place if number == 0 else 0  # the cell's first line stands in its own column
            try:
                parts = next(csv.reader([one], delimiter=self._delimiter), [])
            except csv.Error:
                continue
            if len(parts) != self._columns - first or len(parts) < 2:
                continue
            alike += all(part and part == part.strip() for part in parts)
            for column, part in enumerate(parts, first):
                value = part.strip()
                if value == part:
                    _count(self._inner, column, part)
                if value and len(value) <= LONGEST and len(self._suspects) < MOST_SUSPECTS:
                    self._suspects.setdefault((column, value), (line, len(lines)))
        if self._made_like_rows is None and alike == len(lines) - 1:
            self._made_like_rows = (line, len(lines))


def _count(held: list[Counter[str] | None], place: int, cell: str) -> None:
    seen = held[place]
    if seen is None:
        return
    if len(cell) > LONGEST or (cell not in seen and len(seen) == MOST):
        held[place] = None
    else:
        seen[cell] += 1
