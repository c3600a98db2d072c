"""``hub status``: who was invited, admitted or sent away, who is connected, and the heads of ledgers that were seen."""

from typing import Any

from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.workspace import Workspace

__all__ = ["hub_status"]


def hub_status(ws: Workspace) -> dict[str, Any]:
    """Return ``federation``, ``host``, ``port``, ``authority``, ``running``, ``sites`` and ``jobs``.

    Raises:
        FederationError: this home is no hub.
    """
    folder = HubFolder(ws.home)
    about = folder.about
    here: set[str] | None = None
    if folder.running is not None:
        from fedprompt.federation.transports.flare.link import LinkDown
        from fedprompt.federation.transports.flare.transport import connected

        try:
            here = connected(running_hub(ws.home))
        except LinkDown:
            here = set()
    heads: dict[str, str] = {}
    for run in reversed(ws.bank.runs(kind="federate")):
        for row in ws.bank.rounds(run.id):
            heads.update(row.body.get("heads", {}))
    sites = [
        {
            "site": site,
            "state": member["state"],
            "org": member.get("org"),
            "fingerprint": member.get("fingerprint"),
            "since": member["since"],
            "connected": None if here is None else site in here,
            "head": heads.get(site),
        }
        for site, member in sorted(folder.members.items())
    ]
    jobs = folder.jobs.read_text(encoding="utf-8").splitlines()[-10:] if folder.jobs.exists() else []
    return {**about, "running": folder.running is not None, "sites": sites, "jobs": jobs}
