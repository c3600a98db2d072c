"""``fedprompt assets``: the default model, the encoder and the demo's texts."""

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line, table
from fedprompt.cli.telling import Teller

__all__ = ["app", "list_", "pull"]

app = typer.Typer(help="Manage the default model, the encoder and the demo's texts.", no_args_is_help=True)


@app.command()
def pull(home: Home = None, json: Json = False) -> None:
    """Download the assets and check their digests. Assets that are already here are skipped."""
    from fedprompt.workspace.assets import pull_assets
    from fedprompt.workspace.home import find_home

    with Teller() as tell:
        found = pull_assets(find_home(home), tell)
    if json:
        emit(found)
    else:
        for asset in found.assets:
            line(f"{asset.name}: ready in {asset.path}")


@app.command("list")
def list_(home: Home = None, json: Json = False) -> None:
    """List the assets and whether they are on this machine."""
    from fedprompt.workspace.assets import list_assets
    from fedprompt.workspace.home import find_home

    found = list_assets(find_home(home))
    if json:
        emit({"assets": found})
    else:
        table(
            ("asset", "what", "licence", "MB", "state"),
            [(a.name, a.what, a.licence, f"{a.bytes / 1e6:.0f}", "ready" if a.ready else "absent") for a in found],
        )
