"""What was exported before and stands for other prompts now: a tag has moved since, or another prompt has it too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fedprompt.bank.rows import JobRow
from fedprompt.workspace.workspace import Workspace

__all__ = ["Outdated", "followed_tags", "outdated_exports"]

LOOKED_AT = 200
MOST = 3


@dataclass(frozen=True)
class Outdated:
    """An export whose tags stand for other prompts now.

    ``changes``: ``name@tag`` -> the prompt that was exported, and the one that the tag stands for now; None where there
    was, or is, none. ``prompts`` are what to export instead.
    """

    job: str
    at: datetime
    name: str
    format: str
    changes: Mapping[str, tuple[str | None, str | None]]
    prompts: tuple[str, ...]


def followed_tags(ws: Workspace, references: Sequence[str], prompts: Sequence[str]) -> dict[str, str]:
    """Return ``name@tag`` -> prompt for the tags that an export of these prompts follows."""
    words = {one[1:] for one in references if one.startswith("@")}
    single = {one for one in references if not one.startswith("@")}
    return {
        row.tag: row.prompt
        for row in ws.bank.tags()
        if row.prompt in prompts and (row.tag.rpartition("@")[2] in words or {row.prompt, row.tag} & single)
    }


def outdated_exports(ws: Workspace) -> tuple[Outdated, ...]:
    """Return the newest exports that are out of date, at most ``MOST``; of those asked for alike, only the newest."""
    found: list[Outdated] = []
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for job in ws.bank.jobs(limit=LOOKED_AT):
        if job.kind != "export" or job.state != "done" or not (job.result or {}).get("follows"):
            continue
        asked = (str(job.arguments["format"]), tuple(job.arguments["prompts"]))
        if asked in seen:
            continue
        seen.add(asked)
        if (one := _outdated(ws, job, *asked)) is not None:
            found.append(one)
    return tuple(found[:MOST])


def _outdated(ws: Workspace, job: JobRow, format: str, references: tuple[str, ...]) -> Outdated | None:
    result = job.result or {}
    before: Mapping[str, str] = result["follows"]
    words = {one[1:] for one in references if one.startswith("@")}
    held = {row.tag: row.prompt for row in ws.bank.tags()}
    now = {tag: id for tag, id in held.items() if tag in before or tag.rpartition("@")[2] in words}
    changes: dict[str, tuple[str | None, str | None]] = {
        tag: (before.get(tag), now.get(tag))
        for tag in {**before, **now}
        if before.get(tag) != now.get(tag) and (tag in now or tag.rpartition("@")[2] in words)
    }
    if not changes:
        return None
    moved = {old: new for old, new in changes.values() if old is not None and new is not None}
    prompts = references if words else tuple(dict.fromkeys(moved.get(one, one) for one in result["prompts"]))
    return Outdated(job.id, job.updated, Path(str(result["path"])).name, format, changes, prompts)
