"""``fedprompt serve``: a prompt of the bank behind OpenAI's HTTP interface."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from fedprompt.cli.options import AllowOrigin, Home
from fedprompt.cli.stopping import stopping
from fedprompt.errors import FedPromptError

__all__ = ["serve"]


def serve(
    reference: Annotated[str, typer.Argument(help="name@tag, a prompt's id, or the start of an id.")],
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="The port. 0 chooses a free one.")] = 8600,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", help="The token file. Default: serve.token in the home folder, created on first use."
        ),
    ] = None,
    allow_origin: AllowOrigin = None,
    home: Home = None,
) -> None:
    """Answer OpenAI clients with a tuned prompt on the local model, until Ctrl-C."""
    from fedprompt.workspace.serve.serving import serving, token_of

    if not _loopback(host) and token_file is None:
        raise typer.BadParameter(
            f"{host} is open to other machines; give them a token with --token-file FILE",
            param_hint="--host",
        )
    token = token_of(home, token_file)
    with stopping() as stop, serving(reference, token, home, host, port, allow_origin or ()) as served:
        # echo flushes, so that the address is seen also where stdout is a file.
        typer.echo(f"{served.prompt.name} ({served.prompt.id}) on {served.prompt.model}: {served.url}")
        typer.echo(f"new token (shown only once): {token.text}" if token.new else "token: as saved")
        typer.echo(f"token file: {token.path}")
        if not _loopback(host):
            typer.echo(
                "fedprompt: traffic from clients is not encrypted; put a TLS proxy in front of this server", err=True
            )
        while not stop.wait(0.5):
            if not served.alive:
                raise FedPromptError(
                    "the server stopped unexpectedly; start it again with 'fedprompt --verbose serve'",
                    code="server-ended",
                )


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
