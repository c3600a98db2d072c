"""``fedprompt pretrain``: train a model's weights on text that stays where it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.options import SITE_NAME, Header, Home, Json, Map, Seed, StudyFile, columns
from fedprompt.cli.showing import emit, line, percent, table
from fedprompt.cli.telling import Teller

if TYPE_CHECKING:
    from fedprompt.workspace.rounds.pretraining_result import PretrainResult

__all__ = ["pretrain"]


def pretrain(
    study: StudyFile,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="A site and its text, a file or a folder: north=FOLDER. Over flare a name alone."),
    ] = None,
    transport: Annotated[
        str, typer.Option("--transport", help="local: all sites in this process; flare: sites on their own machines.")
    ] = "local",
    name: Annotated[
        str | None, typer.Option("--name", help="What the trained model is called; the study's name by default.")
    ] = None,
    column: Annotated[
        str | None, typer.Option("--column", help="The column of tables that holds the text; 'text' by default.")
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", help="Labelled cases: kept out of the text, and scored before and after."),
    ] = None,
    map_: Map = None,
    header: Header = None,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Resume a run that stopped; begin none.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Train a model on the text of several sites, in rounds; the text does not leave them."""
    if transport not in ("local", "flare"):
        raise typer.BadParameter(f"'{transport}' is neither local nor flare", param_hint="--transport")
    far, named = transport == "flare", list(data or ())
    if far and (column or cases or map_ or any("=" in one for one in named)):
        raise typer.BadParameter("over flare each site names its own files; give names alone", param_hint="--data")
    from fedprompt.workspace.rounds.pretraining import pretrain as run
    from fedprompt.workspace.rounds.pretraining import pretrain_flare
    from fedprompt.workspace.workspace import open_workspace

    texts = {} if far else _sites(named)
    with open_workspace(home) as ws, Teller() as tell:
        if far:
            found = pretrain_flare(ws, study, named, name=name, seed=seed, resume=resume, report=tell)
        else:
            found = run(
                ws,
                study,
                texts,
                name=name,
                column=column,
                cases=cases,
                columns=columns(map_, header, None),
                seed=seed,
                resume=resume,
                report=tell,
            )
    if json:
        emit(found)
        return
    _show(found)


def _show(found: "PretrainResult") -> None:
    rows = [
        (one.round, _number(one.perplexity), f"{one.sent:,}", f"{one.received:,}", ", ".join(one.missing) or "-")
        for one in found.rounds
    ]
    table(("round", "perplexity", "bytes to sites", "bytes from sites", "missing"), rows, title="rounds")
    told = []
    for site, one in found.sites.items():
        text = one.text
        fall = "-" if not one.before or one.after is None else percent(1 - one.after / one.before)
        counts = ("-", "-", "-", "-")
        if text is not None:
            left = sum(text.left_out.values())
            counts = (f"{text.kept + text.held_out:,}", f"{text.tokens:,}", f"{text.near_duplicates:,}", f"{left:,}")
        told.append((site, _number(one.before), _number(one.after), fall, *counts))
    heads = ("site", "before", "after", "fall", "documents", "tokens", "near-duplicates", "files left out")
    table(heads, told, title="perplexity of held-out text")
    if held := sum(one.text.evaluation for one in found.sites.values() if one.text is not None):
        line(f"{held:,} passages that hold evaluation cases were left out.")
    for sentence in found.sentences:
        line(sentence)
    line(f"The model has {found.weights:,} weights; its digest is {found.digest}.")
    line(f"A study takes it as 'model: {found.name}'. It took {found.seconds:.0f} s.")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _sites(given: list[str]) -> dict[str, list[Path]]:
    """Return ``north=FOLDER`` options as site -> its files and folders; a site may be named again for more.

    Raises:
        typer.BadParameter: one is not name=path, or the name cannot be a site's.
    """
    found: dict[str, list[Path]] = {}
    for one in given:
        site, equals, path = one.partition("=")
        if not (equals and path):
            raise typer.BadParameter(
                f"'{one}' is not name=path; write for example --data north=texts", param_hint="--data"
            )
        if not SITE_NAME.fullmatch(site.strip()):
            raise typer.BadParameter(
                f"'{site}' is no site's name; use letters, digits, '-', '_' and '.', at most 60", param_hint="--data"
            )
        found.setdefault(site.strip(), []).append(Path(path))
    return found
