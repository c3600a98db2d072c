"""``fedprompt bank backup|restore|merge``: whole banks, while others go on working."""

from pathlib import Path
from typing import Annotated

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line

__all__ = ["backup", "merge", "restore"]

Adapted = Annotated[
    list[str] | None,
    typer.Option("--adapted", help="Include this adapted prompt, such as questions@home, or 'all'. Repeatable."),
]


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write. It must not exist.")],
    adapted: Adapted = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write a consistent copy of the bank. Other programs can continue to write."""
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
                f"not included, because they were fitted to your own cases: {', '.join(left)}; include one "
                "with --adapted NAME"
            )


def restore(
    file: Annotated[Path, typer.Argument(help="A file written by 'fedprompt bank backup'.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Replace the bank with a backup. The present bank is backed up first."""
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        kept = ws.bank.restore(file)
        prompts = ws.bank.count_prompts()
    if json:
        emit({"file": str(file), "prompts": prompts, "replaced": str(kept)})
    else:
        line(f"restored {prompts} prompts; the previous bank is {kept}")


def merge(
    other: Annotated[Path, typer.Argument(help="The file of another bank. It is not changed.")],
    adapted: Adapted = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Copy what another bank has and this bank lacks. Existing entries do not change."""
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        added = ws.bank.merge(other, adapted=adapted or ())
    if json:
        emit({"file": str(other), "added": added})
    else:
        came = ", ".join(f"{count} {name}" for name, count in added.items() if count)
        line(f"merged {came or 'nothing'} from {other}")
