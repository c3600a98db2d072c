"""``fedprompt ui``: the app in the browser."""

from typing import Annotated

import typer

from fedprompt.cli.options import AllowOrigin, Home

__all__ = ["ui"]


def ui(
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65_535, help="The port. Default: 8501, or the next free one.")
    ] = None,
    address: Annotated[
        str,
        typer.Option("--address", help="The address to listen on. An address that other machines reach needs sign-in."),
    ] = "127.0.0.1",
    allow_origin: AllowOrigin = None,
    role: Annotated[
        str, typer.Option("--role", help="Role of this machine: alone, site or hub. The pages depend on it.")
    ] = "alone",
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Do not run the demo if the bank is empty.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the app in the default browser.")] = False,
    home: Home = None,
) -> None:
    """Start the app, on this machine only by default. Ctrl-C ends all its processes."""
    from fedprompt.workspace.machine.launch import ROLES, launch

    if role not in ROLES:
        raise typer.BadParameter(f"'{role}' is not a role; use one of {', '.join(ROLES)}", param_hint="--role")

    # echo flushes, so that the address is seen also where stdout is a file.
    demo = role == "alone" and not no_demo
    raise typer.Exit(
        launch(
            home, port, role, address=address, origins=allow_origin or (), open_browser=open_, demo=demo, say=typer.echo
        )
    )
