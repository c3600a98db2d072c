"""What the columns of a file look like: counts, lengths and, while they are few and short, distinct values.

Invariant: a column whose values do not repeat, or are long, keeps none of them, so case texts are not gathered; of
the rest only what has a label's form and repeats is ever called a label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.assumed import Assumed
from fedprompt.evaluation.tables.names import label_like, plausible
from fedprompt.evaluation.tables.opening import open_table
from fedprompt.evaluation.tables.table import ReadLimits, as_text

__all__ = ["MAX_LABELS", "Column", "Survey", "labels_of", "survey"]

MAX_LABELS = 256
MAX_LABEL_CHARACTERS = 200
MAX_COLUMNS = 10_000
# A value of the answer's column that stands there once may be what somebody typed into the wrong cell.
LEAST_OF_A_LABEL = 2


@dataclass(frozen=True)
class Column:
    """One column.

    Rows with a value, their mean length in characters, and value -> count, or None if not label-like. ``place`` is
    where it stands, from 0.
    """

    name: str
    filled: int
    mean_length: float
    values: Mapping[str, int] | None
    place: int = 0

    @property
    def named(self) -> bool:
        """Whether its name can be shown."""
        return plausible(self.name)


@dataclass(frozen=True)
class Survey:
    """The columns of a file, how many rows it has, and what it was taken for."""

    columns: tuple[Column, ...]
    rows: int
    assumed: Assumed


def labels_of(column: Column) -> tuple[str, ...]:
    """Return the sorted labels of a column of few short values that repeat; none of any other column.

    A value that stands there once is left out, and so is one that is made like a sentence.
    """
    values = column.values or {}
    if not 2 <= len(values) <= MAX_LABELS or column.filled < 2 * len(values):
        return ()
    fit = {value: count for value, count in values.items() if label_like(value)}
    # Where more than a tenth of the rows hold what is no label by its form, it is a column of texts that repeat.
    if sum(fit.values()) * 10 < column.filled * 9:
        return ()
    found = tuple(sorted(value for value, count in fit.items() if count >= LEAST_OF_A_LABEL))
    return found if len(found) > 1 else ()


def survey(path: Path, limits: ReadLimits | None = None, header: bool | None = None) -> Survey:
    """Read a file once and describe its columns.

    Raises:
        DataError: the file cannot be read, or holds no cases.
        HeaderDoubt: ``header`` is None and the names of its columns look like a case.
    """
    limits = limits or ReadLimits()
    with open_table(path, limits, header=header) as table:
        names = [name for name in table.columns if name.strip()]
        filled, length = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        values: dict[str, dict[str, int] | None] = {name: {} for name in names}
        rows = 0
        for row in table.rows:
            rows += 1
            if rows > limits.max_cases:
                raise DataError(
                    f"{path}: more than {limits.max_cases:,} cases; split the file or take a sample",
                    code="too-many-cases",
                )
            for name, value in row.values.items():
                if name not in values:  # a key that later lines have, or one that is blank
                    if len(values) >= MAX_COLUMNS or not name.strip():
                        continue
                    filled[name], length[name], values[name] = 0, 0, {}
                try:
                    text = as_text(value)
                except TypeError:
                    values[name] = None
                    continue
                if text is None:
                    continue
                filled[name] += 1
                length[name] += len(text)
                _note(values, name, text.strip())
        assumed = table.noted.found
    if not rows:
        raise DataError(f"{path}: has a header but no cases; add at least one case below it", code="no-cases")
    found = tuple(
        Column(name, filled[name], length[name] / filled[name] if filled[name] else 0.0, values[name], place)
        for place, name in enumerate(values)
    )
    return Survey(found, rows, assumed)


def _note(values: dict[str, dict[str, int] | None], name: str, text: str) -> None:
    seen = values[name]
    if seen is None:
        return
    if len(text) > MAX_LABEL_CHARACTERS or (text not in seen and len(seen) == MAX_LABELS):
        values[name] = None
    else:
        seen[text] = seen.get(text, 0) + 1
