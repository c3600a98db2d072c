"""``fedprompt bank``: list, show and verify what the bank holds; its other commands lie beside this file."""

from typing import Annotated, Any

import typer

from fedprompt.cli import bank_adapted, bank_copies, bank_events, bank_search
from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line, percent, table

__all__ = ["app", "list_", "show", "verify"]

app = typer.Typer(help="Manage the store of prompts, scores and rounds.", no_args_is_help=True)
for command in (
    bank_search.search,
    bank_search.leaders,
    bank_search.families,
    bank_events.tag,
    bank_events.tags,
    bank_events.approve,
    bank_events.rename,
    bank_events.retire,
    bank_events.log,
    bank_events.lineage,
    bank_adapted.adapted,
    bank_copies.backup,
    bank_copies.restore,
    bank_copies.merge,
):
    app.command()(command)


@app.command("list")
def list_(
    study: Annotated[str | None, typer.Option("--study", help="Only prompts of this study (its digest).")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only 'template' or 'soft' prompts.")] = None,
    search: Annotated[str | None, typer.Option("--search", help="Only prompts that contain these words.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List prompts."""
    from fedprompt.workspace.workspace import open_workspace

    if kind not in (None, "template", "soft"):
        raise typer.BadParameter(f"'{kind}' is not a kind of prompt; use template or soft", param_hint="--kind")
    with open_workspace(home) as ws:
        rows = ws.bank.prompts(study=study, kind=kind, search=search)
    if json:
        emit({"prompts": [_plain(row) for row in rows]})
    elif not rows:
        line("no prompts yet; create some with 'fedprompt demo' or 'fedprompt score'")
    else:
        table(
            ("prompt", "name", "kind", "origin", "made"),
            [(row.id, row.name, row.kind, row.origin, f"{row.created:%Y-%m-%d %H:%M}") for row in rows],
        )


@app.command()
def show(
    prompt: Annotated[str, typer.Argument(help="A prompt: its id, the start of an id, or name@tag.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Show one prompt: its text, label words, origin and scores."""
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        value = ws.bank.prompt(prompt)
        row = ws.bank.prompt_row(value.id)
        scores = ws.bank.scores(prompts=[value.id])
        alike = ws.bank.near_duplicates(value.id)
        tags = [row.tag for row in ws.bank.tags() if row.prompt == value.id]
        retired = ws.bank.is_retired(value.id)
    template = value.template
    found = {
        **_plain(row),
        "text": template.text,
        "messages": None
        if template.messages is None
        else [{"role": message.role, "content": message.content} for message in template.messages],
        "words": None if template.words is None else dict(template.words),
        "demonstrations": None if template.demonstrations is None else template.demonstrations.count,
        "tokens": None if value.soft is None else value.soft.tokens,
        "scores": [
            {"run": s.run, "site": s.site, "split": s.score.split, "n": s.score.n, "value": s.score.value}
            for s in scores
        ],
        "near_duplicates": [{"prompt": other, "same": kind} for other, kind in alike],
        "tags": tags,
        "retired": retired,
    }
    if json:
        emit(found)
        return
    line(f"{found['id']}  {found['name']}  ({found['kind']}, from {found['origin']})")
    line()
    line(template.text or "\n".join(f"[{m.role}] {m.content}" for m in template.messages or ()))
    line()
    if template.words:
        line("label words: " + ", ".join(f"{label} = {word!r}" for label, word in template.words.items()))
    if template.demonstrations is not None:
        line(f"examples: {template.demonstrations.count} of each site's own cases at {{demonstrations}}")
    if value.soft is not None:
        size = f"{value.soft.tokens} tokens of width {value.soft.width}"
        line(f"soft prompt: {size} for the model {value.soft.model}")
    if value.adapter is not None:
        size = f"{value.adapter.size:,} numbers of rank {value.adapter.rank} at {', '.join(value.adapter.targets)}"
        line(f"adapter: {size} for the model {value.adapter.model}, in the file {value.adapter.digest}")
    if row.parents:
        line("made from: " + ", ".join(row.parents))
    if tags:
        line("tagged: " + ", ".join(tags))
    if retired:
        line("retired")
    for other, kind in alike:
        line(f"the same {kind} in another order: {other}")
    if scores:
        table(
            ("site", "split", "cases", "score"),
            [(s.site, s.score.split, s.score.n, percent(s.score.value)) for s in scores],
        )


@app.command()
def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="First rebuild the derived tables (rankings, similarities).")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Recompute every id, check every signature, and report what does not match."""
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        if repair:
            ws.bank.rederive()
        problems = ws.bank.verify()
        prompts = ws.bank.count_prompts()
    if json:
        emit(
            {
                "ok": not problems,
                "prompts": prompts,
                "problems": [{"where": problem.where, "what": problem.what} for problem in problems],
            }
        )
    for problem in problems if not json else ():
        line(f"{problem.where}: {problem.what}")
    if problems:
        raise typer.Exit(1)
    if not json:
        line(f"all ids of {prompts} prompts match their content")


def _plain(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "study": row.study,
        "origin": row.origin,
        "parents": list(row.parents),
        "model": row.model,
        "notes": dict(row.notes or {}),
        "created": row.created.isoformat(),
    }
