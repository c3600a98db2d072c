"""The state of a home at a glance: what runs, which sites there are, what the rounds gave, what joining gained."""

from collections.abc import Mapping
from typing import Any

from fedprompt.bank.filters import Filter
from fedprompt.workspace.assets import assets_ready
from fedprompt.workspace.front.findings import curve_of, finding_of, gains_of
from fedprompt.workspace.jobs.kinds import kinds
from fedprompt.workspace.ranking.leaderboard import REFERENCE, latest_study
from fedprompt.workspace.ranking.ranking_page import ranking_page
from fedprompt.workspace.results.travelled import NOTHING, travelled
from fedprompt.workspace.results.views import LeaderRow, OverviewView, SiteView
from fedprompt.workspace.rounds.federation_view import best_template
from fedprompt.workspace.workspace import Workspace

__all__ = ["overview"]

BEST, AHEAD = 5, 50
JOBS, SEEN = 20, 500


def overview(ws: Workspace) -> OverviewView:
    """Return the newest demo or federation, running or finished, and the jobs around it."""
    runs = [row for row in ws.bank.runs() if row.kind in ("demo", "federate")]
    run = runs[0] if runs else None
    study = run.study if run else latest_study(ws)
    stages = ws.bank.stages(run.id) if run else {}
    result = run.result if run else None
    long = {kind.name for kind in kinds() if kind.lane == "long"}
    return OverviewView(
        # What the playground runs is not news, and must not push a running demo off the page.
        jobs=tuple(job for job in ws.bank.jobs(limit=SEEN) if job.kind in long)[:JOBS],
        sites=tuple(_site(name, body) for name, body in sorted(stages.get("sites", {}).items())),
        rounds=ws.bank.rounds(run.id) if run else (),
        manual=best_template(ws, run) if run else None,
        best=_best(ws, study) if study else (),
        gains=gains_of(result) if result else (),
        headline=finding_of(result) if result else None,
        transfer=result.get("transfer", {}) if result else {},
        federated=result["test"].get("federated", {}).get("by_site", {}) if result else {},
        result=result,
        assets_ready=assets_ready(ws.home),
        study=study,
        curve=curve_of(result) if result else (),
        has=result["newcomer"]["n"] if result and result.get("newcomer") else None,
        traffic=travelled(ws.bank, run.id) if run else NOTHING,
    )


def _best(ws: Workspace, study: str) -> tuple[LeaderRow, ...]:
    """Return the first prompts of the ranking, without those that only pooled cases could give."""
    ahead = ranking_page(ws, Filter(study=study), size=AHEAD).rows
    return tuple(row for row in ahead if row.origin != REFERENCE)[:BEST]


def _site(name: str, body: Mapping[str, Any]) -> SiteView:
    total = sum(body["labels"].values()) or 1
    shares = {label: count / total for label, count in body["labels"].items()}
    return SiteView(name, body["source"], body["tune"], body["validation"], body["test"], shares)
