"""Answers that are not among a study's labels: counted over a file, shown only where they cannot be a case's text.

Invariant: a value is in the message only if it has a label's form and is near a known label or stands there again and
again.
"""

import unicodedata
from collections.abc import Sequence

from fedprompt.errors import did_you_mean
from fedprompt.evaluation.cases import ANSWER, normalise
from fedprompt.evaluation.column_map import called
from fedprompt.evaluation.tables.names import label_like
from fedprompt.evaluation.tables.table import Row, Table, as_text

__all__ = ["UnknownLabels"]

MOST = 1000
OFTEN = 3
SHOWN_LABELS = 20


class UnknownLabels:
    """Hears the answers of a file."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels, self._known = labels, frozenset(labels)
        self._found: dict[str, tuple[int, int]] = {}
        self._rows = 0

    @property
    def found(self) -> bool:
        """Whether any was met."""
        return bool(self._found)

    def label_of(self, answer: str) -> str:
        """Return the label that an answer means: here each label has one name, its own."""
        return answer

    def knows(self, answer: str) -> bool:
        """Return whether an answer is a label."""
        return answer in self._known

    def count(self, row: Row, column: str) -> None:
        """Note a row's answer if it is no label."""
        try:
            text = (as_text(row.values.get(column)) or "").strip()
        except TypeError:
            return
        if not text or self.label_of(text) in self._known:
            return
        self._rows += 1
        times, line = self._found.get(text, (0, row.line))
        if times or len(self._found) < MOST:
            self._found[text] = (times + 1, line)

    def sentence(self, table: Table, column: str) -> str:
        """Return what is wrong, with the first line that has it."""
        label, (times, line) = next(iter(self._found.items()))
        hint = _near(label, self._labels)
        shown = (
            f"unknown label '{label}'"
            if label_like(label) and (hint or times >= OFTEN)
            else "a text that is not a label"
        )
        others = f" ({self._rows - 1:,} more rows have no label either)" if self._rows > 2 else ""
        return (
            f"{table.path} {table.unit} {line}, field '{ANSWER}' (column '{called(column, table.columns)}'): "
            f"{shown}{hint}{others}; the study's labels are {', '.join(self._labels[:SHOWN_LABELS])}"
        )


def _near(label: str, labels: Sequence[str]) -> str:
    if not label_like(label):
        return ""
    for known in labels:
        if unicodedata.normalize("NFC", known) == unicodedata.normalize("NFC", label):
            return f", the same as '{known}' in another Unicode form, so write both in one form"
        if normalise(known) == normalise(label) or _number(known) == _number(label) is not None:
            return f", did you mean '{known}'?"
    return did_you_mean(label, labels)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
