"""``fedprompt score``, ``tune``, ``federate`` and ``compare``: the work on a user's own cases."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

import typer

from fedprompt.cli.demo import show_rounds, show_test, show_work
from fedprompt.cli.options import Group, Header, Home, Json, Map, Seed, StudyFile, columns, sites
from fedprompt.cli.showing import emit, line, number, percent, show_calls, table
from fedprompt.cli.telling import Teller

if TYPE_CHECKING:
    from fedprompt.evaluation.column_map import Columns
    from fedprompt.models.protocols import CacheDtype as KeptIn

__all__ = ["compare", "federate", "score", "tune"]

SplitName = Literal["tune", "validation", "test"]
Data = Annotated[Path, typer.Option("--data", help="A CSV, JSONL or Parquet file of cases.")]
CacheBytes = Annotated[
    int | None,
    typer.Option("--cache-bytes", min=0, help="Keys and values to keep in memory; the rest goes to the disk."),
]
CacheDtype = Annotated[
    str | None,
    typer.Option("--cache-dtype", help="What they are kept in: model (its own dtype) or bfloat16, in half the room."),
]
SURE = 0.05
Split = Annotated[str, typer.Option("--split", help="tune, validation or test.")]


def score(
    study: StudyFile,
    data: Data,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    split: Split = "validation",
    seed: Seed = 0,
    model: Annotated[str | None, typer.Option("--model", help="Instead of the study's model.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    cache_bytes: CacheBytes = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute, and on a chat model pay for, what is known already.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Score every template of a study on one site's cases."""
    chosen = _split(split)
    if dry_run:
        _dry_run(study, data, columns(map_, header, group), chosen, model, home, json)
        return
    from fedprompt.evaluation.runs.label_pairs import LabelPair, told
    from fedprompt.workspace.local.scoring import score as run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = run(
            ws,
            study,
            data,
            columns=columns(map_, header, group),
            split=chosen,
            seed=seed,
            model=model,
            cache_bytes=cache_bytes,
            anew=no_cache,
            report=tell,
        )
    if json:
        emit(found)
        return
    _show_scores(found)
    for pair in found.get("label_pairs", ()):
        line(told(LabelPair(**pair)))
    if found["power"] is not None and not any(row["p_adjusted"] < SURE for row in found["against_best"][:1]):
        line(f"the best two: {found['power']}")
    show_calls(found["judge"])
    if "calls" in found:
        _say_chat(found)
        return
    show_work(found)
    line(f"{found['seconds']:.1f} s in all")
    if found["cached"]:
        line(f"{found['cached']:,} scores of single cases were known from an earlier run")


def _show_scores(found: dict[str, Any]) -> None:
    """Print the templates, the best first, and why free texts got what they got."""
    rows = sorted(found["results"], key=lambda entry: -(entry["value"] or 0.0))
    more = {"macro_f1": "macro F1", "balanced_accuracy": "balanced"}
    shown = [name for name in more if any(entry.get(name) is not None for entry in rows)]
    table(
        (
            *("template", "cases", rows[0]["metric"] if rows else "score", "95 %"),
            *(more[name] for name in shown),
            "prompt",
        ),
        [
            (
                *(entry["name"], entry["n"], percent(entry["value"]), number(entry)),
                *(percent(entry[name]) for name in shown),
                entry["prompt"],
            )
            for entry in rows
        ],
        title=f"{found['study']} on {found['split']} with {found['model']}",
    )
    why = [
        (entry["name"], label, reason, cases)
        for entry in rows
        for label, counts in entry["reasons"].items()
        for reason, cases in counts.items()
    ]
    if why:
        table(("template", "scorer", "reason", "cases"), why)
    for entry in rows:
        if entry["unscored"]:
            line(f"{entry['name']}: {entry['unscored']:,} cases could not be judged and are in no score")


def _dry_run(
    study: Path,
    data: Path,
    read_as: "Columns",
    split: SplitName,
    model: str | None,
    home: Path | None,
    json: bool,
) -> None:
    from fedprompt.workspace.local.dry_run import dry_run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = dry_run(ws, study, data, columns=read_as, split=split, model=model, report=tell)
    if json:
        emit(found)
        return
    line(f"{found['templates']:,} templates on {found['cases']:,} cases with {found['model']}, nothing was run:")
    if found["calls"]:
        where = "another machine" if found["remote"] else "this machine"
        line(f"{found['calls']:,} calls to a server on {where}")
        line(f"about {found['input_tokens']:,} tokens to read and at most {found['output_tokens']:,} to write")
        line(f"cost: {_money(found['cost'])}")
    else:
        line(f"about {found['tokens']:,} tokens")
    if found["seconds"] is not None:
        line(f"about {found['seconds']:.1f} s")
    show_calls(found["judge"], "at most ")
    for note in found["notes"]:
        line(note)


def _say_chat(found: dict[str, Any]) -> None:
    """Say how a chat model was asked, what it could not be asked, and what that cost."""
    methods = {entry["method"] for entry in found["results"]} - {None}
    told = {"likelihood": "by the likelihoods of its first token", "constrained": "by constrained answers"}
    for method in sorted(methods):
        line(f"answered {told[method]}")
    for entry in found["results"]:
        if entry["unparsed"]:
            lines = found["unparsed_lines"].get(entry["prompt"], [])
            shown = ", ".join(map(str, lines[:10])) + (" ..." if len(lines) > 10 else "")
            line(f"{entry['name']}: {entry['unparsed']} answers were no label and count as wrong (lines {shown})")
        for reason, count in sorted(entry["failed"].items()):
            line(f"{entry['name']}: {count} calls failed for good ({reason}) and are in no score")
    if found["cached"]:
        line(f"{found['cached']:,} answers were known from an earlier run and cost nothing")
    line(
        f"{found['calls']:,} calls, {found['tokens']:,} tokens, {found['seconds']:.1f} s, cost {_money(found['cost'])}"
    )
    for note in found["notes"]:
        line(note)


def _money(cost: dict[str, Any] | None) -> str:
    return "not known" if cost is None else f"{cost['amount']:,.4f} {cost['currency']}"


def tune(
    study: StudyFile,
    data: Data,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    seed: Seed = 0,
    cache_bytes: CacheBytes = None,
    cache_dtype: CacheDtype = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Tune the study's soft prompt on one site's cases; with rounds.patience, until validation no longer gains."""
    kept_in = _kept_in(cache_dtype)
    from fedprompt.workspace.local.tuning import tune as run
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = run(
            ws,
            study,
            data,
            columns=columns(map_, header, group),
            seed=seed,
            cache_bytes=cache_bytes,
            cache_dtype=kept_in,
            report=tell,
        )
    if json:
        emit(found)
        return
    line(f"{found['prompt']}: {found['steps']} steps in {found['seconds']:.1f} s")
    if loss := found["loss"]:
        line(f"loss {loss[0]:.3f} in the first part of the steps, {loss[-1]:.3f} in the last")
    for split in ("validation", "test"):
        entry = found.get(split) or {}
        line(f"{split}: {percent(entry.get('value'))} {number(entry)}".rstrip())
    show_work(found)


def federate(
    study: StudyFile,
    site: Annotated[
        list[str] | None,
        typer.Option("--site", help="A site and its cases: clinic=clinic.csv. Repeat it. Over flare a name alone."),
    ] = None,
    transport: Annotated[
        str, typer.Option("--transport", help="local: all sites in this process; flare: sites on their own machines.")
    ] = "local",
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    seed: Seed = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take, site by site.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that stopped; begin none.")] = False,
    cache_bytes: CacheBytes = None,
    cache_dtype: CacheDtype = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Run a whole federation: score, tune in rounds, report on test."""
    if transport not in ("local", "flare"):
        raise typer.BadParameter(f"'{transport}' is neither local nor flare", param_hint="--transport")
    kept_in = _kept_in(cache_dtype)
    for option, value in (("--cache-bytes", cache_bytes), ("--cache-dtype", kept_in)):
        if transport == "flare" and value is not None:
            raise typer.BadParameter("over flare each site has its own memory", param_hint=option)
    if transport == "flare" and (map_ or group or any("=" in one for one in site or ())):
        said = "over flare each site names its own file and columns; give names alone"
        raise typer.BadParameter(said, param_hint="--site")
    from fedprompt.workspace.rounds.federating import federate as run
    from fedprompt.workspace.rounds.federating import federate_flare
    from fedprompt.workspace.workspace import open_workspace

    files = sites(site or ()) if transport == "local" else {}
    if dry_run:
        _forecast(study, files or dict.fromkeys(site or ()), columns(map_, header, group), home, json)
        return
    with open_workspace(home) as ws, Teller() as tell:
        if transport == "flare":
            found = federate_flare(ws, study, site or (), seed=seed, resume=resume, report=tell)
        else:
            found = run(
                ws,
                study,
                files,
                columns=columns(map_, header, group),
                seed=seed,
                resume=resume,
                cache_bytes=cache_bytes,
                cache_dtype=kept_in,
                report=tell,
            )
    if json:
        emit(found)
        return
    show_rounds(found.get("rounds", ()))
    show_test(found.get("test", {}))
    for sentence in found.get("sentences", ()):
        line(str(sentence))
    show_work(found)
    show_calls(found.get("judge"))


def _forecast(
    study: Path,
    files: Mapping[str, Path | None],
    read_as: "Columns",
    home: Path | None,
    json: bool,
) -> None:
    from fedprompt.workspace.rounds.forecast import forecast
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = forecast(ws, study, files, columns=read_as, report=tell)
    if json:
        emit(found)
        return
    rows, chat = [], "calls" in found
    for name, one in found["sites"].items():
        seconds = "-" if one["seconds"] is None else f"{one['seconds']:.0f}"
        cases = "-" if one["cases"] is None else one["cases"]
        bill = (_count(one["calls"]), _count(one["tokens"]), _money(one["cost"])) if chat else ()
        rows.append((name, cases, seconds, f"{one['sent']:,}", f"{one['received']:,}", *bill))
    heads = ("site", "cases", "seconds", "bytes to it", "bytes from it", *(("calls", "tokens", "cost") if chat else ()))
    table(heads, rows, title=f"{found['rounds']} rounds")
    if chat:
        cost = _money(found["cost"])
        line(f"all sites: {_count(found['calls'])} calls, at most {_count(found['tokens'])} tokens, cost {cost}")
    show_calls(found.get("judge"), "at most ")
    line(f"nothing was sent; seconds: {found['basis']}")
    for note in found["notes"]:
        line(note)


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def compare(
    a: Annotated[str, typer.Argument(help="A prompt's id, or the beginning of one.")],
    b: Annotated[str, typer.Argument(help="The prompt to compare it with.")],
    more: Annotated[list[str] | None, typer.Argument(help="Up to two more to compare it with.")] = None,
    split: Split = "validation",
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare a prompt of the bank with one to three others over the cases that both were scored on."""
    chosen = _split(split)
    from fedprompt.workspace.ranking.comparing import compare_scores
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = compare_scores(ws, a, b, *(more or ()), split=chosen)
    if json:
        emit(found)
        return
    first, *others = found["prompts"]
    for second, pair in zip(others, found["pairs"], strict=True):
        rows = []
        for site, one in first["by_site"].items():
            other, apart = second["by_site"].get(site), pair["by_site"].get(site)
            values = (percent(None if entry is None else entry["value"]) for entry in (one, other))
            rows.append((site, *values, *(("-", "", "") if apart is None else _cells(apart))))
        if rows:
            table(("site", first["name"], second["name"], "points", "95 %", "p"), rows)
        line(pair["sentence"])
        if pair["p"] is not None:
            line(_tests_said(pair, len(others)))


def _tests_said(pair: dict[str, Any], pairs: int) -> str:
    """Return the test over all sites, how much they differ, and how many cases it takes."""
    name = {"mcnemar": "McNemar's exact test", "normal": "the paired test of means"}[pair["test"]]
    said = [f"{name} over {pair['n']:,} cases: p = {pair['p']:.3f}"]
    if pairs > 1:
        said.append(f"{pair['p_adjusted']:.3f} corrected for {pairs} comparisons (Holm)")
    if pair["i2"] is not None:
        said.append(f"{100 * pair['i2']:.0f} % of the spread between sites is more than chance (I squared)")
    return "; ".join([*said, pair["power"]])


def _cells(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Return a site's difference and its interval, both in points, and its p-value."""
    interval = f"({100 * entry['low']:+.1f} to {100 * entry['high']:+.1f})"
    return f"{100 * entry['difference']:+.1f}", interval, f"{entry['p']:.3f}"


def _split(name: str) -> SplitName:
    if name not in get_args(SplitName):
        raise typer.BadParameter(f"'{name}' is not one of tune, validation, test", param_hint="--split")
    return cast(SplitName, name)


def _kept_in(name: str | None) -> "KeptIn | None":
    if name is None:
        return None
    from fedprompt.models.protocols import CacheDtype as KeptIn

    if name not in get_args(KeptIn):
        raise typer.BadParameter(f"'{name}' is neither model nor bfloat16", param_hint="--cache-dtype")
    return cast("KeptIn", name)
