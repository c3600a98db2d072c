"""What every ranking shares: the study that is spoken of, the origin that is a reference alone, a site's score."""

from collections.abc import Sequence

from fedprompt.bank.filters import Filter
from fedprompt.bank.rows import StudyRow
from fedprompt.evaluation.statistics.clusters import effective_n
from fedprompt.evaluation.statistics.intervals import wilson
from fedprompt.prompts.origins import CENTRALISED
from fedprompt.study.score import Score
from fedprompt.workspace.results.views import SiteScore
from fedprompt.workspace.workspace import Workspace

__all__ = ["REFERENCE", "fullest_study", "latest_study", "site_score"]

REFERENCE = CENTRALISED.key  # tuned on pooled cases: a line to measure by, which no federation could have


def latest_study(ws: Workspace) -> str | None:
    """Return the study that was scored and worked on last, else the newest study, else None."""
    found = ws.bank.scored_studies()[:1] or sorted(ws.bank.studies(), key=lambda row: row.created)[-1:]
    return found[0].digest if found else None


def fullest_study(ws: Workspace, rows: Sequence[StudyRow]) -> StudyRow:
    """Return of some studies the one with most prompts that all its sites scored; of equals, the first.

    Of a study's revisions it is the one to show: a newer one in which little was scored yet would leave the best
    prompts without a mean.
    """
    if len(rows) == 1:
        return rows[0]
    return max(rows, key=lambda row: ws.bank.leaders(Filter(study=row.digest), limit=1).total)


def site_score(score: Score) -> SiteScore | None:
    """Return one score with Wilson's interval over its effective cases, None over no cases."""
    size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares)
    if size is None or score.value is None:
        return None
    value = min(1.0, max(0.0, score.value))
    return SiteScore(value, score.n, wilson(value * size, size))
