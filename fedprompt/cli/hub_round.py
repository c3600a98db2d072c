"""``fedprompt hub round``: look at the step that gathers answers now, and give orders to whoever runs it."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line, table

if TYPE_CHECKING:
    from fedprompt.workspace.rounds.given_orders import ShownOrder

__all__ = ["app", "close", "leave_out", "show", "take_back", "wait"]

app = typer.Typer(help="The round that gathers answers now: look at it, and give orders.", no_args_is_help=True)
Run = Annotated[str | None, typer.Option("--run", help="Which federation, by id; the one that runs now by default.")]
Patience = Annotated[float, typer.Option("--patience", min=0, max=3600, help="Seconds to wait for the order's answer.")]
Site = Annotated[str, typer.Argument(help="The site's name.")]


@app.command()
def show(run: Run = None, home: Home = None, json: Json = False) -> None:
    """Say who has answered, who is waited for and for how long, who is left out, and which orders were given."""
    from fedprompt.workspace.rounds.given_orders import round_shown
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        found = round_shown(ws, run)
    if json:
        emit(found)
        return
    step = found.step
    if step is None:
        line(f"{found.run}: " + ("runs, and no step gathers now" if found.running else "does not run now"))
    else:
        counts = f"{step.answered} answered, {step.quorum} needed"
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
        float | None, typer.Option("--seconds", min=1, max=604_800, help="How much longer; as long again by default.")
    ] = None,
    run: Run = None,
    patience: Patience = 5.0,
    home: Home = None,
    json: Json = False,
) -> None:
    """Give the sites of the step that gathers now more time."""
    _give("wait", run, patience, home, json, seconds=seconds)


@app.command()
def close(run: Run = None, patience: Patience = 5.0, home: Home = None, json: Json = False) -> None:
    """Close the step that gathers now: it goes on with who has answered, refused where the quorum has not."""
    _give("close", run, patience, home, json)


@app.command("leave-out")
def leave_out(site: Site, run: Run = None, patience: Patience = 5.0, home: Home = None, json: Json = False) -> None:
    """Ask a site no more, from this step on, and count it for no quorum, until it is taken back."""
    _give("leave-out", run, patience, home, json, site=site)


@app.command("take-back")
def take_back(site: Site, run: Run = None, patience: Patience = 5.0, home: Home = None, json: Json = False) -> None:
    """Ask a site that was left out again, from the next round on."""
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
    return ("waits its turn", "") if seconds is None else ("is waited for", f"for {seconds:.0f} s")


def _named(order: "ShownOrder") -> str:
    more = order.site or (f"{order.seconds:.0f} s" if order.seconds else "")
    return f"{order.what} {more}".rstrip()
