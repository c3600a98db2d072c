"""What the columns of a file look like: counts, lengths and, while they are few and short, distinct values.

Invariant: a column whose values do not repeat or are long keeps none of them, so case texts are not gathered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.opening import open_table
from fedprompt.evaluation.tables.table import ReadLimits, as_text

__all__ = ["MAX_LABELS", "Column", "survey"]

MAX_LABELS = 256
MAX_LABEL_CHARACTERS = 200


@dataclass(frozen=True)
class Column:
    """One column.

    Rows with a value, their mean length in characters, and value -> count, or None if not label-like.
    """

    name: str
    filled: int
    mean_length: float
    values: Mapping[str, int] | None


def survey(path: Path, limits: ReadLimits | None = None) -> tuple[Column, ...]:
    """Read a file once and describe its columns.

    Raises:
        DataError: the file cannot be read, or holds no cases.
    """
    limits = limits or ReadLimits()
    with open_table(path, limits) as table:
        names = [name for name in dict.fromkeys(table.columns) if name]
        filled, length = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        values: dict[str, dict[str, int] | None] = {name: {} for name in names}
        rows = 0
        for row in table.rows:
            rows += 1
            if rows > limits.max_cases:
                raise DataError(f"{path}: more than {limits.max_cases:,} cases; split the file or take a sample")
            for name in names:
                try:
                    text = as_text(row.values.get(name))
                except TypeError:
                    values[name] = None
                    continue
                if text is None:
                    continue
                filled[name] += 1
                length[name] += len(text)
                _note(values, name, text.strip())
    if not rows:
        raise DataError(f"{path}: has a header but no cases; add at least one case below it")
    return tuple(
        Column(name, filled[name], length[name] / filled[name] if filled[name] else 0.0, values[name]) for name in names
    )


def _note(values: dict[str, dict[str, int] | None], name: str, text: str) -> None:
    seen = values[name]
    if seen is None:
        return
    if len(text) > MAX_LABEL_CHARACTERS or (text not in seen and len(seen) == MAX_LABELS):
        values[name] = None
    else:
        seen[text] = seen.get(text, 0) + 1
