"""The models a visitor may choose here: this machine's, those of models.toml, and this session's own servers.

Invariant: a session's key lies in the web server's memory under this session alone. It is in no address, no file, no
bank; the job process is handed it by a handle that is taken back with the server.
"""

from dataclasses import dataclass

import streamlit as st
from pydantic import SecretStr, ValidationError

from fedprompt.errors import ModelError
from fedprompt.models.chat.config import chat_settings, configured, is_chat, read_machine
from fedprompt.models.registry import DEFAULT_MODEL
from fedprompt.workspace.bills.session_servers import HeldKey, SessionServer, ring
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "MOST_SERVERS",
    "Added",
    "add_folder",
    "add_server",
    "added_servers",
    "drop_server",
    "goes_to",
    "model_names",
]

MOST_SERVERS, MOST_FOLDERS = 20, 20


@dataclass(frozen=True)
class Added:
    """A server of this session; ``held`` is what keeps its key in memory, None where it has none."""

    label: str
    server: SessionServer
    host: str
    remote: bool
    held: HeldKey | None = None


def added_servers() -> dict[str, Added]:
    """Return this session's own servers by the name that a variant's box holds."""
    found: dict[str, Added] = st.session_state.setdefault("models_added", {})
    return found


def add_server(model: str, base_url: str, host: str, remote: bool, key: SecretStr | None) -> None:
    """Add a model of a server, or put it in the place of the one of the same name.

    Raises:
        ModelError: there are too many, or the name is none that a server can be asked for.
    """
    try:
        server = SessionServer(model=f"openai:{model}", base_url=base_url)
    except ValidationError:
        raise ModelError("a model name has no spaces and at most 200 characters", code="not-a-models-id") from None
    added, name = added_servers(), f"session:{model}@{host}"
    if name not in added and len(added) >= MOST_SERVERS:
        raise ModelError(f"this session already has {MOST_SERVERS} servers; remove one first", code="too-many")
    held = None if key is None else ring().hold(key)
    if held is not None:
        server = server.model_copy(update={"ring": held.ring, "handle": held.handle})
    drop_server(name)
    added[name] = Added(f"{model} at {host} (this session)", server, host, remote, held)


def drop_server(name: str) -> None:
    """Take a server away, and its key out of memory."""
    gone = added_servers().pop(name, None)
    if gone is not None and gone.held is not None:
        gone.held.release()


def add_folder(name: str) -> None:
    """Add a folder or an id of a model of this machine to the choices of this session."""
    folders: list[str] = st.session_state.setdefault("models_folders", [])
    if name not in folders:
        st.session_state["models_folders"] = [*folders, name][-MOST_FOLDERS:]


def model_names(ws: Workspace) -> dict[str, str]:
    """Return name -> what people read: the default model, those of studies, of models.toml and of this session."""
    studied = (row.study.model for row in ws.bank.studies())
    folders: list[str] = st.session_state.get("models_folders", [])
    names = dict.fromkeys([DEFAULT_MODEL, *studied, *folders, *configured(ws.home.path)])
    return {name: name for name in names} | {name: added.label for name, added in added_servers().items()}


def goes_to(ws: Workspace, name: str) -> str:
    """Return where a text goes that is put to a model, in a sentence."""
    added = added_servers().get(name)
    try:
        if added is not None:
            host, remote = added.host, added.remote
        elif is_chat(name):
            settings = chat_settings(name, read_machine(ws.home.path))
            host, remote = settings.host, settings.remote
        else:
            return "This model runs on this machine. Nothing leaves it."
    except ModelError as error:
        return str(error)
    if remote:
        return f"Your text is sent to {host}, another machine. Its operator decides how long the text is kept there."
    return f"Your text is sent to the server {host} on this machine."
