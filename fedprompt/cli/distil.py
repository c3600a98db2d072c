"""``fedprompt distil``: one soft prompt out of an adapted prompt of several."""

from pathlib import Path
from typing import Annotated

import typer

from fedprompt.cli.options import Group, Header, Home, Json, Map, Words, columns, own_words
from fedprompt.cli.showing import emit, line
from fedprompt.cli.telling import Teller

__all__ = ["distil"]


def distil(
    reference: Annotated[str, typer.Argument(help="The adapted prompt: its name, such as questions@home, or its id.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Your own cases: CSV, JSONL or Parquet. Their labels are not used.")
    ] = None,
    unlabelled: Annotated[
        Path | None, typer.Option("--unlabelled", help="Your own texts without labels. More texts are better.")
    ] = None,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    words: Words = None,
    name: Annotated[str, typer.Option("--name", help="Name in the bank: STUDY@NAME.")] = "one",
    steps: Annotated[int, typer.Option("--steps", help="Tuning steps.", min=1, max=10_000)] = 60,
    rate: Annotated[float, typer.Option("--rate", help="Maximum learning rate.", min=1e-6, max=10)] = 0.01,
    home: Home = None,
    json: Json = False,
) -> None:
    """Train one soft prompt that answers like an adapted mixture, for formats that hold one prompt."""
    from fedprompt.workspace.local.distilling import distil as run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = run(
            ws,
            adapted=reference,
            data=data,
            unlabelled=unlabelled,
            name=name,
            steps=steps,
            rate=rate,
            words=own_words(words),
            columns=columns(map_, header, group),
            report=tell,
        )
    if json:
        emit(found)
        return
    line(found.sentence)
    line(
        f"saved as {found.name} ({found.adapted}) in {found.seconds:.1f} s; export it with: fedprompt export "
        f"'{found.name}'"
    )
