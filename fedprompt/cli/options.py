"""Options that several commands share, and the reading of ``name=value`` pairs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fedprompt.evaluation.column_map import Columns

__all__ = ["AllowOrigin", "Group", "Header", "Home", "Json", "Map", "Seed", "StudyFile", "columns", "sites"]

AllowOrigin = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-origin",
        envvar="FEDPROMPT_ORIGINS",
        help="A further address under which this server is seen, through a proxy or a forwarded port; repeatable.",
    ),
]
Home = Annotated[
    Path | None, typer.Option("--home", help="The home folder; by default $FEDPROMPT_HOME or ~/.fedprompt.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object with stable keys.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The seed of everything random.")]
StudyFile = Annotated[Path, typer.Option("--study", "-S", help="The study, a YAML file.")]
Group = Annotated[
    str | None,
    typer.Option("--group", help="Column whose equal values (a patient, a document) stay in one split."),
]
Map = Annotated[
    str | None,
    typer.Option(
        "--map", help="The file's columns for the study's fields: text=note,answer=label, or text=#2 by place."
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the file names its columns; without a header --map gives their places: text=#1,answer=#2.",
    ),
]


_SITE = re.compile(r"\w[\w.-]{0,59}")


def columns(text: str | None, header: bool | None = None, group: str | None = None) -> "Columns":
    """Return what ``--map a=b,c=d``, ``--header`` and ``--group`` say of a file's columns.

    Raises:
        typer.BadParameter: the text is not made of such pairs, or names something twice.
    """
    from fedprompt.errors import DataError
    from fedprompt.evaluation.column_map import Columns, read_map

    try:
        return Columns.said(None if text is None else read_map(text), group, header)
    except DataError as error:
        raise typer.BadParameter(str(error)) from None


def sites(given: Sequence[str]) -> dict[str, Path]:
    """Return ``a=a.csv`` options as site -> file.

    Raises:
        typer.BadParameter: one is not name=file, or a site is named twice.
    """
    found: dict[str, Path] = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not (equals and path):
            raise typer.BadParameter(f"'{one}' is not name=file; write for example --site clinic=clinic.csv")
        # The name becomes a folder's name.
        if not _SITE.fullmatch(name.strip()):
            raise typer.BadParameter(f"'{name}' is no site's name; use letters, digits, '-', '_' and '.', at most 60")
        if name.strip() in found:
            raise typer.BadParameter(f"the site '{name.strip()}' is given twice; name each site once")
        found[name.strip()] = Path(path)
    return found
