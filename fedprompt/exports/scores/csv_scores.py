"""Scores as CSV (RFC 4180, UTF-8), for spreadsheets.

A cell that a spreadsheet would run as a formula (it begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage
return) gets an apostrophe in front, and the export says so.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedprompt.errors import ExportError
from fedprompt.exports.card import card
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.scores.score_table import COLUMNS, score_rows
from fedprompt.exports.writing import publishing, write_one, write_text

__all__ = ["CsvScores"]

FILE = "scores.csv"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CsvScores:
    """Holds the scores of any prompts, not the prompts."""

    name = "csv"
    title = "Scores as CSV"
    description = "Every score of the selected prompts, one per row, for spreadsheets."
    suffix = ".csv"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what is lost: the prompt itself, and where a cell got an apostrophe."""
        found = [f"'{item.name}': a table has its scores, but not its text, vectors, confusion matrix or calibration"]
        texts = [item.name, *(text for line in item.lines for text in (line.study, line.run, line.site))]
        if any(text.startswith(_FORMULA) for text in texts):
            found.append(f"'{item.name}': its name starts like a formula, so an apostrophe was put in front")
        return tuple(found)

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why there is nothing to write, or None if there is."""
        return None if item.lines else Refusal("it has no scores", "bundle")

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that read the table."""
        return Snippet("python", _CODE.format(file=name if name.lower().endswith(self.suffix) else FILE), _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write one ``.csv`` file, or a folder or zip with it and the model card.

        Raises:
            ExportError: no scores, or the destination cannot be written.
        """
        rows = score_rows(items)
        if not rows:
            raise ExportError(f"{destination}: these prompts have no scores; score them first", code="no-scores")
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\r\n")
        names = [name for name, _ in COLUMNS]
        writer.writerow(names)
        writer.writerows([_cell(row[name]) for name in names] for row in rows)
        if destination.suffix.lower() == self.suffix:
            write_one(destination, text.getvalue().encode())
            return destination
        with publishing(destination) as folder:
            write_text(folder / FILE, text.getvalue())
            write_text(folder / "README.md", card("Scores of prompts", self.use(items, ""), items, context))
        return destination

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it is a ``.csv`` file or holds ``scores.csv``."""
        return path.suffix.lower() == self.suffix or FILE in names

    def read(self, path: Path, context: ImportContext) -> tuple[Imported, ...]:
        """Refuse: a table of scores holds no prompt.

        Raises:
            ExportError: always.
        """
        raise ExportError(
            f"{path}: a table of scores has no prompt; import a bundle, and score it here or merge the other bank",
            code="no-prompt",
        )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA) else text


_CODE = """
import csv, pathlib

for row in csv.DictReader(pathlib.Path("{file}").read_text("utf-8").splitlines()):
    print(row["name"], row["site"], row["split"], row["value"])
"""
_NOTE = "It opens in every spreadsheet; `value` is `total / n`, `squares` the sum of squares."
