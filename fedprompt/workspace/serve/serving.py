"""``fedprompt serve``: one prompt of the bank behind OpenAI's HTTP interface, on a socket of its own.

Invariant: nobody is answered without the token, on loopback neither: web pages and other users reach it there.
"""

import json
import logging
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import FedPromptError
from fedprompt.extras import pip_command
from fedprompt.workspace.door.doorway import Doorway
from fedprompt.workspace.door.own_address import addresses_of
from fedprompt.workspace.door.patience import patient_protocol
from fedprompt.workspace.home import find_home
from fedprompt.workspace.secret_file import secret_in
from fedprompt.workspace.serve.app import make_app
from fedprompt.workspace.serve.opened import BankPrompt, open_bank
from fedprompt.workspace.serve.replies import error_body

__all__ = ["DEFAULT_PORT", "Token", "serving", "token_of"]

DEFAULT_PORT = 8600
NAME = "serve.token"
SHORTEST_TOKEN, LONGEST_TOKEN = 20, 512
START_SECONDS = 20.0
END_SECONDS = 5
_TOKEN = re.compile(r"[\x21-\x7e]+")  # what an HTTP header carries as it is


@dataclass(frozen=True)
class Token:
    """The token, its file, and whether the file was made just now."""

    text: str
    path: Path
    new: bool

    def __repr__(self) -> str:
        return f"Token(path={self.path}, new={self.new})"


@dataclass(frozen=True)
class Served:
    """A server that runs: where clients find it, and which prompt answers."""

    url: str
    prompt: BankPrompt
    _thread: threading.Thread

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive()


def token_of(home: Path | None = None, path: Path | None = None) -> Token:
    """Return the server's token, made at first use.

    Args:
        home: the home folder; the token is its ``serve.token``.
        path: another file in its place.

    Raises:
        FedPromptError: it cannot be made or read, others can read it, or it holds no token.
    """
    chosen = find_home(home).path / NAME if path is None else path
    new = not chosen.exists()
    held = secret_in(chosen, "the server's token", lambda: secrets.token_urlsafe(32).encode() + b"\n", LONGEST_TOKEN)
    text = held.decode("utf-8", "replace").strip()
    if not SHORTEST_TOKEN <= len(text) <= LONGEST_TOKEN or not _TOKEN.fullmatch(text):
        raise FedPromptError(
            f"{chosen} has no valid token, which is one line of {SHORTEST_TOKEN} to {LONGEST_TOKEN} letters, "
            "digits and signs; delete the file to get a new one",
            code="no-token",
        )
    return Token(text, chosen, new)


@contextmanager
def serving(
    reference: str,
    token: Token,
    home: Path | None = None,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    origins: Sequence[str] = (),
) -> Iterator[Served]:
    """Serve a prompt of the bank until the block ends; requests that are being answered then have five seconds.

    Args:
        reference: ``name@tag``, an id, or a beginning of one; looked up once.
        token: what each request must carry.
        home: the home folder.
        host: the address to bind to.
        port: the port, 0 for a free one.
        origins: further addresses under which clients see the server, such as a proxy's.

    Raises:
        BankError, ModelError, AssetError, PromptError: the prompt cannot be run, or not by a server.
        FedPromptError: a package is missing, the address cannot be taken, a further address is none, or the server does
            not start.
    """
    try:
        import fastapi  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise FedPromptError(
            f"serving needs the package {error.name}; run: {pip_command('serve')}",
            code="package-missing",
        ) from error
    addresses = addresses_of(origins)
    with open_bank(home) as bank:
        prompt = bank.get(reference)
    app = Doorway(make_app(prompt, reference, token.text), addresses, say=_said)
    with _bound(host, port) as bound:
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            log_level=logging.WARNING,
            ws="none",
            lifespan="off",
            http=patient_protocol(),
            timeout_graceful_shutdown=END_SECONDS,
            server_header=False,
            proxy_headers=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="fedprompt-serve", daemon=True)
        thread.start()
        try:
            _await_start(server, thread)
            shown = f"[{host}]" if ":" in host else host
            yield Served(f"http://{shown}:{bound.getsockname()[1]}/v1", prompt, thread)
        finally:
            server.should_exit = True
            thread.join(2 * END_SECONDS)


def _said(why: str) -> tuple[str, str]:
    return "application/json", json.dumps(error_body(why, "invalid_request_error", code="forbidden"))


def _await_start(server: object, thread: threading.Thread) -> None:
    end = time.monotonic() + START_SECONDS
    while not getattr(server, "started", False):
        if not thread.is_alive() or time.monotonic() > end:
            raise FedPromptError(
                "the server did not start; 'fedprompt --verbose serve' shows details", code="server-ended"
            )
        time.sleep(0.01)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            made.listen(128)
        except OSError:
            made.close()
            raise
        return made
    except OSError as error:
        raise FedPromptError(
            f"{host} port {port} is not available ({error.strerror}); give another with --port, or 0 for a free one",
            code="port-taken",
        ) from error
