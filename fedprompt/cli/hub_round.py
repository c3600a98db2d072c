"""``fedprompt hub round``: look at the step that gathers answers now, and give orders to whoever runs it."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line, table

if TYPE_CHECKING:
    from fedprompt.workspace.rounds.given_orders import ShownOrder

__all__ = ["app", "close", "leave_out", "show", "take_back", "wait"]

app = typer.Typer(help="Show and control the round that is running now.", no_args_is_help=True)
Run = Annotated[str | None, typer.Option("--run", help="The federation's id. Default: the one that is running.")]
Patience = Annotated[float, typer.Option("--patience", min=0, max=3600, help="Seconds to wait for a reply.")]
Site = Annotated[str, typer.Argument(help="The site's name.")]


@app.command()
def show(run: Run = None, home: Home = None, json: Json = False) -> None:
    """Show which sites have answered, which are working or excluded, and the orders so far."""
    from fedprompt.workspace.rounds.given_orders import round_shown
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = round_shown(ws, run)
    if json:
        emit(found)
        return
    step = found.step
    if step is None:
        line(f"{found.run}: " + ("is running, but no step is waiting for sites" if found.running else "is not running"))
    else:
        counts = f"{step.answered} answered, {step.quorum} required"
        line(f"{found.run}: round {step.round}, {step.step}; {counts}")
        rows = [(site, "answered", "") for site in step.came]
        rows += [(site, *_waits(seconds)) for site, seconds in step.waiting.items()]
        rows += [(site, "missing", why) for site, why in step.missing.items()]
        table(("site", "state", ""), rows)
    for site, why in found.left_out.items():
        line(f"'{site}' is {why}")
    for one in found.orders:
        line(f"{one.at[:16].replace('T', ' ')} {one.by}: {_named(one)}: {one.said}")


@app.command()
def wait(
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=1, max=604_800, help="Extra time. Default: the same time again.")
    ] = None,
    run: Run = None,
    patience: Patience = 5.0,
    home: Home = None,
    json: Json = False,
) -> None:
    """Give the sites of the present step more time."""
    _give("wait", run, patience, home, json, seconds=seconds)


@app.command()
def close(run: Run = None, patience: Patience = 5.0, home: Home = None, json: Json = False) -> None:
    """Close the present step. It continues with the sites that have answered, or fails without a quorum."""
    _give("close", run, patience, home, json)


@app.command("leave-out")
def leave_out(site: Site, run: Run = None, patience: Patience = 5.0, home: Home = None, json: Json = False) -> None:
    """Exclude a site from this step on. It does not count for the quorum until you include it again."""
    _give("leave-out", run, patience, home, json, site=site)


@app.command("take-back")
def take_back(site: Site, run: Run = None, patience: Patience = 5.0, home: Home = None, json: Json = False) -> None:
    """Include an excluded site again, from the next round on."""
    _give("take-back", run, patience, home, json, site=site)


def _give(
    what: Literal["wait", "close", "leave-out", "take-back"],
    run: str | None,
    patience: float,
    home: Home,
    json: bool,
    *,
    site: str | None = None,
    seconds: float | None = None,
) -> None:
    from fedprompt.errors import FederationError
    from fedprompt.workspace.as_json import as_json
    from fedprompt.workspace.rounds.given_orders import await_answer, give_order
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        chosen, order = give_order(ws, what, run=run, site=site, seconds=seconds)
        given = await_answer(ws, chosen, order, patience)
    if given.done is False:
        raise FederationError(f"refused: {given.said}", code="order-refused")
    if json:
        emit({"run": chosen, **as_json(given.shown())})
    else:
        line(given.said)


def _waits(seconds: float | None) -> tuple[str, str]:
    return ("in the queue", "") if seconds is None else ("working", f"for {seconds:.0f} s")


def _named(order: "ShownOrder") -> str:
    more = order.site or (f"{order.seconds:.0f} s" if order.seconds else "")
    return f"{order.what} {more}".rstrip()
