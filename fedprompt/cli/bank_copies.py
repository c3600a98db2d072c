"""``fedprompt bank backup|restore|merge``: whole banks, while others go on working."""

from pathlib import Path
from typing import Annotated

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line

__all__ = ["backup", "merge", "restore"]

Adapted = Annotated[
    list[str] | None,
    typer.Option(
        "--adapted", help="An adapted prompt that goes with it, such as questions@home, or 'all'; repeatable."
    ),
]


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; never over one that is there.")],
    adapted: Adapted = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write a copy of the bank, one state of it, while others go on writing."""
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        left = ws.bank.backup(file.expanduser().absolute(), adapted=adapted or ())
        prompts = ws.bank.count_prompts()
    if json:
        emit({"file": str(file), "prompts": prompts, "left_out": left})
    else:
        line(f"wrote {file}, a bank of {prompts} prompts")
        if left:
            line(
                f"left out, since they were learnt from your own cases: {', '.join(left)}; --adapted NAME takes one in"
            )


def restore(
    file: Annotated[Path, typer.Argument(help="What 'fedprompt bank backup' wrote.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Put a backup in the bank's place; what was there until now is backed up first."""
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        kept = ws.bank.restore(file)
        prompts = ws.bank.count_prompts()
    if json:
        emit({"file": str(file), "prompts": prompts, "replaced": str(kept)})
    else:
        line(f"restored {prompts} prompts; the bank as it was until now is {kept}")


def merge(
    other: Annotated[Path, typer.Argument(help="The file of another bank; it stays as it is.")],
    adapted: Adapted = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Take over what another bank holds and this one does not; nothing here is changed."""
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        added = ws.bank.merge(other, adapted=adapted or ())
    if json:
        emit({"file": str(other), "added": added})
    else:
        came = ", ".join(f"{count} {name}" for name, count in added.items() if count)
        line(f"{came or 'nothing'} came from {other}")
