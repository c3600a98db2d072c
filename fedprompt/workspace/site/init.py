"""``site init``: makes a site's key where it will be used, and a request for the hub to sign. The key stays here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fedprompt.boundary.checked import Bounds, Unfit, checked_value
from fedprompt.errors import FederationError
from fedprompt.site.folder import SiteFolder
from fedprompt.study.schema import Closed
from fedprompt.workspace.enrolled.site_folder import EnrolledSite
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import read_json, write_json

__all__ = ["Invitation", "Requested", "site_init"]

Plain = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$")]
_INVITATION = Bounds(64 * 1024, values=50, nested=1, members=20, depth=1)
Port = Annotated[int, Field(ge=1, le=65_535)]


class Invitation(Closed):
    """What ``hub invite`` wrote."""

    fedprompt: Literal["invite 1"]
    site: Plain
    org: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,60}$")]
    federation: Plain
    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")]
    port: Port
    admin_port: Port
    authority: Annotated[str, StringConstraints(pattern=r"^SHA256:([0-9A-F]{2}:){31}[0-9A-F]{2}$")]


@dataclass(frozen=True)
class Requested:
    """A site that asks to join: the hub's ``host`` and ``port``, the file ``request``, and what is read aloud of it."""

    site: str
    federation: str
    host: str
    port: int
    request: str
    fingerprint: str


def site_init(home: Home, invite: Path, *, out: Path | None = None) -> Requested:
    """Make the site's folder and key and write its request, ``SITE.request.zip`` unless named otherwise.

    Raises:
        FederationError: the file is no invitation, or the site has joined already.
    """
    try:
        invitation = checked_value(Invitation, read_json(invite) or {}, _INVITATION)
    except Unfit as error:
        raise FederationError(
            f"{invite}, {error.field}: this is not an invitation from 'fedprompt hub invite'", code="not-an-invitation"
        ) from None
    from fedprompt.federation.transports.flare.enrol import read_request, request

    site = EnrolledSite(invitation.site, SiteFolder(home.sites / invitation.site))
    if site.kit.exists():
        raise FederationError(
            f"{site.folder.path}: '{site.name}' has already joined '{site.about['federation']}'", code="joined-already"
        )
    site.folder.prepare()
    made = request(site.requested, federation=invitation.federation, site=site.name, org=invitation.org)
    asked = read_request(made)
    write_json(site.folder.path / "site.json", invitation.model_dump(mode="json", exclude={"fedprompt"}))
    path = out or Path(f"{site.name}.request.zip")
    path.write_bytes(asked.data)
    return Requested(site.name, invitation.federation, invitation.host, invitation.port, str(path), asked.fingerprint)
