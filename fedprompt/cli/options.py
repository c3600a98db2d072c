"""Options that several commands share, and the reading of ``name=value`` pairs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import typer

if TYPE_CHECKING:
    from fedprompt.evaluation.column_map import Columns
    from fedprompt.models.protocols import CacheDtype as KeptIn

__all__ = [
    "AllowOrigin",
    "CacheBytes",
    "CacheDtype",
    "Group",
    "Header",
    "Home",
    "Json",
    "Map",
    "Seed",
    "Split",
    "SplitName",
    "StudyFile",
    "Words",
    "columns",
    "kept_in",
    "own_words",
    "sites",
    "split_named",
]

AllowOrigin = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-origin",
        envvar="FEDPROMPT_ORIGINS",
        help="Another address of this server, through a proxy or a forwarded port. Repeatable.",
    ),
]
CacheBytes = Annotated[
    int | None,
    typer.Option("--cache-bytes", min=0, help="Number of keys and values to keep in memory. The rest is kept on disk."),
]
CacheDtype = Annotated[
    str | None,
    typer.Option(
        "--cache-dtype",
        help="Precision of the kept keys and values: model (the model's own) or bfloat16 (half the memory).",
    ),
]
Home = Annotated[Path | None, typer.Option("--home", help="The home folder. Default: $FEDPROMPT_HOME or ~/.fedprompt.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object with stable keys.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed for all randomness.")]
StudyFile = Annotated[Path, typer.Option("--study", "-S", help="The study (a YAML file).")]
Group = Annotated[
    str | None,
    typer.Option("--group", help="Group column: rows with the same value, such as a patient, stay in one split."),
]
Map = Annotated[
    str | None,
    typer.Option("--map", help="Columns for the study's fields: text=note,answer=label, or text=#2 by position."),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first line names the columns. Without a header, --map uses positions: text=#1,answer=#2.",
    ),
]
SplitName = Literal["tune", "validation", "test"]
Split = Annotated[str, typer.Option("--split", help="tune, validation or test.")]
Words = Annotated[
    list[str] | None,
    typer.Option("--words", help='What your file calls a class: "good=positive", yours first. Repeat it.'),
]

SITE_NAME = re.compile(r"\w[\w.-]{0,59}")


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


def kept_in(name: str | None) -> "KeptIn | None":
    """Return what ``--cache-dtype`` says.

    Raises:
        typer.BadParameter: it is neither.
    """
    if name is None:
        return None
    from fedprompt.models.protocols import CacheDtype as KeptIn

    if name not in get_args(KeptIn):
        raise typer.BadParameter(f"'{name}' is not a precision; use model or bfloat16", param_hint="--cache-dtype")
    return cast("KeptIn", name)


def own_words(given: Sequence[str] | None) -> dict[str, str]:
    """Return ``--words good=positive`` options as what the file calls a class -> the class.

    Raises:
        typer.BadParameter: one is not of that form, or says two things.
    """
    from fedprompt.errors import DataError
    from fedprompt.evaluation.class_names import read_words

    try:
        return read_words(given or ())
    except DataError as error:
        raise typer.BadParameter(str(error)) from None


def split_named(name: str) -> SplitName:
    """Return what ``--split`` says.

    Raises:
        typer.BadParameter: there is no such split.
    """
    if name not in get_args(SplitName):
        raise typer.BadParameter(f"'{name}' is not a split; use tune, validation or test", param_hint="--split")
    return cast(SplitName, name)


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
        if not SITE_NAME.fullmatch(name.strip()):
            raise typer.BadParameter(
                f"'{name}' is not a valid site name; use at most 60 letters, digits, '-', '_' and '.'"
            )
        if name.strip() in found:
            raise typer.BadParameter(f"the site '{name.strip()}' is given twice; name each site once")
        found[name.strip()] = Path(path)
    return found
