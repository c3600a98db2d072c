"""``site pause`` and ``site status``: stop answering without ending the worker, and say how things stand."""

from collections.abc import Mapping
from typing import Any

from fedprompt.errors import LedgerError
from fedprompt.models.chat.cost import Tally
from fedprompt.site.call_bill import Role
from fedprompt.workspace.bills.paid import shown_tally
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import now, write_json

__all__ = ["site_pause", "site_status"]


def site_pause(home: Home, *, on: bool, site: str | None = None) -> dict[str, Any]:
    """Refuse every task from now on, or take tasks again; a running worker heeds it at its next task."""
    chosen = enrolled(home, site)
    if on:
        write_json(chosen.folder.pause, {"since": now()})
    else:
        chosen.folder.pause.unlink(missing_ok=True)
    return {"site": chosen.name, "paused": on}


def site_status(home: Home, *, site: str | None = None) -> dict[str, Any]:
    """Return where a site stands: joined, running, paused, accepted studies, replies sent, the ledger's head.

    Each of ``studies`` has ``models`` and ``judges``: what calls of chat models and of judges took here so far, a row a
    model.

    Raises:
        FederationError: this home has no such site.
    """
    chosen = enrolled(home, site)
    about, running = chosen.about, chosen.running
    ledger: dict[str, Any]
    try:
        entries = chosen.folder.ledger.entries()
        ledger = {
            "ok": True,
            "entries": len(entries),
            "sent": sum(entry.decision == "sent" for entry in entries),
            "resent": sum(entry.decision == "resent" for entry in entries),
            "refused": sum(entry.decision == "refused" for entry in entries),
            "bytes": sum(entry.size for entry in entries),
            "head": entries[-1].hash if entries else None,
        }
    except LedgerError as error:
        ledger = {"ok": False, "problem": str(error)}
    bills = chosen.folder.bill.read()
    return {
        "site": chosen.name,
        "federation": about["federation"],
        "hub": f"{about['host']}:{about['port']}",
        "joined": chosen.kit.exists(),
        "running": None if running is None else running["pid"],
        "paused": chosen.folder.pause.exists(),
        "studies": [
            {
                "digest": a.digest,
                "study": a.study.study,
                "accepted": a.accepted,
                "models": _took(bills.get(a.digest, {}), "model"),
                "judges": _took(bills.get(a.digest, {}), "judge"),
            }
            for a in chosen.accepted()
        ],
        "policy": chosen.folder.policy.model_dump(mode="json"),
        "ledger": ledger,
    }


def _took(bill: Mapping[tuple[Role, str], Tally], role: Role) -> list[dict[str, Any]]:
    return [{"model": name, **shown_tally(took)} for (own, name), took in sorted(bill.items()) if own == role]
