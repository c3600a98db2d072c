"""How things changed over time: the versions of a prompt, and what came into a home of late."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fedprompt.bank.filters import Filter
from fedprompt.bank.rows import EventRow, PromptRow, RunRow
from fedprompt.workspace.workspace import Workspace

__all__ = ["MOST_VERSIONS", "History", "Recent", "Version", "histories", "recent"]

MOST_VERSIONS = 8


@dataclass(frozen=True)
class Version:
    """A prompt, when it came or was tagged, and who tagged it."""

    prompt: PromptRow
    at: datetime
    by: str | None = None


@dataclass(frozen=True)
class History:
    """What a name or a ``name@tag`` stood for, the newest first; ``more`` says whether older ones are left out."""

    name: str
    tag: bool
    versions: tuple[Version, ...]
    more: bool


def histories(ws: Workspace, prompt: PromptRow) -> tuple[History, ...]:
    """Return the history of a prompt's name and of each tag that it ever had; one version alone is no history.

    Of tuned prompts, which share a name, those of the same study and origin count: its rounds.
    """
    named = ws.bank.prompts_named(prompt, MOST_VERSIONS + 1)
    found = [_history(prompt.name, False, [Version(row, row.created) for row in named])]
    tagged = [(f"{one.body['name']}@{one.body['tag']}", one) for one in ws.bank.events() if one.kind == "tag"]
    for tag in dict.fromkeys(tag for tag, event in tagged if event.prompt == prompt.id):
        given = [event for of, event in tagged if of == tag]
        rows = {row.id: row for row in ws.bank.rows_of(list({event.prompt for event in given}))}
        # Given anew to the prompt that has it, it is one version, of the first time.
        changes = [
            event
            for event, before in zip(given, [*given[1:], None], strict=True)
            if before is None or before.prompt != event.prompt
        ]
        found.append(_history(tag, True, [Version(rows[one.prompt], one.at, one.by) for one in changes]))
    return tuple(one for one in found if len(one.versions) > 1)


def _history(name: str, tag: bool, versions: list[Version]) -> History:
    return History(name, tag, tuple(versions[:MOST_VERSIONS]), len(versions) > MOST_VERSIONS)


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
