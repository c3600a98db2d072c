"""Which columns of a file a study's fields, its answer and the group are read from.

Invariant: a message lists the file's columns by name only where a name has a name's form, else by place.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from fedprompt.errors import DataError, did_you_mean
from fedprompt.evaluation.cases import ANSWER, normalise
from fedprompt.evaluation.column_map import Columns, called, map_option
from fedprompt.evaluation.tables.dialect import DELIMITERS
from fedprompt.evaluation.tables.header import doubt
from fedprompt.evaluation.tables.names import at_place, plausible
from fedprompt.evaluation.tables.table import Row, Table, as_text, column_of

__all__ = ["found_columns", "wanted_columns"]

SHOWN_COLUMNS = 20
MOST_CLASSES = 256


def wanted_columns(path: Path, fields: Sequence[str], given: Columns, *, answered: bool = True) -> dict[str, str]:
    """Return field or ``answer`` -> the name or place of the column that is wanted for it.

    Args:
        answered: whether there is to be an answer; without it what is said of the answer's column is passed over.
    """
    if ANSWER in fields:
        raise DataError(
            f"{path}: a field may not be called '{ANSWER}', which names the label; rename the study's field",
            code="field-called-answer",
        )
    names = [*fields, ANSWER] if answered else list(fields)
    if stray := [name for name in given.named if name not in (*fields, ANSWER)]:
        raise DataError(
            f"{path}: --map names '{stray[0]}', which is not a field of the "
            f"study{did_you_mean(stray[0], names)}; the fields are {', '.join(names)}",
            code="unknown-field",
        )
    if given.header is False and given.in_order:
        return {name: at_place(place) for place, name in enumerate(names)}
    if given.header is False and (missing := [name for name in names if name not in given.named]):
        raise DataError(
            f"{path}: without a header, --map must give the column of '{missing[0]}': {missing[0]}=#1",
            code="place-missing",
        )
    columns = {name: given.named.get(name, name) for name in names}
    _refuse_shared(path, columns)
    return columns


def _refuse_shared(path: Path, columns: Mapping[str, str]) -> None:
    if shared := [c for c, count in Counter(columns.values()).items() if count > 1]:
        users = " and ".join(f"'{name}'" for name, column in columns.items() if column == shared[0])
        column = f"the column '{shared[0]}'" if plausible(shared[0]) else "one column"
        raise DataError(f"{path}: --map gives {column} to {users}; give each its own column", code="column-used-twice")


def found_columns(
    table: Table,
    wanted: Mapping[str, str],
    given: Columns,
    labels: Sequence[str] | None,
) -> tuple[dict[str, str], str | None]:
    """Return field or ``answer`` -> the file's own name of its column, and the group's.

    Raises:
        DataError: one is not there; says which there are, by name or by place.
    """
    group = given.group
    if given.in_order and len(table.columns) != len(wanted):
        raise DataError(
            f"{table.path} has {len(table.columns)} columns, but the study has {len(wanted)} "
            f"({', '.join(wanted)}); map them, for example with {map_option(dict(wanted))}",
            code="columns-unlike-study",
        )
    found = {name: column_of(table.columns, column) for name, column in wanted.items()}
    own = None if group is None else column_of(table.columns, group)
    if None in found.values() or (group is not None and own is None):
        if labels is not None and given.header is None:
            _refuse_label_as_name(table, labels)
        held = _Held(labels or ())
        for row in table.rows:  # to the end, which says whether these are names at all
            held.hear(row)
        raise DataError(_missing(table, wanted, found, group, held), code="no-such-column")
    columns = {name: column for name, column in found.items() if column is not None}
    _refuse_shared(table.path, columns)
    return columns, own


class _Held:
    """What the columns of a file hold, as far as it says which may be the text and which the answer."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = frozenset(labels)
        self._known: Counter[str] = Counter()
        self._length: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()
        self._values: dict[str, set[int]] = {}
        self.without_text: dict[str, str] = {}

    def hear(self, row: Row) -> None:
        """Note one row."""
        for name, value in row.values.items():
            try:
                text = (as_text(value) or "").strip()
            except TypeError as error:
                self.without_text[name] = str(error)
                continue
            self._known[name] += text in self._labels
            self._length[name] += len(text)
            self._rows[name] += 1
            if len(seen := self._values.setdefault(name, set())) <= MOST_CLASSES:
                seen.add(hash(text))

    def nearest(self, name: str, wanted: str, free: Sequence[str], columns: Sequence[str]) -> str:
        """Return the column that ``name`` may be read from, as it is called in a map."""
        usable = [column for column in free if column not in self.without_text]
        by_name = {called(column, columns): column for column in usable}
        if near := get_close_matches(wanted, by_name, n=1):
            return by_name[near[0]]
        if name == ANSWER:
            labelled = [column for column in usable if self._known[column]]
            if labelled:
                return max(labelled, key=lambda column: self._known[column])
            return usable[0] if len(usable) == 1 else self._repeating(usable)
        texts = [column for column in usable if not self._known[column]] or usable
        return max(texts, key=lambda column: self._length[column], default="")

    def _repeating(self, usable: Sequence[str]) -> str:
        """Return the column of the fewest values that repeat, as classes do; none where none repeats."""
        sizes = {column: len(self._values.get(column, ())) for column in usable}
        fit = [column for column in usable if 1 < sizes[column] <= self._rows[column] / 2]
        return min(fit, key=lambda column: sizes[column], default="")


def _refuse_label_as_name(table: Table, labels: Sequence[str]) -> None:
    known = {normalise(label) for label in labels}
    at = next((place for place, name in enumerate(table.columns) if name and normalise(name) in known), None)
    if at is not None:
        raise doubt(table, f"the heading of column {at + 1} is a label of the study")


def _missing(
    table: Table,
    wanted: Mapping[str, str],
    found: Mapping[str, str | None],
    group: str | None,
    held: _Held,
) -> str:
    columns = [column for column in table.columns if column.strip()]
    there = [called(column, table.columns) for column in columns]
    shown = ", ".join(there[:SHOWN_COLUMNS]) or "none"
    if len(there) > SHOWN_COLUMNS:
        shown += f" and {len(there) - SHOWN_COLUMNS} more"
    missing = [name for name, column in found.items() if column is None]
    if not missing and group is not None:
        near = did_you_mean(group, [name for name in there if plausible(name)])
        return f"{table.path}: no column {_named(group)} for --group{near}; the columns there are {shown}"
    free = [column for column in columns if column not in found.values() and column != group]
    pairs = {}
    # The answer first: its labels say which column it is, and the longest of the others is the text.
    for name in sorted(missing, key=lambda one: one != ANSWER):
        column = held.nearest(name, wanted[name], free, table.columns)
        free = [one for one in free if one != column]
        pairs[name] = called(column, table.columns) if column else "COLUMN"
    what = ", ".join(_named(wanted[name]) + ("" if wanted[name] == name else f" for '{name}'") for name in missing)
    return (
        f"{table.path}: no column {what}; the columns there are {shown}{_why_none(table, held)}; "
        f"name the right ones with {map_option({name: pairs[name] for name in missing})}"
    )


def _why_none(table: Table, held: _Held) -> str:
    if table.noted.format == "CSV" and len(table.columns) == 1:
        known = ", ".join(map(repr, DELIMITERS))
        return f" (where cells are separated by a sign other than {known}, put 'sep=' and that sign in a first line)"
    said = [f"{called(name, table.columns)} holds {what}" for name, what in list(held.without_text.items())[:3]]
    return f" ({', '.join(said)}, not text: write it into a column of its own)" if said else ""


def _named(column: str) -> str:
    return f"'{column}'" if plausible(column) else "of that name"
