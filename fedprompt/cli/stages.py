"""``fedprompt stages``: template, soft prompt and adapter on the same cases, and what each step buys."""

from typing import Annotated, cast

import typer

from fedprompt.cli.options import Group, Header, Home, Json, Map, Seed, StudyFile, columns, sites
from fedprompt.cli.showing import emit, line, number, percent, table
from fedprompt.cli.telling import Teller

__all__ = ["stages"]


def stages(
    study: StudyFile,
    site: Annotated[
        list[str], typer.Option("--site", help="A site and its cases, such as clinic=clinic.csv. Repeatable.")
    ],
    only: Annotated[
        str, typer.Option("--only", help="Stages to run, with commas: template, soft, lora.")
    ] = "template,soft,lora",
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    seed: Seed = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only estimate time and traffic for each stage.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare a template, a soft prompt and an adapter on the same cases."""
    from fedprompt.workspace.rounds.stages import STAGES, StageName, foretell, run_stages
    from fedprompt.workspace.workspace import open_workspace

    chosen = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in STAGES]:
        raise typer.BadParameter(f"'{unknown[0]}' is not a stage; use {', '.join(STAGES)}", param_hint="--only")
    if not chosen:
        raise typer.BadParameter(f"no stage is named; use {', '.join(STAGES)}", param_hint="--only")
    wanted, files = cast("list[StageName]", chosen), sites(site)
    read_as = columns(map_, header, group)
    with open_workspace(home) as ws, Teller() as tell:
        if dry_run:
            expected = foretell(ws, study, dict(files), only=wanted, columns=read_as, report=tell)
        else:
            found = run_stages(ws, study, files, only=wanted, columns=read_as, seed=seed, report=tell)
    if dry_run:
        if json:
            emit({"stages": expected})
            return
        taken = [(one.stage, "" if one.seconds is None else f"{one.seconds:,.0f}", one.bytes) for one in expected]
        table(("stage", "seconds", "bytes"), taken)
        return
    if json:
        emit(found)
        return
    heads = (
        "stage",
        "test",
        "95 %",
        "worst site",
        "numbers tuned",
        "bytes a round",
        "seconds",
        "memory (MB)",
        "privacy",
    )
    rows = [
        (
            one.stage,
            percent(one.mean),
            number(one.low, one.high),
            percent(one.worst),
            f"{one.parameters:,}",
            f"{one.bytes:,}",
            f"{one.seconds:,.0f}",
            "" if one.memory is None else f"{one.memory / 2**20:,.0f}",
            one.privacy,
        )
        for one in found.stages
    ]
    table(heads, rows)
    for step in found.steps:
        line(step.sentence)
