"""What people say of a prompt, signed with the home's key: its tags, that it is approved, that it is retired."""

from dataclasses import dataclass

from fedprompt.bank.rows import EventRow, PromptRow
from fedprompt.bank.tags import split_tag
from fedprompt.errors import BankError
from fedprompt.workspace.acting import needs
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.people import machine_person
from fedprompt.workspace.workspace import Workspace

__all__ = ["LONGEST_NAME", "Lineage", "approve", "lineage", "rename", "retire", "tag", "untag"]

DEEPEST = 100
LONGEST_NAME = 80


@dataclass(frozen=True)
class Lineage:
    """``parents``: generations of what the prompt was made from, nearest first; ``children``: what was made from it."""

    prompt: PromptRow
    parents: tuple[tuple[PromptRow, ...], ...]
    children: tuple[PromptRow, ...]


@needs("tag")
def tag(ws: Workspace, prompt: str, tag: str, *, by: str | None = None, confirmed: bool = False) -> EventRow:
    """Make ``name@tag`` stand for a prompt from now on; ``confirmed`` records that somebody said they were sure.

    Raises:
        BankError: no such prompt, or no such tag can be.
    """
    row, by = ws.bank.prompt_row(prompt), by or _user()
    said = {"asked_by": by, "confirmed": True} if confirmed else None
    return ws.bank.tag_prompt(row.id, tag, by=by, signer=home_signer(ws.home), said=said)


@needs("tag")
def untag(ws: Workspace, tag: str, *, by: str | None = None) -> EventRow:
    """Take ``name@tag`` away; what it stood for stays in the log.

    Raises:
        BankError: nothing is tagged so.
    """
    name, word = split_tag(tag)
    row = ws.bank.prompt_row(f"{name}@{word}")
    body = {"name": name, "tag": word}
    return ws.bank.record_event("untag", row.id, body, by=by or _user(), signer=home_signer(ws.home))


@needs("tag")
def approve(ws: Workspace, prompt: str, *, note: str = "", by: str | None = None) -> EventRow:
    """Say that a prompt may be used.

    Raises:
        BankError: no such prompt.
    """
    row = ws.bank.prompt_row(prompt)
    return ws.bank.record_event("approve", row.id, {"note": note}, by=by or _user(), signer=home_signer(ws.home))


@needs("tag")
def rename(ws: Workspace, prompt: str, name: str, *, by: str | None = None) -> EventRow:
    """Give a prompt a name of its own; an empty one gives back the name that it came with. Its id stays.

    Raises:
        BankError: no such prompt, or the name is too long or has more than one line.
    """
    row, called = ws.bank.prompt_row(prompt), " ".join(name.split())
    if len(called) > LONGEST_NAME or not called.isprintable():
        raise BankError(f"a prompt's name has at most {LONGEST_NAME} printable characters", code="too-long")
    body = {"called": called or None}
    return ws.bank.record_event("rename", row.id, body, by=by or _user(), signer=home_signer(ws.home))


@needs("retire")
def retire(ws: Workspace, prompt: str, *, note: str = "", by: str | None = None, undo: bool = False) -> EventRow:
    """Take a prompt out of rankings and searches, or back into them; nothing is deleted.

    Raises:
        BankError: no such prompt, or it is so already.
    """
    row = ws.bank.prompt_row(prompt)
    if ws.bank.is_retired(row.id) is not undo:
        state = "not retired" if undo else "retired already"
        raise BankError(f"{row.id} is {state}; 'fedprompt bank log' says by whom", code="retired")
    kind = "revive" if undo else "retire"
    return ws.bank.record_event(kind, row.id, {"note": note}, by=by or _user(), signer=home_signer(ws.home))


def lineage(ws: Workspace, prompt: str) -> Lineage:
    """Return what a prompt was made from, generation by generation, and what was made from it.

    Raises:
        BankError: no such prompt.
    """
    row = ws.bank.prompt_row(prompt)
    seen, here = {row.id}, [row]
    generations: list[tuple[PromptRow, ...]] = []
    while len(generations) < DEEPEST:
        ids = list(dict.fromkeys(parent for one in here for parent in one.parents if parent not in seen))
        seen.update(ids)
        here = list(ws.bank.rows_of(ids))
        if not here:
            break
        generations.append(tuple(here))
    return Lineage(row, tuple(generations), ws.bank.children(row.id))


def _user() -> str:
    return machine_person().name
