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

__all__ = [
    "admit",
    "app",
    "contributions",
    "init",
    "invite",
    "release",
    "remove",
    "revoke",
    "run",
    "sites",
    "status",
    "take",
]

app = typer.Typer(help="Run a federation of sites on other machines (for the hub operator).", no_args_is_help=True)
app.add_typer(hub_round.app, name="round")
Site = Annotated[str, typer.Argument(help="The site's name.")]


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The federation's name.")],
    host: Annotated[
        str, typer.Option("--host", help="The host name under which sites reach this machine.")
    ] = "localhost",
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="The port that sites connect to.")] = 8002,
    admin_port: Annotated[
        int, typer.Option("--admin-port", min=1, max=65_535, help="A second port, used by the hub's engine.")
    ] = 8003,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make this home the hub of a federation, with a certificate authority and a strict policy."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.hub.init import hub_init

    found = hub_init(find_home(home), name, host=host, port=port, admin_port=admin_port)
    if json:
        emit(found)
        return
    line(f"created '{name}'; sites reach it at {host}:{port}")
    line(f"fingerprint of its certificate authority: {found.authority}")
    line("next: fedprompt hub invite SITE")


@app.command()
def invite(
    site: Site,
    org: Annotated[str | None, typer.Option("--org", help="Its organisation. Default: the site's name.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The file to write. Default: SITE.invite.json.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write an invitation, which tells a site how to reach and recognise the hub."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.hub.invite import hub_invite

    found = hub_invite(find_home(home), site, org=org, out=out)
    if json:
        emit(found)
        return
    line(f"give {found.invite} to the operator of '{site}'; the file contains no secret")
    line(f"read them this fingerprint over another channel, such as the phone: {found.authority}")


@app.command()
def admit(
    request: Annotated[Path, typer.Argument(help="The request written by 'fedprompt site init'.")],
    fingerprint: Annotated[
        str | None,
        typer.Option(
            "--fingerprint", help="The fingerprint that the site's operator read to you. Asked for if missing."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The kit to write. Default: SITE.kit.zip.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare a request's fingerprint with the one that the site's operator reads to you, then sign it."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.hub.admit import hub_admit

    def confirm(site: str, found: str) -> bool | str:
        if fingerprint is not None:
            return fingerprint
        typer.echo(f"'{site}' sent a request with the fingerprint  {found}", err=True)
        return typer.confirm("does it match the fingerprint that its operator reads to you?", err=True)

    found = hub_admit(find_home(home), request, confirm=confirm, out=out)
    if json:
        emit(found)
        return
    line(f"admitted '{found.site}' ({found.fingerprint})")
    line(f"give {found.kit} to its operator, who runs: fedprompt site join {Path(found.kit).name}")


@app.command()
def run(home: Home = None) -> None:
    """Run the transport's server until Ctrl-C. Start rounds with 'federate --transport flare'."""
    from fedprompt.workspace.enrolled.hub_engine import hub_run
    from fedprompt.workspace.home import find_home

    with stopping() as stop:
        hub_run(find_home(home), stop, typer.echo)


@app.command()
def status(home: Home = None, json: Json = False) -> None:
    """List the sites that were invited, admitted or revoked, and which are connected."""
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
    site: Annotated[str | None, typer.Argument(help="Only this site.")] = None,
    ledger_restarted: Annotated[
        bool, typer.Option("--ledger-restarted", help="Accept that this site's ledger was restarted. This is recorded.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show the last known state of each site's ledger, or accept that a ledger was restarted."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.hub.ledgers import hub_sites

    found = hub_sites(find_home(home), site, ledger_restarted=ledger_restarted)
    if json:
        emit(found)
        return
    if found.sites:
        rows = [(one.site, one.at, (one.head or "restarted")[:16], one.identity or "-") for one in found.sites]
        table(("site", "last seen", "ledger's head", "key"), rows)
    else:
        line("no site's ledger has been seen yet")
    for one in found.restarts:
        line(
            f"{one.at}: {one.by} accepted that the ledger of '{one.site}' was restarted, after {(one.head or '-')[:16]}"
        )


@app.command()
def revoke(site: Site, home: Home = None, json: Json = False) -> None:
    """Revoke a site for good: it gets no more tasks, and its certificate is no longer valid."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.hub.leave import hub_leave

    found = hub_leave(find_home(home), site, "revoked")
    if json:
        emit(found)
    else:
        line(f"revoked '{site}'")
        _say_packs(found.packs, site)


@app.command()
def remove(
    site: Site,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Remove its scores, and recompute the rounds without its updates.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Remove a site that left. Its scores still count, unless you give --recompute."""
    from fedprompt.workspace.hub.remove import hub_remove
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = hub_remove(ws, site, recompute=recompute)
    if json:
        emit(found)
        return
    line(f"removed '{site}'")
    _say_packs(found.packs, site)
    if recompute:
        line(f"{found.prompts} prompts are now ranked without its scores")
        line(found.not_recomputed or ("" if found.recomputed is None else found.recomputed.sentence))


@app.command()
def contributions(
    run: Annotated[str | None, typer.Option("--run", help="The federation. Default: the newest with updates.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show how much each site contributed, and whose updates stand out. No site is asked."""
    from fedprompt.workspace.rounds.contributing import contributions_of
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = contributions_of(ws, run)
    if json:
        emit(found)
        return
    rows = [
        (
            one.site,
            f"{one.value:.3f}",
            f"{one.error:.3f}",
            f"{one.without:.3f}",
            f"{one.norm:.3g}",
            "" if one.cosine is None else f"{one.cosine:.2f}",
            f"{one.outliers} of {one.rounds}",
        )
        for one in found.sites
    ]
    table(("site", "Shapley value", "error", "lost without", "norm", "cosine", "outliers"), rows)


@app.command()
def release(
    run: Annotated[str | None, typer.Option("--run", help="The finished federation. Default: the newest.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Also send it to the connected sites.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="The zip file to write. Default: STUDY.release.zip.")
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Sign the result of a federation, so that sites can pull it."""
    from fedprompt.workspace.hub.release import hub_release
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = hub_release(ws, run=run, out=out, send=send)
    if json:
        emit(found)
        return
    for name, prompt in found.prompts.items():
        line(f"{name}: {prompt}")
    seen = "with the scores of every site" if found.per_site else "without the scores of single sites"
    line(f"{found.release}, number {found.number}, {seen}, signed by {found.signer}")
    if found.pack is not None:
        held = ", ".join(f"{count} {kind}" for kind, count in found.members.items())
        line(f"it contains the pack {found.pack} of shared prompts: {held}")
    for id in found.superseded:
        line(f"it replaces the pack {id}, which contains data from a site that left")
    for note in found.notes:
        line(note)
    for site, said in found.sent.items():
        line(f"{site}: {said}")
    line("a site gets it with: fedprompt site pull --data FILE")


@app.command()
def take(
    file: Annotated[Path, typer.Argument(help="The file written by 'fedprompt site publish'.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Import a template that a site published into the bank."""
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
        many = "1 released pack contains" if len(packs) == 1 else f"{len(packs)} released packs contain"
        line(
            f"{many} data from '{site}', and copies cannot be called back; 'fedprompt hub release --send' "
            "makes a new release that tells sites not to use the old one"
        )


def _connected(site: "Member") -> str:
    return "-" if site.connected is None else "yes" if site.connected else "no"
