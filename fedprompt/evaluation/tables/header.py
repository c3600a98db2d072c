"""Is the first line of a file its header, or a case? Told from the names and from the cells below them.

The same is asked of JSON lines and Parquet, since a table without a header that was converted has a case for names.

Invariant: no name of a doubted header is in any message.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from fedprompt.errors import DataError
from fedprompt.evaluation.tables.names import place_of, sentence_like
from fedprompt.evaluation.tables.table import Row, Table

__all__ = ["HeaderDoubt", "doubt", "watched"]

# Names that people give to columns and that hardly anybody writes as a whole text or label.
USUAL = """
id index text texts label labels answer answers sentiment class category target topic intent rating ratings score stars
review reviews comment comments note notes title body content message sentence question prompt input output
completion response summary date time timestamp name author user group patient patient_id split source language lang url
document doc context passage premise hypothesis
"""
MOST_VALUES = 64
LONGEST_VALUE = 60
REPEATS_OF_A_USUAL_NAME = 3
WORDS_OF_A_USUAL_NAME = 3


class HeaderDoubt(DataError):
    """It is not clear whether the file begins with names or with a case; somebody has to say.

    ``why`` is what makes it doubtful, for a page that asks in words of its own.
    """

    code = "header-or-case"

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


def watched(table: Table, wanted: Sequence[str], header: bool | None) -> Table:
    """Return the table; its rows end in ``HeaderDoubt`` where its names look like a case.

    Args:
        table: a table whose names come out of the file.
        wanted: columns that are hoped for; where all are there by name, they are names.
        header: whether somebody said that they are names; None where nobody did.
    """
    if header is not None or not table.columns:
        return table
    sure = bool(wanted) and all(name in table.columns for name in wanted)
    return replace(table, rows=_watch(table, sure))


def _watch(table: Table, sure: bool) -> Iterator[Row]:
    names = [(place, name) for place, name in enumerate(table.columns) if name.strip()]
    whole = {name: name for _, name in names}
    values: dict[str, Counter[str] | None] = {name: Counter() for _, name in names}
    repeats: Counter[str] = Counter()
    last = 0
    for count, row in enumerate(table.rows, 1):
        if table.unit == "line" and len(whole) > 1 and _same(row, whole):
            raise DataError(
                f"{table.path} line {row.line}: repeats the column names, as in joined files; remove that line",
                code="header-repeated",
            )
        last = count
        if not sure:
            for place, name in names:
                if _equal(row.values.get(name), name):
                    repeats[name] += 1
                    if repeats[name] >= (REPEATS_OF_A_USUAL_NAME if _usual(name) else 1):
                        raise doubt(table, f"the heading of column {place + 1} is also one of its values")
                _note(values, name, row.values.get(name))
        yield row
    if not sure and (why := _unlike_names([name for _, name in names], values, last)):
        raise doubt(table, why)


def _unlike_names(names: Sequence[str], values: dict[str, Counter[str] | None], rows: int) -> str | None:
    if any(_usual(name) for name in names) or [n for n in names if n != "index"] == [*map(str, range(len(names)))]:
        return None  # the latter is how pandas numbers columns that have no names
    odd = [place for place, name in enumerate(names, 1) if sentence_like(name)]
    if not odd or any(_asks(name, values[name], rows) for name in names):
        return None
    return f"the heading of column {odd[0]} reads like a text, a number or a date"


def _asks(name: str, values: Counter[str] | None, rows: int) -> bool:
    """Return whether a name is a question or a heading above a column of a few values, none of which is one."""
    if not values or rows < 2 * len(values):
        return False
    marks = ("?", ":", "\uff1f")
    return name.strip().endswith(marks) and not any(value.strip().endswith(marks) for value in values)


def doubt(table: Table, why: str) -> HeaderDoubt:
    """Return the refusal of a header that looks like a case, and how to say what it is."""
    if table.noted.format != "CSV":
        return HeaderDoubt(
            f"{table.path}: the column names look like a case ({why}), as in a table converted without a "
            "header; write the file again with names, or confirm the names (--header)",
            why,
        )
    return HeaderDoubt(
        f"{table.path} line {table.header_line}: this may be a case instead of a header ({why}); use "
        "--no-header if the file has no header, or --header if these are names",
        why,
    )


def _same(row: Row, whole: dict[str, str]) -> bool:
    return all(_equal(row.values.get(name), name) or place_of(name) is not None for name in whole)


def _equal(value: object, name: str) -> bool:
    return isinstance(value, str) and value.strip("\ufeff \t") == name


def _usual(name: str) -> bool:
    words = re.split(r"[\W_]+", name.strip().casefold())
    return len(words) <= WORDS_OF_A_USUAL_NAME and any(word in USUAL.split() for word in words)


def _note(values: dict[str, Counter[str] | None], name: str, value: object) -> None:
    seen = values[name]
    if seen is None or value is None:
        return
    if not isinstance(value, str) or len(value) > LONGEST_VALUE or (value not in seen and len(seen) == MOST_VALUES):
        values[name] = None
    else:
        seen[value] += 1
