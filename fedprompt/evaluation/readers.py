"""Reads a file of cases (CSV, JSONL, Parquet) and says what is wrong with it.

Invariant: a message names the file, the line and the field, and never shows a case's text; an unknown label
is shown only where it has a label's form and is near a known one or stands there again and again, a column's name only
where it has a name's form. A duplicate (same normalised input, same answer) is kept once; the same input
under two answers is kept under both and reported, so that the split can keep the two together.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import ANSWER, Case, input_key
from fedprompt.evaluation.class_names import ClassNames
from fedprompt.evaluation.column_map import BY_NAME, Columns, called
from fedprompt.evaluation.found_columns import found_columns, wanted_columns
from fedprompt.evaluation.tables.assumed import Assumed
from fedprompt.evaluation.tables.opening import open_table
from fedprompt.evaluation.tables.table import ReadLimits, Row, Table, as_text
from fedprompt.evaluation.unknown_labels import UnknownLabels

__all__ = ["ANSWER", "CaseFile", "Contradiction", "ReadLimits", "read_case", "read_cases"]

SHOWN_COLUMNS = 20
SHOWN_LINES = 5
ABSENT = frozenset({"nan", "null", "none", "na", "n/a", "#n/a", "nil", "<na>", "nat"})


@dataclass(frozen=True)
class Contradiction:
    """One input that the file gives under more than one answer: the lines where each answer is first met."""

    lines: tuple[int, ...]


@dataclass(frozen=True)
class CaseFile:
    """The cases of one file, in the file's order, without duplicates.

    Args:
        path: the file.
        cases: the cases kept.
        rows: how many cases the file holds, duplicates included.
        inputs: how many distinct inputs.
        duplicates: lines of the cases that repeat an earlier input with the same answer.
        contradictions: inputs under two or more answers.
        by_answer: answer -> how many kept cases; empty unless labels were given.
        warnings: sentences for people.
        assumed: what the file was taken for.
    """

    path: Path
    cases: tuple[Case, ...]
    rows: int
    inputs: int
    duplicates: tuple[int, ...]
    contradictions: tuple[Contradiction, ...]
    by_answer: Mapping[str, int]
    warnings: tuple[str, ...]
    assumed: Assumed


def read_cases(
    path: Path,
    *,
    fields: Sequence[str],
    labels: Sequence[str] | None = None,
    columns: Columns = BY_NAME,
    limits: ReadLimits | None = None,
    names: ClassNames | None = None,
) -> CaseFile:
    """Read and check a whole file.

    Args:
        path: a file ending in .csv, .tsv, .jsonl, .ndjson, .parquet or .pq.
        fields: the study's fields.
        labels: the study's labels, or None where the answer is free text.
        columns: what was said of the file's columns.
        limits: bounds on lines, bytes and cases.
        names: what the file calls the labels; a file of one label alone is then taken too.

    Raises:
        DataError: the file cannot be used; see the module's docstring for what the message holds.
    """
    path, limits = Path(path), limits or ReadLimits()
    asked = wanted_columns(path, fields, columns)
    wanted = [*asked.values(), *([columns.group] if columns.group else [])]
    unknown = None if labels is None else names or UnknownLabels(labels)
    kept: list[Case] = []
    seen: dict[bytes, dict[str, int]] = {}
    duplicates: list[int] = []
    rows = 0
    with open_table(path, limits, wanted, columns.header) as table:
        found, group = found_columns(table, asked, columns, labels)
        for row in table.rows:
            rows += 1
            if rows > limits.max_cases:
                raise DataError(
                    f"{path}: more than {limits.max_cases:,} cases; split the file or take a sample",
                    code="too-many-cases",
                )
            if unknown and unknown.found:  # the rest is only counted, for the refusal at the end
                unknown.count(row, found[ANSWER])
                continue
            case = read_case(table, row, found, group)
            if names:
                case = replace(case, answer=names.label_of(case.answer))
            if unknown and not unknown.knows(case.answer):
                unknown.count(row, found[ANSWER])
                continue
            answers = seen.setdefault(hashlib.sha256(input_key(case).encode()).digest(), {})
            if (at := answers.get(case.answer)) is None:
                answers[case.answer] = len(kept)
                kept.append(case)
                continue
            duplicates.append(case.line)
            # The least group is kept, so that the order of the file decides nothing.
            if case.group is not None and case.group < (kept[at].group or ""):
                kept[at] = replace(kept[at], group=case.group)
        unit = table.unit
    if unknown and unknown.found:
        raise DataError(unknown.sentence(table, found[ANSWER]), code="unknown-class" if names else "unknown-label")
    if not rows:
        raise DataError(f"{path}: has a header but no cases; add at least one case below it", code="no-cases")
    shown = called(found[ANSWER], table.columns)
    by_answer = {} if labels is None else _count(path, unit, kept, labels, shown, alone=names is not None)
    assumed = table.noted.found
    contradictions = tuple(
        Contradiction(tuple(kept[at].line for at in answers.values())) for answers in seen.values() if len(answers) > 1
    )
    return CaseFile(
        path=path,
        cases=tuple(kept),
        rows=rows,
        inputs=len(seen),
        duplicates=tuple(duplicates),
        contradictions=contradictions,
        by_answer=by_answer,
        warnings=(*_warnings(duplicates, contradictions, by_answer, unit), *assumed.notes),
        assumed=assumed,
    )


def read_case(table: Table, row: Row, columns: Mapping[str, str], group: str | None = None) -> Case:
    """Return the case of one row; its answer is empty where ``columns`` name no column for it.

    Raises:
        DataError: a value is missing or is no text; names file, line and field.
    """
    values: dict[str, str] = {}
    needed = dict(columns) if group is None else {**columns, "--group": group}
    for name, column in needed.items():
        try:
            text = as_text(row.values.get(column))
        except TypeError as error:
            raise DataError(
                f"{_where(table, row, name, column)}: has {error}, not text; give one plain value", code="not-text"
            ) from None
        if text is None:
            if column not in row.values:
                raise DataError(
                    f"{_where(table, row, name, column)}: this line lacks that key, which other lines have; "
                    "add the key or remove the case",
                    code="no-value",
                )
            raise DataError(
                f"{_where(table, row, name, column)}: no value; fill it in or remove the case", code="no-value"
            )
        if text.strip().casefold() in ABSENT:
            table.noted.note("with a word for a missing value (such as nan or null) as its text", row.line)
        values[name] = text
    own = values.pop("--group").strip() if group is not None else None
    answer = values.pop(ANSWER, "")
    if answer != answer.strip():
        table.noted.note("with spaces around the answer, which are removed", row.line)
    return Case(values, answer.strip(), own, row.line, _digest_of(row))


def _digest_of(row: Row) -> bytes:
    """Return a digest of the texts of a row, whatever its columns are called and in whichever order they stand."""
    texts = sorted(str(value) for value in row.values.values())
    return hashlib.sha256(json.dumps(texts).encode()).digest()


def _where(table: Table, row: Row, name: str, column: str) -> str:
    where = f"{table.path} {table.unit} {row.line}, field '{name}'"
    return where if column == name else f"{where} (column '{called(column, table.columns)}')"


def _count(
    path: Path, unit: str, cases: Sequence[Case], labels: Sequence[str], column: str, *, alone: bool
) -> dict[str, int]:
    counts = Counter(case.answer for case in cases)
    if len(counts) == 1 and len(labels) > 1 and not alone:
        only = cases[0].answer
        raise DataError(
            f"{path} {unit} {cases[0].line} and all others, field '{ANSWER}' (column '{column}'): every case "
            f"has the label '{only}'; add cases with another label ({', '.join(labels[:SHOWN_COLUMNS])})",
            code="one-label-only",
        )
    return {label: counts[label] for label in labels}


def _warnings(
    duplicates: Sequence[int],
    contradictions: Sequence[Contradiction],
    by_answer: Mapping[str, int],
    unit: str,
) -> tuple[str, ...]:
    said = []
    if duplicates:
        said.append(f"{_counted(len(duplicates), 'duplicate')} left out ({_listed(duplicates, unit)})")
    if contradictions:
        where = "; ".join(_listed(each.lines, unit) for each in contradictions[:SHOWN_LINES])
        more = "; ..." if len(contradictions) > SHOWN_LINES else ""
        said.append(f"{_counted(len(contradictions), 'input')} with two or more answers, kept together ({where}{more})")
    said.extend(f"no case has the label '{label}'" for label, count in by_answer.items() if not count)
    return tuple(said)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _listed(lines: Sequence[int], unit: str) -> str:
    shown = ", ".join(str(line) for line in lines[:SHOWN_LINES])
    return f"{unit}{'s' if len(lines) > 1 else ''} {shown}{', ...' if len(lines) > SHOWN_LINES else ''}"
