"""What every ranking shares: the study that is spoken of, the origin that is a reference alone, a site's score."""

from fedprompt.evaluation.statistics.clusters import effective_n
from fedprompt.evaluation.statistics.intervals import wilson
from fedprompt.prompts.origins import CENTRALISED
from fedprompt.study.score import Score
from fedprompt.workspace.results.views import SiteScore
from fedprompt.workspace.workspace import Workspace

__all__ = ["REFERENCE", "latest_study", "site_score"]

REFERENCE = CENTRALISED.key  # tuned on pooled cases: a line to measure by, which no federation could have


def latest_study(ws: Workspace) -> str | None:
    """Return the study that was scored and worked on last, else the newest study, else None."""
    found = ws.bank.scored_studies()[:1] or sorted(ws.bank.studies(), key=lambda row: row.created)[-1:]
    return found[0].digest if found else None


def site_score(score: Score) -> SiteScore | None:
    """Return one score with Wilson's interval over its effective cases, None over no cases."""
    size = effective_n(score.n, score.total, score.squares, score.groups, score.group_squares)
    if size is None or score.value is None:
        return None
    value = min(1.0, max(0.0, score.value))
    return SiteScore(value, score.n, wilson(value * size, size))
