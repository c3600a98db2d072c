"""``fedprompt bank tag|tags|approve|rename|retire|log|lineage``: what is said of prompts, and where they come from."""

from typing import Annotated, Any

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line, table

__all__ = ["approve", "lineage", "log", "rename", "retire", "tag", "tags"]

Prompt = Annotated[str, typer.Argument(help="A prompt: its id, the beginning of one, or name@tag.")]
By = Annotated[str | None, typer.Option("--by", help="Who says so; by default the user of this machine.")]
Note = Annotated[str, typer.Option("--note", help="Why.")]


def tag(
    prompt: Prompt,
    tag: Annotated[str, typer.Argument(help="name@tag, such as sentiment@production.")],
    by: By = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the tag away from the prompt.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make name@tag stand for a prompt from now on; what it stood for stays in the log."""
    from fedprompt.errors import BankError
    from fedprompt.workspace.shelf import events
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        if remove:
            if ws.bank.prompt_row(prompt).id != ws.bank.prompt_row(tag).id:
                raise BankError(
                    f"{tag} does not stand for {prompt}; 'fedprompt bank tags' shows what it stands for",
                    code="tag-elsewhere",
                )
            event = events.untag(ws, tag, by=by)
        else:
            event = events.tag(ws, prompt, tag, by=by)
    _say(event, json, f"{tag} no longer stands for {event.prompt}" if remove else f"{tag} stands for {event.prompt}")


def tags(home: Home = None, json: Json = False) -> None:
    """List what each name@tag stands for now."""
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
        line("no tags; 'fedprompt bank tag PROMPT name@tag' makes one")
    else:
        shown = [(row.tag, row.prompt, row.by, row.signer[:11], f"{row.at:%Y-%m-%d %H:%M}") for row in rows]
        table(("tag", "prompt", "by", "key", "since"), shown)


def rename(
    prompt: Prompt,
    name: Annotated[str, typer.Argument(help="Its new name; empty for the one it came with.")],
    by: By = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Give a prompt a name of its own; its id stays, and the log keeps who renamed it."""
    from fedprompt.workspace.shelf import events
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        event = events.rename(ws, prompt, name, by=by)
        called = ws.bank.prompt_row(event.prompt).called
    _say(event, json, f"{event.prompt} is called {called}")


def approve(prompt: Prompt, note: Note = "", by: By = None, home: Home = None, json: Json = False) -> None:
    """Say that a prompt may be used; the log keeps who said so."""
    from fedprompt.workspace.shelf import events
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        event = events.approve(ws, prompt, note=note, by=by)
    _say(event, json, f"{event.prompt} is approved by {event.by}")


def retire(
    prompt: Prompt,
    note: Note = "",
    by: By = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take a retired prompt back.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Take a prompt out of rankings and searches; nothing is deleted."""
    from fedprompt.workspace.shelf import events
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        event = events.retire(ws, prompt, note=note, by=by, undo=undo)
    _say(event, json, f"{event.prompt} is {'in use again' if undo else 'retired'}")


def log(
    prompt: Annotated[str | None, typer.Option("--prompt", help="Only what was said of this prompt.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest.")] = 100,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show what was said of prompts, the newest first: tags, approvals, retirements."""
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        events = ws.bank.events(None if prompt is None else ws.bank.prompt_row(prompt).id, limit=limit)
    if json:
        emit({"events": [_plain(event) for event in events]})
    elif not events:
        line("nothing was said of any prompt")
    else:
        columns = ("when", "what", "prompt", "by", "key", "said")
        rows = [(f"{e.at:%Y-%m-%d %H:%M}", e.kind, e.prompt, e.by, e.signer[:11], _said(e.body)) for e in events]
        table(columns, rows)


def lineage(prompt: Prompt, home: Home = None, json: Json = False) -> None:
    """Show what a prompt was made from, generation by generation, and what was made from it."""
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
    rows += [("made from it", row.id, row.name, row.origin) for row in found.children]
    if rows:
        table(("", "prompt", "name", "origin"), rows)
    else:
        line("made from no other prompt, and none was made from it")


def _say(event: Any, json: bool, sentence: str) -> None:
    if json:
        emit(_plain(event))
    else:
        line(sentence)


def _said(body: Any) -> str:
    what = f"{body['name']}@{body['tag']}" if "tag" in body else ""
    asked = f", asked for by {body['asked_by']}" if body.get("approved_by") else ""
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
