"""``fedprompt export`` and ``fedprompt import``: prompts out of the bank and into it."""

from pathlib import Path
from typing import Annotated

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line
from fedprompt.cli.telling import Teller

__all__ = ["export", "import_"]


def export(
    out: Annotated[Path, typer.Option("--out", help="The output folder or file (.zip, or the format's suffix).")],
    prompts: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of prompts, or the starts of ids.")
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option(
            "--tag", metavar="NAME@TAG", help="A tagged prompt, or @TAG for all prompts with a tag. Repeatable."
        ),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", help="The export format (default: bundle). See docs/formats.md.", metavar="F")
    ] = "bundle",
    home: Home = None,
    json: Json = False,
) -> None:
    """Export prompts in a format that other tools read."""
    from fedprompt.workspace.exchange.exporting import export_prompts
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = export_prompts(ws, (*(prompts or ()), *(tags or ())), format_, out, tell)
    if json:
        emit(
            {
                "format": format_,
                "path": str(found.path),
                "prompts": list(found.prompts),
                "dropped": list(found.dropped),
            }
        )
        return
    count = len(found.prompts)
    line(f"wrote {count} {'prompt' if count == 1 else 'prompts'} as {format_} to {found.path}")
    for sentence in found.dropped:
        line(f"not included: {sentence}")


def import_(
    file: Annotated[Path, typer.Argument(help="A bundle, or another exported file or folder.")],
    format_: Annotated[
        str | None, typer.Option("--format", help="The format, if the file does not show it.", metavar="F")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Import prompts from an exported file into the bank."""
    from fedprompt.workspace.exchange.exporting import import_file
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = import_file(ws, file, format_)
    if json:
        told = {"prompts": list(found.prompts), "dropped": list(found.dropped), "signer": found.signer}
        near = {id: list(others) for id, others in found.alike.items()}
        emit({**told, "near_duplicates": near, "adapted": dict(found.adapted)})
        return
    line(f"imported {len(found.prompts)} {'prompt' if len(found.prompts) == 1 else 'prompts'}")
    for prompt in found.prompts:
        others = found.alike.get(prompt, ())
        line(f"  {prompt}" + (f", the same as {', '.join(others)} in another order" if others else ""))
    for name, id in found.adapted.items():
        line(f"  {id}, adapted, as {name}")
    line(f"signed by {found.signer}" if found.signer else "not signed: the author is unknown")
    for sentence in found.dropped:
        line(f"note: {sentence}")
