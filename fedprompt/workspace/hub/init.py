"""``hub init``: makes a federation's authority and the hub's own certificates, and writes a hardened policy."""

import os
import shutil
from dataclasses import asdict, dataclass

from fedprompt.errors import FederationError
from fedprompt.workspace.enrolled.hub_folder import NAME, HubFolder
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import write_json

__all__ = ["Hub", "hub_init"]


@dataclass(frozen=True)
class Hub:
    """A hub: where sites reach it, and ``authority``, the fingerprint of its federation's authority."""

    federation: str
    host: str
    port: int
    admin_port: int
    authority: str


def hub_init(home: Home, name: str, *, host: str = "localhost", port: int = 8002, admin_port: int = 8003) -> Hub:
    """Make this home the hub of a federation.

    Args:
        host: the name by which sites reach this machine. ``localhost`` listens on this machine alone.

    Raises:
        FederationError: it is a hub already, a name cannot be used, or NVFLARE is not installed.
    """
    folder = HubFolder(home)
    if (folder.path / "hub.json").exists():
        raise FederationError(
            f"{folder.path}: this home is already the hub of '{folder.about['federation']}'", code="hub-already"
        )
    if not NAME.fullmatch(name):
        raise FederationError(
            f"'{name}' is not a valid federation name; use at most 60 letters, digits, '-' and '_'",
            code="not-a-federations-name",
        )
    from fedprompt.federation.transports.flare.enrol import authority

    # Made aside and then renamed, so that an init that was broken off can be done again.
    made = folder.path.with_name(f".hub.{os.getpid()}")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(mode=0o700, parents=True)
    try:
        found = authority(made, federation=name, host=host, port=port, admin_port=admin_port, final=folder.path)
        about = Hub(name, host, port, admin_port, found)
        write_json(made / "hub.json", asdict(about))
        os.replace(made, folder.path)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return about
