"""``fedprompt harden``: a soft prompt made into words, for models that take only text."""

from pathlib import Path
from typing import Annotated

import typer

from fedprompt.cli.options import Group, Header, Home, Json, Map, Seed, columns
from fedprompt.cli.showing import emit, line, number, percent, table
from fedprompt.cli.telling import Teller

__all__ = ["harden"]


def harden(
    prompt: Annotated[str, typer.Argument(help="A soft prompt: its id, the start of an id, or name@tag.")],
    data: Annotated[Path, typer.Option("--data", help="A file of cases: CSV, JSONL or Parquet.")],
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    steps: Annotated[
        int, typer.Option("--steps", min=0, help="Maximum search steps. 0 only projects the vectors to words.")
    ] = 40,
    fluency: Annotated[
        float, typer.Option("--fluency", min=0.0, help="Penalty for unlikely words. 0 allows any words.")
    ] = 0.01,
    seed: Seed = 0,
    home: Home = None,
    json: Json = False,
) -> None:
    """Convert a soft prompt to words, and report how much of its accuracy they keep."""
    from fedprompt.workspace.local.hardening import harden as run
    from fedprompt.workspace.results.labels import HARDENING
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = run(
            ws,
            prompt,
            data,
            columns=columns(map_, header, group),
            steps=steps,
            fluency=fluency,
            seed=seed,
            report=tell,
        )
    if json:
        emit(found)
        return
    rows = []
    for key, row in found.validation.items():
        score, against = row.score, row.against_soft
        apart = "" if against is None else f"{100 * against.difference:+.1f}"
        span = "" if against is None else f"({100 * against.low:+.1f} to {100 * against.high:+.1f})"
        rows.append((HARDENING[key], percent(score.value), number(score.low, score.high), apart, span, row.prompt))
    table(("validation", "right", "95 %", "points", "95 %", "prompt"), rows)
    line(found.template)
    line(found.sentence)
