"""Checks a file of cases against a study: what is in it, how it will be split, how many cases are missing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.readers import read_cases
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.evaluation.splits.cutting import SPLITS, SplitSizes, assign
from fedprompt.evaluation.tables.assumed import Assumed
from fedprompt.study.files import read_study
from fedprompt.workspace.as_json import INLINE
from fedprompt.workspace.progress import Progress, Report, quiet

__all__ = ["ANY_KEY", "FileCheck", "ReadAs", "check_data", "more_units"]

# Sizes do not depend on the site's key, and nothing but sizes is reported, so any key will do.
ANY_KEY = bytes(32)
SHOWN = 20


@dataclass(frozen=True)
class ReadAs:
    """What a file was taken for, and the same in a ``sentence``."""

    assumed: Assumed = field(metadata=INLINE)
    sentence: str


@dataclass(frozen=True)
class FileCheck:
    """What is in a file of cases, and whether it is ``ok`` for the study as it is; no case's text.

    ``splits`` counts independent units (distinct inputs, or groups); ``missing`` how many each split lacks to reach the
    study's ``min_cases``; ``more`` about how many units to add. Of lines the first are named.
    """

    file: str
    study: str
    rows: int
    cases: int
    inputs: int
    groups: int | None
    by_answer: Mapping[str, int]
    duplicates: int
    duplicate_lines: tuple[int, ...]
    contradictions: int
    contradiction_lines: tuple[tuple[int, ...], ...]
    splits: Mapping[str, int]
    min_cases: int
    missing: Mapping[str, int]
    more: int
    warnings: tuple[str, ...]
    read_as: ReadAs
    ok: bool


def check_data(
    path: Path,
    study_path: Path,
    columns: Columns = BY_NAME,
    report: Report = quiet,
) -> FileCheck:
    """Return what is in a file of cases.

    Raises:
        StudyError: the study cannot be used.
        DataError: the file cannot be used; names file, line and field.
    """
    study = read_study(study_path, complete_scorers)
    report(Progress("read", f"reading {path.name}"))
    choice = study.answer.type == "choice"
    found = read_cases(
        path,
        fields=study.fields,
        labels=study.answer.labels if choice else None,
        columns=columns,
    )
    sizes = SplitSizes(study.splits.tune, study.splits.validation, study.splits.test)
    splits = assign(found.cases, ANY_KEY, sizes, fields=study.fields, stratified=choice)
    short = splits.shortfalls(study.privacy.min_cases)
    units = sum(splits.units.values())
    return FileCheck(
        file=str(path),
        study=study.study,
        rows=found.rows,
        cases=len(found.cases),
        inputs=found.inputs,
        groups=None if columns.group is None else len({case.group for case in found.cases}),
        by_answer=dict(found.by_answer),
        duplicates=len(found.duplicates),
        duplicate_lines=tuple(found.duplicates[:SHOWN]),
        contradictions=len(found.contradictions),
        contradiction_lines=tuple(tuple(one.lines) for one in found.contradictions[:SHOWN]),
        splits={str(split): units for split, units in splits.units.items()},
        min_cases=study.privacy.min_cases,
        missing={str(one.split): one.missing for one in short},
        more=more_units(sizes, study.privacy.min_cases, units) if short else 0,
        warnings=tuple(found.warnings),
        read_as=ReadAs(found.assumed, found.assumed.sentence),
        ok=not short,
    )


def more_units(sizes: SplitSizes, min_cases: int, units: int) -> int:
    """Return how many further units fill every split to ``min_cases``, all splits growing in proportion."""
    whole = 1.0 if sizes.fractions else sum(sizes.wanted)
    shares = [dict(zip(SPLITS, sizes.wanted, strict=True))[split] / whole for split in SPLITS]
    return max(math.ceil(min_cases / share - 1e-9) for share in shares if share) - units
