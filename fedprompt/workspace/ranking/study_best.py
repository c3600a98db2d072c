"""The best prompt of each study, and its gain over the best template and over each site alone.

The best is the first of the ranking on validation cases that a federation could have. What it gains is of test cases
where its run nominated it, and of validation cases, without an interval, where none did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedprompt.bank.filters import Filter
from fedprompt.bank.rows import Leader
from fedprompt.workspace.ranking.leaderboard import REFERENCE
from fedprompt.workspace.workspace import Workspace

__all__ = ["StudyBest", "bests_of_studies"]

STUDIES = 6
AHEAD = 50


@dataclass(frozen=True)
class StudyBest:
    """``template``: the best one written by hand.

    ``over_template`` and ``over_alone`` (by site) are a run's own differences on test cases, None where its run did
    not nominate this prompt; ``run`` is that run.
    """

    study: str
    title: str
    best: Leader
    template: Leader | None
    over_template: Mapping[str, Any] | None
    over_alone: Mapping[str, Mapping[str, Any]] | None
    run: str | None = None


def bests_of_studies(ws: Workspace, *, most: int = STUDIES) -> tuple[StudyBest, ...]:
    """Return the best prompt of the newest studies, without those of which none was scored at every site."""
    found = []
    studies = sorted(ws.bank.studies(), key=lambda row: row.created, reverse=True)
    for study in studies[:most]:
        ahead = ws.bank.leaders(Filter(study=study.digest), limit=AHEAD).rows
        best = next((row for row in ahead if row.origin != REFERENCE), None)
        if best is None:
            continue
        templates = ws.bank.leaders(Filter(study=study.digest, kind="template"), limit=1).rows
        run = next(
            (
                row
                for row in ws.bank.runs()
                if row.study == study.digest
                and row.result
                and (row.result.get("prompts") or {}).get("federated") == best.id
            ),
            None,
        )
        told: Mapping[str, Any] = (run.result or {}).get("differences") or {} if run is not None else {}
        alone = (told.get("federated_vs_local_own") or {}).get("by_site")
        found.append(
            StudyBest(
                study.digest,
                study.name,
                best,
                templates[0] if templates else None,
                told.get("federated_vs_manual"),
                alone,
                None if run is None else run.id,
            )
        )
    return tuple(found)
