"""``fedprompt hub``: what a federation's operator does so that sites on other machines can join and be asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli import hub_round
from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line, table
from fedprompt.cli.stopping import stopping

if TYPE_CHECKING:
    from fedprompt.workspace.hub.status import Member

__all__ = ["admit", "app", "init", "invite", "release", "remove", "revoke", "run", "sites", "status", "take"]

app = typer.Typer(help="A federation of sites on other machines, for its operator.", no_args_is_help=True)
app.add_typer(hub_round.app, name="round")
Site = Annotated[str, typer.Argument(help="The site's name.")]


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The federation's name.")],
    host: Annotated[str, typer.Option("--host", help="The name by which sites reach this machine.")] = "localhost",
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="The port that sites dial.")] = 8002,
    admin_port: Annotated[
        int, typer.Option("--admin-port", min=1, max=65_535, help="A second port of the hub's engine.")
    ] = 8003,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make this home the hub of a federation: its authority, its certificates, a hardened policy."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.hub.init import hub_init

    found = hub_init(find_home(home), name, host=host, port=port, admin_port=admin_port)
    if json:
        emit(found)
        return
    line(f"'{name}' is made; sites reach it at {host}:{port}")
    line(f"fingerprint of its authority: {found.authority}")
    line("next: fedprompt hub invite SITE")


@app.command()
def invite(
    site: Site,
    org: Annotated[str | None, typer.Option("--org", help="Its organisation; the site's name by default.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; SITE.invite.json by default.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write a file that tells a site where the hub is and how to know it."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.hub.invite import hub_invite

    found = hub_invite(find_home(home), site, org=org, out=out)
    if json:
        emit(found)
        return
    line(f"give {found.invite} to the operator of '{site}'; there is no secret in it")
    line(f"they should hear this from you, by another way: {found.authority}")


@app.command()
def admit(
    request: Annotated[Path, typer.Argument(help="The request that 'fedprompt site init' made.")],
    fingerprint: Annotated[
        str | None, typer.Option("--fingerprint", help="What the site's operator read aloud; asked for if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The kit to write; SITE.kit.zip by default.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare a request's fingerprint with what the site's operator reads, and sign it."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.hub.admit import hub_admit

    def confirm(site: str, found: str) -> bool | str:
        if fingerprint is not None:
            return fingerprint
        typer.echo(f"'{site}' asks with the fingerprint  {found}", err=True)
        return typer.confirm("is it what its operator reads to you?", err=True)

    found = hub_admit(find_home(home), request, confirm=confirm, out=out)
    if json:
        emit(found)
        return
    line(f"'{found.site}' is admitted ({found.fingerprint})")
    line(f"give {found.kit} to its operator, who runs: fedprompt site join {Path(found.kit).name}")


@app.command()
def run(home: Home = None) -> None:
    """Keep the transport's server running; Ctrl-C ends it. Rounds are started by 'federate --transport flare'."""
    from fedprompt.workspace.enrolled.hub_engine import hub_run
    from fedprompt.workspace.home import find_home

    with stopping() as stop:
        hub_run(find_home(home), stop, typer.echo)


@app.command()
def status(home: Home = None, json: Json = False) -> None:
    """Say who was invited, admitted or sent away, and who is connected."""
    from fedprompt.workspace.hub.status import hub_status
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = hub_status(ws)
    if json:
        emit(found)
        return
    state = "running" if found.running else "not running"
    line(f"'{found.federation}' at {found.host}:{found.port}, {state}")
    rows = [(s.site, s.state, _connected(s), s.fingerprint or "-", (s.head or "-")[:16]) for s in found.sites]
    if rows:
        table(("site", "state", "connected", "fingerprint", "ledger's head"), rows)


@app.command()
def sites(
    site: Annotated[str | None, typer.Argument(help="Only this one.")] = None,
    ledger_restarted: Annotated[
        bool, typer.Option("--ledger-restarted", help="Accept that this site's ledger began anew; it is recorded.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Say what was last seen of each site's ledger, over all runs; or accept that one began anew."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.hub.ledgers import hub_sites

    found = hub_sites(find_home(home), site, ledger_restarted=ledger_restarted)
    if json:
        emit(found)
        return
    if found.sites:
        rows = [(one.site, one.at, (one.head or "begins anew")[:16], one.identity or "-") for one in found.sites]
        table(("site", "last seen", "ledger's head", "key"), rows)
    else:
        line("no site's ledger was seen yet")
    for one in found.restarts:
        line(f"{one.at}: {one.by} accepted that the ledger of '{one.site}' began anew, after {(one.head or '-')[:16]}")


@app.command()
def revoke(site: Site, home: Home = None, json: Json = False) -> None:
    """Send a site away for good: it is asked no more, and its certificate opens nothing."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.hub.leave import hub_leave

    found = hub_leave(find_home(home), site, "revoked")
    if json:
        emit(found)
    else:
        line(f"'{site}' is revoked")
        _say_packs(found.packs, site)


@app.command()
def remove(
    site: Site,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Take its scores out, and replay the rounds without its updates.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Note that a site left: as 'revoke', under another word. Its scores count on, unless --recompute."""
    from fedprompt.workspace.hub.remove import hub_remove
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = hub_remove(ws, site, recompute=recompute)
    if json:
        emit(found)
        return
    line(f"'{site}' is removed")
    _say_packs(found.packs, site)
    if recompute:
        line(f"{found.prompts} prompts are ranked without what it scored")
        line(found.not_recomputed or ("" if found.recomputed is None else found.recomputed.sentence))


@app.command()
def release(
    run: Annotated[str | None, typer.Option("--run", help="Which finished federation; the newest by default.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Hand it to the sites that are connected now.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="The zip to write; STUDY.release.zip by default.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Sign the result of a federation, for the sites to pull."""
    from fedprompt.workspace.hub.release import hub_release
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = hub_release(ws, run=run, out=out, send=send)
    if json:
        emit(found)
        return
    for name, prompt in found.prompts.items():
        line(f"{name}: {prompt}")
    seen = "with what every site scores" if found.per_site else "without what single sites score"
    line(f"{found.release}, number {found.number}, {seen}, signed by {found.signer}")
    if found.pack is not None:
        held = ", ".join(f"{count} {kind}" for kind, count in found.members.items())
        line(f"it holds the pack {found.pack} of shared prompts: {held}")
    for id in found.superseded:
        line(f"it supersedes the pack {id}, which holds what a site gave that has left")
    for note in found.notes:
        line(note)
    for site, said in found.sent.items():
        line(f"{site}: {said}")
    line("a site takes it with: fedprompt site pull --data FILE")


@app.command()
def take(
    file: Annotated[Path, typer.Argument(help="What 'fedprompt site publish' wrote.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Take a template that a site published into the bank."""
    from fedprompt.workspace.hub.take import hub_take
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = hub_take(ws, file)
    if json:
        emit(found)
    else:
        line(f"'{found.site}' published '{found.name}' ({found.prompt}):")
        line(found.text)


def _say_packs(packs: Sequence[str], site: str) -> None:
    if packs:
        many = "1 released pack holds" if len(packs) == 1 else f"{len(packs)} released packs hold"
        line(
            f"{many} what '{site}' gave, and copies cannot be called back: 'fedprompt hub release --send' makes a "
            "newer one, which tells sites not to use the old"
        )


def _connected(site: "Member") -> str:
    return "-" if site.connected is None else "yes" if site.connected else "no"
