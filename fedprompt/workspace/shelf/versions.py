"""How a prompt changed over time: the prompts that bore its name, and those that each of its tags stood for."""

from dataclasses import dataclass
from datetime import datetime

from fedprompt.bank.rows import PromptRow
from fedprompt.workspace.workspace import Workspace

__all__ = ["MOST_VERSIONS", "History", "Version", "histories"]

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
