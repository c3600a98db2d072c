"""What changed in a home of late: prompts that came, runs, studies, and what was said of prompts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fedprompt.bank.filters import Filter
from fedprompt.bank.rows import EventRow, RunRow
from fedprompt.workspace.workspace import Workspace

__all__ = ["Recent", "recent"]

DAYS = 7
MOST_EVENTS = 500
KINDS = ("demo", "federate", "score", "tune")


@dataclass(frozen=True)
class Recent:
    """``prompts``: how many came, by kind; ``runs`` and ``events`` the newest first; ``studies``: names of new ones."""

    since: datetime
    prompts: Mapping[str, int]
    runs: tuple[RunRow, ...]
    studies: tuple[str, ...]
    events: tuple[EventRow, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many events of each kind there were."""
        return Counter(event.kind for event in self.events)


def recent(ws: Workspace, now: datetime, *, days: int = DAYS) -> Recent:
    """Return what changed in the days before ``now``, an aware datetime.

    Raises:
        BankError: ``now`` has no time zone.
    """
    since = now - timedelta(days=days)
    came = {kind: ws.bank.count(Filter(kind=kind, since=since, retired=True)) for kind in ("template", "soft")}
    return Recent(
        since,
        came,
        tuple(row for row in ws.bank.runs() if row.kind in KINDS and (row.finished or row.created) >= since),
        tuple(row.name for row in ws.bank.studies() if row.created >= since),
        tuple(event for event in ws.bank.events(limit=MOST_EVENTS) if event.at >= since),
    )
