"""A federation as its operator watches it: rounds, who answered and how fast, how alike the updates were.

Everything is read out of the bank, and what gathers now out of its file; nothing is asked of a site. Where the study
has the hub keep updates, their norms and cosines are computed from what was kept.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedprompt.bank.rows import RoundRow, RunRow
from fedprompt.errors import BankError, FederationError
from fedprompt.federation.clustering import cosines
from fedprompt.federation.pacing import pace
from fedprompt.workspace.results.travelled import NOTHING, Travelled, travelled
from fedprompt.workspace.rounds.federation_run import pooled_best
from fedprompt.workspace.rounds.gathering_now import RunNow, run_now
from fedprompt.workspace.rounds.given_orders import GivenOrder, left_out_of, orders_of
from fedprompt.workspace.rounds.in_bank import BankKeeper
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "OPPOSED",
    "AtWork",
    "FederationView",
    "RosterRow",
    "UpdateRow",
    "best_template",
    "federation_view",
    "federations",
    "has_answered",
    "likened",
    "transfer_of",
    "updates_of",
]

KINDS = ("demo", "federate")
OPPOSED = -0.1  # a cosine below it; those of honest sites fall to about 0 in late rounds, and a little below
LONG_UPDATE = 2.5  # times the round's median norm


@dataclass(frozen=True)
class AtWork:
    """What a site does in the step that gathers now, for how long (seconds), and how long it took the last time.

    Nobody tells the hub how far a task is, so what is left is known only from the round before.
    """

    state: Literal["at work", "waits its turn", "answered", "missing", "left out"]
    since: float | None = None
    before: float | None = None

    @property
    def left(self) -> float | None:
        """Seconds that are left if it takes as long as the last time, None where that is not known."""
        return None if self.since is None or self.before is None else max(0.0, self.before - self.since)


@dataclass(frozen=True)
class RosterRow:
    """One site: its cases, when it last answered, seconds a step, rounds answered, and why it was last missing.

    ``version`` is its fedprompt's and ``study`` the digest that it answers to, None until it has told them.
    """

    site: str
    source: str
    cases: int | None
    seen: datetime | None
    pace: float | None
    answered: int
    asked: int
    missing: str | None
    version: str | None = None
    study: str | None = None
    now: AtWork | None = None


@dataclass(frozen=True)
class UpdateRow:
    """One site's update in one round: its norm, its cosine with the sum of the others', and whether it stands out."""

    round: int
    site: str
    norm: float
    cosine: float | None
    outlier: bool


@dataclass(frozen=True)
class FederationView:
    """One run. ``count`` is how many rounds its study has; ``left_out`` whom the operator left out, and by whom.

    ``manual`` is the best template's mean on validation, None until every template is scored at every site.
    """

    run: RunRow
    study: str
    count: int
    rounds: tuple[RoundRow, ...]
    sites: tuple[RosterRow, ...]
    deadlines: Mapping[str, float]
    keeps_updates: bool
    now: RunNow | None
    left_out: Mapping[str, str]
    orders: tuple[GivenOrder, ...]
    manual: float | None = None
    traffic: Travelled = NOTHING


def federations(ws: Workspace) -> tuple[RunRow, ...]:
    """Return the runs that may be watched, the newest first."""
    return tuple(run for run in ws.bank.runs() if run.kind in KINDS)


def federation_view(ws: Workspace, run: str) -> FederationView:
    """Return one run as it stands.

    Raises:
        BankError: there is no such run.
    """
    row = ws.bank.run(run)
    study = ws.bank.study(row.study).study
    stages, rounds = ws.bank.stages(run), ws.bank.rounds(run)
    described: Mapping[str, Mapping[str, Any]] = stages.get("sites", {})
    plans = [body for name, body in stages.items() if name.startswith("round ") and "deadlines" in body]
    asked = {int(plan["round"]): plan["sites"] for plan in plans}
    seconds = [one.body.get("seconds", {}) for one in rounds]
    paces = pace(seconds, [one.body.get("steps", {}) for one in rounds], study.tuning.steps)
    now = run_now(ws.home, run) if row.kind == "federate" and row.result is None else None
    left_out = left_out_of(ws, run)
    settled = row.settings.get("sites") if row.kind == "federate" else None
    names = sorted({*described, *(settled or ()), *(site for one in rounds for site in one.body.get("by_site", {}))})
    failures = {site: list(told.values())[-1] for site, told in ((row.result or {}).get("missing") or {}).items()}
    here = {} if now is None or now.step is None else now.step.missing
    return FederationView(
        run=row,
        study=study.study,
        count=study.rounds.count if study.soft is not None else 0,
        rounds=rounds,
        sites=tuple(
            replace(
                _roster(name, described.get(name), rounds, asked, paces.get(name), here.get(name), failures.get(name)),
                study=row.study if name in described else None,
                now=_at_work(name, now, rounds, name in left_out),
            )
            for name in names
        ),
        deadlines=plans[-1]["deadlines"] if plans else {},
        keeps_updates=study.rounds.keep_updates,
        now=now,
        left_out={site: order.by for site, order in left_out.items()},
        orders=orders_of(ws, run),
        manual=best_template(ws, row),
        traffic=travelled(ws.bank, run),
    )


def best_template(ws: Workspace, run: RunRow) -> float | None:
    """Return the best template's mean on validation, once every template is scored at every site of the run."""
    study = ws.bank.study(run.study).study
    by_site: dict[str, dict[str, Any]] = {}
    for row in ws.bank.scores(run=run.id, split="validation"):
        if row.round is None and row.score.n:
            by_site.setdefault(row.site, {})[row.score.prompt] = row.score
    asked = ws.bank.stages(run.id).get("sites", {})
    if not asked or set(by_site) != set(asked):
        return None
    full = set.intersection(*(set(found) for found in by_site.values()))
    if len(full) < len(study.templates):
        return None
    best = pooled_best(by_site, sorted(full), study.rounds.max_weight)
    return float(sum(found[best].total / found[best].n for found in by_site.values()) / len(by_site))


def updates_of(ws: Workspace, view: FederationView) -> tuple[UpdateRow, ...]:
    """Return every kept update of a run; empty where none were kept."""
    if not view.keeps_updates:
        return ()
    keeper = BankKeeper(ws.bank, view.run.id, view.run.study)
    found: list[UpdateRow] = []
    for row in view.rounds:
        try:
            updates = keeper.kept(row.number, row.prompt)
        except (BankError, FederationError):
            continue  # of a round whose updates were lost, there is nothing to draw
        if updates:
            deltas = np.array([one.delta.reshape(-1) for one in updates], dtype=np.float64)
            found.extend(likened(row.number, [one.site for one in updates], deltas))
    return tuple(found)


def transfer_of(view: FederationView) -> tuple[Mapping[str, Mapping[str, float]], Mapping[str, float]]:
    """Return (home -> site -> value) of prompts tuned at one site, and site -> value of the one tuned together."""
    result = view.run.result or {}
    together: Mapping[str, float] = ((result.get("test") or {}).get("federated") or {}).get("by_site", {})
    return result.get("transfer", {}), together


def _roster(
    site: str,
    described: Mapping[str, Any] | None,
    rounds: Sequence[RoundRow],
    asked: Mapping[int, Sequence[str]],
    seconds: float | None,
    here: str | None,
    failure: str | None,
) -> RosterRow:
    answered = [row for row in rounds if has_answered(row, site)]
    missing = [one for row in rounds for one in row.body.get("missing", ()) if one["site"] == site]
    sizes = None if described is None else sum(int(described[split]) for split in ("tune", "validation", "test"))
    return RosterRow(
        site=site,
        source="" if described is None else str(described.get("source", "")),
        cases=sizes,
        seen=answered[-1].created if answered else None,
        pace=seconds,
        answered=len(answered),
        asked=sum(site in asked.get(row.number, (site,)) for row in rounds),
        missing=here or (str(missing[-1]["reason"]) if missing else failure),
        version=None if described is None else described.get("version"),
    )


def has_answered(row: RoundRow, site: str) -> bool:
    """Return whether a site answered all that a round asked: a score, or an update where the round was not scored."""
    return site in (row.body.get("by_site") or row.body.get("tuned", ()))


def _at_work(site: str, now: RunNow | None, rounds: Sequence[RoundRow], left_out: bool) -> AtWork | None:
    """Return what a site does in the step that gathers now, None where none does."""
    if left_out:
        return AtWork("left out")
    step = None if now is None else now.step
    if step is None:
        return None
    if site in step.waiting:
        since = step.asked.get(site)
        if since is None:
            return AtWork("waits its turn")
        took = [one.body.get("seconds", {}).get(step.step, {}).get(site) for one in rounds]
        return AtWork("at work", max(0.0, time.time() - since), next((one for one in reversed(took) if one), None))
    return AtWork("missing") if site in step.missing else AtWork("answered") if site in step.came else None


def likened(number: int, sites: Sequence[str], deltas: NDArray[np.float64]) -> list[UpdateRow]:
    """Compare each site's update with the sum of the others; ``deltas`` is [sites, numbers] float64.

    One stands out where it goes against the others, or is far longer than the median of the round.
    """
    norms = np.linalg.norm(deltas, axis=1)
    median = float(np.median(norms))
    whole = deltas.sum(axis=0)
    found = []
    for place, site in enumerate(sites):
        alike = float(cosines(np.stack([deltas[place], whole - deltas[place]]))[0, 1]) if len(sites) > 1 else None
        long = median > 0 and norms[place] > LONG_UPDATE * median
        against = alike is not None and len(sites) > 2 and alike < OPPOSED
        found.append(UpdateRow(number, site, float(norms[place]), alike, bool(long or against)))
    return found
