"""``fedprompt bank adapted``: the adapted prompts of this home, which no copy of the bank takes along unless named."""

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line, table

__all__ = ["adapted"]


def adapted(home: Home = None, json: Json = False) -> None:
    """List adapted prompts: shared prompts with weights fitted to this home's own cases."""
    from fedprompt.workspace.as_json import as_json
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws:
        rows = ws.bank.all_adapted()
    if json:
        emit({"adapted": [{**as_json(row), "created": row.created.isoformat()} for row in rows]})
    elif not rows:
        line("no adapted prompts yet; create one with 'fedprompt adapt --pack PACK'")
    else:
        shown = [
            (row.name, row.id, len(row.members), row.about.get("n", "-"), f"{row.created:%Y-%m-%d}") for row in rows
        ]
        table(("name", "id", "prompts", "cases", "since"), shown)
