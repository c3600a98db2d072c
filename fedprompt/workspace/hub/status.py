"""``hub status``: who was invited, admitted or sent away, who is connected, and the heads of ledgers that were seen."""

from dataclasses import dataclass, fields

from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.enrolled.seen_ledgers import SeenLedgers
from fedprompt.workspace.hub.init import Hub
from fedprompt.workspace.workspace import Workspace

__all__ = ["HubStatus", "Member", "hub_status"]


@dataclass(frozen=True)
class Member:
    """A site that was invited, admitted or sent away; ``connected`` is None where the hub does not run.

    ``head`` is the newest hash of its ledger that this hub saw.
    """

    site: str
    state: str
    org: str | None
    fingerprint: str | None
    since: str
    connected: bool | None
    head: str | None


@dataclass(frozen=True)
class HubStatus(Hub):
    """A hub, whether it runs, who is in its federation, and its last ``jobs``."""

    running: bool
    sites: tuple[Member, ...]
    jobs: tuple[str, ...]


def hub_status(ws: Workspace) -> HubStatus:
    """Return how this home's hub stands.

    Raises:
        FederationError: this home is no hub.
    """
    folder = HubFolder(ws.home)
    about = folder.about
    here: set[str] | None = None
    if folder.running is not None:
        from fedprompt.federation.transports.flare.admin import connected
        from fedprompt.federation.transports.flare.link import LinkDown

        try:
            here = connected(running_hub(ws.home))
        except LinkDown:
            here = set()
    book = SeenLedgers(ws.home, about["authority"])
    heads = {site: seen.head for site in folder.members if (seen := book.seen(site)) is not None}
    sites = [
        Member(
            site=site,
            state=member["state"],
            org=member.get("org"),
            fingerprint=member.get("fingerprint"),
            since=member["since"],
            connected=None if here is None else site in here,
            head=heads.get(site),
        )
        for site, member in sorted(folder.members.items())
    ]
    jobs = folder.jobs.read_text(encoding="utf-8").splitlines()[-10:] if folder.jobs.exists() else []
    hub = {one.name: about[one.name] for one in fields(Hub)}
    return HubStatus(**hub, running=folder.running is not None, sites=tuple(sites), jobs=tuple(jobs))
