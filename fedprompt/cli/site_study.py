"""``fedprompt site study``: what a study asks of a site, and the operator's word on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedprompt.cli.options import Home, Json
from fedprompt.cli.showing import emit, line

if TYPE_CHECKING:
    from fedprompt.workspace.site.study import StudyShown

__all__ = ["Site", "accept", "app", "decline", "show"]

app = typer.Typer(help="Manage the studies that this site answers.", no_args_is_help=True)
Site = Annotated[str | None, typer.Option("--site", help="The site, if this home has several.")]
File = Annotated[Path, typer.Argument(help="The study (a YAML file).")]


@app.command()
def show(file: File, site: Site = None, home: Home = None, json: Json = False) -> None:
    """Show what a study asks, which model it loads, and what would leave. Nothing is accepted."""
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
    digest: Annotated[str | None, typer.Option("--digest", help="The digest that the hub's operator gave you.")] = None,
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Accept a study. Its digest is pinned, so a changed study needs to be accepted again."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.study import site_study_accept

    found = site_study_accept(find_home(home), file, digest=digest, site=site)
    if json:
        emit(found)
        return
    _say_study(found.shown)
    line(f"'{found.site}' accepted the study")


@app.command()
def decline(
    wanted: Annotated[str, typer.Argument(metavar="STUDY", help="An accepted study's digest or name.")],
    site: Site = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Withdraw the acceptance of a study."""
    from fedprompt.workspace.home import find_home
    from fedprompt.workspace.site.study import site_study_decline

    found = site_study_decline(find_home(home), wanted, site=site)
    if json:
        emit(found)
    else:
        line(f"'{found.site}' no longer answers '{found.study}' ({found.digest})")


def _say_study(found: "StudyShown") -> None:
    line(f"{found.study}  {found.digest or '(no digest without its model)'}")
    line(f"model {found.model}, from {found.model_from}; digest {found.model_digest or 'unknown'}")
    if found.refused:
        line(f"cannot be accepted as it is: {found.refused}")
    answer = found.answer
    line(f"fields: {', '.join(found.fields)}; answer: {answer['type']} {', '.join(answer['labels'])}")
    for template in found.templates:
        line(f"prompt '{template['name']}': {template.get('text') or template.get('messages')}")
    size = "" if found.bytes_a_round is None else f", about {found.bytes_a_round:,} bytes a round"
    line(f"{found.rounds} rounds of {found.steps} steps{size}")
    line(f"no numbers over fewer than {found.min_cases} cases, at most {found.replies} replies; what leaves:")
    for sentence in found.leaves:
        line(f"  - {sentence}")
    for sentence in found.agreed:
        line(f"by accepting the study, you agree: {sentence}")
    if found.privacy is not None:
        for told in (found.privacy.sentence, found.privacy.details, found.privacy.cost):
            line(told)
    line(found.questions_told)
    seen = {"hub": "only the hub", "sites": "the hub, and other sites through its releases"}
    line(f"who sees this site's scores: {seen[found.scores]}")
