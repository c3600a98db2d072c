"""``fedprompt data check``: is a file of cases fit for a study?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.options import Group, Header, Json, Map, StudyFile, columns
from fedprompt.cli.showing import complain, emit, line, table
from fedprompt.cli.telling import Teller

if TYPE_CHECKING:
    from fedprompt.errors import DataError
    from fedprompt.workspace.cases.check import FileCheck

__all__ = ["app", "check"]

app = typer.Typer(help="Check files of cases.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    """Files of cases."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A file of cases: CSV, JSONL or Parquet.")],
    study: StudyFile,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    json: Json = False,
) -> None:
    """Check a file of cases: its contents, its splits, and how many cases are missing."""
    from fedprompt.workspace.as_json import as_json
    from fedprompt.workspace.cases.check import check_data

    with Teller() as tell:
        found = check_data(file, study, columns(map_, header, group), tell)
    few = None if found.ok else _too_few(file, found)
    if json:
        emit(found if few is None else {**as_json(found), "code": few.code, "error": str(few)})
    else:
        inputs = f"{found.cases} cases ({found.inputs} distinct inputs)"
        line(f"{file}: {inputs} for the study '{found.study}'")
        line(f"read as: {found.read_as.sentence}")
        if found.by_answer:
            table(("answer", "cases"), list(found.by_answer.items()))
        table(
            ("split", "independent cases", "missing"),
            [(split, n, found.missing.get(split, 0)) for split, n in found.splits.items()],
        )
        for warning in found.warnings:
            line(f"note: {warning}")
    if few is not None:
        complain(str(few))
        raise typer.Exit(1)
    if not json:
        line("ready for the study")


def _too_few(file: Path, found: "FileCheck") -> "DataError":
    from fedprompt.errors import DataError

    split = next(iter(found.missing))
    return DataError(
        f"{file}: the {split} split has {found.splits[split]} independent cases, but the study's min_cases is "
        f"{found.min_cases}; add about {found.more} cases or lower min_cases",
        code="too-few-cases",
    )
