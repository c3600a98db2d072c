"""``fedprompt export`` and ``fedprompt import``: prompts out of the bank and into it."""

from pathlib import Path
from typing import Annotated

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line
from fedprompt.cli.telling import Teller

__all__ = ["export", "import_"]


def export(
    prompts: Annotated[list[str], typer.Argument(metavar="ID...", help="Prompts' ids, or beginnings of them.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to make, or a file ending in .zip.")],
    format_: Annotated[
        str, typer.Option("--format", help="bundle, peft, any-slot or langchain.", metavar="F")
    ] = "bundle",
    home: Home = None,
    json: Json = False,
) -> None:
    """Write prompts in a format that other tools read."""
    from fedprompt.workspace.exporting import export_prompts
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        ids = tuple(dict.fromkeys(ws.bank.prompt(prompt).id for prompt in prompts))
        path = export_prompts(ws, ids, format_, out, tell)
    if json:
        emit({"format": format_, "path": str(path), "prompts": list(ids)})
    else:
        line(f"wrote {len(ids)} {'prompt' if len(ids) == 1 else 'prompts'} as {format_} to {path}")


def import_(
    file: Annotated[Path, typer.Argument(help="A bundle or another exported file or folder.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Read prompts of an exported file into the bank."""
    from fedprompt.workspace.exporting import import_file
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = import_file(ws, file)
    if json:
        emit({"prompts": list(found.prompts), "dropped": list(found.dropped)})
        return
    line(f"imported {len(found.prompts)} {'prompt' if len(found.prompts) == 1 else 'prompts'}")
    for prompt in found.prompts:
        line(f"  {prompt}")
    for sentence in found.dropped:
        line(f"left out: {sentence}")
