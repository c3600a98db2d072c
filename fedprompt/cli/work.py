"""``fedprompt score``, ``tune``, ``federate`` and ``compare``: the work on a user's own cases."""

from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

import typer

from fedprompt.cli.demo import show_rounds, show_test
from fedprompt.cli.options import Group, Home, Json, Map, Seed, StudyFile, pairs, sites
from fedprompt.cli.showing import emit, line, number, percent, table
from fedprompt.cli.telling import Teller

__all__ = ["compare", "federate", "score", "tune"]

SplitName = Literal["tune", "validation", "test"]
Data = Annotated[Path, typer.Option("--data", help="A CSV, JSONL or Parquet file of cases.")]
Split = Annotated[str, typer.Option("--split", help="tune, validation or test.")]


def score(
    study: StudyFile,
    data: Data,
    map_: Map = None,
    group: Group = None,
    split: Split = "validation",
    seed: Seed = 0,
    model: Annotated[str | None, typer.Option("--model", help="Instead of the study's model.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Score every template of a study on one site's cases."""
    chosen = _split(split)
    from fedprompt.workspace.scoring import score as run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = run(
            ws,
            study,
            data,
            mapping=pairs(map_),
            group=group,
            split=chosen,
            seed=seed,
            model=model,
            report=tell,
        )
    if json:
        emit(found)
        return
    table(
        (
            "template",
            "cases",
            found["results"][0]["metric"] if found["results"] else "score",
            "95 %",
            "prompt",
        ),
        [
            (entry["name"], entry["n"], percent(entry["value"]), number(entry), entry["prompt"])
            for entry in sorted(found["results"], key=lambda entry: -(entry["value"] or 0.0))
        ],
        title=f"{found['study']} on {found['split']} with {found['model']}",
    )
    line(
        f"{found['tokens']:,} tokens, of which {100 * found['share_ratio']:.0f} % were computed, "
        f"in {found['seconds']:.1f} s"
    )


def tune(
    study: StudyFile,
    data: Data,
    map_: Map = None,
    group: Group = None,
    seed: Seed = 0,
    home: Home = None,
    json: Json = False,
) -> None:
    """Tune the study's soft prompt on one site's cases."""
    from fedprompt.workspace.tuning import tune as run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = run(ws, study, data, mapping=pairs(map_), group=group, seed=seed, report=tell)
    if json:
        emit(found)
        return
    line(f"{found['prompt']}: {found['steps']} steps in {found['seconds']:.1f} s")
    if loss := found["loss"]:
        line(f"loss {loss[0]:.3f} in the first part of the steps, {loss[-1]:.3f} in the last")
    for split in ("validation", "test"):
        entry = found.get(split) or {}
        line(f"{split}: {percent(entry.get('value'))} {number(entry)}".rstrip())


def federate(
    study: StudyFile,
    site: Annotated[list[str], typer.Option("--site", help="A site and its cases: clinic=clinic.csv. Repeat it.")],
    map_: Map = None,
    group: Group = None,
    seed: Seed = 0,
    home: Home = None,
    json: Json = False,
) -> None:
    """Run a whole federation of sites in this process: score, tune in rounds, report on test."""
    from fedprompt.workspace.federating import federate as run
    from fedprompt.workspace.workspace import open_workspace

    files = sites(site)
    with open_workspace(home) as ws, Teller() as tell:
        found = run(ws, study, files, mapping=pairs(map_), group=group, seed=seed, report=tell)
    if json:
        emit(found)
        return
    show_rounds(found.get("rounds", ()))
    show_test(found.get("test", {}))
    for sentence in found.get("sentences", ()):
        line(str(sentence))


def compare(
    a: Annotated[str, typer.Argument(help="A prompt's id, or the beginning of one.")],
    b: Annotated[str, typer.Argument(help="The prompt to compare it with.")],
    split: Split = "validation",
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare two prompts of the bank over the cases that both were scored on."""
    chosen = _split(split)
    from fedprompt.workspace.comparing import compare_scores
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = compare_scores(ws, a, b, split=chosen)
    if json:
        emit(found)
        return
    first, second = found["prompts"]
    rows = []
    for site, one in first["by_site"].items():
        other, apart = second["by_site"].get(site), found["by_site"].get(site)
        values = (percent(None if entry is None else entry["value"]) for entry in (one, other))
        rows.append((site, *values, *(("-", "") if apart is None else _cells(apart))))
    if rows:
        table(("site", first["name"], second["name"], "points", "95 %"), rows)
    line(found["sentence"])


def _cells(entry: dict[str, Any]) -> tuple[str, str]:
    """Return a site's difference and its interval, both in points."""
    return f"{100 * entry['difference']:+.1f}", f"({100 * entry['low']:+.1f} to {100 * entry['high']:+.1f})"


def _split(name: str) -> SplitName:
    if name not in get_args(SplitName):
        raise typer.BadParameter(f"'{name}' is not one of tune, validation, test", param_hint="--split")
    return cast(SplitName, name)
