"""``hub admit``: signs a site's request once its fingerprint was compared by voice, and writes the site's kit.

Invariant: the request is read once, so that what is signed is what was shown, whatever happens to the file meanwhile.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import FederationError
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.home import Home

__all__ = ["Admitted", "hub_admit"]

SITE_KIND = "client"  # as the engine calls what a site has


@dataclass(frozen=True)
class Admitted:
    """A site that was admitted: the request's ``fingerprint`` and the ``kit`` that was written for it."""

    site: str
    fingerprint: str
    kit: str


def hub_admit(
    home: Home, request: Path, *, confirm: Callable[[str, str], bool | str], out: Path | None = None
) -> Admitted:
    """Admit the site that made a request and write ``SITE.kit.zip``.

    Args:
        confirm: hears the site's name and the fingerprint; returns whether it is the one that the site's operator
            read aloud, or the text that they read.

    Raises:
        FederationError: no such invitation, another request was admitted under this name, or the fingerprint differs.
    """
    from fedprompt.federation.transports.flare.enrol import approve, read_request

    folder = HubFolder(home)
    federation = folder.about["federation"]
    asked = read_request(request)
    site, found = asked.name, asked.fingerprint
    member = folder.members.get(site)
    if member is None:
        raise FederationError(
            f"{request}: '{site}' was not invited to '{federation}'; invite it with 'fedprompt hub invite {site}'",
            code="not-invited",
        )
    if member["state"] != "invited" and (member["state"] != "admitted" or member.get("fingerprint") != found):
        raise FederationError(
            f"{request}: a site '{site}' is already {member['state']}; invite this one under another name",
            code="name-taken",
        )
    if asked.kind != SITE_KIND:
        raise FederationError(
            f"{request}: it requests a certificate of the kind '{asked.kind[:20]}' instead of a site's; ask "
            f"'{site}' for the file from 'fedprompt site init'",
            code="not-a-request",
        )
    said = confirm(site, found)
    same = hmac.compare_digest(_plain(said), _plain(found)) if isinstance(said, str) else said
    if not same:
        raise FederationError(
            f"{request}: not admitted, because the fingerprint is not the one that '{site}' read; ask for a "
            "new request",
            code="other-fingerprint",
        )
    path = out or Path(f"{site}.kit.zip")
    approve(folder.path, asked, path)
    folder.set_member(site, state="admitted", fingerprint=found)
    return Admitted(site, found, str(path))


def _plain(text: str) -> bytes:
    return "".join(text.split()).lower().encode()
