"""One page of a study's ranking, paged in the store, so that a page of 100,000 prompts costs what a page of 50 does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fedprompt.bank.filters import Filter
from fedprompt.bank.leaders import MOST as MOST_ROWS
from fedprompt.bank.leaders import Order
from fedprompt.bank.rows import Leader
from fedprompt.evaluation.statistics.beta_means import beta_means
from fedprompt.evaluation.statistics.clusters import effective_n
from fedprompt.evaluation.statistics.intervals import Estimate, Interval
from fedprompt.evaluation.statistics.ranking import BetaSummary, beta_summary
from fedprompt.evaluation.statistics.site_means import mean_over_sites
from fedprompt.study.score import Score
from fedprompt.workspace.ranking.leaderboard import REFERENCE, site_score
from fedprompt.workspace.results.methods import Way, how_judged, ruling_way
from fedprompt.workspace.results.views import LeaderRow
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "Contenders",
    "Coverage",
    "Filter",
    "Order",
    "RankingFilters",
    "RankingPage",
    "Standing",
    "contenders",
    "means_of_prompts",
    "ranked_row",
    "ranking_page",
    "standing_of",
]

PAGE = 50
SEED = 0
CONTENDERS = 50
DRAWS = 2000
Coverage = Literal["full", "partial", "any"]
Standing = Literal["reference", "other way", "best", "below", "not told apart"]


@dataclass(frozen=True)
class RankingPage:
    """``rows``: the page, best first; ``total``: how many all pages have; ``sites``: those with scores on this page.

    ``best`` is the id of the best contender of the whole ranking, ``looks`` how many runs read the study's test cases,
    ``tags`` are by prompt.
    """

    rows: tuple[LeaderRow, ...]
    total: int
    sites: tuple[str, ...]
    best: str | None = None
    looks: int = 0
    tags: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Contenders:
    """The first of a whole ranking, whichever page is asked for: their ids, newest scores by site, and Beta draws."""

    ids: tuple[str, ...]
    scores: Mapping[str, Mapping[str, Score]]
    drawn: Mapping[str, BetaSummary]
    ruling: Way | None


@dataclass(frozen=True)
class _Stand:
    """A prompt's mean over all sites, and the probability that it is the highest."""

    mean: Estimate
    best: float


def contenders(ws: Workspace, study: str, split: str = "validation") -> Contenders:
    """Return the prompts that could be the best of a study; a reference is none.

    Raises:
        BankError: no study.
    """
    wanted = Filter(study=study or None, split=split)
    ids = [row.id for row in ws.bank.leaders(wanted, limit=CONTENDERS).rows if row.origin != REFERENCE]
    scores = _newest(ws, wanted, ids)
    ways = _ways(scores)
    ruling = ruling_way(next(iter(ways[id])) for id in ids if len(ways.get(id, ())) == 1)
    sites = {site for by_site in scores.values() for site in by_site}
    alike = _alike(scores, ruling, sites)
    return Contenders(tuple(ids), scores, beta_summary(alike, np.random.default_rng(SEED), draws=DRAWS), ruling)


def ranking_page(
    ws: Workspace,
    wanted: Filter,
    *,
    page: int = 0,
    size: int = PAGE,
    order: Order = "mean",
    coverage: Coverage = "full",
    show_test: bool = False,
    rivals: Contenders | None = None,
) -> RankingPage:
    """Return one page of the ranking of the prompts that every site of a study scored.

    Args:
        ws: the workspace.
        wanted: which prompts; it must name a study.
        page: which page, from 0.
        size: how many rows it has, at most 1,000.
        order: by the mean over sites, the worst site, the mean by case, or the site of the filter.
        coverage: ``partial`` for those that some sites only scored; these have no mean.
        show_test: with the test scores of nominated prompts.
        rivals: the study's :func:`contenders`, for whoever asks for several pages; found if None.

    Raises:
        BankError: no study, an order by site without a site, or a page out of bounds.
    """
    found = ws.bank.leaders(wanted, order=order, coverage=coverage, limit=size, offset=page * size)
    # Only what was nominated has scores on test, so these few are asked for and not a study's every score.
    nominated = list(ws.bank.means(wanted.study or "", "test"))
    tests = ws.bank.scores(study=wanted.study, split="test", prompts=nominated) if nominated else ()
    looks = len({row.run for row in tests})
    if not found.rows:
        return RankingPage((), found.total, (), looks=looks)
    rivals = rivals or contenders(ws, wanted.study or "", wanted.split)
    ids = [row.id for row in found.rows]
    unknown = [id for id in ids if id not in rivals.scores]
    scores = {**rivals.scores, **_newest(ws, wanted, unknown)}
    shown = sorted({site for id in ids for site in scores.get(id, {})})
    summary = _summaries(rivals, {id: scores[id] for id in unknown if id in scores} if coverage == "full" else {})
    top = next((id for id in rivals.ids if id in summary), None)
    test = {id: {row.site: row.score for row in tests if row.score.prompt == id and row.score.n} for id in ids}
    rows = []
    for row in found.rows:
        drawn = summary.get(row.id) if coverage == "full" else None
        rows.append(_row(row, drawn, summary[top] if top else None, scores.get(row.id, {}), tuple(shown), coverage))
        if rivals.ruling not in (None, *_ways({row.id: scores.get(row.id, {})})[row.id]):
            rows[-1] = replace(rows[-1], mean=None, worst=None, otherwise=True)
        if test[row.id]:
            rows[-1] = _with_test(rows[-1], test[row.id], show_test)
    tags: dict[str, tuple[str, ...]] = {}
    for one in ws.bank.tags():
        tags[one.prompt] = (*tags.get(one.prompt, ()), one.tag)
    return RankingPage(tuple(rows), found.total, tuple(shown), top, looks, tags)


def ranked_row(ws: Workspace, study: str, prompt: str, rivals: Contenders | None = None) -> LeaderRow | None:
    """Return the row of one prompt, retired ones too; None where no site scored it.

    Raises:
        BankError: no study.
    """
    wanted = Filter(study=study, ids=(prompt,), retired=True)
    for coverage in ("full", "partial"):
        if rows := ranking_page(ws, wanted, size=1, coverage=coverage, rivals=rivals).rows:
            return rows[0]
    return None


def standing_of(row: LeaderRow, best: str | None) -> Standing | None:
    """Return where a prompt stands against ``best``, the id of the best contender; None where that is not known."""
    if row.origin == REFERENCE:
        return "reference"
    if row.otherwise:
        return "other way"
    if row.mean is None or (row.distinguishable is None and row.id != best):
        return None
    return "best" if row.id == best else "below" if row.distinguishable else "not told apart"


def means_of_prompts(ws: Workspace, studies: Sequence[str], prompts: Sequence[str]) -> dict[str, float]:
    """Return prompt -> mean over a study's sites, of those that every site of it scored.

    Args:
        studies: digests, such as of a study's revisions; the first in which a prompt was scored counts.

    Raises:
        BankError: no study.
    """
    found: dict[str, float] = {}
    for study in studies:
        if not (missing := tuple(one for one in prompts if one not in found)):
            break
        rows = ws.bank.leaders(Filter(study=study, ids=missing, retired=True), limit=MOST_ROWS).rows
        found |= {row.id: row.mean for row in rows}
    return found


def _row(
    row: Leader,
    drawn: _Stand | None,
    top: _Stand | None,
    here: Mapping[str, Score],
    sites: tuple[str, ...],
    coverage: Coverage,
) -> LeaderRow:
    reference, measured = row.origin == REFERENCE, coverage == "full"
    apart = None
    if drawn is not None and top is not None and not reference:
        apart = drawn.mean.high < top.mean.low or (drawn.mean.value < top.mean.value and drawn.best < 0.01)
    return LeaderRow(
        id=row.id,
        name=row.name,
        kind=row.kind,
        origin=row.origin,
        mean=row.mean if measured else None,
        worst=row.worst if measured else None,
        interval=None if drawn is None else Interval(drawn.mean.low, drawn.mean.high),
        probability_best=None if drawn is None or reference else drawn.best,
        distinguishable=apart,
        sites={site: site_score(here[site]) if site in here else None for site in sites},
        nominated=False,
        test_mean=None,
        test_interval=None,
        pooled=row.pooled if measured else None,
        cases=row.n,
    )


def _with_test(row: LeaderRow, test: Mapping[str, Score], show: bool) -> LeaderRow:
    counts = [(round(score.total), score.n) for score in test.values()]
    found = mean_over_sites(counts, np.random.default_rng(SEED), draws=DRAWS) if show else None
    if found is None:
        return replace(row, nominated=True)
    return replace(row, nominated=True, test_mean=found.value, test_interval=Interval(found.low, found.high))


def _summaries(rivals: Contenders, others: Mapping[str, Mapping[str, Score]]) -> dict[str, _Stand]:
    """Return prompt -> where it stands; one that is no contender is said to be the best with probability 0."""
    sites = {site for by_site in rivals.scores.values() for site in by_site}
    below = beta_means(_alike(others, rivals.ruling, sites))
    return {
        **{id: _Stand(mean, 0.0) for id, mean in below.items()},
        **{id: _Stand(one.mean, one.best) for id, one in rivals.drawn.items()},
    }


def _alike(
    scores: Mapping[str, Mapping[str, Score]], ruling: Way | None, sites: set[str]
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return the counts of what was scored at all these sites in the ruling way."""
    ways = _ways(scores)
    return {
        id: {site: _counts(score) for site, score in by_site.items()}
        for id, by_site in scores.items()
        if ways[id] == {ruling} and set(by_site) == sites
    }


def _ways(scores: Mapping[str, Mapping[str, Score]]) -> dict[str, set[Way]]:
    return {id: {how_judged(score) for score in by_site.values()} for id, by_site in scores.items()}


def _newest(ws: Workspace, wanted: Filter, ids: list[str]) -> dict[str, dict[str, Score]]:
    """Return prompt -> site -> its newest score over any cases."""
    found: dict[str, dict[str, Score]] = {}
    if ids:
        for row in ws.bank.newest_scores(wanted.study or "", ids, wanted.split):
            if row.score.n:
                found.setdefault(row.score.prompt, {})[row.site] = row.score
    return found


def _counts(score: Score) -> tuple[float, float]:
    size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares) or 0.0
    return min(1.0, max(0.0, score.total / score.n)) * size, size


@dataclass(frozen=True)
class RankingFilters:
    """The filters as the visitor set them; ``least`` in per cent."""

    words: str = ""
    kind: str | None = None
    origin: str | None = None
    tag: str = ""
    site: str | None = None
    least: float = 0.0
    order: Order = "mean"

    def filter(self, study: str) -> Filter:
        """Return what the store is asked."""
        return Filter(
            study=study,
            kind=self.kind,
            origin=self.origin,
            tag=self.tag or None,
            site=self.site,
            minimum=self.least / 100 if self.site and self.least else None,
            words=self.words or None,
        )
