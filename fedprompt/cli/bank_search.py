"""``fedprompt bank search|families|leaders``: prompts by meaning, by likeness, and by score."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from fedprompt.cli.options import Home, Json, Seed
from fedprompt.cli.showing import emit, line, percent, table

__all__ = ["families", "leaders", "search"]

Study = Annotated[str | None, typer.Option("--study", help="Only prompts of this study (name or digest).")]
Kind = Annotated[str | None, typer.Option("--kind", help="Only 'template' or 'soft' prompts.")]
Site = Annotated[str | None, typer.Option("--site", help="Only prompts scored by this site.")]
Tag = Annotated[str | None, typer.Option("--tag", help="Only prompts with this tag, or name@tag.")]
Minimum = Annotated[
    float | None, typer.Option("--min-score", help="Minimum mean score (with --site, minimum score of the site).")
]
Split = Annotated[str, typer.Option("--split", help="The split of the scores.")]
Since = Annotated[datetime | None, typer.Option("--since", help="Only prompts added at or after this time (UTC).")]
Until = Annotated[datetime | None, typer.Option("--until", help="Only prompts added before this time (UTC).")]
Words = Annotated[str | None, typer.Option("--words", help="Only prompts that contain all of these words.")]
Retired = Annotated[bool, typer.Option("--retired", help="Include retired prompts.")]


def search(
    text: Annotated[str | None, typer.Argument(help="Text to search for by meaning.")] = None,
    like: Annotated[str | None, typer.Option("--like", help="Find prompts similar to this one.")] = None,
    study: Study = None,
    kind: Kind = None,
    site: Site = None,
    tag: Tag = None,
    minimum: Minimum = None,
    split: Split = "validation",
    since: Since = None,
    until: Until = None,
    words: Words = None,
    retired: Retired = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of results.")] = 10,
    home: Home = None,
    json: Json = False,
) -> None:
    """Find the prompts closest in meaning to a text, or similar to another prompt."""
    from fedprompt.cli.telling import Teller
    from fedprompt.workspace.search.searching import search as find
    from fedprompt.workspace.workspace import open_workspace

    if (text is None) == (like is None):
        raise typer.BadParameter("give a text to search for, or a prompt with --like")
    with open_workspace(home) as ws, Teller() as tell:
        wanted = _filter(ws, study, kind, site, tag, minimum, split, since, until, words, retired)
        found = find(ws, text, like=like, wanted=wanted, limit=limit, report=tell)
    if json:
        rows = [
            {
                "id": one.prompt.id,
                "name": one.prompt.name,
                "kind": one.prompt.kind,
                "study": one.prompt.study,
                "origin": one.prompt.origin,
                "similarity": one.similarity,
                "mean": one.mean,
                "near_duplicates": list(one.near_duplicates),
            }
            for one in found
        ]
        emit({"found": rows})
    elif not found:
        line("no prompt matches; 'fedprompt bank list' shows all prompts")
    else:
        table(
            ("near", "prompt", "name", "kind", "score", "same in another order"),
            [
                (
                    f"{one.similarity:.3f}",
                    one.prompt.id,
                    one.prompt.name,
                    one.prompt.kind,
                    percent(one.mean),
                    ", ".join(one.near_duplicates),
                )
                for one in found
            ],
        )


def families(
    count: Annotated[int, typer.Option("--count", min=1, max=1000, help="Maximum number of groups.")] = 8,
    study: Study = None,
    kind: Kind = None,
    split: Split = "validation",
    seed: Seed = 0,
    home: Home = None,
    json: Json = False,
) -> None:
    """Group prompts by meaning, each group with its best member."""
    import numpy as np

    from fedprompt.cli.telling import Teller
    from fedprompt.workspace.search.searching import families as group
    from fedprompt.workspace.workspace import open_workspace

    with open_workspace(home) as ws, Teller() as tell:
        wanted = _filter(ws, study, kind, None, None, None, split, None, None, None, False)
        found = group(ws, count, np.random.default_rng(seed), wanted=wanted, report=tell)
    if json:
        rows = [
            {"best": one.best.id, "name": one.best.name, "mean": one.mean, "members": list(one.members)}
            for one in found
        ]
        emit({"families": rows})
    elif not found:
        line("no prompts to group")
    else:
        rows_ = [(one.best.id, one.best.name, percent(one.mean), len(one.members)) for one in found]
        table(("best", "name", "score", "prompts"), rows_)


def leaders(
    study: Annotated[str, typer.Option("--study", help="The study (name or digest).")],
    kind: Kind = None,
    site: Site = None,
    tag: Tag = None,
    minimum: Minimum = None,
    split: Split = "validation",
    since: Since = None,
    until: Until = None,
    words: Words = None,
    retired: Retired = False,
    order: Annotated[str, typer.Option("--order", help="Sort by 'mean', 'worst', 'pooled' or 'site'.")] = "mean",
    coverage: Annotated[
        str, typer.Option("--coverage", help="Scored at every site ('full'), at some sites ('partial'), or 'any'.")
    ] = "full",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Number of rows.")] = 50,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Number of rows to skip.")] = 0,
    home: Home = None,
    json: Json = False,
) -> None:
    """Rank a study's prompts by each site's newest score."""
    from fedprompt.workspace.workspace import open_workspace

    if order not in ("mean", "worst", "pooled", "site"):
        raise typer.BadParameter(f"'{order}' is not an order; use mean, worst, pooled or site", param_hint="--order")
    if coverage not in ("full", "partial", "any"):
        raise typer.BadParameter(f"'{coverage}' is not a coverage; use full, partial or any", param_hint="--coverage")
    with open_workspace(home) as ws:
        wanted = _filter(ws, study, kind, site, tag, minimum, split, since, until, words, retired)
        page = ws.bank.leaders(wanted, order=order, coverage=coverage, limit=limit, offset=offset)  # type: ignore[arg-type]
    if json:
        rows = [
            {
                "id": row.id,
                "name": row.name,
                "kind": row.kind,
                "origin": row.origin,
                "sites": row.sites,
                "n": row.n,
                "mean": row.mean,
                "worst": row.worst,
                "pooled": row.pooled,
                "here": row.here,
                "created": None if row.created is None else row.created.isoformat(),
            }
            for row in page.rows
        ]
        emit({"study": wanted.study, "split": split, "sites": page.sites, "total": page.total, "rows": rows})
    elif not page.rows:
        line("no prompt is ranked; '--coverage any' also lists prompts that only some sites scored")
    else:
        table(
            ("prompt", "name", "kind", "sites", "mean", "worst", "by case"),
            [
                (row.id, row.name, row.kind, row.sites, percent(row.mean), percent(row.worst), percent(row.pooled))
                for row in page.rows
            ],
        )
        line(f"rows {offset + 1} to {offset + len(page.rows)} of {page.total}; {page.sites} sites")


def _filter(
    ws: Any,
    study: str | None,
    kind: str | None,
    site: str | None,
    tag: str | None,
    minimum: float | None,
    split: str,
    since: datetime | None,
    until: datetime | None,
    words: str | None,
    retired: bool,
) -> Any:
    from fedprompt.bank.filters import Filter

    return Filter(
        study=None if study is None else ws.bank.find_study(study).digest,
        kind=kind,
        site=site,
        tag=tag,
        minimum=minimum,
        split=split,
        since=None if since is None else since.replace(tzinfo=UTC),
        until=None if until is None else until.replace(tzinfo=UTC),
        words=words,
        retired=retired,
    )
