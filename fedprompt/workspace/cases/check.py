"""Checks a file of cases against a study: what is in it, how it will be split, how many cases are missing."""

import math
from pathlib import Path
from typing import Any

from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.evaluation.readers import read_cases
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.evaluation.splits.cutting import SPLITS, SplitSizes, assign
from fedprompt.study.files import read_study
from fedprompt.workspace.progress import Progress, Report, quiet

__all__ = ["ANY_KEY", "check_data", "more_units"]

# Sizes do not depend on the site's key, and nothing but sizes is reported, so any key will do.
ANY_KEY = bytes(32)
SHOWN = 20


def check_data(
    path: Path,
    study_path: Path,
    columns: Columns = BY_NAME,
    report: Report = quiet,
) -> dict[str, Any]:
    """Return what is in a file of cases, as JSON; no case's text is in it.

    ``splits`` counts independent units (distinct inputs, or groups); ``missing`` how many each split lacks to
    reach the study's ``min_cases``; ``more`` about how many units to add; ``ok`` whether the file can be used
    as it is; ``read_as`` what it was taken for.

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
    return {
        "file": str(path),
        "study": study.study,
        "rows": found.rows,
        "cases": len(found.cases),
        "inputs": found.inputs,
        "groups": None if columns.group is None else len({case.group for case in found.cases}),
        "by_answer": dict(found.by_answer),
        "duplicates": len(found.duplicates),
        "duplicate_lines": list(found.duplicates[:SHOWN]),
        "contradictions": len(found.contradictions),
        "contradiction_lines": [list(one.lines) for one in found.contradictions[:SHOWN]],
        "splits": dict(splits.units),
        "min_cases": study.privacy.min_cases,
        "missing": {one.split: one.missing for one in short},
        "more": more_units(sizes, study.privacy.min_cases, units) if short else 0,
        "warnings": list(found.warnings),
        "read_as": found.assumed.as_json(),
        "ok": not short,
    }


def more_units(sizes: SplitSizes, min_cases: int, units: int) -> int:
    """Return how many further units fill every split to ``min_cases``, all splits growing in proportion."""
    whole = 1.0 if sizes.fractions else sum(sizes.wanted)
    shares = [dict(zip(SPLITS, sizes.wanted, strict=True))[split] / whole for split in SPLITS]
    return max(math.ceil(min_cases / share - 1e-9) for share in shares if share) - units
