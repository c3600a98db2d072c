"""``fedprompt site policy``: what a site allows, shown or changed."""

from typing import Annotated, Any

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line
from fedprompt.cli.site_study import Site

__all__ = ["policy"]


def policy(
    tasks_a_day: Annotated[
        int | None, typer.Option("--tasks-a-day", min=0, help="Maximum answers and refusals per day.")
    ] = None,
    replies: Annotated[int | None, typer.Option("--replies", min=0, help="Maximum replies to one study.")] = None,
    min_cases: Annotated[int | None, typer.Option("--min-cases", min=1, help="Minimum min_cases of a study.")] = None,
    epsilon: Annotated[
        float | None, typer.Option("--epsilon", min=0, help="Maximum privacy budget of all studies; 0 for no limit.")
    ] = None,
    weights: Annotated[
        int | None, typer.Option("--weights", min=0, help="Largest model trained here, in weights; 0 for no limit.")
    ] = None,
    parameters: Annotated[
        int | None, typer.Option("--parameters", min=0, help="Maximum numbers that a study's rounds may change.")
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            help="Models that may be loaded, comma-separated: names, and bundled, here (on this machine), servers.",
        ),
    ] = None,
    verbs: Annotated[str | None, typer.Option("--verbs", help="Verbs that are answered, comma-separated.")] = None,
    quiet_hours: Annotated[
        str | None,
        typer.Option(
            "--quiet-hours", help="Allowed hours such as 22:00-06:00 (this machine's time), or 'none' for no limit."
        ),
    ] = None,
    near: Annotated[
        bool | None,
        typer.Option("--near/--any-start", help="Refuse prompts that honest rounds cannot make. Default: --any-start."),
    ] = None,
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show or change what this site allows. A running worker obeys from its next task on."""
    from fedprompt.workspace.as_json import as_json
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.policy import site_policy

    given: dict[str, Any] = {"tasks_a_day": tasks_a_day, "replies": replies, "min_cases": min_cases, "near": near}
    given["parameters"] = parameters
    for name, words in (("verbs", verbs), ("models", models)):
        given[name] = None if words is None else [word.strip() for word in words.split(",") if word.strip()]
    changes = {name: value for name, value in given.items() if value is not None}
    if epsilon is not None:
        changes["epsilon"] = epsilon or None
    if weights is not None:
        changes["weights"] = weights or None
    if quiet_hours is not None:
        changes["quiet_hours"] = None if quiet_hours == "none" else quiet_hours
    found = site_policy(find_home(home), changes, site=site)
    if json:
        emit(found)
    else:
        for name, value in as_json(found).items():
            line(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
