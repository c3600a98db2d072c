"""The state of a home at a glance: what runs, which sites there are, what the rounds gave, what joining gained."""

from collections.abc import Mapping
from typing import Any

from fedprompt.bank.filters import Filter
from fedprompt.evaluation.statistics.intervals import Interval
from fedprompt.workspace.as_json import from_json
from fedprompt.workspace.assets import assets_ready
from fedprompt.workspace.jobs.kinds import kinds
from fedprompt.workspace.ranking.leaderboard import REFERENCE, latest_study
from fedprompt.workspace.ranking.ranking_page import ranking_page
from fedprompt.workspace.results.travelled import NOTHING, travelled
from fedprompt.workspace.results.views import GainView, LeaderRow, OverviewView, SiteView
from fedprompt.workspace.results.worth import CurvePoint
from fedprompt.workspace.rounds.federation_view import best_template
from fedprompt.workspace.rounds.result_table import Difference, ResultRow, gain_sentence, headline
from fedprompt.workspace.workspace import Workspace

__all__ = ["overview"]

BEST, AHEAD = 5, 50
SHARED = "shared"  # what a site keeps that mixes shared prompts with its own
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
        gains=_gains(result) if result else (),
        headline=_headline(result) if result else None,
        transfer=result.get("transfer", {}) if result else {},
        federated=result["test"].get("federated", {}).get("by_site", {}) if result else {},
        result=result,
        assets_ready=assets_ready(ws.home),
        study=study,
        curve=_curve(result) if result else (),
        has=result["newcomer"]["n"] if result and result.get("newcomer") else None,
        traffic=travelled(ws.bank, run.id) if run else NOTHING,
    )


def _curve(result: Mapping[str, Any]) -> tuple[CurvePoint, ...]:
    """Return what shared prompts are worth by the number of labelled cases, where a newcomer showed it."""
    newcomer = result.get("newcomer")
    known = () if newcomer is None else newcomer["curve"]
    return tuple(CurvePoint.model_validate({name: point[name] for name in CurvePoint.model_fields}) for point in known)


def _best(ws: Workspace, study: str) -> tuple[LeaderRow, ...]:
    """Return the first prompts of the ranking, without those that only pooled cases could give."""
    ahead = ranking_page(ws, Filter(study=study), size=AHEAD).rows
    return tuple(row for row in ahead if row.origin != REFERENCE)[:BEST]


def _site(name: str, body: Mapping[str, Any]) -> SiteView:
    total = sum(body["labels"].values()) or 1
    shares = {label: count / total for label, count in body["labels"].items()}
    return SiteView(name, body["source"], body["tune"], body["validation"], body["test"], shares)


def _gains(result: Mapping[str, Any]) -> tuple[GainView, ...]:
    """Return what joining gained each site, for results that compared it with tuning alone.

    Where a site mixes shared prompts with its own, that is what it gained by.
    """
    donors = result.get("donors")
    against = result.get("differences", {}).get("kept_vs_local_own") if donors is None else donors["gain"]
    found = {} if against is None else from_json(Difference, against).by_site
    gains = []
    for site, gain in sorted(found.items()):
        verdict = "not yet distinguishable"
        if gain.distinguishable:
            verdict = "better" if gain.difference > 0 else "worse"
        interval = Interval(100 * gain.low, 100 * gain.high)
        kept = result["kept"][site] if donors is None else SHARED
        sentence = gain_sentence(site, kept, gain)
        gains.append(GainView(site, 100 * gain.difference, interval, verdict, sentence, kept))
    return tuple(gains)


def _headline(result: Mapping[str, Any]) -> str | None:
    """Return a run's finding in a sentence; None where nothing was tuned together."""
    if result.get("newcomer"):
        return str(result["newcomer"]["sentence"])
    against = result.get("differences", {}).get("federated_vs_manual")
    if against is None:
        return None
    test = {name: from_json(ResultRow, row) for name, row in result["test"].items()}
    return headline(test, from_json(Difference, against))
