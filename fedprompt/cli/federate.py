"""``fedprompt federate``: a whole federation, what it would take, and what joining is worth."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.demo import show_rounds, show_test, show_work
from fedprompt.cli.options import (
    CacheBytes,
    CacheDtype,
    Group,
    Header,
    Home,
    Json,
    Map,
    Seed,
    StudyFile,
    columns,
    kept_in,
    sites,
)
from fedprompt.cli.showing import emit, line, money, number, percent, show_calls, table
from fedprompt.cli.telling import Teller

if TYPE_CHECKING:
    from fedprompt.evaluation.column_map import Columns
    from fedprompt.workspace.results.worth import WorthResult

__all__ = ["federate"]


def federate(
    study: StudyFile,
    site: Annotated[
        list[str] | None,
        typer.Option(
            "--site", help="A site and its cases, such as clinic=clinic.csv. Repeatable. With flare, only the name."
        ),
    ] = None,
    transport: Annotated[
        str, typer.Option("--transport", help="local: all sites in this process. flare: sites on their own machines.")
    ] = "local",
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    seed: Seed = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only estimate time and traffic for each site.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume a stopped run. Never start a new one.")] = False,
    worth: Annotated[
        bool, typer.Option("--worth", help="Measure the gain from joining: sites also answer as newcomers.")
    ] = False,
    cache_bytes: CacheBytes = None,
    cache_dtype: CacheDtype = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Run a whole federation: score, tune in rounds, and report test results."""
    if transport not in ("local", "flare"):
        raise typer.BadParameter(f"'{transport}' is not a transport; use local or flare", param_hint="--transport")
    cached_in = kept_in(cache_dtype)
    for option, value in (("--cache-bytes", cache_bytes), ("--cache-dtype", cached_in)):
        if transport == "flare" and value is not None:
            raise typer.BadParameter("with flare, each site has its own memory", param_hint=option)
    if transport == "flare" and (map_ or group or any("=" in one for one in site or ())):
        said = "with flare, each site names its own file and columns; give only the sites' names"
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
            found = federate_flare(ws, study, site or (), seed=seed, resume=resume, worth=worth, report=tell)
        else:
            found = run(
                ws,
                study,
                files,
                columns=columns(map_, header, group),
                seed=seed,
                resume=resume,
                worth=worth,
                cache_bytes=cache_bytes,
                cache_dtype=cached_in,
                report=tell,
            )
    if json:
        emit(found)
        return
    show_rounds(found.rounds)
    show_test(found.test)
    for sentence in found.sentences:
        line(sentence)
    if found.worth is not None:
        _show_worth(found.worth)
    show_work(found.work, found.clipped)
    show_calls(found.judge)


def _show_worth(found: "WorthResult") -> None:
    """Print what joining is worth: a row for each number of labelled cases, and a sentence."""
    from fedprompt.workspace.results.points import points
    from fedprompt.workspace.rounds.worth_ways import way_words

    rows = []
    for point, at in zip(found.curve, found.at, strict=True):
        needed = "more" if point.needed is None else f"{point.needed:.0f}"
        values = (percent(point.alone), percent(point.shared))
        span = number(point.low, point.high)
        rows.append(
            (point.n, point.sites, *values, points(point.gain, signed=True), span, needed, way_words(at.chosen))
        )
    if rows:
        heads = ("labelled cases", "sites", "alone", "shared", "points", "95 %", "needed alone", "best way")
        table(heads, rows, title="Gain from joining, at sites that did not tune these prompts")
    for sentence in (*found.sentences, *([] if found.note is None else [found.note])):
        line(sentence)
    for at in found.at:
        for site, reason in at.missing.items():
            line(f"{at.n} labelled cases: without {site} ({reason})")


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
    rows, chat = [], found.chat
    for name, one in found.sites.items():
        seconds = "-" if one.seconds is None else f"{one.seconds:.0f}"
        cases = "-" if one.cases is None else one.cases
        bill = () if one.chat is None else (_count(one.chat.calls), _count(one.chat.tokens), money(one.chat.cost))
        rows.append((name, cases, seconds, f"{one.sent:,}", f"{one.received:,}", *bill))
    counted = () if chat is None else ("calls", "tokens", "cost")
    table(("site", "cases", "seconds", "bytes to it", "bytes from it", *counted), rows, title=f"{found.rounds} rounds")
    if chat is not None:
        cost = money(chat.cost)
        line(f"all sites: {_count(chat.calls)} calls, at most {_count(chat.tokens)} tokens, cost {cost}")
    show_calls(None if found.judging is None else found.judging.judge, "at most ")
    line(f"nothing was sent; seconds are from {found.basis}")
    for note in found.notes:
        line(note)


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
