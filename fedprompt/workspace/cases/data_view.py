"""What is in a file of cases, as a visitor reads it before anything runs: columns, splits, and what would be refused.

Invariant: counts, lengths, line numbers, column names and labels; never the text of a case. A line that would be
refused does not end the look: all are counted, the first are named.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import ANSWER
from fedprompt.evaluation.columns import Column, labels_of, survey
from fedprompt.evaluation.drafting import guess_columns
from fedprompt.evaluation.readers import CaseFile, read_cases
from fedprompt.evaluation.splits.cutting import SplitSizes, assign
from fedprompt.evaluation.tables.header import HeaderDoubt
from fedprompt.evaluation.tables.names import at_place, label_like
from fedprompt.evaluation.tables.opening import PARQUET, open_table
from fedprompt.evaluation.tables.table import ReadLimits, Row, as_text, column_of
from fedprompt.private_file import private_file
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.as_json import ABSENT, INLINE
from fedprompt.workspace.cases.check import ANY_KEY, ReadAs, more_units
from fedprompt.workspace.cases.evaluation_sets import MOST_NAME, Reading
from fedprompt.workspace.progress import Progress, Report, quiet

__all__ = [
    "DELIMITED",
    "CasesCounted",
    "ColumnView",
    "FileView",
    "Lengths",
    "Lines",
    "Refused",
    "RefusedLine",
    "look_at",
    "without_refused",
]

DELIMITED = (".csv", ".tsv")  # formats whose names stand in a line of their own, or nowhere
SHOWN = 50
BINS = 20
RARE = 50


@dataclass(frozen=True)
class ColumnView:
    """A column: what a reading calls it and what it is ``shown`` as, and how many of its values are there.

    ``mean_length`` is in characters. ``values``: value -> rows, where they look like labels.
    """

    name: str
    shown: str
    filled: int
    mean_length: float
    values: Mapping[str, int] | None


@dataclass(frozen=True)
class RefusedLine:
    """A line that would be refused: which field of it, and why."""

    line: int
    field: str
    reason: str


@dataclass(frozen=True)
class Refused:
    """How many lines would be refused, and the first of them."""

    count: int
    lines: tuple[RefusedLine, ...]


@dataclass(frozen=True)
class Lines:
    """How many there are, and the first lines; of contradictions, the lines that contradict one another together."""

    count: int
    lines: tuple[int | tuple[int, ...], ...]


@dataclass(frozen=True)
class Lengths:
    """How long cases are, in characters: a histogram of ``counts`` between ``edges``, the median and the longest."""

    counts: tuple[int, ...]
    edges: tuple[float, ...]
    median: int
    longest: int


@dataclass(frozen=True)
class CasesCounted:
    """What is in a file that can be used. ``splits`` and ``missing`` count independent units, as ``check_data`` does.

    ``answers_by_split``: split -> answer -> cases, empty where there are no labels.
    """

    cases: int
    inputs: int
    groups: int | None
    by_answer: Mapping[str, int]
    duplicates: Lines
    contradictions: Lines
    lengths: Lengths
    splits: Mapping[str, int]
    answers_by_split: Mapping[str, Mapping[str, int]]
    warnings: tuple[str, ...]
    min_cases: int
    missing: Mapping[str, int]
    more: int


@dataclass(frozen=True)
class FileView:
    """What is in a file; ``unit`` is ``line`` or ``row``, and ``read_as`` what the file was taken for.

    ``problem`` is a sentence where the file cannot be used yet. With ``ask_header`` somebody has to say if the first
    line names the columns; until then there are none. What comes after a problem is None.
    """

    columns: tuple[ColumnView, ...]
    unit: str
    reading: Reading | None
    problem: str | None
    ask_header: bool
    read_as: ReadAs | None
    refused: Refused | None = field(default=None, metadata=ABSENT)
    rows: int | None = field(default=None, metadata=ABSENT)
    counted: CasesCounted | None = field(default=None, metadata=INLINE)


def look_at(
    path: Path,
    reading: Reading | None = None,
    *,
    header: bool | None = None,
    splits: SplitSizes | None = None,
    min_cases: int = 30,
    report: Report = quiet,
    stop: StopToken = NEVER,
) -> FileView:
    """Return what is in a file.

    Args:
        reading: how its columns are read; guessed if None.
        header: what was said of its first line, where there is no reading yet.
        stop: looked at between two readings of the file.

    Raises:
        DataError: the file cannot be read at all; names file and line.
    """
    report(Progress("read", f"reading {path.name}", 0.0, 2.0))
    header = header if reading is None else reading.header
    unit = "row" if path.suffix.lower() in PARQUET else "line"
    found = FileView((), unit, reading=None, problem=None, ask_header=False, read_as=None)
    try:
        seen = survey(path, header=header)
    except HeaderDoubt as error:
        return replace(found, problem=f"{path.name}: {_doubted(path, error.why)}", ask_header=True)
    columns = seen.columns
    read_as = ReadAs(seen.assumed, seen.assumed.sentence)
    found = replace(found, columns=tuple(_column(one) for one in columns), read_as=read_as)
    try:
        chosen = reading or _guessed(path, columns, header)
    except DataError as error:
        return replace(found, problem=str(error))
    stop.check()
    refused = list(_refused(path, chosen))
    count = len({line for line, _, _ in refused})
    lines = tuple(RefusedLine(*one) for one in refused[:SHOWN])
    found = replace(found, reading=chosen, refused=Refused(count, lines), rows=seen.rows)
    if refused:
        return replace(found, problem=f"{path.name}: {count:,} {unit}{'' if count == 1 else 's'} would be refused")
    report(Progress("check", "duplicates, labels and splits", 1.0, 2.0))
    stop.check()
    try:
        file = read_cases(
            path,
            fields=tuple(chosen.fields),
            labels=chosen.labels or None,
            columns=chosen.columns,
        )
    except DataError as error:
        return replace(found, problem=str(error))
    counted = _counted(file, chosen, splits or SplitSizes(0.4, 0.3, 0.3), min_cases)
    return replace(found, rows=file.rows, counted=counted)


def without_refused(path: Path, reading: Reading) -> Path:
    """Write the cases that would not be refused beside the file, under the study's own field names.

    Returns:
        The new file, JSON lines, mode 0600.

    Raises:
        DataError: every line would be refused, or the file cannot be written.
    """
    bad = {line for line, _, _ in _refused(path, reading)}
    names = [*reading.fields, ANSWER, *(["group"] if reading.group else [])]
    columns = [*reading.fields.values(), reading.answer, *([reading.group] if reading.group else [])]
    target = path.with_name(f"{path.stem}.kept.jsonl")
    kept = 0
    try:
        with private_file(target) as out, open_table(path, ReadLimits(), columns, reading.header) as table:
            places = [column_of(table.columns, column) or column for column in columns]
            for row in table.rows:
                if row.line not in bad:
                    values = {name: as_text(row.values.get(key)) for name, key in zip(names, places, strict=True)}
                    out.write(json.dumps(values, ensure_ascii=False).encode() + b"\n")
                    kept += 1
            if not kept:
                raise DataError(
                    f"{path.name}: every line would be refused, so no case would remain; choose other columns",
                    code="no-cases",
                )
    except OSError as error:
        raise DataError(
            f"{target} cannot be written ({error.strerror}); check the home folder", code="cannot-write"
        ) from error
    return target


def _doubted(path: Path, why: str) -> str:
    if path.suffix.lower() in DELIMITED:
        return f"the first line may be a case instead of column names ({why}); choose which it is"
    return (
        f"the column names look like a case ({why}), as in a table converted without a header; confirm the "
        "names, or write the file again with names"
    )


def _column(one: Column) -> ColumnView:
    labels = labels_of(one)
    # Beside the labels, what may be one misspelt: rare values of a label's form, for whoever owns the file.
    values = {text: count for text, count in sorted((one.values or {}).items()) if labels and label_like(text)}
    return ColumnView(
        name=_kept(one),
        shown=one.name if one.named else f"column {one.place + 1}",
        filled=one.filled,
        mean_length=round(one.mean_length, 1),
        values=values or None,
    )


def _kept(one: Column) -> str:
    """Return what a reading calls a column: its name, or its place where the name is as long as a case."""
    return one.name if 0 < len(one.name) <= MOST_NAME else at_place(one.place)


def _guessed(path: Path, columns: Sequence[Column], header: bool | None) -> Reading:
    guess = guess_columns(path, columns)
    counts = next(one.values for one in columns if one.name == guess.answer) or {}
    labels = tuple(label for label in guess.labels if not _misspelt(label, counts))
    named = {one.name: _kept(one) for one in columns}
    text, answer = named[guess.text], named[guess.answer]
    return Reading(fields={guess.field: text}, answer=answer, labels=labels, header=header)


def _misspelt(label: str, counts: Mapping[str, int]) -> bool:
    """Return whether a label is rare and nearly one that is fifty times as frequent."""
    often = [other for other, count in counts.items() if count >= RARE * counts.get(label, 0)]
    return bool(get_close_matches(label.casefold(), [other.casefold() for other in often], cutoff=0.85))


def _refused(path: Path, reading: Reading) -> Iterator[tuple[int, str, str]]:
    """Give (line, field, reason) of every value that would be refused."""
    wanted = {**reading.fields, ANSWER: reading.answer, **({"group": reading.group} if reading.group else {})}
    known = frozenset(reading.labels)
    with open_table(path, ReadLimits(), list(wanted.values()), reading.header) as table:
        places = {name: column_of(table.columns, column) or column for name, column in wanted.items()}
        for row in table.rows:
            yield from _wrong(row, places, known)


def _wrong(row: Row, wanted: Mapping[str, str], known: frozenset[str]) -> Iterator[tuple[int, str, str]]:
    for name, column in wanted.items():
        try:
            text = as_text(row.values.get(column))
        except TypeError as error:
            yield row.line, name, f"has {error}, not text"
            continue
        if text is None:
            yield row.line, name, "no value"
        elif name == ANSWER and known and text.strip() not in known:
            yield row.line, name, "the label is not one of the chosen labels"


def _counted(file: CaseFile, reading: Reading, sizes: SplitSizes, min_cases: int) -> CasesCounted:
    cut = assign(file.cases, ANY_KEY, sizes, fields=tuple(reading.fields), stratified=bool(reading.labels))
    short = cut.shortfalls(min_cases)
    lengths = np.array([sum(len(text) for text in case.fields.values()) for case in file.cases])
    counts, edges = np.histogram(np.minimum(lengths, np.quantile(lengths, 0.99)), bins=BINS)
    sizes_by_split = {
        split: dict(sorted(Counter(case.answer for case in cut.cases(split)).items())) if reading.labels else {}
        for split in ("tune", "validation", "test")
    }
    return CasesCounted(
        cases=len(file.cases),
        inputs=file.inputs,
        groups=None if reading.group is None else len({case.group for case in file.cases}),
        by_answer=dict(file.by_answer),
        duplicates=Lines(len(file.duplicates), tuple(file.duplicates[:SHOWN])),
        contradictions=Lines(len(file.contradictions), tuple(tuple(one.lines) for one in file.contradictions[:SHOWN])),
        lengths=Lengths(
            counts=tuple(int(n) for n in counts),
            edges=tuple(round(float(edge), 1) for edge in edges),
            median=int(np.median(lengths)),
            longest=int(lengths.max()),
        ),
        splits={str(split): units for split, units in cut.units.items()},
        answers_by_split=sizes_by_split,
        warnings=tuple(file.assumed.notes),
        min_cases=min_cases,
        missing={str(one.split): one.missing for one in short},
        more=more_units(sizes, min_cases, sum(cut.units.values())) if short else 0,
    )
