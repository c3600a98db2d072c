"""A federation as its operator watches it: rounds, who answered and how fast, how alike the updates were.

Everything is read out of the bank; nothing is asked of a site. Where the study has the hub keep updates, their norms
and cosines are computed from what was kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedprompt.bank.rows import RoundRow, RunRow
from fedprompt.errors import BankError, FederationError
from fedprompt.federation.clustering import cosines
from fedprompt.federation.pacing import pace
from fedprompt.workspace.kept_updates import BankKeeper
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "FederationView",
    "RosterRow",
    "UpdateRow",
    "federation_view",
    "federations",
    "likened",
    "transfer_of",
    "updates_of",
]

KINDS = ("demo", "federate")
LONG_UPDATE = 2.5  # times the round's median norm


@dataclass(frozen=True)
class RosterRow:
    """One site: its cases, when it last answered, seconds a step, rounds answered, and why it was last missing."""

    site: str
    source: str
    cases: int | None
    seen: datetime | None
    pace: float | None
    answered: int
    asked: int
    missing: str | None


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
    """One run. ``count`` is how many rounds its study has; ``labels`` the study's name."""

    run: RunRow
    study: str
    count: int
    rounds: tuple[RoundRow, ...]
    sites: tuple[RosterRow, ...]
    deadlines: Mapping[str, float]
    keeps_updates: bool


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
    names = sorted({*described, *(site for one in rounds for site in one.body.get("by_site", {}))})
    return FederationView(
        run=row,
        study=study.study,
        count=study.rounds.count if study.soft is not None else 0,
        rounds=rounds,
        sites=tuple(_roster(name, described.get(name), rounds, asked, paces.get(name)) for name in names),
        deadlines=plans[-1]["deadlines"] if plans else {},
        keeps_updates=study.rounds.keep_updates,
    )


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
) -> RosterRow:
    answered = [row for row in rounds if site in row.body.get("by_site", {})]
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
        missing=str(missing[-1]["reason"]) if missing else None,
    )


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
        against = alike is not None and len(sites) > 2 and alike < 0
        found.append(UpdateRow(number, site, float(norms[place]), alike, bool(long or against)))
    return found
