"""Streamlit's server, which begins to listen once it has read what pages are made of: the first visitor need not wait.

``python -m app.server run app/main.py ...`` is ``streamlit run app/main.py ...`` otherwise.
"""

import gc
import inspect
import socket
from collections.abc import Callable
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

from fedprompt.errors import FedPromptError

__all__ = ["main", "send_at_once"]


def main() -> None:
    """Read the panels and what they draw with, and hand over to Streamlit's own command line."""
    import altair  # noqa: F401  (Streamlit reads these where a chart or a table is drawn first)
    import pandas  # noqa: F401

    import app.panels
    from app.door import put_doorway

    for module in walk_packages(app.panels.__path__, "app.panels."):
        import_module(module.name)
    import_module("streamlit.web.bootstrap")
    send_at_once()
    try:
        put_doorway()
    except FedPromptError as error:
        raise SystemExit(f"fedprompt: {error}") from error
    inspect.stack()  # Streamlit asks for it once, at its first element, and the answer takes 0.16 s the first time
    from streamlit.web.cli import main as streamlit

    # A full collection of garbage looks at every object there is: a quarter of a million come from what was read until
    # here, and looking takes longer than most pages. They stay, so they are left out.
    gc.collect()
    gc.freeze()
    streamlit()


def send_at_once() -> None:
    """Turn Nagle's algorithm off on the socket that the server will listen on, and so on all that it accepts.

    asyncio turns it off where a socket says that it speaks TCP, and Streamlit's says nothing. An answer is two writes,
    and the second waited for the browser to acknowledge the first: 40 ms a file, and a first page is 70 to 130 files.
    """
    from streamlit.web.server.starlette import starlette_server

    bind: Callable[..., socket.socket] | None = getattr(starlette_server, "_bind_socket", None)
    if bind is None:  # a Streamlit that makes its socket elsewhere: slower, but it runs
        return

    def bound(*where: Any, **named: Any) -> socket.socket:
        found = bind(*where, **named)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    starlette_server._bind_socket = bound


if __name__ == "__main__":
    main()
