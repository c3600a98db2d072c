"""``fedprompt site study``: what a study asks of a site, and the operator's word on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line

if TYPE_CHECKING:
    from fedprompt.workspace.site.study import StudyShown

__all__ = ["Site", "accept", "app", "decline", "show"]

app = typer.Typer(help="Studies that this site answers.", no_args_is_help=True)
Site = Annotated[str | None, typer.Option("--site", help="Which site, where this home has several.")]
File = Annotated[Path, typer.Argument(help="The study, a YAML file.")]


@app.command()
def show(file: File, site: Site = None, home: Home = None, json: Json = False) -> None:
    """Show what a study asks, which model it would load, and what would leave; nothing is accepted."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.study import site_study_show

    found = site_study_show(find_home(home), file, site=site)
    if json:
        emit(found)
    else:
        _say_study(found)


@app.command()
def accept(
    file: File,
    digest: Annotated[str | None, typer.Option("--digest", help="What the hub's operator says it is.")] = None,
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Accept a study; its digest is pinned, so that a study that is altered is another one."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.study import site_study_accept

    found = site_study_accept(find_home(home), file, digest=digest, site=site)
    if json:
        emit(found)
        return
    _say_study(found.shown)
    line(f"'{found.site}' accepted it")


@app.command()
def decline(
    wanted: Annotated[str, typer.Argument(metavar="STUDY", help="An accepted study's digest or name.")],
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Take back the word on a study."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.study import site_study_decline

    found = site_study_decline(find_home(home), wanted, site=site)
    if json:
        emit(found)
    else:
        line(f"'{found.site}' answers '{found.study}' ({found.digest}) no more")


def _say_study(found: "StudyShown") -> None:
    line(f"{found.study}  {found.digest or '(no digest without its model)'}")
    line(f"model {found.model}, from {found.model_from}; digest {found.model_digest or 'not known'}")
    if found.refused:
        line(f"not accepted as it stands: {found.refused}")
    answer = found.answer
    line(f"fields: {', '.join(found.fields)}; answer: {answer['type']} {', '.join(answer['labels'])}")
    for template in found.templates:
        line(f"asks '{template['name']}': {template.get('text') or template.get('messages')}")
    size = "" if found.bytes_a_round is None else f", about {found.bytes_a_round:,} bytes a round"
    line(f"{found.rounds} rounds of {found.steps} steps{size}")
    line(f"nothing over fewer than {found.min_cases} cases, at most {found.replies} replies; what leaves:")
    for sentence in found.leaves:
        line(f"  - {sentence}")
    for sentence in found.agreed:
        line(f"accepting it, you agree: {sentence}")
    line(found.questions_told)
    seen = {"hub": "the hub alone", "sites": "the hub, and the other sites by what it releases"}
    line(f"who sees what this site scores: {seen[found.scores]}")
