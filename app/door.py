"""The doorway before Streamlit's server: it looks at every request before any route of Streamlit's does.

Invariant: a server that this was not put before shows a browser no page (:func:`stands`), and one of a Streamlit that
has no place for it does not start.
"""

import os
from typing import Any

from fedprompt.errors import FedPromptError
from fedprompt.workspace.door.doorway import PAGES, Application, Doorway
from fedprompt.workspace.door.entry_token import entry_of
from fedprompt.workspace.door.own_address import VARIABLE, addresses_of
from fedprompt.workspace.door.patience import patient_protocol
from fedprompt.workspace.home import find_home
from fedprompt.workspace.machine.sign_in import SignIn, sign_in_of

__all__ = ["put_doorway", "stands"]

_put: list[bool] = []


def stands() -> bool:
    """Return whether the doorway is before the server of this process."""
    return bool(_put)


def put_doorway() -> None:
    """Put the doorway before the server that Streamlit is about to make.

    Raises:
        FedPromptError: this Streamlit makes its server in another way.
    """
    from streamlit import net_util
    from streamlit.web.server.starlette import starlette_server

    made, settings = (
        getattr(starlette_server, name, None) for name in ("create_starlette_app", "_get_uvicorn_config_kwargs")
    )
    if made is None or settings is None:
        raise FedPromptError(
            "fedprompt cannot protect this version of Streamlit; install the version that fedprompt requires",
            code="streamlit-version",
        )

    def guarded(runtime: Any) -> Application:
        return _before(made(runtime))

    def patient() -> dict[str, Any]:
        return {**settings(), "http": patient_protocol()}

    starlette_server.create_starlette_app = guarded  # type: ignore[assignment, attr-defined]
    starlette_server._get_uvicorn_config_kwargs = patient
    # Streamlit would ask a machine on the internet for this one's address, to compare a page's with it.
    net_util.get_internal_ip = net_util.get_external_ip = lambda: None
    _put.append(True)


def _before(app: Application) -> Doorway:
    from streamlit import config

    port = int(config.get_option("server.port"))
    sign_in = _sign_in()
    named = os.environ.get(VARIABLE, "").split()
    if sign_in is not None:
        named.append(sign_in.origin.replace("{port}", str(port)))
    addresses = addresses_of(named)
    # Streamlit looks at the names of origins once more, behind the doorway.
    config.set_option("server.corsAllowedOrigins", sorted(addresses.origins))
    entry = entry_of(find_home(), port) if sign_in is None else None
    return Doorway(app, addresses, entry, PAGES, uploads=None if sign_in is None else has_signed_in)


def has_signed_in(cookies: str) -> bool:
    """Return whether a ``Cookie`` header has what Streamlit signs for whoever signed in.

    Streamlit itself takes files of whoever opened a page, also of one that only asks to sign in.
    """
    from starlette.requests import cookie_parser
    from streamlit.web.server.starlette import starlette_websocket

    return starlette_websocket._get_signed_cookie_with_chunks(cookie_parser(cookies), "_streamlit_user") is not None


def _sign_in() -> SignIn | None:
    from streamlit.runtime.secrets import secrets_singleton

    return sign_in_of(secrets_singleton.to_dict()) if secrets_singleton.load_if_toml_exists() else None
