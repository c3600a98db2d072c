"""Reads a file of cases (CSV, JSONL, Parquet) and says what is wrong with it.

Invariant: a message names the file, the line and the field, and never shows a case's text; an unknown label
is shown, cut at 40 characters. A duplicate (same normalised input, same answer) is kept once; the same input
under two answers is kept under both and reported, so that the split can keep the two together.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from fedprompt.errors import DataError, did_you_mean
from fedprompt.evaluation.cases import Case, input_key
from fedprompt.evaluation.tables.opening import open_table
from fedprompt.evaluation.tables.table import ReadLimits, Row, Table, as_text

__all__ = ["ANSWER", "CaseFile", "Contradiction", "ReadLimits", "read_cases"]

ANSWER = "answer"
SHOWN_CHARACTERS = 40
SHOWN_COLUMNS = 20
SHOWN_LINES = 5


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
    """

    path: Path
    cases: tuple[Case, ...]
    rows: int
    inputs: int
    duplicates: tuple[int, ...]
    contradictions: tuple[Contradiction, ...]
    by_answer: Mapping[str, int]
    warnings: tuple[str, ...]


def read_cases(
    path: Path,
    *,
    fields: Sequence[str],
    labels: Sequence[str] | None = None,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
    limits: ReadLimits | None = None,
) -> CaseFile:
    """Read and check a whole file.

    Args:
        path: a file ending in .csv, .tsv, .jsonl, .ndjson, .parquet or .pq.
        fields: the study's fields.
        labels: the study's labels, or None where the answer is free text.
        mapping: study field, or ``answer``, -> the file's column; a field that is not named has its own
            name's column.
        group: the column whose equal values stay in one split.
        limits: bounds on lines, bytes and cases.

    Raises:
        DataError: the file cannot be used; see the module's docstring for what the message holds.
    """
    path, limits = Path(path), limits or ReadLimits()
    columns = _columns(path, fields, mapping or {})
    wanted = [*columns.values(), *([group] if group else [])]
    known = None if labels is None else frozenset(labels)
    kept: list[Case] = []
    seen: dict[bytes, dict[str, int]] = {}
    duplicates: list[int] = []
    rows = 0
    with open_table(path, limits, wanted) as table:
        _check_columns(table, columns, group)
        for row in table.rows:
            rows += 1
            if rows > limits.max_cases:
                raise DataError(f"{path}: more than {limits.max_cases:,} cases; split the file or take a sample")
            case = _case(table, row, columns, group)
            if known is not None and case.answer not in known:
                raise DataError(_unknown_label(table, row, columns[ANSWER], case.answer, labels or ()))
            answers = seen.setdefault(hashlib.sha256(input_key(case).encode()).digest(), {})
            if (at := answers.get(case.answer)) is None:
                answers[case.answer] = len(kept)
                kept.append(case)
                continue
            duplicates.append(case.line)
            # The least group is kept, so that the order of the file decides nothing.
            if case.group is not None and case.group < (kept[at].group or ""):
                kept[at] = Case(kept[at].fields, case.answer, case.group, kept[at].line)
        unit = table.unit
    if not rows:
        raise DataError(f"{path}: has a header but no cases; add at least one case below it")
    by_answer = {} if labels is None else _count(path, unit, kept, labels, columns[ANSWER])
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
        warnings=_warnings(duplicates, contradictions, by_answer, unit),
    )


def _columns(path: Path, fields: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    if ANSWER in fields:
        raise DataError(
            f"{path}: a field may not be called '{ANSWER}', which names the label; rename the study's field"
        )
    names = [*fields, ANSWER]
    if stray := [name for name in mapping if name not in names]:
        raise DataError(
            f"{path}: --map names '{stray[0]}', which is no field of the "
            f"study{did_you_mean(stray[0], names)}; "
            f"the fields are {', '.join(names)}"
        )
    columns = {name: mapping.get(name, name) for name in names}
    if shared := [c for c, count in Counter(columns.values()).items() if count > 1]:
        users = " and ".join(f"'{name}'" for name, column in columns.items() if column == shared[0])
        raise DataError(f"{path}: --map gives the column '{shared[0]}' to {users}; give each its own column")
    return columns


def _check_columns(table: Table, columns: Mapping[str, str], group: str | None) -> None:
    there = [column for column in table.columns if column]
    shown = ", ".join(_short(column) for column in there[:SHOWN_COLUMNS]) or "none"
    if len(there) > SHOWN_COLUMNS:
        shown += f" and {len(there) - SHOWN_COLUMNS} more"
    missing = [name for name, column in columns.items() if column not in table.columns]
    if missing:
        free = [column for column in there if column not in columns.values() and column != group]
        pairs = []
        for name in missing:
            near = get_close_matches(columns[name], free, n=1) or (free if len(free) == 1 else ["COLUMN"])
            free = [column for column in free if column != near[0]]
            pairs.append(f"{name}={_short(near[0])}")
        what = ", ".join(f"'{columns[name]}'" + ("" if columns[name] == name else f" for '{name}'") for name in missing)
        raise DataError(
            f"{table.path}: no column {what}; the columns there are {shown}; "
            f"name the right ones with --map {','.join(pairs)}"
        )
    if group is not None and group not in table.columns:
        raise DataError(
            f"{table.path}: no column '{group}' for --group{did_you_mean(group, there)}; the columns there are {shown}"
        )


def _case(table: Table, row: Row, columns: Mapping[str, str], group: str | None) -> Case:
    values: dict[str, str] = {}
    needed = dict(columns) if group is None else {**columns, "--group": group}
    for name, column in needed.items():
        where = f"{table.path} {table.unit} {row.line}, field '{name}'"
        where += "" if column == name else f" (column '{column}')"
        try:
            text = as_text(row.values.get(column))
        except TypeError as error:
            raise DataError(f"{where}: holds a {error}, not text; give one plain value") from None
        if text is None:
            raise DataError(f"{where}: no value; fill it in or remove the case")
        values[name] = text
    own = values.pop("--group").strip() if group is not None else None
    answer = values.pop(ANSWER).strip()
    return Case(values, answer, own, row.line)


def _unknown_label(table: Table, row: Row, column: str, label: str, labels: Sequence[str]) -> str:
    folded = {known.casefold(): known for known in labels}
    near = folded.get(label.casefold())
    hint = f", did you mean '{near}'?" if near else did_you_mean(label[:200], labels)
    return (
        f"{table.path} {table.unit} {row.line}, field '{ANSWER}' (column '{column}'): "
        f"unknown label '{_short(label)}'{hint}; the study's labels are {', '.join(labels[:SHOWN_COLUMNS])}"
    )


def _count(path: Path, unit: str, cases: Sequence[Case], labels: Sequence[str], column: str) -> dict[str, int]:
    counts = Counter(case.answer for case in cases)
    if len(counts) == 1 and len(labels) > 1:
        only = cases[0].answer
        raise DataError(
            f"{path} {unit} {cases[0].line} and all others, field '{ANSWER}' (column '{column}'): every "
            "case is "
            f"labelled '{_short(only)}'; add cases of another label ({', '.join(labels[:SHOWN_COLUMNS])})"
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
        said.append(
            f"{_counted(len(contradictions), 'input')} under two or more answers, kept together ({where}{more})"
        )
    said.extend(f"no case is labelled '{_short(label)}'" for label, count in by_answer.items() if not count)
    return tuple(said)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _listed(lines: Sequence[int], unit: str) -> str:
    shown = ", ".join(str(line) for line in lines[:SHOWN_LINES])
    return f"{unit}{'s' if len(lines) > 1 else ''} {shown}{', ...' if len(lines) > SHOWN_LINES else ''}"


def _short(text: str) -> str:
    # Printed with escapes, so that a label cannot move the terminal's cursor.
    plain = "".join(c if c.isprintable() else "?" for c in text[:SHOWN_CHARACTERS])
    return plain + ("..." if len(text) > SHOWN_CHARACTERS else "")
