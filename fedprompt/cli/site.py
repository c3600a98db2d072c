"""``fedprompt site``: what the owner of private cases does to join a federation, and to see and bound what leaves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.options import Group, Header, Home, Json, Map, columns
from fedprompt.cli.showing import emit, line, show_calls, table
from fedprompt.cli.site_policy import policy
from fedprompt.cli.site_study import Site
from fedprompt.cli.site_study import app as study
from fedprompt.cli.stopping import stopping
from fedprompt.cli.telling import Teller

if TYPE_CHECKING:
    from fedprompt.workspace.cases.entered_cases import CasesNow

__all__ = [
    "app",
    "cases",
    "init",
    "join",
    "ledger",
    "pause",
    "policy",
    "publish",
    "pull",
    "rehearse",
    "report",
    "run",
    "status",
]

app = typer.Typer(help="Run a site with private cases (for the site operator).", no_args_is_help=True)
app.add_typer(study, name="study")
Data = Annotated[Path, typer.Option("--data", help="A file of cases: CSV, JSONL or Parquet.")]
Which = Annotated[str | None, typer.Option("--study", "-S", help="The accepted study, if there are several.")]


@app.command()
def init(
    invite: Annotated[Path, typer.Argument(help="The file written by 'fedprompt hub invite'.")],
    out: Annotated[Path | None, typer.Option("--out", help="The request to write. Default: SITE.request.zip.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Create the site's key, which stays here, and a request for the hub to sign."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.init import site_init

    found = site_init(find_home(home), invite, out=out)
    if json:
        emit(found)
        return
    line(f"'{found.site}' requests to join '{found.federation}' at {found.host}:{found.port}")
    line(f"send {found.request} to the hub's operator, and read them this fingerprint: {found.fingerprint}")


@app.command()
def join(
    kit: Annotated[Path, typer.Argument(help="The kit written by 'fedprompt hub admit'.")],
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Join the federation with the hub's kit."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.join import site_join

    found = site_join(find_home(home), kit, site=site)
    if json:
        emit(found)
        return
    line(f"'{found.site}' has joined '{found.federation}'")
    line("next: fedprompt site study show FILE")


@app.command()
def run(
    data: Data,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    study: Which = None,
    site: Site = None,
    home: Home = None,
) -> None:
    """Answer the accepted studies' tasks until Ctrl-C. One process holds the model and the cases."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.run import site_run

    with stopping() as stop:
        site_run(find_home(home), data, stop, typer.echo, columns=columns(map_, header, group), site=site, study=study)


@app.command()
def pause(
    off: Annotated[bool, typer.Option("--off", help="Accept tasks again.")] = False,
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Refuse all tasks. A running worker obeys from its next task on."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.pause import site_pause

    found = site_pause(find_home(home), on=not off, site=site)
    if json:
        emit(found)
    else:
        line(f"'{found.site}' {'is paused' if found.paused else 'accepts tasks'}")


@app.command()
def status(site: Site = None, home: Home = None, json: Json = False) -> None:
    """Show the site's state, its accepted studies, and what left."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.pause import LedgerBroken, site_status

    found = site_status(find_home(home), site=site)
    if json:
        emit(found)
        return
    state = "joined" if found.joined else "not joined yet"
    running = f"running as process {found.running}" if found.running else "not running"
    paused = ", paused" if found.paused else ""
    line(f"'{found.site}' of '{found.federation}' ({found.hub}): {state}, {running}{paused}")
    if found.identity is not None:
        line(f"its key: {found.identity}")
    for one in found.studies:
        line(f"accepted: {one.study} {one.digest} ({one.accepted})")
        digest = f"; digest {one.loads.model_digest}" if one.loads.model_digest else ""
        line(f"  its model: {one.loads.model}, from {one.loads.model_from or 'an unknown source'}{digest}")
        if one.loads.refused:
            line(f"  not answered: {one.loads.refused}")
        _say_cases(one.cases)
        for who, all_took in (("model", one.models), ("judge", one.judges)):
            for took in all_took:
                show_calls(took, who=f"the {who}")
    kept = found.ledger
    if isinstance(kept, LedgerBroken):
        line(kept.problem)
        return
    counts = f"{kept.sent} sent, {kept.resent} resent, {kept.refused} refused"
    for budget in found.budgets:
        line(f"privacy: {budget.sentence}")
    line(f"ledger: {counts}, {kept.bytes:,} bytes, head {(kept.head or '-')[:16]}")
    for note in found.notes:
        line(f"note: {note}")


@app.command()
def cases(
    begin_anew: Annotated[
        bool,
        typer.Option("--begin-anew", help="Forget which cases earlier answers used. Read what this reveals first."),
    ] = False,
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show which cases the site uses and how many new ones wait, or start a new case set."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.cases import site_cases

    found = site_cases(find_home(home), begin_anew=begin_anew, site=site)
    if json:
        emit(found)
        return
    for one in found.studies:
        line(f"{one.study}:")
        _say_cases(one.cases)
    if found.begun_anew:
        line(f"started over: {found.sentence}")


@app.command()
def rehearse(
    data: Data,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    study: Which = None,
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Answer every verb with the real file, and print what would leave. Nothing is sent."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.rehearse import site_rehearse

    with Teller() as tell:
        found = site_rehearse(
            find_home(home), data, columns=columns(map_, header, group), site=site, study=study, report=tell
        )
    if json:
        emit(found)
        return
    for row in found.would_leave:
        what, arrays = row.message["verb"], row.arrays or "none"
        line(f"{what}: {row.bytes:,} bytes in {row.seconds:.1f} s, arrays {arrays}")
        line(f"  {row.message}")
    line(f"{found.bytes:,} bytes would leave; nothing was sent")
    show_calls(found.judge)
    for sentence in found.not_rehearsed:
        line(f"not rehearsed: {sentence}")


@app.command()
def report(
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the page to this file instead of printing it.")
    ] = None,
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write one page for a security officer: what left and to whom, policy, packages, and open risks."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.report import site_report

    found = site_report(find_home(home), site=site)
    if json:
        emit(found)
    elif out is not None:
        out.write_text(found.page, encoding="utf-8")
        line(f"wrote {out}")
    else:
        line(found.page)


@app.command()
def publish(
    template: Annotated[str, typer.Argument(help="A template in this home's bank: its id, or name@tag.")],
    data: Data,
    map_: Map = None,
    header: Header = None,
    yes: Annotated[bool, typer.Option("--yes", help="Publish without asking.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="The file to write. Default: NAME.published.json.")] = None,
    study: Which = None,
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Publish the text of one of your templates, after you confirm it."""
    from fedprompt.auditing.repeated import WORDS
    from fedprompt.workspace.site.publish import Shown, site_publish
    from fedprompt.workspace.workspace import open_workspace

    def confirm(shown: Shown) -> bool:
        typer.echo(f"'{shown.name}':\n{shown.text}", err=True)
        for words, lines in shown.repeats.items():
            where = ", ".join(map(str, lines[:5])) + (" ..." if len(lines) > 5 else "")
            typer.echo(
                f"WARNING: {WORDS} consecutive words also occur in private cases (lines {where}): {words}", err=True
            )
        return yes or typer.confirm("allow this text to leave?", err=True)

    with open_workspace(home) as ws:
        found = site_publish(
            ws, template, data, confirm=confirm, columns=columns(map_, header), out=out, site=site, study=study
        )
    if json:
        emit(found)
    else:
        line(f"published as ledger entry {found.entry}; give {found.published} to the hub's operator")


@app.command()
def pull(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Your cases, to score the release on. Not needed for shared prompts alone."),
    ] = None,
    file: Annotated[Path | None, typer.Argument(help="A release. Default: the newest that the hub sent.")] = None,
    number: Annotated[
        int | None,
        typer.Option("--number", min=0, help="Accept this release although a newer one was accepted before."),
    ] = None,
    map_: Map = None,
    header: Header = None,
    group: Group = None,
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Download the federation's result, check its signature, and score it on your own validation cases."""
    from fedprompt.workspace.site.pull import site_pull
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        found = site_pull(
            ws, data, file=file, number=number, columns=columns(map_, header, group), site=site, report=tell
        )
    if json:
        emit(found)
        return
    title = f"{found.study}, release {found.number} of {found.released} by {found.signer}"
    if found.results:
        rows = [(r.name, r.n, "-" if r.value is None else f"{100 * r.value:.1f} %", r.prompt) for r in found.results]
        table(("prompt", "cases", "score", "id"), rows, title=title)
    else:
        line(title)
    line(found.sentence)
    show_calls(found.judge)


@app.command()
def ledger(
    verify: Annotated[bool, typer.Option("--verify", help="Only verify the ledger.")] = False,
    show: Annotated[int | None, typer.Option("--show", min=1, help="Print the exact bytes of this entry.")] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="A ledger head recorded by the hub. It must be in the ledger.")
    ] = None,
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List what left, verify the ledger, or print the bytes of one entry."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.ledger import site_ledger, site_ledger_show

    where = find_home(home)
    if show is not None:
        one = site_ledger_show(where, show, site=site)
        if json:
            emit(one)
            return
        line(f"entry {one.number}, {one.decision} {one.time}, {one.size:,} bytes, sha256 {one.sha256}")
        line(f"message: {one.message}")
        for name, rows in one.arrays.items():
            line(f"array {name}, {len(rows)} x {len(rows[0])}")
        line(one.bytes)
        return
    found = site_ledger(where, site=site, head=head)
    if json:
        emit(found)
        return
    if not verify and found.entries:
        rows = [(e.number, e.time, e.decision, e.code or e.verb, e.size, e.sha256[:12]) for e in found.entries]
        table(("entry", "time", "decision", "what", "bytes", "sha256"), rows)
    line(f"{len(found.entries)} entries, all verified; head {found.head}")
    for note in found.notes:
        line(f"note: {note}")


app.command()(policy)


def _say_cases(found: "CasesNow | None") -> None:
    if found is None:
        line("  cases not counted yet; 'fedprompt site run' counts them")
        return
    counts = ", ".join(f"{count:,} {split}" for split, count in found.cases.items())
    if found.at is not None:
        line(f"  cases behind the answers: {counts} (counted at {found.at})")
    line(f"  {found.sentence}")
