"""Starting, stopping and taking up a run of the playground. Its job gets the run's id alone, nothing typed."""

import time
import uuid

from fedprompt.workspace.acting import needs
from fedprompt.workspace.jobs.jobs import cancel, submit
from fedprompt.workspace.playground.trial_files import TrialFolder
from fedprompt.workspace.playground.trials import Trial, TrialRequest
from fedprompt.workspace.workspace import Workspace

__all__ = ["go_on", "start_trial", "stop_trial"]


@needs("try")
def start_trial(ws: Workspace, folder: TrialFolder, request: TrialRequest) -> str:
    """Write a run down, start it, and return its id."""
    folder.prune()
    run = uuid.uuid4().hex
    folder.add(run, {**request.model_dump(mode="json"), "made": time.time()})
    _submit(ws, folder, run)
    return run


@needs("try")
def go_on(ws: Workspace, folder: TrialFolder, run: str) -> None:
    """Run what has no good result yet: what was stopped, and what failed."""
    folder.request(run)
    _submit(ws, folder, run)


@needs("try")
def stop_trial(ws: Workspace, trial: Trial) -> None:
    """Stop a run; the cells that are done stay."""
    cancel(ws, trial.job)


def _submit(ws: Workspace, folder: TrialFolder, run: str) -> None:
    job = submit(ws, "trial", {"owner": folder.owner, "run": run})
    folder.add(run, {**folder.request(run), "job": job})
