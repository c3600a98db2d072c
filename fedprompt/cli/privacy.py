"""``fedprompt privacy``: what a prompt discloses about the cases that it was tuned on."""

from pathlib import Path
from typing import Annotated

import typer

from fedprompt.cli.options import Group, Header, Home, Json, Map, Seed, columns
from fedprompt.cli.showing import emit, line, table
from fedprompt.cli.telling import Teller

__all__ = ["app"]

app = typer.Typer(name="privacy", help="Measure what a prompt discloses about your cases.", no_args_is_help=True)


@app.callback()
def privacy() -> None:
    """Measure what a prompt discloses about your cases, on your own machine."""


@app.command()
def audit(
    prompt: Annotated[str, typer.Argument(help="A prompt's id, the beginning of one, name@tag, or an adapted prompt.")],
    data: Annotated[Path, typer.Option("--data", help="The cases that it was tuned on: CSV, JSONL or Parquet.")],
    pack: Annotated[
        bool, typer.Option("--pack", help="PROMPT is a pack: public:NAME, a pulled one, or a path.")
    ] = False,
    study: Annotated[
        Path | None, typer.Option("--study", "-S", help="The study's file, if the bank does not know it.")
    ] = None,
    others: Annotated[
        Path | None,
        typer.Option("--others", help="Cases that were not used for tuning. Default: the validation and test cases."),
    ] = None,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    shadows: Annotated[
        int, typer.Option("--shadows", min=0, max=256, help="Shadow prompts to tune. Fewer than 4 are not tuned.")
    ] = 8,
    seed: Seed = 0,
    home: Home = None,
    json: Json = False,
) -> None:
    """Attack a prompt with your own cases, and measure what it discloses. Nothing leaves this machine."""
    from fedprompt.workspace.local.audit_report import ATTACKS
    from fedprompt.workspace.local.auditing import audit as run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = run(
            ws,
            prompt,
            data,
            pack=pack,
            study=study,
            others=others,
            columns=columns(map_, header, group),
            shadows=shadows,
            seed=seed,
            report=tell,
        )
    if json:
        emit(found)
        return
    rows = [
        (
            ATTACKS[row.attack],
            row.unit,
            f"{row.got.value:.3f}",
            f"({row.got.low:.2f} to {row.got.high:.2f})",
            f"{row.guessing:.3g}",
            f"{row.p_adjusted:.2g}",
            "found" if row.found else "",
        )
        for row in found.attacks
    ]
    table(("attack", "measure", "result", "95 % interval", "guessing", "p", ""), rows)
    controls = [
        (one.control, one.unit, f"{one.got:.3g}", f"{one.needed:.3g}", "as expected" if one.found else "missed")
        for one in found.controls
    ]
    table(("control", "measure", "result", "threshold", ""), controls)
    if found.epsilon is not None:
        line(f"one tuning run: epsilon is at least {found.epsilon:.2f} (95 % confidence)")
    if found.update is not None and found.update_guessing is not None:
        low, high = 100 * found.update.low, 100 * found.update.high
        line(
            f"one step's update: {100 * found.update.value:.0f} % ({low:.0f} to {high:.0f}) of its batch can be picked "
            f"out of all cases; guessing gets {100 * found.update_guessing:.0f} %"
        )
    line(found.sentence)
