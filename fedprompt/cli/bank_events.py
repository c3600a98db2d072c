"""``fedprompt bank tag|tags|approve|rename|retire|log|lineage``: what is said of prompts, and where they come from."""

from typing import Annotated, Any

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line, table

__all__ = ["approve", "lineage", "log", "rename", "retire", "tag", "tags"]

Prompt = Annotated[str, typer.Argument(help="A prompt: its id, the start of an id, or name@tag.")]
By = Annotated[str | None, typer.Option("--by", help="Name of the person. Default: the user of this machine.")]
Note = Annotated[str, typer.Option("--note", help="Why.")]


def tag(
    prompt: Prompt,
    tag: Annotated[str, typer.Argument(help="name@tag, such as sentiment@production.")],
    by: By = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the tag from the prompt.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make name@tag point to a prompt. The log keeps the previous prompt."""
    from fedprompt.errors import BankError
    from fedprompt.workspace.shelf import events
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        if remove:
            if ws.bank.prompt_row(prompt).id != ws.bank.prompt_row(tag).id:
                raise BankError(
                    f"{tag} does not point to {prompt}; 'fedprompt bank tags' shows what it points to",
                    code="tag-elsewhere",
                )
            event = events.untag(ws, tag, by=by)
        else:
            event = events.tag(ws, prompt, tag, by=by)
    _say(event, json, f"{tag} no longer points to {event.prompt}" if remove else f"{tag} points to {event.prompt}")


def tags(home: Home = None, json: Json = False) -> None:
    """List the prompt of each name@tag."""
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        rows = ws.bank.tags()
    if json:
        found = [
            {
                "tag": row.tag,
                "prompt": row.prompt,
                "by": row.by,
                "signer": row.signer,
                "merged_from": row.via,
                "at": row.at.isoformat(),
            }
            for row in rows
        ]
        emit({"tags": found})
    elif not rows:
        line("no tags yet; add one with 'fedprompt bank tag PROMPT name@tag'")
    else:
        shown = [(row.tag, row.prompt, row.by, row.signer[:11], f"{row.at:%Y-%m-%d %H:%M}") for row in rows]
        table(("tag", "prompt", "by", "key", "since"), shown)


def rename(
    prompt: Prompt,
    name: Annotated[str, typer.Argument(help="The new name. An empty name restores the original one.")],
    by: By = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Rename a prompt. Its id does not change, and the log records the rename."""
    from fedprompt.workspace.shelf import events
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        event = events.rename(ws, prompt, name, by=by)
        called = ws.bank.prompt_row(event.prompt).called
    _say(event, json, f"{event.prompt} is now called {called}")


def approve(prompt: Prompt, note: Note = "", by: By = None, home: Home = None, json: Json = False) -> None:
    """Approve a prompt. The log records who approved it."""
    from fedprompt.workspace.shelf import events
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        event = events.approve(ws, prompt, note=note, by=by)
    _say(event, json, f"{event.prompt} was approved by {event.by}")


def retire(
    prompt: Prompt,
    note: Note = "",
    by: By = None,
    undo: Annotated[bool, typer.Option("--undo", help="Restore a retired prompt.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Hide a prompt from rankings and searches. Nothing is deleted."""
    from fedprompt.workspace.shelf import events
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        event = events.retire(ws, prompt, note=note, by=by, undo=undo)
    _say(event, json, f"{event.prompt} is {'active again' if undo else 'retired'}")


def log(
    prompt: Annotated[str | None, typer.Option("--prompt", help="Only events of this prompt.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Maximum number of events, newest first.")] = 100,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show the events of prompts, newest first: tags, approvals, retirements."""
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        events = ws.bank.events(None if prompt is None else ws.bank.prompt_row(prompt).id, limit=limit)
    if json:
        emit({"events": [_plain(event) for event in events]})
    elif not events:
        line("no events yet")
    else:
        columns = ("when", "what", "prompt", "by", "key", "said")
        rows = [(f"{e.at:%Y-%m-%d %H:%M}", e.kind, e.prompt, e.by, e.signer[:11], _said(e.body)) for e in events]
        table(columns, rows)


def lineage(prompt: Prompt, home: Home = None, json: Json = False) -> None:
    """Show the parents of a prompt, generation by generation, and the prompts derived from it."""
    from fedprompt.workspace.shelf import events
    from fedprompt.workspace.workspace import open_workspace

    def brief(row: Any) -> dict[str, Any]:
        return {"id": row.id, "name": row.name, "kind": row.kind, "origin": row.origin}

    with open_workspace(home) as ws:
        found = events.lineage(ws, prompt)
    if json:
        parents = [[brief(row) for row in generation] for generation in found.parents]
        emit({**brief(found.prompt), "parents": parents, "children": [brief(row) for row in found.children]})
        return
    line(f"{found.prompt.id}  {found.prompt.name}  ({found.prompt.kind}, from {found.prompt.origin})")
    rows = [(f"{far} back", r.id, r.name, r.origin) for far, one in enumerate(found.parents, 1) for r in one]
    rows += [("derived from it", row.id, row.name, row.origin) for row in found.children]
    if rows:
        table(("", "prompt", "name", "origin"), rows)
    else:
        line("no parents and no descendants")


def _say(event: Any, json: bool, sentence: str) -> None:
    if json:
        emit(_plain(event))
    else:
        line(sentence)


def _said(body: Any) -> str:
    what = f"{body['name']}@{body['tag']}" if "tag" in body else ""
    asked = f", requested by {body['asked_by']}" if body.get("approved_by") else ""
    return f"{what}{asked}{body.get('note', '')}{body.get('site', '')}"


def _plain(event: Any) -> dict[str, Any]:
    return {
        "id": event.id,
        "kind": event.kind,
        "prompt": event.prompt,
        "body": dict(event.body),
        "by": event.by,
        "signer": event.signer,
        "merged_from": event.via,
        "at": event.at.isoformat(),
    }
