"""Tuning on this machine as a visitor follows it: the job, its losses step by step, validation part by part, its time.

Everything is read out of the bank, so a browser that was reloaded or an app that was started again shows the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedprompt.bank.rows import JobRow, RunRow
from fedprompt.workspace.cases.own_cases import OWN_SITE
from fedprompt.workspace.jobs.jobs import newest_job
from fedprompt.workspace.workspace import Workspace

__all__ = ["TuningView", "estimate_for", "same_work", "tuning_view"]

SEEN = 500


@dataclass(frozen=True)
class TuningView:
    """One tuning: ``job`` is the newest of its jobs, ``estimate`` what ``tune-time`` found for the same work.

    ``losses`` are (step, loss), ``validation`` (step, value); ``timing`` is the timing job that runs.
    """

    job: JobRow | None
    timing: JobRow | None
    run: RunRow | None
    losses: tuple[tuple[int, float], ...]
    validation: tuple[tuple[int, float], ...]
    steps: int
    estimate: Mapping[str, Any] | None

    @property
    def active(self) -> bool:
        """Whether the tuning runs or waits."""
        return self.job is not None and self.job.state in ("queued", "running")


def tuning_view(ws: Workspace) -> TuningView:
    """Return the tuning that was asked for last; nothing is computed."""
    jobs = ws.bank.jobs(limit=SEEN)
    job = newest_job(ws, "tune")
    timings = [one for one in jobs if one.kind == "tune-time"]
    timing = timings[0] if timings and timings[0].state != "done" else None
    run = _run(ws, job)
    steps, parts = 1, 0
    if run is not None:
        study = ws.bank.study(run.study).study
        steps, parts = study.tuning.steps, study.rounds.count
    losses, validation = _curves(ws, job, run, steps)
    return TuningView(job, timing, run, losses, validation, steps * parts, _estimate(timings, job))


def estimate_for(ws: Workspace, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the newest timing of this very work found, or None."""
    timings = [one for one in ws.bank.jobs(limit=SEEN) if one.kind == "tune-time"]
    return next((one.result for one in timings if one.state == "done" and same_work(one.arguments, arguments)), None)


def _estimate(timings: list[JobRow], job: JobRow | None) -> Mapping[str, Any] | None:
    if job is None:
        return None
    # The one that was known when the tuning began, not one that was measured afterwards.
    known = (one for one in timings if one.state == "done" and one.created <= job.created)
    return next((one.result for one in known if same_work(one.arguments, job.arguments)), None)


def same_work(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Return whether the arguments of two jobs ask for the same tuning, whatever the seed."""
    return all(first.get(key) == second.get(key) for key in ("study", "data", "mapping", "group"))


def _run(ws: Workspace, job: JobRow | None) -> RunRow | None:
    """Return the run that a job works on: the one it names, or the newest that was begun after it."""
    if job is None:
        return None
    named = (job.result or {}).get("run") or ((job.progress or {}).get("detail") or {}).get("run")
    runs = ws.bank.runs(kind="tune")
    if named is not None:
        return next((run for run in runs if run.id == named), None)
    return next((run for run in runs if run.created >= job.created), None)


def _curves(
    ws: Workspace, job: JobRow | None, run: RunRow | None, steps: int
) -> tuple[tuple[tuple[int, float], ...], tuple[tuple[int, float], ...]]:
    if run is None:
        return (), ()
    by_step: dict[int, float] = {}
    for name, body in ws.bank.stages(run.id).items():
        word, _, part = name.partition(" ")
        if word == "losses" and part.isdigit():
            by_step |= {(int(part) - 1) * steps + at: loss for at, loss in enumerate(body["loss"], 1)}
    detail = ((job.progress if job else None) or {}).get("detail") or {}
    if detail.get("run") == run.id and "losses" in detail:
        first = (int(detail["part"]) - 1) * steps + int(detail["first"])
        by_step |= {at: float(loss) for at, loss in enumerate(detail["losses"], first) if at not in by_step}
    rounds = ws.bank.rounds(run.id)
    validation = tuple((row.number * steps, float(row.body["by_site"][OWN_SITE])) for row in rounds)
    return tuple(sorted(by_step.items())), validation
