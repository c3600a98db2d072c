"""One page of a study's ranking, paged in the store, so that a page of 100,000 prompts costs what a page of 50 does.

It ranks by each site's newest score, whatever the run, as ``fedprompt bank leaders`` does; ``leaderboard`` ranks one
run, over the same cases, with all prompts in memory. Intervals come from the Beta draws of the page's prompts alone,
and are left out where a prompt's sites were scored in different ways.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fedprompt.bank.filters import Filter
from fedprompt.bank.leaders import Order
from fedprompt.evaluation.intervals import Interval
from fedprompt.evaluation.statistics import beta_summary, effective_n
from fedprompt.study.score import Score
from fedprompt.workspace.leaderboard import DRAWS, SEED, site_score
from fedprompt.workspace.methods import how_judged
from fedprompt.workspace.views import LeaderRow
from fedprompt.workspace.workspace import Workspace

__all__ = ["RankingPage", "ranking_page"]

PAGE = 50


@dataclass(frozen=True)
class RankingPage:
    """``rows``: the page, best first; ``total``: how many all pages have; ``sites``: those with scores on this page."""

    rows: tuple[LeaderRow, ...]
    total: int
    sites: tuple[str, ...]


def ranking_page(
    ws: Workspace, wanted: Filter, *, page: int = 0, size: int = PAGE, order: Order = "mean"
) -> RankingPage:
    """Return one page of the ranking of the prompts that every site of a study scored.

    Args:
        ws: the workspace.
        wanted: which prompts; it must name a study.
        page: which page, from 0.
        size: how many rows it has, at most 1,000.
        order: by the mean over sites, the worst site, the mean by case, or the site of the filter.

    Raises:
        BankError: no study, an order by site without a site, or a page out of bounds.
    """
    found = ws.bank.leaders(wanted, order=order, limit=size, offset=page * size)
    scores = _newest(ws, wanted, [row.id for row in found.rows])
    sites = tuple(sorted({site for by_site in scores.values() for site in by_site}))
    alike = {id: by_site for id, by_site in scores.items() if _one_way(by_site) and set(by_site) == set(sites)}
    counts = {id: {site: _counts(score) for site, score in by_site.items()} for id, by_site in alike.items()}
    summary = beta_summary(counts, np.random.default_rng(SEED), draws=DRAWS)
    rows = []
    for row in found.rows:
        mean = summary[row.id].mean if row.id in summary else None
        here = scores.get(row.id, {})
        rows.append(
            LeaderRow(
                id=row.id,
                name=row.name,
                kind=row.kind,
                origin=row.origin,
                mean=row.mean,
                worst=row.worst,
                interval=None if mean is None else Interval(mean.low, mean.high),
                probability_best=None,
                distinguishable=None,
                sites={site: site_score(here[site]) if site in here else None for site in sites},
                nominated=False,
                test_mean=None,
                test_interval=None,
            )
        )
    return RankingPage(tuple(rows), found.total, sites)


def _newest(ws: Workspace, wanted: Filter, ids: list[str]) -> dict[str, dict[str, Score]]:
    """Return prompt -> site -> its newest score over any cases."""
    found: dict[str, dict[str, Score]] = {}
    if ids:
        rows = ws.bank.scores(study=wanted.study, split=wanted.split, prompts=ids)
        for row in sorted(rows, key=lambda one: one.created):
            found.setdefault(row.score.prompt, {})[row.site] = row.score
    return {id: {site: score for site, score in by_site.items() if score.n} for id, by_site in found.items()}


def _one_way(by_site: Mapping[str, Score]) -> bool:
    return len({how_judged(score) for score in by_site.values()}) == 1


def _counts(score: Score) -> tuple[float, float]:
    size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares) or 0.0
    return min(1.0, max(0.0, score.total / score.n)) * size, size
