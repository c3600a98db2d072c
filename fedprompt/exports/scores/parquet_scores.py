"""Scores as Parquet, typed and exact, for pandas, Polars, DuckDB and Arrow; the model card is in its metadata."""

import io
import json
from collections.abc import Sequence
from pathlib import Path

from fedprompt.errors import ExportError
from fedprompt.exports.card import card
from fedprompt.exports.protocol import ExportContext, Exported, ImportContext, Imported, Refusal, Snippet
from fedprompt.exports.reading import reading_body
from fedprompt.exports.scores.score_table import COLUMNS, score_rows
from fedprompt.exports.writing import publishing, write_one, write_text

__all__ = ["ParquetScores"]

FILE = "scores.parquet"


class ParquetScores:
    """Holds the scores of any prompts, not the prompts."""

    name = "parquet"
    title = "Scores as Parquet"
    description = "Every score of the selected prompts, one per row, typed and exact."
    suffix = ".parquet"
    many = True
    needs_model = False

    def drops(self, item: Exported) -> tuple[str, ...]:
        """Return what is lost: the prompt itself."""
        return (f"'{item.name}': a table has its scores, but not its text, vectors, confusion matrix or calibration",)

    def refuses(self, item: Exported) -> Refusal | None:
        """Return why there is nothing to write, or None if there is."""
        return None if item.lines else Refusal("it has no scores", "bundle")

    def use(self, items: Sequence[Exported], name: str) -> Snippet:
        """Return lines that read the table."""
        return Snippet("python", _CODE.format(file=name if name.lower().endswith(self.suffix) else FILE), _NOTE)

    def write(self, items: Sequence[Exported], destination: Path, context: ExportContext) -> Path:
        """Write one ``.parquet`` file, or a folder or zip with it and the model card.

        Raises:
            ExportError: no scores, or the destination cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = score_rows(items)
        if not rows:
            raise ExportError(f"{destination}: these prompts have no scores; score them first", code="no-scores")
        kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
        text = card("Scores of prompts", self.use(items, ""), items, context)
        readings = {item.prompt.id: reading_body(item.reading) for item in items}
        schema = pa.schema(
            [(name, kinds[kind]) for name, kind in COLUMNS],
            metadata={
                "fedprompt.card": text,
                "fedprompt.readings": json.dumps(readings, sort_keys=True, ensure_ascii=False),
            },
        )
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="none")
        if destination.suffix.lower() == self.suffix:
            write_one(destination, sink.getvalue())
            return destination
        with publishing(destination) as folder:
            (folder / FILE).write_bytes(sink.getvalue())
            write_text(folder / "README.md", text)
        return destination

    def recognises(self, path: Path, names: frozenset[str]) -> bool:
        """Return whether it is a ``.parquet`` file or holds ``scores.parquet``."""
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


_CODE = """
import pandas

scores = pandas.read_parquet("{file}")
print(scores[["name", "site", "split", "value"]])
"""
_NOTE = "`value` is `total / n`, `squares` the sum of squares. The model card is in the file's metadata."
