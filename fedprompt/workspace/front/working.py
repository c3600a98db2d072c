"""What works on this home now beside the jobs of the app: federations that a command began.

A command's federation is no job, so only its file under ``rounds/`` tells of it; one that a job of the app works on is
told by that job and left out here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fedprompt.bank.rows import JobRow
from fedprompt.workspace.rounds.gathering_now import StepNow, runs_now
from fedprompt.workspace.workspace import Workspace

__all__ = ["Working", "working_now"]


@dataclass(frozen=True)
class Working:
    """A federation at work: its run, its study's name, how many rounds are finished of how many, what gathers now."""

    run: str
    study: str
    since: str
    finished: int
    count: int
    step: StepNow | None


def working_now(ws: Workspace, jobs: Sequence[JobRow]) -> tuple[Working, ...]:
    """Return the federations at work that no running job of ``jobs`` works on, the newest first."""
    ours = {job.pid for job in jobs if job.state == "running"}
    found = []
    for one in runs_now(ws.home):
        if one.pid in ours:
            continue
        study = ws.bank.study(ws.bank.run(one.run).study).study
        count = study.rounds.count if study.moves is not None else 0
        found.append(Working(one.run, study.study, one.since, len(ws.bank.rounds(one.run)), count, one.step))
    return tuple(found)
