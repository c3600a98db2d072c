"""``hub revoke`` and ``hub remove``: a site is asked no more, and its certificate opens nothing any more.

What was released cannot be called back: the packs that hold what the site gave are named, and the next release of this
hub supersedes them, so that sites are told.
"""

import contextlib
from dataclasses import dataclass

from fedprompt.errors import FederationError
from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.home import Home
from fedprompt.workspace.hub.given_packs import packs_of
from fedprompt.workspace.json_file import read_json, write_json

__all__ = ["Left", "hub_leave"]


@dataclass(frozen=True)
class Left:
    """A site that takes part no more: ``revoked`` or ``removed``.

    ``packs`` were released and hold what it gave; the next release supersedes them.
    """

    site: str
    state: str
    packs: tuple[str, ...]


def hub_leave(home: Home, site: str, state: str) -> Left:
    """Bar a site for good, under this name and key.

    Args:
        state: ``revoked`` (sent away) or ``removed`` (it left).

    Raises:
        FederationError: there is no such site.
    """
    folder = HubFolder(home)
    members = folder.members
    if site not in members:
        raise FederationError(
            f"there is no site '{site}'; known sites: {', '.join(sorted(members)) or 'none'}", code="unknown-site"
        )
    folder.set_member(site, state=state)
    # The engine reads this file when it starts, and is told now where it runs.
    barred = sorted({*folder.sites("revoked"), *folder.sites("removed")})
    path = folder.path / "kit-server" / "disabled_clients.json"
    read_json(path)  # a damaged one is said, not written over
    write_json(path, {"disabled_clients": barred})
    if folder.running is not None:
        from fedprompt.federation.transports.flare.admin import bar
        from fedprompt.federation.transports.flare.link import LinkDown

        with contextlib.suppress(LinkDown):
            bar(running_hub(home), site)
    return Left(site, state, packs_of(folder, site))
