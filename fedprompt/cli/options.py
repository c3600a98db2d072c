"""Options that several commands share, and the reading of ``name=value`` pairs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AllowOrigin", "Group", "Home", "Json", "Map", "Seed", "StudyFile", "pairs", "sites"]

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
    typer.Option("--map", help="The file's columns for the study's fields: text=note,answer=label."),
]


_SITE = re.compile(r"\w[\w.-]{0,59}")


def pairs(text: str | None, option: str = "--map") -> dict[str, str] | None:
    """Return ``a=b,c=d`` as a mapping, None where nothing was given.

    Raises:
        typer.BadParameter: the text is not made of such pairs, or names something twice.
    """
    if text is None:
        return None
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise typer.BadParameter(f"'{part}' is not name=column; write for example {option} text=note,answer=label")
        if name in found:
            raise typer.BadParameter(f"{option} names '{name}' twice; name it once")
        found[name] = value
    return found


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
