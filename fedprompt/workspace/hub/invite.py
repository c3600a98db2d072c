"""``hub invite``: a file that tells a site where the hub is and how to know it. There is no secret in it."""

from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import FederationError
from fedprompt.workspace.enrolled.hub_folder import NAME, HubFolder
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import write_json

__all__ = ["Invited", "hub_invite"]


@dataclass(frozen=True)
class Invited:
    """The file of an invitation, and the fingerprint of the federation's ``authority``."""

    site: str
    invite: str
    authority: str


def hub_invite(home: Home, site: str, *, org: str | None = None, out: Path | None = None) -> Invited:
    """Invite a site and write its file, ``SITE.invite.json`` unless named otherwise.

    Raises:
        FederationError: this home is no hub, or a site of this name is there already.
    """
    folder = HubFolder(home)
    about = folder.about
    if not NAME.fullmatch(site):
        raise FederationError(
            f"'{site}' is not a valid site name; use at most 60 letters, digits, '-' and '_'", code="not-a-sites-name"
        )
    state = folder.members.get(site, {}).get("state")
    if state not in (None, "invited"):
        raise FederationError(
            f"a site '{site}' is already {state}; names are used only once, so choose another", code="name-taken"
        )
    folder.set_member(site, state="invited", org=org or site.replace("-", "_"))
    path = out or Path(f"{site}.invite.json")
    write_json(path, {"fedprompt": "invite 1", "site": site, "org": folder.members[site]["org"], **about})
    return Invited(site, str(path), about["authority"])
