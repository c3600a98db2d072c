"""The ranking of a study's prompts by validation; test scores only of those that were nominated.

Mean is unweighted over the study's sites. Only prompts scored at every site are ranked; the others stand apart. Means,
worst sites and the probability of being best come from the same Beta draws per site. Invariant: a ranking holds scores
of one method; a prompt whose answers were got by another, at any site, stands apart too.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fedprompt.bank.rows import PromptRow, ScoreRow
from fedprompt.evaluation.intervals import Interval
from fedprompt.evaluation.statistics import beta_summary, effective_n, mean_over_sites, wilson
from fedprompt.study.score import Score
from fedprompt.workspace.methods import how_judged, ruling_way
from fedprompt.workspace.views import LeaderboardView, LeaderRow, SiteScore
from fedprompt.workspace.workspace import Workspace

__all__ = ["REFERENCE", "latest_study", "leaderboard", "site_score"]

SEED = 0
REFERENCE = "centralised"  # tuned on pooled cases: a line to measure by, which no federation could have
DRAWS = 4000


def latest_study(ws: Workspace) -> str | None:
    """Return the study of the newest demo or federation, else the newest study, else None."""
    for row in ws.bank.runs():
        if row.kind in ("demo", "federate"):
            return row.study
    studies = ws.bank.studies()
    return max(studies, key=lambda row: row.created).digest if studies else None


def leaderboard(ws: Workspace, study: str | None = None, *, show_test: bool = False) -> LeaderboardView:
    """Return the ranking of a study, the newest if None.

    Raises:
        BankError: there is no such study.
    """
    chosen = study or latest_study(ws)
    if chosen is None:
        return LeaderboardView("", "", (), (), (), 0)
    title = ws.bank.study(chosen).name
    prompts = {row.id: row for row in ws.bank.prompts(study=chosen)}
    run = _newest_run(ws, chosen)
    validation = _by_prompt(_of_run(ws.bank.scores(study=chosen, split="validation"), run))
    test = _by_prompt(_of_run(ws.bank.scores(study=chosen, split="test"), run))
    sites = tuple(sorted({site for found in validation.values() for site in found}))
    full = _of_one_method({p: found for p, found in validation.items() if set(found) == set(sites) and p in prompts})
    counts = {p: {site: _counts(score) for site, score in found.items()} for p, found in full.items()}
    summary = beta_summary(counts, np.random.default_rng(SEED), draws=DRAWS)
    order = sorted(full, key=lambda p: (-summary[p].mean.value, -summary[p].worst.value, p))
    top = summary[order[0]].mean.low if order else 0.0
    ranked = []
    for prompt in order:
        found = summary[prompt]
        interval = Interval(found.mean.low, found.mean.high)
        apart = found.mean.high < top or found.best < 0.01
        row = _row(prompts[prompt], sites, full[prompt], test.get(prompt), show_test)
        ranked.append(
            replace(
                row,
                mean=found.mean.value,
                worst=found.worst.value,
                interval=interval,
                probability_best=found.best,
                distinguishable=apart,
            )
        )
    partial = tuple(
        _row(row, sites, validation.get(id, {}), test.get(id), show_test)
        for id, row in prompts.items()
        if id not in full and (run is None or row.kind == "template" or id in validation or id in test)
    )
    return LeaderboardView(chosen, title, sites, tuple(ranked), partial, _looks(ws, chosen))


def _of_one_method(full: Mapping[str, Mapping[str, Score]]) -> dict[str, Mapping[str, Score]]:
    """Return the prompts scored in the way that most of them have at all sites, likelihood where they tie."""
    ways = {prompt: {how_judged(score) for score in found.values()} for prompt, found in full.items()}
    ruling = ruling_way(next(iter(found)) for found in ways.values() if len(found) == 1)
    return {prompt: found for prompt, found in full.items() if ways[prompt] == {ruling}}


def _newest_run(ws: Workspace, study: str) -> str | None:
    """Return the newest demo or federation of a study; scores of another run may be over other cases."""
    return next((row.id for row in ws.bank.runs() if row.study == study and row.kind in ("demo", "federate")), None)


def _of_run(rows: tuple[ScoreRow, ...], run: str | None) -> tuple[ScoreRow, ...]:
    return rows if run is None else tuple(row for row in rows if row.run == run or row.run.startswith(f"{run}/"))


def site_score(score: Score) -> SiteScore | None:
    """Return one score with Wilson's interval over its effective cases, None over no cases."""
    size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares)
    if size is None or score.value is None:
        return None
    value = min(1.0, max(0.0, score.value))
    return SiteScore(value, score.n, wilson(value * size, size))


def _counts(score: Score) -> tuple[float, float]:
    size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares) or 0.0
    return min(1.0, max(0.0, score.total / score.n)) * size if score.n else 0.0, size


def _by_prompt(rows: tuple[ScoreRow, ...]) -> dict[str, dict[str, Score]]:
    """Return prompt -> site -> the newest score."""
    found: dict[str, dict[str, Score]] = {}
    for row in sorted(rows, key=lambda r: r.created):
        if row.score.n:
            found.setdefault(row.score.prompt, {})[row.site] = row.score
    return found


def _looks(ws: Workspace, study: str) -> int:
    """Return how often test was looked at: runs of the study that asked for it."""
    return len({row.run for row in ws.bank.scores(study=study, split="test")})


def _row(
    row: PromptRow,
    sites: tuple[str, ...],
    found: Mapping[str, Score],
    test: Mapping[str, Score] | None,
    show_test: bool,
) -> LeaderRow:
    mean, interval = None, None
    if show_test and test:
        counts = [(round(score.total), score.n) for score in test.values()]
        estimate = mean_over_sites(counts, np.random.default_rng(SEED), draws=DRAWS)
        if estimate is not None:
            mean, interval = estimate.value, Interval(estimate.low, estimate.high)
    return LeaderRow(
        id=row.id,
        name=row.name,
        kind=row.kind,
        origin=row.origin,
        mean=None,
        worst=None,
        interval=None,
        probability_best=None,
        distinguishable=None,
        sites={site: site_score(found[site]) if site in found else None for site in sites},
        nominated=test is not None,
        test_mean=mean,
        test_interval=interval,
    )
