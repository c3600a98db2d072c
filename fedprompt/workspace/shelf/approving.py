"""How a prompt comes into production where people sign in: one asks for the tag, an operator who is another approves.

Invariant: the tag's event says who asked and who approved, and they are two subjects. Each step is a signed event of
the bank; an answer names the asking that it answers, so that none is answered twice.
"""

from fedprompt.bank.rows import EventRow
from fedprompt.bank.tags import split_tag, tag_body
from fedprompt.errors import BankError
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.people import Person
from fedprompt.workspace.shelf import events
from fedprompt.workspace.workspace import Workspace

__all__ = ["PRODUCTION", "approve_tag", "ask_for", "decline_tag", "drop_tag", "give_tag", "waiting", "why_not_approve"]

PRODUCTION = "production"


def ask_for(ws: Workspace, prompt: str, tag: str, person: Person) -> EventRow:
    """Ask that ``name@tag`` may stand for a prompt.

    Raises:
        FedPromptError: this person may not ask.
        BankError: no such prompt, no such tag can be, or it waits for an answer already.
    """
    person.require("tag")
    row = ws.bank.prompt_row(prompt)
    body = tag_body(tag, {"asked_as": person.mark, "asked_by": person.label})
    if any(_of(one) == (body["name"], body["tag"]) for one in ws.bank.asked(row.id)):
        raise BankError(f"{tag} is already requested and waits for an operator", code="asked-already")
    return ws.bank.record_event("ask", row.id, body, by=person.label, signer=home_signer(ws.home))


def waiting(ws: Workspace, prompt: str | None = None) -> tuple[EventRow, ...]:
    """Return what was asked for and waits for an answer, the oldest first."""
    return ws.bank.asked(prompt)


def why_not_approve(asked: EventRow, person: Person) -> str | None:
    """Return in a sentence why this person may not approve what was asked, None where they may."""
    if (why := person.why_not("production")) is not None:
        return why
    if not person.mark or person.mark == asked.body.get("asked_as"):
        return "You requested this tag yourself. Another operator must approve it."
    return None


def approve_tag(ws: Workspace, event: str, person: Person) -> EventRow:
    """Give the tag that was asked for; ``event`` is the id of the asking.

    Raises:
        BankError: nobody asks for it any more, or this person may not approve it.
    """
    asked = _asked(ws, event)
    if (why := why_not_approve(asked, person)) is not None:
        raise BankError(why, code="not-allowed")
    said = {
        "approved_as": person.mark,
        "approved_by": person.label,
        "asked": asked.id,
        "asked_as": asked.body["asked_as"],
        "asked_by": asked.body["asked_by"],
    }
    tag = "@".join(_of(asked))
    return ws.bank.tag_prompt(asked.prompt, tag, by=person.label, signer=home_signer(ws.home), said=said)


def decline_tag(ws: Workspace, event: str, person: Person) -> EventRow:
    """Say no to what was asked for, or take one's own asking back.

    Raises:
        FedPromptError: this person is no operator and did not ask.
        BankError: nobody asks for it any more.
    """
    asked = _asked(ws, event)
    if not person.mark or person.mark != asked.body.get("asked_as"):
        person.require("production")
    body = tag_body("@".join(_of(asked)), {"asked": asked.id})
    return ws.bank.record_event("decline", asked.prompt, body, by=person.label, signer=home_signer(ws.home))


def give_tag(ws: Workspace, prompt: str, tag: str, person: Person) -> EventRow:
    """Make ``name@tag`` stand for a prompt: at once, or, for production where people sign in, by asking for it.

    Raises:
        FedPromptError: this person may not.
        BankError: no such prompt, or no such tag can be.
    """
    person.require("tag")
    if split_tag(tag)[1] != PRODUCTION:
        return events.tag(ws, prompt, tag, by=person.label)
    if person.subject:
        return ask_for(ws, prompt, tag, person)
    return events.tag(ws, prompt, tag, by=person.label, confirmed=True)


def drop_tag(ws: Workspace, tag: str, person: Person) -> EventRow:
    """Take ``name@tag`` away; what it stood for stays in the log.

    Raises:
        FedPromptError: this person may not.
        BankError: nothing is tagged so.
    """
    person.require("production" if split_tag(tag)[1] == PRODUCTION else "tag")
    return events.untag(ws, tag, by=person.label)


def _asked(ws: Workspace, event: str) -> EventRow:
    found = next((one for one in ws.bank.asked() if one.id == event), None)
    if found is None:
        raise BankError("this request was already answered; reload the page", code="answered-meanwhile")
    return found


def _of(event: EventRow) -> tuple[str, str]:
    return str(event.body["name"]), str(event.body["tag"])
